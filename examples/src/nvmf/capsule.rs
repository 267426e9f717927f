//! The two capsules of a read: a submission queue entry, and a completion queue entry.
//!
//! All of NVMe is little endian. (NVM Express Base Specification, "Submission Queue Entry", "SGL
//! Descriptors", "Status Field"; NVM Command Set Specification, "Read command")

use doorbell_tracer::{Group, Tracer, Value, probe};
use std::fmt;

const PROBE_GROUP: Group = Group::Program;

/// Bytes of a submission queue entry.
pub const COMMAND: usize = 64;
/// Bytes of a completion queue entry.
pub const RESPONSE: usize = 16;
/// Bytes of a block of the disk.
pub const BLOCK: u32 = 512;

/// `Read` of the NVM command set.
const READ: u8 = 0x02;

/// The data pointer is an SGL (PSDT 01b).
const BY_SGL: u8 = 0x40;

/// A keyed data block descriptor whose key the target shall invalidate with its response.
const KEYED_AND_INVALIDATED: u8 = 0x4f;

/// The namespace that is read.
const NAMESPACE: u32 = 1;

/// A read of some blocks, to a place that a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Number of the command (CID).
    pub id: u16,
    /// The block to begin with (SLBA).
    pub first_block: u64,
    /// How many blocks, at least one.
    pub blocks: u32,
    /// Where they go.
    pub address: u64,
    /// Bytes that there is room for; less than 2 to the power of 24.
    pub length: u32,
    /// The key of that place.
    pub key: u32,
}

impl Read {
    // ANCHOR: nvmf_command
    /// The submission queue entry: opcode, flags, number; namespace; one keyed descriptor in the place of the
    /// data pointer; first block, and the number of blocks less one.
    pub fn to_bytes(&self) -> [u8; COMMAND] {
        let mut command = [0; COMMAND];
        command[0] = READ;
        command[1] = BY_SGL;
        command[2..4].copy_from_slice(&self.id.to_le_bytes());
        command[4..8].copy_from_slice(&NAMESPACE.to_le_bytes());
        command[24..32].copy_from_slice(&self.address.to_le_bytes());
        command[32..35].copy_from_slice(&self.length.to_le_bytes()[..3]);
        command[35..39].copy_from_slice(&self.key.to_le_bytes());
        command[39] = KEYED_AND_INVALIDATED;
        command[40..48].copy_from_slice(&self.first_block.to_le_bytes());
        command[48..50].copy_from_slice(&(self.blocks.wrapping_sub(1) as u16).to_le_bytes());
        command
    }

    /// Tells the trace.
    pub fn tell(&self, tracer: &Tracer) {
        probe!(
            *tracer,
            note(
                "NVMe command capsule: Read",
                [
                    ("cid", Value::from(u32::from(self.id))),
                    ("slba", self.first_block.into()),
                    ("blocks", self.blocks.into()),
                    ("sgl address", Value::Hex(self.address)),
                    ("sgl length", self.length.into()),
                    ("sgl key", Value::Hex(self.key.into())),
                ]
            )
        );
    }
    // ANCHOR_END: nvmf_command

    /// What a submission queue entry asks for; or what is wrong with it. Bytes that are missing are zeros.
    pub fn from_bytes(command: &[u8]) -> (Self, Status) {
        let number = |from: usize, bytes: usize| {
            let field = (from..from + bytes).rev().map(|at| command.get(at).copied());
            field.fold(0_u64, |sum, byte| sum << 8 | u64::from(byte.unwrap_or(0)))
        };
        let read = Self {
            id: number(2, 2) as u16,
            first_block: number(40, 8),
            blocks: number(48, 2) as u32 + 1,
            address: number(24, 8),
            length: number(32, 3) as u32,
            key: number(35, 4) as u32,
        };
        let status = match (number(0, 1) as u8, number(4, 4) as u32, number(39, 1) as u8) {
            (READ, NAMESPACE, KEYED_AND_INVALIDATED) if read.length != read.blocks * BLOCK => {
                Status::DATA_LENGTH
            }
            (READ, NAMESPACE, KEYED_AND_INVALIDATED) => Status::SUCCESS,
            (READ, NAMESPACE, _) => Status::DESCRIPTOR_TYPE,
            (READ, ..) => Status::NAMESPACE,
            _ => Status::OPCODE,
        };
        (read, status)
    }
}

/// Status of a command: type and code, as they stand in a completion queue entry without its phase bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// It is done.
    pub const SUCCESS: Self = Self(0x00);
    /// There is no such command.
    pub const OPCODE: Self = Self(0x01);
    /// There is no such namespace.
    pub const NAMESPACE: Self = Self(0x0b);
    /// There is room for more or fewer bytes than the blocks have.
    pub const DATA_LENGTH: Self = Self(0x0f);
    /// The descriptor is of a type that does not belong there.
    pub const DESCRIPTOR_TYPE: Self = Self(0x11);
    /// The disk ends before these blocks do.
    pub const RANGE: Self = Self(0x80);
}

impl fmt::Display for Status {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::SUCCESS => "Successful Completion",
            Self::OPCODE => "Invalid Command Opcode",
            Self::NAMESPACE => "Invalid Namespace or Format",
            Self::DATA_LENGTH => "Data SGL Length Invalid",
            Self::DESCRIPTOR_TYPE => "SGL Descriptor Type Invalid",
            Self::RANGE => "LBA Out of Range",
            _ => "another status",
        };
        write!(to, "{:#x} ({name})", self.0)
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Which command (CID).
    pub id: u16,
    /// How it ended.
    pub status: Status,
}

impl Response {
    // ANCHOR: nvmf_response
    /// The completion queue entry: number of the command, and its status above the phase bit, which means
    /// nothing over a fabric.
    pub fn to_bytes(self) -> [u8; RESPONSE] {
        let mut response = [0; RESPONSE];
        response[12..14].copy_from_slice(&self.id.to_le_bytes());
        response[14..16].copy_from_slice(&(self.status.0 << 1).to_le_bytes());
        response
    }

    /// Tells the trace.
    pub fn tell(self, tracer: &Tracer) {
        let cid = ("cid", Value::from(u32::from(self.id)));
        let status = ("status", Value::from(u32::from(self.status.0)));
        probe!(*tracer, note("NVMe response capsule", [cid, status]));
    }
    // ANCHOR_END: nvmf_response

    /// What a completion queue entry says; `None` if it is none.
    pub fn from_bytes(response: &[u8]) -> Option<Self> {
        let [.., id_low, id_high, low, high] = *response.first_chunk::<RESPONSE>()?;
        let status = Status(u16::from_le_bytes([low, high]) >> 1);
        Some(Self { id: u16::from_le_bytes([id_low, id_high]), status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Read =
        Read { id: 0x1234, first_block: 16, blocks: 8, address: 1 << 40, length: 4096, key: 0x907 };

    #[test]
    fn capsules_read_as_they_are_written() {
        assert_eq!(Read::from_bytes(&ONE.to_bytes()), (ONE, Status::SUCCESS));
        for status in [Status::SUCCESS, Status::RANGE, Status(0x3ff)] {
            let response = Response { id: 0xfffe, status };
            assert_eq!(Response::from_bytes(&response.to_bytes()), Some(response));
        }
        assert_eq!(Response::from_bytes(&[0; RESPONSE - 1]), None);
    }

    #[test]
    fn what_is_no_keyed_read_is_told_so() {
        let status = |change: &dyn Fn(&mut [u8; COMMAND])| {
            let mut command = ONE.to_bytes();
            change(&mut command);
            Read::from_bytes(&command).1
        };
        assert_eq!(status(&|command| command[0] = 1), Status::OPCODE);
        assert_eq!(status(&|command| command[4] = 2), Status::NAMESPACE);
        assert_eq!(status(&|command| command[39] = 0), Status::DESCRIPTOR_TYPE);
        assert_eq!(status(&|command| command[48] += 1), Status::DATA_LENGTH);
        assert_eq!(Read::from_bytes(&[]).1, Status::OPCODE);
    }
}
