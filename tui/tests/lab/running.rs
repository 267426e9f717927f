//! A lab that runs beside a test, and a card that the test serves to it.

use super::lab_command;
use doorbell_card::CardConfig;
use doorbell_card_server::{Options, Serving, serve};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A lab that runs beside the test. Dropping it ends it.
pub struct Running {
    lab: Child,
    out: BufReader<ChildStdout>,
}

/// How a lab ended, and what it said.
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut lab = command.spawn().expect("doorbell starts");
        let out = BufReader::new(lab.stdout.take().expect("piped"));
        Self { lab, out }
    }

    /// Reads its output up to a line that holds this; answers what it read.
    pub fn wait_for(&mut self, what: &str) -> String {
        let mut heard = String::new();
        loop {
            let from = heard.len();
            let read = self.out.read_line(&mut heard).expect("text");
            if heard[from..].contains(what) {
                return heard;
            }
            assert!(read > 0, "no `{what}` in:\n{heard}\n{}", self.errors());
        }
    }

    fn errors(&mut self) -> String {
        let mut err = String::new();
        let _ = self.lab.stderr.take().expect("piped").read_to_string(&mut err);
        err
    }

    /// Waits for its end, which must come in time.
    pub fn end(mut self, deadline: Duration) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.lab.try_wait().expect("a child") {
                break status;
            }
            assert!(begun.elapsed() < deadline, "still running after {deadline:?}");
            std::thread::sleep(Duration::from_millis(50));
        };
        let mut out = String::new();
        self.out.read_to_string(&mut out).expect("text");
        let err = self.errors();
        Ended { status, out, err }
    }

    /// The machines of its guests: process and command line.
    pub fn machines(&self) -> Vec<(i32, String)> {
        let parent = self.lab.id();
        let all = std::fs::read_dir("/proc").expect("Linux").flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        numbers
            .filter_map(|number| {
                let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
                let after_name = stat.rsplit_once(')')?.1;
                let of: u32 = after_name.split_whitespace().nth(1)?.parse().ok()?;
                let line = std::fs::read_to_string(format!("/proc/{number}/cmdline")).ok()?;
                (of == parent).then(|| (number, line.replace('\0', " ")))
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.lab.kill();
        let _ = self.lab.wait();
    }
}

/// A card that this process serves, and the folder of its socket.
pub fn card() -> (Serving, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = socket_in(&folder);
    (serve(Options::new(&socket, CardConfig::infiniband(1))).expect("served"), folder)
}

/// A socket in a folder that only its owner may enter.
pub fn socket_in(folder: &TempDir) -> PathBuf {
    folder.path().join("private").join("card.sock")
}

pub fn on_card(folder: &TempDir, timeout: &str, script: &str) -> Option<Running> {
    let socket = socket_in(folder);
    let socket = socket.to_str().expect("plain");
    Some(Running::start(lab_command(
        &["run", "--card-socket", socket, "--timeout", timeout],
        script,
    )?))
}
