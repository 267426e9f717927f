//! `rc-send-event`: a receiver that sleeps until a message wakes it.

use super::{Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::start::use_blocks;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{Opcode, SendRequest, get_cq_event, req_notify_cq};
use std::time::Duration;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-send-event",
    title: "A SEND that wakes the receiver",
    topic: Topic::Completions,
    summary: "The receiver arms its completion queue for solicited events and sleeps; a SEND with the \
              solicited flag wakes it. With solicited=off it arms for every completion instead.",
    own: Settings { opcode: Opcode::Send, solicited: true, ..Settings::DEFAULT },
    keys: keys::WITH_RECEIVES,
    failure: None,
    run,
};

/// How long to wait for an event.
const DEADLINE: Duration = Duration::from_secs(10);

// ANCHOR: rc_send_event
/// Arms, sends, sleeps, and polls only when woken.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let channel = context.create_comp_channel()?;
    let pair = Pair::on_channel(&context, &channel, settings)?;
    use_blocks(&pair, settings, SendRequest::default())?;
    let exchange = Exchange::new(&pair, *settings)?;

    exchange.post_receives()?;
    req_notify_cq(&pair.recv_cq, settings.solicited)?;
    let elements = exchange.elements();
    exchange.post(&elements)?;

    let event = get_cq_event(&channel, DEADLINE)?;
    event.ack_events(1);
    let mut lines = vec![format!("completion queue {:#x} made an event", event.number())];
    lines.extend(exchange.finish(&world.tracer)?);
    Ok(lines)
}
// ANCHOR_END: rc_send_event
