//! What the lab needs: programs of this machine for its set-up, Debian's keys, and, to be fast, KVM.

use super::machine::Machine;
use super::report::{Check, Purpose};
use super::system::{Family, System};
use doorbell_lab::setup::{KEYRING, TOOLS};

const MACHINE: &str = "Its guest is one for x86-64, and its QEMU runs on such a machine.";
const PROGRAMS: &str = "They fetch and unpack the guest's packages; nothing is installed.";
const KEYS: &str = "The guest's packages are checked with Debian's keys.";
const KVM: &str = "With it the guest runs at full speed; without it QEMU translates.";

/// Where programs are.
const FOLDERS: [&str; 6] =
    ["usr/local/bin", "usr/bin", "bin", "usr/local/sbin", "usr/sbin", "sbin"];

/// The checks of the lab.
pub fn check(machine: &Machine, system: &System) -> Vec<Check> {
    if system.architecture != "x86_64" {
        let finding = format!("this machine is {}, and the lab is for x86_64", system.architecture);
        return vec![Check::not_here(Purpose::Lab, "architecture", MACHINE, finding)];
    }
    vec![programs(machine, system), keys(machine, system), kvm(machine)]
}

fn programs(machine: &Machine, system: &System) -> Check {
    let name = "programs";
    let is_there =
        |program: &str| FOLDERS.iter().any(|folder| machine.has(&format!("{folder}/{program}")));
    let missing: Vec<_> = TOOLS.iter().filter(|(program, _)| !is_there(program)).collect();
    if missing.is_empty() {
        let names: Vec<_> = TOOLS.iter().map(|(program, _)| *program).collect();
        let finding = format!("{} are here", names.join(", "));
        return Check::ok(Purpose::Lab, name, PROGRAMS, finding);
    }
    let programs: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    let finding = format!("missing: {}", programs.join(", "));
    let check = Check::to_do(Purpose::Lab, name, PROGRAMS, finding);
    match system.install(&packages.join(" "), &packages.join(" ")) {
        Some(command) => check.commands([command]),
        None => check.advice(format!("Install {}.", packages.join(", "))),
    }
}

fn keys(machine: &Machine, system: &System) -> Check {
    let name = "keys";
    if machine.has(KEYRING) {
        return Check::ok(Purpose::Lab, name, KEYS, format!("{KEYRING} is here"));
    }
    let check = Check::to_do(Purpose::Lab, name, KEYS, format!("{KEYRING} is missing"));
    match system.family {
        Family::Debian => check.commands(system.install("debian-archive-keyring", "")),
        _ => check.advice(
            "Debian's package debian-archive-keyring holds them; doorbell lab --keyring FILE takes \
             them from elsewhere, and --mirror URL names a mirror.",
        ),
    }
}

/// Whether KVM may be used. Only a module that is there is asked: to open the file of one that is
/// not would load it.
fn kvm(machine: &Machine) -> Check {
    let name = "KVM";
    let without = |finding: String| {
        Check::not_here(Purpose::Lab, name, KVM, format!("{finding}: the guest runs without"))
    };
    if !machine.has("sys/module/kvm") && !machine.has("sys/class/misc/kvm") {
        return without("the kernel has no KVM loaded".to_owned());
    }
    match machine.opens("/dev/kvm") {
        Ok(()) => {
            let finding = "this user opens /dev/kvm; the lab tries it".to_owned();
            Check::ok(Purpose::Lab, name, KVM, finding)
        }
        Err(error) => without(format!("/dev/kvm does not open ({error})")),
    }
}
