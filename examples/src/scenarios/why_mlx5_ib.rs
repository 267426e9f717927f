//! `why-mlx5-ib`: the same program on one machine in three states.

use super::{IN_ACTS, LabScenario, Topic, rc_write};
use crate::{Device, ExampleError, Guest, World};
use doorbell_tracer::{Group, Tracer, Value, probe};

const PROBE_GROUP: Group = Group::Program;

/// What the registry knows of it.
pub const SCENARIO: LabScenario = LabScenario {
    name: "why-mlx5-ib",
    title: "Why mlx5_ib must be loaded, in three acts",
    topic: Topic::ControlPath,
    summary: "rc-write without mlx5_ib, with it, and through VFIO, where the program does itself what \
              the kernel did for it.",
    run,
    recording: include_str!("../../recordings/why-mlx5-ib.jsonl"),
};

/// The device's name once `mlx5_ib` has made it.
const DEVICE: &str = "mlx5_0";

// ANCHOR: why_mlx5_ib
/// Runs `rc-write` three times, and changes the machine in between.
fn run(guest: &Guest, tracer: &Tracer) -> Result<Vec<String>, ExampleError> {
    let kernel = || Device::Kernel(DEVICE.to_owned());
    probe!(*tracer, note(IN_ACTS, [("acts", 3_u32.into())]));
    guest.modprobe("mlx5_core", "/sys/bus/auxiliary/devices/mlx5_core.rdma.0", tracer)?;
    guest.modprobe("ib_uverbs", "/sys/class/infiniband_verbs", tracer)?;
    let absent = match act("act_1_mlx5_ib_absent", kernel(), tracer) {
        Err(none @ ExampleError::NoDevice { .. }) => none.to_string(),
        Err(other) => return Err(other),
        Ok(_) => return Err(ExampleError::Unexpected("a device without mlx5_ib")),
    };

    guest.modprobe("mlx5_ib", "/dev/infiniband/uverbs0", tracer)?;
    guest.wait_for_port(DEVICE, tracer)?;
    let present = act("act_2_mlx5_ib_present", kernel(), tracer)?;

    guest.unbind(tracer)?;
    guest.modprobe("vfio-pci", "/sys/bus/pci/drivers/vfio-pci", tracer)?;
    guest.bind_to_vfio(tracer)?;
    let vfio = Device::Vfio(guest.address().to_owned());
    let vfio = act("act_3_vfio", vfio, tracer)?;
    Ok([vec![absent], present, vfio].concat())
}
// ANCHOR_END: why_mlx5_ib

// ANCHOR: why_mlx5_ib_act
/// One act: the program of `rc-write`, in a world with this device.
fn act(name: &'static str, device: Device, tracer: &Tracer) -> Result<Vec<String>, ExampleError> {
    let told = [("program", rc_write::SCENARIO.name.into()), ("device", device.to_string().into())];
    probe!(*tracer, call(name, told));
    let outcome = (rc_write::SCENARIO.run)(&World::new(device, tracer), &rc_write::SCENARIO.own);
    probe!(*tracer, returned(name, ended(&outcome)));
    outcome
}
// ANCHOR_END: why_mlx5_ib_act

/// What the program printed, or why it failed.
fn ended(outcome: &Result<Vec<String>, ExampleError>) -> Value {
    match outcome {
        Ok(printed) => printed.join("; ").into(),
        Err(error) => error.to_string().into(),
    }
}
