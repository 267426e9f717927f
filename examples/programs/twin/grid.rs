//! Posts a list of work requests, and prints what each call wrote: `tui/tests/peer/post_grid.c`
//! describes the cases and the answer.
//!
//! What is printed is memory, read back through `/proc/self/mem`: no probe tells it.

use crate::Failure;
use crate::cases::{Cases, Line};
use crate::handles::handles;
use crate::own_memory::OwnMemory;
use crate::pair::{Buffers, Pair};
use clap::Args;
use doorbell_driver::mlx5::posts;
use doorbell_driver::verbs::{
    AddressHandle, Context, MemoryWindow, Opcode, ProtectionDomain, Transport, WindowKind,
};
use doorbell_examples::{Device, World};
use doorbell_tracer::{Clock, Full, Tracer};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// What the program is told.
#[derive(Args, Debug)]
pub struct Options {
    /// A device that the kernel drives.
    device: Device,

    /// The file of the cases.
    cases: PathBuf,

    /// Post and poll by the table with probes.
    #[arg(long)]
    probes: bool,
}

/// An open device, and what all pairs use of it.
pub struct Bench {
    pub tracer: Tracer,
    pub context: Arc<Context>,
    pub pd: Arc<ProtectionDomain>,
    pub buffers: Buffers,
    /// A window of type 2, and the ways that datagrams go.
    pub window: MemoryWindow,
    pub handles: Vec<AddressHandle>,
    pub memory: OwnMemory,
    pub probes: bool,
}

/// Does what the cases say.
pub fn run(options: &Options) -> Result<(), Failure> {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = World::new(options.device.clone(), &tracer).open()?;
    let pd = context.alloc_pd()?;
    let buffers = Buffers::new(&context, &pd)?;
    let memory = OwnMemory::open()?;
    let window = pd.alloc_mw(WindowKind::Two)?;
    let handles = handles(&context, &pd)?;
    let probes = options.probes;
    let bench = Bench { tracer, context, pd, buffers, window, handles, memory, probes };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let posted = |opcode: &Opcode| posts(Transport::ReliableConnection, *opcode);
    for opcode in Opcode::ALL.into_iter().filter(posted) {
        writeln!(out, "posts {} {}", opcode as u8, opcode.name())?;
    }
    let text = std::fs::read_to_string(&options.cases)?;
    let mut cases = Cases::new(&text);
    let mut pair = None;
    while let Some(line) = cases.next_line()? {
        if let Line::Pair(sizes) = line {
            drop(pair.take());
            pair = Some(Pair::new(&bench, &sizes, &mut out)?);
            continue;
        }
        let pair: &mut Pair = pair.as_mut().ok_or("the cases do not begin with a pair")?;
        match line {
            Line::Pair(_) => {}
            Line::Fill(byte) => pair.fill(&bench, byte)?,
            Line::Send(requests) => pair.send(&bench, &requests, &mut out)?,
            Line::Receive(requests) => pair.receive(&bench, &requests, &mut out)?,
            Line::Poll(count) => pair.wait(&bench, true, count, &mut out)?,
            Line::Take(count) => pair.wait(&bench, false, count, &mut out)?,
        }
    }
    out.flush()?;
    Ok(())
}
