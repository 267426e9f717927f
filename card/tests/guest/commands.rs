//! Commands: any of them, with any fields. A guest that keeps to what it handed over gives none that
//! carries an address.

use crate::watch::What;
use crate::world::*;
use doorbell_prm::{LayoutInfo, set_bits};

/// The longest input and output that the machine has mailboxes for.
const MOST: usize = 8_000;
/// Where most inputs have the number of the object that they are about.
const NUMBER: (u32, u32) = (72, 24);

/// Commands whose input has addresses of the guest's memory in it.
const WITH_ADDRESSES: [CommandOpcode; 8] = {
    use CommandOpcode::*;
    [ManagePages, CreateMkey, CreateEq, CreateCq, CreateQp, CreateSq, CreateRmp, CreateXrcSrq]
};

/// All fields of a layout and of those nested in it that are no wider than a number: bit and width.
fn fields(layout: &LayoutInfo, from: u32, into: &mut Vec<(u32, u32)>) {
    let narrow = layout.fields.iter().filter(|field| field.width <= 64);
    into.extend(narrow.map(|field| (from + field.bit, field.width)));
    for nested in layout.nested {
        fields(nested.layout, from + nested.bit, into);
    }
}

impl World {
    /// Gives a command and lets the card work until it rests. `None` when it was not delivered.
    pub fn command(&mut self, input: &[u8], room: usize) -> Option<Vec<u8>> {
        let (input, room) = (&input[..input.len().min(MOST)], room.min(MOST));
        let mut entry = self.it.machine.prepare(input, room);
        // Everything but the addresses of the mailboxes.
        if self.random.once_in(16) {
            let pointers = [entry.input_mailbox(), entry.output_mailbox()];
            self.random.poke(entry.as_mut_bytes());
            if self.rules.is_some() {
                entry.set_input_mailbox(pointers[0]);
                entry.set_output_mailbox(pointers[1]);
            }
        }
        let expected = entry.ownership();
        self.hand_over(&entry);
        let slot = self.it.machine.memory.get(self.it.machine.queue, 64);
        let back = CommandQueueEntry::read_from_bytes(slot).ok()?;
        if self.rules.is_some() {
            assert!(!back.ownership() || !expected, "a hang: the command is not given back");
        }
        let status = CommandDeliveryStatus::from_code(back.status());
        if expected {
            self.heard().counts.add("delivery", status.map_or("?", CommandDeliveryStatus::label));
        }
        let delivered = expected && status == Some(CommandDeliveryStatus::Ok);
        if !delivered || self.rules.is_none() {
            return None;
        }
        let output = self.it.machine.output(&back);
        if output.first() == Some(&0) {
            self.forget(back.as_bytes());
        }
        Some(output)
    }

    fn hand_over(&mut self, entry: &CommandQueueEntry) {
        self.it.machine.memory.put(self.it.machine.queue, entry.as_bytes());
        self.write(offset::COMMAND_DOORBELL, &1_u32.to_be_bytes());
        self.rest();
    }

    /// Takes back what a command has made the card forget; the first 16 bytes of its input are still in
    /// its slot.
    fn forget(&mut self, slot: &[u8]) {
        let opcode = CommandOpcode::from_code(u16::from_be_bytes([slot[16], slot[17]]));
        let number = u32::from_be_bytes([0, slot[25], slot[26], slot[27]]);
        let Some(rules) = &mut self.rules else { return };
        let mut gone = |what: &[What]| what.iter().for_each(|what| rules.revoke(*what, number));
        match opcode {
            Some(CommandOpcode::DestroyQp | CommandOpcode::DestroySq) => {
                gone(&[What::SendRing, What::ReceiveRing, What::Record]);
            }
            Some(CommandOpcode::DestroyCq) => gone(&[What::CompletionQueue, What::Record]),
            Some(CommandOpcode::DestroyRmp | CommandOpcode::DestroyXrcSrq) => {
                gone(&[What::SharedRing, What::Record])
            }
            Some(CommandOpcode::DestroyEq) => gone(&[What::EventQueue]),
            Some(CommandOpcode::DestroyMkey) => gone(&[What::Data]),
            Some(CommandOpcode::TeardownHca | CommandOpcode::DisableHca) => {
                let kept = [What::Slots, What::Mailboxes, What::Pages];
                rules.revoke_all(|grant| !kept.contains(&grant.what));
            }
            _ => {}
        }
    }

    /// A command with fields that are nearly right, or not at all.
    pub fn any_command(&mut self) {
        let shape = self.random.pick(&(0..command_shapes().len()).collect::<Vec<_>>());
        let shape = &command_shapes()[shape];
        let opcode = shape.opcode;
        let destroys =
            opcode.label().starts_with("DESTROY") || opcode.label().starts_with("DEALLOC");
        let ends = matches!(opcode, CommandOpcode::TeardownHca | CommandOpcode::DisableHca);
        let withheld = match self.rules.is_some() {
            true => WITH_ADDRESSES.contains(&opcode),
            false => false,
        };
        if withheld || destroys && !self.random.once_in(6) || ends && !self.random.once_in(40) {
            return;
        }
        let mut input = vec![0; shape.input.size];
        let number = self.known_number(opcode);
        set_bits(&mut input, NUMBER.0, NUMBER.1, number);
        let mut all = Vec::new();
        fields(shape.input, 0, &mut all);
        for _ in 0..self.random.below(5) {
            let (bit, width) = self.random.pick(&all);
            let value = if self.rules.is_some() { self.random.sized() } else { self.address() };
            set_bits(&mut input, bit, width, value);
        }
        if self.random.once_in(12) {
            self.random.poke(&mut input[2..]);
        }
        let code = if self.random.once_in(40) { self.random.any() as u16 } else { opcode.code() };
        input[..2].copy_from_slice(&code.to_be_bytes());
        if self.rules.is_none() && self.random.once_in(2) {
            input.extend((0..self.random.below(20)).flat_map(|_| self.address().to_be_bytes()));
        } else {
            let tail = self.random.below(64) as usize;
            input.extend(self.random.bytes(tail));
        }
        if self.random.once_in(16) {
            let length = 8 + self.random.below(input.len() as u64 - 7) as usize;
            input.truncate(length.max(8));
        }
        let room = match self.random.once_in(12) {
            true => 8 + self.random.below(shape.output.size as u64) as usize,
            false => shape.output.size + self.random.below(64) as usize,
        };
        self.command(&input, room);
    }

    /// The number of something that there is; mostly of the kind that the command is about.
    fn known_number(&mut self, opcode: CommandOpcode) -> u64 {
        use CommandOpcode::*;
        let pair = self.some_pair();
        let kind = match opcode {
            DestroyCq => 1,
            DestroyEq | DeallocPd | DeallocUar | DeallocXrcd => 2,
            DestroyMkey => 3,
            DestroyRmp | QueryRmp | ModifyRmp => 4,
            DestroyXrcSrq | QueryXrcSrq | ArmXrcSrq => 5,
            DestroySq | QuerySq | ModifySq => 6,
            _ if self.random.once_in(8) => self.random.below(8),
            _ => 0,
        };
        let number = match kind {
            0 => self.it.pairs[pair].qpn,
            1 => self.random.pick(&self.it.cqs).number,
            2 => self.random.pick(&[self.it.eq.number, self.it.pd, self.it.uar, self.xrcd]),
            3 => self.random.pick(&self.keys).key >> 8,
            4 => self.pools[0].number,
            5 => self.pools[1].number,
            6 => self.it.pairs.last().map_or(0, |queue| queue.qpn),
            _ => self.random.sized() as u32,
        };
        number.into()
    }

    /// An address that is likely to be somewhere in memory, or any number.
    pub fn address(&mut self) -> u64 {
        let memory = self.it.machine.memory.bytes.len() as u64;
        match self.random.below(6) {
            0 => self.random.sized(),
            1 => BASE + self.random.below(memory),
            2 => self.random.below(40),
            _ => BASE + self.random.below(memory / PAGE) * PAGE,
        }
    }

    /// Brings a queue pair back, from whatever state, and sometimes not quite.
    pub fn revive(&mut self, at: usize) {
        let mut inputs = self.resets(at);
        inputs.extend(self.transitions(at));
        for mut input in inputs {
            if self.random.once_in(16) {
                let length = input.len();
                self.random.poke(&mut input[12..length]);
            }
            self.command(&input, 64);
            if self.random.once_in(24) {
                return;
            }
        }
        let record = self.it.pairs[at].record;
        (self.it.pairs[at].posted, self.it.pairs[at].received) = (0, 0);
        self.it.machine.memory.put(record, &[0; 8]);
    }

    /// A write to any register. Who keeps to what was handed over does not move the command queue.
    pub fn any_register(&mut self) {
        let page = u64::from(self.it.uar) << 12;
        let at = match self.random.below(5) {
            0 => self.random.below(0x400) & !3,
            1 => page + self.random.pick(&[0x20, 0x40, 0x48]),
            2 => page + self.random.below(0x1000),
            3 => (0x100 << 12) + self.random.below(0x40_0000),
            _ => self.random.sized(),
        };
        let length = self.random.pick(&[4, 8, 8, 64, 64, 3, 128]);
        let bytes = self.random.bytes(length);
        let moves = at < offset::COMMAND_QUEUE_ADDRESS_LOW + 4
            && at + length as u64 > offset::COMMAND_QUEUE_ADDRESS_HIGH;
        if self.rules.is_none() || !moves {
            self.write(at, &bytes);
        }
        let length = self.random.below(80) as usize;
        self.it.machine.card.read(at, &mut vec![0; length]);
    }
}
