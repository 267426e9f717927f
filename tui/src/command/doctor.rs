//! `doorbell doctor`: which doors to a real card this machine has, what stands in the way of the
//! others, and what to do about it, in order.
//!
//! It reads, and opens the files of devices to see whether they open. It needs no root, loads
//! nothing, changes nothing, and ends within a time: a card that has died may keep the kernel from
//! answering, and then the report says so.

mod cards;
mod kernel;
mod lab;
mod machine;
mod modules;
mod port;
mod print;
mod report;
mod system;
mod vfio;

pub use kernel::PINNED;
pub use print::text;
pub use report::{Check, Purpose, Report, Verdict};

use crate::cli::DEFAULT_SCENARIO;
use crate::command::Failure;
use crate::view::theme::Depth;
use cards::Card;
use clap::{Args, ValueEnum};
use machine::Machine;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use system::System;

/// How long the whole examination may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The version of the report's form.
const SCHEMA: u32 = 1;

const CARD: &str = "Without a card in the machine only the software card and the lab are left.";
const SYSTEM: &str = "Where packages and modules come from depends on it.";
const LOCKDOWN: &str = "It decides which modules may be loaded.";
const RDMA_CORE: &str = "Its programs say what a device is; doorbell itself does without.";

/// How the machine is to be looked at.
#[derive(Debug, Clone, Args)]
pub struct DoctorOptions {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Ask for this door only [default: whichever is nearest]
    #[arg(long, value_name = "DOOR")]
    pub door: Option<Door>,
    /// Look at the machine whose file system begins here; a plain file there stands for a device's
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
}

/// A door to a real card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Door {
    /// The kernel's: `--device mlx5_0`.
    Kernel,
    /// VFIO's: `--device vfio:ADDRESS`.
    Vfio,
}

/// Looks at the machine, prints the report, and fails if no door that was asked for leads to a
/// real card.
pub fn run(options: &DoctorOptions) -> Result<(), Failure> {
    let report = examine_within(&options.root, options.door, PATIENCE)
        .map_err(|path| Failure::NoAnswer { path, patience: PATIENCE })?;
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        let depth = Depth::detect(|name| std::env::var(name).ok());
        let colours = io::stdout().is_terminal() && depth != Depth::None;
        out.write_all(text(&report, colours).as_bytes())?;
    }
    if report.real_card { Ok(()) } else { Err(Failure::NoDoor) }
}

/// The report on a machine; if it takes too long, the file that gave no answer.
pub fn examine_within(
    root: &Path,
    door: Option<Door>,
    patience: Duration,
) -> Result<Report, PathBuf> {
    let machine = Machine::at(root);
    let worker = machine.clone();
    within(patience, move || examine(&worker, door)).ok_or_else(|| machine.looks_at())
}

/// What `work` comes to, if it does within a time. It is left alone otherwise, and ends with the
/// program: what it waits for is in the kernel, and no call ends that.
fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(patience).ok()
}

/// Looks at every door, and reports on those that were asked for.
fn examine(machine: &Machine, door: Option<Door>) -> Report {
    let system = System::of(machine);
    let cards = cards::find(machine);
    let asked = |which: Door| door.is_none_or(|door| door == which);
    let (kernel, by_kernel) = kernel::check(machine, &system, &cards);
    let (vfio, by_vfio) = vfio::check(machine, &system, &cards);
    let mut doors = Vec::new();
    let mut found: Vec<&String> = Vec::new();
    if asked(Door::Kernel) {
        doors.extend(kernel);
        found.extend(&by_kernel);
    }
    if asked(Door::Vfio) {
        doors.extend(vfio);
        found.extend(&by_vfio);
    }
    let lab = lab::check(machine, &system);
    // Whoever has bound a card to VFIO means that door: what it lacks comes first.
    let bound = cards.iter().any(|card| card.is_ours() && card.is_held_by("vfio-pci"));
    let first = if bound { Purpose::Vfio } else { Purpose::Kernel };
    let (next, next_is_command) = next(&found, first, &doors, &lab);
    let real_card = !found.is_empty();
    let mut checks = machine_checks(machine, &system, &cards);
    checks.extend(doors);
    if door.is_none() {
        checks.extend(lab);
    }
    if real_card {
        checks.iter_mut().for_each(spare);
    }
    let devices = std::iter::once("card".to_owned()).chain(by_kernel).chain(by_vfio).collect();
    Report { schema: SCHEMA, checks, devices, real_card, next, next_is_command }
}

/// With one door open, what the others lack is nothing that must be done.
fn spare(check: &mut Check) {
    if check.is_to_do() {
        check.verdict = Verdict::DoesNotApply;
        check.finding += "; not needed now";
    }
}

/// What to do next, and whether it is a command. What the door `first` lacks comes first.
fn next(found: &[&String], first: Purpose, doors: &[Check], lab: &[Check]) -> (String, bool) {
    if let Some(device) = found.first() {
        return (format!("doorbell step {DEFAULT_SCENARIO} --device {device}"), true);
    }
    let of = |is_first: bool| {
        let wanted = move |check: &&Check| (check.purpose == first) == is_first;
        doors.iter().filter(wanted).find(|check| check.is_to_do())
    };
    let to_do = of(true).or(of(false)).or(lab.iter().find(|check| check.is_to_do()));
    match to_do {
        Some(check) => match check.commands.first() {
            Some(command) => (command.clone(), true),
            None => (format!("{}: {}", check.name, check.advice), false),
        },
        None if lab.iter().any(|check| check.verdict == Verdict::Ok) => {
            ("doorbell lab".to_owned(), true)
        }
        None => (format!("doorbell step {DEFAULT_SCENARIO}"), true),
    }
}

/// What concerns every door.
fn machine_checks(machine: &Machine, system: &System, cards: &[Card]) -> Vec<Check> {
    let whole = Purpose::Machine;
    let mut checks = vec![Check::ok(whole, "system", SYSTEM, system.told())];
    if let Some(lockdown) = &system.lockdown {
        let finding = format!(
            "{lockdown}: only signed modules are loaded, as those of the distribution are; one \
             from elsewhere needs a key that this machine knows (mokutil --import)"
        );
        checks.push(Check::ok(whole, "lockdown", LOCKDOWN, finding));
    }
    checks.push(rdma_core(machine, system));
    for card in cards {
        let held = card
            .driver
            .as_deref()
            .map_or("held by no driver".to_owned(), |driver| format!("held by {driver}"));
        let finding = format!("{} (15b3:{:04x}), {held}", card.name(), card.device);
        let name = format!("card {}", card.address);
        checks.push(match card.is_ours() {
            true => Check::ok(whole, &name, CARD, finding),
            false => {
                let finding = format!("{finding}; none that this program's driver is for");
                Check::not_here(whole, &name, CARD, finding)
            }
        });
    }
    if cards.is_empty() {
        let finding = match (machine.has_folder("sys/bus/pci/devices"), system.guest) {
            (false, _) => "no PCI bus is to be seen (/sys/bus/pci)",
            (true, true) => {
                "no network function of vendor 15b3 on the PCI bus; a virtual machine has one if \
                 its host passes one on"
            }
            (true, false) => "no network function of vendor 15b3 on the PCI bus",
        };
        checks.push(Check::not_here(whole, "card", CARD, finding.to_owned()));
    }
    checks
}

/// rdma-core's libraries: the name of libibverbs' file ends with the version of the package.
fn rdma_core(machine: &Machine, system: &System) -> Check {
    let (whole, name) = (Purpose::Machine, "rdma-core");
    let folders = machine.names("usr/lib").into_iter().filter(|name| name.contains("-linux-"));
    let folders = folders.map(|name| format!("usr/lib/{name}"));
    let usual = ["usr/lib64", "usr/lib", "lib64"].map(str::to_owned);
    let mut places = folders.chain(usual).map(|folder| format!("{folder}/libibverbs.so.1"));
    let Some(library) = places.find(|place| machine.has(place)) else {
        let install = system.install("rdma-core ibverbs-utils", "rdma-core libibverbs-utils");
        let how = install.map_or(String::new(), |command| format!(": {command}"));
        let finding = format!("not installed, and not needed; ibv_devinfo is good to have{how}");
        return Check::not_here(whole, name, RDMA_CORE, finding);
    };
    let file = machine.link(&library).unwrap_or_default();
    let version = file.strip_prefix("libibverbs.so.1.").and_then(|rest| rest.split_once('.'));
    let version =
        version.map_or_else(|| "of unknown version".to_owned(), |(_, version)| version.to_owned());
    Check::ok(whole, name, RDMA_CORE, format!("{version}, by /{library}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_never_ends_is_left_alone() {
        let never = || loop {
            thread::park();
        };
        assert_eq!(within::<()>(Duration::from_millis(20), never), None);
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
    }

    #[test]
    fn the_file_that_gives_no_answer_is_named_as_the_machine_names_it() {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Machine::at(root.path());
        machine.word("sys/class/infiniband_verbs/uverbs0/ibdev");
        let path = machine.looks_at();
        assert_eq!(path, Path::new("/sys/class/infiniband_verbs/uverbs0/ibdev"));
        let told = Failure::NoAnswer { path, patience: PATIENCE }.to_string();
        assert!(told.contains("uverbs0/ibdev gave no answer within 30 s"), "{told}");
    }
}
