//! Messages each second on the software card and on Linux' own software card, `rdma_rxe`, in one guest and
//! one run, by perftest. Guests boot where `DOORBELL_LAB=1` says so.
//!
//! Prints a line of JSON for each case; `cargo bench -p doorbell --bench measures` makes a table of them. The
//! numbers are of a guest, mostly an emulated one: they compare the two with each other, and say nothing of
//! a card of silicon.

#[path = "common/lab.rs"]
mod common_lab;

use common_lab::{LISTENING, lab, printed};

/// The size of a message in bytes, and how many are sent.
type Messages = (u32, u32);

/// The program, the operation, and its messages.
const CASES: [(&str, &str, &[Messages]); 3] = [
    (
        "ib_write_bw",
        "RDMA WRITE",
        &[(8, 2000), (64, 2000), (512, 2000), (4096, 2000), (65536, 200)],
    ),
    ("ib_send_bw", "SEND", &[(64, 2000), (4096, 2000)]),
    ("ib_read_bw", "RDMA READ", &[(64, 500), (4096, 500)]),
];

/// The cards.
const DEVICES: [&str; 2] = ["mlx5_0", "rxe0"];

/// Each case is run so often on each card, in turns: noise hits both, and is seen in the spread. Three rounds
/// tell whether it works; `DOORBELL_ROUNDS` asks for more, to measure.
fn rounds() -> usize {
    match std::env::var("DOORBELL_ROUNDS") {
        Ok(text) => text.parse().expect("DOORBELL_ROUNDS is a number"),
        Err(_) => 3,
    }
}

/// rxe needs a network device to stand on; what it sends to itself never leaves it.
/// perftest measures its clock, too, and all its rates are 0 if a busy machine made that impossible: then
/// it runs again.
const SCRIPT: &str = "set -e\n\
    modprobe rdma_rxe; modprobe dummy\n\
    ip link add rxe_net type dummy; ip address add 10.78.0.1/24 dev rxe_net; ip link set rxe_net up\n\
    rdma link add rxe0 type rxe netdev rxe_net\n\
    for look in $(seq 100); do grep -q ACTIVE /sys/class/infiniband/rxe0/ports/1/state && break; sleep 0.1; done\n\
    once() {\n\
      timeout 60 \"$@\" > /tmp/server 2>&1 & server=$!\n\
      listening\n\
      timeout 60 \"$@\" localhost > /tmp/client 2>&1 || { cat /tmp/client /tmp/server; exit 1; }\n\
      wait $server || { cat /tmp/client /tmp/server; exit 1; }\n\
    }\n\
    play() {\n\
      for attempt in 1 2 3 4 5; do once \"$@\"; grep -q ' 0.000000$' /tmp/client || break; done\n\
      echo \"played: $*\"; grep -A 1 '#bytes' /tmp/client\n\
    }\n";

/// What a case is run with.
fn command(device: &str, program: &str, (size, count): Messages) -> String {
    format!("{program} -F -d {device} -n {count} -s {size}")
}

#[test]
fn messages_each_second_are_measured_beside_rdma_rxe() {
    let Some(mut lab) = lab() else { return };
    let mut script = LISTENING.to_owned() + SCRIPT;
    let rounds = rounds();
    for _ in 0..rounds {
        for (program, _, sizes) in CASES {
            for size in sizes {
                for device in DEVICES {
                    script += &format!("play {}\n", command(device, program, *size));
                }
            }
        }
    }
    lab.args(["run", "--timeout", "1800", "--", "sh", "-c", &script]);
    let text = printed(&lab.output().expect("doorbell starts"));
    // The harness may have begun a line.
    println!();
    for (program, operation, sizes) in CASES {
        for size in sizes {
            let [card, rxe] = DEVICES.map(|device| {
                let head = format!("played: {}\n", command(device, program, *size));
                let rates: Vec<f64> = text.split(&head).skip(1).map(rate).collect();
                assert_eq!(rates.len(), rounds, "{head}: {text}");
                assert!(rates.iter().all(|rate| *rate > 0.0), "{head}: {text}");
                rates
            });
            // Runs that stood side by side are compared with each other.
            let ratios = card.iter().zip(&rxe).map(|(card, rxe)| card / rxe).collect();
            let ([card, low, high], [rxe, rxe_low, rxe_high], [ratio, worst, best]) =
                (spread(card), spread(rxe), spread(ratios));
            println!(
                "{{\"operation\":\"{operation}\",\"bytes\":{},\"rounds\":{rounds},\
                 \"card\":{card:.0},\"card_low\":{low:.0},\"card_high\":{high:.0},\
                 \"rxe\":{rxe:.0},\"rxe_low\":{rxe_low:.0},\"rxe_high\":{rxe_high:.0},\
                 \"ratio\":{ratio:.2},\"ratio_low\":{worst:.2},\"ratio_high\":{best:.2}}}",
                size.0
            );
        }
    }
}

/// Median, least and most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[values.len() / 2], values[0], values[values.len() - 1]]
}

/// Messages each second, of the line of numbers behind perftest's heading, whose last is in millions.
fn rate(output: &str) -> f64 {
    let mut lines = output.lines().skip_while(|line| !line.contains("MsgRate"));
    let numbers = lines.nth(1).expect("a line of numbers");
    let last = numbers.split_whitespace().last().expect("five numbers");
    last.parse::<f64>().unwrap_or_else(|_| panic!("no rate in {numbers:?}")) * 1e6
}
