//! The command line of `doorbell lab`.

use clap::{Args, Subcommand, ValueEnum};
use doorbell_card_server::RegisterAccess;
use doorbell_examples::{LabScenario, Named, named};
use doorbell_lab::accelerator::{Accelerator, Choice};
use doorbell_lab::apt::package::Package;
use doorbell_lab::cache::Cache;
use doorbell_lab::{LabError, setup};
use std::ffi::OsString;
use std::path::PathBuf;

/// `doorbell lab`: what to do, and in which guest.
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub struct LabOptions {
    /// What to do; a shell in the guest if nothing is said.
    #[command(subcommand)]
    pub command: Option<LabCommand>,
    /// How.
    #[command(flatten)]
    pub shared: Shared,
}

/// What can be done in the lab.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Set the guest up and do no more
    Setup {
        /// Make it anew, with the packages that Debian has today
        #[arg(long)]
        again: bool,
    },
    /// Run one command in the guest; its output and exit code come out here
    ///
    /// The exit code is 124 if the command took too long and 125 if the lab failed.
    Run {
        /// The command; with `--guests 2`, `::` stands between those of the two guests
        #[arg(value_name = "COMMAND", required = true, last = true)]
        command: Vec<OsString>,
        /// How long it may take, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        timeout: u64,
    },
    /// Run one command in the guest and record what the card saw and did
    ///
    /// From power-up on: firmware commands, doorbells, WQEs, DMA, packets, completions. The program
    /// may be any that uses verbs; `doorbell replay FILE` opens the trace.
    Trace {
        /// Where the trace goes
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The command
        #[arg(value_name = "COMMAND", required = true, last = true)]
        command: Vec<OsString>,
        /// How long it may take, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        timeout: u64,
    },
    /// Run a scenario that needs the lab, and write its trace
    ///
    /// It gets a guest of its own, with an IOMMU and without drivers: the scenario loads them.
    Record {
        /// The scenario
        #[arg(value_name = "SCENARIO", value_parser = scenario_of_the_lab)]
        scenario: &'static LabScenario,
        /// The file to write; one that is there is replaced
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// How long it may take, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        timeout: u64,
    },
}

/// The scenario of that name, if it is one that needs the lab.
fn scenario_of_the_lab(name: &str) -> Result<&'static LabScenario, String> {
    match named(name) {
        Ok(Named::InLab(scenario)) => Ok(scenario),
        Ok(Named::Anywhere(scenario)) => {
            let name = scenario.name;
            Err(format!("{name} does not need the lab; `doorbell record {name} -o FILE` does it"))
        }
        Err(unknown) => Err(unknown.to_string()),
    }
}

/// What guest, and how it is set up.
#[derive(Debug, Clone, Args)]
pub struct Shared {
    /// How many guests; two have a wire between them, and a card each
    #[arg(long, global = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub guests: u8,
    /// Add a Debian package to the guest; can be given more than once
    #[arg(long, global = true, value_name = "PACKAGE")]
    pub with: Vec<String>,
    /// Show a folder in the guest at /mnt/share, to read
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "share_rw")]
    pub share: Option<PathBuf>,
    /// Show a folder in the guest at /mnt/share, to read and write
    #[arg(long, global = true, value_name = "DIR")]
    pub share_rw: Option<PathBuf>,
    /// Add a program of this machine to the guest, with its libraries; can be given more than once
    #[arg(long, global = true, value_name = "FILE")]
    pub program: Vec<PathBuf>,
    /// Leave the card's drivers out
    #[arg(long, global = true)]
    pub no_drivers: bool,
    /// Give the guest an IOMMU, as VFIO in it needs
    #[arg(long, global = true)]
    pub iommu: bool,
    /// Take the card that listens on this vfio-user socket instead of an own one; can be given
    /// more than once
    #[arg(long, global = true, value_name = "SOCKET")]
    pub card_socket: Vec<PathBuf>,
    /// How the guest's writes to doorbell registers reach its card [default: mapped; `lab trace`
    /// traps them]
    #[arg(long, global = true, value_name = "HOW")]
    pub registers: Option<Registers>,
    /// The guest's memory, in MiB
    #[arg(long, global = true, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(256..=1_048_576))]
    pub memory: u32,
    /// The guest's processors
    #[arg(long, global = true, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processors: u32,
    /// What runs the guest
    #[arg(long, global = true, value_name = "WHAT", default_value = "try")]
    pub accel: Accel,
    /// The folder that keeps the guest [default: doorbell/lab in the user's cache folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// The Debian mirror [default: that of this machine's apt]
    #[arg(long, global = true, value_name = "URL")]
    pub mirror: Option<String>,
    /// The keys that Debian's packages are checked with [default: those of this machine's
    /// debian-archive-keyring]
    #[arg(long, global = true, value_name = "FILE")]
    pub keyring: Option<PathBuf>,
}

/// What runs a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where a guest boots with it, else TCG; tried once.
    Try,
    /// The processor.
    Kvm,
    /// QEMU, by translation.
    Tcg,
}

/// How doorbells reach a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Registers {
    /// The guest maps them: fast, the card looks at doorbell records, and there is no BlueFlame.
    Mapped,
    /// Each write is seen by itself: slower, and with BlueFlame.
    Trapped,
}

impl Registers {
    /// The same, as the card's server calls it.
    fn access(self) -> RegisterAccess {
        match self {
            Self::Mapped => RegisterAccess::Mapped,
            Self::Trapped => RegisterAccess::Trapped,
        }
    }
}

impl Shared {
    /// How doorbells reach the card; those that are to be recorded are trapped unless told otherwise.
    pub(super) fn access(&self, is_recorded: bool) -> RegisterAccess {
        let usual = if is_recorded { Registers::Trapped } else { Registers::Mapped };
        self.registers.unwrap_or(usual).access()
    }

    /// The cache that is meant.
    pub(super) fn cache(&self) -> Result<Cache, LabError> {
        Cache::at(self.cache.as_deref())
    }

    /// How the set-up is to be done.
    pub(super) fn setup(&self) -> Result<setup::Options, LabError> {
        let with =
            self.with.iter().map(|name| name.parse::<Package>()).collect::<Result<_, _>>()?;
        Ok(setup::Options { mirror: self.mirror.clone(), keyring: self.keyring.clone(), with })
    }

    /// The accelerator that is meant.
    pub(super) fn accelerator(&self) -> Choice {
        match self.accel {
            Accel::Try => Choice::Try,
            Accel::Kvm => Choice::Only(Accelerator::Kvm),
            Accel::Tcg => Choice::Only(Accelerator::Tcg),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use doorbell_card_server::RegisterAccess;

    fn parse(line: &str) -> Result<super::LabOptions, clap::Error> {
        let words = line.split_whitespace();
        match Cli::try_parse_from(words)?.command {
            Some(Command::Lab(options)) => Ok(*options),
            other => panic!("not the lab: {other:?}"),
        }
    }

    #[test]
    fn options_stand_before_or_after_what_is_done() {
        let before = parse("doorbell lab --guests 2 --with strace run -- ls -l").expect("good");
        let after = parse("doorbell lab run --with strace --guests 2 -- ls -l").expect("good");
        for options in [before, after] {
            assert_eq!((options.shared.guests, options.shared.with.len()), (2, 1));
            let Some(super::LabCommand::Run { command, timeout }) = options.command else {
                panic!("it is to run something");
            };
            assert_eq!((command.len(), timeout), (2, 600));
        }
    }

    #[test]
    fn registers_are_trapped_where_they_are_recorded() {
        let access = |line, is_recorded| parse(line).expect("good").shared.access(is_recorded);
        assert_eq!(access("doorbell lab", false), RegisterAccess::Mapped);
        assert_eq!(access("doorbell lab", true), RegisterAccess::Trapped);
        assert_eq!(access("doorbell lab --registers trapped", false), RegisterAccess::Trapped);
        assert_eq!(access("doorbell lab --registers mapped", true), RegisterAccess::Mapped);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "doorbell lab run",
            "doorbell lab run ls",
            "doorbell lab --guests 3",
            "doorbell lab --memory 1",
            "doorbell lab run --timeout 0 -- ls",
            "doorbell lab --share /a --share-rw /b",
            "doorbell lab --registers maybe",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("doorbell lab").expect("good").command.is_none());
    }
}
