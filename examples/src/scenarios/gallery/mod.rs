//! The failure gallery: what goes wrong in programs that use verbs, each as a program that does just that.
//!
//! Such a program is written as any other: it fails, and returns its error. Whether it is the right one
//! is told by its [`super::Failure`], with the explanation. The words there are those of `doorbell decode`
//! and of the book.

pub mod before_rts;
pub mod init_to_rtr;
pub mod inline_too_long;
pub mod no_atomics;
pub mod no_receive;
pub mod queue_full;
pub mod shared_blueflame;
pub mod silent_peer;
pub mod too_many_sges;
pub mod unsignalled_queue;
pub mod window_too_long;
pub mod wrong_lkey;
pub mod wrong_opcode;
pub mod wrong_rkey;

pub use no_receive::FAILURE as NO_RECEIVE;
pub use silent_peer::FAILURE as SILENT_PEER;
pub use wrong_lkey::FAILURE as WRONG_LKEY;
pub use wrong_rkey::FAILURE as WRONG_RKEY;

use crate::ExampleError;
use doorbell_driver::verbs::PostCause;

/// Whether a post failed because the queue is full: one error, two ways there.
fn is_queue_full(error: &ExampleError) -> bool {
    matches!(error.post_cause(), Some(PostCause::QueueFull { .. }))
}
