//! The software ConnectX: what stands on the other side of PCIe.
//!
//! A card is a machine of its own. Software can do four things to it: read and write its
//! registers, put something into memory that the card may read, find something in memory that the
//! card has written, and take its interrupts. This crate is the other half of that bargain. It is
//! a passive state machine: it owns no thread and knows no clock. [`Card::write`] takes a register
//! write, [`Card::run`] does one piece of the work that is pending, and all that comes out of it
//! are the calls of a [`Host`]: memory read, memory written, interrupt raised.
//!
//! ```text
//!   registers            command queue             queue pairs               packets
//!   card.rs              command_queue.rs          send_queue.rs             fabric.rs, cable.rs
//!   init_segment.rs      mailboxes.rs              work_request.rs           infiniband.rs, wire.rs
//!   doorbells.rs         administration.rs         requester.rs, window.rs   packets.rs
//!   look.rs              bring_up.rs, port.rs                    --packet--> invariant_crc.rs
//!                        objects.rs, numbers.rs    responses.rs  <-packet--- link.rs, network.rs
//!                        qp_commands.rs            endings.rs, queue_pairs.rs
//!                        qp_options.rs, domains.rs responder.rs, answers.rs, atomics.rs
//!                        send_queue_object.rs      unreliable.rs, datagrams.rs, xrc.rs
//!                        shared_receive.rs         receive_queue.rs, shared_ring.rs
//!                        management.rs             translation.rs (memory keys)
//!                                                  windows.rs, umr.rs (keys that change)
//!                                                  completion_queue.rs, event_queue.rs, time.rs
//! ```
//!
//! Its port is one of RoCE v2 over IPv4, or of InfiniBand ([`Link`]). It executes reliable
//! connections: SEND, SEND with immediate data, RDMA WRITE, RDMA WRITE with immediate data, RDMA
//! READ, compare-and-swap, fetch-and-add, and NOP; with receive queues of their own or shared ones.
//! Several messages of a queue pair are under way at a time, lost packets are sent again, and
//! requests that come twice are carried out once. It executes unreliable connections: the same
//! without reads and atomics, and without a word about what was lost. It executes datagrams, but none
//! to a multicast group. With InfiniBand it also has extended reliable connections (XRC), and all
//! that an operating system's driver asks of it. Its port follows a
//! cable ([`Card::unplug`], [`Card::plug`]), and a reset of the function ([`Card::reset`]) forgets
//! everything but that and the time. A [`LossyLink`] carries packets between cards, badly.
//!
//! Memory keys translate with pages of 4 KiB to 2 GiB, from any address on, 0 included, or stand for
//! physical addresses. Each right counts by itself. The permission to reorder is taken and changes
//! nothing.
//!
//! Atomics take 8 bytes, of numbers with the lowest byte first, and are atomic among what the card
//! does. Memory windows are bound, invalidated by either side, and bound again. They are keys made of
//! other keys, and the only ones that a work request (UMR) changes: `mlx5_ib` registers each region
//! with a command of its own.
//!
//! It has no masked atomics, and no on-demand paging. Its capabilities say neither more nor less, but
//! for one thing: keys without memory, which kernel programs fill by a work request (`ib_alloc_mr`),
//! are refused, though `mlx5_ib` promises them for every card. Where it cannot be what a ConnectX is, because it has no clock (see [`Card::tell_time`]) or because
//! no public source tells, the place says so.
//!
//! No input makes it panic, and it touches no memory but through [`Host`], which refuses what is
//! not mapped.
#![forbid(unsafe_code)]

// The tests' machine speaks of the card as everybody does.
#[cfg(test)]
extern crate self as doorbell_card;

// What stands around the card, and what kind of card it is.
mod host;

mod config;

// The whole, and its way out.
mod card;

mod dma;

mod time;

// Commands: how they come in,
mod init_segment;

mod command_queue;

mod mailboxes;

// and what they do.
mod administration;

mod life;

mod bring_up;

mod capabilities;

mod port;

mod cable;

mod numbers;

mod objects;

mod domains;

mod counters;

mod shared_receive;

mod management;

mod buffer;

mod qp_commands;

mod qp_options;

mod reason;

// The data path: a doorbell, a WQE,
mod doorbells;

mod look;

mod queue_pair;
mod vendor_syndromes;

mod queue_pairs;

mod send_queue;

mod send_queue_object;

mod work_request;

mod translation;

mod umr;

mod windows;

mod xrc;

// a message out and its answer,
mod window;

mod requester;

mod responses;

mod endings;

mod datagrams;

// the wire,
mod fabric;

mod wire;

mod link;

mod network;

mod infiniband;

mod packets;

mod invariant_crc;

// the other side,
mod responder;

mod answers;

mod atomics;

mod unreliable;

mod receive_queue;

mod shared_ring;

// and what software gets to see of it.
mod completion_queue;

mod event_queue;

pub use card::Card;
pub use config::{CardConfig, FIRST_UAR, Link, VECTORS};
pub use host::{DmaFault, Host};
pub use link::{Fates, Faults, LossyLink};
pub use network::Network;
pub use reason::refusal_text;
