//! The lab: a guest with the real kernel driver and real RDMA programs, on the software card.
//!
//! A reader without a card, and without root, boots an unmodified Linux whose `mlx5_core` and
//! `mlx5_ib` drive the software card over vfio-user, and runs rdma-core's programs on it.
//!
//! **Once**, [`setup`] fetches Debian's packages with an [`apt`] of its own: signatures checked,
//! mirror and proxies taken from the machine. They are unpacked into the [`cache`], never
//! installed: the [`tree`]'s programs, QEMU among them, run through the tree's own loader. A small
//! [`image`] is all that the guest boots from.
//!
//! **Each time**, the [`guest`] stacks the unpacked packages and a layer of its own, shared
//! read-only by 9p, under a file system in memory. So all modules of its kernel and all packages
//! are there, nothing that the guest does reaches the host, and a boot copies nothing. A command's
//! streams come out byte for byte, each on a port of its own; every wait has a deadline; and a
//! guest never outlives its [`Lab`]'s program.
//!
//! The [`accelerator`] is found by trying.

pub mod accelerator;
pub mod apt;
pub mod cache;
mod error;
pub mod guest;
pub mod image;
mod lab;
mod process;
mod progress;
pub mod setup;
pub mod tree;

pub use error::LabError;
pub use lab::{Lab, Options};
pub use process::Stop;
pub use progress::Progress;
