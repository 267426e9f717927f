//! What is said about real doors, proved in the lab: the unmodified kernel driver, rdma-core's own
//! programs and ours, on the software card. They boot guests, so they run where `DOORBELL_LAB=1`
//! says so, and say that they were skipped where it does not.

#[path = "common/lab.rs"]
mod common_lab;

#[path = "lab/faults.rs"]
mod faults;

#[path = "lab/running.rs"]
mod running;

#[path = "lab/port.rs"]
mod port;

use common_lab::{LISTENING, lab, printed};
use std::process::{Command, Output};

/// The scenarios, and the last words of each.
const SCENARIOS: [(&str, &str); 3] = [
    ("rc-write", "64 bytes lie in the other queue pair's buffer"),
    ("rc-write-list", "and with it the 3 before it"),
    ("rc-send-inline", "receive 101 received 32 bytes"),
];

/// Runs a shell script in a guest; `None` where guests are not to be booted.
fn guest(options: &[&str], script: &str) -> Option<Output> {
    in_lab(&[&["run"], options].concat(), script)
}

/// Runs a shell script by a subcommand of the lab.
fn in_lab(subcommand: &[&str], script: &str) -> Option<Output> {
    let options = [subcommand, &["--timeout", "240"]].concat();
    Some(lab_command(&options, script)?.output().expect("doorbell starts"))
}

/// The command that runs a shell script in the lab, which has the function `listening`.
fn lab_command(subcommand: &[&str], script: &str) -> Option<Command> {
    let mut command = lab()?;
    let script = format!("{LISTENING}{script}");
    command.args(subcommand).args(["--", "sh", "-c", &script]);
    Some(command)
}

#[test]
fn scenarios_run_through_the_kernels_door_also_for_a_normal_user() {
    let mut script = String::from("set -e\n");
    for (scenario, _) in SCENARIOS {
        script += &format!("su user -c 'doorbell step {scenario} --device mlx5_0 --text'\n");
    }
    let Some(output) = guest(&[], &script) else { return };
    let text = printed(&output);
    for (scenario, last) in SCENARIOS {
        assert!(text.contains(&format!("{scenario} on mlx5_0")) && text.contains(last), "{text}");
    }
}

#[test]
fn scenarios_run_through_vfio_behind_an_iommu() {
    let mut script = String::from(
        "set -e\nmodprobe vfio-pci\n\
         echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override\n\
         echo 0000:01:00.0 > /sys/bus/pci/drivers_probe\n",
    );
    for (scenario, _) in SCENARIOS {
        script += &format!("doorbell step {scenario} --device vfio:0000:01:00.0 --text\n");
    }
    let Some(output) = guest(&["--iommu", "--no-drivers"], &script) else { return };
    let text = printed(&output);
    for (_, last) in SCENARIOS {
        assert!(text.contains(last), "{text}");
    }
}

/// Why must `mlx5_ib` be loaded? Without it the list of devices is empty; with it, system calls
/// create the queues, and from the post to the completion there is none.
#[test]
fn the_kernels_driver_makes_the_device_and_steps_aside() {
    let script = "doorbell step rc-write --device mlx5_0 --text > /tmp/absent; \
                  modprobe mlx5_ib; modprobe ib_uverbs; \
                  while ! test -d /sys/class/infiniband/mlx5_0/ports/1; do sleep 0.1; done; sleep 1; \
                  cat /tmp/absent; echo ====; doorbell step rc-write --device mlx5_0 --text --all";
    let Some(output) = guest(&["--no-drivers"], script) else { return };
    let text = printed(&output);
    let (absent, present) = text.split_once("====").expect("two walks");
    assert!(absent.contains("ib_uverbs is not loaded"), "{absent}");
    assert!(absent.contains("ibv_get_device_list returns 0"), "{absent}");
    assert!(present.contains("write IB_USER_VERBS_CMD_CREATE_QP returns"), "{present}");
    let post = present.find("call ibv_post_send").expect("a post");
    let arrived = present.find("the bytes have arrived").expect("an arrival");
    let data_path = &present[post..arrived];
    for call in ["call write ", "call ioctl ", "call mmap("] {
        assert!(present[..post].contains(call), "{call} before the post");
        assert!(!data_path.contains(call), "{call} on the data path: {data_path}");
    }
}

#[test]
fn a_card_that_the_kernel_drives_is_not_taken_through_vfio() {
    let script = "doorbell step rc-write --device vfio:0000:01:00.0 --text";
    let Some(output) = guest(&["--iommu"], script) else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("is held by mlx5_core") && text.contains("To give it back"), "{text}");
}

#[test]
fn rdma_cores_programs_run_and_leave_no_warning() {
    let script = "set -e\n\
        echo 'file wc.c +p' > /sys/kernel/debug/dynamic_debug/control\n\
        ibv_devinfo -v | grep PORT_ACTIVE\n\
        rdma link | grep 'state ACTIVE'\n\
        ibstat mlx5_0 | grep 'State: Active'\n\
        pair() { \"$@\" > /tmp/server 2>&1 & server=$!; listening; \"$@\" localhost; wait $server; }\n\
        pair ibv_rc_pingpong -d mlx5_0 -c -n 500 -s 64\n\
        pair ibv_rc_pingpong -d mlx5_0 -c -n 500 -s 65536\n\
        pair ibv_rc_pingpong -d mlx5_0 -c -n 500 -s 4096 -e\n\
        for test in ib_write_lat ib_send_lat; do pair $test -F -d mlx5_0 -n 500 -s 8; done\n\
        for test in ib_write_bw ib_send_bw; do pair $test -F -d mlx5_0 -n 200 -s 65536; done\n\
        dmesg | grep wqe_counter\n\
        ! dmesg | grep -E 'WARNING|BUG|refcount'\n";
    let Some(output) = guest(&[], script) else { return };
    let text = printed(&output);
    assert_eq!(text.matches("bytes in").count(), 3, "{text}");
    // The truth where the guest maps registers as memory: nobody sees a burst, and the only NOP
    // that completes is the last, number 254.
    assert!(text.contains("wc wqe_counter = 0xfe"), "{text}");
}

/// Each guest has a card and a LID of its own; connections are set up over the guests' wire, and the
/// messages go from card to card.
#[test]
fn two_guests_talk_from_card_to_card() {
    let script = "set -e\n\
        cat /sys/class/infiniband/mlx5_0/ports/1/state\n\
        run() {\n\
        if [ $LAB_GUEST = 1 ]; then \"$@\"; return; fi\n\
        tries=0\n\
        until \"$@\" $LAB_PEER > /tmp/out 2>&1 || [ $tries = 40 ]; do\n\
        tries=$((tries + 1)); sleep 0.5; done\n\
        cat /tmp/out; [ $tries != 40 ]; }\n\
        run ibv_rc_pingpong -d mlx5_0 -c -n 300 -s 4096\n\
        run ibv_rc_pingpong -d mlx5_0 -c -n 100 -s 1024 -e\n\
        run ib_write_bw -F -d mlx5_0 -n 100 -s 65536\n\
        run ib_send_lat -F -d mlx5_0 -n 100 -s 8\n\
        ! dmesg | grep -E 'WARNING|BUG|refcount'\n";
    let Some(output) = guest(&["--guests", "2"], script) else { return };
    let text = printed(&output);
    for (guest, own, other) in [("guest0", 1, 2), ("guest1", 2, 1)] {
        let count = |what: &str| {
            let of_guest = text.lines().filter(|line| line.starts_with(guest));
            of_guest.filter(|line| line.contains(what)).count()
        };
        assert_eq!(count("4: ACTIVE"), 1, "{text}");
        assert_eq!(count("bytes in"), 2, "{text}");
        assert_eq!(count(&format!("local address:  LID 0x000{own}")), 2, "{text}");
        assert_eq!(count(&format!("remote address: LID 0x000{other}")), 2, "{text}");
        assert_eq!(count(" 65536      100 "), 1, "{text}");
        assert_eq!(count(" 8       100 "), 1, "{text}");
    }
}

#[test]
fn the_kernels_drivers_load_and_unload_ten_times() {
    let script = "set -e\n\
        for round in 1 2 3 4 5 6 7 8 9 10; do\n\
        rmmod mlx5_ib; rmmod mlx5_core; modprobe mlx5_core; modprobe mlx5_ib\n\
        while ! grep -q ACTIVE /sys/class/infiniband/mlx5_0/ports/1/state; do sleep 0.1; done\n\
        done\n\
        if dmesg | grep -E 'WARNING|BUG|refcount|timeout'; then exit 1; fi\n\
        echo loaded ten times\n";
    let Some(output) = guest(&[], script) else { return };
    assert!(printed(&output).contains("loaded ten times"));
}

/// The kernel tries BlueFlame with NOPs, finds that it works, and lets libmlx5 use it.
#[test]
fn a_program_that_knows_nothing_of_it_is_traced_from_the_cards_side_and_uses_blueflame() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pingpong.jsonl");
    let script = "echo 'file wc.c +p' > /sys/kernel/debug/dynamic_debug/control; \
                  ibv_rc_pingpong -d mlx5_0 -n 20 -s 64 > /tmp/server 2>&1 & listening; \
                  ibv_rc_pingpong -d mlx5_0 -n 20 -s 64 localhost && wait && \
                  dmesg | grep wqe_counter";
    let place = file.to_str().expect("a plain path");
    let Some(output) = in_lab(&["trace", "-o", place], script) else { return };
    let tried = printed(&output);
    assert!(
        !tried.contains("wqe_counter = 0xfe"),
        "the first that completes came as a burst: {tried}"
    );
    let replayed = Command::new(env!("CARGO_BIN_EXE_doorbell"))
        .args(["replay", place, "--text", "--all"])
        .output()
        .expect("doorbell starts");
    let walk = printed(&replayed);
    let count = |walk: &str, what: &str| walk.lines().filter(|line| line.contains(what)).count();
    assert!(count(&walk, "DMA read, command queue entry") > 100, "the kernel's driver came up");
    assert_eq!(count(&walk, "packet RC_SEND_ONLY"), 40, "twenty each way");
    let first = walk.find("packet RC_SEND_ONLY").expect("a packet");
    let (before, after) = walk.split_at(first);
    let taken = "WQE taken from the BlueFlame register";
    assert!(count(before, taken) > 0, "the kernel's NOP that tells it that bursts arrive");
    // A machine that is busy tears bursts apart, any of them and as many as it likes: what comes so is
    // a doorbell and a fetch. That libmlx5 sends bursts at all is what one of them shows.
    let (bursts, fetches) = (count(after, taken), count(after, "DMA read, WQE fetch"));
    assert_eq!(bursts + fetches, 39, "a WQE for each packet but the first, which came before");
    assert!(bursts > 0, "{bursts} bursts, {fetches} fetches");
    assert!(count(after, "write 64 bytes to register BlueFlame") >= bursts);
}
