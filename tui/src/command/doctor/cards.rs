//! The cards on the PCI bus.

use super::machine::{Machine, is_plain};
use doorbell_driver::mlx5::Mlx5;
use doorbell_driver::verbs::{DeviceInfo, Provider};
use doorbell_examples::Device;

/// Mellanox's, now NVIDIA's, PCI vendor number.
const VENDOR: u64 = 0x15b3;

/// The upper byte of a network function's PCI class. The vendor also makes bridges and more.
const NETWORK: u64 = 0x02;

/// Device numbers that `mlx5_core` takes, and their names: Linux,
/// drivers/net/ethernet/mellanox/mlx5/core/main.c, `mlx5_core_pci_table`; the comments there give
/// the names.
const NAMES: [(u64, &str); 25] = [
    (0x1011, "Connect-IB"),
    (0x1012, "Connect-IB VF"),
    (0x1013, "ConnectX-4"),
    (0x1014, "ConnectX-4 VF"),
    (0x1015, "ConnectX-4 Lx"),
    (0x1016, "ConnectX-4 Lx VF"),
    (0x1017, "ConnectX-5"),
    (0x1018, "ConnectX-5 VF"),
    (0x1019, "ConnectX-5 Ex"),
    (0x101a, "ConnectX-5 Ex VF"),
    (0x101b, "ConnectX-6"),
    (0x101c, "ConnectX-6 VF"),
    (0x101d, "ConnectX-6 Dx"),
    (0x101e, "ConnectX family VF"),
    (0x101f, "ConnectX-6 Lx"),
    (0x1021, "ConnectX-7"),
    (0x1023, "ConnectX-8"),
    (0x1025, "ConnectX-9"),
    (0x1027, "ConnectX-10"),
    (0x2101, "ConnectX-10 NVLink-C2C"),
    (0xa2d2, "BlueField with ConnectX-5"),
    (0xa2d3, "BlueField with ConnectX-5, VF"),
    (0xa2d6, "BlueField-2 with ConnectX-6 Dx"),
    (0xa2dc, "BlueField-3 with ConnectX-7"),
    (0xa2df, "BlueField-4 with ConnectX-8"),
];

/// A card: one function on the PCI bus.
#[derive(Debug, Clone)]
pub struct Card {
    /// Its address: `0000:3b:00.0`.
    pub address: String,
    /// Its device number.
    pub device: u64,
    /// The driver that holds it.
    pub driver: Option<String>,
    /// Its IOMMU group.
    pub group: Option<String>,
    /// The driver that is to take it, whatever others would.
    pub wanted: Option<String>,
    /// Its network interfaces.
    pub interfaces: Vec<String>,
}

impl Card {
    /// Its folder.
    pub fn folder(&self) -> String {
        format!("sys/bus/pci/devices/{}", self.address)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        let found = NAMES.iter().find(|(device, _)| *device == self.device);
        found.map_or("a device not known to this program", |(_, name)| name)
    }

    /// Whether this program's provider drives it.
    pub fn is_ours(&self) -> bool {
        drives(VENDOR, self.device)
    }

    /// Whether a driver of this name holds it.
    pub fn is_held_by(&self, driver: &str) -> bool {
        self.driver.as_deref() == Some(driver)
    }
}

/// Whether this program's provider drives a device with these PCI numbers.
pub fn drives(vendor: u64, device: u64) -> bool {
    let numbers = u16::try_from(vendor).ok().zip(u16::try_from(device).ok());
    numbers.is_some_and(|(vendor, device)| {
        Mlx5.matches(&DeviceInfo { name: String::new(), vendor, device })
    })
}

/// The cards of a machine, in the order of their addresses.
pub fn find(machine: &Machine) -> Vec<Card> {
    let addresses = machine.names("sys/bus/pci/devices");
    addresses.into_iter().filter_map(|address| card(machine, address)).collect()
}

fn card(machine: &Machine, address: String) -> Option<Card> {
    let folder = format!("sys/bus/pci/devices/{address}");
    format!("vfio:{address}").parse::<Device>().ok()?;
    if machine.number(&format!("{folder}/vendor"))? != VENDOR {
        return None;
    }
    let class = machine.number(&format!("{folder}/class"));
    if class.is_some_and(|class| class >> 16 != NETWORK) {
        return None;
    }
    let wanted = machine.word(&format!("{folder}/driver_override"));
    Some(Card {
        device: machine.number(&format!("{folder}/device"))?,
        driver: machine.link(&format!("{folder}/driver")),
        group: machine.link(&format!("{folder}/iommu_group")),
        wanted: wanted.filter(|name| is_plain(name) && name != "(null)"),
        interfaces: machine.names(&format!("{folder}/net")),
        address,
    })
}
