//! A guest while it runs.
//!
//! QEMU is a child; its console goes to a log, and each stream of the command has a virtio port of
//! its own, which is a socket on this side. The agent in the guest says on one more port how far
//! it is. So output is never mixed with the kernel's messages, and never changed.

pub mod boot;
pub mod cards;
pub mod control;
pub mod folder;
pub mod qemu;
pub mod streams;
pub mod terminal;
