//! `rdma_lat`: one message at a time.

use super::figures::Latency;
use super::options::{Operation, Plan};
use super::station::{Came, Station};
use crate::World;
use crate::peer::PeerError;
use doorbell_driver::verbs::RemoteAddress;
use std::time::{Duration, Instant};

// ANCHOR: rdma_latency
/// One side: the client measures, the server answers where messages go back and forth.
pub fn run(world: &World, plan: &Plan) -> Result<Latency, PeerError> {
    let mut station = Station::new(world, plan)?;
    let (mut peer, remote) = station.meet(plan)?;
    let mut rows = Vec::new();
    for size in plan.sizes() {
        station.begin(size, &mut peer)?;
        let samples = play(&mut station, plan, remote)?;
        station.keep_step(&mut peer)?;
        if plan.operation != Operation::Read || plan.host.is_some() {
            station.check(plan.operation == Operation::Write)?;
        }
        rows.push((size, samples));
    }
    station.part(peer)?;
    Ok(Latency::of(&world.device, plan, rows))
}

/// All messages of one size, one at a time: how long each took, at the client.
fn play(
    station: &mut Station,
    plan: &Plan,
    remote: RemoteAddress,
) -> Result<Vec<Duration>, PeerError> {
    let mut samples = Vec::with_capacity(plan.iterations as usize);
    let mut game = Game { station, remote, outstanding: 0, received: 0 };
    for turn in 0..plan.iterations {
        match (plan.operation, plan.host.is_some()) {
            (Operation::Read, true) => samples.push(game.read(turn)?),
            (Operation::Read, false) => break,
            (operation, true) => samples.push(game.ask(operation, turn)? / 2),
            (operation, false) => game.answer(operation, turn)?,
        }
    }
    game.finish()?;
    Ok(samples)
}

/// Where the game stands.
struct Game<'a> {
    station: &'a mut Station,
    remote: RemoteAddress,
    /// Requests posted and not completed.
    outstanding: u32,
    /// Messages received.
    received: u32,
}

impl Game<'_> {
    /// One read, to its completion.
    fn read(&mut self, turn: u32) -> Result<Duration, PeerError> {
        let begin = Instant::now();
        self.post(turn)?;
        self.finish()?;
        Ok(begin.elapsed())
    }

    /// One message there, and one back.
    fn ask(&mut self, operation: Operation, turn: u32) -> Result<Duration, PeerError> {
        let begin = Instant::now();
        self.send(operation, turn)?;
        self.await_message(operation, turn)?;
        Ok(begin.elapsed())
    }

    /// The same from the other side.
    fn answer(&mut self, operation: Operation, turn: u32) -> Result<(), PeerError> {
        self.await_message(operation, turn)?;
        self.send(operation, turn)
    }

    fn send(&mut self, operation: Operation, turn: u32) -> Result<(), PeerError> {
        // Until the last message is acknowledged the card may send it again, from the same buffer.
        self.finish()?;
        if operation == Operation::Write {
            self.station.mark(mark(turn));
        }
        self.post(turn)
    }

    fn post(&mut self, turn: u32) -> Result<(), PeerError> {
        self.station.post(turn.into(), self.remote)?;
        self.outstanding += 1;
        Ok(())
    }

    /// A send is received by a completion. A write tells nobody: its last byte is watched for.
    fn await_message(&mut self, operation: Operation, turn: u32) -> Result<(), PeerError> {
        match operation {
            Operation::Write => {
                while self.station.last_byte() != mark(turn) {
                    self.station.wait()?;
                }
                self.station.came();
            }
            _ => {
                while self.received <= turn {
                    self.poll()?;
                }
            }
        }
        Ok(())
    }

    /// Until nothing is outstanding.
    fn finish(&mut self) -> Result<(), PeerError> {
        while self.outstanding > 0 {
            self.poll()?;
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(), PeerError> {
        let Came { sent, received } = self.station.poll()?;
        self.outstanding -= sent;
        self.received += received;
        Ok(())
    }
}

/// The last byte of a write: never what it was the turn before, and never 0, as fresh memory is.
fn mark(turn: u32) -> u8 {
    (turn % 255) as u8 + 1
}
// ANCHOR_END: rdma_latency
