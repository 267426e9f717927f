//! One guest from its start to its end, with a deadline for each part of its life.

use crate::error::{LabError, on, tail};
use crate::guest::control::{Control, Heard, Message};
use crate::guest::folder::Folder;
use crate::guest::qemu::{Machine, command};
use crate::guest::streams::Doors;
use crate::process::{Owned, Stop};
use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long QEMU may take until it has its devices: it loads the kernel and meets the cards.
const START: Duration = Duration::from_secs(30);

/// A guest that runs. Dropping it ends it.
pub struct Guest {
    qemu: Owned,
    control: Control,
    streams: Vec<(&'static str, UnixStream)>,
    folder: Folder,
    stop: Stop,
    is_up: bool,
}

/// The files of a run's logs.
pub const CONSOLE: &str = "console.log";
const SAID: &str = "qemu.log";

impl Guest {
    /// Starts it; `machine.ports` must hold `control`.
    pub fn start(machine: &Machine, folder: Folder, stop: &Stop) -> Result<Self, LabError> {
        let doors = Doors::open(folder.sockets(), machine.ports)?;
        let path = folder.logs.join(SAID);
        let said = File::create(&path).map_err(on("write", &path))?;
        let too = said.try_clone().map_err(on("write", &path))?;
        let mut command = command(machine)?;
        let mut qemu = Owned::start(command.stdin(Stdio::null()).stdout(said).stderr(too))?;
        let when = "before it had its devices";
        let mut check = || {
            stop.check()?;
            match qemu.ended() {
                Some(status) => Err(ended(&folder, status, when)),
                None => Ok(()),
            }
        };
        let Some(mut streams) = doors.accept(START, &mut check)? else {
            let console = read(&folder, SAID);
            return Err(hang("start", START, &console, &folder));
        };
        let place = streams.iter().position(|(name, _)| *name == "control");
        let missing = || on("open", folder.sockets())(io::ErrorKind::NotFound.into());
        let (_, control) = streams.remove(place.ok_or_else(missing)?);
        let control = Control::on(control).map_err(on("listen on", folder.sockets()))?;
        Ok(Self { qemu, control, streams, folder, stop: stop.clone(), is_up: false })
    }

    /// The host's end of a port. Each can be taken once.
    pub fn stream(&mut self, name: &str) -> Option<UnixStream> {
        let place = self.streams.iter().position(|(port, _)| *port == name)?;
        Some(self.streams.remove(place).1)
    }

    /// Waits for the agent's next message; `what` says what is being waited for. `check` is asked
    /// now and then whether waiting still makes sense.
    pub fn wait(
        &mut self,
        what: &'static str,
        deadline: Duration,
        check: &mut dyn FnMut() -> Result<(), LabError>,
    ) -> Result<Message, LabError> {
        let until = Instant::now() + deadline;
        loop {
            self.stop.check()?;
            check()?;
            match self.control.hear() {
                Heard::Message(message) => {
                    self.is_up = true;
                    return Ok(message);
                }
                Heard::End => return Err(self.gone()),
                Heard::Nothing if Instant::now() >= until => {
                    let console = read(&self.folder, CONSOLE);
                    return Err(hang(what, deadline, &console, &self.folder));
                }
                Heard::Nothing => {}
            }
        }
    }

    /// Waits until it has powered off; one that does not is ended.
    pub fn finish(mut self, deadline: Duration) {
        self.qemu.wait(deadline);
    }

    /// Why the guest closed its control port without a last word.
    fn gone(&mut self) -> LabError {
        match self.qemu.wait(Duration::from_secs(5)) {
            Some(status) if self.is_up => ended(&self.folder, status, "while the guest ran"),
            Some(status) => ended(&self.folder, status, "before the guest was up"),
            None => LabError::PoweredOff { logs: self.folder.logs.clone() },
        }
    }

    /// The drivers' failure, with what the kernel said last.
    pub fn drivers_failed(&mut self, why: &str) -> LabError {
        // The agent prints the kernel's messages on the console before it powers off.
        self.qemu.wait(Duration::from_secs(10));
        let console = read(&self.folder, CONSOLE);
        let why = format!("{why}\n{}", tail(&console, 15));
        LabError::Drivers { why, logs: self.folder.logs.clone() }
    }
}

/// What the end of QEMU means: the console tells a panic from a power-off.
fn ended(folder: &Folder, status: std::process::ExitStatus, when: &'static str) -> LabError {
    let console = read(folder, CONSOLE);
    let logs = folder.logs.clone();
    if let Some(at) = console.find("Kernel panic") {
        let said = console[at..].lines().take(12).collect::<Vec<_>>().join("\n");
        return LabError::Panic { said: tail(&said, 12), logs };
    }
    if let Some(line) = console.lines().find(|line| line.contains("lab: init:")) {
        return LabError::Init { said: tail(line, 1), logs };
    }
    if status.success() {
        return LabError::PoweredOff { logs };
    }
    LabError::QemuEnded {
        status: status.to_string(),
        when,
        said: tail(&read(folder, SAID), 8),
        logs,
    }
}

fn hang(what: &'static str, after: Duration, console: &str, folder: &Folder) -> LabError {
    LabError::Hang { what, after, said: tail(console, 5), logs: folder.logs.clone() }
}

/// The end of a log, as text: a console may have written any bytes and any number of them.
fn read(folder: &Folder, name: &str) -> String {
    let bytes = fs::read(folder.logs.join(name)).unwrap_or_default();
    let from = bytes.len().saturating_sub(256 << 10);
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}
