//! `doorbell lab`: the guest with the real kernel driver.

mod cards;
mod options;
mod record;
mod trace;

use crate::command::Failure;
use cards::Cards;
use doorbell_lab::guest::streams::{Prefixed, Streams};
use doorbell_lab::{Lab, LabError, Progress, Stop};
use doorbell_tracer::Tracer;
use options::Shared;
pub use options::{LabCommand, LabOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::Arc;

/// The exit code of `lab run` when the command took too long, as of `timeout`.
const TOOK_TOO_LONG: u8 = 124;

/// The exit code of `lab run` when the lab itself failed: the command's own are passed on.
const LAB_FAILED: u8 = 125;

/// What separates the commands of two guests.
const BETWEEN: &str = "::";

/// Does what `doorbell lab` is asked.
pub fn run(options: LabOptions) -> Result<(), Failure> {
    let stop = end_on_signal()?;
    let shared = options.shared;
    let code = match options.command {
        Some(LabCommand::Setup { again }) => return set_up(&shared, again, &stop).map_err(failed),
        Some(LabCommand::Run { command, timeout }) => {
            run_command(&shared, &command, timeout, &stop, None).map_err(of_run)?
        }
        Some(LabCommand::Trace { output, command, timeout }) => {
            trace::run(&shared, &command, timeout, &output, &stop)?
        }
        Some(LabCommand::Record { scenario, output, timeout }) => {
            record::run(&shared, scenario, timeout, &output, &stop)?
        }
        None => shell(&shared, &stop).map_err(failed)?,
    };
    if code == 0 { Ok(()) } else { Err(Failure::Ended(code)) }
}

/// Sets the guest up and says what it is.
fn set_up(options: &Shared, again: bool, stop: &Stop) -> Result<(), LabError> {
    let lab = open(options, again, stop)?;
    let how = lab.accelerator().name();
    Progress::on_stderr().say(&format!("ready: Linux {}, by {how}", lab.kernel()));
    Ok(())
}

/// Runs one command, or one in each of two guests. With a tracer the cards are recorded.
fn run_command(
    options: &Shared,
    command: &[OsString],
    timeout: u64,
    stop: &Stop,
    tracer: Option<&Tracer>,
) -> Result<u8, LabError> {
    let lab = open(options, false, stop)?;
    let cards = Cards::start(options, tracer)?;
    if options.guests == 2 {
        let (first, second) = for_each_guest(command);
        let guests = [cards.guest(options, 0, timeout)?, cards.guest(options, 1, timeout)?];
        let streams = [prefixed("guest0: "), prefixed("guest1: ")];
        let [zero, one] = lab.run_pair([&guests[0], &guests[1]], [first, second], streams, stop);
        return worst(zero, one);
    }
    let guest = cards.guest(options, 0, timeout)?;
    lab.run(&guest, command, streams(), stop)
}

/// Runs one command in one guest, with streams that are not this program's own.
fn run_with(
    options: &Shared,
    command: &[OsString],
    timeout: u64,
    stop: &Stop,
    streams: Streams,
) -> Result<u8, LabError> {
    let lab = open(options, false, stop)?;
    let cards = Cards::start(options, None)?;
    lab.run(&cards.guest(options, 0, timeout)?, command, streams, stop)
}

/// This program's own streams. A terminal's keys stay here: a command is not a shell.
fn streams() -> Streams {
    let input: Option<Box<dyn io::Read + Send>> = match io::stdin().is_terminal() {
        true => None,
        false => Some(Box::new(io::stdin())),
    };
    Streams { out: Box::new(io::stdout()), err: Box::new(io::stderr()), input }
}

/// This program's own outputs for one of two guests: its name stands before each line.
fn prefixed(name: &'static str) -> Streams {
    Streams {
        out: Box::new(Prefixed::new(name, io::stdout())),
        err: Box::new(Prefixed::new(name, io::stderr())),
        input: None,
    }
}

/// The two commands around `::`; without it the same for both.
fn for_each_guest(command: &[OsString]) -> (&[OsString], &[OsString]) {
    match command.iter().position(|word| word == BETWEEN) {
        Some(place) => (&command[..place], &command[place + 1..]),
        None => (command, command),
    }
}

/// The result of two guests: an error that is not merely the other's, else the first code that
/// is not 0.
fn worst(zero: Result<u8, LabError>, one: Result<u8, LabError>) -> Result<u8, LabError> {
    match (zero, one) {
        (Ok(0), one) => one,
        (Err(LabError::Stopped), Err(why)) => Err(why),
        (zero, _) => zero,
    }
}

/// A shell in a guest.
fn shell(options: &Shared, stop: &Stop) -> Result<u8, LabError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(LabError::NoTerminal);
    }
    let lab = open(options, false, stop)?;
    let cards = Cards::start(options, None)?;
    let progress = Progress::on_stderr();
    progress.say("booting; `exit` leaves the guest, Ctrl-] ends it at once");
    if options.guests == 2 {
        progress.say("the shell is in guest0; `telnet guest1` there reaches the other");
        let guests = [cards.guest(options, 0, 0)?, cards.guest(options, 1, 0)?];
        return lab.shell_pair([&guests[0], &guests[1]], stop);
    }
    lab.shell(&cards.guest(options, 0, 0)?, stop)
}

fn open(options: &Shared, again: bool, stop: &Stop) -> Result<Lab, LabError> {
    let mut progress = Progress::on_stderr();
    let choice = options.accelerator();
    Lab::open(options.cache()?, &options.setup()?, again, choice, stop, &mut progress)
}

/// Lets a signal ask the lab to end; it ends its guests and cards, and then itself.
fn end_on_signal() -> Result<Stop, Failure> {
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop.0)).map_err(Failure::Terminal)?;
    }
    Ok(stop)
}

/// A failure of the lab, but for a reader of the output that has gone.
fn failed(error: LabError) -> Failure {
    with_code(error, 1)
}

/// A failure of `lab run`, which has exit codes of its own.
fn of_run(error: LabError) -> Failure {
    let code = if matches!(error, LabError::Timeout(_)) { TOOK_TOO_LONG } else { LAB_FAILED };
    with_code(error, code)
}

fn with_code(error: LabError, code: u8) -> Failure {
    match error {
        LabError::Output(why) if why.kind() == io::ErrorKind::BrokenPipe => Failure::NobodyReads,
        error => Failure::Lab { error, code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn two_guests_get_a_command_each() {
        let both = words("a b :: c");
        assert_eq!(for_each_guest(&both), (&words("a b")[..], &words("c")[..]));
        let same = words("a b");
        assert_eq!(for_each_guest(&same), (&same[..], &same[..]));
    }

    #[test]
    fn of_two_guests_the_failure_counts() {
        assert!(matches!(worst(Ok(0), Ok(3)), Ok(3)));
        assert!(matches!(worst(Ok(2), Ok(3)), Ok(2)));
        let why = worst(Err(LabError::Stopped), Err(LabError::NoCache));
        assert!(matches!(why, Err(LabError::NoCache)));
    }
}
