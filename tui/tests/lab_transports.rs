//! What connections, datagrams and shared queues do for programs that nobody here wrote: rdma-core's
//! examples and perftest, in the lab, on the software card. Guests boot where `DOORBELL_LAB=1` says so.

#[path = "common/lab.rs"]
mod common_lab;

use common_lab::{LISTENING, lab, printed};
use std::process::Command;

/// Functions of the shell. `pair` runs a command as server and as client, both of which must succeed and
/// find no invalid data. The client starts when the server listens.
const PAIR: &str = "set -e\n\
    pair() {\n\
      timeout 120 \"$@\" > /tmp/server 2>&1 & server=$!\n\
      listening\n\
      timeout 120 \"$@\" localhost > /tmp/client 2>&1 || { cat /tmp/client /tmp/server; exit 1; }\n\
      wait $server || { cat /tmp/client /tmp/server; exit 1; }\n\
      if grep -i -E 'invalid|error|fail' /tmp/server /tmp/client; then exit 1; fi\n\
      echo \"played: $*\"; cat /tmp/client\n\
    }\n";

/// What must not be in the kernel's log after all that.
const NO_WARNING: &str = "! dmesg | grep -E 'WARNING|BUG|refcount|Call Trace'\n";

/// Runs the commands as pairs in one guest; what they printed, and nothing where guests are not booted.
fn play(commands: &[String]) -> Option<String> {
    let mut script = LISTENING.to_owned() + PAIR;
    for command in commands {
        script += &format!("pair {command}\n");
    }
    script += NO_WARNING;
    let mut lab = lab()?;
    lab.args(["run", "--timeout", "500", "--", "sh", "-c", &script]);
    let text = printed(&lab.output().expect("doorbell starts"));
    assert_eq!(text.matches("played: ").count(), commands.len(), "{text}");
    Some(text)
}

/// The part of the output that a command printed as client.
fn of<'a>(text: &'a str, command: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("played: {command}\n")).expect("it was played");
    rest.split("played: ").next().expect("split gives one")
}

/// The lines of a perftest table: size in bytes, iterations.
fn sizes(table: &str) -> Vec<(u64, u64)> {
    let numbers = |line: &str| {
        let mut words = line.split_whitespace();
        let (size, iterations) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next()?.parse::<f64>().ok()?;
        Some((size, iterations))
    };
    table.lines().filter_map(numbers).collect()
}

/// Unreliable connections, datagrams, and receives that queue pairs of two kinds share; polling and by
/// events, with the data looked at where the program can.
#[test]
fn pingpongs_of_every_transport_run() {
    let mut commands = Vec::new();
    for mode in ["", " -e"] {
        for program in ["uc", "srq"] {
            for size in [64, 4096, 65536] {
                commands
                    .push(format!("ibv_{program}_pingpong -d mlx5_0 -c -n 100 -s {size}{mode}"));
            }
        }
        for size in [64, 2048] {
            commands.push(format!("ibv_ud_pingpong -d mlx5_0 -c -n 100 -s {size}{mode}"));
        }
        for size in [64, 4096, 65536] {
            // Its -c is a number of clients: it never looks at the data.
            commands.push(format!("ibv_xsrq_pingpong -d mlx5_0 -n 100 -s {size}{mode}"));
        }
    }
    let Some(text) = play(&commands) else { return };
    for command in &commands {
        let output = of(&text, command);
        // That of extended connections tells no times.
        let end = if command.contains("xsrq") { "success" } else { "iters in" };
        assert!(output.contains(end), "{command}: {output}");
    }
}

/// rdma-core's program asks for a global route header with `-g`: its datagrams have one, from port to
/// port and with a length that is right, and without `-g` they have none. tshark reads them.
#[test]
fn datagrams_have_a_global_route_header_where_the_address_asks_for_one() {
    for (option, routed) in [(" -g 0", true), ("", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
        let (trace, capture) = (at("trace.jsonl"), at("packets.pcapng"));
        let game = format!("ibv_ud_pingpong -d mlx5_0 -c -n 5 -s 64{option}");
        let script = format!("{LISTENING}{PAIR}pair {game}\n{NO_WARNING}");
        let Some(mut lab) = lab() else { return };
        lab.args(["trace", "-o", &trace, "--timeout", "500", "--", "sh", "-c", &script]);
        printed(&lab.output().expect("doorbell starts"));
        let export = ["export", &trace, "--pcapng", "-o", &capture];
        let mut doorbell = Command::new(env!("CARGO_BIN_EXE_doorbell"));
        printed(&doorbell.args(export).output().expect("doorbell starts"));
        let fields = "-Tfields -e frame.protocols -e infiniband.grh.sgid -e infiniband.grh.dgid \
                      -e infiniband.grh.paylen -e frame.len -e _ws.malformed -e infiniband.bth.opcode";
        let mut tshark = Command::new("tshark");
        let lines = printed(
            &tshark
                .args(["-r", &capture])
                .args(fields.split_whitespace())
                .output()
                .expect("tshark"),
        );
        let datagrams: Vec<Vec<&str>> = lines
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .filter(|cells| cells.last() == Some(&"100"))
            .collect();
        assert_eq!(datagrams.len(), 10, "five each way: {lines}");
        for cells in datagrams {
            let [protocols, from, to, length, frame, malformed, _] = cells[..] else {
                panic!("{cells:?}")
            };
            assert_eq!(malformed, "");
            if routed {
                assert!(protocols.starts_with("eth:ethertype:infiniband"), "{protocols}");
                assert!(from.starts_with("fe80::") && from == to, "{from} {to}: one port");
                let (length, frame): (usize, usize) =
                    (length.parse().expect("a number"), frame.parse().expect("a number"));
                assert_eq!(length, frame - 14 - 40);
            } else {
                assert!(protocols.starts_with("eth:ethertype:ip:udp:infiniband"), "{protocols}");
            }
        }
    }
}

/// perftest: each operation by each transport that has it, latency and bandwidth.
#[test]
fn perftest_runs_with_every_operation_and_transport() {
    let mut commands = Vec::new();
    for kind in ["lat", "bw"] {
        for (transport, operations) in
            [("RC", &["write", "read", "send"][..]), ("UC", &["write", "send"]), ("UD", &["send"])]
        {
            for operation in operations {
                commands.push(format!(
                    "ib_{operation}_{kind} -c {transport} -F -d mlx5_0 -n 50 -s 1024"
                ));
            }
        }
        for atomic in ["CMP_AND_SWAP", "FETCH_AND_ADD"] {
            commands.push(format!("ib_atomic_{kind} -A {atomic} -F -d mlx5_0 -n 50"));
        }
        commands.push(format!("ib_read_{kind} -e -F -d mlx5_0 -n 50 -s 8"));
        commands.push(format!("ib_send_{kind} -e -F -d mlx5_0 -n 50 -s 8"));
        commands.push(format!("ib_send_{kind} -r 64 --use-srq -F -d mlx5_0 -n 50 -s 8"));
    }
    let Some(text) = play(&commands) else { return };
    for command in &commands {
        let [(size, iterations)] = sizes(of(&text, command))[..] else {
            panic!("{command}: no line of results\n{text}")
        };
        let wanted =
            command.rsplit_once("-s ").map_or(8, |(_, size)| size.parse().expect("a size"));
        assert_eq!((size, iterations), (wanted, 50), "{command}");
    }
}

/// The largest message in perftest's tables, as a power of two: that of a connection, and that of a datagram
/// on this port.
const CONNECTED: u32 = 23;
const DATAGRAM: u32 = 12;

/// perftest with all its sizes: 2 bytes to 8 MiB, messages of one packet and of thousands.
fn every_size(programs: &[(&str, u32)]) {
    let every = |most: u32| (1..=most).map(|power| (1 << power, 10)).collect::<Vec<(u64, u64)>>();
    let command = |program: &str| format!("ib_{program} -F -a -n 10 -d mlx5_0");
    let commands: Vec<String> = programs.iter().map(|(program, _)| command(program)).collect();
    let Some(text) = play(&commands) else { return };
    for (command, &(_, most)) in commands.iter().zip(programs) {
        assert_eq!(sizes(of(&text, command)), every(most), "{command}");
    }
}

#[test]
fn perftest_sends_messages_of_every_size() {
    every_size(&[
        ("write_bw -c RC", CONNECTED),
        ("read_bw -c RC", CONNECTED),
        ("send_bw -c RC", CONNECTED),
        ("write_bw -c UC", CONNECTED),
        ("send_bw -c UC", CONNECTED),
        ("send_bw -c UD", DATAGRAM),
    ]);
}

#[test]
fn perftest_plays_to_and_fro_with_messages_of_every_size() {
    every_size(&[
        ("write_lat -c RC", CONNECTED),
        ("read_lat -c RC", CONNECTED),
        ("send_lat -c RC", CONNECTED),
        ("write_lat -c UC", CONNECTED),
        ("send_lat -c UC", CONNECTED),
        ("send_lat -c UD", DATAGRAM),
    ]);
}
