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
        sleep 1; wait_for ACTIVE; echo watching\n\
        wait_for DOWN; cat /sys/class/infiniband/mlx5_0/ports/1/phys_state\n\
        ibv_devinfo | grep state: ; echo down\n\
        wait_for ACTIVE; sleep 0.5; kill $watch; cat /tmp/events\n\
        ibv_rc_pingpong > /dev/null & sleep 1; ibv_rc_pingpong localhost; wait\n\
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
