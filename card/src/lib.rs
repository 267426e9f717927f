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
//!   registers            command queue             queue pairs               wire
//!   card.rs              command_queue.rs          send_queue.rs             fabric.rs
//!   init_segment.rs      mailboxes.rs              work_request.rs           packets.rs
//!   doorbells.rs         administration.rs         requester.rs  --packet--> invariant_crc.rs
//!                        bring_up.rs, port.rs      responses.rs  <-packet---
//!                        objects.rs                responder.rs, answers.rs, receive_queue.rs
//!                        qp_commands.rs            translation.rs (memory keys)
//!                                                  completion_queue.rs, event_queue.rs
//! ```
//!
//! It is one port of RoCE v2 over IPv4, with reliable connections: SEND, SEND with immediate
//! data, RDMA WRITE, RDMA WRITE with immediate data, RDMA READ, and NOP. Its capabilities say
//! neither more nor less. Where it cannot be what a ConnectX is, because it has no clock or
//! because no public source tells, the place says so.
//!
//! No input makes it panic, and it touches no memory but through [`Host`], which refuses what is
//! not mapped.
#![forbid(unsafe_code)]

// What stands around the card, and what kind of card it is.
mod host;

mod config;

// The whole, and its way out.
mod card;

mod dma;

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

mod objects;

mod buffer;

mod qp_commands;

mod reason;

// The data path: a doorbell, a WQE,
mod doorbells;

mod queue_pair;

mod send_queue;

mod work_request;

mod translation;

// a message out and its answer,
mod requester;

mod responses;

// the wire,
mod fabric;

mod packets;

mod invariant_crc;

// the other side,
mod responder;

mod answers;

mod receive_queue;

// and what software gets to see of it.
mod completion_queue;

mod event_queue;

pub use card::Card;
pub use config::{CardConfig, FIRST_UAR};
pub use host::{DmaFault, Host};
pub use reason::refusal_text;
