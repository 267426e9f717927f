//! `nvmf-read`: one read of NVMe over RDMA, from the command capsule down to the WQEs.

use super::{Scenario, Topic};
use crate::pair::{expect_arrived, wait_for};
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, Bind, MemoryRegion, MemoryWindow, Opcode, Operands, ReceiveRequest, RemoteAddress,
    SendFlags, SendRequest, WindowKind, post_recv, post_send,
};
use doorbell_tracer::{Group, Tracer, Value, probe};

const PROBE_GROUP: Group = Group::Program;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "nvmf-read",
    title: "One read of NVMe over RDMA",
    topic: Topic::Storage,
    summary: "The host binds a key to its buffer and sends a command capsule; the target writes the blocks \
              there and answers with a SEND that invalidates the key: three messages, no copy.",
    own: Settings { opcode: Opcode::Send, length: 4096, ..Settings::DEFAULT },
    keys: &[Key::BlueFlame, Key::Mtu],
    failure: None,
    run,
};

/// Bytes of a submission queue entry, of a completion queue entry, and of a block of the disk.
const COMMAND: usize = 64;
const RESPONSE: usize = 16;
const BLOCK: u32 = 512;

/// `Read` of the NVM command set.
const READ: u8 = 0x02;

/// The data pointer is an SGL (PSDT 01b).
const BY_SGL: u8 = 0x40;

/// A keyed data block descriptor whose key the target shall invalidate with its response.
const KEYED_AND_INVALIDATED: u8 = 0x4f;

/// Number of the command, its namespace, and the block to begin with.
const COMMAND_ID: u16 = 7;
const NAMESPACE: u32 = 1;
const FIRST_BLOCK: u64 = 16;

// ANCHOR: nvmf_read
/// Host and target, each with a queue pair: the sender is the host's.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let host = Host::new(&pair, settings)?;
    let target = Target::new(&pair, settings)?;

    host.read(&pair, &world.tracer)?;
    target.serve(&pair, &world.tracer)?;
    host.finish(&pair, &target.disk_blocks(), &world.tracer)
}
// ANCHOR_END: nvmf_read

/// The side that reads.
struct Host {
    capsule: MemoryRegion,
    response: MemoryRegion,
    buffer: MemoryRegion,
    window: MemoryWindow,
    length: u32,
}

impl Host {
    fn new(pair: &Pair, settings: &Settings) -> Result<Self, ExampleError> {
        let bindable = Access::LOCAL_WRITE | Access::MW_BIND;
        Ok(Self {
            capsule: pair.memory("command capsule", &[0; COMMAND], Access::empty())?,
            response: pair.memory("response capsule", &[0; RESPONSE], Access::LOCAL_WRITE)?,
            buffer: pair.memory(
                "the host's buffer",
                &vec![0; settings.length as usize],
                bindable,
            )?,
            window: pair.pd.alloc_mw(WindowKind::Two)?,
            length: settings.length,
        })
    }

    // ANCHOR: nvmf_host
    /// A receive for the response; a key for the buffer; the capsule that names it. Bind and SEND are one
    /// list with one doorbell: what is sent leaves when the key is good.
    fn read(&self, pair: &Pair, tracer: &Tracer) -> Result<(), ExampleError> {
        let room = [self.response.element(0, RESPONSE as u32)];
        post_recv(&pair.sender, &[ReceiveRequest { wr_id: 301, sg_list: &room }])?;

        let key = self.window.next_rkey();
        let command = self.command(key);
        self.capsule.buffer().write(0, &command);
        probe!(
            *tracer,
            note(
                "NVMe command capsule: Read",
                [
                    ("cid", Value::from(u32::from(COMMAND_ID))),
                    ("slba", FIRST_BLOCK.into()),
                    ("blocks", (self.length / BLOCK).into()),
                    ("sgl address", Value::Hex(self.buffer.buffer().address())),
                    ("sgl length", self.length.into()),
                    ("sgl key", Value::Hex(key.into())),
                ]
            )
        );
        let bind = Bind {
            window: self.window.kind(),
            key: self.window.rkey(),
            new_key: key,
            lkey: self.buffer.lkey(),
            address: self.buffer.buffer().address(),
            length: self.length.into(),
            access: Access::REMOTE_WRITE,
            zero_based: false,
        };
        let register = SendRequest {
            wr_id: 1,
            opcode: Opcode::BindMemoryWindow,
            operands: Operands::Bind(&bind),
            ..SendRequest::default()
        };
        let capsule = [self.capsule.element(0, COMMAND as u32)];
        let send = SendRequest {
            wr_id: 2,
            sg_list: &capsule,
            opcode: Opcode::Send,
            send_flags: SendFlags::SIGNALED,
            ..SendRequest::default()
        };
        post_send(&pair.sender, &[register, send])?;
        self.window.bound(key);
        wait_for(&pair.send_cq, &pair.context)?;
        Ok(())
    }
    // ANCHOR_END: nvmf_host

    // ANCHOR: nvmf_command
    /// The submission queue entry, little endian as all of NVMe: opcode, flags, number; namespace; one keyed
    /// descriptor in the place of the data pointer; first block, and the number of blocks less one.
    fn command(&self, key: u32) -> [u8; COMMAND] {
        let mut command = [0; COMMAND];
        command[0] = READ;
        command[1] = BY_SGL;
        command[2..4].copy_from_slice(&COMMAND_ID.to_le_bytes());
        command[4..8].copy_from_slice(&NAMESPACE.to_le_bytes());
        command[24..32].copy_from_slice(&self.buffer.buffer().address().to_le_bytes());
        command[32..35].copy_from_slice(&self.length.to_le_bytes()[..3]);
        command[35..39].copy_from_slice(&key.to_le_bytes());
        command[39] = KEYED_AND_INVALIDATED;
        command[40..48].copy_from_slice(&FIRST_BLOCK.to_le_bytes());
        command[48..50].copy_from_slice(&((self.length / BLOCK - 1) as u16).to_le_bytes());
        command
    }
    // ANCHOR_END: nvmf_command

    // ANCHOR: nvmf_finish
    /// The response says that the blocks are there, and its completion that the key is closed.
    fn finish(
        &self,
        pair: &Pair,
        blocks: &[u8],
        tracer: &Tracer,
    ) -> Result<Vec<String>, ExampleError> {
        let received = wait_for(&pair.send_cq, &pair.context)?;
        if received.arrival.invalidated != Some(self.window.rkey()) {
            return Err(ExampleError::NotArrived("the response did not invalidate the key"));
        }
        let response = self.response.buffer().read(0, RESPONSE).unwrap_or_default();
        let answers = response.get(12..14) == Some(&COMMAND_ID.to_le_bytes()[..]);
        let succeeded = response.get(14..16).is_some_and(|status| status == [0; 2]);
        if !answers || !succeeded {
            return Err(ExampleError::NotArrived("the response is not that of the command"));
        }
        expect_arrived(&self.buffer, blocks, tracer)?;
        Ok(vec![format!(
            "command {COMMAND_ID}: {} bytes from block {FIRST_BLOCK} on lie in the host's buffer",
            blocks.len()
        )])
    }
    // ANCHOR_END: nvmf_finish
}

/// The side with the disk.
struct Target {
    capsule: MemoryRegion,
    response: MemoryRegion,
    disk: MemoryRegion,
}

impl Target {
    fn new(pair: &Pair, settings: &Settings) -> Result<Self, ExampleError> {
        let target = Self {
            capsule: pair.memory("capsule at the target", &[0; COMMAND], Access::LOCAL_WRITE)?,
            response: pair.memory("response at the target", &[0; RESPONSE], Access::empty())?,
            disk: pair.memory("the target's disk", &settings.message(), Access::empty())?,
        };
        let room = [target.capsule.element(0, COMMAND as u32)];
        post_recv(&pair.receiver, &[ReceiveRequest { wr_id: 101, sg_list: &room }])?;
        Ok(target)
    }

    /// What lies on the disk from the first block on.
    fn disk_blocks(&self) -> Vec<u8> {
        self.disk.buffer().read(0, self.disk.buffer().length()).unwrap_or_default()
    }

    // ANCHOR: nvmf_target
    /// Reads the capsule, writes the blocks to where it says, and answers: one list, one doorbell. The answer
    /// needs no wait in between, since work of one queue arrives in its order.
    fn serve(&self, pair: &Pair, tracer: &Tracer) -> Result<(), ExampleError> {
        wait_for(&pair.recv_cq, &pair.context)?;
        let capsule = self.capsule.buffer().read(0, COMMAND).unwrap_or_default();
        let (id, to, length) = keyed_read(&capsule)
            .filter(|(_, _, length)| *length as usize <= self.disk.buffer().length())
            .ok_or(ExampleError::NotArrived(
                "the capsule is not a read that this disk can serve",
            ))?;
        let mut response = [0; RESPONSE];
        response[12..14].copy_from_slice(&id.to_le_bytes());
        self.response.buffer().write(0, &response);

        let blocks = [self.disk.element(0, length)];
        let write = SendRequest {
            wr_id: 1,
            sg_list: &blocks,
            opcode: Opcode::RdmaWrite,
            remote: to,
            ..SendRequest::default()
        };
        let capsule = [self.response.element(0, RESPONSE as u32)];
        let answer = SendRequest {
            wr_id: 2,
            sg_list: &capsule,
            opcode: Opcode::SendWithInvalidate,
            send_flags: SendFlags::SIGNALED,
            immediate: to.rkey,
            ..SendRequest::default()
        };
        post_send(&pair.receiver, &[write, answer])?;
        probe!(
            *tracer,
            note(
                "NVMe response capsule",
                [("cid", Value::from(u32::from(id))), ("status", 0_u32.into())]
            )
        );
        wait_for(&pair.recv_cq, &pair.context)?;
        Ok(())
    }
    // ANCHOR_END: nvmf_target
}

/// Number, place and length of a read with one keyed descriptor.
fn keyed_read(command: &[u8]) -> Option<(u16, RemoteAddress, u32)> {
    let number = |from: usize, bytes: usize| {
        let field = command.get(from..from + bytes)?;
        Some(field.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte)))
    };
    let is_read = command.first() == Some(&READ) && command.get(39) == Some(&KEYED_AND_INVALIDATED);
    let to = RemoteAddress { address: number(24, 8)?, rkey: number(35, 4)? as u32 };
    is_read.then_some((number(2, 2)? as u16, to, number(32, 3)? as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capsule_that_is_no_keyed_read_is_refused() {
        let mut command = [0; COMMAND];
        assert_eq!(keyed_read(&command), None);
        command[0] = READ;
        command[39] = KEYED_AND_INVALIDATED;
        command[2] = 9;
        command[32..35].copy_from_slice(&[0, 2, 0]);
        let (id, to, length) = keyed_read(&command).expect("a read");
        assert_eq!((id, to, length), (9, RemoteAddress::default(), 512));
        assert_eq!(keyed_read(&command[..39]), None);
    }
}
