//! Work requests: rings, records and doorbells with any content, between two connected queue pairs. What
//! a good request leads to afterwards may fail, but nothing may panic.

use crate::support::Machine;
use crate::support::data::{Connection, Setup, VIRTUAL};
use crate::tools::{poke, run, tracer};
use arbitrary::Arbitrary;
use doorbell_card::CardConfig;
use doorbell_prm::wqe::{ControlSegment, DataSegment, RemoteAddressSegment};
use doorbell_prm::zerocopy::IntoBytes;

/// A part of a WQE behind its control segment.
#[derive(Arbitrary, Debug)]
pub enum Segment<'a> {
    /// In the memory that is registered, with its key.
    Remote(u16),
    Data {
        at: u16,
        length: u16,
    },
    Inline(&'a [u8]),
    Any([u8; 16]),
}

#[derive(Arbitrary, Debug)]
pub enum Act<'a> {
    Send {
        pair: bool,
        opcode: u8,
        flags: u8,
        ds: Option<u8>,
        segments: Vec<Segment<'a>>,
        burst: bool,
    },
    Receive {
        pair: bool,
        segments: Vec<Segment<'a>>,
    },
    /// A doorbell or burst at any place of the page of registers.
    Register {
        at: u16,
        bytes: &'a [u8],
    },
    Memory {
        at: u32,
        bytes: &'a [u8],
    },
    Time(u64),
    Unplug,
    Plug,
}

fn bytes(segments: &[Segment<'_>], key: u32) -> Vec<u8> {
    let mut wqe = Vec::new();
    for segment in segments.iter().take(24) {
        match segment {
            Segment::Remote(at) => {
                let segment = RemoteAddressSegment::new(VIRTUAL + u64::from(*at), key);
                wqe.extend(segment.as_bytes());
            }
            Segment::Data { at, length } => {
                let segment = DataSegment::new((*length).into(), key, VIRTUAL + u64::from(*at));
                wqe.extend(segment.as_bytes());
            }
            Segment::Inline(data) => {
                let data = &data[..data.len().min(512)];
                wqe.extend((1 << 31 | data.len() as u32).to_be_bytes());
                wqe.extend(data);
                wqe.resize(wqe.len().next_multiple_of(16), 0);
            }
            Segment::Any(any) => wqe.extend(any),
        }
    }
    wqe.truncate(1008);
    wqe
}

/// What the fuzzer makes.
pub type Input<'a> = (bool, Vec<Act<'a>>);

/// Does it to a card.
pub fn ill_treat(input: Input<'_>) {
    let (infiniband, acts) = input;
    let config = match infiniband {
        true => CardConfig::infiniband(7),
        false => CardConfig::default(),
    };
    let machine = Machine::of(config, tracer()).brought_up();
    let mut it = Setup::with(machine, Connection::default());
    let page = u64::from(it.uar) << 12;
    for act in acts.iter().take(40) {
        match act {
            Act::Send { pair, opcode, flags, ds, segments, burst } => {
                let body = bytes(segments, it.key);
                let ds = ds.unwrap_or((16 + body.len()).div_ceil(16) as u8);
                let control = ControlSegment::new(0, 0, *opcode, 0, ds, *flags, 7);
                let wqe = [control.as_bytes(), &body].concat();
                let head = it.place(usize::from(*pair), &wqe);
                let mut block = [0; 64];
                let length = wqe.len().min(64);
                block[..length].copy_from_slice(&wqe[..length]);
                block[..8].copy_from_slice(&head);
                let written: &[u8] = if *burst { &block } else { &head };
                it.machine.card.write(page + 0x800, written);
            }
            Act::Receive { pair, segments } => {
                let mut wqe = bytes(segments, it.key);
                wqe.resize(64, 0);
                it.raw_receive(usize::from(*pair), &wqe);
            }
            Act::Register { at, bytes } => {
                it.machine.card.write(page + u64::from(*at % 4096), bytes);
            }
            Act::Memory { at, bytes } => poke(&mut it.machine, *at, bytes),
            Act::Time(now) => it.machine.card.tell_time(*now),
            Act::Unplug => it.machine.card.unplug(),
            Act::Plug => it.machine.card.plug(),
        }
        run(&mut it.machine);
    }
}
