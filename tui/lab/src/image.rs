//! What the guest boots from and finds in its root.

pub mod cpio;
pub mod initramfs;
pub mod layer;
pub mod programs;
