//! A guest of a vfio-user device, without QEMU.
// Each test file uses a part of it.
#![allow(dead_code)]

use doorbell_card::CardConfig;
use doorbell_card_server::{Options, RegisterAccess, Serving, serve};
use doorbell_prm::commands::*;
use doorbell_prm::eqe::{EQE_INITIAL_OWNER, EventType};
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vfio_bindings::bindings::vfio::*;
use vfio_user::Client;

/// Where the guest's memory begins, and how long it is.
pub const BASE: u64 = 0x4000_0000;
pub const LENGTH: u64 = 1 << 20;
pub const QUEUE: u64 = BASE;
pub const PAGE: u64 = 4096;
/// Nothing here takes as long as this.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// A guest that knows how to give commands that fit into a slot and one mailbox each way.
pub struct Guest {
    pub client: Client,
    pub memory: File,
    pub next_page: u64,
    pub _folder: TempDir,
}

pub fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("private").join("card.sock");
    (folder, socket)
}

pub fn start(registers: RegisterAccess) -> (Serving, TempDir, PathBuf) {
    let (folder, socket) = folder();
    let mut options = Options::new(&socket, CardConfig::infiniband(1));
    options.registers = registers;
    (serve(options).unwrap(), folder, socket)
}

/// Waits for an interrupt on a vector.
pub fn wait_for(vector: &OwnedFd) {
    let mut waiting = [PollFd::new(vector, PollFlags::IN)];
    let deadline = Timespec { tv_sec: DEADLINE.as_secs() as i64, tv_nsec: 0 };
    assert_eq!(poll(&mut waiting, Some(&deadline)).unwrap(), 1, "an interrupt");
}

impl Guest {
    pub fn new(registers: RegisterAccess) -> (Serving, Self) {
        let (serving, folder, socket) = start(registers);
        (serving, Self::connect(&socket, folder))
    }

    pub fn connect(socket: &std::path::Path, folder: TempDir) -> Self {
        let memory = memfd_create("guest", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&memory, LENGTH).unwrap();
        let mut client = Client::new(socket).unwrap();
        client.dma_map(0, BASE, LENGTH, memory.as_raw_fd()).unwrap();
        let next_page = BASE + 8 * PAGE;
        let mut guest = Self { client, memory: File::from(memory), next_page, _folder: folder };
        guest.write32(offset::COMMAND_QUEUE_ADDRESS_HIGH, (QUEUE >> 32) as u32);
        guest.write32(offset::COMMAND_QUEUE_ADDRESS_LOW, QUEUE as u32);
        guest
    }

    pub fn page(&mut self) -> u64 {
        self.next_page += PAGE;
        self.next_page - PAGE
    }

    pub fn put(&self, address: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, address - BASE).unwrap();
    }

    pub fn get<const N: usize>(&self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.memory.read_exact_at(&mut bytes, address - BASE).unwrap();
        bytes
    }

    pub fn read32(&mut self, at: u64) -> u32 {
        let mut word = [0; 4];
        self.client.region_read(VFIO_PCI_BAR0_REGION_INDEX, at, &mut word).unwrap();
        u32::from_be_bytes(word)
    }

    pub fn write32(&mut self, at: u64, value: u32) {
        let bytes = value.to_be_bytes();
        self.client.region_write(VFIO_PCI_BAR0_REGION_INDEX, at, &bytes).unwrap();
    }

    /// Gives a command and waits until its slot comes back.
    pub fn command<I: CommandInput>(&mut self, input: &I, tail: &[u8]) -> I::Output {
        let bytes = [input.as_bytes(), tail].concat();
        let room = size_of::<I::Output>();
        let mut entry = CommandQueueEntry::zeroed();
        entry
            .set_kind(PCI_COMMAND_TRANSPORT)
            .set_input_length(bytes.len() as u32)
            .set_output_length(room as u32)
            .set_ownership(true);
        let (now, rest) = bytes.split_at(bytes.len().min(INLINE_SIZE));
        entry.as_mut_bytes()[16..16 + now.len()].copy_from_slice(now);
        let (to, from) = (BASE + PAGE, BASE + 4 * PAGE);
        self.chain(to, rest);
        self.chain(from, &vec![0; room.saturating_sub(INLINE_SIZE)]);
        entry.set_input_mailbox(to).set_output_mailbox(from);
        self.put(QUEUE, entry.as_bytes());
        self.write32(offset::COMMAND_DOORBELL, 1);
        let begun = Instant::now();
        let entry = loop {
            let entry = CommandQueueEntry::read_from_bytes(&self.get::<64>(QUEUE)).unwrap();
            if !entry.ownership() {
                break entry;
            }
            assert!(begun.elapsed() < DEADLINE, "{} is not answered", I::OPCODE.label());
        };
        assert_eq!(entry.status(), 0, "{} was delivered", I::OPCODE.label());
        let mut output = entry.command_output_inline_data().to_vec();
        for number in 0..room.saturating_sub(INLINE_SIZE).div_ceil(512) as u64 {
            output.extend(self.get::<512>(from + number * 1024));
        }
        let output = I::Output::read_from_prefix(&output).unwrap().0;
        assert_eq!(output.outcome(), (0, 0), "{}", I::OPCODE.label());
        output
    }

    /// Up to three mailboxes with data.
    pub fn chain(&self, at: u64, data: &[u8]) {
        for (number, part) in (0..).zip(data.chunks(512)) {
            let mut block = CommandMailbox::zeroed();
            block.as_mut_bytes()[..part.len()].copy_from_slice(part);
            let at = at + number * 1024;
            block.set_block_number(number as u32).set_next(at + 1024);
            self.put(at, block.as_bytes());
        }
    }

    pub fn bring_up(&mut self) {
        self.command(&EnableHcaIn::new(), &[]);
        for stage in [PagesStage::Boot, PagesStage::Init] {
            let wanted =
                self.command(QueryPagesIn::new().set_op_mod(stage.code()), &[]).num_pages();
            let pages: Vec<u8> = (0..wanted).flat_map(|_| self.page().to_be_bytes()).collect();
            let mut give = ManagePagesIn::new();
            give.set_op_mod(PagesAction::Give.code()).set_input_num_entries(wanted);
            self.command(&give, &pages);
        }
        self.command(&InitHcaIn::new(), &[]);
    }

    /// Takes the interrupts of vector 2.
    pub fn vector(&mut self) -> OwnedFd {
        let vector = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        let flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
        let files = [vector.as_raw_fd()];
        self.client.set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, flags, 2, 1, &files).unwrap();
        vector
    }

    /// An event queue on vector 2, armed, for events of one type.
    pub fn event_queue(&mut self, uar: u32, events: EventType) -> (u8, u64) {
        let buffer = self.page();
        for entry in 0..64 {
            self.put(buffer + entry * 64 + 63, &[EQE_INITIAL_OWNER]);
        }
        let mut input = CreateEqIn::new();
        input.set_event_bitmask([1 << events.code(), 0, 0, 0]);
        input.eq_context_entry_mut().set_log_eq_size(6).set_uar_page(uar).set_intr(2);
        let number = self.command(&input, &buffer.to_be_bytes()).eq_number();
        self.write32((u64::from(uar) << 12) + 0x40, u32::from(number) << 24);
        (number, buffer)
    }
}
