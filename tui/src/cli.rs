//! The command line: what can be asked, and the exit code of each answer.

#[cfg(target_os = "linux")]
use crate::command::attach::AttachOptions;
use crate::command::diff::DiffOptions;
#[cfg(target_os = "linux")]
use crate::command::doctor::DoctorOptions;
use crate::command::export::ExportOptions;
use crate::command::lab::LabOptions;
use crate::dump::Kind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use doorbell_examples::{Device, Named, UnknownScenario, WhatIf, named};
use std::path::PathBuf;

/// Steps a live ibv_post_send on mlx5, beside the source that is running.
///
/// Without a command it steps the default scenario on the software card: no card, no root and no
/// kernel module are needed.
#[derive(Debug, Parser)]
#[command(name = "doorbell", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `step` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to do it without a command.
    #[command(flatten)]
    pub run: RunOptions,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Step through a scenario while it runs
    Step {
        /// The scenario; `doorbell scenarios` lists them
        #[arg(value_name = "SCENARIO", default_value = DEFAULT_SCENARIO, value_parser = known_scenario)]
        scenario: Named,
        /// How.
        #[command(flatten)]
        run: RunOptions,
    },
    /// Run a scenario and write its trace to a file
    Record {
        /// The scenario; `doorbell scenarios` lists them
        #[arg(value_name = "SCENARIO", value_parser = known_scenario)]
        scenario: Named,
        /// The file to write; one that is there is replaced
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The device: `card` is the software card, `none` a machine without any [default: card]
        #[arg(long, value_name = "DEVICE")]
        device: Option<Device>,
        /// Change settings of the scenario, as length=4096,inline=on; `doorbell scenarios --json` lists them
        #[arg(long = "set", value_name = "KEY=VALUE,...")]
        what_if: Option<WhatIf>,
        /// Leave out the bytes of the program's data, or replace addresses, or both if nothing is said
        #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "all")]
        mask: Vec<Mask>,
    },
    /// Open a trace file
    Replay {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How.
        #[command(flatten)]
        print: PrintOptions,
    },
    /// Compare two trace files, the first difference first
    ///
    /// Steps are matched by what is done and where, not by their numbers, so that one more poll does
    /// not make all the rest differ. Ends with 0 if the traces are the same, 1 if they differ, 2 if
    /// they cannot be compared.
    Diff(Box<DiffOptions>),
    /// Write a trace in the format of another tool
    Export(ExportOptions),
    /// List the scenarios by topic
    Scenarios {
        /// Print one JSON object, with the settings that each scenario takes
        #[arg(long)]
        json: bool,
    },
    /// Ask a running program: switch groups of probes, and take a snapshot of its last events
    ///
    /// The program is one that was started with --trace-socket, as the examples can be. Without more,
    /// its groups are listed.
    #[cfg(target_os = "linux")]
    Attach(AttachOptions),
    /// Say which doors to a real card this machine has, and what to do for the others
    ///
    /// It only looks: no root is needed, nothing is loaded or changed. The exit code is 0 if a real
    /// card can be reached now, and 1 if not.
    #[cfg(target_os = "linux")]
    Doctor(DoctorOptions),
    /// Read an error dump from a log: what happened, on which queue, and what to check
    ///
    /// Takes whatever dmesg, libmlx5, DPDK, UCX and perftest print of an mlx5 card, and plain hex
    /// of a WQE, CQE, EQE or command, byte by byte or in words, with anything around it. Exits with
    /// 0 if something was found, with 1 if nothing was.
    Decode {
        /// The text; `-` or nothing is standard input
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// What hex without a message is; without this, checks decide
        #[arg(long = "as", value_name = "KIND")]
        kind: Option<Kind>,
        /// Print JSON, one object a line for each thing found
        #[arg(long)]
        json: bool,
    },
    /// A guest with the real kernel driver and real RDMA programs, on the software card
    ///
    /// Without more it is a shell in that guest. The guest is set up once, from Debian packages,
    /// in a cache folder and without root.
    Lab(Box<LabOptions>),
    /// Build the book, or serve it to a browser on this machine
    Book {
        /// Serve the book on 127.0.0.1 until Ctrl-C
        #[arg(long)]
        serve: bool,
        /// The port to serve it on; 0 takes a free one
        #[arg(long, value_name = "PORT", default_value_t = 3000, requires = "serve")]
        port: u16,
        /// The folder to build it in
        #[arg(
            short,
            long,
            value_name = "DIR",
            default_value = "doorbell-book",
            conflicts_with = "serve"
        )]
        output: PathBuf,
    },
}

/// The scenario that is stepped if none is named.
pub const DEFAULT_SCENARIO: &str = "rc-write";

/// How a scenario is stepped.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// The device: `card` is the software card, `none` a machine without any [default: card]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
    /// Change settings of the scenario, as length=4096,inline=on; `doorbell scenarios --json` lists them
    #[arg(long = "set", value_name = "KEY=VALUE,...")]
    pub what_if: Option<WhatIf>,
    /// How it is shown.
    #[command(flatten)]
    pub print: PrintOptions,
}

/// How a walk is shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct PrintOptions {
    /// Print the walk as text, as is done where there is no terminal
    #[arg(long)]
    pub text: bool,
    /// Print the steps before the call of ibv_post_send and the teardown too
    #[arg(long)]
    pub all: bool,
}

/// What a trace file can leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mask {
    /// The bytes of buffers and packets: zeros stand for them.
    Payload,
    /// Addresses of memory: others stand for them, the same for the same.
    Addresses,
    /// Both.
    All,
}

/// The scenario of that name.
fn known_scenario(name: &str) -> Result<Named, UnknownScenario> {
    named(name)
}
