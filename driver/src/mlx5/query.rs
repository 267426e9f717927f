//! Questions about the device, the provider's part: they go on to the control path.

use super::tables::Mlx5Context;
use crate::bus::Bus;
use crate::verbs::{Context, DeviceAttributes, PortAttributes, VerbsError};
use doorbell_tracer::{Group, Value, probe};

const PROBE_GROUP: Group = Group::Control;

// ANCHOR: query_verbs
/// What the device is and can do (`mlx5_query_device_ex`).
pub fn query_device<B: Bus>(context: &Context) -> Result<DeviceAttributes, VerbsError> {
    probe!(*context.tracer(), call("ibv_query_device", []));
    let attributes = Mlx5Context::<B>::of(context).control.query_device()?;
    probe!(*context.tracer(), returned("ibv_query_device", 0_u32));
    Ok(attributes)
}

/// What its port is and how it is (`mlx5_query_port`).
pub fn query_port<B: Bus>(context: &Context) -> Result<PortAttributes, VerbsError> {
    probe!(*context.tracer(), call("ibv_query_port", [("port_num", 1_u32.into())]));
    let attributes = Mlx5Context::<B>::of(context).control.query_port()?;
    probe!(*context.tracer(), returned("ibv_query_port", attributes.state.name()));
    Ok(attributes)
}

/// An entry of the port's GID table (`ibv_query_gid`).
pub fn gid<B: Bus>(context: &Context, index: u8) -> Result<[u8; 16], VerbsError> {
    probe!(*context.tracer(), call("ibv_query_gid", [("index", u32::from(index).into())]));
    let gid = Mlx5Context::<B>::of(context).control.query_gid(index)?;
    let low = gid.last_chunk().map_or(0, |low| u64::from_be_bytes(*low));
    probe!(*context.tracer(), returned("ibv_query_gid", Value::Hex(low)));
    Ok(gid)
}
// ANCHOR_END: query_verbs
