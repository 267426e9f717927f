//! The files that travel in the binary; the table is written when the crate is built.

include!(concat!(env!("OUT_DIR"), "/files.rs"));
