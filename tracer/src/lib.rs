//! What the driver and the card tell of themselves: events, the places they come from, and what
//! becomes of them.
//!
//! A **probe** is one line in the driver or the card. It takes its [`Site`] from the place where
//! it stands and hands a typed [report] to a [`Tracer`], *after* the effect that it tells of. The
//! tracer numbers it, stamps it, and passes it to a **recorder**: none, a ring that keeps the last
//! events, a full one, or a live one that makes the program wait until the reader steps on.
//!
//! What was recorded becomes a [`Trace`]: a header with every site and the source files that they
//! lie in, and the events. A trace is written as JSON Lines, read back even if damaged at its end,
//! and folded by the timeline into the state of every memory region at any step.
//!
//! Nothing here knows what an mlx5 is: the crate counts, copies and orders.

mod bytes;
mod event;
mod point;
mod probe;
mod recorder;
mod region;
mod site;
mod source;
mod trace;

pub mod file;
pub mod live;
pub mod report;
pub mod timeline;

pub use bytes::Bytes;
pub use event::{
    Actor, Argument, Arguments, Command, Direction, Kind, LockAction, Packet, Relation, Text, Value,
};
pub use point::{Form, Point};
pub use probe::{CompiledIn, MapRequest, Off, Probe, Row, Scribe, Tracer, is_compiled_in};
pub use recorder::{Clock, Counts, Full, Record, Recorder, Ring};
pub use region::{Region, RegionId, Role};
pub use site::{Group, Site, find_line};
pub use source::EventSource;
pub use trace::{
    Event, FORMAT, Header, Machine, Masked, RingInfo, SCHEMA, SiteInfo, Source, Trace, TraceBuilder,
};
