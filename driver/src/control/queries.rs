//! Questions about a device and its port.

use super::ControlError;
use crate::verbs::{DeviceAttributes, PortAttributes};

/// What can be asked about a device. A control path that has no answer says so.
pub trait Query {
    /// What the device is and can do.
    fn query_device(&self) -> Result<DeviceAttributes, ControlError> {
        Err(ControlError::NotOffered { request: "query_device" })
    }

    /// Whether it has atomic operations. (`atomic_cap` is not `IBV_ATOMIC_NONE`)
    fn has_atomics(&self) -> bool {
        false
    }

    /// What its port is and how it is.
    fn query_port(&self) -> Result<PortAttributes, ControlError> {
        Err(ControlError::NotOffered { request: "query_port" })
    }

    /// An entry of the port's GID table.
    fn query_gid(&self, index: u8) -> Result<[u8; 16], ControlError> {
        let _ = index;
        Err(ControlError::NotOffered { request: "query_gid" })
    }
}
