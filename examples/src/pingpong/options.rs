//! The command line of `rc_pingpong`.

use super::play::{Plan, run};
use crate::Device;
use crate::peer::main_with;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Sends a message back and forth over a reliable connection, as ibv_rc_pingpong does.
///
/// Without a host it is the server; with one it connects to the server there, which may be this
/// program or rdma-core's ibv_rc_pingpong. With --device card there is no wire to another process:
/// both sides are played in this one. With --device card,address=127.0.0.2 there is one, to a program
/// whose card has another address.
#[derive(Parser, Debug)]
#[command(name = "rc_pingpong")]
pub struct Options {
    /// The server to connect to [default: be the server]
    host: Option<String>,

    /// "card" (the software card; both sides play in this process), "card,address=127.0.0.2" (the same
    /// with a wire, on which loss=, duplicate=, reorder=, delay= and seed= tell what goes wrong),
    /// "mlx5_0" (a card that the kernel drives) or "vfio:0000:3b:00.0"
    #[arg(short, long, default_value_t)]
    device: Device,

    /// TCP port to listen on or to connect to
    #[arg(short, long, default_value_t = 18515)]
    port: u16,

    /// Length of the message in bytes
    #[arg(short, long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    size: u32,

    /// Largest payload of a packet in bytes
    #[arg(short, long, default_value = "1024", value_parser = ["256", "512", "1024", "2048", "4096"])]
    mtu: String,

    /// Receives to post at a time
    #[arg(short, long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=16384))]
    rx_depth: u32,

    /// Messages each way
    #[arg(short = 'n', long = "iters", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,

    /// Service level
    #[arg(short = 'l', long = "sl", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=15))]
    service_level: u8,

    /// Sleep until there are completions, instead of polling
    #[arg(short, long)]
    events: bool,

    /// Address the other side by GID, with this entry of our port's table as our own; over
    /// Ethernet the port's own entry is the default
    #[arg(short, long = "gid-idx", value_name = "INDEX")]
    gid_index: Option<u8>,

    /// Validate the bytes that came in; both sides must say so
    #[arg(short, long = "chk")]
    check: bool,

    /// Play both sides in this process, connected through the card
    #[arg(long, conflicts_with = "host")]
    both: bool,

    /// How many seconds to wait for the other side, or for a completion
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,

    /// Write a trace of the run to this file; `doorbell replay FILE` opens it
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

impl Options {
    /// What is to be played.
    fn plan(&self) -> Plan {
        let path_mtu = match self.mtu.as_str() {
            "256" => 1,
            "512" => 2,
            "2048" => 4,
            "4096" => 5,
            _ => 3,
        };
        Plan {
            host: self.host.clone(),
            port: self.port,
            both: self.both,
            size: self.size,
            path_mtu,
            rx_depth: self.rx_depth,
            iterations: self.iterations,
            service_level: self.service_level,
            gid_index: self.gid_index,
            events: self.events,
            check: self.check,
            timeout: Duration::from_secs(self.timeout),
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let plan = options.plan();
    main_with("rc_pingpong", &options.device, options.trace.as_deref(), |world| run(world, &plan))
}
