//! The command line of QEMU.

use crate::accelerator::Accelerator;
use crate::error::LabError;
use crate::tree::Tree;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of the host that the guest sees at `/mnt/share`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Which one.
    pub folder: PathBuf,
    /// Whether the guest may write to it.
    pub is_writable: bool,
}

/// The wire between two guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Its socket.
    pub socket: PathBuf,
    /// Which of the two this guest is: 0 listens, 1 connects.
    pub guest: usize,
}

/// The machine that QEMU is to be.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The packages that hold QEMU and the kernel.
    pub tree: &'a Tree,
    /// The first file system.
    pub initramfs: &'a Path,
    /// How its instructions are run.
    pub accelerator: Accelerator,
    /// Its memory, in MiB.
    pub memory: u32,
    /// How many processors it has.
    pub processors: u32,
    /// The layers of its root, the upper ones first: name and folder.
    pub layers: &'a [(&'static str, PathBuf)],
    /// The sockets of its cards.
    pub cards: &'a [PathBuf],
    /// Whether it has an IOMMU, as VFIO in the guest needs.
    pub has_iommu: bool,
    /// A folder of the host.
    pub share: Option<&'a Share>,
    /// The wire to the other guest.
    pub wire: Option<&'a Wire>,
    /// The folder of the sockets of its streams: `NAME.sock` each.
    pub sockets: &'a Path,
    /// The names of its ports; `console` is the terminal.
    pub ports: &'a [&'static str],
    /// The file that takes its console.
    pub console: &'a Path,
}

/// The command that runs a machine.
pub fn command(machine: &Machine) -> Result<Command, LabError> {
    let mut command = machine.tree.command("usr/bin/qemu-system-x86_64")?;
    for folder in ["usr/share/qemu", "usr/share/seabios"] {
        command.arg("-L").arg(machine.tree.file(folder)?);
    }
    command.args(["-nographic", "-nodefaults", "-no-user-config", "-no-reboot", "-net", "none"]);
    // A lab that is killed leaves no guest behind.
    command.args(["-run-with", "exit-with-parent=on"]);
    processor_and_memory(machine, &mut command);
    boot(machine, &mut command)?;
    for (name, folder) in machine.layers {
        file_system(name, folder, true, &mut command);
    }
    if let Some(share) = machine.share {
        file_system("share", &share.folder, !share.is_writable, &mut command);
    }
    streams(machine, &mut command);
    cards(machine, &mut command);
    if let Some(wire) = machine.wire {
        network(wire, &mut command);
    }
    Ok(command)
}

/// The card reads and writes the guest's memory, so that has a file descriptor to hand out.
fn processor_and_memory(machine: &Machine, command: &mut Command) {
    let iommu = if machine.has_iommu { ",kernel-irqchip=split" } else { "" };
    let name = machine.accelerator.name();
    command.arg("-M").arg(format!("q35,accel={name},memory-backend=memory{iommu}"));
    command.args(["-cpu", "max", "-smp", &machine.processors.to_string()]);
    command.args(["-m", &format!("{}M", machine.memory)]);
    let size = machine.memory;
    command.args(["-object", &format!("memory-backend-memfd,id=memory,size={size}M,share=on")]);
    if machine.has_iommu {
        command.args(["-device", "intel-iommu,intremap=on,caching-mode=on"]);
    }
}

fn boot(machine: &Machine, command: &mut Command) -> Result<(), LabError> {
    let layers: Vec<&str> = machine.layers.iter().map(|(name, _)| *name).collect();
    let iommu = if machine.has_iommu { " intel_iommu=on iommu=nopt" } else { "" };
    command.arg("-kernel").arg(machine.tree.kernel()?).arg("-initrd").arg(machine.initramfs);
    command.arg("-append").arg(format!(
        "console=ttyS0 loglevel=5 panic=-1 rdinit=/init lab.layers={}{iommu}",
        layers.join(":")
    ));
    let console = option("file,id=log,path=", machine.console, "");
    command.arg("-chardev").arg(console).args(["-serial", "chardev:log"]);
    Ok(())
}

fn file_system(name: &str, folder: &Path, is_read_only: bool, command: &mut Command) {
    let rest =
        if is_read_only { ",security_model=none,readonly=on" } else { ",security_model=none" };
    let before = format!("local,id={name},path=");
    command.arg("-fsdev").arg(option(&before, folder, rest));
    command.args(["-device", &format!("virtio-9p-pci,fsdev={name},mount_tag={name}")]);
}

fn streams(machine: &Machine, command: &mut Command) {
    command.args(["-device", "virtio-serial-pci"]);
    for name in machine.ports {
        let socket = machine.sockets.join(format!("{name}.sock"));
        command.arg("-chardev").arg(option(&format!("socket,id={name},path="), &socket, ""));
        let device = match *name {
            "console" => "virtconsole,chardev=console,name=console".to_string(),
            name => format!("virtserialport,chardev={name},name={name}"),
        };
        command.args(["-device", &device]);
    }
}

fn cards(machine: &Machine, command: &mut Command) {
    for (index, socket) in machine.cards.iter().enumerate() {
        let slot = index + 1;
        command
            .args(["-device", &format!("pcie-root-port,id=port{slot},chassis={slot},slot={slot}")]);
        let socket = serde_json::json!({ "type": "unix", "path": socket.to_string_lossy() });
        let device = serde_json::json!({
            "driver": "vfio-user-pci", "id": format!("card{index}"), "bus": format!("port{slot}"),
            "socket": socket,
        });
        command.arg("-device").arg(device.to_string());
    }
}

fn network(wire: &Wire, command: &mut Command) {
    let server = if wire.guest == 0 { "on" } else { "off,reconnect-ms=200" };
    let before = format!("stream,id=wire,server={server},addr.type=unix,addr.path=");
    command.arg("-netdev").arg(option(&before, &wire.socket, ""));
    let mac = format!("52:54:00:77:00:{:02x}", wire.guest + 1);
    command.args(["-device", &format!("virtio-net-pci,netdev=wire,mac={mac},romfile=")]);
}

/// An option with a path in it: a comma would end it, and is doubled.
fn option(before: &str, path: &Path, after: &str) -> OsString {
    let mut bytes = before.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        bytes.extend(std::iter::repeat_n(*byte, if *byte == b',' { 2 } else { 1 }));
    }
    bytes.extend_from_slice(OsStr::new(after).as_bytes());
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_path_ends_no_option() {
        let text = option("local,path=", Path::new("/a,b/c"), ",readonly=on");
        assert_eq!(text, "local,path=/a,,b/c,readonly=on");
    }

    #[test]
    fn the_machine_has_what_it_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in [
            "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            "usr/bin/qemu-system-x86_64",
            "boot/vmlinuz-6.0",
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        for name in ["usr/share/qemu", "usr/share/seabios", "usr/lib/modules/6.0/kernel"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        let share = Share { folder: "/home/me".into(), is_writable: false };
        let machine = Machine {
            tree: &Tree::at(folder.path()),
            initramfs: Path::new("/i.cpio"),
            accelerator: Accelerator::Tcg,
            memory: 512,
            processors: 1,
            layers: &[("run", "/r".into()), ("base", "/b".into())],
            cards: &["/c0".into(), "/c1".into()],
            has_iommu: true,
            share: Some(&share),
            wire: None,
            sockets: Path::new("/s"),
            ports: &["control", "console"],
            console: Path::new("/log"),
        };
        let command = command(&machine).expect("all is there");
        let words: Vec<String> =
            command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        let text = words.join(" ");
        for part in [
            "lab.layers=run:base",
            "share=on",
            "exit-with-parent=on",
            "intel-iommu",
            "local,id=share,path=/home/me,security_model=none,readonly=on",
            "\"path\":\"/c1\"",
            "virtconsole,chardev=console",
            "virtserialport,chardev=control",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("netdev"));
    }
}
