//! Opens and closes memory windows of both types: `tui/tests/peer/windows.c` does the same through
//! libibverbs and libmlx5, and describes the answer.

use crate::Failure;
use crate::fail::{Bench, LENGTH, tell};
use clap::Args;
use doorbell_driver::verbs::{
    Access, MemoryWindow, Opcode, Operands, QueuePair, ReceiveRequest, RemoteAddress, SendFlags,
    SendRequest, WindowKind, WindowPart, WorkCompletion, WorkStatus, bind_mw, poll_cq, post_recv,
    post_send,
};
use doorbell_examples::{Device, World};
use doorbell_tracer::Tracer;
use std::time::{Duration, Instant};

/// What the program is told.
#[derive(Args, Debug)]
pub struct Options {
    /// A device that the kernel drives.
    device: Device,
}

/// What a window shows of the receiver's memory.
const BEGIN: u64 = 256;
const SIZE: u32 = 64;

/// Numbers of the receiver's requests, of its receive, and of the SEND that invalidates.
const BIND: u64 = 201;
const INVALIDATE: u64 = 202;
const UNBIND: u64 = 203;
const RECEIVE: u64 = 101;
const SEND: u64 = 301;

const SHOWABLE: Access = Access::LOCAL_WRITE.union(Access::REMOTE_WRITE).union(Access::MW_BIND);

/// How long a completion may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Goes through all cases.
pub fn run(options: &Options) -> Result<(), Failure> {
    let world = World::new(options.device.clone(), &Tracer::off());
    let mut writes = 0;
    for (name, access, offset) in [
        ("one-used", Access::REMOTE_WRITE, 0),
        ("one-outside", Access::REMOTE_WRITE, 1),
        ("one-no-right", Access::REMOTE_READ, 0),
    ] {
        let mut case = Case::new(&world, (name, WindowKind::One, SHOWABLE), &mut writes)?;
        case.bind_one(BIND, SIZE, access)?;
        case.write(offset, case.window.rkey())?;
        case.tell_written()?;
    }
    unbound(Case::new(&world, ("one-unbound", WindowKind::One, SHOWABLE), &mut writes)?)?;
    invalidated(Case::new(&world, ("two-used", WindowKind::Two, SHOWABLE), &mut writes)?)?;
    let mut case = Case::new(&world, ("two-outside", WindowKind::Two, SHOWABLE), &mut writes)?;
    case.bind_two(SIZE, Access::REMOTE_WRITE)?;
    case.write(1, case.window.rkey())?;
    case.tell_written()?;
    let name = "two-invalidated-by-send";
    invalidated_by_send(Case::new(&world, (name, WindowKind::Two, SHOWABLE), &mut writes)?)?;
    // The window would be longer than what is left of the region.
    let mut case = Case::new(&world, ("two-refused", WindowKind::Two, SHOWABLE), &mut writes)?;
    case.bind_two(LENGTH as u32, Access::REMOTE_WRITE)
}

/// The old key of a window that shows nothing any more.
fn unbound(mut case: Case<'_>) -> Result<(), Failure> {
    case.bind_one(BIND, SIZE, Access::REMOTE_WRITE)?;
    let old = case.window.rkey();
    case.bind_one(UNBIND, 0, Access::empty())?;
    case.write(0, old)?;
    case.tell_written()
}

/// The key of a window that its owner has closed.
fn invalidated(mut case: Case<'_>) -> Result<(), Failure> {
    case.bind_two(SIZE, Access::REMOTE_WRITE)?;
    let key = case.window.rkey();
    case.write(0, key)?;
    case.tell_written()?;
    case.name = "two-invalidated";
    post(
        &case.bench.pair.receiver,
        SendRequest {
            wr_id: INVALIDATE,
            opcode: Opcode::LocalInvalidate,
            immediate: key,
            ..SendRequest::default()
        },
    )?;
    case.tell_receiver()?;
    case.write(0, key)
}

/// The sender closes the window with a message.
fn invalidated_by_send(mut case: Case<'_>) -> Result<(), Failure> {
    case.bind_two(SIZE, Access::REMOTE_WRITE)?;
    let key = case.window.rkey();
    let pair = &case.bench.pair;
    let element = case.bench.remote.element(0, SIZE);
    post_recv(&pair.receiver, &[ReceiveRequest { wr_id: RECEIVE, sg_list: &[element] }])?;
    let element = case.bench.local.element(0, SIZE);
    post(
        &pair.sender,
        SendRequest {
            wr_id: SEND,
            opcode: Opcode::SendWithInvalidate,
            immediate: key,
            sg_list: &[element],
            ..SendRequest::default()
        },
    )?;
    case.tell_sender()?;
    let until = Instant::now() + PATIENCE;
    let mut completions = [WorkCompletion::default()];
    while poll_cq(&case.bench.pair.recv_cq, &mut completions)? == 0 {
        if Instant::now() > until {
            return Err(format!("{}: no receive completed", case.name).into());
        }
    }
    let [WorkCompletion { status, arrival, .. }] = completions;
    let is_right = status == WorkStatus::Success && arrival.invalidated == Some(key);
    println!("{} invalidated {}", case.name, u8::from(is_right));
    case.write(0, key)
}

/// Posts a signalled request.
fn post(qp: &QueuePair, request: SendRequest<'_>) -> Result<(), Failure> {
    Ok(post_send(qp, &[SendRequest { send_flags: SendFlags::SIGNALED, ..request }])?)
}

/// Two queue pairs, and a window of the receiver.
struct Case<'a> {
    name: &'static str,
    window: MemoryWindow,
    bench: Bench,
    /// How many writes there were, in all cases: their numbers.
    writes: &'a mut u64,
}

impl<'a> Case<'a> {
    fn new(
        world: &World,
        (name, kind, access): (&'static str, WindowKind, Access),
        writes: &'a mut u64,
    ) -> Result<Self, Failure> {
        let bench = Bench::new(world, access)?;
        let window = bench.pair.pd.alloc_mw(kind)?;
        Ok(Self { name, window, bench, writes })
    }

    fn part(&self, length: u32, access: Access) -> WindowPart<'_> {
        let region = &self.bench.remote;
        let address = region.buffer().address() + BEGIN;
        WindowPart { region, address, length: length.into(), access }
    }

    /// Type 1: the driver makes the new key.
    fn bind_one(&mut self, wr_id: u64, length: u32, access: Access) -> Result<(), Failure> {
        let part = self.part(length, access);
        bind_mw(&self.bench.pair.receiver, &self.window, (wr_id, SendFlags::SIGNALED), &part)?;
        self.tell_receiver()
    }

    /// Type 2: the program makes the new key.
    fn bind_two(&mut self, length: u32, access: Access) -> Result<(), Failure> {
        let key = self.window.next_rkey();
        let bind = self.part(length, access).bind(&self.window, key);
        post(
            &self.bench.pair.receiver,
            SendRequest {
                wr_id: BIND,
                opcode: Opcode::BindMemoryWindow,
                operands: Operands::Bind(&bind),
                ..SendRequest::default()
            },
        )?;
        self.window.bound(key);
        self.tell_receiver()
    }

    /// Writes at the window's beginning, or so many bytes behind it, and tells how it ended.
    fn write(&mut self, offset: u64, rkey: u32) -> Result<(), Failure> {
        *self.writes += 1;
        let address = self.bench.remote.buffer().address() + BEGIN + offset;
        let element = self.bench.local.element(0, SIZE);
        post(
            &self.bench.pair.sender,
            SendRequest {
                wr_id: *self.writes,
                sg_list: &[element],
                remote: RemoteAddress { address, rkey },
                ..SendRequest::default()
            },
        )?;
        self.tell_sender()
    }

    fn tell_sender(&self) -> Result<(), Failure> {
        tell(self.name, "sender", &self.bench.pair.send_cq, 1)
    }

    fn tell_receiver(&self) -> Result<(), Failure> {
        tell(self.name, "receiver", &self.bench.pair.recv_cq, 1)
    }

    /// How many bytes of the receiver's memory are the sender's now.
    fn tell_written(&self) -> Result<(), Failure> {
        let buffer = self.bench.remote.buffer();
        let bytes = buffer.read(0, buffer.length()).ok_or("the buffer is gone")?;
        let count = bytes.iter().filter(|byte| **byte == 1).count();
        println!("{} wrote {count}", self.name);
        Ok(())
    }
}
