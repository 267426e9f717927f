//! `rdma_bw`: as many messages under way as the queue takes.

use super::figures::Bandwidth;
use super::options::{Operation, Plan};
use super::station::Station;
use crate::World;
use crate::peer::PeerError;
use doorbell_driver::verbs::RemoteAddress;
use std::time::{Duration, Instant};

// ANCHOR: rdma_bandwidth
/// One side: the client measures, the server lends its memory or receives.
pub fn run(world: &World, plan: &Plan) -> Result<Bandwidth, PeerError> {
    let mut station = Station::new(world, plan)?;
    let (mut peer, remote) = station.meet(plan)?;
    let mut times = Vec::new();
    for size in plan.sizes() {
        station.begin(size, &mut peer)?;
        let time = match (&plan.host, plan.operation) {
            (Some(_), _) => Some(send_all(&mut station, plan, remote)?),
            (None, Operation::Send) => Some(receive_all(&mut station, plan)?),
            (None, _) => None,
        };
        station.keep_step(&mut peer)?;
        let has_received = plan.host.is_some() == (plan.operation == Operation::Read);
        if has_received {
            station.check(false)?;
        }
        times.extend(time.map(|time| (size, time)));
    }
    station.part(peer)?;
    Ok(Bandwidth::of(&world.device, plan, times))
}

/// Keeps the send queue full until all messages are done. The time is from the first post to the last
/// completion.
fn send_all(
    station: &mut Station,
    plan: &Plan,
    remote: RemoteAddress,
) -> Result<Duration, PeerError> {
    let (mut posted, mut done) = (0, 0);
    let begin = Instant::now();
    while done < plan.iterations {
        while posted < plan.iterations && posted - done < plan.tx_depth {
            station.post(posted.into(), remote)?;
            posted += 1;
        }
        done += station.poll()?.sent;
    }
    Ok(begin.elapsed())
}

/// Receives all messages. The time is from the first message to the last.
fn receive_all(station: &mut Station, plan: &Plan) -> Result<Duration, PeerError> {
    let mut received = 0;
    let mut begin = Instant::now();
    while received < plan.iterations {
        let before = received;
        received += station.poll()?.received;
        if before == 0 && received > 0 {
            begin = Instant::now();
        }
    }
    Ok(begin.elapsed())
}
// ANCHOR_END: rdma_bandwidth
