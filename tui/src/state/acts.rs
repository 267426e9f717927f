//! Runs in acts: programs that say themselves which of their steps belong together.
//!
//! Most runs are one program, and what one comes for is its call of `ibv_post_send`. A run in acts begins
//! with a call that the program tells of itself; its outermost calls are what the reader chooses from.

use doorbell_tracer::{Event, Group, Header, Kind};

/// Whether a run that begins with this event is one in acts.
pub fn has_acts(header: &Header, first: &Event) -> bool {
    let site = header.sites.get(first.site as usize);
    matches!(first.kind, Kind::Call { .. })
        && first.depth == 0
        && site.is_some_and(|site| site.group == Group::Program)
}
