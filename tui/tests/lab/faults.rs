//! What happens when a card or a guest dies, or a card stands still: everybody finds out in time,
//! and nothing is left behind.

use super::lab_command;
use super::running::*;
use doorbell_card::CardConfig;
use doorbell_card_server::{Options, serve};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Two guests whose programs write from one card to the other; ready when they do.
fn traffic_between_two() -> Option<Running> {
    let script = "if [ $LAB_GUEST = 1 ]; then ib_write_bw -F -d mlx5_0 -D 100 > /tmp/out; exit; fi\n\
        packets=/sys/class/infiniband/mlx5_0/ports/1/counters/port_xmit_packets\n\
        { while [ $(cat $packets) -lt 1000 ]; do sleep 0.2; done; echo traffic; } &\n\
        tries=0\n\
        while [ $tries -lt 40 ]; do\n\
        tries=$((tries + 1))\n\
        ib_write_bw -F -d mlx5_0 -D 100 $LAB_PEER > /tmp/out 2>&1\n\
        grep -q local.address /tmp/out && break\n\
        sleep 0.5; done\n\
        cat /tmp/out; echo writer ended";
    let mut running = Running::start(lab_command(&["run", "--guests", "2"], script)?);
    running.wait_for("guest0: traffic");
    Some(running)
}

/// The other guest's card sends again, seven times, and gives up. Its program does not hang.
#[test]
fn a_guest_that_is_killed_is_noticed_by_the_other() {
    let Some(running) = traffic_between_two() else { return };
    let machines = running.machines();
    let (other, _) =
        machines.iter().find(|(_, line)| line.contains("52:54:00:77:00:02")).expect("guest1");
    kill(*other);
    let ended = running.end(Duration::from_secs(60));
    eprintln!("{}\n{}\n{}", ended.status, ended.out, ended.err);
    assert!(
        ended.out.contains("transport retry counter exceeded") || ended.out.contains("status 12")
    );
    assert!(ended.out.contains("guest0: writer ended"));
}

/// In a process of its own, which can be killed.
#[test]
fn serves_a_card_until_it_is_killed() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let _serving = serve(Options::new(socket, CardConfig::infiniband(1))).expect("served");
    std::thread::sleep(Duration::from_secs(300));
}

const SOCKET: &str = "DOORBELL_TEST_CARD_SOCKET";

/// The guest would wait for minutes; the lab ends it, and the next one works.
#[test]
fn a_card_that_is_killed_ends_the_lab() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = socket_in(&folder);
    let script = "ib_write_bw -F -d mlx5_0 -D 100 > /dev/null & listening\n\
        { sleep 3; echo traffic; } &\n\
        ib_write_bw -F -d mlx5_0 -D 100 localhost";
    if lab_command(&[], script).is_none() {
        return;
    }
    let mut server = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "faults::serves_a_card_until_it_is_killed"])
        .env(SOCKET, &socket)
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no card is served");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut running = on_card(&folder, "100", script).expect("a lab");
    running.wait_for("traffic");
    let machines = running.machines();
    assert_eq!(machines.len(), 1, "{machines:?}");
    server.kill().expect("killed");
    server.wait().expect("a child");
    let ended = running.end(Duration::from_secs(20));
    assert_eq!(ended.status.code(), Some(125), "{}", ended.err);
    assert!(ended.err.contains("is gone: the process that served it has ended"), "{}", ended.err);
    let machine = PathBuf::from(format!("/proc/{}", machines[0].0));
    assert!(!machine.exists(), "the guest is gone, too");
    // The next start works, on the same socket, which the dead server left.
    let _serving = serve(Options::new(&socket, CardConfig::infiniband(1))).expect("served");
    let again = on_card(&folder, "60", "ibv_devinfo | grep PORT_ACTIVE").expect("a lab");
    let ended = again.end(Duration::from_secs(200));
    assert!(ended.status.success() && ended.out.contains("PORT_ACTIVE"), "{}", ended.err);
}

/// A guest that is killed leaves a fresh card to the next one, and that one finds out when the card
/// stands still: the kernel's watchdog first, and then every command.
#[test]
fn the_next_guest_gets_a_fresh_card_and_notices_when_it_stands_still() {
    let (serving, folder) = card();
    let traffic = "ib_write_bw -F -d mlx5_0 -D 100 > /dev/null & listening\n\
        { sleep 3; echo traffic; } &\n\
        ib_write_bw -F -d mlx5_0 -D 100 localhost";
    let Some(mut first) = on_card(&folder, "100", traffic) else { return };
    first.wait_for("traffic");
    kill(first.machines()[0].0);
    let ended = first.end(Duration::from_secs(20));
    assert_eq!(ended.status.code(), Some(125), "{}", ended.err);
    let script = "ibv_devinfo | grep PORT_ACTIVE && echo up\n\
        tries=0\n\
        until dmesg | grep 'reached miss count' || [ $tries = 40 ]; do\n\
        tries=$((tries + 1)); sleep 1; done\n\
        ibv_devinfo > /dev/null 2>&1 &\n\
        tries=0\n\
        until dmesg | grep -i 'timeout. Will cause a leak' || [ $tries = 90 ]; do\n\
        tries=$((tries + 1)); sleep 1; done";
    let mut next = on_card(&folder, "200", script).expect("a lab");
    next.wait_for("up");
    serving.freeze();
    let ended = next.end(Duration::from_secs(180));
    // The watchdog speaks after seconds, a command that is not answered after a minute.
    for told in ["device's health compromised - reached miss count", "Will cause a leak"] {
        assert!(ended.out.contains(told), "no `{told}` in\n{}\n{}", ended.out, ended.err);
    }
    assert!(ended.status.success(), "{}", ended.err);
}

fn kill(process: i32) {
    let process = rustix::process::Pid::from_raw(process).expect("a process");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("killed");
}
