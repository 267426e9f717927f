//! Shared receive queues, and the ways to ports.

use super::ControlError;
use crate::verbs::AddressVector;

/// A shared receive queue.
#[derive(Debug, Clone)]
pub struct SrqRequest {
    /// The protection domain.
    pub pd: u32,
    /// Address of the ring.
    pub buffer: u64,
    /// Bus addresses of its pages.
    pub pages: Vec<u64>,
    /// Base-2 logarithm of the number of WQEs.
    pub log_size: u32,
    /// Base-2 logarithm of a WQE's size in bytes.
    pub log_stride: u32,
    /// Scatter/gather elements of a receive.
    pub max_sge: u32,
    /// Bus address of the doorbell record.
    pub record: u64,
}

/// The requests of shared receive queues. A control path without them says so.
pub trait SharedReceives {
    /// Asks for a shared receive queue; its number is the answer.
    fn create_srq(&self, request: &SrqRequest) -> Result<u32, ControlError> {
        let _ = request;
        Err(ControlError::NotOffered { request: "create_srq" })
    }

    /// Gives a shared receive queue back.
    fn destroy_srq(&self, number: u32) {
        let _ = number;
    }

    /// Asks for an event when fewer receives than that are left.
    fn set_srq_limit(&self, number: u32, limit: u32) -> Result<(), ControlError> {
        let _ = (number, limit);
        Err(ControlError::NotOffered { request: "modify_srq" })
    }

    /// Asks for the limit that is left.
    fn srq_limit(&self, number: u32) -> Result<u32, ControlError> {
        let _ = number;
        Err(ControlError::NotOffered { request: "query_srq" })
    }
}

/// Finding out what a way needs beside what the program knows of it.
pub trait Ways {
    /// The MAC address of the next hop, and the number of what keeps it known, if anything does.
    /// Within an InfiniBand subnet there is nothing to find out.
    fn create_ah(
        &self,
        pd: u32,
        to: &AddressVector,
    ) -> Result<([u8; 6], Option<u32>), ControlError> {
        let _ = pd;
        Ok((to.mac, None))
    }

    /// Gives it back.
    fn destroy_ah(&self, number: u32) {
        let _ = number;
    }
}
