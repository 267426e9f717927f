//! The lab's guest, as a program in it sees it: a machine that may be changed.
//!
//! A scenario that loads modules and takes the card from its driver has no business on a reader's
//! machine. It asks for a [`Guest`], and there is one only where process 1 is the lab's own agent.

use doorbell_tracer::{Group, Tracer, Value, probe};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROBE_GROUP: Group = Group::Program;

/// PCI vendor of the cards.
const VENDOR: &str = "0x15b3";

/// How long the kernel may take for one change: a card that does not answer is given up earlier.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Files of a class of devices: there when the module that makes the class is loaded.
const CLASSES: [&str; 2] = ["/sys/class/infiniband", "/sys/class/infiniband_verbs"];

/// Folders whose entries stand for a device or for a driver's hold on it, and what the name of such
/// an entry contains.
const FOLDERS: [(&str, &str); 7] = [
    ("/sys/bus/pci/drivers/mlx5_core", ":"),
    ("/sys/bus/pci/drivers/vfio-pci", ":"),
    ("/sys/bus/auxiliary/devices", "mlx5_core"),
    ("/sys/class/infiniband", ""),
    ("/sys/class/infiniband_verbs", "uverbs"),
    ("/dev/infiniband", ""),
    ("/dev/vfio", ""),
];

/// Why this is not a machine that a scenario may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTheLab {
    /// Somebody's machine.
    #[error("this machine is not the lab's guest, and no other may be changed")]
    OtherMachine,
    /// A guest whose drivers are loaded already.
    #[error("the card's drivers are loaded already: boot the guest with --no-drivers")]
    DriversLoaded,
    /// A guest without an IOMMU.
    #[error("this guest has no IOMMU, which VFIO needs: boot it with --iommu")]
    NoIommu,
    /// A guest without a card.
    #[error("this guest has no card")]
    NoCard,
}

/// Why a change of the machine failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {why}; see dmesg in the guest")]
pub struct MachineError {
    /// What was tried.
    pub what: String,
    /// What came of it.
    pub why: String,
}

/// The lab's guest, before any driver is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// PCI address of its card.
    address: String,
}

impl Guest {
    /// The machine that this program runs on, if it is the lab's guest and as it should be.
    pub fn here() -> Result<Self, NotTheLab> {
        let process_1 = fs::read("/proc/1/cmdline").unwrap_or_default();
        let is_agent = |word: &[u8]| word == b"/usr/lib/doorbell/agent";
        if !process_1.split(|byte| *byte == 0).any(is_agent) {
            return Err(NotTheLab::OtherMachine);
        }
        if Path::new("/sys/bus/pci/drivers/mlx5_core").exists() {
            return Err(NotTheLab::DriversLoaded);
        }
        if entries("/sys/class/iommu").next().is_none() {
            return Err(NotTheLab::NoIommu);
        }
        let is_card = |address: &String| {
            let vendor = format!("/sys/bus/pci/devices/{address}/vendor");
            fs::read_to_string(vendor).is_ok_and(|vendor| vendor.trim() == VENDOR)
        };
        let address = entries("/sys/bus/pci/devices").filter(is_card).min();
        Ok(Self { address: address.ok_or(NotTheLab::NoCard)? })
    }

    /// PCI address of the card.
    pub fn address(&self) -> &str {
        &self.address
    }

    // ANCHOR: machine_modprobe
    /// Loads a module with those that it needs, and waits for `file`, which it is loaded for.
    pub fn modprobe(&self, module: &str, file: &str, tracer: &Tracer) -> Result<(), MachineError> {
        let before = files();
        probe!(*tracer, call("modprobe", [("module", module.to_owned().into())]));
        let output = Command::new("modprobe").arg(module).output();
        let done = match output {
            Ok(output) if output.status.success() => there(file, "modprobe", module),
            Ok(output) => Err(failed("modprobe", module, &String::from_utf8_lossy(&output.stderr))),
            Err(error) => Err(failed("modprobe", module, &error.to_string())),
        };
        tell_changes(&before, tracer);
        probe!(*tracer, returned("modprobe", outcome(&done)));
        done
    }
    // ANCHOR_END: machine_modprobe

    // ANCHOR: machine_port
    /// Waits until port 1 of a device is active.
    pub fn wait_for_port(&self, device: &str, tracer: &Tracer) -> Result<(), MachineError> {
        let file = format!("/sys/class/infiniband/{device}/ports/1/state");
        probe!(*tracer, call("wait_for_port", [("file", file.clone().into())]));
        let state = || fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
        let active = wait(|| state().ends_with("ACTIVE"));
        probe!(*tracer, returned("wait_for_port", state()));
        if active { Ok(()) } else { Err(failed("waiting for", &file, "it is not active")) }
    }
    // ANCHOR_END: machine_port

    // ANCHOR: machine_bind
    /// Takes the card from its driver.
    pub fn unbind(&self, tracer: &Tracer) -> Result<(), MachineError> {
        let device = format!("/sys/bus/pci/devices/{}", self.address);
        self.write(&format!("{device}/driver/unbind"), &self.address, tracer)
    }

    /// Gives the card to `vfio-pci`, whose module is loaded.
    pub fn bind_to_vfio(&self, tracer: &Tracer) -> Result<(), MachineError> {
        probe!(*tracer, call("bind_to_vfio", [("card", self.address.clone().into())]));
        let done = self.override_driver(tracer);
        probe!(*tracer, returned("bind_to_vfio", outcome(&done)));
        done
    }

    /// Says which driver may take the card, and asks for it to be taken.
    fn override_driver(&self, tracer: &Tracer) -> Result<(), MachineError> {
        let device = format!("/sys/bus/pci/devices/{}", self.address);
        self.write(&format!("{device}/driver_override"), "vfio-pci", tracer)?;
        self.write("/sys/bus/pci/drivers_probe", &self.address, tracer)?;
        let held = format!("/sys/bus/pci/drivers/vfio-pci/{}", self.address);
        there(&held, "binding to vfio-pci", &self.address)
    }

    /// Writes a word to a file of sysfs, as `echo WORD > FILE` does.
    fn write(&self, file: &str, word: &str, tracer: &Tracer) -> Result<(), MachineError> {
        let before = files();
        let told = [("word", word.to_owned().into()), ("file", file.to_owned().into())];
        probe!(*tracer, call("echo", told));
        let done =
            fs::write(file, word).map_err(|error| failed("writing to", file, &error.to_string()));
        tell_changes(&before, tracer);
        probe!(*tracer, returned("echo", outcome(&done)));
        done
    }
    // ANCHOR_END: machine_bind
}

// ANCHOR: machine_files
/// Tells which files came and which went since `before`.
fn tell_changes(before: &BTreeSet<String>, tracer: &Tracer) {
    let after = files();
    for file in before.difference(&after) {
        probe!(*tracer, discovery(file.clone(), "gone", false));
    }
    for file in after.difference(before) {
        probe!(*tracer, discovery(file.clone(), "appeared", true));
    }
}
// ANCHOR_END: machine_files

/// The files through which a card is found, as far as they are there.
fn files() -> BTreeSet<String> {
    let classes = CLASSES.into_iter().filter(|class| Path::new(class).exists());
    let inside = FOLDERS.into_iter().flat_map(|(folder, part)| {
        let names = entries(folder).filter(move |name| name.contains(part));
        names.map(move |name| format!("{folder}/{name}"))
    });
    classes.map(str::to_owned).chain(inside).collect()
}

/// The names in a folder; none if it is not there.
fn entries(folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// Waits for a file.
fn there(file: &str, what: &str, with: &str) -> Result<(), MachineError> {
    let came = wait(|| Path::new(file).exists());
    if came { Ok(()) } else { Err(failed(what, with, &format!("{file} did not appear"))) }
}

/// Waits until it holds; whether it does.
fn wait(holds: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        sleep(LOOK);
    }
    true
}

/// A change that failed.
fn failed(what: &str, with: &str, why: &str) -> MachineError {
    MachineError { what: format!("{what} {with}"), why: why.trim().to_owned() }
}

/// What the trace says of a change.
fn outcome(done: &Result<(), MachineError>) -> Value {
    done.as_ref().map_or_else(|error| error.to_string().into(), |()| 0_u32.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_not_the_labs_is_refused() {
        assert_eq!(Guest::here(), Err(NotTheLab::OtherMachine));
    }
}
