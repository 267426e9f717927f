//! Work that was done before: it moves the ring on, so that what a scenario posts begins at another block.

use crate::pair::wait_for;
use crate::{ExampleError, Pair, Settings};
use doorbell_driver::verbs::{CompletionQueue, QueuePair, SendFlags, SendRequest, post_send};
use doorbell_tracer::{Group, probe};

const PROBE_GROUP: Group = Group::Program;

/// The call around the work that was done before, as traces have it. The posts in it are not those that a
/// scenario is about.
pub const WORK_BEFORE: &str = "use_blocks";

/// What is posted in one call: every queue of a [`Pair`] has room for it.
const AT_ONCE: u32 = 4;

// ANCHOR: start
/// Uses up as many blocks of the sender's ring as the settings say. Each `empty` request, which carries no
/// data, takes one block; the last of a call is signalled.
pub fn use_blocks(
    pair: &Pair,
    settings: &Settings,
    empty: SendRequest<'_>,
) -> Result<(), ExampleError> {
    use_blocks_of((&pair.sender, &pair.send_cq), pair, settings, empty)
}

/// The same for the ring of either side.
pub fn use_blocks_of(
    side: (&QueuePair, &CompletionQueue),
    pair: &Pair,
    settings: &Settings,
    empty: SendRequest<'_>,
) -> Result<(), ExampleError> {
    if settings.start == 0 {
        return Ok(());
    }
    let tracer = pair.context.tracer();
    probe!(*tracer, call(WORK_BEFORE, [("blocks", settings.start.into())]));
    let outcome = post_empty(side, pair, settings, empty);
    probe!(*tracer, returned(WORK_BEFORE, u32::from(outcome.is_err())));
    outcome
}

/// Posts them, a few at a time, and waits for each few.
fn post_empty(
    (qp, cq): (&QueuePair, &CompletionQueue),
    pair: &Pair,
    settings: &Settings,
    empty: SendRequest<'_>,
) -> Result<(), ExampleError> {
    let mut left = settings.start;
    while left > 0 {
        let count = left.min(AT_ONCE);
        let mut requests = vec![empty; count as usize];
        if let Some(last) = requests.last_mut() {
            last.send_flags = SendFlags::SIGNALED;
        }
        post_send(qp, &requests)?;
        let completions = if settings.signal_all { count } else { 1 };
        for _ in 0..completions {
            wait_for(cq, &pair.context)?;
        }
        left -= count;
    }
    Ok(())
}
// ANCHOR_END: start
