//! Starting examples as processes, with deadlines.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// How long a program may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// What became of a program.
#[derive(Debug)]
pub struct Side {
    pub success: bool,
    pub out: String,
    pub err: String,
}

/// Two programs that work with each other.
pub struct Sides;

/// An address of this test process alone, as far as its number goes.
pub fn address(last: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, last)
}

/// A TCP port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    listener.local_addr().expect("it is bound").port()
}

/// The tests of a process have their addresses one after the other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sides {
    /// The same program with the same options as server and as client: what became of both.
    pub fn of(program: &str, options: &[&str], devices: (&str, &str)) -> [Side; 2] {
        Self::with(program, (options, options), devices)
    }

    /// With options of their own.
    pub fn with(
        program: &str,
        (server, client): (&[&str], &[&str]),
        devices: (&str, &str),
    ) -> [Side; 2] {
        let _lock = one_at_a_time();
        let port = free_port().to_string();
        let common = |device| ["-d", device, "-p", &port];
        let begin = Instant::now();
        let mut running = Running::start(program, &[server, &common(devices.0)].concat());
        let arguments = [client, &common(devices.1), &["localhost"]].concat();
        loop {
            let client = Running::start(program, &arguments).finish(begin);
            let early = client.err.contains("start the server there first");
            if early && running.is_running() && begin.elapsed() < DEADLINE {
                sleep(Duration::from_millis(20));
                continue;
            }
            return [running.finish(begin), client];
        }
    }
}

/// One program by itself.
pub fn alone(program: &str, options: &[&str]) -> Side {
    let _lock = one_at_a_time();
    Running::start(program, options).finish(Instant::now())
}

/// A program that runs. It does not outlive this.
struct Running {
    child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
}

impl Running {
    fn start(program: &str, options: &[&str]) -> Self {
        let path = example(program);
        let mut child = Command::new(&path)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let out = child.stdout.take().map(reader);
        let err = child.stderr.take().map(reader);
        Self { child, out, err }
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends.
    fn finish(mut self, begin: Instant) -> Side {
        while self.is_running() {
            assert!(begin.elapsed() < DEADLINE, "it is still running after {DEADLINE:?}");
            sleep(Duration::from_millis(5));
        }
        let text = |reader: Option<JoinHandle<String>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        let success = self.child.wait().is_ok_and(|status| status.success());
        Side { success, out: text(self.out.take()), err: text(self.err.take()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end.
fn reader(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// An example that was built along with this test.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
    folder.join("examples").join(name)
}
