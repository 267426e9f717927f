//! Everything that this project claims about speed, measured in one go: `cargo bench -p doorbell --bench
//! measures` runs the benches that measure, one after the other, and prints what they found; with
//! `-- --write` it writes that into the table `MEASURES.md` of the repository.
//!
//! Needs valgrind, gcc, lttng-tools, liblttng-ust-dev, and the lab; what is missing is an error, because a table
//! with holes would look like a table. The machine ought to have nothing else to do:
//! instructions repeat exactly, times do not.

use serde_json::Value;
use std::fmt::Write as _;
use std::process::{Command, ExitCode, Output, Stdio};

/// A bench: its package, its name, and what it is asked.
struct Source {
    package: &'static str,
    bench: &'static str,
    arguments: &'static [&'static str],
}

/// In the order in which they run.
const SOURCES: [Source; 4] = [
    Source { package: "doorbell-driver", bench: "instructions", arguments: &["--json"] },
    Source { package: "doorbell-driver", bench: "traced", arguments: &["--json"] },
    Source { package: "doorbell-tracer", bench: "recorder", arguments: &["--json", "--all"] },
    Source { package: "doorbell-examples", bench: "card_rate", arguments: &["--json"] },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if asked("--test") {
        // `cargo test --benches` asks only whether it runs.
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(table) if !asked("--write") => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Ok(table) => {
            print!("{table}");
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../MEASURES.md");
            match std::fs::write(path, table) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: MEASURES.md cannot be written: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every bench and makes the table.
fn measure() -> Result<String, String> {
    let [instructions, traced, recorder, card] = SOURCES.map(|source| {
        eprintln!("{} of {} ...", source.bench, source.package);
        run(&source)
    });
    let mut table = String::from(HEAD);
    let _ = writeln!(table, "Machine: {}.\n", machine());
    instructions_of(&instructions?, &mut table)?;
    events_of(&recorder?, &mut table)?;
    traced_of(&traced?, &mut table)?;
    rates_of(&card?, &mut table)?;
    eprintln!("lab_rxe of doorbell ...");
    beside_rxe(&run_lab()?, &mut table)?;
    Ok(table)
}

/// What stands above the tables.
const HEAD: &str = "\
# Measures

Written by `cargo bench -p doorbell --bench measures -- --write`; run it again rather than change it. Claims are
ratios against a peer that was measured in the same way, or in the same run. Instructions are counted by
callgrind and repeat exactly; nanoseconds are medians, and another machine has others.

";

/// Runs one bench and reads its lines.
fn run(source: &Source) -> Result<Vec<Value>, String> {
    let Source { package, bench, arguments } = source;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["bench", "--quiet", "--package", package, "--bench", bench, "--"])
        .args(*arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    figures(&format!("the bench {bench} of {package}"), &output)
}

/// Rounds of the comparison with `rdma_rxe`.
const ROUNDS: &str = "9";

/// Boots the lab's guest with both software cards and reads what its test prints.
fn run_lab() -> Result<Vec<Value>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--quiet", "--release", "--package", "doorbell", "--test", "lab_rxe"])
        .args(["--", "--nocapture"])
        .env("DOORBELL_LAB", "1")
        .env("DOORBELL_ROUNDS", ROUNDS)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    figures("the lab's comparison with rdma_rxe", &output)
}

/// The lines of JSON that a program printed.
fn figures(what: &str, output: &Output) -> Result<Vec<Value>, String> {
    if !output.status.success() {
        return Err(format!("{what} failed"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let parsed =
        lines.map(|line| serde_json::from_str(line).map_err(|why| format!("{line}: {why}")));
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    match parsed.is_empty() {
        true => Err(format!("{what} printed no figures")),
        false => Ok(parsed),
    }
}

/// A number of a line.
fn number(line: &Value, name: &str) -> Result<f64, String> {
    line[name].as_f64().ok_or_else(|| format!("no {name} in {line}"))
}

/// A text of a line.
fn text<'a>(line: &'a Value, name: &str) -> Result<&'a str, String> {
    line[name].as_str().ok_or_else(|| format!("no {name} in {line}"))
}

/// Whether a goal is reached, in a word.
fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "not reached" }
}

/// Instructions of the data path, beside libmlx5's.
fn instructions_of(lines: &[Value], to: &mut String) -> Result<(), String> {
    to.push_str(
        "## Instructions per work request\n\n\
         One call through the ops table, probes off, divided by the work requests or completions in it; \
         libmlx5 is Debian's 44.0, counted in the same way. The goal is a third. The cases \
         without a figure of libmlx5 have no goal, but a limit; the lab counts two of them beside libmlx5 (`lab_counts`).\n\n\
         | case | libmlx5 | Doorbell | ratio | goal |\n|---|---:|---:|---:|---|\n",
    );
    for line in lines {
        let (case, own) = (text(line, "case")?, number(line, "instructions")?);
        let Some(peer) = line["libmlx5"].as_f64() else {
            let _ = writeln!(to, "| {case} |  | {own:.1} |  |  |");
            continue;
        };
        let goal = peer / 3.0;
        let _ = writeln!(
            to,
            "| {case} | {peer} | {own:.1} | {:.2} | {goal:.1}: {} |",
            own / peer,
            verdict(own <= goal)
        );
    }
    to.push('\n');
    Ok(())
}

/// What an event costs, beside LTTng-UST and `tracing`.
fn events_of(lines: &[Value], to: &mut String) -> Result<(), String> {
    to.push_str(
        "## An event\n\n\
         A store of 16 bytes, recorded by the full recorder with its memory at hand, and by others in turns \
         with it. The goal is a fifth of LTTng-UST's cost.\n\n\
         | case | ns an event | times ours | goal |\n|---|---:|---:|---|\n",
    );
    for line in lines {
        let (case, own) = (text(line, "case")?, number(line, "ns")?);
        let times = line["times"].as_f64();
        let shown = times.map_or_else(String::new, |times| format!("{times:.1}"));
        let goal = match times {
            Some(times) if case.starts_with("LTTng") => {
                format!("5: {}", verdict(times >= 5.0))
            }
            _ => String::new(),
        };
        let _ = writeln!(to, "| {case} | {own:.2} | {shown} | {goal} |");
    }
    to.push('\n');
    Ok(())
}

/// What tracing adds to a post.
fn traced_of(lines: &[Value], to: &mut String) -> Result<(), String> {
    to.push_str(
        "## A traced post\n\n\
         One RDMA WRITE of 64 bytes through the ops table, with all of its events kept, and without \
         tracing, in turns. The goal is 100 ns more.\n\n\
         | case | untraced, ns | traced, ns | more, ns | events | goal |\n|---|---:|---:|---:|---:|---|\n",
    );
    for line in lines {
        let more = number(line, "more_ns")?;
        let _ = writeln!(
            to,
            "| {} | {:.1} | {:.1} | {more:.1} | {} | 100: {} |",
            text(line, "case")?,
            number(line, "untraced_ns")?,
            number(line, "traced_ns")?,
            number(line, "events")?,
            verdict(more <= 100.0)
        );
    }
    to.push('\n');
    Ok(())
}

/// What the software card does in a second.
fn rates_of(lines: &[Value], to: &mut String) -> Result<(), String> {
    to.push_str(
        "## The software card\n\n\
         RDMA WRITEs of one process through driver and card on one thread, from the post to the polled \
         completion. It says what the software costs, and nothing of a real card.\n\n\
         | queue pairs | bytes | messages/s | MB/s |\n|---:|---:|---:|---:|\n",
    );
    for line in lines {
        let (count, bytes) = (number(line, "queue_pairs")?, number(line, "bytes")?);
        let rate = number(line, "messages_per_second")?;
        let _ = writeln!(to, "| {count} | {bytes} | {rate:.0} | {:.1} |", rate * bytes / 1e6);
    }
    Ok(())
}

/// What it does in a guest of the lab, beside Linux' own software card.
fn beside_rxe(lines: &[Value], to: &mut String) -> Result<(), String> {
    let rounds = lines.first().map_or(Ok(0.0), |line| number(line, "rounds"))?;
    let _ = write!(
        to,
        "\n## Beside rdma_rxe\n\n\
         Both cards in one guest of the lab, driven by perftest from one process to another, in turns, \
         {rounds} rounds. Messages a second; in brackets the least and the most of the rounds, whose \
         distance is the noise. The ratio is that of neighbouring runs. Where the guest is emulated \
         rdma_rxe is slowed by that and Doorbell's card, which runs outside of it, is not: then the ratio \
         says little more than that.\n\n\
         | operation | bytes | Doorbell's card | rdma_rxe | ratio |\n|---|---:|---:|---:|---:|\n"
    );
    for line in lines {
        let rates = |name: &str| -> Result<String, String> {
            let of = |end: &str| number(line, &format!("{name}{end}"));
            Ok(format!("{:.0} ({:.0} to {:.0})", of("")?, of("_low")?, of("_high")?))
        };
        let ratio = |end: &str| number(line, &format!("ratio{end}"));
        let _ = writeln!(
            to,
            "| {} | {} | {} | {} | {:.2} ({:.2} to {:.2}) |",
            text(line, "operation")?,
            number(line, "bytes")?,
            rates("card")?,
            rates("rxe")?,
            ratio("")?,
            ratio("_low")?,
            ratio("_high")?,
        );
    }
    Ok(())
}

/// The processor and its cores, as Linux tells them.
fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let model = model.map_or(std::env::consts::ARCH, str::trim);
    format!("{model}, {cpus} cores, {}", std::env::consts::OS)
}
