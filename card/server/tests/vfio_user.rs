//! The device as a vfio-user client sees it, without QEMU: configuration space, BAR 0, DMA,
//! interrupts, mapped doorbells, and a client that vanishes.

mod common;

use common::*;
use doorbell_card::{CardConfig, FIRST_UAR};
use doorbell_card_server::{Options, RegisterAccess, ServeError, serve};
use doorbell_prm::commands::*;
use doorbell_prm::eqe::{EventType, PortChange};
use doorbell_prm::registers::init_segment::offset;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use vfio_bindings::bindings::vfio::*;

#[test]
fn configuration_space_and_registers_are_a_connectx() {
    let (_serving, mut guest) = Guest::new(RegisterAccess::Mapped);
    let mut id = [0; 4];
    guest.client.region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, &mut id).unwrap();
    assert_eq!(id, [0xb3, 0x15, 0x1b, 0x10]);
    assert_eq!(guest.read32(offset::COMMAND_INTERFACE_REVISION) >> 16, 5);
    let first = guest.read32(offset::HEALTH_COUNTER);
    assert_ne!(guest.read32(offset::HEALTH_COUNTER), first, "the firmware lives");
    let timer = guest.read32(offset::INTERNAL_TIMER_LOW);
    assert_ne!(guest.read32(offset::INTERNAL_TIMER_LOW), timer, "time passes");
    let bar = guest.client.region(VFIO_PCI_BAR0_REGION_INDEX).unwrap();
    assert_eq!(bar.size, CardConfig::infiniband(1).bar_size());
    assert_eq!(bar.sparse_areas[0].offset, (u64::from(FIRST_UAR) + 1) << 12);
    // Accesses that make no sense are answered, with nothing.
    let mut bytes = [1; 8];
    for region in [VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, 3] {
        guest.client.region_read(region, u64::MAX - 3, &mut bytes).unwrap();
        guest.client.region_write(region, u64::MAX - 3, &bytes).unwrap();
    }
    let mut table = [9; 16];
    guest.client.region_write(0, 0x8000, &table).unwrap();
    table.fill(0);
    guest.client.region_read(0, 0x8000, &mut table).unwrap();
    assert_eq!(table, [9; 16], "the MSI-X table");
}

#[test]
fn commands_go_by_dma_and_their_events_by_interrupt() {
    let (_serving, mut guest) = Guest::new(RegisterAccess::Mapped);
    guest.bring_up();
    let irqs = guest.client.get_irq_info(VFIO_PCI_MSIX_IRQ_INDEX).unwrap();
    assert_eq!(irqs.count, u32::from(doorbell_card::VECTORS));
    let vector = guest.vector();
    let uar = guest.command(&AllocUarIn::new(), &[]).uar();
    assert_eq!(uar, FIRST_UAR, "the page that is always trapped");
    let (_, buffer) = guest.event_queue(uar, EventType::Command);
    guest.command(&AllocPdIn::new(), &[]);
    wait_for(&vector);
    let event: [u8; 64] = guest.get(buffer);
    assert_eq!((event[1], event[63] & 1), (EventType::Command.code(), 0));
    // Memory that is taken away is not written any more.
    guest.client.dma_unmap(BASE, LENGTH).unwrap();
    guest.write32(offset::COMMAND_DOORBELL, 1);
    assert_eq!(guest.get::<64>(buffer), event);
}

#[test]
fn a_reset_of_the_function_forgets_everything() {
    for by_config in [true, false] {
        let (_serving, mut guest) = Guest::new(RegisterAccess::Trapped);
        guest.bring_up();
        match by_config {
            // PCI Express device control, in the capability at 0x60.
            true => {
                guest.client.region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x68, &[0, 0x80]).unwrap()
            }
            false => guest.client.reset().unwrap(),
        }
        guest.write32(offset::COMMAND_QUEUE_ADDRESS_HIGH, 0);
        guest.write32(offset::COMMAND_QUEUE_ADDRESS_LOW, QUEUE as u32);
        guest.command(&EnableHcaIn::new(), &[]);
    }
}

fn port_state(guest: &mut Guest) -> u8 {
    guest.command(&QueryHcaVportContextIn::new(), &[]).hca_vport_context().vport_state()
}

#[test]
fn a_cable_that_is_pulled_out_is_told_and_stays_out_for_the_next_guest() {
    let (serving, mut guest) = Guest::new(RegisterAccess::Mapped);
    guest.bring_up();
    let vector = guest.vector();
    let uar = guest.command(&AllocUarIn::new(), &[]).uar();
    let (_, buffer) = guest.event_queue(uar, EventType::PortChange);
    assert_eq!(port_state(&mut guest), PortState::Active.code());
    serving.unplug();
    wait_for(&vector);
    let event: [u8; 64] = guest.get(buffer);
    assert_eq!((event[1], event[3]), (EventType::PortChange.code(), PortChange::Down.code()));
    assert_eq!(port_state(&mut guest), PortState::Down.code());
    let Guest { client, _folder: folder, .. } = guest;
    drop(client);
    serving.wait_for_guests(1);
    let socket = folder.path().join("private").join("card.sock");
    let mut guest = Guest::connect(&socket, folder);
    guest.bring_up();
    assert_eq!(port_state(&mut guest), PortState::Down.code());
    serving.plug();
    let begun = std::time::Instant::now();
    while port_state(&mut guest) != PortState::Active.code() {
        assert!(begun.elapsed() < DEADLINE, "the port is not active again");
    }
}

/// What QEMU does when its guest reboots: the connection, its memory and its interrupts stay. The first
/// guest did not say goodbye, and its queues lie where the next one has something else.
#[test]
fn a_guest_that_reboots_finds_a_fresh_card_that_leaves_its_memory_alone() {
    for by_config in [true, false] {
        let (serving, mut guest) = Guest::new(RegisterAccess::Mapped);
        let vector = guest.vector();
        let mut last = None;
        for boot in 0..3 {
            guest.bring_up();
            let uar = guest.command(&AllocUarIn::new(), &[]).uar();
            let (number, buffer) = guest.event_queue(uar, EventType::PortChange);
            assert_eq!((uar, number), (FIRST_UAR, 1), "boot {boot}: nothing is taken yet");
            match boot % 2 {
                0 => serving.unplug(),
                _ => serving.plug(),
            }
            wait_for(&vector);
            rustix::io::read(&vector, &mut [0; 8]).unwrap();
            assert_eq!(guest.get::<64>(buffer)[1], EventType::PortChange.code());
            if let Some(old) = last.replace(buffer) {
                assert_eq!(
                    guest.get::<64>(old),
                    [0x5a; 64],
                    "boot {boot}: not the card's any more"
                );
            }
            guest.client.region_write(VFIO_PCI_BAR0_REGION_INDEX, 0x8000, &[9; 16]).unwrap();
            match by_config {
                true => {
                    let reset = [0, 0x80];
                    guest.client.region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x68, &reset).unwrap()
                }
                false => guest.client.reset().unwrap(),
            }
            let mut table = [1; 16];
            guest.client.region_read(VFIO_PCI_BAR0_REGION_INDEX, 0x8000, &mut table).unwrap();
            assert_eq!(table, [0; 16], "the MSI-X table");
            guest.put(buffer, &[0x5a; 64]);
            guest.write32(offset::COMMAND_QUEUE_ADDRESS_HIGH, (QUEUE >> 32) as u32);
            guest.write32(offset::COMMAND_QUEUE_ADDRESS_LOW, QUEUE as u32);
        }
    }
}

#[test]
fn trapped_registers_are_not_offered_as_memory() {
    let (_serving, guest) = Guest::new(RegisterAccess::Trapped);
    let bar = guest.client.region(VFIO_PCI_BAR0_REGION_INDEX).unwrap();
    assert!(bar.sparse_areas.is_empty() && bar.file_offset.is_none());
}

#[test]
fn a_client_that_vanishes_leaves_nothing_to_the_next() {
    let (serving, folder, socket) = start(RegisterAccess::Mapped);
    let mut guest = Guest::connect(&socket, folder);
    guest.bring_up();
    let Guest { client, _folder: folder, .. } = guest;
    drop(client);
    serving.wait_for_guests(1);
    let mut guest = Guest::connect(&socket, folder);
    guest.bring_up();
    let Guest { client, _folder, .. } = guest;
    client.shutdown().unwrap();
    drop(client);
    serving.wait_for_guests(2);
    serving.stop().unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_client_that_speaks_nonsense_is_gone_and_the_next_is_served() {
    use std::io::Write;
    let (serving, folder, socket) = start(RegisterAccess::Mapped);
    // A version message whose text has no end, and one that is only a header.
    for message in [
        &[0_u8, 0, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4][..],
        &[0xff; 16],
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.write_all(message).unwrap();
        drop(stream);
    }
    serving.wait_for_guests(2);
    Guest::connect(&socket, folder).bring_up();
}

#[test]
fn the_socket_is_its_owners_only() {
    let (serving, folder, socket) = start(RegisterAccess::Mapped);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    let again = serve(Options::new(&socket, CardConfig::infiniband(1)));
    assert!(matches!(again, Err(ServeError::InUse(_))), "{again:?}");
    serving.stop().unwrap();

    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let open = serve(Options::new(folder.path().join("x"), CardConfig::infiniband(1)));
    assert!(matches!(open, Err(ServeError::OpenFolder(_))), "{open:?}");
    let file = socket.parent().unwrap().join("file");
    std::fs::write(&file, "not a socket").unwrap();
    let taken = serve(Options::new(&file, CardConfig::infiniband(1)));
    assert!(matches!(taken, Err(ServeError::NotASocket(_))), "{taken:?}");
    let nowhere = serve(Options::new("card.sock", CardConfig::infiniband(1)));
    assert!(matches!(nowhere, Err(ServeError::NoFolder(_))), "{nowhere:?}");

    // A socket that nobody serves any more is replaced.
    let stale = socket.parent().unwrap().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let serving = serve(Options::new(&stale, CardConfig::infiniband(1))).unwrap();
    serving.stop().unwrap();
}
