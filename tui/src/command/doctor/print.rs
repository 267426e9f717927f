//! The report as text, in 80 columns. Words carry the meaning; colours only repeat it.

use super::report::{Check, Purpose, Report, Verdict};
use crate::state::source::printable;
use crate::view::wrap::wrapped;
use ratatui::crossterm::style::Stylize;
use std::fmt::Write;

/// Columns of the report.
const WIDTH: u16 = 80;

/// Columns before what a check found.
const INDENT: &str = "         ";

/// The headings, in the order of the report.
const HEADINGS: [(Purpose, &str); 4] = [
    (Purpose::Machine, "this machine"),
    (Purpose::Kernel, "the kernel's door (--device mlx5_0)"),
    (Purpose::Vfio, "VFIO's door (--device vfio:ADDRESS)"),
    (Purpose::Lab, "the lab (doorbell lab)"),
];

/// The report as text.
pub fn text(report: &Report, colours: bool) -> String {
    let mut out = String::new();
    for (purpose, heading) in HEADINGS {
        let checks = report.checks.iter().filter(|check| check.purpose == purpose);
        for (number, check) in checks.enumerate() {
            if number == 0 {
                let _ = writeln!(
                    out,
                    "{}",
                    if colours { heading.bold().to_string() } else { heading.to_owned() }
                );
            }
            write_check(check, colours, &mut out);
        }
    }
    let devices: Vec<_> = report.devices.iter().map(|name| printable(name)).collect();
    out.push('\n');
    write_wrapped(
        &format!("works now: --device {}", devices.join(", --device ")),
        "           ",
        &mut out,
    );
    match report.next_is_command {
        true => {
            let _ = writeln!(out, "next: {}", printable(&report.next));
        }
        false => {
            let text = format!("next, by hand: {}", printable(&report.next));
            write_wrapped(&text, "      ", &mut out);
        }
    }
    out
}

/// A check: its verdict and finding, and below, if something is to be done, why and how.
fn write_check(check: &Check, colours: bool, out: &mut String) {
    let mark = match check.verdict {
        Verdict::Ok => "ok   ",
        Verdict::ToDo => "to do",
        Verdict::DoesNotApply => "n/a  ",
    };
    let mark = match (colours, check.verdict) {
        (true, Verdict::Ok) => mark.green().to_string(),
        (true, Verdict::ToDo) => mark.yellow().bold().to_string(),
        (true, Verdict::DoesNotApply) => mark.dim().to_string(),
        (false, _) => mark.to_owned(),
    };
    let finding = format!("{}: {}", printable(&check.name), printable(&check.finding));
    for (number, line) in wrapped(&finding, WIDTH - INDENT.len() as u16).iter().enumerate() {
        let _ = match number {
            0 => writeln!(out, "  {mark}  {line}"),
            _ => writeln!(out, "{INDENT}{line}"),
        };
    }
    if check.verdict != Verdict::ToDo {
        return;
    }
    for text in [check.why, &check.advice] {
        for line in wrapped(&printable(text), WIDTH - INDENT.len() as u16) {
            let _ = writeln!(out, "{INDENT}{line}");
        }
    }
    for command in &check.commands {
        let _ = writeln!(out, "    {}", printable(command));
    }
}

/// A text whose further lines are indented.
fn write_wrapped(text: &str, indent: &str, out: &mut String) {
    for (number, line) in wrapped(text, WIDTH - indent.len() as u16).iter().enumerate() {
        let _ = writeln!(out, "{}{line}", if number == 0 { "" } else { indent });
    }
}
