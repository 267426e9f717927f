//! What libmlx5 is: the provider behind the table.
//!
//! Read it in the order of the modules: how the table is filled, what a post does, and what makes
//! the queues that it works on.

mod provider;

mod doors;

mod common;
mod extended;
mod kinds;
mod opcodes;
mod outstanding;
mod post_list;
mod post_send;
mod send_queue;

mod checks;
mod inline;
mod segments;
mod wqe;

mod atomics;
mod datagram;
mod keys;
mod long;

mod notes;
mod ring;

mod barrier;
mod doorbell;
mod shared_register;

mod post_recv;
mod receive_queue;

mod shared_receive;

mod clean_cq;
mod completion_queue;
mod entries;
mod events;
mod signature;

mod parse_cqe;
mod poll_cq;

mod modify_qp;
mod queue_pair;
mod sizes;

mod query;

mod address_handle;
mod lock;
mod memory;
mod records;
mod registers;
mod settings;
mod sync;
mod tables;

pub use address_handle::address_segment;
pub use barrier::{
    Barrier, FLUSH_WRITES, FROM_DEVICE, TO_DEVICE, WRITE_COMBINING_LOCKED, WRITE_COMBINING_START,
};
#[cfg(target_os = "linux")]
pub use doors::VfioDoor;
pub use doors::{CardDoor, NoDoor};
pub use opcodes::posts;
pub use provider::{Mlx5, open_with};
pub use settings::{BlueFlameSettings, ProviderSettings, RegisterCounts};
