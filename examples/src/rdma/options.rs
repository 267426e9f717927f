//! The command lines of `rdma_bw` and `rdma_lat`.

use super::{bandwidth, latency};
use crate::peer::{device_or_default, main_with};
use crate::{Device, TraceOptions};
use clap::{Args, Parser, ValueEnum};
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// RDMA WRITE.
    Write,
    /// RDMA READ.
    Read,
    /// SEND and receive.
    Send,
}

impl fmt::Display for Operation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Send => "send",
        })
    }
}

/// Measures bandwidth and message rate, as perftest's ib_write_bw, ib_read_bw and ib_send_bw do.
///
/// Without a host it is the server; with one it connects to the server there. Start both with the same
/// options. The software card's figures say how fast this machine plays one, and nothing of a ConnectX.
#[derive(Parser, Debug)]
#[command(name = "rdma_bw")]
struct BandwidthOptions {
    #[command(flatten)]
    common: Common,

    /// Length of a message in bytes [default: 65536]
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..=1 << 23))]
    size: Option<u32>,

    /// Work requests outstanding at a time
    #[arg(short, long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=4096))]
    tx_depth: u32,
}

/// Measures latency, as perftest's ib_write_lat, ib_read_lat and ib_send_lat do.
///
/// Of writes and sends, which go back and forth, it is half of the way there and back; of a read, from
/// its post to its completion. Without a host it is the server; with one it connects to the server
/// there. Start both with the same options. The software card's figures say how fast this machine plays
/// one, and nothing of a ConnectX.
#[derive(Parser, Debug)]
#[command(name = "rdma_lat")]
struct LatencyOptions {
    #[command(flatten)]
    common: Common,

    /// Length of a message in bytes [default: 2, or 65536 with --all]
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..=1 << 22))]
    size: Option<u32>,
}

/// What both have.
#[derive(Args, Debug)]
struct Common {
    /// The server to connect to [default: be the server]
    host: Option<String>,

    /// "card,address=127.0.0.2" (a software card with a wire, on which loss=, duplicate=, reorder=,
    /// delay= and seed= tell what goes wrong) or "mlx5_0" (a card that the kernel drives) [default: a
    /// software card, of the server with address 127.0.0.2, of the client with 127.0.0.3]
    #[arg(short, long)]
    device: Option<Device>,

    /// What to measure
    #[arg(long = "op", value_enum, default_value_t = Operation::Write)]
    operation: Operation,

    /// Measure every power of two from 2 bytes up to the size
    #[arg(short, long)]
    all: bool,

    /// TCP port to listen on or to connect to
    #[arg(short, long, default_value_t = 18515)]
    port: u16,

    /// How many messages, of each size
    #[arg(short = 'n', long = "iters", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    iterations: u32,

    /// Largest payload of a packet in bytes
    #[arg(short, long, default_value = "1024", value_parser = ["256", "512", "1024", "2048", "4096"])]
    mtu: String,

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

/// What is to be measured, and with whom.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which program it is.
    pub program: &'static str,
    /// The server to connect to; without one, be the server.
    pub host: Option<String>,
    /// TCP port of the server.
    pub port: u16,
    /// What is measured.
    pub operation: Operation,
    /// Length of the longest message in bytes.
    pub size: u32,
    /// Shorter ones are measured, too.
    pub all: bool,
    /// How many messages.
    pub iterations: u32,
    /// Work requests outstanding at a time.
    pub tx_depth: u32,
    /// Code of the largest payload of a packet.
    pub path_mtu: u8,
    /// Our GID, if the other side is to be addressed by GID.
    pub gid_index: Option<u8>,
    /// How long to wait for the other side, or for a completion.
    pub timeout: Duration,
}

impl Common {
    fn device(&self) -> Device {
        device_or_default(self.device.as_ref(), self.host.is_some())
    }

    fn plan(&self, program: &'static str, size: u32, tx_depth: u32) -> Plan {
        let path_mtu = match self.mtu.as_str() {
            "256" => 1,
            "512" => 2,
            "2048" => 4,
            "4096" => 5,
            _ => 3,
        };
        Plan {
            program,
            host: self.host.clone(),
            port: self.port,
            operation: self.operation,
            size,
            all: self.all,
            iterations: self.iterations,
            tx_depth: tx_depth.min(self.iterations),
            path_mtu,
            gid_index: self.gid_index,
            timeout: Duration::from_secs(self.timeout),
        }
    }
}

impl Plan {
    /// The lengths that are measured, the shortest first.
    pub fn sizes(&self) -> Vec<u32> {
        match self.all && self.size >= 2 {
            true => (1..=self.size.ilog2()).map(|log| 1 << log).collect(),
            false => vec![self.size],
        }
    }
}

/// The longest message if nothing is said, of bandwidth and of all sizes.
const LONG: u32 = 65536;

/// The program `rdma_bw`.
pub fn bandwidth_main() -> ExitCode {
    let BandwidthOptions { common, size, tx_depth } = BandwidthOptions::parse();
    let plan = common.plan("rdma_bw", size.unwrap_or(LONG), tx_depth);
    main_with(plan.program, &common.device(), &common.tracing, |world| bandwidth::run(world, &plan))
}

/// The program `rdma_lat`.
pub fn latency_main() -> ExitCode {
    let LatencyOptions { common, size } = LatencyOptions::parse();
    let size = size.unwrap_or(if common.all { LONG } else { 2 });
    let plan = common.plan("rdma_lat", size, 16);
    main_with(plan.program, &common.device(), &common.tracing, |world| latency::run(world, &plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(arguments: &[&str]) -> Vec<u32> {
        let words = ["rdma_bw"].iter().chain(arguments);
        let BandwidthOptions { common, size, tx_depth } = BandwidthOptions::parse_from(words);
        common.plan("rdma_bw", size.unwrap_or(LONG), tx_depth).sizes()
    }

    #[test]
    fn all_sizes_are_the_powers_of_two() {
        assert_eq!(sizes(&["-a", "-s", "64"]), [2, 4, 8, 16, 32, 64]);
        assert_eq!(sizes(&["-a", "-s", "63"]), [2, 4, 8, 16, 32]);
        assert_eq!(sizes(&["-a", "-s", "1"]), [1]);
        assert_eq!(sizes(&["-s", "63"]), [63]);
        assert_eq!(sizes(&["--all"]).last(), Some(&65536));
    }
}
