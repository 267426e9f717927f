//! Small messages each second on the software card and on Linux' own software card, `rdma_rxe`, in one
//! guest and one run, by perftest. Guests boot where `DOORBELL_LAB=1` says so.
//!
//! Prints a line of JSON for each case. The numbers are of a guest, mostly an emulated one: they compare
//! the two with each other, and say nothing of a card of silicon.

#[path = "common/lab.rs"]
mod common_lab;

use common_lab::{lab, printed};

/// The program, its message size in bytes, and the case's name.
const CASES: [(&str, u32, &str); 4] = [
    ("ib_write_bw", 64, "RDMA WRITE, 64 bytes"),
    ("ib_write_bw", 4096, "RDMA WRITE, 4096 bytes"),
    ("ib_send_bw", 64, "SEND, 64 bytes"),
    ("ib_send_bw", 4096, "SEND, 4096 bytes"),
];

/// Each case is run so often on each card, in turns; the median counts.
const ROUNDS: usize = 3;

/// rxe needs a network device to stand on; what it sends to itself never leaves it. Port 0x4853 is
/// perftest's.
const SCRIPT: &str = "set -e\n\
    modprobe rdma_rxe; modprobe dummy\n\
    ip link add rxe_net type dummy; ip address add 10.78.0.1/24 dev rxe_net; ip link set rxe_net up\n\
    rdma link add rxe0 type rxe netdev rxe_net\n\
    for look in $(seq 100); do grep -q ACTIVE /sys/class/infiniband/rxe0/ports/1/state && break; sleep 0.1; done\n\
    play() {\n\
      timeout 60 \"$@\" > /tmp/server 2>&1 & server=$!\n\
      for look in $(seq 300); do grep -q ':4853 .* 0A ' /proc/net/tcp /proc/net/tcp6 && break; sleep 0.1; done\n\
      timeout 60 \"$@\" localhost > /tmp/client 2>&1 || { cat /tmp/client /tmp/server; exit 1; }\n\
      wait $server || { cat /tmp/client /tmp/server; exit 1; }\n\
      echo \"played: $*\"; grep -A 1 '#bytes' /tmp/client\n\
    }\n";

#[test]
fn messages_each_second_are_measured_beside_rdma_rxe() {
    let Some(mut lab) = lab() else { return };
    let mut script = String::from(SCRIPT);
    let command = |device: &str, program: &str, size: u32| {
        format!("{program} -F -d {device} -n 2000 -s {size}")
    };
    for (program, size, _) in CASES {
        for _ in 0..ROUNDS {
            for device in ["mlx5_0", "rxe0"] {
                script += &format!("play {}\n", command(device, program, size));
            }
        }
    }
    lab.args(["run", "--timeout", "400", "--", "sh", "-c", &script]);
    let text = printed(&lab.output().expect("doorbell starts"));
    for (program, size, case) in CASES {
        let [card, rxe] = ["mlx5_0", "rxe0"].map(|device| {
            let head = format!("played: {}", command(device, program, size));
            let mut rates: Vec<f64> = text.split(&head).skip(1).map(rate).collect();
            assert_eq!(rates.len(), ROUNDS, "{head}: {text}");
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        assert!(card > 0.0 && rxe > 0.0, "{case}: {text}");
        println!("{{\"case\":\"{case}\",\"card\":{card:.0},\"rxe\":{rxe:.0}}}");
    }
}

/// Messages each second, of the line of numbers behind perftest's heading, whose last is in millions.
fn rate(output: &str) -> f64 {
    let mut lines = output.lines().skip_while(|line| !line.contains("MsgRate"));
    let numbers = lines.nth(1).expect("a line of numbers");
    let last = numbers.split_whitespace().last().expect("five numbers");
    last.parse::<f64>().unwrap_or_else(|_| panic!("no rate in {numbers:?}")) * 1e6
}
