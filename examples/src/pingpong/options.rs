//! The command line of the three pingpongs.

use super::play::{Plan, run};
use crate::peer::main_with;
use crate::{Device, TraceOptions};
use clap::{Args, Command, FromArgMatches};
use doorbell_driver::verbs::Transport;
use std::process::ExitCode;
use std::time::Duration;

/// What a pingpong can be told.
#[derive(Args, Debug)]
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

    /// Length of the message in bytes [default: 4096; of datagrams 1024]
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    size: Option<u32>,

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

    /// How the run is traced.
    #[command(flatten)]
    tracing: TraceOptions,
}

impl Options {
    /// What is to be played.
    fn plan(&self, transport: Transport) -> Plan {
        // The original of datagrams says 2048 in its help, and plays with 1024.
        let usual = if transport == Transport::UnreliableDatagram { 1024 } else { 4096 };
        let path_mtu = match self.mtu.as_str() {
            "256" => 1,
            "512" => 2,
            "2048" => 4,
            "4096" => 5,
            _ => 3,
        };
        Plan {
            transport,
            host: self.host.clone(),
            port: self.port,
            both: self.both,
            size: self.size.unwrap_or(usual),
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

/// What the help says after the first line.
const MORE: &str = "Without a host it is the server; with one it connects to the server there, which may be \
    this program or rdma-core's. With --device card there is no wire to another process: both sides are \
    played in this one. With --device card,address=127.0.0.2 there is one, to a program whose card has \
    another address.";

/// The program of this transport.
pub fn main(transport: Transport) -> ExitCode {
    let (name, about) = match transport {
        Transport::ReliableConnection => (
            "rc_pingpong",
            "Sends a message back and forth over a reliable connection, as ibv_rc_pingpong does",
        ),
        Transport::UnreliableConnection => (
            "uc_pingpong",
            "Sends a message back and forth over an unreliable connection, as ibv_uc_pingpong does; one \
             that gets lost ends the game",
        ),
        Transport::UnreliableDatagram => (
            "ud_pingpong",
            "Sends datagrams back and forth, as ibv_ud_pingpong does; one that gets lost ends the game",
        ),
    };
    let command = Command::new(name).about(about).long_about(format!("{about}.\n\n{MORE}"));
    let matches = Options::augment_args(command).get_matches();
    let options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let plan = options.plan(transport);
    main_with(name, &options.device, &options.tracing, |world| run(world, &plan))
}
