//! What goes wrong, and how it is told: the failures of the gallery, by their own programs, and some more
//! that end in several completions. `tui/tests/peer/failures.c` does the same through libibverbs and
//! libmlx5, and describes the answer.

use crate::Failure;
use clap::Args;
use doorbell_driver::control::ControlError;
use doorbell_driver::verbs::{
    Access, CompletionQueue, MemoryRegion, Opcode, Operands, ReceiveRequest, RemoteAddress,
    SendFlags, SendRequest, VerbsError, WorkCompletion, poll_cq, post_recv, post_send,
};
use doorbell_examples::{Device, ExampleError, Pair, WhatIf, World, scenarios};
use doorbell_tracer::Tracer;
use std::time::{Duration, Instant};

/// What the program is told.
#[derive(Args, Debug)]
pub struct Options {
    /// A device that the kernel drives.
    device: Device,
}

/// How long a completion may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Size of either buffer.
pub const LENGTH: usize = 4096;

/// Makes everything fail, and says how.
pub fn run(options: &Options) -> Result<(), Failure> {
    let world = World::new(options.device.clone(), &Tracer::off());
    for scenario in scenarios().iter().filter(|scenario| scenario.failure.is_some()) {
        // Some need a software card of their own.
        let Ok(settings) = scenario.settings(&WhatIf::default(), &options.device) else {
            println!("{} elsewhere", scenario.name);
            continue;
        };
        let ended = match (scenario.run)(&world, &settings) {
            Ok(said) => format!("nothing: {}", said.join("; ")),
            Err(error) => how(error)?,
        };
        println!("{} {ended}", scenario.name);
    }
    flushed(&world)?;
    receive_too_short(&world)?;
    receive_without_key(&world)?;
    no_right(&world)?;
    misaligned_atomic(&world)
}

/// The number that a program gets, and from where.
fn how(error: ExampleError) -> Result<String, Failure> {
    Ok(match error {
        ExampleError::Post(error) => format!("post {}", error.cause.errno()),
        ExampleError::Failed { wr_id, status, vendor_err } => {
            format!("sender {wr_id} {} {vendor_err:#x}", status as u8)
        }
        ExampleError::Verbs(VerbsError::Control(ControlError::Kernel { errno, .. })) => {
            format!("modify {errno}")
        }
        ExampleError::SoftwareCardOnly => "elsewhere".to_owned(),
        other => return Err(other.into()),
    })
}

/// Two connected queue pairs, with a buffer each.
pub struct Bench {
    pub pair: Pair,
    pub local: MemoryRegion,
    pub remote: MemoryRegion,
}

impl Bench {
    pub fn new(world: &World, remote: Access) -> Result<Self, Failure> {
        let pair = Pair::new(&world.open()?)?;
        let local = pair.memory("local", &[1; LENGTH], Access::LOCAL_WRITE)?;
        let remote = pair.memory("remote", &[2; LENGTH], remote)?;
        Ok(Self { pair, local, remote })
    }

    /// Posts a request with 64 bytes, or 8, of the local buffer.
    fn send(
        &self,
        (wr_id, opcode): (u64, Opcode),
        length: u32,
        (operands, offset, spoils): (Operands<'_>, u64, u32),
    ) -> Result<(), Failure> {
        let mut element = self.local.element(0, length);
        element.lkey ^= spoils;
        let address = self.remote.buffer().address() + offset;
        Ok(post_send(
            &self.pair.sender,
            &[SendRequest {
                wr_id,
                sg_list: &[element],
                opcode,
                send_flags: SendFlags::SIGNALED,
                remote: RemoteAddress { address, rkey: self.remote.rkey() },
                operands,
                ..SendRequest::default()
            }],
        )?)
    }

    /// Posts a receive into the remote buffer.
    fn receive(&self, length: u32, spoils: u32) -> Result<(), Failure> {
        let mut element = self.remote.element(0, length);
        element.lkey ^= spoils;
        Ok(post_recv(&self.pair.receiver, &[ReceiveRequest { wr_id: 101, sg_list: &[element] }])?)
    }

    /// Waits for so many completions of the sender and of the receiver, and tells them.
    fn tell(&self, name: &str, of_sender: u32, of_receiver: u32) -> Result<(), Failure> {
        tell(name, "sender", &self.pair.send_cq, of_sender)?;
        tell(name, "receiver", &self.pair.recv_cq, of_receiver)
    }
}

/// Waits for so many completions of a side, and tells them.
pub fn tell(name: &str, side: &str, cq: &CompletionQueue, count: u32) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    let mut done = 0;
    while done < count {
        let mut completions = [WorkCompletion::default()];
        let polled = poll_cq(cq, &mut completions)?;
        if polled == 1 {
            let [WorkCompletion { wr_id, status, vendor_err, .. }] = completions;
            println!("{name} {side} {wr_id} {} {vendor_err:#x}", status as u8);
        } else if Instant::now() > until {
            return Err(format!("{name}: only {done} of {count} completions came").into());
        }
        done += polled;
    }
    Ok(())
}

const NOTHING_ELSE: (Operands<'static>, u64, u32) = (Operands::None, 0, 0);

/// What a wrong key is made of a right one with.
const SPOILS: u32 = 0x00ff_ff00;

const BOTH: Access = Access::LOCAL_WRITE.union(Access::REMOTE_WRITE);

/// After a request with a wrong key, the next ones are flushed.
fn flushed(world: &World) -> Result<(), Failure> {
    let bench = Bench::new(world, BOTH)?;
    bench.send((1, Opcode::RdmaWrite), 64, (Operands::None, 0, SPOILS))?;
    bench.send((2, Opcode::RdmaWrite), 64, NOTHING_ELSE)?;
    bench.send((3, Opcode::Send), 64, NOTHING_ELSE)?;
    bench.tell("flushed", 3, 0)
}

/// A SEND is longer than the receive that it finds.
fn receive_too_short(world: &World) -> Result<(), Failure> {
    let bench = Bench::new(world, BOTH)?;
    bench.receive(16, 0)?;
    bench.send((1, Opcode::Send), 64, NOTHING_ELSE)?;
    bench.tell("receive-too-short", 1, 1)
}

/// A SEND finds a receive whose key is none.
fn receive_without_key(world: &World) -> Result<(), Failure> {
    let bench = Bench::new(world, BOTH)?;
    bench.receive(64, SPOILS)?;
    bench.send((1, Opcode::Send), 64, NOTHING_ELSE)?;
    bench.tell("receive-without-key", 1, 1)
}

/// The key is right, and its region may not be written from the other side.
fn no_right(world: &World) -> Result<(), Failure> {
    let bench = Bench::new(world, Access::LOCAL_WRITE)?;
    bench.send((1, Opcode::RdmaWrite), 64, NOTHING_ELSE)?;
    bench.tell("no-right", 1, 0)
}

/// An atomic operation on 8 bytes across a boundary of 8.
fn misaligned_atomic(world: &World) -> Result<(), Failure> {
    let bench = Bench::new(world, BOTH | Access::REMOTE_ATOMIC)?;
    let operands = Operands::Atomic { compare_add: 1, swap: 0 };
    bench.send((1, Opcode::AtomicFetchAndAdd), 8, (operands, 4, 0))?;
    bench.tell("misaligned-atomic", 1, 0)
}
