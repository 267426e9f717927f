//! Which opcodes a transport has, and what their WQEs consist of.
//!
//! The table says it all; the code behind it asks no queue pair for its transport. Not covered are
//! extended reliable connections (XRC), raw packets, and with them TSO.

use super::datagram;
use super::segments::{FirstHalf, first_half};
use crate::verbs::{Opcode, SendFlags, Transport};
use bitflags::bitflags;
use doorbell_prm::wqe::SendOpcode;

// ANCHOR: opcodes
bitflags! {
    /// What an opcode of the verbs is in a WQE, and what its WQE must have; empty if the transport
    /// has it not.
    #[derive(Clone, Copy)]
    pub struct Posted: u32 {
        /// The WQE's opcode.
        const OPCODE = 0xff;
        /// It is posted.
        const YES = 0x100;
        /// It has a remote address segment.
        const REMOTE = 0x200;
        /// Its control segment carries immediate data, or the key to invalidate.
        const IMMEDIATE = 0x400;
        /// Usual: between control segment and data there is the remote address, and nothing else is special.
        const USUAL_REMOTE = 0x800;
        /// It has a datagram segment.
        const DATAGRAM = 0x1000;
        /// It has an atomic segment.
        const ATOMIC = 0x2000;
        /// It changes a memory key.
        const KEY = 0x4000;
        /// Its WQE carries a signature.
        const SIGNED = 0x8000;
        /// Usual: there is nothing between them.
        const USUAL_SEND = 0x1_0000;
        /// Usual: there is the datagram segment.
        const USUAL_DATAGRAM = 0x2_0000;
        /// Nearly usual: data by pointers, and perhaps a remote address and a number.
        const COMMON = 0x4_0000;
        /// What says which way through the code a request goes, and nothing of its WQE.
        const USUAL = Self::USUAL_REMOTE.bits() | Self::USUAL_SEND.bits() | Self::USUAL_DATAGRAM.bits() | Self::COMMON.bits();
    }
}

/// Opcodes of the verbs.
const OPCODES: usize = Opcode::ALL.len();

/// What a transport's opcodes are, in the order of the verbs. (`mlx5_ib_opcode`)
pub type Table = [Posted; OPCODES];

/// What reliable connections have. (`IBV_QPT_RC` in the switch that follows the table's use)
static RELIABLE: Tables = Tables::of(RELIABLE_OPCODES);

/// The table of reliable connections.
pub const RELIABLE_OPCODES: Table = {
    let mut table = connected();
    table[Opcode::RdmaRead as usize] = posted(SendOpcode::RdmaRead, USUAL_REMOTE);
    let atomic = REMOTE.union(Posted::ATOMIC);
    table[Opcode::AtomicCompareAndSwap as usize] = posted(SendOpcode::AtomicCompareSwap, atomic);
    table[Opcode::AtomicFetchAndAdd as usize] = posted(SendOpcode::AtomicFetchAdd, atomic);
    table
};

/// The same for queue pairs whose WQEs carry signatures.
static SIGNED_RELIABLE: Tables = RELIABLE.signed();
static SIGNED_UNRELIABLE: Tables = UNRELIABLE.signed();
static SIGNED_DATAGRAM: Tables = DATAGRAM.signed();

/// What unreliable connections have: no answer comes back, so nothing can be fetched. (`IBV_QPT_UC`)
static UNRELIABLE: Tables = Tables::of(connected());

/// What unreliable datagrams have. (`IBV_QPT_UD`)
static DATAGRAM: Tables = Tables::of(DATAGRAM_OPCODES);

/// The table of datagrams.
pub const DATAGRAM_OPCODES: Table = {
    let mut table = [Posted::empty(); Opcode::ALL.len()];
    table[Opcode::Send as usize] =
        posted(SendOpcode::Send, Posted::DATAGRAM.union(Posted::USUAL_DATAGRAM));
    table[Opcode::SendWithImmediate as usize] =
        posted(SendOpcode::SendImmediate, Posted::DATAGRAM.union(IMMEDIATE));
    table
};

const REMOTE: Posted = Posted::REMOTE;
const IMMEDIATE: Posted = Posted::IMMEDIATE;
const COMMON: Posted = Posted::COMMON;
const USUAL_REMOTE: Posted = REMOTE.union(Posted::USUAL_REMOTE).union(COMMON);
const USUAL_SEND: Posted = COMMON.union(Posted::USUAL_SEND);

/// What both kinds of connections have.
const fn connected() -> Table {
    let mut table = [Posted::empty(); Opcode::ALL.len()];
    table[Opcode::RdmaWrite as usize] = posted(SendOpcode::RdmaWrite, USUAL_REMOTE);
    table[Opcode::RdmaWriteWithImmediate as usize] =
        posted(SendOpcode::RdmaWriteImmediate, REMOTE.union(IMMEDIATE).union(COMMON));
    table[Opcode::Send as usize] = posted(SendOpcode::Send, USUAL_SEND);
    table[Opcode::SendWithImmediate as usize] =
        posted(SendOpcode::SendImmediate, IMMEDIATE.union(COMMON));
    table[Opcode::SendWithInvalidate as usize] =
        posted(SendOpcode::SendInvalidate, IMMEDIATE.union(COMMON));
    table[Opcode::LocalInvalidate as usize] = posted(SendOpcode::Umr, Posted::KEY.union(IMMEDIATE));
    table[Opcode::BindMemoryWindow as usize] =
        posted(SendOpcode::Umr, Posted::KEY.union(IMMEDIATE));
    table
}

/// One entry.
const fn posted(opcode: SendOpcode, with: Posted) -> Posted {
    Posted::from_bits_retain(opcode as u32).union(Posted::YES).union(with)
}

/// Units in front of a connection's data: the control segment, and with some opcodes the remote address.
pub const CONTROL_ONLY: u32 = 1;
/// The same with those opcodes.
pub const WITH_REMOTE: u32 = 2;

impl Posted {
    /// Which of the two it is.
    #[inline(always)]
    pub const fn units(self) -> u32 {
        if self.contains(Self::REMOTE) { WITH_REMOTE } else { CONTROL_ONLY }
    }
}

/// Whether this driver posts an opcode on queue pairs of a transport.
pub fn posts(transport: Transport, opcode: Opcode) -> bool {
    tables(transport).plain.posted[opcode as usize].contains(Posted::YES)
}

/// A transport's table, and what usual requests take from it instead of working it out.
pub struct LookUp {
    /// What each opcode is.
    pub posted: Table,
    /// A list's request is usual, has [`CONTROL_ONLY`] or [`WITH_REMOTE`] units in front of its data, and a
    /// pointer for it, if its flags are below the first or the second of these: one comparison for all three
    /// questions, since [`SendFlags::INLINE`] is the highest flag. 0 if the opcode is no such operation.
    pub flags_below: [[u32; OPCODES]; 2],
    /// The first half of the control segment with one unit of data: opcode and length. Queue pair and WQE index
    /// are not in it.
    pub first_halves: [FirstHalf; OPCODES],
}

impl LookUp {
    const fn of(posted: Table) -> Self {
        let (mut flags_below, mut first_halves) = ([[0; OPCODES]; 2], [[0; 8]; OPCODES]);
        let mut index = 0;
        while index < OPCODES {
            let entry = posted[index];
            let datagram = entry.contains(Posted::DATAGRAM);
            let front = if datagram { datagram::UNITS } else { entry.units() };
            first_halves[index] = first_half(entry.bits() as u8, front as u8 + 1);
            if entry.intersects(Posted::USUAL_SEND.union(Posted::USUAL_REMOTE)) {
                flags_below[front as usize - 1][index] = SendFlags::INLINE.bits();
            }
            index += 1;
        }
        Self { posted, flags_below, first_halves }
    }
}

/// INLINE is the highest flag, see [`LookUp::flags_below`].
const _: () = assert!(SendFlags::all().bits() < SendFlags::INLINE.bits() << 1);
// ANCHOR_END: opcodes

// ANCHOR: small_fence
/// A transport's table, and the same once more without [`Posted::USUAL`].
struct Tables {
    plain: LookUp,
    looked_at: LookUp,
}

/// The tables of a queue's transport, and the one that the next request is looked up in.
///
/// A request that follows on a change of a memory key must wait until the key has changed: its WQE
/// has the small fence. Usual requests do not ask for that. Instead, the table is exchanged for one
/// in which no request is usual, until the next one has been built. (`fm_cache`) A queue that takes no
/// requests yet, or none with an element, has that table until this changes.
pub struct Opcodes {
    /// Where the next request is looked up.
    pub now: &'static LookUp,
    /// Where those behind it are.
    then: &'static LookUp,
    /// The next request must wait for the one before it.
    pub fenced: bool,
    tables: &'static Tables,
    /// The transport.
    pub transport: Transport,
}

impl Opcodes {
    /// Those of a transport, for a queue that takes no requests yet.
    pub fn of(transport: Transport) -> Self {
        Self::with(tables(transport), transport)
    }

    /// The same for a queue pair whose WQEs carry signatures. There no request is usual: the
    /// signature is one thing more that the others need not ask for.
    pub fn signed(transport: Transport) -> Self {
        let tables = match transport {
            Transport::ReliableConnection => &SIGNED_RELIABLE,
            Transport::UnreliableConnection => &SIGNED_UNRELIABLE,
            Transport::UnreliableDatagram => &SIGNED_DATAGRAM,
        };
        Self::with(tables, transport)
    }

    fn with(tables: &'static Tables, transport: Transport) -> Self {
        let closely = &tables.looked_at;
        Self { now: closely, then: closely, fenced: false, tables, transport }
    }

    /// Usual requests are taken, or each request must be looked at closely.
    pub fn take_usual(&mut self, taken: bool) {
        self.then = if taken { &self.tables.plain } else { &self.tables.looked_at };
        if !self.fenced {
            self.now = self.then;
        }
    }

    /// Whether the WQEs carry signatures.
    #[inline(always)]
    pub fn sign(&self) -> bool {
        self.tables.plain.posted[Opcode::Send as usize].contains(Posted::SIGNED)
    }

    /// The next request shall wait for this one.
    pub fn fence_next(&mut self) {
        (self.now, self.fenced) = (&self.tables.looked_at, true);
    }

    /// Whether this request must wait for the one before it. The next must not.
    #[inline(always)]
    pub fn take_fence(&mut self) -> bool {
        self.now = self.then;
        std::mem::take(&mut self.fenced)
    }
}

impl Tables {
    const fn of(plain: Table) -> Self {
        let mut looked_at = plain;
        let mut index = 0;
        while index < OPCODES {
            looked_at[index] = looked_at[index].difference(Posted::USUAL);
            index += 1;
        }
        Self { plain: LookUp::of(plain), looked_at: LookUp::of(looked_at) }
    }

    const fn signed(&self) -> Self {
        let mut plain = self.looked_at.posted;
        let mut index = 0;
        while index < OPCODES {
            if plain[index].contains(Posted::YES) {
                plain[index] = plain[index].union(Posted::SIGNED);
            }
            index += 1;
        }
        Self::of(plain)
    }
}

fn tables(transport: Transport) -> &'static Tables {
    match transport {
        Transport::ReliableConnection => &RELIABLE,
        Transport::UnreliableConnection => &UNRELIABLE,
        Transport::UnreliableDatagram => &DATAGRAM,
    }
}
// ANCHOR_END: small_fence
