//! What leads to what: from the doorbell to the WQE, to its packets, to the CQE, to the poll.
//!
//! Nothing in a trace says so outright. It is read off the bytes, as the card and the driver do: the
//! control segment names the queue pair and the WQE's index, a packet its queue pairs, a CQE queue
//! pair and index again.

use crate::decode::fields::number;
use doorbell_tracer::{Actor, Direction, Event, Kind};
use std::collections::HashMap;

/// A place in the export that an arrow can begin or end at.
pub(super) type Point = (u32, u32, u64);

/// What an arrow tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) name: &'static str,
    pub(super) from: Point,
    pub(super) to: Point,
}

/// Follows work requests through a trace. It keeps one place for each queue pair and direction.
#[derive(Debug, Default)]
pub(super) struct Arrows {
    /// The last doorbell of each queue pair.
    doorbells: HashMap<u32, Point>,
    /// The WQE that each queue pair is executing.
    wqes: HashMap<u32, Point>,
    /// The last response that a queue pair was sent,
    responses: HashMap<u32, Point>,
    /// and the last request.
    arrived: HashMap<u32, Point>,
    /// The last CQE of each queue pair and index, until it is polled.
    completions: HashMap<(u32, u64), Point>,
    /// The CQE that a thread has loaded.
    loaded: HashMap<Actor, Point>,
}

/// CQEs that wait to be polled, at most: a program may never poll them.
const MOST_WAITING: usize = 1 << 16;

impl Arrows {
    /// Whether an event can be an end of an arrow.
    pub(super) fn ends_at(event: &Event) -> bool {
        match &event.kind {
            Kind::RegisterWrite { layout, .. } => layout == CONTROL,
            Kind::Dma { layout, .. } => layout == CONTROL || is_cqe(layout),
            Kind::Load { layout, .. } => is_cqe(layout),
            Kind::Note { text, .. } => text.starts_with("WQE taken"),
            Kind::Packet(_) | Kind::Completion { .. } => true,
            _ => false,
        }
    }

    /// The arrows that end at an event, which stands at `here`.
    pub(super) fn of(&mut self, event: &Event, here: Point) -> Vec<Arrow> {
        let arrow = |name, from: Option<Point>| from.map(|from| Arrow { name, from, to: here });
        match &event.kind {
            Kind::RegisterWrite { layout, bytes, .. } if layout == CONTROL => {
                if let Some(qpn) = qpn(CONTROL, bytes) {
                    self.doorbells.insert(qpn, here);
                }
                Vec::new()
            }
            Kind::Dma { direction: Direction::Read, layout, bytes, .. } if layout == CONTROL => {
                self.wqe(qpn(CONTROL, bytes), here)
            }
            Kind::Note { text, values } if text.starts_with("WQE taken") => {
                let qpn = values.iter().find(|value| value.name == "qpn");
                let qpn = qpn.and_then(|qpn| match qpn.value {
                    doorbell_tracer::Value::Hex(number) => u32::try_from(number).ok(),
                    _ => None,
                });
                self.wqe(qpn, here)
            }
            Kind::Packet(packet) if is_response(&packet.name) => {
                let from = arrow("response", self.arrived.get(&packet.from).copied());
                self.responses.insert(packet.to, here);
                from.into_iter().collect()
            }
            Kind::Packet(packet) => {
                let wqe = self.wqes.get(&packet.from).copied();
                self.arrived.insert(packet.to, here);
                arrow("request", wqe).into_iter().collect()
            }
            Kind::Dma { direction: Direction::Write, layout, bytes, .. } if is_cqe(layout) => {
                let Some((key, sends)) = completed(layout, bytes) else { return Vec::new() };
                let qpn = &key.0;
                let cause = match sends {
                    true => self.responses.get(qpn).or(self.wqes.get(qpn)),
                    false => self.arrived.get(qpn),
                };
                let arrow = arrow("completion", cause.copied());
                if self.completions.len() < MOST_WAITING {
                    self.completions.insert(key, here);
                }
                arrow.into_iter().collect()
            }
            Kind::Load { layout, bytes, .. } if is_cqe(layout) => {
                let key = completed(layout, bytes).map(|(key, _)| key);
                let from = key.and_then(|key| self.completions.remove(&key));
                self.loaded.insert(event.actor, here);
                arrow("poll", from).into_iter().collect()
            }
            Kind::Completion { .. } => {
                arrow("work completion", self.loaded.remove(&event.actor)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// A WQE that the card has come by.
    fn wqe(&mut self, qpn: Option<u32>, here: Point) -> Vec<Arrow> {
        let Some(qpn) = qpn else { return Vec::new() };
        self.wqes.insert(qpn, here);
        let from = self.doorbells.get(&qpn).copied();
        from.map(|from| Arrow { name: "doorbell", from, to: here }).into_iter().collect()
    }
}

/// The layout that a WQE begins with.
const CONTROL: &str = "wqe_control_segment";

fn is_cqe(layout: &str) -> bool {
    layout == "cqe" || layout == "error_cqe"
}

fn qpn(layout: &str, bytes: &[u8]) -> Option<u32> {
    u32::try_from(number(layout, "qpn", bytes)?).ok()
}

/// The queue pair and the index of a CQE, and whether it is of the send queue. The byte that says
/// so comes last, by a DMA of its own; but only a CQE of the send queue names the opcode of a WQE.
fn completed(layout: &str, bytes: &[u8]) -> Option<((u32, u64), bool)> {
    let index = number(layout, "wqe_counter", bytes)?;
    let sends = number(layout, "send_opcode", bytes)? != 0;
    let queue = if sends { 0 } else { 1 << 32 };
    Some(((qpn(layout, bytes)?, index | queue), sends))
}

/// Whether a packet of this name answers another.
fn is_response(name: &str) -> bool {
    ["ACKNOWLEDGE", "RESPONSE"].iter().any(|word| name.contains(word))
}
