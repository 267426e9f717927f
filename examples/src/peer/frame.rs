//! The frame of a program that works with another one: its trace, what it prints, its exit code.

use super::PeerError;
use crate::{Device, TraceOptions, Traced, WiredCard, World};
use doorbell_card_network::Impairments;
use doorbell_tracer::Clock;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;

/// The device that was asked for, or a software card with a wire: of the server 127.0.0.2, of the client
/// 127.0.0.3.
pub fn device_or_default(device: Option<&Device>, is_client: bool) -> Device {
    let last = if is_client { 3 } else { 2 };
    let address = Ipv4Addr::new(127, 0, 0, last);
    let wired = WiredCard { address, impairments: Impairments::default() };
    device.cloned().unwrap_or(Device::Wired(wired))
}

/// Runs a program on a device, traced as the options say, and prints what comes of it.
pub fn main_with<T: Display>(
    name: &str,
    device: &Device,
    tracing: &TraceOptions,
    run: impl FnOnce(&World) -> Result<T, PeerError>,
) -> ExitCode {
    let program = Traced::of(name, device, clock(device));
    let traced = tracing.run(&program, |world| {
        let outcome = run(world);
        match &outcome {
            Ok(summary) => println!("{summary}"),
            Err(error) => eprintln!("error: {error}"),
        }
        if let Some(traffic) = world.traffic() {
            println!("wire: {traffic}");
        }
        outcome.is_ok()
    });
    if let Err(error) = &traced {
        eprintln!("error: {error}");
    }
    match traced {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// The clock of a trace, and its name: on a software card without a wire runs are alike, elsewhere time
/// counts.
fn clock(device: &Device) -> (Clock, &'static str) {
    match device {
        Device::Card | Device::None => (Clock::Logical, "logical"),
        Device::Wired(_) | Device::Kernel(_) | Device::Vfio(_) => {
            (Clock::Nanoseconds(nanoseconds), "nanoseconds")
        }
    }
}

/// Nanoseconds since the program began.
fn nanoseconds() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
