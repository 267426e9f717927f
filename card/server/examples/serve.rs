//! Serves a software card with an InfiniBand port: `serve --socket PATH [--trace FILE] [--trapped]`.
//!
//! With `--trace` one guest is served, and what the card saw and did is written when it is gone.

use doorbell_card::CardConfig;
use doorbell_card_server::{Options, RegisterAccess, serve};
use doorbell_tracer::{Clock, Full, TraceBuilder, Tracer, file};
use std::error::Error;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

const USAGE: &str = "serve --socket PATH [--trace FILE] [--trapped]";

fn main() -> Result<(), Box<dyn Error>> {
    let (mut socket, mut trace, mut registers) = (None, None, RegisterAccess::Mapped);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--socket" => socket = arguments.next(),
            "--trace" => trace = arguments.next().map(PathBuf::from),
            "--trapped" => registers = RegisterAccess::Trapped,
            _ => return Err(USAGE.into()),
        }
    }
    let mut options = Options::new(socket.ok_or(USAGE)?, CardConfig::infiniband(1));
    options.registers = registers;
    let Some(path) = trace else {
        println!("serving at {}", options.socket.display());
        let serving = serve(options)?;
        serving.wait_for_guests(u64::MAX);
        return Ok(());
    };
    let tracer = Tracer::new(Full::new(), Clock::Nanoseconds(nanoseconds));
    options.tracer = tracer.clone();
    println!("serving one guest at {}", options.socket.display());
    let serving = serve(options)?;
    serving.wait_for_guests(1);
    serving.stop()?;
    let tool = concat!("doorbell-card-server ", env!("CARGO_PKG_VERSION"));
    let mut builder = TraceBuilder::new(tool, "card", "guest", "nanoseconds", |_| None);
    for record in tracer.take() {
        builder.push(record);
    }
    file::write_file(&builder.finish(), &path, &Default::default())?;
    println!("wrote {}", path.display());
    Ok(())
}

fn nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
