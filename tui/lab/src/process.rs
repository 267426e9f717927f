//! Running the programs of the set-up: with a deadline, with an eye on the signal that asks to
//! end, and with every line of their output heard as it comes.

use crate::error::{LabError, tail};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Asks everything that is under way to end. Clones share one answer.
#[derive(Debug, Clone, Default)]
pub struct Stop(pub Arc<AtomicBool>);

impl Stop {
    /// Asks to end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked to end.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error if someone asked to end.
    pub(crate) fn check(&self) -> Result<(), LabError> {
        if self.asked() { Err(LabError::Stopped) } else { Ok(()) }
    }
}

/// A child that is ended, with all that it started, when it is dropped.
pub(crate) struct Owned(pub(crate) Child);

impl Owned {
    /// Starts a program in a process group of its own.
    pub(crate) fn start(command: &mut Command) -> Result<Self, LabError> {
        command.process_group(0).spawn().map(Self).map_err(|error| LabError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            error,
        })
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Waits until it has ended, at most so long.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + deadline;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it, and its process group.
    pub(crate) fn end(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if let Some(group) = rustix::process::Pid::from_raw(self.0.id() as i32) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a program wrote and how it ended.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end and hears each line of its standard output.
pub(crate) fn hear(
    command: &mut Command,
    stop: &Stop,
    deadline: Duration,
    line: &mut dyn FnMut(&str),
) -> Result<Said, LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Owned::start(command)?;
    let (sender, lines) = channel();
    if let Some(out) = child.0.stdout.take() {
        listen(out, false, sender.clone());
    }
    if let Some(err) = child.0.stderr.take() {
        listen(err, true, sender);
    }
    let until = Instant::now() + deadline;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    loop {
        stop.check()?;
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok((true, text)) => stderr.push_str(&text),
            Ok((false, text)) => {
                line(text.trim_end());
                stdout.push_str(&text);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= until => {
                let status = format!("no end within {} s", deadline.as_secs());
                return Err(LabError::Program { program, status, said: tail(&stderr, 5) });
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
    match child.wait(left) {
        Some(status) => Ok(Said { status, stdout, stderr }),
        None => Err(LabError::Program {
            program,
            status: "it closed its output and went on".to_string(),
            said: tail(&stderr, 5),
        }),
    }
}

/// Runs a program that should succeed; gives its standard output.
pub(crate) fn succeed(
    command: &mut Command,
    stop: &Stop,
    deadline: Duration,
) -> Result<String, LabError> {
    let program = describe(command);
    let said = hear(command, stop, deadline, &mut |_| {})?;
    if said.status.success() {
        return Ok(said.stdout);
    }
    let status = said.status.to_string();
    Err(LabError::Program { program, status, said: tail(&said.stderr, 5) })
}

/// The program and its first arguments, for an error.
fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program()];
    words.extend(command.get_args().take(6));
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Passes on each line of a stream; bytes that are no text are replaced.
fn listen(stream: impl Read + Send + 'static, is_error: bool, to: Sender<(bool, String)>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(stream.read_until(b'\n', &mut bytes), Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if to.send((is_error, text)).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

/// Whether a program is in a folder of PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn lines_are_heard_and_streams_kept_apart() {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; printf three; exit 3"]);
        let said = hear(&mut command, &Stop::default(), LONG, &mut |l| heard.push(l.to_string()));
        let said = said.expect("sh runs");
        assert_eq!(heard, ["one", "three"]);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("one\nthree", "two\n"));
        assert_eq!(said.status.code(), Some(3));
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let mut command = Command::new("sh");
        let error =
            succeed(command.args(["-c", "echo no such luck >&2; false"]), &Stop::default(), LONG)
                .expect_err("it failed");
        assert!(error.to_string().contains("no such luck"), "{error}");
    }

    #[test]
    fn deadlines_and_signals_end_a_program() {
        let start = Instant::now();
        let short = Duration::from_millis(200);
        let late = succeed(Command::new("sleep").arg("60"), &Stop::default(), short);
        assert!(matches!(late, Err(LabError::Program { .. })));
        let stop = Stop::default();
        stop.ask();
        let stopped = succeed(Command::new("sleep").arg("60"), &stop, LONG);
        assert!(matches!(stopped, Err(LabError::Stopped)));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = succeed(&mut Command::new("no-such-program"), &Stop::default(), LONG);
        assert!(error.expect_err("none").to_string().contains("no-such-program"));
        assert!(on_path("sh") && !on_path("no-such-program"));
    }
}
