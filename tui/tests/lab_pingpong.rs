//! Our pingpongs against rdma-core's, both ways round, in the lab: the unmodified kernel driver,
//! its completion events, and VFIO's interrupts. Guests boot where `DOORBELL_LAB=1` says so.

#[path = "common/lab.rs"]
mod common_lab;

use common_lab::{LISTENING, lab, printed};
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs a shell script in a guest that has one of our examples; `None` where guests are not to be
/// booted.
fn guest(example: &str, options: &[&str], script: &str) -> Option<Output> {
    let mut command = lab()?;
    command.args(["run", "--timeout", "400", "--program"]).arg(build(example)).args(options);
    Some(command.args(["--", "sh", "-c", script]).output().expect("doorbell starts"))
}

/// Builds an example, and says where it is.
fn build(example: &str) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "doorbell-examples", "--example", example])
        .status();
    assert!(built.expect("cargo starts").success(), "{example} does not build");
    let doorbell = PathBuf::from(env!("CARGO_BIN_EXE_doorbell"));
    doorbell.with_file_name("examples").join(example)
}

/// A function of the shell: the two commands as server and client, both of which must succeed and
/// find no invalid data. The client starts when the server listens.
const PAIR: &str = "set -e\n\
    pair() {\n\
      timeout 120 $1 > /tmp/server 2>&1 & server=$!\n\
      listening\n\
      timeout 120 $2 localhost > /tmp/client 2>&1 || { cat /tmp/client /tmp/server; exit 1; }\n\
      wait $server || { cat /tmp/client /tmp/server; exit 1; }\n\
      if grep -i invalid /tmp/server /tmp/client; then exit 1; fi\n\
      echo \"played: $1, $2\"\n\
    }\n";

/// Brings the card to VFIO.
const TO_VFIO: &str = "set -e\nmodprobe vfio-pci\n\
    echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override\n\
    echo 0000:01:00.0 > /sys/bus/pci/drivers_probe\n";

#[test]
fn ours_plays_with_rdma_cores_both_ways_round_and_with_itself() {
    let mut script = LISTENING.to_owned() + PAIR;
    let (ours, theirs) = ("rc_pingpong -d mlx5_0 -c -n 50", "ibv_rc_pingpong -d mlx5_0 -c -n 50");
    let mut games = 0;
    for size in [64, 4096, 65536] {
        for global in ["", "-g 0"] {
            for (server, client) in [(ours, theirs), (theirs, ours), (ours, ours)] {
                let options = format!("-s {size} {global}");
                script += &format!("pair '{server} {options}' '{client} {options}'\n");
                games += 1;
            }
        }
    }
    for (server, client) in [(ours, theirs), (theirs, ours), (ours, ours)] {
        script += &format!("pair '{server} -e' '{client} -e'\n");
        games += 1;
    }
    // Inline, another MTU, another service level, and a normal user.
    script += &format!("pair '{ours} -s 32 -m 256' '{theirs} -s 32 -m 256'\n");
    script += &format!("pair '{theirs} -l 1' '{ours} -l 1'\n");
    script += &format!("su user -c '{ours} --both -e'\n");
    script += "! dmesg | grep -E 'WARNING|BUG|refcount'\n";
    let Some(output) = guest("rc_pingpong", &[], &script) else { return };
    let text = printed(&output);
    assert_eq!(text.matches("played: ").count(), games + 2, "{text}");
    assert!(text.contains("completion events"), "{text}");
}

/// Connections without acknowledgements, and datagrams, which rdma-core's own program gives a room of 40
/// bytes in front. Either side finds its message in the other's bytes, whoever serves.
#[test]
fn ours_plays_with_rdma_cores_over_the_unreliable_transports_too() {
    let mut script = LISTENING.to_owned() + PAIR;
    let mut games = 0;
    for (kind, sizes) in [("uc", [32, 1024, 65536]), ("ud", [32, 1024, 2048])] {
        let ours = format!("{kind}_pingpong -d mlx5_0 -c -n 50");
        let theirs = format!("ibv_{ours}");
        let ways = [(&ours, &theirs), (&theirs, &ours)];
        let mut play = |server: &str, client: &str, options: &str| {
            script += &format!("pair '{server} {options}' '{client} {options}'\n");
            games += 1;
        };
        for (server, client) in ways {
            for size in sizes {
                play(server, client, &format!("-s {size}"));
            }
            for options in ["-g 0", "-l 1", "-e"] {
                play(server, client, options);
            }
        }
    }
    script += "su user -c 'uc_pingpong -d mlx5_0 --both -e; ud_pingpong -d mlx5_0 --both -e'\n";
    script += "! dmesg | grep -E 'WARNING|BUG|refcount'\n";
    let datagrams = build("ud_pingpong");
    let more = ["--program", datagrams.to_str().expect("a plain path")];
    let Some(output) = guest("uc_pingpong", &more, &script) else { return };
    let text = printed(&output);
    assert_eq!(text.matches("played: ").count(), games, "{text}");
    assert_eq!(text.matches("completion events").count(), 2, "{text}");
}

/// The second guest serves, the first one is its client, and the packets go from card to card.
#[test]
fn ours_plays_with_rdma_cores_from_guest_to_guest() {
    let mut script = String::from(
        "set -e\n\
        pair() {\n\
          if [ $LAB_GUEST = 1 ]; then timeout 120 $1; echo \"played: $1\"; return; fi\n\
          tries=0\n\
          until timeout 120 $2 $LAB_PEER > /tmp/client 2>&1 || [ $tries = 60 ]; do\n\
            tries=$((tries + 1)); sleep 0.5\n\
          done\n\
          cat /tmp/client; [ $tries != 60 ]; echo \"played: $2\"\n\
        }\n",
    );
    let (ours, theirs) = ("rc_pingpong -d mlx5_0 -c -n 50", "ibv_rc_pingpong -d mlx5_0 -c -n 50");
    let games =
        [(ours, theirs, ""), (theirs, ours, ""), (ours, ours, "-g 0"), (theirs, ours, "-e")];
    for (server, client, options) in games {
        script += &format!("pair '{server} {options}' '{client} {options}'\n");
    }
    script += "! dmesg | grep -E 'WARNING|BUG|refcount'\n";
    let Some(output) = guest("rc_pingpong", &["--guests", "2"], &script) else { return };
    let text = printed(&output);
    for guest in ["guest0", "guest1"] {
        let lines = |what: &str| {
            let of_guest = text.lines().filter(|line| line.starts_with(guest));
            of_guest.filter(|line| line.contains(what)).count()
        };
        assert_eq!((lines("played: "), lines("50 iters in")), (games.len(), games.len()), "{text}");
        assert_eq!(lines("invalid"), 0, "{text}");
    }
}

#[test]
fn a_wrong_byte_is_found() {
    let script = format!(
        "{LISTENING}{PAIR}pair 'rc_pingpong -d mlx5_0 -c -n 10' 'ibv_rc_pingpong -d mlx5_0 -n 10' || echo found\n"
    );
    let Some(output) = guest("rc_pingpong", &[], &script) else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("invalid data: byte 0 is 0x7b, not 0x00"), "{text}");
}

#[test]
fn both_sides_play_through_vfio_and_sleep_until_msi_x_wakes_them() {
    let game = "rc_pingpong -d vfio:0000:01:00.0 --both -c -n 50";
    let script = format!(
        "{TO_VFIO}{game}\n{game} -e\n{game} -e -s 65536 -g 0\n\
         ! dmesg | grep -E 'WARNING|BUG|DMAR.*fault'\n"
    );
    let Some(output) = guest("rc_pingpong", &["--iommu", "--no-drivers"], &script) else { return };
    let text = printed(&output);
    assert_eq!(text.matches("both sides in this process").count(), 3, "{text}");
    assert_eq!(text.matches("completion events").count(), 2, "{text}");
}

/// Names and values of a listing, without the blanks between them.
fn values(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (name, value) = line.trim().split_once(":\t")?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// Holds our listing against rdma-core's: every name of ours must be there, with the same value.
fn compare(ours: &str, theirs: &str, apart: &[&str]) {
    let (ours, theirs) = (values(ours), values(theirs));
    let mut compared = 0;
    for (name, value) in ours.iter().filter(|(name, _)| !apart.contains(&name.as_str())) {
        let other = theirs.iter().find(|(other, _)| other == name);
        let other = other.unwrap_or_else(|| panic!("ibv_devinfo has no {name}: {theirs:?}"));
        assert_eq!(value, &other.1, "{name}");
        compared += 1;
    }
    assert!(compared > 40, "only {compared} values: {ours:?}");
}

/// Through the kernel's door, and then through VFIO, where the same card is asked by firmware
/// commands.
#[test]
fn devinfo_says_what_rdma_cores_says() {
    let script = "set -e\nibv_devinfo -v -d mlx5_0\necho ====\nsu user -c 'devinfo --device mlx5_0'\necho ====\n\
        echo 0000:01:00.0 > /sys/bus/pci/drivers/mlx5_core/unbind\nmodprobe vfio-pci\n\
        echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override\n\
        echo 0000:01:00.0 > /sys/bus/pci/drivers_probe\n\
        devinfo --device vfio:0000:01:00.0\n";
    let Some(output) = guest("devinfo", &["--iommu"], script) else { return };
    let text = printed(&output);
    let parts: Vec<&str> = text.split("====").collect();
    let [theirs, kernel, vfio] = parts[..] else { panic!("three listings: {text}") };
    compare(kernel, theirs, &[]);
    // The name of the device is another, and the kernel announces services of its own at the port.
    compare(vfio, theirs, &["hca_id", "port_cap_flags"]);
}

/// Two queue pairs receive from one queue, which tells of its limit: through the kernel's door,
/// where the event comes from a file, and through VFIO, where it comes from an event queue.
#[test]
fn receives_are_shared_through_both_doors_and_the_limit_is_told() {
    let check = |text: &str| {
        for turn in 0..4 {
            let line = format!("receive {turn} was taken by queue pair {}", turn % 2);
            assert!(text.contains(&line), "{text}");
        }
        assert!(text.contains("IBV_EVENT_SRQ_LIMIT_REACHED of SRQ"), "{text}");
        assert!(text.contains("limit 0 is left"), "{text}");
    };
    let script = "set -e\nsu user -c 'shared_receive --device mlx5_0'\n\
        ! dmesg | grep -E 'WARNING|BUG|refcount'\n";
    let Some(output) = guest("shared_receive", &[], script) else { return };
    check(&printed(&output));
    let script = format!("{TO_VFIO}shared_receive --device vfio:0000:01:00.0\n");
    let options = ["--iommu", "--no-drivers"];
    let Some(output) = guest("shared_receive", &options, &script) else { return };
    check(&printed(&output));
}

/// A program that was killed leaves a card in the middle of its work. The next one resets it, a
/// user without rights is told, and the kernel's driver takes the card back as new.
#[test]
fn a_card_is_reset_for_the_next_and_given_back() {
    let script = format!(
        "{TO_VFIO}cat /sys/bus/pci/devices/0000:01:00.0/reset_method\n\
        rc_pingpong -d vfio:0000:01:00.0 --both -n 100000000 & game=$!\n\
        for look in $(seq 300); do grep -q vfio-msix /proc/interrupts && break; sleep 0.1; done\n\
        sleep 1\nkill -9 $game\nwait $game || echo killed\n\
        rc_pingpong -d vfio:0000:01:00.0 --both -n 20 -c -e\n\
        su user -c 'rc_pingpong -d vfio:0000:01:00.0 --both -n 20' 2>&1 && exit 1\n\
        grep vfio /proc/interrupts && exit 1\n\
        echo 0000:01:00.0 > /sys/bus/pci/drivers/vfio-pci/unbind\n\
        rc_pingpong -d vfio:0000:01:00.0 --both 2>&1 && exit 1\n\
        echo > /sys/bus/pci/devices/0000:01:00.0/driver_override\n\
        modprobe mlx5_core\nmodprobe mlx5_ib\nmodprobe ib_uverbs\n\
        for look in $(seq 300); do grep -q ACTIVE /sys/class/infiniband/mlx5_0/ports/1/state && break; sleep 0.1; done\n\
        rc_pingpong -d vfio:0000:01:00.0 --both 2>&1 && exit 1\n\
        rc_pingpong -d mlx5_0 --both -n 20 -c\n\
        ! dmesg | grep -E 'WARNING|BUG|DMAR.*fault'\n"
    );
    let Some(output) = guest("rc_pingpong", &["--iommu", "--no-drivers"], &script) else { return };
    let text = printed(&output);
    assert!(text.contains("flr") && text.contains("killed"), "{text}");
    assert!(text.contains("may this user open /dev/vfio?"), "{text}");
    assert!(text.contains("is bound to no driver"), "{text}");
    assert!(text.contains("is held by mlx5_core") && text.contains("To give it back"), "{text}");
    assert_eq!(text.matches("20 iters in").count(), 2, "{text}");
}
