//! The frame of a program that works with another one: its trace, what it prints, its exit code.

use super::PeerError;
use crate::{Device, TOOL, WiredCard, World, source};
use doorbell_card_network::Impairments;
use doorbell_tracer::{Clock, Full, TraceBuilder, Tracer, file};
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::path::Path;
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

/// Runs a program on a device, and prints what comes of it. With a path, a trace is written there.
pub fn main_with<T: Display>(
    name: &str,
    device: &Device,
    trace: Option<&Path>,
    run: impl FnOnce(&World) -> Result<T, PeerError>,
) -> ExitCode {
    let tracer = match trace {
        Some(_) => Tracer::new(Full::new(), clock(device).0),
        None => Tracer::off(),
    };
    let world = World::new(device.clone(), &tracer);
    let outcome = run(&world);
    let traffic = world.traffic();
    drop(world);
    let written = trace.map_or(Ok(()), |path| write(&tracer, name, device, path));
    match &outcome {
        Ok(summary) => println!("{summary}"),
        Err(error) => eprintln!("error: {error}"),
    }
    if let Some(traffic) = traffic {
        println!("wire: {traffic}");
    }
    if let Err(error) = &written {
        eprintln!("error: {error}");
    }
    match outcome.is_ok() && written.is_ok() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Writes what was recorded.
fn write(tracer: &Tracer, name: &str, device: &Device, path: &Path) -> Result<(), String> {
    let clock = clock(device).1;
    let mut builder = TraceBuilder::new(TOOL, &device.to_string(), name, clock, source);
    tracer.take().into_iter().for_each(|record| builder.push(record));
    file::write_file(&builder.finish(), path, &file::Options::default())
        .map_err(|error| error.to_string())
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
