//! Where a walk opens: at the post that the run is about.

use doorbell_examples::WORK_BEFORE;
use doorbell_tracer::{Event, Kind};

/// The function at whose call a walk opens.
pub const OPENING: &str = "ibv_post_send";

/// The same where the work requests are posted as a batch.
const BATCH: &str = "ibv_wr_start";

/// Looks for that call among a run's events, which it is shown in their order.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    /// The program is at work that only moves the ring on.
    before: bool,
}

impl Finder {
    /// Whether the walk opens at the next event.
    pub fn meets(&mut self, event: &Event) -> bool {
        match &event.kind {
            Kind::Call { function, .. } if function == WORK_BEFORE => self.before = true,
            Kind::Return { function, .. } if function == WORK_BEFORE => self.before = false,
            Kind::Call { function, .. } if !self.before => {
                return matches!(function.rsplit("::").next(), Some(OPENING | BATCH));
            }
            _ => {}
        }
        false
    }
}
