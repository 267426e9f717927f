//! The host: it opens its memory for each read, asks, and looks at what it got.

use super::capsule::{BLOCK, COMMAND, RESPONSE, Read, Response, Status};
use super::disk;
use super::options::{Plan, Summary};
use super::side::{Done, Side};
use crate::World;
use crate::peer::PeerError;
use doorbell_driver::verbs::{
    Access, Bind, MemoryRegion, MemoryWindow, Opcode, Operands, SendFlags, SendRequest, WindowKind,
    post_send,
};
use doorbell_tracer::Tracer;
use std::time::Instant;

// ANCHOR: nvmf_host_run
/// Keeps as many commands outstanding as the plan says, until all are answered.
pub fn run(world: &World, plan: &Plan) -> Result<Summary, PeerError> {
    let mut host = Host::new(world, plan)?;
    let peer = host.side.meet(plan, &host.responses)?;
    let begin = Instant::now();
    let (mut begun, mut done) = (0, 0);
    while done < plan.iterations {
        while begun < plan.iterations
            && let Some(slot) = host.slots.iter().position(|slot| slot.command.is_none())
        {
            host.ask(slot, begun, plan)?;
            begun += 1;
        }
        done += host.hear()?;
    }
    let time = Some(begin.elapsed());
    peer.part(None, || host.side.end.turn())?;
    match host.wrong {
        Some(wrong) => Err(wrong),
        None => {
            let bytes = u64::from(plan.size) * u64::from(done);
            Ok(Summary { commands: done, bytes, time })
        }
    }
}
// ANCHOR_END: nvmf_host_run

/// The host, with a slot for each command outstanding.
struct Host {
    side: Side,
    slots: Vec<Slot>,
    capsules: MemoryRegion,
    responses: MemoryRegion,
    data: MemoryRegion,
    tracer: Tracer,
    /// The first thing that was not as it should be. The rest is read all the same, so that the target,
    /// too, comes to its end.
    wrong: Option<PeerError>,
}

/// A place for a command: a window that opens its part of the data.
struct Slot {
    window: MemoryWindow,
    /// The command that is under way, and what of it is still to come: the completion of its SEND, and its
    /// response.
    command: Option<(Read, [bool; 2])>,
}

impl Host {
    fn new(world: &World, plan: &Plan) -> Result<Self, PeerError> {
        let depth = plan.depth as usize;
        let side = Side::new(world, plan, plan.depth * 2, plan.depth)?;
        let slot = |_| Ok(Slot { window: side.pd.alloc_mw(WindowKind::Two)?, command: None });
        let slots = (0..depth).map(slot).collect::<Result<Vec<_>, PeerError>>()?;
        let bindable = Access::LOCAL_WRITE | Access::MW_BIND;
        let capsules = side.memory("command capsules", depth * COMMAND, Access::empty())?;
        let responses = side.memory("response capsules", depth * RESPONSE, Access::LOCAL_WRITE)?;
        let data = side.memory("the host's buffers", depth * plan.size as usize, bindable)?;
        for slot in 0..depth {
            side.receive(&responses, slot, RESPONSE)?;
        }
        let tracer = world.tracer.clone();
        Ok(Self { side, slots, capsules, responses, data, tracer, wrong: None })
    }

    // ANCHOR: nvmf_ask
    /// Opens the slot's memory with a key of its own, and sends the capsule that names it: one list, one
    /// doorbell.
    fn ask(&mut self, slot: usize, number: u32, plan: &Plan) -> Result<(), PeerError> {
        let window = &self.slots[slot].window;
        let key = window.next_rkey();
        let read = read(number, plan, self.data.buffer().address(), slot, key);
        let at = (read.address - self.data.buffer().address()) as usize;
        self.data.buffer().write(at, &vec![0; plan.size as usize]);
        self.capsules.buffer().write(slot * COMMAND, &read.to_bytes());
        read.tell(&self.tracer);
        let bind = Bind {
            window: window.kind(),
            key: window.rkey(),
            new_key: key,
            lkey: self.data.lkey(),
            address: read.address,
            length: read.length.into(),
            access: Access::REMOTE_WRITE,
            zero_based: false,
        };
        let open = SendRequest {
            opcode: Opcode::BindMemoryWindow,
            operands: Operands::Bind(&bind),
            ..SendRequest::default()
        };
        let send = SendRequest {
            wr_id: slot as u64,
            sg_list: &[self.capsules.element(slot * COMMAND, COMMAND as u32)],
            opcode: Opcode::Send,
            send_flags: SendFlags::SIGNALED,
            ..SendRequest::default()
        };
        post_send(&self.side.qp, &[open, send])?;
        window.bound(key);
        self.slots[slot].command = Some((read, [true; 2]));
        Ok(())
    }
    // ANCHOR_END: nvmf_ask

    // ANCHOR: nvmf_hear
    /// Takes what has come; says how many commands are done with it. A slot is free when its capsule has been
    /// sent for good and its response is there.
    fn hear(&mut self) -> Result<u32, PeerError> {
        let mut ended = 0;
        for done in self.side.poll()? {
            let (slot, part) = match done {
                Done::Sent(slot) => (slot, 0),
                Done::Received(place, key) => (self.response(place, key)?, 1),
            };
            let slot = &mut self.slots[slot];
            if let Some((_, open)) = &mut slot.command {
                open[part] = false;
                if *open == [false; 2] {
                    slot.command = None;
                    ended += 1;
                }
            }
        }
        Ok(ended)
    }

    /// Looks at a response: whose it is, how the command ended, whether its key is closed, and whether the
    /// blocks are there. Says which slot it is of.
    fn response(&mut self, place: usize, closed: Option<u32>) -> Result<usize, PeerError> {
        let bytes = self.responses.buffer().read(place * RESPONSE, RESPONSE).unwrap_or_default();
        let response = Response::from_bytes(&bytes).ok_or(PeerError::NotOfACommand(None))?;
        let is_open = |command: &Option<(Read, [bool; 2])>| {
            command.is_some_and(|(read, [_, open])| open && read.id == response.id)
        };
        let slot = self.slots.iter().position(|slot| is_open(&slot.command));
        let slot = slot.ok_or(PeerError::NotOfACommand(Some(response.id)))?;
        self.side.receive(&self.responses, place, RESPONSE)?;
        let read = self.slots[slot].command.map(|(read, _)| read);
        let wrong = read.and_then(|read| self.look(&read, response, closed));
        self.wrong = self.wrong.take().or(wrong);
        Ok(slot)
    }

    /// What is wrong with a command's end, if anything.
    fn look(&self, read: &Read, response: Response, closed: Option<u32>) -> Option<PeerError> {
        let id = read.id;
        if closed != Some(read.key) {
            return Some(PeerError::KeyLeftOpen { id, key: read.key });
        }
        if response.status != Status::SUCCESS {
            return Some(PeerError::Command { id, status: response.status });
        }
        let at = (read.address - self.data.buffer().address()) as usize;
        let right = disk::content(read.first_block, read.length as usize);
        let found = self.data.buffer().read(at, right.len()).unwrap_or_default();
        let wrong = |at: usize| found.get(at) != Some(&right[at]);
        let at = (0..right.len()).find(|at| wrong(*at))?;
        Some(PeerError::WrongBlock { id, block: read.first_block + at as u64 / u64::from(BLOCK) })
    }
    // ANCHOR_END: nvmf_hear
}

/// The read of this number: from the plan's first block on, and again when the disk has ended.
fn read(number: u32, plan: &Plan, data: u64, slot: usize, key: u32) -> Read {
    let blocks = plan.size / BLOCK;
    let places = (disk::BLOCKS + 1).saturating_sub(plan.first_block.saturating_add(blocks.into()));
    let further = u64::from(number) * u64::from(blocks) % places.max(1);
    Read {
        id: number as u16,
        first_block: plan.first_block + further,
        blocks,
        address: data + slot as u64 * u64::from(plan.size),
        length: plan.size,
        key,
    }
}
