//! `rc-unsignalled`: calls that make no completion, and one at the end that does.

use super::{Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::posting::post;
use crate::start::use_blocks;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::SendRequest;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-unsignalled",
    title: "A run of calls, one completion",
    topic: Topic::Posting,
    summary: "Four calls with one RDMA WRITE each; only the last is signalled, and its completion retires \
              all four.",
    own: Settings { length: 16, list: 4, ..Settings::DEFAULT },
    keys: keys::ANY_OPCODE,
    failure: None,
    run,
};

// ANCHOR: rc_unsignalled
/// Posts work requests one call at a time, and waits once.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    use_blocks(&pair, settings, SendRequest::default())?;
    let exchange = Exchange::new(&pair, *settings)?;

    exchange.post_receives()?;
    for (request, elements) in (0..).zip(exchange.elements()) {
        post(&pair.sender, settings, &[exchange.request(request, &elements)])?;
    }
    exchange.finish(&world.tracer)
}
// ANCHOR_END: rc_unsignalled
