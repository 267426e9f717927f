//! `nvmf-read`: one read of NVMe over RDMA, from the command capsule down to the WQEs.

use super::{Scenario, Topic};
use crate::nvmf::{BLOCK, COMMAND, RESPONSE, Read, Response, Status};
use crate::pair::{expect_arrived, wait_for};
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, Bind, MemoryRegion, MemoryWindow, Opcode, Operands, ReceiveRequest, RemoteAddress,
    SendFlags, SendRequest, WindowKind, post_recv, post_send,
};
use doorbell_tracer::Tracer;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "nvmf-read",
    title: "One read of NVMe over RDMA",
    topic: Topic::Storage,
    summary: "The host binds a key to its buffer and sends a command capsule; the target writes the blocks \
              there and answers with a SEND that invalidates the key: three messages, no copy.",
    own: Settings { opcode: Opcode::Send, length: 4096, ..Settings::DEFAULT },
    keys: &[Key::Length, Key::BlueFlame, Key::Register, Key::Signature, Key::Mtu],
    failure: None,
    run,
};

/// Number of the command, and the block to begin with.
const COMMAND_ID: u16 = 7;
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
        let command = Read {
            id: COMMAND_ID,
            first_block: FIRST_BLOCK,
            blocks: self.length / BLOCK,
            address: self.buffer.buffer().address(),
            length: self.length,
            key,
        };
        self.capsule.buffer().write(0, &command.to_bytes());
        command.tell(tracer);
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
        let right = Response { id: COMMAND_ID, status: Status::SUCCESS };
        if Response::from_bytes(&response) != Some(right) {
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
        let (Read { id, address, length, key, .. }, status) = Read::from_bytes(&capsule);
        if status != Status::SUCCESS || length as usize > self.disk.buffer().length() {
            return Err(ExampleError::NotArrived(
                "the capsule is not a read that this disk can serve",
            ));
        }
        let response = Response { id, status };
        self.response.buffer().write(0, &response.to_bytes());

        let blocks = [self.disk.element(0, length)];
        let write = SendRequest {
            wr_id: 1,
            sg_list: &blocks,
            opcode: Opcode::RdmaWrite,
            remote: RemoteAddress { address, rkey: key },
            ..SendRequest::default()
        };
        let capsule = [self.response.element(0, RESPONSE as u32)];
        let answer = SendRequest {
            wr_id: 2,
            sg_list: &capsule,
            opcode: Opcode::SendWithInvalidate,
            send_flags: SendFlags::SIGNALED,
            immediate: key,
            ..SendRequest::default()
        };
        post_send(&pair.receiver, &[write, answer])?;
        response.tell(tracer);
        wait_for(&pair.recv_cq, &pair.context)?;
        Ok(())
    }
    // ANCHOR_END: nvmf_target
}
