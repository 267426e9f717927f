//! Finding devices as libibverbs does: through the class folder that the kernel fills.
//!
//! `ib_uverbs` makes an entry in `/sys/class/infiniband_verbs` for each device that a kernel driver
//! registers with it. No driver, no entry, and no device for any program, whatever cards are in the
//! machine. That is the whole answer to why `mlx5_ib` must be loaded first.

use crate::control::{Link, PortAddress};
use crate::verbs::{DeviceInfo, Door, NothingThere};
use std::any::Any;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// The port that queue pairs are made on.
pub(super) const PORT: u8 = 1;

/// The kernel's door to cards.
pub struct KernelDoor {
    /// `/sys`, and `/dev/infiniband`; elsewhere in tests.
    sysfs: PathBuf,
    nodes: PathBuf,
    /// Only the device of this name, if one is wanted.
    wanted: Option<String>,
}

impl Default for KernelDoor {
    fn default() -> Self {
        Self { sysfs: "/sys".into(), nodes: "/dev/infiniband".into(), wanted: None }
    }
}

impl KernelDoor {
    /// The door to one device: by its name, as `mlx5_0`, or that of its file, as `uverbs0`.
    pub fn to(name: &str) -> Self {
        Self { wanted: Some(name.to_owned()), ..Self::default() }
    }

    /// A door on another machine's folders.
    pub fn at(sysfs: &Path, nodes: &Path) -> Self {
        Self { sysfs: sysfs.into(), nodes: nodes.into(), wanted: None }
    }

    /// The class folder.
    fn class(&self) -> PathBuf {
        self.sysfs.join("class/infiniband_verbs")
    }

    // ANCHOR: uverbs_entries
    /// The entries of the class folder, in the order of their names: the device's name and what is
    /// known of it, and the name of its file.
    fn entries(&self) -> Result<Vec<(DeviceInfo, String)>, NothingThere> {
        let class = self.class();
        let entries = read_dir(&class).map_err(|_| {
            NothingThere(format!(
                "{} does not exist: ib_uverbs is not loaded, and so no driver can have made a device",
                class.display()
            ))
        })?;
        let mut found: Vec<_> =
            entries.flatten().filter_map(|entry| device(&entry.path())).collect();
        found.sort_by(|left, right| left.1.cmp(&right.1));
        if found.is_empty() {
            return Err(NothingThere(format!(
                "{} is empty: entries are made by a kernel driver, mlx5_ib for this card, and it is not loaded",
                class.display()
            )));
        }
        Ok(found)
    }
    // ANCHOR_END: uverbs_entries

    /// The file of a device.
    pub fn node(&self, device: &str) -> Option<PathBuf> {
        let entries = self.entries().ok()?;
        let (_, node) = entries.into_iter().find(|(info, _)| info.name == device)?;
        Some(self.nodes.join(node))
    }

    /// The folder that tells about a device.
    pub fn folder(&self, device: &str) -> PathBuf {
        self.sysfs.join("class/infiniband").join(device)
    }

    // ANCHOR: port_address
    /// What the port is called on the network.
    pub fn address(&self, device: &str) -> Option<PortAddress> {
        let port = self.folder(device).join(format!("ports/{PORT}"));
        let link = match word(&port, "link_layer")?.as_str() {
            "InfiniBand" => Link::InfiniBand,
            _ => Link::Ethernet,
        };
        let (gid_index, gid) = match link {
            Link::InfiniBand => (0, gid(&port, 0)?),
            Link::Ethernet => routable_gid(&port)?,
        };
        let lid = number(&word(&port, "lid")?)?;
        Some(PortAddress { gid, gid_index, lid, link, mac: [0; 6] })
    }
    // ANCHOR_END: port_address
}

impl Door for KernelDoor {
    fn place(&self) -> String {
        self.class().display().to_string()
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        let entries = self.entries()?;
        let Some(wanted) = &self.wanted else {
            return Ok(entries.into_iter().map(|(info, _)| info).collect());
        };
        let names: Vec<_> = entries.iter().map(|(info, _)| info.name.clone()).collect();
        let mut found = entries.into_iter();
        match found.find(|(info, node)| info.name == *wanted || node == wanted) {
            Some((info, _)) => Ok(vec![info]),
            None => Err(NothingThere(format!(
                "no device {wanted:?} in {}, but {}",
                self.class().display(),
                names.join(", ")
            ))),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The device of an entry `uverbsN`.
fn device(entry: &Path) -> Option<(DeviceInfo, String)> {
    let node = entry.file_name()?.to_str()?.to_owned();
    let info = DeviceInfo {
        name: word(entry, "ibdev")?,
        vendor: number(&word(entry, "device/vendor")?)?,
        device: number(&word(entry, "device/device")?)?,
    };
    Some((info, node))
}

/// What a file of sysfs says.
pub(super) fn word(folder: &Path, name: &str) -> Option<String> {
    read_to_string(folder.join(name)).ok().map(|text| {
        // A link layer is one word; a state is a number and a word.
        text.trim().to_owned()
    })
}

/// A number as sysfs writes them: `0x15b3`, or without the prefix in ten digits.
fn number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// An entry of the port's GID table.
pub(super) fn gid(port: &Path, index: u8) -> Option<[u8; 16]> {
    let text = word(port, &format!("gids/{index}"))?;
    let address: std::net::Ipv6Addr = text.parse().ok()?;
    Some(address.octets())
}

/// The first entry that is of RoCE v2 and not empty, an IPv4 one before others.
fn routable_gid(port: &Path) -> Option<(u8, [u8; 16])> {
    let routable = (0..=u8::MAX).filter(|index| {
        word(port, &format!("gid_attrs/types/{index}")).is_some_and(|kind| kind == "RoCE v2")
    });
    let found: Vec<_> = routable
        .filter_map(|index| Some((index, gid(port, index)?)))
        .filter(|(_, gid)| *gid != [0; 16])
        .collect();
    let mapped = |gid: &[u8; 16]| gid[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    found.iter().find(|(_, gid)| mapped(gid)).or(found.first()).copied()
}
