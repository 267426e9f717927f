//! The game: one side against another program, or both sides in this one.

use super::exchange::{Destination, ExchangeError, as_client, as_server};
use super::side::Side;
use crate::{Device, ExampleError, World};
use doorbell_driver::verbs::{
    CompletionChannel, Context, PollError, PostError, VerbsError, WorkStatus, get_cq_event,
};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often an empty completion queue is polled between two looks at the clock.
const POLLS: u32 = 1000;

/// What is to be played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server to connect to; without one, be the server.
    pub host: Option<String>,
    /// TCP port of the server.
    pub port: u16,
    /// Play both sides in this process.
    pub both: bool,
    /// Length of the message in bytes.
    pub size: u32,
    /// Code of the largest payload of a packet.
    pub path_mtu: u8,
    /// Receives posted at a time.
    pub rx_depth: u32,
    /// Messages each way.
    pub iterations: u32,
    /// Service level of the packets.
    pub service_level: u8,
    /// Our GID, if the other side is to be addressed by GID.
    pub gid_index: Option<u8>,
    /// Sleep until there are completions.
    pub events: bool,
    /// Look at the bytes.
    pub check: bool,
    /// How long to wait for the other side, or for a completion.
    pub timeout: Duration,
}

/// Why the game ended early.
#[derive(Debug, thiserror::Error)]
pub enum PingpongError {
    /// The software card has no wire to another process.
    #[error(
        "the software card of this process has no wire to another one; leave the host out and both sides are played here, or use --device mlx5_0 (in `doorbell lab` there is one)"
    )]
    NoWire,
    /// Over Ethernet nothing resolves the other side's MAC address without the kernel.
    #[error(
        "over Ethernet somebody must resolve the other side's MAC address, which the exchange does not carry; through VFIO play both sides with --both, or use --device mlx5_0"
    )]
    NoMac,
    /// The other side gave no GID.
    #[error("over Ethernet the other side must give its GID: start it with -g")]
    NoGid,
    /// A scenario's own errors.
    #[error(transparent)]
    Example(#[from] ExampleError),
    /// A verb failed.
    #[error(transparent)]
    Verbs(#[from] VerbsError),
    /// A post failed.
    #[error(transparent)]
    Post(#[from] PostError),
    /// A poll failed.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// The two sides did not come together.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A work request failed.
    #[error("a {what} ended with {}, vendor syndrome {vendor_err:#x}", status.name())]
    Failed {
        /// What it was.
        what: &'static str,
        /// How it ended.
        status: WorkStatus,
        /// The card's own word.
        vendor_err: u8,
    },
    /// Nothing more came.
    #[error("no completion came within {0} s; did the other side fail?")]
    Silent(u64),
    /// A byte is wrong.
    #[error(
        "invalid data: byte {at} is {byte:#04x}, not {right:#04x}; does the client use -c too?"
    )]
    Invalid {
        /// Which byte.
        at: usize,
        /// What it is.
        byte: u8,
        /// What it ought to be.
        right: u8,
    },
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Summary {
    own: Destination,
    other: Destination,
    bytes: u64,
    iterations: u32,
    time: Duration,
    both: bool,
    /// Completion events of this process.
    pub events: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        let microseconds = seconds * 1e6;
        if self.both {
            writeln!(to, "  both sides in this process, on one card")?;
        }
        writeln!(to, "  local address:  {}", self.own.words())?;
        writeln!(to, "  remote address: {}", self.other.words())?;
        let rate = self.bytes as f64 * 8.0 / microseconds;
        writeln!(to, "{} bytes in {seconds:.2} seconds = {rate:.2} Mbit/sec", self.bytes)?;
        let each = microseconds / f64::from(self.iterations);
        write!(to, "{} iters in {seconds:.2} seconds = {each:.2} usec/iter", self.iterations)?;
        if self.events > 0 {
            write!(to, "\n{} completion events", self.events)?;
        }
        Ok(())
    }
}

/// Plays.
pub fn run(world: &World, device: &Device, plan: &Plan) -> Result<Summary, PingpongError> {
    if *device == Device::Card && plan.host.is_some() {
        return Err(PingpongError::NoWire);
    }
    let context = world.open()?;
    let channel = match plan.events {
        true => Some(context.create_comp_channel()?),
        false => None,
    };
    if plan.both || *device == Device::Card {
        return both(&context, channel.as_ref(), plan);
    }
    let on_ethernet = context.query_gid()?.mac != [0; 6];
    if matches!(device, Device::Vfio(_)) && on_ethernet {
        return Err(PingpongError::NoMac);
    }
    one(&context, channel.as_ref(), plan)
}

// ANCHOR: pingpong_one
/// One side, against another program.
fn one(
    context: &Arc<Context>,
    channel: Option<&Arc<CompletionChannel>>,
    plan: &Plan,
) -> Result<Summary, PingpongError> {
    let mut side = Side::new(context, channel, plan, first_psn())?;
    let own = side.destination;
    let other = match &plan.host {
        Some(host) => {
            let other = as_client((host, plan.port), own, plan.timeout)?;
            side.connect(other, plan)?;
            side.fill(plan.check);
            other
        }
        None => {
            side.spoil();
            as_server(plan.port, own, plan.timeout, |other| side.connect(other, plan))?
        }
    };
    let begin = Instant::now();
    if plan.host.is_some() {
        side.begin()?;
    }
    play(std::slice::from_mut(&mut side), channel, plan)?;
    let time = begin.elapsed();
    if plan.host.is_none() && plan.check {
        side.check()?;
    }
    side.acknowledge();
    Ok(summary((own, other), plan, time, false, side.events))
}
// ANCHOR_END: pingpong_one

// ANCHOR: pingpong_both
/// Both sides, connected to each other through the card.
fn both(
    context: &Arc<Context>,
    channel: Option<&Arc<CompletionChannel>>,
    plan: &Plan,
) -> Result<Summary, PingpongError> {
    let mut sides = [
        Side::new(context, channel, plan, FIRST_PSN)?,
        Side::new(context, channel, plan, SECOND_PSN)?,
    ];
    let [own, other] = [sides[0].destination, sides[1].destination];
    sides[1].spoil();
    sides[1].connect(own, plan)?;
    sides[0].connect(other, plan)?;
    sides[0].fill(plan.check);
    let begin = Instant::now();
    sides[0].begin()?;
    play(&mut sides, channel, plan)?;
    let time = begin.elapsed();
    if plan.check {
        sides[1].check()?;
    }
    sides.iter().for_each(Side::acknowledge);
    let events = sides.iter().map(|side| side.events).sum();
    Ok(summary((own, other), plan, time, true, events))
}
// ANCHOR_END: pingpong_both

// ANCHOR: pingpong_play
/// Until every side has sent and received all: waits for an event if that is wanted, arms again,
/// then polls; or polls at once.
fn play(
    sides: &mut [Side],
    channel: Option<&Arc<CompletionChannel>>,
    plan: &Plan,
) -> Result<(), PingpongError> {
    let mut last = Instant::now();
    let mut idle = 0;
    while !sides.iter().all(Side::is_done) {
        if let Some(channel) = channel {
            let told = get_cq_event(channel, plan.timeout)?;
            let side = sides.iter_mut().find(|side| Arc::ptr_eq(&side.cq, &told));
            let Some(side) = side else { continue };
            side.arm()?;
            side.advance()?;
            continue;
        }
        let mut came = false;
        for side in sides.iter_mut() {
            came |= side.advance()?;
        }
        if came {
            (last, idle) = (Instant::now(), 0);
            continue;
        }
        sides[0].relax();
        idle += 1;
        if idle % POLLS == 0 && last.elapsed() >= plan.timeout {
            return Err(PingpongError::Silent(plan.timeout.as_secs()));
        }
    }
    Ok(())
}
// ANCHOR_END: pingpong_play

/// What came of it.
fn summary(
    (own, other): (Destination, Destination),
    plan: &Plan,
    time: Duration,
    both: bool,
    events: u32,
) -> Summary {
    let bytes = u64::from(plan.size) * u64::from(plan.iterations) * 2;
    Summary { own, other, bytes, iterations: plan.iterations, time, both, events }
}

/// First packet sequence numbers of the two sides in one process: a run is like another.
const FIRST_PSN: u32 = 0x00_1000;
const SECOND_PSN: u32 = 0x00_2000;

/// A first packet sequence number that is not that of the last run: packets of it that are still
/// on their way are not taken for ours.
fn first_psn() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.subsec_nanos());
    nanoseconds.wrapping_mul(0x9e37_79b1) >> 8
}
