//! Instructions per work request of the data path, counted by callgrind.
//!
//! `cargo bench -p doorbell-driver --bench instructions` runs itself under valgrind once for each
//! case and prints a table. What is counted is one call through the ops table, from its first
//! instruction to its return, with the queue's lock taken and BlueFlame available; the bus is
//! cached memory, so that no card and no system call is in the way. Counts repeat exactly for the
//! same binary.
//!
//! - `-- --json` prints the counts for a script.
//! - `-- --limits` fails if a case needs more instructions than its limit in `bench_card`.
//! - `-- --check-off` builds this program once more, with every probe left out, and fails if
//!   a case needs more instructions here than there: probes that are off cost nothing.

#[allow(dead_code, reason = "the timed calls are of the other bench")]
mod bench_card;

use bench_card::{Bench, CASES};
use std::path::{Path, PathBuf};
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
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if asked("--test") {
        // `cargo test --benches` asks only whether it runs.
        CASES.iter().for_each(|case| Bench::new().run(case.name, 10));
        return ExitCode::SUCCESS;
    }
    let result = if asked("--check-off") {
        check_off()
    } else {
        measure(asked("--json"), asked("--limits"))
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Counts every case and prints it beside the measured figure of Debian's libmlx5 44.0.
fn measure(json: bool, limits: bool) -> Result<(), String> {
    if !json {
        println!("{:<28} {:>12} {:>10} {:>8}", "case", "instructions", "libmlx5", "ratio");
    }
    let mut over = Vec::new();
    for case in CASES {
        let counted = count(&own()?, case.name)? as f64 / (CALLS * case.requests) as f64;
        if json {
            let libmlx5 = case.libmlx5.map_or_else(|| "null".to_owned(), |count| count.to_string());
            println!(
                "{{\"case\":\"{}\",\"instructions\":{counted},\"libmlx5\":{libmlx5}}}",
                case.name
            );
        } else if let Some(libmlx5) = case.libmlx5 {
            let ratio = counted / libmlx5;
            println!("{:<28} {counted:>12.1} {libmlx5:>10} {ratio:>8.2}", case.name);
        } else {
            println!("{:<28} {counted:>12.1}", case.name);
        }
        if counted > case.limit {
            over.push(format!("{}: {counted:.1}, the limit is {}", case.name, case.limit));
        }
    }
    if limits && !over.is_empty() {
        return Err(format!(
            "more instructions than recorded: {}; make it leaner, or raise the limit in benches/bench_card/mod.rs and say why",
            over.join("; ")
        ));
    }
    Ok(())
}

/// Compares this build, probes compiled in but off, with one that has none.
fn check_off() -> Result<(), String> {
    let (own, without) = (own()?, build_without_probes()?);
    let mut dearer = Vec::new();
    for case in CASES {
        let counts = [count(&own, case.name)?, count(&without, case.name)?];
        println!("{:<28} {:>12} off {:>12} without", case.name, counts[0], counts[1]);
        // The compiler lays the two builds out apart, and now and then this one comes out shorter.
        if counts[0] > counts[1] {
            dearer.push(case.name);
        }
    }
    if dearer.is_empty() {
        Ok(())
    } else {
        Err(format!("probes that are off cost instructions in: {}", dearer.join("; ")))
    }
}

/// This program.
fn own() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))
}

/// Builds this program without probes, beside the other build, and says where it is.
fn build_without_probes() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let own = own()?;
    let target = own.ancestors().nth(3).ok_or("this program is not in a target directory")?;
    let output = Command::new(cargo)
        .args([
            "bench",
            "--quiet",
            "--no-run",
            "--package",
            "doorbell-driver",
            "--bench",
            "instructions",
        ])
        .args(["--features", "without-probes", "--message-format", "json", "--target-dir"])
        .arg(target.join("without-probes"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("cannot start cargo: {error}; run this as a bench of cargo"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "the build without probes failed: run cargo bench --no-run --features without-probes and see\n{said}"
        ));
    }
    let name =
        |line: &str| line.split("\"executable\":\"").nth(1)?.split('"').next().map(PathBuf::from);
    let found = messages.lines().find_map(name);
    found.ok_or_else(|| "cargo named no program that it had built".to_owned())
}

/// Instructions of all calls of one case.
fn count(program: &Path, case: &str) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured_call*"])
        .arg("--callgrind-out-file=/dev/null")
        .arg(program)
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
