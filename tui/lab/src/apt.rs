//! Debian's packages without root: which mirror, and an apt of our own.

pub mod mirror;
pub mod package;
pub mod private;
