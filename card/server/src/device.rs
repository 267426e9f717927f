//! What a vfio-user client asks of the device.
//!
//! Nothing here answers with an error: an error for a message that wants no reply would leave
//! client and server out of step. What makes no sense is ignored, as a bus ignores it.

use crate::bar::{MSIX_END, MSIX_TABLE, mapped_bytes};
use crate::config_space::{self, ConfigSpace, Consequence};
use crate::machine::Machine;
use doorbell_card::{CardConfig, VECTORS};
use std::fs::File;
use std::io::Result;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use vfio_bindings::bindings::vfio::*;
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, ServerBackend, ServerRegion, SparseArea};

/// Pieces of work that a register write may cause before its sender goes on; the worker does the
/// rest.
const STEPS: u32 = 64;

/// How long a guest is left alone to store the rest of a burst. A thread that waits for the next
/// message instead takes the guest's CPU with each of them, where CPUs are few.
const BURST: Duration = Duration::from_micros(30);

/// The device, for one connection.
pub(crate) struct Device {
    machine: Arc<Machine>,
    card: CardConfig,
    config: ConfigSpace,
    /// The MSI-X table and pending bits: the client keeps its own, and may read these.
    msix: Vec<u8>,
}

impl Device {
    pub(crate) fn new(machine: Arc<Machine>, card: CardConfig) -> Self {
        let config = ConfigSpace::new(&card);
        Self { machine, card, config, msix: vec![0; (MSIX_END - MSIX_TABLE) as usize] }
    }

    /// A reset of the function. What the client mapped and where it wants its interrupts is the
    /// machine's around the device, and stays.
    fn reset_function(&mut self) {
        self.config = ConfigSpace::new(&self.card);
        self.msix.fill(0);
        let mut inner = self.machine.lock_first();
        inner.registers.clear();
        inner.card.reset();
    }

    fn read_bar(&mut self, offset: u64, into: &mut [u8]) {
        if let Some(range) = self.msix_range(offset, into.len()) {
            return into.copy_from_slice(&self.msix[range]);
        }
        let mut inner = self.machine.lock_first();
        inner.card.tell_time(self.machine.time());
        let left = inner.flush_stores();
        inner.read(offset, into);
        drop(inner);
        if left {
            self.machine.news.notify_all();
        }
    }

    fn write_bar(&mut self, offset: u64, bytes: &[u8]) {
        if let Some(range) = self.msix_range(offset, bytes.len()) {
            return self.msix[range].copy_from_slice(bytes);
        }
        let mut inner = self.machine.lock_first();
        inner.card.tell_time(self.machine.time());
        let was_gathering = inner.registers.is_gathering();
        let left = inner.store(offset, bytes);
        if left {
            inner.work(STEPS);
        }
        drop(inner);
        // The worker need not wake up for each store of a burst, but for the first: should no other
        // follow, it hands that one on.
        if left || !was_gathering {
            self.machine.news.notify_all();
        }
        if !left && !was_gathering {
            std::thread::sleep(BURST);
        }
    }

    /// The part of the MSI-X memory that an access means, when it means only that.
    fn msix_range(&self, offset: u64, length: usize) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(offset.checked_sub(MSIX_TABLE)?).ok()?;
        let range = from..from.checked_add(length)?;
        self.msix.get(range.clone()).map(|_| range)
    }
}

impl ServerBackend for Device {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<()> {
        match region {
            VFIO_PCI_CONFIG_REGION_INDEX => self.config.read(offset, data),
            VFIO_PCI_BAR0_REGION_INDEX => self.read_bar(offset, data),
            _ => data.fill(0),
        }
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<()> {
        match region {
            VFIO_PCI_CONFIG_REGION_INDEX => match self.config.write(offset, data) {
                Consequence::Reset => self.reset_function(),
                Consequence::Nothing => {}
            },
            VFIO_PCI_BAR0_REGION_INDEX => self.write_bar(offset, data),
            _ => {}
        }
        Ok(())
    }

    /// Memory without a file (ROM, other devices) cannot be reached by DMA; a mapping that makes
    /// no sense is left out, and DMA to it fails.
    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        file: Option<File>,
    ) -> Result<()> {
        if let Some(file) = file {
            let writable = flags.contains(DmaMapFlags::WRITE);
            let mut inner = self.machine.lock_first();
            let _ = inner.guest.memory.map_file(&file, offset, (address, size), writable);
            inner.set_connected(true);
            self.machine.news.notify_all();
        }
        Ok(())
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> Result<()> {
        let memory = &mut self.machine.lock_first().guest.memory;
        match flags.contains(DmaUnmapFlags::UNMAP_ALL) {
            true => memory.clear(),
            false => memory.unmap(address, size),
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        self.reset_function();
        Ok(())
    }

    fn set_irqs(
        &mut self,
        index: u32,
        flags: u32,
        start: u32,
        count: u32,
        files: Vec<File>,
    ) -> Result<()> {
        if index == VFIO_PCI_MSIX_IRQ_INDEX && flags & VFIO_IRQ_SET_ACTION_TRIGGER != 0 {
            let interrupts = &mut self.machine.lock_first().guest.interrupts;
            match count {
                0 => interrupts.clear(),
                _ => interrupts.set(start, count, files),
            }
        }
        Ok(())
    }
}

/// The regions of the device: BAR 0 and configuration space.
pub(crate) fn regions(card: &CardConfig, memory: &OwnedFd) -> Vec<ServerRegion> {
    (0..VFIO_PCI_NUM_REGIONS).map(|index| region(index, card, memory)).collect()
}

fn region(index: u32, card: &CardConfig, memory: &OwnedFd) -> ServerRegion {
    let argsz = size_of::<vfio_region_info>() as u32;
    let mut region_info = vfio_region_info { argsz, index, ..Default::default() };
    let read_write = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    let mut region = ServerRegion { region_info, sparse_areas: Vec::new(), mmap_fd: None };
    match index {
        VFIO_PCI_CONFIG_REGION_INDEX => {
            (region_info.size, region_info.flags) = (config_space::SIZE as u64, read_write);
        }
        VFIO_PCI_BAR0_REGION_INDEX => {
            (region_info.size, region_info.flags) = (card.bar_size(), read_write);
            if let Some(bytes) = mapped_bytes(card) {
                region_info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
                let size = bytes.end - bytes.start;
                let area = vfio_region_sparse_mmap_area { offset: bytes.start, size };
                region.sparse_areas.push(SparseArea { area });
                region.mmap_fd = Some(memory.as_raw_fd());
            }
        }
        _ => {}
    }
    region.region_info = region_info;
    region
}

/// The interrupts of the device: MSI-X only.
pub(crate) fn interrupts() -> Vec<IrqInfo> {
    let of = |index| match index {
        VFIO_PCI_MSIX_IRQ_INDEX => (VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE, VECTORS),
        _ => (0, 0),
    };
    let all = (0..VFIO_PCI_NUM_IRQS).map(|index| (index, of(index)));
    all.map(|(index, (flags, count))| IrqInfo { index, flags, count: count.into() }).collect()
}
