//! Runs in acts: programs that say so themselves in their first step.
//!
//! Most runs are one program, and what one comes for is its call of `ibv_post_send`. Of a run in acts the
//! outermost calls are what the reader chooses from.

use doorbell_examples::IN_ACTS;
use doorbell_tracer::{Event, Kind};

/// Whether a run that begins with this event is one in acts.
pub fn has_acts(first: &Event) -> bool {
    matches!(&first.kind, Kind::Note { text, .. } if text == IN_ACTS)
}
