//! `doorbell doctor` on folders that look like machines, written out here file by file.

#![cfg(target_os = "linux")]

use doorbell::command::doctor::{Door, PINNED, Report, Verdict, examine_within, text};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How long a folder may keep the doctor.
const PATIENCE: Duration = Duration::from_secs(120);

/// A machine of Debian's, and a user without special rights. `FILE = TEXT` is a file, `LINK ->
/// TARGET` a link, and `FOLDER/` a folder.
const DEBIAN: &str = r#"
proc/sys/kernel/osrelease = 6.12.9-amd64
proc/sys/kernel/arch = x86_64
proc/cmdline = BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet
proc/cpuinfo = flags		: fpu vme
proc/self/status = Uid:	1000	1000	1000	1000\nCapEff:	0000000000000000
proc/self/limits = Max locked memory         8388608              8388608              bytes
etc/os-release = PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian
sys/kernel/security/lockdown = [none] integrity confidentiality
usr/lib/x86_64-linux-gnu/libibverbs.so.1.14.56.0 = ELF
usr/lib/x86_64-linux-gnu/libibverbs.so.1 -> libibverbs.so.1.14.56.0
usr/bin/apt-get = ELF
usr/bin/apt-config = ELF
usr/bin/dpkg-deb = ELF
usr/bin/tar = ELF
usr/share/keyrings/debian-archive-keyring.gpg = keys
lib/modules/6.12.9-amd64/modules.builtin = kernel/fs/ext4/ext4.ko
lib/modules/6.12.9-amd64/modules.dep = kernel/mlx5/mlx5_core.ko.xz: kernel/x/psample.ko.xz\nkernel/ib/mlx5_ib.ko.xz:\nkernel/ib/ib_uverbs.ko.xz:\nkernel/vfio/vfio-pci.ko.xz:
sys/bus/pci/devices/0000:00:1f.0/vendor = 0x8086
sys/bus/pci/devices/0000:00:1f.0/device = 0x2918
sys/bus/pci/devices/0000:00:1f.0/class = 0x060100
"#;

/// A ConnectX-6 in it.
const CARD: &str = "
sys/bus/pci/devices/0000:3b:00.0/vendor = 0x15b3
sys/bus/pci/devices/0000:3b:00.0/device = 0x101b
sys/bus/pci/devices/0000:3b:00.0/class = 0x020700
sys/bus/pci/devices/0000:3b:00.0/driver_override = (null)
";

/// The kernel's driver holds it.
const CORE: &str = "
sys/module/mlx5_core/initstate = live
sys/bus/pci/devices/0000:3b:00.0/driver -> ../../../bus/pci/drivers/mlx5_core
sys/bus/pci/devices/0000:3b:00.0/net/ibs1/
";

/// And has made a device of it.
const DEVICE: &str = "
sys/module/mlx5_ib/initstate = live
sys/module/ib_uverbs/initstate = live
sys/class/infiniband_verbs/abi_version = 6
sys/class/infiniband_verbs/uverbs0/ibdev = mlx5_0
sys/class/infiniband_verbs/uverbs0/dev = 231:192
sys/class/infiniband_verbs/uverbs0/device -> ../../../bus/pci/devices/0000:3b:00.0
sys/class/infiniband/mlx5_0/fw_ver = 20.43.1014
sys/class/infiniband/mlx5_0/device -> ../../../bus/pci/devices/0000:3b:00.0
sys/class/net/ibs1/flags = 0x1003
";

const NODE: &str = "
dev/infiniband/uverbs0 = a device
";

/// Its port, in an InfiniBand fabric with a subnet manager.
const ACTIVE: &str = "
sys/class/infiniband/mlx5_0/ports/1/link_layer = InfiniBand
sys/class/infiniband/mlx5_0/ports/1/state = 4: ACTIVE
sys/class/infiniband/mlx5_0/ports/1/phys_state = 5: LinkUp
sys/class/infiniband/mlx5_0/ports/1/lid = 0x1a
sys/class/infiniband/mlx5_0/ports/1/sm_lid = 0x1
sys/class/infiniband/mlx5_0/ports/1/rate = 200 Gb/sec (4X HDR)
sys/class/infiniband/mlx5_0/ports/1/gids/0 = fe80:0000:0000:0000:506b:4b03:0000:0001
";

/// An Ethernet port whose table of GIDs has only the older kind of entry.
const ETHERNET: &str = "
sys/class/infiniband/mlx5_0/ports/1/link_layer = Ethernet
sys/class/infiniband/mlx5_0/ports/1/state = 4: ACTIVE
sys/class/infiniband/mlx5_0/ports/1/phys_state = 5: LinkUp
sys/class/infiniband/mlx5_0/ports/1/lid = 0x0
sys/class/infiniband/mlx5_0/ports/1/gids/0 = 0000:0000:0000:0000:0000:0000:0000:0000
sys/class/infiniband/mlx5_0/ports/1/gid_attrs/types/0 = RoCE v2
sys/class/infiniband/mlx5_0/ports/1/gids/1 = fe80:0000:0000:0000:506b:4bff:fe00:0001
sys/class/infiniband/mlx5_0/ports/1/gid_attrs/types/1 = IB/RoCE v1
";

/// VFIO holds the card.
const VFIO: &str = "
sys/module/vfio_pci/initstate = live
sys/bus/pci/devices/0000:3b:00.0/driver -> ../../../bus/pci/drivers/vfio-pci
sys/bus/pci/devices/0000:3b:00.0/driver_override = vfio-pci
";

/// An IOMMU keeps it apart.
const GROUP: &str = "
sys/class/iommu/dmar0/
sys/kernel/iommu_groups/12/devices/0000:3b:00.0/
sys/bus/pci/devices/0000:3b:00.0/iommu_group -> ../../../../kernel/iommu_groups/12
proc/cmdline = ro intel_iommu=on
dev/vfio/vfio = a device
dev/vfio/12 = a device
";

/// No limit on locked memory.
const UNLIMITED: &str = "
proc/self/limits = Max locked memory         unlimited            unlimited            bytes
";

/// Makes the files that are written out.
fn plant(root: &Path, parts: &[&str]) {
    for line in parts.iter().flat_map(|part| part.lines()).filter(|line| !line.is_empty()) {
        let place = |name: &str| {
            let place = root.join(name);
            fs::create_dir_all(place.parent().expect("below the root")).expect("folders");
            let _ = fs::remove_file(&place);
            place
        };
        if let Some((name, text)) = line.split_once(" = ") {
            fs::write(place(name), text.replace("\\n", "\n") + "\n").expect("a file");
        } else if let Some((name, target)) = line.split_once(" -> ") {
            symlink(target, place(name)).expect("a link");
        } else {
            fs::create_dir_all(root.join(line)).expect("a folder");
        }
    }
}

/// A machine of these parts; later ones replace files of earlier ones.
fn machine(parts: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    plant(root.path(), parts);
    root
}

/// The report on a machine of these parts.
fn report(parts: &[&str]) -> Report {
    let root = machine(parts);
    examine_within(root.path(), None, PATIENCE).expect("an answer in time")
}

/// The report as text, after checking what holds for every one.
fn printed(report: &Report) -> String {
    let out = text(report, false);
    for line in out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for check in &report.checks {
        assert!(!check.finding.is_empty() && !check.why.is_empty(), "{check:?}");
        let helps = !check.advice.is_empty() || !check.commands.is_empty();
        assert!(check.verdict != Verdict::ToDo || helps, "{check:?}");
    }
    assert_eq!(report.real_card, report.devices.len() > 1);
    out
}

#[test]
fn a_machine_without_a_card() {
    let report = report(&[DEBIAN]);
    insta::assert_snapshot!("doctor_no_card", printed(&report));
    assert_eq!(
        (report.devices.as_slice(), report.next.as_str()),
        (&["card".to_owned()][..], "doorbell lab")
    );
}

#[test]
fn a_card_that_no_driver_holds() {
    let report = report(&[DEBIAN, CARD]);
    insta::assert_snapshot!("doctor_no_driver", printed(&report));
    assert_eq!(report.next, "sudo modprobe mlx5_core");
}

#[test]
fn a_driver_without_mlx5_ib() {
    let report = report(&[DEBIAN, CARD, CORE]);
    insta::assert_snapshot!("doctor_no_mlx5_ib", printed(&report));
    assert_eq!(report.next, "sudo modprobe mlx5_ib");
}

#[test]
fn an_infiniband_port_without_a_subnet_manager() {
    let waits = "
sys/class/infiniband/mlx5_0/ports/1/state = 2: INIT
sys/class/infiniband/mlx5_0/ports/1/lid = 0x0
sys/class/infiniband/mlx5_0/ports/1/sm_lid = 0x0
";
    let parts = [DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE, waits];
    insta::assert_snapshot!("doctor_port_init", printed(&report(&parts)));
    assert_eq!(report(&parts).next, "sudo apt-get install opensm");
    let installed = report(&[&parts[..], &["usr/sbin/opensm = ELF\n"]].concat());
    assert_eq!(installed.next, "sudo systemctl start opensm");
    let fedora = "etc/os-release = PRETTY_NAME=\"Fedora Linux 42\"\\nID=fedora\n";
    let fedora = report(&[&parts[..], &[fedora]].concat());
    assert_eq!(fedora.next, "sudo dnf install opensm");
}

#[test]
fn an_ethernet_port_without_a_routable_gid_and_one_that_is_down() {
    let parts = [DEBIAN, CARD, CORE, DEVICE, NODE, ETHERNET];
    let report_of = report(&parts);
    insta::assert_snapshot!("doctor_no_gid", printed(&report_of));
    assert_eq!(report_of.next, "sudo ip address add 192.0.2.1/24 dev ibs1");
    let down = "
sys/class/infiniband/mlx5_0/ports/1/state = 1: DOWN
sys/class/infiniband/mlx5_0/ports/1/phys_state = 3: Disabled
sys/class/net/ibs1/flags = 0x1002
";
    let report_of = report(&[&parts[..], &[down]].concat());
    assert_eq!(report_of.next, "sudo ip link set ibs1 up");
    let addressed = "
sys/class/infiniband/mlx5_0/ports/1/gids/0 = 0000:0000:0000:0000:0000:ffff:c000:0201
";
    let report_of = report(&[&parts[..], &[addressed]].concat());
    assert_eq!(report_of.devices, ["card", "mlx5_0"]);
}

#[test]
fn the_kernels_door_is_open() {
    let report = report(&[DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE]);
    insta::assert_snapshot!("doctor_kernel_works", printed(&report));
    assert_eq!(report.devices, ["card", "mlx5_0"]);
    assert_eq!(report.next, "doorbell step rc-write --device mlx5_0");
    assert!(report.checks.iter().all(|check| check.verdict != Verdict::ToDo));
}

#[test]
fn a_card_bound_to_vfio_behind_an_iommu() {
    let report_of = report(&[DEBIAN, CARD, VFIO, GROUP, UNLIMITED]);
    insta::assert_snapshot!("doctor_vfio_works", printed(&report_of));
    assert_eq!(report_of.devices, ["card", "vfio:0000:3b:00.0"]);
    // A normal user's usual limit is smaller than what VFIO pins, and root's capability lifts it.
    let limited = report(&[DEBIAN, CARD, VFIO, GROUP]);
    assert_eq!(limited.next, "sudo prlimit --pid $$ --memlock=16777216:16777216");
    let root = "proc/self/status = Uid:\t0\t0\t0\t0\\nCapEff:\t000001ffffffffff\n";
    assert!(report(&[DEBIAN, CARD, VFIO, GROUP, root]).real_card);
    let soft = "proc/self/limits = Max locked memory         65536 unlimited bytes\n";
    assert_eq!(report(&[DEBIAN, CARD, VFIO, GROUP, soft]).next, "ulimit -l 16384");
}

#[test]
fn a_card_bound_to_vfio_without_an_iommu() {
    let tables = "sys/firmware/acpi/tables/DMAR = table\n";
    let report_of = report(&[DEBIAN, CARD, VFIO, UNLIMITED, tables]);
    insta::assert_snapshot!("doctor_vfio_no_iommu", printed(&report_of));
    assert!(!report_of.real_card);
    assert!(report_of.next.contains("intel_iommu=on"), "what VFIO lacks comes first");
    let set = "etc/default/grub = GRUB_CMDLINE_LINUX=\"intel_iommu=on \"\n";
    let report_of = report(&[DEBIAN, CARD, VFIO, UNLIMITED, tables, set]);
    assert_eq!(report_of.next, "sudo update-grub", "it is not to be added twice");
    let asked = "proc/cmdline = ro intel_iommu=on\n";
    let report_of = report(&[DEBIAN, CARD, VFIO, UNLIMITED, tables, asked]);
    assert!(report_of.next.contains("dmesg") && !report_of.next_is_command);
    // The mode without an IOMMU makes groups that keep nothing apart.
    let played = "sys/kernel/iommu_groups/12/name = vfio-noiommu\n";
    let report_of = report(&[DEBIAN, CARD, VFIO, GROUP, UNLIMITED, played]);
    assert!(!report_of.real_card);
    assert!(printed(&report_of).contains("no-IOMMU mode"));
}

#[test]
fn a_group_with_a_device_that_another_driver_holds() {
    let shared = "
sys/kernel/iommu_groups/12/devices/0000:3b:00.1/
sys/bus/pci/devices/0000:3b:00.1/driver -> ../../../bus/pci/drivers/mlx5_core
";
    let report_of = report(&[DEBIAN, CARD, VFIO, GROUP, UNLIMITED, shared]);
    assert_eq!(
        report_of.next,
        "echo 0000:3b:00.1 | sudo tee /sys/bus/pci/drivers/mlx5_core/unbind"
    );
    let bridge = "sys/bus/pci/devices/0000:3b:00.1/driver -> ../../../bus/pci/drivers/pcieport\n";
    assert!(report(&[DEBIAN, CARD, VFIO, GROUP, UNLIMITED, shared, bridge]).real_card);
}

#[test]
fn a_locked_down_kernel_in_a_container_without_modules() {
    let around = "
sys/kernel/security/lockdown = none [integrity] confidentiality
.dockerenv = 
etc/os-release = PRETTY_NAME=\"Red Hat Enterprise Linux 9.6\"\\nID=rhel\\nID_LIKE=\"fedora\"
proc/sys/kernel/osrelease = 5.14.0-570.el9.x86_64
";
    insta::assert_snapshot!("doctor_lockdown", printed(&report(&[DEBIAN, CARD, around])));
    let report = report(&[DEBIAN, CARD, CORE, DEVICE, ACTIVE, around]);
    assert!(report.next.contains("--device=/dev/infiniband/uverbs0"), "{}", report.next);
}

#[test]
fn a_card_that_this_program_does_not_drive_is_no_door() {
    let older = "sys/bus/pci/devices/0000:3b:00.0/device = 0x1003\n";
    let report_of = report(&[DEBIAN, CARD, older]);
    assert!(printed(&report_of).contains("not known to this program (15b3:1003)"));
    assert_eq!(report_of.next, "doorbell lab");
    let connect_ib = "sys/bus/pci/devices/0000:3b:00.0/device = 0x1011\n";
    let report_of = report(&[DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE, connect_ib]);
    assert!(printed(&report_of).contains("Connect-IB"));
    assert!(!report_of.real_card);
}

#[test]
fn a_virtual_function_is_a_card_like_any_other() {
    let virtual_function = "sys/bus/pci/devices/0000:3b:00.0/device = 0x101e\n";
    let report_of = report(&[DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE, virtual_function]);
    assert!(printed(&report_of).contains("ConnectX family VF"));
    assert!(!report_of.checks.iter().any(|check| check.finding.contains("none that this program")));
}

#[test]
fn each_module_is_found_where_it_is() {
    let built_in = "lib/modules/6.12.9-amd64/modules.builtin = kernel/ib/mlx5_ib.ko\n";
    let lists = "lib/modules/6.12.9-amd64/modules.dep = kernel/x/mlx5_ib_not.ko.xz:\n";
    let finding = |parts: &[&str]| {
        let report = report(parts);
        let check = report.checks.into_iter().find(|check| check.name == "module mlx5_ib");
        check.expect("a check")
    };
    assert_eq!(finding(&[DEBIAN, CARD, built_in]).finding, "built into the kernel");
    let absent = finding(&[DEBIAN, CARD, lists]);
    assert_eq!(absent.commands, ["sudo apt-get install linux-image-amd64"]);
    let ubuntu = "etc/os-release = ID=ubuntu\\nID_LIKE=debian\n";
    let absent = finding(&[DEBIAN, CARD, lists, ubuntu]);
    assert_eq!(absent.commands, ["sudo apt-get install linux-modules-extra-$(uname -r)"]);
}

#[test]
fn locked_memory_that_is_too_small_closes_the_kernels_door() {
    let none = "proc/self/limits = Max locked memory         0 65536 bytes\n";
    let report = report(&[DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE, none]);
    assert_eq!(report.next, format!("ulimit -l {}", PINNED >> 10));
    assert_eq!(report.devices, ["card"]);
}

/// The command as an ordinary user runs it: where the tests run as root, as another.
fn as_user(root: &Path, arguments: &[&str]) -> Output {
    let program = root.join("doorbell");
    fs::copy(env!("CARGO_BIN_EXE_doorbell"), &program).expect("a copy that every user can reach");
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("our folder");
    let mut command = Command::new(&program);
    command.arg("doctor").arg("--root").arg(root).args(arguments).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command.output().expect("doorbell starts")
}

#[test]
fn a_file_that_this_user_may_not_open() {
    let root = machine(&[DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE]);
    let node = root.path().join("dev/infiniband/uverbs0");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o600)).expect("our file");
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&node, fs::Permissions::from_mode(0o400)).expect("our file");
    }
    let output = as_user(root.path(), &[]);
    insta::assert_snapshot!("doctor_not_permitted", String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "no door: {output:?}");
    assert!(output.stderr.is_empty(), "the report says it all: {output:?}");

    fs::set_permissions(&node, fs::Permissions::from_mode(0o666)).expect("our file");
    let output = as_user(root.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(0), "a door: {output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["devices"], serde_json::json!(["card", "mlx5_0"]));
    assert_eq!(report["checks"][0]["verdict"], "ok");
    let vfio = as_user(root.path(), &["--door", "vfio"]);
    assert_eq!(vfio.status.code(), Some(1), "that door is closed: {vfio:?}");
    assert!(
        String::from_utf8_lossy(&vfio.stdout).contains("works now: --device card, --device mlx5_0")
    );
}

#[test]
fn colours_only_repeat_what_words_say() {
    let report = report(&[DEBIAN, CARD]);
    let coloured = text(&report, true);
    assert!(coloured.contains('\u{1b}'));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain += before;
        rest = after.split_once('m').expect("a whole sequence").1;
    }
    assert_eq!(plain + rest, text(&report, false));
}

/// What the doctor reads may be of any kind.
#[derive(Debug, Clone)]
enum Thing {
    Text(Vec<u8>),
    Folder,
    Pipe,
    Link(String),
    Nothing,
}

fn thing() -> impl Strategy<Value = Thing> {
    let word = prop::sample::select(vec![
        "0x15b3",
        "0x101b",
        "0x020700",
        "mlx5_0",
        "4: ACTIVE",
        "2: INIT",
        "Ethernet",
        "InfiniBand",
        "RoCE v2",
        "fe80::1",
        "0x",
        "[",
        "[]",
        ":",
        "a:b",
        "(null)",
        "-1",
        "\u{1b}[31m",
        "vfio-pci",
        "Max locked memory 1 2 bytes",
        "Uid:\t1\t1",
        "ID=fedora",
        "kernel/a/mlx5_ib.ko",
        "$(reboot)",
    ]);
    prop_oneof![
        4 => word.prop_map(|word| Thing::Text(word.as_bytes().to_vec())),
        2 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Thing::Text),
        1 => Just(Thing::Folder),
        1 => Just(Thing::Pipe),
        1 => prop::sample::select(vec![".", "..", "../../..", "x\u{1b}y", "mlx5_core", "vfio-pci", "/dev/zero", "7; id"])
            .prop_map(|target| Thing::Link(target.to_owned())),
        1 => Just(Thing::Nothing),
    ]
}

/// Every path that the machines above have.
fn paths() -> Vec<&'static str> {
    let parts = [DEBIAN, CARD, CORE, DEVICE, NODE, ACTIVE, ETHERNET, VFIO, GROUP];
    let lines = parts.iter().flat_map(|part| part.lines()).filter(|line| !line.is_empty());
    lines.map(|line| line.split(' ').next().expect("a path")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever lies where it looks, the doctor answers, in time and in words that a terminal can
    /// show, and never names a command that is made of what it read there.
    #[test]
    fn strange_machines_are_answered(
        changes in prop::collection::vec((prop::sample::select(paths()), thing()), 1..12),
        bound in any::<bool>(),
    ) {
        let holder = if bound { VFIO } else { CORE };
        let root = machine(&[DEBIAN, CARD, holder, DEVICE, NODE, ACTIVE, GROUP]);
        for (path, thing) in &changes {
            let place = root.path().join(path);
            if place.is_dir() && !place.is_symlink() {
                let _ = fs::remove_dir_all(&place);
            } else {
                let _ = fs::remove_file(&place);
            }
            // A folder above may have become something else, and then there is no such place.
            let _ = match thing {
                Thing::Text(bytes) => fs::write(&place, bytes),
                Thing::Folder => fs::create_dir_all(&place),
                Thing::Link(target) => symlink(target, &place),
                Thing::Pipe => mknodat(CWD, &place, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                    .map_err(Into::into),
                Thing::Nothing => Ok(()),
            };
        }
        for door in [None, Some(Door::Kernel), Some(Door::Vfio)] {
            let start = Instant::now();
            let report = examine_within(root.path(), door, PATIENCE).expect("an answer");
            prop_assert!(start.elapsed() < PATIENCE);
            let out = text(&report, false);
            prop_assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{out}");
            let commands = report.checks.iter().flat_map(|check| &check.commands);
            for command in commands {
                prop_assert!(!command.contains(';') && !command.contains("reboot)"), "{command}");
            }
            serde_json::to_string(&report).expect("JSON");
        }
    }
}
