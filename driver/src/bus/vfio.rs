//! A real card without its kernel driver: VFIO hands its BAR to the program.
//!
//! The kernel's `vfio-pci` holds the card, resets it, and lets it reach only the memory that the
//! program has mapped for it: the IOMMU sees to that. Everything else, from the initialization
//! segment on, is the program's: `control/firmware.rs` brings the card up.

use super::wait::readable;
use super::{Bus, MappedPage, Memory, PAGE_SIZE, Registers};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::{read_link, read_to_string};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;
use vfio_ioctls::{VfioContainer, VfioDevice};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// Pages of memory shared with the card: 16 MiB.
const MEMORY_PAGES: usize = 4096;

/// Where the card sees that memory. Any address that the IOMMU has will do.
const MEMORY_ADDRESS: u64 = 0x10_0000_0000;

/// Numbers of the regions of a PCI device (`linux/vfio.h`).
const BAR_0: u32 = 0;
const CONFIGURATION: u32 = 7;

/// Number of the kind of interrupt, and how many of them are asked for.
const MSI_X: u32 = 2;
const INTERRUPTS: u32 = 16;

/// Places of the device number and of the revision in the configuration space.
const DEVICE: u64 = 2;
const REVISION: u64 = 8;

/// The command register of the configuration space, and what it lets a device do: answer on its
/// BARs, and read and write memory.
const COMMAND: u64 = 4;
const MEMORY_SPACE: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;

/// The driver that a card must be bound to.
const DRIVER: &str = "vfio-pci";

/// Why a card cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VfioError {
    /// No such device.
    #[error("there is no PCI device {0}; lspci -D -d 15b3: lists the cards of this machine")]
    Missing(String),
    /// Another driver holds it.
    #[error(
        "{address} is held by {driver}; to take it, stop what uses it, and as root: \
         echo {address} > /sys/bus/pci/drivers/{driver}/unbind; \
         echo vfio-pci > /sys/bus/pci/devices/{address}/driver_override; \
         echo {address} > /sys/bus/pci/drivers_probe. To give it back: \
         echo {address} > /sys/bus/pci/drivers/vfio-pci/unbind; \
         echo > /sys/bus/pci/devices/{address}/driver_override; \
         echo {address} > /sys/bus/pci/drivers_probe"
    )]
    Held {
        /// The card.
        address: String,
        /// Who holds it.
        driver: String,
    },
    /// No driver holds it.
    #[error(
        "{address} is bound to no driver; as root: modprobe vfio-pci; \
         echo vfio-pci > /sys/bus/pci/devices/{address}/driver_override; \
         echo {address} > /sys/bus/pci/drivers_probe"
    )]
    Unbound {
        /// The card.
        address: String,
    },
    /// VFIO refused a step.
    #[error(
        "{address} cannot be taken through VFIO: {reason}; is the IOMMU on, and may this user open /dev/vfio?"
    )]
    Refused {
        /// The card.
        address: String,
        /// VFIO's words.
        reason: String,
    },
}

/// A card, bound to VFIO.
pub struct VfioCard {
    bar: Arc<Bar>,
    /// A file for each interrupt, which counts how often it was raised.
    interrupts: Vec<EventFd>,
    memory: Arc<Memory>,
    container: Arc<VfioContainer>,
}

/// BAR 0, mapped.
struct Bar {
    base: NonNull<u8>,
    length: usize,
    /// What keeps it there.
    device: VfioDevice,
}

// SAFETY: registers are reached by whole aligned words through volatile accesses.
unsafe impl Send for Bar {}
// SAFETY: as for `Send`.
unsafe impl Sync for Bar {}

impl Drop for Bar {
    fn drop(&mut self) {
        // SAFETY: this value mapped it; pages of it keep this value.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
    }
}

/// The folder of a PCI device.
fn folder(sysfs: &Path, address: &str) -> PathBuf {
    sysfs.join("bus/pci/devices").join(address)
}

// ANCHOR: vfio_identify
/// Vendor and device of a PCI device.
pub fn identify(sysfs: &Path, address: &str) -> Result<(u16, u16), VfioError> {
    let folder = folder(sysfs, address);
    let number = |name: &str| {
        let text = read_to_string(folder.join(name)).ok()?;
        u16::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
    };
    let ids = number("vendor").zip(number("device"));
    ids.ok_or_else(|| VfioError::Missing(address.to_owned()))
}

/// Makes sure that VFIO holds the device, and nobody else.
pub fn check_driver(sysfs: &Path, address: &str) -> Result<(), VfioError> {
    let driver = read_link(folder(sysfs, address).join("driver"));
    let name = driver.ok().and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
    match name.as_deref() {
        Some(DRIVER) => Ok(()),
        Some(driver) => {
            Err(VfioError::Held { address: address.to_owned(), driver: driver.to_owned() })
        }
        None => Err(VfioError::Unbound { address: address.to_owned() }),
    }
}
// ANCHOR_END: vfio_identify

impl VfioCard {
    // ANCHOR: vfio_open
    /// Takes a card: resets it, maps its BAR, and lets it into memory of its own.
    pub fn open(address: &str) -> Result<Arc<Self>, VfioError> {
        let sysfs = Path::new("/sys");
        identify(sysfs, address)?;
        check_driver(sysfs, address)?;
        let refused = |reason: vfio_ioctls::VfioError| VfioError::Refused {
            address: address.to_owned(),
            reason: reason.to_string(),
        };
        let container = Arc::new(VfioContainer::new(None).map_err(refused)?);
        let operations = Arc::clone(&container) as Arc<dyn vfio_ioctls::VfioOps>;
        let device =
            VfioDevice::new(&folder(sysfs, address), operations, false).map_err(refused)?;
        device.reset();
        let mut command = [0; 2];
        device.region_read(CONFIGURATION, &mut command, COMMAND);
        let command = u16::from_le_bytes(command) | MEMORY_SPACE | BUS_MASTER;
        device.region_write(CONFIGURATION, &command.to_le_bytes(), COMMAND);

        let memory = Memory::new(MEMORY_PAGES, MEMORY_ADDRESS);
        let (base, length) = memory.place();
        // SAFETY: the memory lives until `drop` takes it out of the IOMMU again.
        unsafe { container.vfio_dma_map(MEMORY_ADDRESS, length, base.as_ptr()) }
            .map_err(refused)?;
        let interrupts = enable_interrupts(&device).map_err(|reason| VfioError::Refused {
            address: address.to_owned(),
            reason: format!("its interrupts cannot be enabled: {reason}"),
        })?;
        let bar = Bar::map(device).map_err(|error| VfioError::Refused {
            address: address.to_owned(),
            reason: format!("BAR 0 cannot be mapped: {error}"),
        })?;
        Ok(Arc::new(Self { bar: Arc::new(bar), interrupts, memory, container }))
    }
    // ANCHOR_END: vfio_open

    /// Bytes of memory that a card is let into. They are pinned, and count against the program's
    /// limit on locked memory.
    pub const LOCKED_BYTES: usize = MEMORY_PAGES * PAGE_SIZE;

    /// The memory shared with the card.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }
}

impl Drop for VfioCard {
    // ANCHOR: vfio_close
    /// The card may neither interrupt nor reach memory any more, and only then the memory is taken
    /// away. The kernel resets the card when its file is closed, also if the program was killed.
    fn drop(&mut self) {
        let device = &self.bar.device;
        if !self.interrupts.is_empty() {
            let _ = device.disable_msix();
        }
        let mut command = [0; 2];
        device.region_read(CONFIGURATION, &mut command, COMMAND);
        let command = u16::from_le_bytes(command) & !BUS_MASTER;
        device.region_write(CONFIGURATION, &command.to_le_bytes(), COMMAND);
        let (_, length) = self.memory.place();
        let _ = self.container.vfio_dma_unmap(MEMORY_ADDRESS, length);
    }
    // ANCHOR_END: vfio_close
}

// ANCHOR: vfio_interrupts
/// Gives each interrupt of the card a file, up to as many as a program of this driver waits for.
fn enable_interrupts(device: &VfioDevice) -> Result<Vec<EventFd>, String> {
    let count = device.get_irq_info(MSI_X).map_or(0, |irq| irq.count).min(INTERRUPTS);
    let files: Result<Vec<_>, _> = (0..count).map(|_| EventFd::new(EFD_NONBLOCK)).collect();
    let files = files.map_err(|error| error.to_string())?;
    if count > 0 {
        device.enable_msix(files.iter().collect()).map_err(|error| error.to_string())?;
    }
    Ok(files)
}
// ANCHOR_END: vfio_interrupts

impl Bar {
    /// Maps BAR 0 of a device.
    fn map(device: VfioDevice) -> rustix::io::Result<Self> {
        let length = device.get_region_size(BAR_0) as usize;
        let offset = device.get_region_offset(BAR_0);
        // SAFETY: the descriptor is open for as long as `device` lives.
        let file = unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) };
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place that nothing else uses.
        let place = unsafe {
            mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, file, offset)
        }?;
        let base = NonNull::new(place.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { base, length, device })
    }

    /// The word at `offset`.
    fn word(&self, offset: usize) -> NonNull<u32> {
        assert!(offset.is_multiple_of(4) && offset < self.length);
        // SAFETY: the word lies in the BAR.
        unsafe { self.base.add(offset).cast() }
    }
}

impl Bus for VfioCard {
    type Page = MappedPage;
}

impl Registers for VfioCard {
    fn read(&self, offset: usize) -> u32 {
        // SAFETY: `word` checked the place; a read of a register of a mapped BAR.
        u32::from_be(unsafe { self.bar.word(offset).read_volatile() })
    }

    fn write(&self, offset: usize, value: u32) {
        // SAFETY: as for `read`.
        unsafe { self.bar.word(offset).write_volatile(value.to_be()) };
    }

    fn pci_device(&self) -> (u16, u8) {
        let (mut device, mut revision) = ([0; 2], [0]);
        self.bar.device.region_read(CONFIGURATION, &mut device, DEVICE);
        self.bar.device.region_read(CONFIGURATION, &mut revision, REVISION);
        (u16::from_le_bytes(device), revision[0])
    }

    fn map_uar(&self, index: u32) -> MappedPage {
        let offset = index as usize * PAGE_SIZE;
        assert!(offset + PAGE_SIZE <= self.bar.length, "the card names a page outside of its BAR");
        let owner = Arc::clone(&self.bar);
        // SAFETY: the page lies in the BAR, which the page's owner keeps mapped.
        unsafe { MappedPage::within(self.bar.base.add(offset), owner) }
    }

    /// `vfio-pci` maps BARs uncached.
    fn write_combining(&self) -> bool {
        false
    }

    fn interrupts(&self) -> u16 {
        self.interrupts.len() as u16
    }

    // ANCHOR: vfio_interrupt
    /// The kernel turns the card's MSI-X message into a count in a file: sleeping until there is
    /// one is an ordinary wait for that file.
    fn wait_interrupt(&self, vector: u16, deadline: Duration) -> bool {
        let Some(file) = self.interrupts.get(usize::from(vector)) else { return false };
        // SAFETY: the descriptor is open for as long as `file` lives.
        let descriptor = unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) };
        readable(descriptor, deadline) && file.read().is_ok()
    }
    // ANCHOR_END: vfio_interrupt

    fn relax(&self) {
        std::hint::spin_loop();
    }
}
