//! The examples as programs: options, exit codes, traces.

use std::path::Path;
use std::process::{Command, Output};

/// Runs an example that was built along with this test.
fn run(name: &str, arguments: &[&str]) -> Output {
    let own = std::env::current_exe().expect("this test has a path");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
    let program = folder.join("examples").join(name);
    Command::new(&program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

#[test]
fn each_runs_and_says_what_arrived() {
    for (name, wanted) in [
        ("rc_write", "64 bytes lie in the other queue pair's buffer"),
        ("rc_write_list", "the 3 before it"),
        ("rc_send_inline", "received 32 bytes"),
        ("shared_receive", "IBV_EVENT_SRQ_LIMIT_REACHED"),
        ("devinfo", "PORT_ACTIVE (4)"),
    ] {
        let output = run(name, &[]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains(wanted), "{name}: {text}");
    }
}

#[test]
fn a_trace_is_written_where_it_is_asked_for() {
    let path = std::env::temp_dir().join(format!("doorbell-example-{}.jsonl", std::process::id()));
    let output = run("rc_write", &["--trace", path.to_str().expect("plain text")]);
    assert!(output.status.success());
    let (loaded, warnings) = doorbell_tracer::file::open(&path).expect("it opens");
    std::fs::remove_file(&path).expect("it was there");
    assert!(warnings.is_empty());
    assert_eq!(loaded.header().scenario, "rc-write");
}

#[test]
fn what_cannot_be_is_said_and_fails() {
    let output = run("rc_write", &["--device", "none"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("no device was found"), "{text}");
    let output = run("rc_write", &["--device", "mlx5_"]);
    assert_eq!(output.status.code(), Some(2));
    let output = run("rc_write", &["--device", "mlx5_99"]);
    assert_eq!(output.status.code(), Some(1));
    let output = run("rc_write", &["--trace", "/nonexistent/folder/trace.jsonl"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("/nonexistent/folder/trace.jsonl"), "{text}");
}

#[test]
fn the_ping_pong_plays_both_sides_on_the_software_card() {
    for options in [
        &["-n", "20", "-c"][..],
        &["-n", "20", "-c", "-e"],
        &["-n", "20", "-s", "32", "-c", "-g", "0"],
        &["-n", "3", "-s", "65536", "-m", "4096", "-c", "-e", "-r", "2"],
    ] {
        let output = run("rc_pingpong", options);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{options:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("both sides in this process"), "{text}");
        let events = options.contains(&"-e");
        assert_eq!(text.contains("completion events"), events, "{text}");
    }
}

#[test]
fn the_unreliable_ping_pongs_play_both_sides_too() {
    for program in ["uc_pingpong", "ud_pingpong"] {
        for options in [&["-n", "20", "-c"][..], &["-n", "20", "-c", "-e", "-s", "1"]] {
            let output = run(program, options);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {options:?}: {error}");
            assert!(text.contains("both sides in this process"), "{text}");
        }
    }
}

#[test]
fn the_ping_pong_says_what_it_cannot() {
    let said = |options: &[&str]| {
        let output = run("rc_pingpong", options);
        assert!(!output.status.success(), "{options:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["localhost"]).contains("has no wire"));
    assert!(said(&["-s", "100000000"]).contains("use smaller queues or buffers"));
    assert!(said(&["-g", "7"]).contains("entry 7"));
    assert!(said(&["-m", "1000"]).contains("256"));
    assert!(said(&["--both", "localhost"]).contains("cannot be used with"));
    let nobody = said(&["-d", "mlx5_99"]);
    assert!(nobody.contains("no device was found"), "{nobody}");
}

#[test]
fn the_ping_pong_leaves_a_trace_with_its_events() {
    let path = std::env::temp_dir().join(format!("doorbell-pingpong-{}.jsonl", std::process::id()));
    let place = path.to_str().expect("plain text");
    let output = run("rc_pingpong", &["-n", "2", "-e", "-r", "2", "--trace", place]);
    assert!(output.status.success());
    let text = std::fs::read_to_string(&path).expect("a trace");
    let (loaded, warnings) = doorbell_tracer::file::open(&path).expect("it opens");
    std::fs::remove_file(&path).expect("it was there");
    assert!(warnings.is_empty());
    assert_eq!(loaded.header().scenario, "rc_pingpong");
    for what in ["ibv_req_notify_cq", "cq_arm_doorbell", "wait for the interrupt", "eq_doorbell"] {
        assert!(text.contains(what), "{what}");
    }
}
