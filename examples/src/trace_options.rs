//! How an example program is traced: into a file, or so that it can be asked while it runs.

#[cfg(target_os = "linux")]
use crate::attach::{Listening, default_place};
use crate::{Device, Machine, TOOL, World, source};
use clap::Args;
use doorbell_tracer::{Clock, Counts, Full, Record, Trace, TraceBuilder, Tracer, file};
use std::collections::BTreeMap;
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::time::Duration;

/// Options of every example that is traced.
#[derive(Args, Debug, Clone)]
pub struct TraceOptions {
    /// Write a trace of the run to this file; `doorbell replay FILE` opens it
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Keep the last events, and listen at this Unix socket for `doorbell attach`; without PATH at one
    /// that is named after the process. With --trace too, the file holds the last events
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "PATH", env = "DOORBELL_TRACE_SOCKET", num_args = 0..=1)]
    trace_socket: Option<Option<PathBuf>>,

    /// The groups of probes that are on from the beginning: names with commas between them, "all" or "none"
    #[cfg(target_os = "linux")]
    #[arg(
        long,
        value_name = "GROUPS",
        value_delimiter = ',',
        default_value = "all",
        requires = "trace_socket"
    )]
    trace_groups: Vec<String>,

    /// How many events are kept
    #[cfg(target_os = "linux")]
    #[arg(
        long,
        value_name = "EVENTS",
        default_value_t = 65536,
        value_parser = clap::value_parser!(u32).range(1..=1 << 24),
        requires = "trace_socket"
    )]
    trace_ring: u32,

    /// Stay so many seconds when all is done, so that somebody can attach
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "trace_socket")]
    linger: u32,
}

impl TraceOptions {
    /// Runs a program as these options say. An error is one of tracing; what became of the program is
    /// returned, or told by its own means.
    pub fn run<T>(&self, traced: &Traced, program: impl FnOnce(&World) -> T) -> Result<T, String> {
        let tracer = self.tracer(traced.clock.0);
        let world = World::with(traced.device.clone(), traced.machine, &tracer);
        #[cfg(target_os = "linux")]
        let listening = self.listen(traced, &world)?;
        let outcome = program(&world);
        drop(world);
        if let Some(path) = &self.trace {
            let (records, counts) = tracer.counted_snapshot();
            file::write_file(&traced.trace(records, counts), path, &file::Options::default())
                .map_err(|error| error.to_string())?;
        }
        #[cfg(target_os = "linux")]
        if listening.is_some() {
            std::thread::sleep(Duration::from_secs(self.linger.into()));
        }
        Ok(outcome)
    }

    /// Keeps everything for a file, the last events for somebody who attaches, or nothing.
    fn tracer(&self, clock: Clock) -> Tracer {
        #[cfg(target_os = "linux")]
        if self.trace_socket.is_some() {
            return Tracer::new(doorbell_tracer::Ring::new(self.trace_ring as usize), clock);
        }
        match self.trace {
            Some(_) => Tracer::new(Full::new(), clock),
            None => Tracer::off(),
        }
    }

    /// Listens, if that is wanted, with the groups on that are wanted.
    #[cfg(target_os = "linux")]
    fn listen(&self, traced: &Traced, world: &World) -> Result<Option<Listening>, String> {
        let Some(path) = &self.trace_socket else { return Ok(None) };
        let path = path.clone().unwrap_or_else(|| default_place(std::process::id()));
        let wanted = if self.trace_groups == ["none"] { &[][..] } else { &self.trace_groups };
        let switched = world.switches.switch(&["all".to_owned()], wanted);
        switched.map_err(|error| format!("--trace-groups: {error}, and \"none\""))?;
        let listening = Listening::at(&path, traced.clone(), world.switches.clone());
        let listening = listening.map_err(|error| error.to_string())?;
        eprintln!("listening for `doorbell attach {}`", listening.path().display());
        Ok(Some(listening))
    }
}

/// A program that is traced: what its trace says of it.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The program's name, or its scenario's.
    pub name: String,
    /// The device that it uses.
    pub device: Device,
    /// The clock of its events, and that clock's name.
    pub clock: (Clock, &'static str),
    /// What its settings ask of the machine.
    pub machine: Machine,
    /// Settings of the scenario that were changed.
    pub settings: BTreeMap<String, String>,
}

impl Traced {
    /// A program without settings.
    pub fn of(name: &str, device: &Device, clock: (Clock, &'static str)) -> Self {
        let (name, device) = (name.to_owned(), device.clone());
        Self { name, device, clock, machine: Machine::default(), settings: BTreeMap::new() }
    }

    /// The trace of these events.
    pub(crate) fn trace(&self, records: Vec<Record>, counts: Counts) -> Trace {
        let device = self.device.to_string();
        let builder = TraceBuilder::new(TOOL, &device, &self.name, self.clock.1, source);
        let mut builder = builder.with_settings(self.settings.clone());
        builder.counted(counts);
        records.into_iter().for_each(|record| builder.push(record));
        builder.finish()
    }
}
