//! What libmlx5 is: the provider behind the table.
//!
//! Read it in the order of the modules: how the table is filled, what a post does, and what makes
//! the queues that it works on.

mod provider;

mod post_send;
mod send_queue;

mod segments;

mod inline;

mod ring;

mod barrier;
mod doorbell;

mod post_recv;
mod receive_queue;

mod completion_queue;
mod poll_cq;

mod queue_pair;
mod sizes;

mod memory;
mod records;
mod settings;
mod tables;

pub use barrier::{Barrier, FLUSH_WRITES, FROM_DEVICE, TO_DEVICE, WRITE_COMBINING_START};
pub use provider::{CardDoor, Mlx5, NoDoor, open_with};
pub use settings::BlueFlameSettings;
