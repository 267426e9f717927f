//! Instructions per work request of the data path, counted by callgrind.
//!
//! `cargo bench -p doorbell-driver --bench instructions` runs itself under valgrind once for each
//! case and prints a table. What is counted is one call through the ops table, from its first
//! instruction to its return, with the queue's lock taken and BlueFlame available; the bus is
//! cached memory, so that no card and no system call is in the way. Counts repeat exactly for the
//! same binary. `-- --json` prints them for a script.

mod bench_card;

use bench_card::{Bench, CASES};
use std::process::{Command, ExitCode};

/// Calls of each case.
const CALLS: u64 = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case] = arguments.as_slice()
        && flag == "--case"
    {
        Bench::new().run(case, CALLS);
        return ExitCode::SUCCESS;
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    if arguments.iter().any(|argument| argument == "--test") {
        // `cargo test --benches` asks only whether it runs.
        CASES.iter().for_each(|case| Bench::new().run(case.name, 10));
        return ExitCode::SUCCESS;
    }
    match measure(json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Counts every case and prints it beside the measured figure of Debian's libmlx5 44.0.
fn measure(json: bool) -> Result<(), String> {
    if !json {
        println!("{:<28} {:>12} {:>10} {:>8}", "case", "instructions", "libmlx5", "ratio");
    }
    for case in CASES {
        let counted = count(case.name)? as f64 / (CALLS * case.requests) as f64;
        if json {
            println!("{{\"case\":\"{}\",\"instructions\":{counted}}}", case.name);
        } else {
            let ratio = counted / case.libmlx5;
            println!("{:<28} {counted:>12.1} {:>10} {ratio:>8.2}", case.name, case.libmlx5);
        }
    }
    Ok(())
}

/// Instructions of all calls of one case.
fn count(case: &str) -> Result<u64, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured_call*"])
        .arg("--callgrind-out-file=/dev/null")
        .arg(own)
        .args(["--case", case])
        .output()
        .map_err(|error| format!("cannot start valgrind: {error}; install the package valgrind"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("case {case} failed under valgrind:\n{text}"));
    }
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1));
    let number = collected.and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| format!("valgrind printed no count for {case}:\n{text}"))
}
