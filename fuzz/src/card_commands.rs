//! Commands and registers: any of them, in any order, with any content, on a card that is up, that is
//! not, or that has an InfiniBand port. The card must answer, and must not panic.

use crate::support::Machine;
use crate::support::data::{Connection, Setup};
use crate::tools::{poke, run, tracer};
use arbitrary::Arbitrary;
use doorbell_card::CardConfig;
use doorbell_prm::commands::command_shapes;
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_prm::{LayoutInfo, set_bits};

/// What a run begins with.
#[derive(Arbitrary, Debug)]
pub enum Begin {
    Off,
    Up,
    Connected,
    InfiniBand,
}

/// One act.
#[derive(Arbitrary, Debug)]
pub enum Act<'a> {
    /// A command whose input is these bytes behind the opcode.
    Command {
        which: u8,
        body: &'a [u8],
        room: u16,
    },
    /// A command with some fields set, by their place in the layout, and with this behind it.
    Fields {
        which: u8,
        fields: Vec<(u8, u64)>,
        tail: &'a [u8],
    },
    /// A slot of the command queue as it stands.
    Slot {
        entry: [u8; 64],
    },
    Write {
        at: u32,
        bytes: &'a [u8],
    },
    Read {
        at: u64,
        length: u8,
    },
    Memory {
        at: u32,
        bytes: &'a [u8],
    },
    Time(u64),
    Look,
    Unplug,
    Plug,
    Reset,
}

/// The longest input and output that the machine has mailboxes for.
const MOST: usize = 8_000;

fn machine(begin: &Begin) -> Machine {
    let roce = CardConfig { mapped_uars: 0x140..0x180, ..CardConfig::default() };
    match begin {
        Begin::Off => Machine::traced(tracer()),
        Begin::Up => Machine::of(roce, tracer()).brought_up(),
        Begin::Connected => {
            let machine = Machine::of(roce, tracer()).brought_up();
            Setup::with(machine, Connection::default()).machine
        }
        Begin::InfiniBand => {
            let machine = Machine::of(CardConfig::infiniband(7), tracer()).brought_up();
            Setup::with(machine, Connection::default()).machine
        }
    }
}

fn give(machine: &mut Machine, input: &[u8], room: usize) {
    let entry = machine.prepare(&input[..input.len().min(MOST)], room.min(MOST));
    machine.memory.put(machine.queue, entry.as_bytes());
    machine.write32(offset::COMMAND_DOORBELL, 1);
    run(machine);
}

/// Sets the fields of a layout, and of those nested in it, that are no wider than a number.
fn set(layout: &LayoutInfo, bytes: &mut [u8], fields: &[(u8, u64)]) {
    for (which, value) in fields {
        let narrow: Vec<_> = layout.fields.iter().filter(|field| field.width <= 64).collect();
        if let Some(field) = narrow.get(usize::from(*which) % narrow.len().max(1)) {
            set_bits(bytes, field.bit, field.width, *value);
        }
    }
}

/// What the fuzzer makes.
pub type Input<'a> = (Begin, Vec<Act<'a>>);

/// Does it to a card.
pub fn ill_treat(input: Input<'_>) {
    let (begin, acts) = input;
    let mut it = machine(&begin);
    let shapes = command_shapes();
    for act in acts.iter().take(40) {
        match act {
            Act::Command { which, body, room } => {
                let shape = &shapes[usize::from(*which) % shapes.len()];
                let opcode = shape.opcode.code().to_be_bytes();
                give(&mut it, &[&opcode[..], body].concat(), usize::from(*room).max(16));
            }
            Act::Fields { which, fields, tail } => {
                let shape = &shapes[usize::from(*which) % shapes.len()];
                let mut bytes = vec![0; shape.input.size];
                set(shape.input, &mut bytes, fields);
                bytes[..2].copy_from_slice(&shape.opcode.code().to_be_bytes());
                bytes.extend(*tail);
                give(&mut it, &bytes, shape.output.size + 64);
            }
            Act::Slot { entry } => {
                it.memory.put(it.queue, entry);
                it.write32(offset::COMMAND_DOORBELL, 1);
                run(&mut it);
            }
            Act::Write { at, bytes } => it.card.write(u64::from(*at), bytes),
            Act::Read { at, length } => it.card.read(*at, &mut vec![0; usize::from(*length)]),
            Act::Memory { at, bytes } => poke(&mut it, *at, bytes),
            Act::Time(now) => it.card.tell_time(*now),
            Act::Look => it.card.look(),
            Act::Unplug => it.card.unplug(),
            Act::Plug => it.card.plug(),
            Act::Reset => it.card.reset(),
        }
        run(&mut it);
    }
}
