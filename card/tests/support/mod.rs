//! A small machine around the card: memory, interrupts, and a driver that only knows the layouts.
// Each test file uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod data;
pub mod network;
pub mod posting;

use doorbell_card::{Card, CardConfig, DmaFault, Host};
use doorbell_prm::commands::*;
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::roce::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use doorbell_tracer::Tracer;

/// A number that a variable of the environment asks for: a seed, or how many programs.
pub fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Where the memory begins on the bus.
pub const BASE: u64 = 0x10_0000;
pub const PAGE: u64 = 4096;

/// Memory that begins at [`BASE`]; everything else is not mapped.
pub struct Memory {
    pub bytes: Vec<u8>,
    pub interrupts: Vec<u32>,
    /// Reads and writes, in their order: address, length, whether it was a write.
    pub accesses: Vec<(u64, usize, bool)>,
}

impl Memory {
    pub fn new(pages: usize) -> Self {
        Self { bytes: vec![0; pages * PAGE as usize], interrupts: Vec::new(), accesses: Vec::new() }
    }

    fn place(&self, address: u64, length: usize) -> Result<std::ops::Range<usize>, DmaFault> {
        let from = address.checked_sub(BASE).ok_or(DmaFault)?;
        let from = usize::try_from(from).map_err(|_| DmaFault)?;
        let end = from.checked_add(length).ok_or(DmaFault)?;
        match end <= self.bytes.len() {
            true => Ok(from..end),
            false => Err(DmaFault),
        }
    }

    pub fn get(&self, address: u64, length: usize) -> &[u8] {
        &self.bytes[self.place(address, length).expect("the test knows its memory")]
    }

    pub fn put(&mut self, address: u64, bytes: &[u8]) {
        let place = self.place(address, bytes.len()).expect("the test knows its memory");
        self.bytes[place].copy_from_slice(bytes);
    }
}

impl Host for Memory {
    fn dma_read(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        let place = self.place(address, into.len())?;
        self.accesses.push((address, into.len(), false));
        into.copy_from_slice(&self.bytes[place]);
        Ok(())
    }

    fn dma_write(&mut self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        let place = self.place(address, bytes.len())?;
        self.accesses.push((address, bytes.len(), true));
        self.bytes[place].copy_from_slice(bytes);
        Ok(())
    }

    fn interrupt(&mut self, vector: u32) {
        self.interrupts.push(vector);
    }
}

/// A card in a machine, and what the test's driver remembers.
pub struct Machine {
    pub card: Card,
    pub memory: Memory,
    next_page: u64,
    pub queue: u64,
    pub boxes: Vec<u64>,
}

/// How a command went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<O> {
    pub output: O,
    pub tail: Vec<u8>,
}

impl Machine {
    pub fn new() -> Self {
        Self::traced(Tracer::off())
    }

    /// Powered on; the command queue's address is written.
    pub fn traced(tracer: Tracer) -> Self {
        Self::of(CardConfig::default(), tracer)
    }

    /// The same, with a card of any kind.
    pub fn of(config: CardConfig, tracer: Tracer) -> Self {
        let mut machine = Self {
            card: Card::new(config, tracer),
            memory: Memory::new(320),
            next_page: BASE,
            queue: 0,
            boxes: Vec::new(),
        };
        machine.queue = machine.page();
        machine.boxes = (0..40).map(|_| machine.page()).collect();
        let queue = machine.queue;
        machine.write32(offset::COMMAND_QUEUE_ADDRESS_HIGH, (queue >> 32) as u32);
        machine.write32(offset::COMMAND_QUEUE_ADDRESS_LOW, queue as u32);
        machine
    }

    /// More memory, and mailboxes for inputs and outputs of up to this many bytes.
    pub fn make_room(&mut self, bytes: usize) {
        let count = 2 * bytes.div_ceil(CommandMailbox::DATA_SIZE);
        let grown = self.memory.bytes.len() + count * PAGE as usize;
        self.memory.bytes.resize(grown, 0);
        self.boxes = (0..count).map(|_| self.page()).collect();
    }

    /// A page of its own.
    pub fn page(&mut self) -> u64 {
        self.next_page += PAGE;
        self.next_page - PAGE
    }

    pub fn read32(&mut self, at: u64) -> u32 {
        let mut word = [0; 4];
        self.card.read(at, &mut word);
        u32::from_be_bytes(word)
    }

    pub fn write32(&mut self, at: u64, value: u32) {
        self.card.write(at, &value.to_be_bytes());
    }

    /// Lets the card work until it has nothing left to do.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.card.run(&mut self.memory) {
                return;
            }
        }
        panic!("the card does not come to rest");
    }

    /// Fills slot 0 and mailboxes with a command; does not ring.
    pub fn prepare(&mut self, input: &[u8], room: usize) -> CommandQueueEntry {
        let mut entry = CommandQueueEntry::zeroed();
        entry
            .set_kind(PCI_COMMAND_TRANSPORT)
            .set_token(0x5a)
            .set_input_length(input.len() as u32)
            .set_output_length(room as u32)
            .set_ownership(true);
        let inline = input.len().min(INLINE_SIZE);
        entry.as_mut_bytes()[16..16 + inline].copy_from_slice(&input[..inline]);
        let boxes = self.boxes.clone();
        let (for_input, for_output) = boxes.split_at(boxes.len() / 2);
        let rest = input.get(INLINE_SIZE..).unwrap_or(&[]).to_vec();
        entry.set_input_mailbox(self.chain(for_input, &rest));
        entry.set_output_mailbox(self.chain(for_output, &vec![0; room.saturating_sub(16)]));
        entry
    }

    /// Writes a chain of mailboxes; answers the first one's address.
    fn chain(&mut self, boxes: &[u64], data: &[u8]) -> u64 {
        let parts: Vec<&[u8]> = data.chunks(CommandMailbox::DATA_SIZE).collect();
        for (number, part) in parts.iter().enumerate() {
            let mut block = CommandMailbox::zeroed();
            block.as_mut_bytes()[..part.len()].copy_from_slice(part);
            block.set_block_number(number as u32).set_token(0x5a);
            if number + 1 < parts.len() {
                block.set_next(boxes[number + 1]);
            }
            self.memory.put(boxes[number], block.as_bytes());
        }
        if parts.is_empty() { 0 } else { boxes[0] }
    }

    /// Gives slot 0 to the card and lets it work; answers the slot as it came back.
    pub fn ring(&mut self, entry: &CommandQueueEntry) -> CommandQueueEntry {
        self.memory.put(self.queue, entry.as_bytes());
        self.write32(offset::COMMAND_DOORBELL, 1);
        self.settle();
        CommandQueueEntry::read_from_bytes(self.memory.get(self.queue, 64)).unwrap()
    }

    /// The output of the command in a slot that came back.
    pub fn output(&self, entry: &CommandQueueEntry) -> Vec<u8> {
        let mut output = entry.command_output_inline_data().to_vec();
        let mut next = entry.output_mailbox();
        while next != 0 {
            let block = CommandMailbox::read_from_bytes(self.memory.get(next, 576)).unwrap();
            output.extend(block.mailbox_data());
            next = block.next();
        }
        output.truncate(entry.output_length() as usize);
        output
    }

    /// Any bytes as a command; answers the output.
    pub fn raw(&mut self, input: &[u8], room: usize) -> Vec<u8> {
        let entry = self.prepare(input, room);
        let back = self.ring(&entry);
        assert!(!back.ownership(), "the slot came back");
        assert_eq!(back.status(), 0, "it was delivered");
        self.output(&back)
    }

    /// A command with a variable part on either side.
    pub fn ask<I: CommandInput>(
        &mut self,
        input: &I,
        tail: &[u8],
        room: usize,
    ) -> Answer<I::Output> {
        let mut bytes = input.as_bytes().to_vec();
        bytes.extend(tail);
        let output = self.raw(&bytes, size_of::<I::Output>() + room);
        let (output, tail) = I::Output::read_from_prefix(&output).unwrap();
        Answer { output, tail: tail.to_vec() }
    }

    /// A command that must succeed.
    pub fn command<I: CommandInput>(&mut self, input: &I, tail: &[u8]) -> I::Output {
        let output = self.ask(input, tail, 0).output;
        let (status, syndrome) = output.outcome();
        let why = doorbell_card::refusal_text(syndrome);
        assert_eq!(status, 0, "{}: {why:?}", I::OPCODE.label());
        output
    }

    /// A command that must be refused; answers its status and the text of its syndrome.
    pub fn refused<I: CommandInput>(
        &mut self,
        input: &I,
        tail: &[u8],
    ) -> (CommandStatus, &'static str) {
        let (status, syndrome) = self.ask(input, tail, 0).output.outcome();
        let status = CommandStatus::from_code(status).expect("a known status");
        assert_ne!(status, CommandStatus::Ok, "{} was not refused", I::OPCODE.label());
        (status, doorbell_card::refusal_text(syndrome).expect("one of the card's syndromes"))
    }

    /// Gives as many pages as the card wants.
    pub fn give_pages(&mut self, stage: PagesStage) -> u32 {
        let mut query = QueryPagesIn::new();
        query.set_op_mod(stage.code());
        let wanted = self.command(&query, &[]).num_pages();
        let pages: Vec<u8> = (0..wanted).flat_map(|_| self.page().to_be_bytes()).collect();
        let mut give = ManagePagesIn::new();
        give.set_op_mod(PagesAction::Give.code()).set_input_num_entries(wanted);
        self.command(&give, &pages);
        wanted
    }

    /// Chooses the byte order of what atomics found: 1 is the host's, as `mlx5_core` wants it.
    pub fn choose_byte_order(&mut self, mode: u8) {
        let mut set = SetHcaCapIn::new();
        set.set_op_mod(CapabilityGroup::Atomic.code() << 1);
        let bytes = set.capability_mut().as_mut_bytes();
        let (chosen, _) = AtomicCapabilities::mut_from_prefix(bytes).unwrap();
        chosen.set_atomic_req_8b_endianness_mode(mode);
        self.command(&set, &[]);
    }

    /// All of bring-up.
    pub fn up() -> Self {
        Self::traced_up(Tracer::off())
    }

    pub fn traced_up(tracer: Tracer) -> Self {
        Self::traced(tracer).brought_up()
    }

    /// A card with an InfiniBand port, LID 7, after all of bring-up.
    pub fn infiniband() -> Self {
        Self::of(CardConfig::infiniband(7), Tracer::off()).brought_up()
    }

    pub fn brought_up(self) -> Self {
        self.brought_up_with(|_| ())
    }

    /// The same, with what a driver chooses before INIT_HCA.
    pub fn brought_up_with(self, choose: impl FnOnce(&mut Self)) -> Self {
        let mut machine = self;
        machine.command(&EnableHcaIn::new(), &[]);
        let mut issi = SetIssiIn::new();
        issi.set_current_issi(1);
        machine.command(&issi, &[]);
        machine.give_pages(PagesStage::Boot);
        choose(&mut machine);
        machine.give_pages(PagesStage::Init);
        machine.command(&InitHcaIn::new(), &[]);
        machine
    }
}
