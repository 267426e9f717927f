//! The kernel's door: its driver holds the card, `mlx5_ib` has made a device of it, and this user
//! may open the device's file.

use super::cards::{Card, drives};
use super::machine::Machine;
use super::modules::{self, Module};
use super::port;
use super::report::{Check, Purpose, Verdict};
use super::system::System;
use doorbell_driver::control::uverbs::KernelDoor;
use doorbell_driver::verbs::Door;
use doorbell_examples::Device;
use rustix::io::Errno;

/// Memory that the scenarios pin through this door, at most. A test in the lab runs them with it.
pub const PINNED: u64 = 64 << 10;

const HOLDS: &str = "The kernel's driver must hold a card before it can make a device of it.";
const CORE: &str = "It brings the card up and gives it commands.";
const IB: &str = "It makes the device mlx5_0, and creates queues for programs.";
const UVERBS: &str = "It makes the file by which programs ask.";
const ENTRIES: &str = "Programs list devices there; an empty folder is \"no device found\".";
const NODE: &str = "Who may open this file may use the card; root is not needed.";
const OURS: &str = "The driver of this program is for ConnectX-4 and later.";
const MEMORY: &str = "The kernel pins the memory of queues and buffers, up to this limit.";

/// A device that the kernel's driver has made.
pub struct Made {
    /// Its name: `mlx5_0`.
    pub name: String,
    /// The name of its file: `uverbs0`.
    node: String,
    vendor: u64,
    device: u64,
}

/// The checks of this door, and the devices that it leads to now.
pub fn check(machine: &Machine, system: &System, cards: &[Card]) -> (Vec<Check>, Vec<String>) {
    let ours: Vec<&Card> = cards.iter().filter(|card| card.is_ours()).collect();
    let made = made(machine);
    if ours.is_empty() && made.is_empty() {
        let finding = "there is no card for it to lead to".to_owned();
        return (vec![Check::not_here(Purpose::Kernel, "driver", HOLDS, finding)], Vec::new());
    }
    let mut checks = vec![modules::check(machine, system, Purpose::Kernel, "mlx5_core", CORE)];
    checks.extend(ours.iter().map(|card| held(machine, system, card)));
    for (name, why) in [("mlx5_ib", IB), ("ib_uverbs", UVERBS)] {
        checks.push(modules::check(machine, system, Purpose::Kernel, name, why));
    }
    checks.push(entries(machine, &made));
    let mut devices = Vec::new();
    for device in &made {
        let mine = device_checks(machine, system, device);
        if mine.iter().all(|check| check.verdict == Verdict::Ok) {
            devices.push(device.name.clone());
        }
        checks.extend(mine);
    }
    let limit = memory(system, Purpose::Kernel, MEMORY, PINNED);
    if limit.is_to_do() {
        devices.clear();
    }
    checks.push(limit);
    (checks, devices)
}

/// The entries of the class folder, as the driver of this program reads them.
fn made(machine: &Machine) -> Vec<Made> {
    let class = "sys/class/infiniband_verbs";
    let entry = |node: String| {
        let file = |name: &str| format!("{class}/{node}/{name}");
        let name = machine.word(&file("ibdev"))?;
        matches!(name.parse(), Ok(Device::Kernel(_))).then_some(())?;
        let vendor = machine.number(&file("device/vendor"))?;
        let device = machine.number(&file("device/device"))?;
        Some(Made { name, node, vendor, device })
    };
    let nodes = machine.names(class).into_iter().filter(|name| name.starts_with("uverbs"));
    nodes.filter_map(entry).collect()
}

/// Which driver holds a card.
fn held(machine: &Machine, system: &System, card: &Card) -> Check {
    let name = format!("driver of {}", card.address);
    let to_do = |finding: String| Check::to_do(Purpose::Kernel, &name, HOLDS, finding);
    let free = || {
        let clear = card.wanted.as_deref().filter(|name| *name != "mlx5_core");
        let folder = format!("/{}", card.folder());
        let clear = clear.map(|_| system.write("", &format!("{folder}/driver_override")));
        let probe = system.write(&card.address, "/sys/bus/pci/drivers_probe");
        clear.into_iter().chain([probe])
    };
    match card.driver.as_deref() {
        Some("mlx5_core") => {
            let mut finding = "mlx5_core holds it".to_owned();
            if !card.interfaces.is_empty() {
                finding += &format!("; its network interface is {}", card.interfaces.join(", "));
            }
            Check::ok(Purpose::Kernel, &name, HOLDS, finding)
        }
        Some(driver) => {
            let unbind = format!("/sys/bus/pci/drivers/{driver}/unbind");
            to_do(format!("{driver} holds it, not mlx5_core"))
                .advice("To give it back to mlx5_core:")
                .commands([system.write(&card.address, &unbind)])
                .commands(free())
        }
        None if Module::find(machine, system, "mlx5_core").is_there() => {
            to_do("no driver holds it, though mlx5_core is there".to_owned())
                .advice("If it stays so, the kernel says why: dmesg | grep mlx5_core")
                .commands(free())
        }
        None if card.wanted.is_some() => to_do(format!(
            "no driver holds it, and it is kept for {}",
            card.wanted.as_deref().unwrap_or_default()
        ))
        .commands(free()),
        None => to_do("no driver holds it".to_owned())
            .advice("mlx5_core takes it when that is loaded, see above."),
    }
}

/// Whether the class folder has devices.
fn entries(machine: &Machine, made: &[Made]) -> Check {
    let name = "devices";
    if made.is_empty() {
        let door = KernelDoor::at(&machine.place("sys"), &machine.place("dev/infiniband"));
        // The folder is empty or missing, so the door has no file to read.
        let reason = match machine.has_folder("sys/class/infiniband_verbs") {
            true => "/sys/class/infiniband_verbs has no device in it".to_owned(),
            false => door.devices().err().map(|reason| reason.to_string()).unwrap_or_default(),
        };
        let reason = reason.replace(&machine.place("sys").display().to_string(), "/sys");
        return Check::to_do(Purpose::Kernel, name, ENTRIES, reason).advice(
            "What is to be done is said above; dmesg | grep mlx5 says what the driver saw.",
        );
    }
    let names: Vec<_> = made.iter().map(|made| format!("{} ({})", made.name, made.node)).collect();
    let kernel = machine.names("sys/class/infiniband").len();
    let finding = format!(
        "/sys/class/infiniband_verbs has {}; /sys/class/infiniband has {kernel}",
        names.join(", ")
    );
    Check::ok(Purpose::Kernel, name, ENTRIES, finding)
}

/// What there is to check of one device.
fn device_checks(machine: &Machine, system: &System, made: &Made) -> Vec<Check> {
    let title = format!("card of {}", made.name);
    let ids = format!("{:04x}:{:04x}", made.vendor, made.device);
    let mut checks = Vec::new();
    if drives(made.vendor, made.device) {
        let firmware = machine.word(&format!("sys/class/infiniband/{}/fw_ver", made.name));
        let firmware = firmware.unwrap_or_else(|| "(unknown)".to_owned());
        let finding = format!("{ids}, firmware {firmware}");
        checks.push(Check::ok(Purpose::Kernel, &title, OURS, finding));
    } else {
        let finding = format!("{ids} is no card that this program's driver knows");
        return vec![Check::not_here(Purpose::Kernel, &title, OURS, finding)];
    }
    checks.push(node(machine, system, made));
    checks.push(port::check(machine, system, &made.name));
    checks
}

/// Whether the device's file opens.
fn node(machine: &Machine, system: &System, made: &Made) -> Check {
    let path = format!("/dev/infiniband/{}", made.node);
    let title = format!("file of {}", made.name);
    let to_do = |finding: String| Check::to_do(Purpose::Kernel, &title, NODE, finding);
    match machine.opens(&path) {
        Ok(()) => Check::ok(Purpose::Kernel, &title, NODE, format!("this user opens {path}")),
        Err(Errno::NOENT) if system.container.is_some() => {
            to_do(format!("{path} is not in this container"))
                .advice(format!("Start the container with: --device={path} --ulimit memlock=-1"))
        }
        Err(Errno::NOENT) => {
            let number = machine.word(&format!("sys/class/infiniband_verbs/{}/dev", made.node));
            let number = number.as_deref().and_then(|text| text.split_once(':'));
            let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
            let number = number.filter(|(major, minor)| digits(major) && digits(minor));
            let make = number.map(|(major, minor)| {
                system.as_root(&format!("mknod -m 666 {path} c {major} {minor}"))
            });
            to_do(format!("{path} is not there, though the kernel has the device"))
                .commands([system.as_root("mkdir -p /dev/infiniband")])
                .commands(make)
        }
        Err(Errno::ACCESS) => to_do(format!("this user may not open {path}"))
            .advice(
                "The kernel makes it for everybody (mode 0666), so a rule of this machine took \
                 that back. To change it until the next boot:",
            )
            .commands([system.as_root(&format!("chmod 666 {path}"))]),
        Err(Errno::PERM) => to_do(format!("{path} is refused by a rule for devices"))
            .advice(format!("A container's rule, most likely; start it with: --device={path}")),
        Err(error) => to_do(format!("{path} does not open: {error}")).advice("dmesg may say more."),
    }
}

/// Whether this user may pin that much.
pub fn memory(system: &System, purpose: Purpose, why: &'static str, needed: u64) -> Check {
    let name = "locked memory";
    let kib = |bytes: u64| format!("{} KiB", bytes >> 10);
    let (now, most) = system.limit;
    if system.pins {
        let finding = "no limit holds for this user (CAP_IPC_LOCK)".to_owned();
        return Check::ok(purpose, name, why, finding);
    }
    let Some(now) = now.filter(|now| *now < needed) else {
        let limit = now.map_or_else(|| "unlimited".to_owned(), kib);
        let finding = format!("the limit is {limit}, needed are {}", kib(needed));
        return Check::ok(purpose, name, why, finding);
    };
    let finding = format!("the limit is {}, needed are {}", kib(now), kib(needed));
    let check = Check::to_do(purpose, name, why, finding);
    if most.is_none_or(|most| most >= needed) {
        return check.commands([format!("ulimit -l {}", needed >> 10)]);
    }
    if system.container.is_some() {
        return check.advice("Start the container with: --ulimit memlock=-1");
    }
    check
        .advice("For this shell; for every log-in, in a file of /etc/security/limits.d.")
        .commands([system.as_root(&format!("prlimit --pid $$ --memlock={needed}:{needed}"))])
}
