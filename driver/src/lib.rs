//! A minimal mlx5 driver, written to be read beside its own trace.
//!
//! Four folders, from the program down to the card:
//!
//! - [`verbs`] is what libibverbs is: the names that a program calls, and the table behind them.
//! - [`mlx5`] is what libmlx5 is: the provider that fills the table. `mlx5/post_send.rs` is the
//!   heart of it all.
//! - [`control`] is how queues come to exist.
//! - [`bus`] is how bytes reach the card.
//!
//! A line that begins with `probe!` tells a trace what the line before it did. It changes nothing,
//! and compiles to nothing in the table without probes.

pub mod verbs;

pub mod mlx5;

pub mod control;

pub mod bus;
