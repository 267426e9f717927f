//! The game: one side against another program, or both sides in this one.

use super::side::Side;
use crate::peer::{Destination, Endpoint, Patience, PeerError, as_client, as_server, first_psn};
use crate::{Device, World};
use doorbell_driver::verbs::{CompletionChannel, Transport, get_cq_event};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is to be played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the queue pairs speak.
    pub transport: Transport,
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
pub fn run(world: &World, plan: &Plan) -> Result<Summary, PeerError> {
    let alone = world.device == Device::Card;
    if alone && plan.host.is_some() {
        return Err(PeerError::NoWire);
    }
    let context = world.open()?;
    let channel = match plan.events {
        true => Some(context.create_comp_channel()?),
        false => None,
    };
    let end = Arc::new(Endpoint::of(world, &context, plan.gid_index)?);
    let most = end.longest_datagram();
    if plan.transport == Transport::UnreliableDatagram && plan.size > most {
        return Err(PeerError::TooLong { size: plan.size, most });
    }
    if plan.both || alone {
        return both(&end, channel.as_ref(), plan);
    }
    end.check_wire()?;
    one(&end, channel.as_ref(), plan)
}

// ANCHOR: pingpong_one
/// One side, against another program.
fn one(
    end: &Arc<Endpoint>,
    channel: Option<&Arc<CompletionChannel>>,
    plan: &Plan,
) -> Result<Summary, PeerError> {
    let mut side = Side::new(end, channel, plan, first_psn())?;
    let own = side.destination;
    let peer = match &plan.host {
        Some(host) => {
            let peer = as_client((host, plan.port), own, plan.timeout)?;
            side.connect(peer.destination, plan)?;
            side.fill(plan.check);
            peer
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
    let other = peer.destination;
    peer.part(Some(plan.timeout), || end.turn())?;
    Ok(summary((own, other), plan, time, false, side.events))
}
// ANCHOR_END: pingpong_one

// ANCHOR: pingpong_both
/// Both sides, connected to each other through the card.
fn both(
    end: &Arc<Endpoint>,
    channel: Option<&Arc<CompletionChannel>>,
    plan: &Plan,
) -> Result<Summary, PeerError> {
    let mut sides =
        [Side::new(end, channel, plan, FIRST_PSN)?, Side::new(end, channel, plan, SECOND_PSN)?];
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
) -> Result<(), PeerError> {
    let mut patience = Patience::of(plan.timeout);
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
            patience.renew();
            continue;
        }
        sides[0].relax();
        patience.strain()?;
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
