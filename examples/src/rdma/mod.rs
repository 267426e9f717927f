//! `rdma_bw` and `rdma_lat`: how fast a device writes, reads and sends, as perftest's programs measure
//! it: `ib_write_bw`, `ib_read_lat` and the rest.
//!
//! The client posts and takes the time. The server lends its memory; where messages go back, it
//! answers. Both look at the bytes at the end: figures of data that did not arrive are none.

mod bandwidth;
mod figures;
mod latency;
mod options;
mod station;

pub use figures::{Bandwidth, Latency};
pub use options::{Operation, bandwidth_main, latency_main};
