//! The kernel's door and VFIO's, on folders that look like those of a machine with cards.

#![cfg(target_os = "linux")]

use doorbell_driver::bus::{VfioCard, VfioError, check_driver, identify};
use doorbell_driver::control::Link;
use doorbell_driver::control::uverbs::KernelDoor;
use doorbell_driver::mlx5::{Mlx5, VfioDoor};
use doorbell_driver::verbs::{Door, Providers, VerbsError, get_device_list, open_device};
use doorbell_tracer::Tracer;
use std::fs::{create_dir_all, write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Writes a file, and the folders above it.
fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    create_dir_all(path.parent().expect("a file in a folder")).expect("folders can be made");
    write(path, text).expect("files can be written");
}

/// A machine with two cards: one on InfiniBand, one on Ethernet.
fn machine() -> TempDir {
    let root = tempfile::tempdir().expect("a folder for the machine");
    for (number, name, id) in [("uverbs1", "mlx5_1", "0x101b"), ("uverbs0", "mlx5_0", "0x1017")] {
        let entry = format!("class/infiniband_verbs/{number}");
        put(root.path(), &format!("{entry}/ibdev"), &format!("{name}\n"));
        put(root.path(), &format!("{entry}/device/vendor"), "0x15b3\n");
        put(root.path(), &format!("{entry}/device/device"), &format!("{id}\n"));
    }
    put(root.path(), "class/infiniband_verbs/abi_version", "6\n");
    let port = "class/infiniband/mlx5_0/ports/1";
    put(root.path(), &format!("{port}/link_layer"), "InfiniBand\n");
    put(root.path(), &format!("{port}/lid"), "0x1a\n");
    put(root.path(), &format!("{port}/gids/0"), "fe80:0000:0000:0000:506b:4b03:0000:0001\n");
    let port = "class/infiniband/mlx5_1/ports/1";
    put(root.path(), &format!("{port}/link_layer"), "Ethernet\n");
    put(root.path(), &format!("{port}/lid"), "0x0\n");
    let gids = [
        ("IB/RoCE v1", "fe80:0000:0000:0000:0000:00ff:fe00:0001"),
        ("RoCE v2", "fe80:0000:0000:0000:0000:00ff:fe00:0001"),
        ("IB/RoCE v1", "0000:0000:0000:0000:0000:ffff:c000:0201"),
        ("RoCE v2", "0000:0000:0000:0000:0000:ffff:c000:0201"),
    ];
    for (index, (kind, gid)) in gids.iter().enumerate() {
        put(root.path(), &format!("{port}/gid_attrs/types/{index}"), &format!("{kind}\n"));
        put(root.path(), &format!("{port}/gids/{index}"), &format!("{gid}\n"));
    }
    root
}

#[test]
fn devices_are_listed_in_the_order_of_their_files() {
    let root = machine();
    let door = KernelDoor::at(root.path(), Path::new("/dev/infiniband"));
    let found = door.devices().expect("two devices");
    let names: Vec<_> = found.iter().map(|info| (info.name.as_str(), info.device)).collect();
    assert_eq!(names, [("mlx5_0", 0x1017), ("mlx5_1", 0x101b)]);
    assert_eq!(door.node("mlx5_1"), Some("/dev/infiniband/uverbs1".into()));
    assert_eq!(door.node("mlx5_2"), None);
}

#[test]
fn a_port_is_addressed_by_its_lid_or_by_its_routable_gid() {
    let root = machine();
    let door = KernelDoor::at(root.path(), Path::new("/dev/infiniband"));
    let fabric = door.address("mlx5_0").expect("an address");
    assert_eq!((fabric.link, fabric.lid, fabric.gid_index), (Link::InfiniBand, 0x1a, 0));
    let ethernet = door.address("mlx5_1").expect("an address");
    assert_eq!((ethernet.link, ethernet.lid, ethernet.gid_index), (Link::Ethernet, 0, 3));
    assert_eq!(ethernet.gid[10..], [0xff, 0xff, 192, 0, 2, 1]);
    assert_eq!(door.address("mlx5_7"), None);
}

#[test]
fn an_empty_folder_and_a_missing_one_say_which_module_is_missing() {
    let root = tempfile::tempdir().expect("a folder");
    let door = KernelDoor::at(root.path(), root.path());
    let missing = door.devices().expect_err("no folder").to_string();
    assert!(missing.contains("ib_uverbs is not loaded"), "{missing}");
    put(root.path(), "class/infiniband_verbs/abi_version", "6\n");
    let empty = door.devices().expect_err("no device").to_string();
    assert!(empty.contains("mlx5_ib") && empty.contains("is not loaded"), "{empty}");
}

#[test]
fn a_device_file_that_is_not_there_is_named() {
    let root = machine();
    let nodes = root.path().join("dev");
    let door: Arc<dyn Door> = Arc::new(KernelDoor::at(root.path(), &nodes));
    let tracer = Tracer::off();
    let mut providers = Providers::new();
    providers.register(&Mlx5, &tracer);
    let devices = get_device_list(&[door], &tracer);
    let error = open_device(&devices[0], &providers, &tracer).err().expect("no file").to_string();
    assert!(error.contains("dev/uverbs0") && error.contains("load mlx5_ib"), "{error}");
}

#[test]
fn a_card_that_another_driver_holds_is_not_taken() {
    let root = tempfile::tempdir().expect("a folder");
    let address = "0000:3b:00.0";
    let missing = identify(root.path(), address).unwrap_err();
    assert_eq!(missing, VfioError::Missing(address.to_owned()));
    let folder = format!("bus/pci/devices/{address}");
    put(root.path(), &format!("{folder}/vendor"), "0x15b3\n");
    put(root.path(), &format!("{folder}/device"), "0x101b\n");
    assert_eq!(identify(root.path(), address), Ok((0x15b3, 0x101b)));
    let unbound = check_driver(root.path(), address).unwrap_err().to_string();
    assert!(unbound.contains("bound to no driver") && unbound.contains("driver_override"));

    let driver = root.path().join(&folder).join("driver");
    create_dir_all(root.path().join("bus/pci/drivers/mlx5_core")).expect("a folder");
    symlink("../../../../bus/pci/drivers/mlx5_core", &driver).expect("a link");
    let held = check_driver(root.path(), address).unwrap_err();
    let text = held.to_string();
    assert!(text.contains("held by mlx5_core") && text.contains("drivers/mlx5_core/unbind"));
    assert!(text.contains("To give it back"), "{text}");

    std::fs::remove_file(&driver).expect("the link goes");
    symlink("../../../../bus/pci/drivers/vfio-pci", &driver).expect("a link");
    assert_eq!(check_driver(root.path(), address), Ok(()));
}

#[test]
fn a_vfio_address_without_a_card_is_an_error_of_discovery_and_of_opening() {
    let address = "ffff:ff:1f.7";
    let door: Arc<dyn Door> = Arc::new(VfioDoor::to(address));
    let reason = door.devices().expect_err("no card there").to_string();
    assert!(reason.contains(address) && reason.contains("lspci"), "{reason}");
    let error = VfioCard::open(address).err().map(VerbsError::from).expect("no card there");
    assert!(error.to_string().contains("no PCI device"), "{error}");
}
