//! Programs that are started with `--trace-socket`: what they listen at, what they answer, what they leave.
#![cfg(target_os = "linux")]

use doorbell_examples::attach::{AttachError, Attached, default_place};
use doorbell_tracer::EventSource;
use doorbell_tracer::file::{Options, open, write};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// An example that was built along with this test.
fn example(name: &str, arguments: &[&str]) -> Command {
    let own = std::env::current_exe().expect("this test has a path");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
    let mut command = Command::new(folder.join("examples").join(name));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    command.env_remove("DOORBELL_TRACE_SOCKET");
    command
}

/// A running program, which is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(mut command: Command) -> Running {
    Running(command.spawn().expect("it starts"))
}

/// Attaches as soon as the program listens.
fn attached(socket: &Path) -> Attached {
    let begin = Instant::now();
    loop {
        match Attached::to(socket) {
            Ok(attached) => return attached,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(120), "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a program says that must fail.
fn fails(name: &str, arguments: &[&str]) -> String {
    let output = example(name, arguments).output().expect("it starts");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && !errors.contains("panicked"), "{errors}");
    errors
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    (folder, socket)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a test is text")
}

#[test]
fn a_ping_pong_is_asked_while_it_runs() {
    let (_folder, socket) = folder();
    let options =
        ["-n", "1000000", "-s", "64", "--trace-ring", "300", "--trace-socket", text(&socket)];
    let running = start(example("rc_pingpong", &options));
    let mut program = attached(&socket);
    assert_eq!(program.greeting().pid, running.0.id());
    assert_eq!(program.greeting().program, "rc_pingpong");
    let rights = std::fs::metadata(&socket).expect("it is there").permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    while program.status().expect("it answers").recorded < 10_000 {
        thread::sleep(Duration::from_millis(1));
    }
    let loaded = program.snapshot().expect("a snapshot");
    let ring = loaded.header().ring.expect("it is out of a ring");
    assert_eq!(ring.capacity, 300);
    assert!(ring.lost > 9_000 && loaded.len() >= 300, "{ring:?}");
    // Which sites are among the last events nobody can say; each comes with its source.
    let header = loaded.header();
    let has_source = |file: &str| header.sources.iter().any(|source| source.path == file);
    assert!(!header.sites.is_empty() && header.sites.iter().all(|site| has_source(&site.file)));
    let second = fails("rc_write", &["--trace-socket", text(&socket)]);
    assert!(second.contains("another program listens"), "{second}");
    program.status().expect("the first is still attached to");
    drop(running);
    assert!(matches!(program.status(), Err(AttachError::Gone)));
    assert!(matches!(Attached::to(&socket), Err(AttachError::Stale { .. })));
}

#[test]
fn a_snapshot_is_what_the_schema_says() {
    let (_folder, socket) = folder();
    let _running =
        start(example("shared_receive", &["--trace-socket", text(&socket), "--linger", "60"]));
    let mut program = attached(&socket);
    let is_done = |program: &mut Attached| {
        let status = program.status().expect("it answers");
        status.contexts == 0 && status.recorded > 500
    };
    while !is_done(&mut program) {
        thread::sleep(Duration::from_millis(1));
    }
    let loaded = program.snapshot().expect("a snapshot");
    assert_eq!(loaded.header().scenario, "shared-receive");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/schema/trace-1.schema.json");
    let schema = std::fs::read_to_string(schema).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    let mut lines = Vec::new();
    write(loaded.header(), &loaded, &mut lines, &Options::default()).expect("written");
    let lines = String::from_utf8(lines).expect("text");
    assert!(lines.lines().count() > 100);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert!(schema.is_valid(&line), "{line}");
    }
}

#[test]
fn groups_and_the_table_are_chosen_at_the_start() {
    for (groups, probes, on) in [("none", false, 0), ("all", true, 7), ("card,poll_cq", true, 2)] {
        let (_folder, socket) = folder();
        let options = ["-n", "1000000", "--trace-groups", groups, "--trace-socket", text(&socket)];
        let _running = start(example("rc_pingpong", &options));
        let status = attached(&socket).status().expect("it answers");
        assert_eq!(status.probes, probes);
        assert_eq!(status.groups.iter().filter(|group| group.on).count(), on, "{groups}");
    }
    let (_folder, socket) = folder();
    let options = ["--trace-groups", "postsend", "--trace-socket", text(&socket)];
    let errors = fails("rc_write", &options);
    assert!(errors.contains("\"postsend\"") && errors.contains("post_send"), "{errors}");
    assert!(fails("rc_write", &["--trace-groups", "all"]).contains("--trace-socket"));
}

#[test]
fn the_socket_can_be_named_by_the_environment_or_by_the_process() {
    let (_folder, socket) = folder();
    let mut command = example("rc_write", &["--linger", "60"]);
    command.env("DOORBELL_TRACE_SOCKET", &socket);
    let _one = start(command);
    assert_eq!(attached(&socket).greeting().program, "rc-write");
    let two = start(example("rc_write", &["--linger", "60", "--trace-socket"]));
    let place = default_place(two.0.id());
    attached(&place);
    drop(two);
    std::fs::remove_file(place).expect("a program that was killed leaves its socket");
}

#[test]
fn a_socket_left_behind_is_replaced_and_nothing_else_is() {
    let (folder, socket) = folder();
    drop(UnixListener::bind(&socket).expect("it can be bound"));
    let output =
        example("rc_write", &["--trace-socket", text(&socket)]).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    assert!(!socket.exists(), "it goes with the program");
    let file = folder.path().join("file");
    std::fs::write(&file, "a file").expect("the folder is ours");
    let errors = fails("rc_write", &["--trace-socket", text(&file)]);
    assert!(errors.contains("is no socket"), "{errors}");
    assert_eq!(std::fs::read_to_string(&file).expect("it stays"), "a file");
    let errors = fails("rc_write", &["--trace-socket", "/nowhere/socket"]);
    assert!(errors.contains("cannot listen at /nowhere/socket"), "{errors}");
    let long = folder.path().join("x".repeat(120));
    assert!(fails("rc_write", &["--trace-socket", text(&long)]).contains("fewer than 108 bytes"));
}

#[test]
fn what_happened_before_an_error_is_kept() {
    let (folder, socket) = folder();
    let file = folder.path().join("last.jsonl");
    let options = ["--trace-socket", text(&socket), "--trace", text(&file), "--trace-ring", "20"];
    let errors = fails("rc_write", &[&options[..], &["--device", "none"]].concat());
    assert!(errors.contains("no device was found"), "{errors}");
    let (loaded, _) = open(&file).expect("a trace");
    assert!(loaded.header().ring.is_some() && !loaded.is_empty());
}
