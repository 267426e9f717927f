//! `rc_pingpong`, `uc_pingpong` and `ud_pingpong`: two sides send one message back and forth.
//!
//! What rdma-core's `ibv_rc_pingpong` and its siblings do, in its order and with its words on the socket, so that
//! either program can be either side. Each side posts receives, tells the other over TCP how its
//! queue pair is called, brings it to RTS, and answers each message that comes in with the next.

mod options;
mod play;
mod side;

pub use options::{Options, main};
pub use play::{Summary, run};
