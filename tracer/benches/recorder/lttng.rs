//! LTTng-UST beside us: a C program that tells it of the same event, in a session of its own.
//!
//! The session keeps the newest events in memory ("snapshot" mode, buffers that are overwritten), as a
//! recorder does: no disk is in the way, and no event is dropped, which would cost less than keeping it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the session daemon may take to answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// A session that runs, and the program that is traced in it.
pub struct Peer {
    folder: PathBuf,
    daemon: Child,
    program: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Builds the program and starts both; says what is missing if that cannot be.
    pub fn start(events: u32) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("doorbell-lttng-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| format!("no folder: {error}"))?;
        let started = Self::start_in(&folder, events);
        if started.is_err() {
            let _ = std::fs::remove_dir_all(&folder);
        }
        started
    }

    fn start_in(folder: &Path, events: u32) -> Result<Self, String> {
        let program = build(folder)?;
        let mut daemon =
            quiet(&mut in_folder("lttng-sessiond", folder)).spawn().map_err(|error| {
                format!("lttng-sessiond does not start ({error}): install lttng-tools")
            })?;
        let peer = session(folder).and_then(|()| {
            let command = |program: &Path| {
                in_folder(program, folder)
                    .arg(events.to_string())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
            };
            command(&program).map_err(|error| format!("the traced program does not start: {error}"))
        });
        let mut program = match peer {
            Ok(program) => program,
            Err(why) => {
                let _ = daemon.kill();
                let _ = daemon.wait();
                return Err(why);
            }
        };
        let (Some(input), Some(output)) = (program.stdin.take(), program.stdout.take()) else {
            return Err("the traced program has no pipes".to_owned());
        };
        let (folder, output) = (folder.to_owned(), BufReader::new(output));
        Ok(Self { folder, daemon, program, input, output })
    }

    /// Nanoseconds an event of one run, "store" or "block".
    pub fn time(&mut self, which: &str) -> f64 {
        let mut line = String::new();
        let asked = writeln!(self.input, "{which}").and_then(|()| self.input.flush());
        let answered = asked.and_then(|()| self.output.read_line(&mut line));
        answered.ok().and_then(|_| line.trim().parse().ok()).unwrap_or(f64::NAN)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = quiet(in_folder("lttng", &self.folder).args(["destroy", "doorbell"])).status();
        // A daemon that is asked to end takes its helpers with it.
        let asked = Command::new("kill").arg(self.daemon.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.daemon.kill();
        }
        let _ = self.daemon.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A command whose LTTng lives in the folder and disturbs nobody else's.
fn in_folder(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LTTNG_HOME", folder).env("LTTNG_RUNDIR", folder.join("run"));
    // Without this root's programs look for the system's daemon.
    command.env("LTTNG_UST_APP_PATH", folder.join("run"));
    command
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Builds the traced program.
fn build(folder: &Path) -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/recorder");
    let program = folder.join("lttng-peer");
    let output = Command::new("gcc")
        .args(["-O2", "-I"])
        .arg(&sources)
        .arg(sources.join("lttng_peer.c"))
        .arg("-o")
        .arg(&program)
        .args(["-llttng-ust", "-ldl"])
        .output()
        .map_err(|error| format!("gcc does not start ({error}): install gcc"))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(format!(
            "the traced program cannot be built; install liblttng-ust-dev\n{}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Starts a session in which the program's events are kept.
fn session(folder: &Path) -> Result<(), String> {
    let output = format!("--output={}", folder.join("out").display());
    let channel = ["enable-channel", "--userspace", "--overwrite", "--subbuf-size=1M"];
    let steps: [&[&str]; 4] = [
        &["create", "doorbell", "--snapshot", &output],
        &[&channel[..], &["--num-subbuf=4", "events"]].concat(),
        &["enable-event", "--userspace", "--channel=events", "doorbell:*"],
        &["start"],
    ];
    let deadline = Instant::now() + DEADLINE;
    for step in steps {
        // The daemon takes a moment to listen: only the first step has to wait for it.
        while !quiet(in_folder("lttng", folder).arg("--no-sessiond").args(step))
            .status()
            .map_err(|error| format!("lttng does not start ({error}): install lttng-tools"))?
            .success()
        {
            if Instant::now() > deadline {
                return Err(format!("lttng refuses: {}", step.join(" ")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}
