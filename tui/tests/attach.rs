//! `doorbell attach` and the programs that it attaches to: every error, and what a snapshot holds.
#![cfg(target_os = "linux")]

use doorbell_driver::verbs::{Access, Opcode, RemoteAddress, SendFlags, SendRequest, post_send};
use doorbell_examples::attach::{Attached, Listening};
use doorbell_examples::{Device, Pair, Traced, World, wait_for};
use doorbell_tracer::file::open;
use doorbell_tracer::{Clock, EventSource, Kind, Ring, Tracer};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Runs the command.
fn attach(socket: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    command.arg("attach").arg(socket).args(arguments).output().expect("the command starts")
}

#[track_caller]
fn works(socket: &Path, arguments: &[&str]) -> String {
    let output = attach(socket, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn fails(socket: &Path, arguments: &[&str]) -> String {
    let output = attach(socket, arguments);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(output.stdout.is_empty() && !errors.contains("panicked"), "{errors}");
    errors
}

/// A program on a software card that writes and writes, until the test has seen enough.
fn while_running(ring: usize, test: impl FnOnce(&Path, &World, &AtomicU64)) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let tracer = Tracer::new(Ring::new(ring), Clock::Logical);
    let world = World::new(Device::Card, &tracer);
    let program = Traced::of("writer", &Device::Card, (Clock::Logical, "logical"));
    let listening = Listening::at(&socket, program, world.switches.clone()).expect("it listens");
    let (ends, completed) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let running = scope.spawn(|| write_until(&ends, &world, &completed));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            test(&socket, &world, &completed);
        }));
        // Whatever was asked of it, the program goes on afterwards.
        let before = completed.load(Ordering::Relaxed);
        while outcome.is_ok()
            && completed.load(Ordering::Relaxed) == before
            && !running.is_finished()
        {
            thread::yield_now();
        }
        ends.store(true, Ordering::Relaxed);
        running.join().expect("the program does not panic");
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    drop(listening);
    assert!(!socket.exists(), "the socket goes with the program");
}

/// Posts one work request after the other, and counts those that completed.
fn write_until(ends: &AtomicBool, world: &World, completed: &AtomicU64) {
    let context = world.open().expect("a card");
    let pair = Pair::new(&context).expect("two queue pairs");
    let source = pair.memory("source", b"secret bytes....", Access::empty()).expect("memory");
    let rights = Access::LOCAL_WRITE | Access::REMOTE_WRITE;
    let target = pair.memory("target", &[0; 16], rights).expect("memory");
    let mut wr_id = 0;
    while !ends.load(Ordering::Relaxed) {
        wr_id += 1;
        let request = SendRequest {
            wr_id,
            sg_list: &[source.element(0, 16)],
            opcode: Opcode::RdmaWrite,
            send_flags: SendFlags::SIGNALED,
            remote: RemoteAddress { address: target.buffer().address(), rkey: target.rkey() },
            ..SendRequest::default()
        };
        post_send(&pair.sender, &[request]).expect("posted");
        let completion = wait_for(&pair.send_cq, &context).expect("completed");
        assert_eq!(completion.wr_id, wr_id, "nothing is lost while tables are exchanged");
        completed.store(wr_id, Ordering::Relaxed);
    }
}

/// Waits until so many contexts are open.
fn until_open(socket: &Path) {
    while Attached::to(socket).expect("it listens").status().expect("it answers").contexts == 0 {
        thread::yield_now();
    }
}

#[test]
fn groups_are_listed_and_switched() {
    while_running(1000, |socket, world, _| {
        until_open(socket);
        let list = works(socket, &[]);
        assert!(list.starts_with("writer on card, process "), "{list}");
        assert!(list.contains("ops table: with probes; open contexts: 1"), "{list}");
        assert_eq!(list.matches("\n  on  ").count(), 7, "{list}");
        let list = works(socket, &["--disable", "all", "--enable", "poll_cq,card"]);
        assert!(list.contains("  on  poll_cq") && list.contains("  off post_send"), "{list}");
        let list = works(socket, &["--disable", "card,poll_cq"]);
        assert!(list.contains("ops table: without probes"), "{list}");
        assert!(!world.switches.any_is_on());
        let status: serde_json::Value =
            serde_json::from_str(&works(socket, &["--enable", "post_send", "--json"]))
                .expect("JSON");
        assert_eq!((&status["probes"], &status["groups"][3]["on"]), (&true.into(), &true.into()));
        let errors = fails(socket, &["--enable", "poll_cq,postsend"]);
        assert!(errors.contains("\"postsend\"") && errors.contains("post_recv"), "{errors}");
        let list = works(socket, &["--status"]);
        assert!(list.contains("  off poll_cq"), "nothing is switched then: {list}");
    });
}

#[test]
fn a_snapshot_is_a_trace_of_the_last_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("last.jsonl");
    let path = file.to_str().expect("text");
    while_running(500, |socket, _, _| {
        until_open(socket);
        while Attached::to(socket).unwrap().status().unwrap().recorded < 5000 {
            thread::yield_now();
        }
        let said = works(socket, &["--snapshot", path]);
        assert!(
            said.contains("steps of writer, out of a ring, ") && said.contains(" lost"),
            "{said}"
        );
        let (loaded, warnings) = open(&file).expect("it opens");
        let ring = loaded.header().ring.expect("it says that it is out of a ring");
        assert!(ring.capacity == 500 && ring.lost >= 4500, "{ring:?}");
        assert!(loaded.len() >= 500, "the maps stand in front");
        assert!(warnings.len() <= 2, "{warnings:?}");
        let wrote = |kind: &Kind| matches!(kind, Kind::Store { .. });
        assert!((0..loaded.len()).any(|step| wrote(&loaded.get(step).unwrap().kind)));
        let shown = Command::new(env!("CARGO_BIN_EXE_doorbell"))
            .args(["replay", path, "--text", "--all"])
            .output()
            .expect("the command starts");
        let walk = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(walk.starts_with("writer on card, out of a ring, "), "{:.200}", walk);
        assert!(walk.contains("call ibv_post_send("));
    });
}

#[test]
fn a_snapshot_can_be_masked_and_the_ring_be_emptied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("last.jsonl");
    let file = path.to_str().expect("text");
    let secret = b"secret bytes....".map(|byte| format!("{byte:02x}")).concat();
    while_running(5000, |socket, world, completed| {
        until_open(socket);
        while Attached::to(socket).unwrap().status().unwrap().recorded < 5000 {
            thread::yield_now();
        }
        works(socket, &["--snapshot", file]);
        assert!(std::fs::read_to_string(&path).unwrap().contains(&secret), "the card gathers it");
        let said = works(socket, &["--snapshot", file, "--mask", "--disable", "all"]);
        assert!(said.contains("payload and addresses masked"), "{said}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret));
        assert!(open(&path).unwrap().0.header().masked.addresses);
        // Calls that were under way may have told of their end; then nothing comes.
        let before = completed.load(Ordering::Relaxed);
        while completed.load(Ordering::Relaxed) < before + 2 {
            thread::yield_now();
        }
        let list = works(socket, &["--clear", "--status"]);
        assert!(list.contains("ring: 0 events of 5000; recorded 0, lost 0"), "{list}");
        works(socket, &["--enable", "all"]);
        while world.switches.counts().recorded < 100 {
            thread::yield_now();
        }
        works(socket, &["--snapshot", file]);
        let (loaded, _) = open(&path).unwrap();
        let maps = (0..loaded.len())
            .filter(|step| matches!(loaded.get(*step).unwrap().kind, Kind::Map(_)));
        assert!(maps.count() > 5, "regions that were mapped before are known");
    });
}

/// The ops table of a live context is exchanged thousands of times while it is posted through.
#[test]
fn tables_are_exchanged_under_a_running_program() {
    while_running(64, |socket, world, _| {
        until_open(socket);
        let (all, none) = (["all".to_owned()], []);
        for _ in 0..20_000 {
            world.switches.switch(&all, &none).expect("known");
            assert!(!world.switches.any_is_on());
            world.switches.switch(&none, &all).expect("known");
        }
        let before = world.switches.counts().recorded;
        while world.switches.counts().recorded == before {
            thread::yield_now();
        }
    });
}

#[test]
fn who_may_not_or_cannot_be_asked_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let errors = fails(&at("nothing"), &[]);
    assert!(errors.contains("there is no socket") && errors.contains("--trace-socket"), "{errors}");
    let output = attach(Path::new("99999999999"), &[]);
    assert_eq!(output.status.code(), Some(2));
    let errors = fails(Path::new("4194305"), &[]);
    assert!(errors.contains("doorbell-4194305.socket"), "{errors}");
    drop(UnixListener::bind(at("stale")).expect("it can be bound"));
    let errors = fails(&at("stale"), &[]);
    assert!(errors.contains("nobody listens"), "{errors}");
    std::fs::write(at("file"), "a file").expect("the folder is ours");
    for other in [at("file"), folder.path().to_owned()] {
        let errors = fails(&other, &[]);
        assert!(errors.contains("is no socket; name the path"), "{errors}");
    }
    let another = UnixListener::bind(at("another")).expect("it can be bound");
    thread::scope(|scope| {
        scope.spawn(|| another.accept().and_then(|(mut stream, _)| stream.write_all(b"{}\n")));
        let errors = fails(&at("another"), &[]);
        assert!(errors.contains("not a program that doorbell can attach to"), "{errors}");
    });
}

/// A program that says what the test wants, and then goes away.
fn says(lines: &'static [&'static str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).expect("it can be bound");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        stream.write_all(lines[0].as_bytes()).expect("it listens");
        let mut requests = BufReader::new(stream.try_clone().expect("a copy"));
        for line in &lines[1..] {
            requests.read_line(&mut String::new()).expect("it asks");
            stream.write_all(line.as_bytes()).expect("it listens");
        }
    });
    (folder, socket)
}

const HELLO: &str = "{\"format\":\"doorbell-attach\",\"version\":1,\"tool\":\"doorbell 0\",\
                     \"program\":\"p\",\"device\":\"card\",\"pid\":1}\n";

#[test]
fn a_program_of_another_version_or_none_at_all_is_told() {
    let newer = "{\"format\":\"doorbell-attach\",\"version\":2,\"tool\":\"doorbell 9.9\",\"program\":\"p\"}\n";
    let (_folder, socket) = says(Box::leak(Box::new([newer])));
    let errors = fails(&socket, &[]);
    assert!(errors.contains("doorbell 9.9") && errors.contains("version 2"), "{errors}");
    for greeting in ["220 mail.example.org ESMTP\n", "{}\n", "[1]\n"] {
        let (_folder, socket) = says(Box::leak(Box::new([greeting])));
        let errors = fails(&socket, &[]);
        assert!(errors.contains("not a program that doorbell can attach to"), "{errors}");
    }
}

#[test]
fn a_program_that_goes_away_midway_leaves_no_file() {
    let file = tempfile::tempdir().expect("a folder");
    let path = file.path().join("last.jsonl");
    let snapshot = ["--snapshot", path.to_str().expect("text")];
    for lines in [
        &[""][..],
        &[HELLO],
        &[HELLO, "{\"is\":\"snap"],
        &[HELLO, "{\"is\":\"snapshot\",\"bytes\":10}\n{}"],
    ] {
        let (_folder, socket) = says(Box::leak(lines.to_vec().into_boxed_slice()));
        let errors = fails(&socket, &snapshot);
        assert!(errors.contains("went away"), "{lines:?}: {errors}");
        assert!(!path.exists());
    }
    let (_folder, socket) = says(&[HELLO, "{\"is\":\"other\"}\n"]);
    assert!(fails(&socket, &snapshot).contains("is not understood"));
    let (_folder, socket) = says(&[HELLO, "{\"is\":\"snapshot\",\"bytes\":3}\n{}\n"]);
    assert!(fails(&socket, &snapshot).contains("is not a trace"));
    assert!(!path.exists());
}

#[test]
fn nonsense_does_not_disturb_the_program() {
    while_running(64, |socket, _, _| {
        until_open(socket);
        for nonsense in [&b"\n"[..], b"{}\n", b"\xff\xfe\n", &[b'x'; 100_000]] {
            let mut stream = UnixStream::connect(socket).expect("it listens");
            let _ = stream.write_all(nonsense);
            let mut lines = BufReader::new(stream).lines();
            assert!(lines.next().expect("a greeting").expect("text").contains("doorbell-attach"));
            if let Some(Ok(refusal)) = lines.next() {
                assert!(refusal.contains("refused"), "{refusal}");
            }
        }
        drop(UnixStream::connect(socket).expect("it listens"));
        works(socket, &["--status"]);
    });
}

/// The commands that the book's page on probes shows, as it shows them.
#[test]
fn the_commands_of_the_guide_are_right() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/chapters/probes.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = 0;
    while_running(1000, |socket, _, _| {
        until_open(socket);
        for line in page.lines().filter(|line| line.starts_with("doorbell ")) {
            let line = line.split(" # ").next().expect("a command");
            let words = line.split_whitespace().skip(1);
            let words = words.map(|word| if word == "/tmp/pingpong" { text(socket) } else { word });
            let output = Command::new(env!("CARGO_BIN_EXE_doorbell"))
                .args(words)
                .current_dir(folder.path())
                .output()
                .expect("the command starts");
            assert!(output.status.success(), "{line}: {output:?}");
            run += 1;
        }
    });
    assert_eq!(run, 5);
    assert!(open(folder.path().join("last.jsonl")).expect("it opens").0.header().masked.payload);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a test is text")
}
