//! A device's port: is its link up, and does it have an address?

use super::machine::Machine;
use super::report::{Check, Purpose};
use super::system::System;
use doorbell_driver::control::uverbs::KernelDoor;
use doorbell_driver::control::{Link, PortAddress};

const WHY: &str = "A queue pair is connected by the port's address, and sends when it is active.";

/// The port that the driver of this program makes queue pairs on.
const PORT: &str = "ports/1";

/// The most entries of a GID table.
const GIDS: usize = 256;

/// What sysfs says of a port.
struct Port {
    state: String,
    physical: String,
    link: String,
    lid: u64,
    manager: u64,
    rate: String,
    gids: usize,
    address: Option<PortAddress>,
}

impl Port {
    fn of(machine: &Machine, device: &str) -> Option<Self> {
        let folder = format!("sys/class/infiniband/{device}/{PORT}");
        let word = |name: &str| machine.word(&format!("{folder}/{name}"));
        let number = |name: &str| machine.number(&format!("{folder}/{name}")).unwrap_or_default();
        let names = machine.names(&format!("{folder}/gids"));
        let gids = names.iter().take(GIDS).filter(|index| {
            let gid = word(&format!("gids/{index}")).unwrap_or_default();
            gid.chars().any(|c| c.is_ascii_hexdigit() && c != '0')
        });
        Some(Self {
            gids: gids.count(),
            // `4: ACTIVE`, `5: LinkUp`: the word is what counts.
            state: second(&word("state")?),
            physical: second(&word("phys_state").unwrap_or_default()),
            link: word("link_layer").unwrap_or_default(),
            lid: number("lid"),
            manager: number("sm_lid"),
            rate: word("rate").unwrap_or_default(),
            address: address(machine, device),
        })
    }

    fn told(&self) -> String {
        let mut told = format!("{} ({}), {}", self.state, self.physical, self.link);
        if !self.rate.is_empty() {
            told += &format!(", {}", self.rate);
        }
        if self.link == "InfiniBand" {
            told += &format!(", LID {:#x}", self.lid);
            if self.manager != 0 {
                told += &format!(" (subnet manager at {:#x})", self.manager);
            }
        }
        told += &format!(", {} {}", self.gids, if self.gids == 1 { "GID" } else { "GIDs" });
        if let Some(PortAddress { link: Link::Ethernet, gid_index, .. }) = self.address {
            told += &format!(", index {gid_index} is taken");
        }
        told
    }
}

/// The port's address as the driver of this program finds it. It is asked only where every file that
/// it would read is a plain one.
fn address(machine: &Machine, device: &str) -> Option<PortAddress> {
    let folder = format!("sys/class/infiniband/{device}/{PORT}");
    let plain = |name: &str| {
        let path = format!("{folder}/{name}");
        !machine.has(&path) || machine.has_file(&path)
    };
    let tables = ["gids", "gid_attrs/types"];
    let entries = |table: &'static str| {
        let names = machine.names(&format!("{folder}/{table}"));
        names.into_iter().map(move |name| format!("{table}/{name}"))
    };
    let trusted = plain("link_layer")
        && plain("lid")
        && tables.into_iter().flat_map(entries).all(|name| plain(&name));
    let door = KernelDoor::at(&machine.place("sys"), &machine.place("dev/infiniband"));
    if trusted { door.address(device) } else { None }
}

/// The word behind a number, as in `4: ACTIVE`.
fn second(text: &str) -> String {
    let word = text.split_once(':').map_or(text, |(_, word)| word).trim();
    if word.is_empty() { "unknown".to_owned() } else { word.to_owned() }
}

/// The check of a device's port.
pub fn check(machine: &Machine, system: &System, device: &str) -> Check {
    let name = format!("port of {device}");
    let Some(port) = Port::of(machine, device) else {
        let finding = format!("/sys/class/infiniband/{device}/{PORT} says nothing");
        return Check::to_do(Purpose::Kernel, &name, WHY, finding)
            .advice("The driver may still be coming up; else: dmesg | grep mlx5");
    };
    let to_do = || Check::to_do(Purpose::Kernel, &name, WHY, port.told());
    let is_fabric = port.link == "InfiniBand";
    match port.state.as_str() {
        "ACTIVE" if port.address.is_some() => Check::ok(Purpose::Kernel, &name, WHY, port.told()),
        "ACTIVE" if is_fabric => to_do().advice("The port is active, and has no GID yet: wait."),
        "ACTIVE" => no_address(machine, device, system, to_do()),
        "INIT" | "ARMED" if is_fabric => no_manager(machine, system, to_do()),
        _ if is_fabric => to_do().advice(
            "There is no link: look at the cable and the other side. Polling means that the port \
             looks for one, Disabled that it was switched off.",
        ),
        _ => down(machine, device, system, to_do()),
    }
}

/// An InfiniBand port that waits for its subnet manager.
fn no_manager(machine: &Machine, system: &System, check: Check) -> Check {
    let check = check.advice(
        "The link is up, and nobody has given the port a LID: a subnet manager must run somewhere \
         in the fabric, on a switch or on one of the machines. To run one here:",
    );
    let installed = ["usr/sbin/opensm", "usr/bin/opensm"].iter().any(|file| machine.has(file));
    let install = if installed { None } else { system.install("opensm", "opensm") };
    let start = system.as_root("systemctl start opensm");
    check.commands(install).commands([start])
}

/// The network interfaces of a device.
fn interfaces(machine: &Machine, device: &str) -> Vec<String> {
    machine.names(&format!("sys/class/infiniband/{device}/device/net"))
}

/// An Ethernet port that has no address.
fn no_address(machine: &Machine, device: &str, system: &System, check: Check) -> Check {
    let check = check.advice(
        "The GID table has no entry of RoCE v2: give the interface an address. This one is from a \
         range for documentation; take one of your network.",
    );
    let add = interfaces(machine, device).into_iter().take(1);
    check.commands(
        add.map(|name| system.as_root(&format!("ip address add 192.0.2.1/24 dev {name}"))),
    )
}

/// An Ethernet port without a link.
fn down(machine: &Machine, device: &str, system: &System, check: Check) -> Check {
    let names = interfaces(machine, device);
    let Some(name) = names.first() else {
        return check.advice("Its network interface is not here: in another namespace, perhaps.");
    };
    let flags = machine.number(&format!("sys/class/net/{name}/flags")).unwrap_or_default();
    if flags & 1 == 0 {
        return check.commands([system.as_root(&format!("ip link set {name} up"))]);
    }
    check.advice(format!("{name} is up and has no link: look at the cable and the other side."))
}
