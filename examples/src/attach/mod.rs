//! A running program that can be asked what it has just done.
//!
//! The program keeps its last events in a ring and listens on a Unix socket ([`Listening`]); somebody on the
//! same machine connects, lists and switches groups of probes, and takes a snapshot of the ring
//! ([`Attached`]). Events do not pass through the socket until they are asked for.
//!
//! ```text
//!   program                                    doorbell attach
//!   greeting: tool, program, version    -->
//!                                       <--    request, one line of JSON
//!   reply, one line of JSON             -->
//!   of a snapshot: its bytes            -->
//! ```

mod client;
mod place;
mod protocol;
mod server;

pub use client::Attached;
pub use place::{PlaceError, default_place, place_of};
pub use protocol::{AttachError, Greeting, GroupState, Status, VERSION};
pub use server::{ListenError, Listening};
