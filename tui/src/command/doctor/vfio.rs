//! VFIO's door: an IOMMU keeps the card within bounds, `vfio-pci` holds it, and this user may open
//! its group.

use super::cards::Card;
use super::kernel::memory;
use super::machine::Machine;
use super::modules;
use super::report::{Check, Purpose};
use super::system::{Family, System};
use doorbell_driver::bus::{VfioCard, VfioError, check_driver};
use rustix::io::Errno;

const IOMMU: &str = "It lets the card reach only the memory that the program gave it.";
const MODULE: &str = "It hands the card's registers to a program.";
const HOLDS: &str = "A card has one driver; for this door it must be vfio-pci.";
const GROUP: &str = "Cards that the IOMMU cannot keep apart go to one program together.";
const FILES: &str = "Who may open these files may use the card; root is not needed.";
const MEMORY: &str = "Memory that the card is let into is pinned, and counts against this limit.";

/// The name that a group has where there is no IOMMU behind it.
const NO_IOMMU: &str = "vfio-noiommu";

/// The driver that a card must be bound to.
const DRIVER: &str = "vfio-pci";

/// The checks of this door, and the devices that it leads to now.
pub fn check(machine: &Machine, system: &System, cards: &[Card]) -> (Vec<Check>, Vec<String>) {
    let ours: Vec<&Card> = cards.iter().filter(|card| card.is_ours()).collect();
    if ours.is_empty() {
        let finding = "there is no card for it to lead to".to_owned();
        return (vec![Check::not_here(Purpose::Vfio, "IOMMU", IOMMU, finding)], Vec::new());
    }
    let mut checks = vec![
        iommu(machine, system),
        modules::check(machine, system, Purpose::Vfio, "vfio_pci", MODULE),
    ];
    let limit = memory(system, Purpose::Vfio, MEMORY, VfioCard::LOCKED_BYTES as u64);
    let shared = checks.iter().chain([&limit]).all(|check| !check.is_to_do());
    let mut devices = Vec::new();
    for card in ours {
        let mut mine = vec![held(machine, system, card), group(machine, system, card)];
        if mine.iter().all(|check| !check.is_to_do()) {
            mine.push(files(machine, system, card));
        }
        if shared && mine.iter().all(|check| !check.is_to_do()) {
            devices.push(format!("vfio:{}", card.address));
        }
        checks.extend(mine);
    }
    checks.push(limit);
    (checks, devices)
}

/// The group of a card, if an IOMMU made it.
fn group_of<'a>(machine: &Machine, card: &'a Card) -> Option<&'a str> {
    let group = card.group.as_deref()?;
    let name = machine.word(&format!("sys/kernel/iommu_groups/{group}/name"));
    (name.as_deref() != Some(NO_IOMMU)).then_some(group)
}

/// Whether the IOMMU is on.
fn iommu(machine: &Machine, system: &System) -> Check {
    let name = "IOMMU";
    let groups = machine.names("sys/kernel/iommu_groups");
    let real = groups.iter().filter(|group| {
        let name = machine.word(&format!("sys/kernel/iommu_groups/{group}/name"));
        name.as_deref() != Some(NO_IOMMU)
    });
    let count = real.count();
    let said: Vec<&str> =
        system.command_line.split_whitespace().filter(|word| word.contains("iommu")).collect();
    let line = match said.as_slice() {
        [] => "the kernel's command line does not name it".to_owned(),
        words => format!("the kernel's command line has {}", words.join(" ")),
    };
    if count > 0 {
        let units = machine.names("sys/class/iommu").join(", ");
        let units = if units.is_empty() { String::new() } else { format!(" ({units})") };
        let groups = if count == 1 { "group" } else { "groups" };
        let finding = format!("on{units}, {count} {groups}; {line}");
        return Check::ok(Purpose::Vfio, name, IOMMU, finding);
    }
    let check = Check::to_do(Purpose::Vfio, name, IOMMU, format!("off; {line}"));
    if system.guest {
        return check.advice(
            "This is a virtual machine: its host must give it a virtual IOMMU, as \
             `doorbell lab --iommu` does.",
        );
    }
    if let Some(off) = said.iter().find(|word| word.contains("off")) {
        return check.advice(format!(
            "Take {off} out of the kernel's command line (/etc/default/grub), and boot again."
        ));
    }
    let has = |table: &str| machine.has(&format!("sys/firmware/acpi/tables/{table}"));
    let is_asked_for = said.contains(&"intel_iommu=on");
    if has("DMAR") && !is_asked_for {
        return intel(machine, system, check);
    }
    if has("DMAR") || has("IVRS") || has("IORT") {
        return check.advice(
            "The firmware describes an IOMMU, and the kernel does not use it: \
             dmesg | grep -i -e iommu -e smmu says why.",
        );
    }
    check.advice(
        "The firmware describes none: switch it on in the firmware's set-up, where it is called \
         VT-d, AMD-Vi, IOMMU or SMMU, and boot again.",
    )
}

/// An IOMMU of Intel's that the firmware has switched on and the kernel leaves off.
fn intel(machine: &Machine, system: &System, check: Check) -> Check {
    let check = check.advice(
        "The firmware describes an IOMMU (VT-d), and this kernel leaves it off unless its command \
         line has intel_iommu=on.",
    );
    let settings = machine.word("etc/default/grub").unwrap_or_default();
    let is_set = settings.contains("intel_iommu=on");
    let add = match system.family {
        Family::Fedora => vec!["grubby --update-kernel=ALL --args=intel_iommu=on"],
        Family::Debian if is_set => vec!["update-grub"],
        Family::Debian => vec![
            "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&intel_iommu=on /' /etc/default/grub",
            "update-grub",
        ],
        Family::Other => return check,
    };
    let commands = add.into_iter().chain(["reboot"]);
    check.commands(commands.map(|command| system.as_root(command)))
}

/// Whether VFIO holds a card, as the driver of this program asks.
fn held(machine: &Machine, system: &System, card: &Card) -> Check {
    let name = format!("driver of {}", card.address);
    let to_do = |finding: String| Check::to_do(Purpose::Vfio, &name, HOLDS, finding);
    let take = || {
        let folder = format!("/{}", card.folder());
        let is_wanted = card.wanted.as_deref() == Some(DRIVER);
        let want = system.write(DRIVER, &format!("{folder}/driver_override"));
        let probe = system.write(&card.address, "/sys/bus/pci/drivers_probe");
        (!is_wanted).then_some(want).into_iter().chain([probe])
    };
    match check_driver(&machine.place("sys"), &card.address) {
        Ok(()) => Check::ok(Purpose::Vfio, &name, HOLDS, format!("{DRIVER} holds it")),
        Err(VfioError::Held { .. }) => {
            // The driver's name may not be fit for a command; then there is none.
            let driver = card.driver.as_deref().unwrap_or("another driver");
            let mut finding = format!("{driver} holds it");
            if !card.interfaces.is_empty() {
                finding += &format!(", and makes {} of it", card.interfaces.join(", "));
            }
            let unbind = card.driver.as_deref().map(|driver| {
                system.write(&card.address, &format!("/sys/bus/pci/drivers/{driver}/unbind"))
            });
            to_do(finding)
                .advice("Whoever uses the card loses it, its network too. Then:")
                .commands(unbind)
                .commands(take())
        }
        Err(_) => to_do("no driver holds it".to_owned()).commands(take()),
    }
}

/// Whether all of a card's group can be had.
fn group(machine: &Machine, system: &System, card: &Card) -> Check {
    let name = format!("group of {}", card.address);
    let to_do = |finding: String| Check::to_do(Purpose::Vfio, &name, GROUP, finding);
    let Some(group) = group_of(machine, card) else {
        let finding = match &card.group {
            Some(group) => format!("group {group} has no IOMMU behind it (no-IOMMU mode)"),
            None => "it is in no group: the IOMMU is off, or does not see it".to_owned(),
        };
        return to_do(finding).advice("This program takes a card behind an IOMMU only.");
    };
    let members = machine.names(&format!("sys/kernel/iommu_groups/{group}/devices"));
    let driver = |member: &str| machine.link(&format!("sys/bus/pci/devices/{member}/driver"));
    // Drivers that do no DMA of their own do not stand in the way (the kernel's `driver_managed_dma`).
    let harmless = [DRIVER, "pci-stub", "pcieport"];
    let others = members.iter().filter(|member| **member != card.address);
    let held: Vec<(String, String)> = others
        .filter_map(|member| Some((member.clone(), driver(member)?)))
        .filter(|(_, driver)| !harmless.contains(&driver.as_str()))
        .collect();
    if held.is_empty() {
        let finding = match members.len() {
            0 | 1 => format!("group {group}, alone in it"),
            count => format!("group {group}, {count} devices, all free for VFIO"),
        };
        return Check::ok(Purpose::Vfio, &name, GROUP, finding);
    }
    let told: Vec<_> = held.iter().map(|(member, driver)| format!("{member} ({driver})")).collect();
    to_do(format!("group {group} also has {}", told.join(", ")))
        .advice("They must be given up by their drivers, too, if they can be spared.")
        .commands(held.iter().map(|(member, driver)| {
            system.write(member, &format!("/sys/bus/pci/drivers/{driver}/unbind"))
        }))
}

/// Whether the files of VFIO open.
fn files(machine: &Machine, system: &System, card: &Card) -> Check {
    let name = format!("files of {}", card.address);
    let to_do = |finding: String| Check::to_do(Purpose::Vfio, &name, FILES, finding);
    let group = card.group.as_deref().unwrap_or_default();
    let paths = ["/dev/vfio/vfio".to_owned(), format!("/dev/vfio/{group}")];
    for path in &paths {
        match machine.opens(path) {
            Ok(()) => {}
            Err(Errno::ACCESS) => {
                return to_do(format!("this user may not open {path}"))
                    .commands([system.as_root(&format!("chown $(id -u) {path}"))]);
            }
            Err(Errno::BUSY) => {
                return to_do(format!("{path} is open: another program has the card"))
                    .advice("It is free again when that program ends.");
            }
            Err(Errno::NOENT | Errno::PERM) if system.container.is_some() => {
                return to_do(format!("{path} is not in this container")).advice(format!(
                    "Start the container with: --device={} --device={} --ulimit memlock=-1",
                    paths[0], paths[1]
                ));
            }
            Err(error) => {
                return to_do(format!("{path} does not open: {error}"))
                    .advice("dmesg | grep -i vfio may say why.");
            }
        }
    }
    Check::ok(Purpose::Vfio, &name, FILES, format!("this user opens {}", paths.join(" and ")))
}
