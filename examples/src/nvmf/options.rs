//! The command line of `nvmf_read`, and what it prints.

use super::{capsule::BLOCK, host, target};
use crate::peer::{PeerError, device_or_default, main_with};
use crate::{Device, TraceOptions, World};
use clap::Parser;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// Reads blocks over NVMe over RDMA, from process to process.
///
/// Without a host name it is the target, with a disk of 1 MiB in its memory; with one it is the host, and
/// connects to the target there. Start both with the same options. Each read is a command capsule (SEND),
/// the blocks (RDMA WRITE), and a response capsule that closes the key (SEND with invalidate).
#[derive(Parser, Debug)]
#[command(name = "nvmf_read")]
struct Options {
    /// The target to connect to [default: be the target]
    host: Option<String>,

    /// "card,address=127.0.0.2" (a software card with a wire, on which loss=, duplicate=, reorder=,
    /// delay= and seed= tell what goes wrong) or "mlx5_0" (a card that the kernel drives) [default: a
    /// software card, of the target with address 127.0.0.2, of the host with 127.0.0.3]
    #[arg(short, long)]
    device: Option<Device>,

    /// TCP port to listen on or to connect to
    #[arg(short, long, default_value_t = 18515)]
    port: u16,

    /// Bytes of each read: whole blocks of 512
    #[arg(short, long, default_value_t = 4096, value_parser = whole_blocks)]
    size: u32,

    /// How many reads
    #[arg(short = 'n', long = "iters", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    iterations: u32,

    /// Commands outstanding at a time
    #[arg(short = 'q', long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    depth: u32,

    /// The block to begin with; the reads go on from there to the end of the disk, and begin again
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    first_block: u64,

    /// Address the other side by GID, with this entry of our port's table as our own; over Ethernet
    /// the port's own entry is the default
    #[arg(short = 'x', long = "gid-index", value_name = "INDEX")]
    gid_index: Option<u8>,

    /// How many seconds to wait for the other side, or for a completion
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,

    /// How the run is traced.
    #[command(flatten)]
    tracing: TraceOptions,
}

/// Bytes of a read: blocks, and not more than a command can name of this disk.
fn whole_blocks(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size| (BLOCK..=1 << 20).contains(size));
    let size = size.filter(|size| size.is_multiple_of(BLOCK));
    size.ok_or_else(|| format!("use a multiple of {BLOCK}, from {BLOCK} to {}", 1 << 20))
}

/// What is to be read, and with whom.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The target to connect to; without one, be the target.
    pub host: Option<String>,
    /// TCP port of the target.
    pub port: u16,
    /// Bytes of each read.
    pub size: u32,
    /// How many reads.
    pub iterations: u32,
    /// Commands outstanding at a time.
    pub depth: u32,
    /// The block to begin with.
    pub first_block: u64,
    /// Our GID, if the other side is to be addressed by GID.
    pub gid_index: Option<u8>,
    /// How long to wait for the other side, or for a completion.
    pub timeout: Duration,
}

/// The program `nvmf_read`.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let device = device_or_default(options.device.as_ref(), options.host.is_some());
    let plan = Plan {
        host: options.host,
        port: options.port,
        size: options.size,
        iterations: options.iterations,
        depth: options.depth.min(options.iterations),
        first_block: options.first_block,
        gid_index: options.gid_index,
        timeout: Duration::from_secs(options.timeout),
    };
    main_with("nvmf_read", &device, &options.tracing, |world| run(world, &plan))
}

/// One of the two sides.
fn run(world: &World, plan: &Plan) -> Result<Summary, PeerError> {
    match plan.host {
        Some(_) => host::run(world, plan),
        None => target::run(world, plan),
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Summary {
    /// Commands that were answered.
    pub commands: u32,
    /// Bytes of all blocks.
    pub bytes: u64,
    /// From the first command to the last response, at the host.
    pub time: Option<Duration>,
}

impl fmt::Display for Summary {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commands, bytes, .. } = self;
        let Some(time) = self.time else {
            return write!(to, "{commands} commands answered, {bytes} bytes written to the host");
        };
        let micros = time.as_secs_f64() * 1e6 / f64::from(*commands);
        write!(
            to,
            "{commands} reads, {bytes} bytes: every response was of its command and closed its key, every \
             block is right; {micros:.1} us a read on this device"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_has_whole_blocks() {
        assert_eq!(whole_blocks("4096"), Ok(4096));
        for text in ["0", "511", "513", "1049088", "4k", "-512"] {
            let error = whole_blocks(text).expect_err(text);
            assert!(error.contains("a multiple of 512"), "{error}");
        }
    }
}
