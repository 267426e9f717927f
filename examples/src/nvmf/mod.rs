//! Reads of NVMe over RDMA: the capsules, and `nvmf_read`, which reads from process to process.
//!
//! The client is the host (the initiator); the server is the target, with a disk in its memory. Capsules go
//! by SEND, the blocks by RDMA WRITE; and the response closes the key that the host had opened for them.
//! There is no Fabrics Connect before it, and no queue but one.

mod capsule;
mod disk;
mod host;
mod options;
mod side;
mod target;

pub use capsule::{BLOCK, COMMAND, RESPONSE, Read, Response, Status};
pub use options::main;
