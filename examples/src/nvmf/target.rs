//! The target: it serves reads of its disk.

use super::capsule::{COMMAND, RESPONSE, Read, Response, Status};
use super::disk;
use super::options::{Plan, Summary};
use super::side::{Done, Side};
use crate::World;
use crate::peer::PeerError;
use doorbell_driver::verbs::{
    Access, MemoryRegion, Opcode, RemoteAddress, SendFlags, SendRequest, post_send,
};
use doorbell_tracer::Tracer;
use std::collections::VecDeque;

// ANCHOR: nvmf_target_run
/// Serves as many commands as the plan says, and stays until the answers have arrived.
pub fn run(world: &World, plan: &Plan) -> Result<Summary, PeerError> {
    let mut target = Target::new(world, plan)?;
    let peer = target.side.meet(plan, &target.capsules)?;
    let (mut served, mut bytes) = (0, 0);
    while served < plan.iterations || target.free.len() < plan.depth as usize {
        target.hear()?;
        while let (Some(capsule), Some(place)) = (target.waiting.front(), target.free.last()) {
            bytes += target.serve(*capsule, *place)?;
            target.waiting.pop_front();
            target.free.pop();
            served += 1;
        }
    }
    peer.part(None, || target.side.end.turn())?;
    Ok(Summary { commands: served, bytes, time: None })
}
// ANCHOR_END: nvmf_target_run

/// The target.
struct Target {
    side: Side,
    capsules: MemoryRegion,
    responses: MemoryRegion,
    disk: MemoryRegion,
    /// Capsules that have come, oldest first.
    waiting: VecDeque<usize>,
    /// Places for responses that nothing is sent from.
    free: Vec<usize>,
    tracer: Tracer,
}

impl Target {
    fn new(world: &World, plan: &Plan) -> Result<Self, PeerError> {
        let depth = plan.depth as usize;
        let side = Side::new(world, plan, plan.depth * 2, plan.depth)?;
        let capsules = side.memory("command capsules", depth * COMMAND, Access::LOCAL_WRITE)?;
        let responses = side.memory("response capsules", depth * RESPONSE, Access::empty())?;
        let disk = side.memory("the target's disk", disk::BYTES, Access::empty())?;
        disk.buffer().write(0, &disk::content(0, disk::BYTES));
        for slot in 0..depth {
            side.receive(&capsules, slot, COMMAND)?;
        }
        let (waiting, free, tracer) = (VecDeque::new(), (0..depth).collect(), world.tracer.clone());
        Ok(Self { side, capsules, responses, disk, waiting, free, tracer })
    }

    /// Takes what has come.
    fn hear(&mut self) -> Result<(), PeerError> {
        for done in self.side.poll()? {
            match done {
                Done::Sent(place) => self.free.push(place),
                Done::Received(slot, _) => self.waiting.push_back(slot),
            }
        }
        Ok(())
    }

    // ANCHOR: nvmf_serve
    /// Reads a capsule, and frees its place for the next; writes the blocks to where it says, if it can be
    /// done, and answers: one list, one doorbell. The answer closes the key in any case. Says how many
    /// bytes were written.
    fn serve(&self, slot: usize, place: usize) -> Result<u64, PeerError> {
        let capsule = self.capsules.buffer().read(slot * COMMAND, COMMAND).unwrap_or_default();
        self.side.receive(&self.capsules, slot, COMMAND)?;
        let (read, status) = checked(&capsule);
        let response = Response { id: read.id, status };
        self.responses.buffer().write(place * RESPONSE, &response.to_bytes());
        response.tell(&self.tracer);

        let answer = SendRequest {
            wr_id: place as u64,
            sg_list: &[self.responses.element(place * RESPONSE, RESPONSE as u32)],
            opcode: Opcode::SendWithInvalidate,
            send_flags: SendFlags::SIGNALED,
            immediate: read.key,
            ..SendRequest::default()
        };
        if status != Status::SUCCESS {
            post_send(&self.side.qp, &[answer])?;
            return Ok(0);
        }
        let begin = read.first_block as usize * super::BLOCK as usize;
        let write = SendRequest {
            sg_list: &[self.disk.element(begin, read.length)],
            opcode: Opcode::RdmaWrite,
            remote: RemoteAddress { address: read.address, rkey: read.key },
            ..SendRequest::default()
        };
        post_send(&self.side.qp, &[write, answer])?;
        Ok(read.length.into())
    }
    // ANCHOR_END: nvmf_serve
}

/// What a capsule asks for, and whether this disk can do it.
fn checked(capsule: &[u8]) -> (Read, Status) {
    let (read, status) = Read::from_bytes(capsule);
    let end = read.first_block.checked_add(read.blocks.into());
    let fits = end.is_some_and(|end| end <= disk::BLOCKS);
    match status {
        Status::SUCCESS if !fits => (read, Status::RANGE),
        status => (read, status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_has_an_end() {
        let read = |first_block| Read {
            id: 1,
            first_block,
            blocks: 8,
            address: 0,
            length: 8 * super::super::BLOCK,
            key: 0,
        };
        let status = |first_block| checked(&read(first_block).to_bytes()).1;
        assert_eq!(status(0), Status::SUCCESS);
        assert_eq!(status(disk::BLOCKS - 8), Status::SUCCESS);
        assert_eq!(status(disk::BLOCKS - 7), Status::RANGE);
        assert_eq!(status(u64::MAX), Status::RANGE);
    }
}
