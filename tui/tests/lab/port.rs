//! The cable of a card that a kernel drives is pulled out and put in again.

use super::running::*;
use std::time::Duration;

/// The kernel's port follows, programs that watch for it are told, and traffic goes on after it.
#[test]
fn a_cable_that_is_pulled_out_takes_the_kernels_port_down() {
    let (serving, folder) = card();
    let script = "state() { cat /sys/class/infiniband/mlx5_0/ports/1/state; }\n\
        wait_for() { tries=0\n\
        until state | grep \"$1\" || [ $tries = 100 ]; do\n\
        tries=$((tries + 1)); sleep 0.2; done; }\n\
        ibv_asyncwatch -d mlx5_0 > /tmp/events 2>&1 & watch=$!\n\
        for look in $(seq 300); do grep -q 'event FD' /tmp/events && break; sleep 0.1; done\n\
        wait_for ACTIVE; echo watching\n\
        wait_for DOWN; cat /sys/class/infiniband/mlx5_0/ports/1/phys_state\n\
        ibv_devinfo | grep state: ; echo down\n\
        wait_for ACTIVE; sleep 0.5; kill $watch; cat /tmp/events\n\
        ibv_rc_pingpong > /dev/null & listening; ibv_rc_pingpong localhost; wait\n\
        dmesg | grep -i -e warning -e BUG: -e mlx5.*fail; echo end";
    let Some(mut running) = on_card(&folder, "100", script) else { return };
    running.wait_for("watching");
    serving.unplug();
    let heard = running.wait_for("down");
    for told in ["1: DOWN", "2: Polling", "PORT_DOWN (1)"] {
        assert!(heard.contains(told), "no `{told}` in\n{heard}");
    }
    serving.plug();
    let ended = running.end(Duration::from_secs(120));
    eprintln!("{}\n{}", ended.out, ended.err);
    let lines = ended.out.lines().filter_map(|line| line.trim().strip_prefix("event_type "));
    let events: Vec<_> = lines.collect();
    // To `mlx5_ib` a port that is only initialised is one more error.
    let error = "IBV_EVENT_PORT_ERR (10), port 1";
    assert_eq!(events, [error, error, "IBV_EVENT_PORT_ACTIVE (9), port 1"], "{}", ended.out);
    assert!(ended.out.contains("4: ACTIVE") && ended.out.contains("usec/iter"), "{}", ended.out);
    assert!(!ended.out.contains("WARNING"), "{}", ended.out);
}

/// `echo 1 > reset`, a reset of the function through PCI Express, between two lives of the drivers: once
/// with no driver there, and once with `vfio-pci` to come. The register with the address of the
/// command queue shows that the card has forgotten.
#[test]
fn a_reset_of_the_function_from_the_guest_leaves_a_card_that_works() {
    let (_serving, folder) = card();
    let script = "device=/sys/bus/pci/devices/0000:01:00.0\n\
        cat $device/reset_method\n\
        read bar rest < $device/resource\n\
        queue() { echo queue $1 $(busybox devmem $(($bar + 0x14)) 32); }\n\
        rmmod mlx5_ib mlx5_core; queue before\n\
        echo 1 > $device/reset && echo reset alone; queue after\n\
        modprobe mlx5_core; modprobe mlx5_ib\n\
        wait_for() { tries=0\n\
        until grep ACTIVE /sys/class/infiniband/mlx5_0/ports/1/state || [ $tries = 100 ]; do\n\
        tries=$((tries + 1)); sleep 0.2; done; }\n\
        wait_for; dmesg | grep -i -e WARNING -e BUG: -e 'mlx5.*fail.*[0-9])$'\n\
        ibv_rc_pingpong > /dev/null & listening; ibv_rc_pingpong localhost; wait\n\
        echo $device | sed 's,.*/,,' > /sys/bus/pci/drivers/mlx5_core/unbind\n\
        modprobe vfio-pci; echo vfio-pci > $device/driver_override\n\
        echo 1 > $device/reset && echo reset unbound\n\
        echo > $device/driver_override; echo 0000:01:00.0 > /sys/bus/pci/drivers_probe\n\
        wait_for; ibv_rc_pingpong > /dev/null & listening; ibv_rc_pingpong localhost; wait";
    let Some(running) = on_card(&folder, "100", script) else { return };
    let ended = running.end(Duration::from_secs(120));
    let told = format!("{}\n{}", ended.out, ended.err);
    assert!(ended.status.success(), "{told}");
    // Big-endian, with the size of the queue in the last byte, which the guest prints first.
    let forgotten = |when: &str| {
        let line = ended.out.lines().find(|line| line.starts_with(&format!("queue {when} 0x")));
        line.unwrap_or_else(|| panic!("no register in\n{told}")).ends_with("56000000")
    };
    assert!(!forgotten("before") && forgotten("after"), "{told}");
    for what in ["flr", "reset alone", "reset unbound"] {
        assert!(ended.out.contains(what), "no `{what}` in\n{told}");
    }
    for (what, count) in [("4: ACTIVE", 2), ("usec/iter", 2), ("WARNING", 0)] {
        assert_eq!(ended.out.matches(what).count(), count, "`{what}` in\n{told}");
    }
}
