//! The command as a user calls it: what it prints, and its exit code.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command with these arguments.
fn doorbell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it.
fn run(arguments: &[&str]) -> Output {
    doorbell(arguments).output().expect("the command starts")
}

/// Its error output, after checking the exit code and that it is no accident.
#[track_caller]
fn fails(arguments: &[&str], code: i32) -> String {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    errors
}

/// Its output, after checking that it worked.
#[track_caller]
fn works(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a test is text")
}

/// A trace of the default scenario in a folder of its own.
fn recorded() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    works(&["record", "rc-write", "-o", text(&path)]);
    (folder, path)
}

/// What replaying a file with these bytes says, which must fail.
#[track_caller]
fn replay_fails(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    std::fs::write(&path, bytes).expect("the folder is ours");
    fails(&["replay", text(&path)], 1)
}

#[test]
fn without_a_terminal_and_arguments_it_prints_the_default_walk() {
    let walk = works(&[]);
    assert!(walk.starts_with("rc-write on card\n"), "{walk}");
    assert_eq!(walk, works(&["step", "rc-write", "--device", "card", "--text"]));
    assert!(walk.contains("the program printed:"));
}

#[test]
fn the_scenarios_are_listed_and_each_can_be_stepped() {
    let list = works(&["scenarios"]);
    for name in ["rc-write", "rc-write-list", "rc-send-inline"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{list}");
        assert!(works(&["step", name]).contains("call ibv_post_send("));
    }
}

/// On a machine that must not be changed the recording is shown, and the output says so.
#[test]
fn a_scenario_of_the_lab_is_shown_as_it_was_recorded() {
    assert!(works(&["scenarios"]).contains("why-mlx5-ib"));
    let output = run(&["step", "why-mlx5-ib"]);
    let (walk, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("this is a recording") && said.contains("doorbell lab run --iommu"),
        "{said}"
    );
    let place = |words: &str| walk.find(words).unwrap_or_else(|| panic!("no {words} in {walk}"));
    let acts = ["call act_1_mlx5_ib_absent", "call act_2_mlx5_ib_present", "call act_3_vfio"];
    let places = acts.map(place);
    assert!(places.is_sorted() && place("call modprobe(module = mlx5_ib)") < places[1], "{walk}");
    let first = &walk[places[0]..places[1]];
    assert!(first.contains("ibv_get_device_list(doors = 1) = 0"), "{first}");
    assert!(walk.lines().all(|line| line.len() < 220), "one line a call");
    let all = works(&["step", "why-mlx5-ib", "--text", "--all"]);
    assert!(all.lines().count() > 3 * walk.lines().count());
}

#[test]
fn a_scenario_of_the_lab_is_not_run_elsewhere() {
    let errors = fails(&["record", "why-mlx5-ib", "-o", "/nowhere/x"], 1);
    assert!(errors.contains("doorbell lab record why-mlx5-ib -o FILE"), "{errors}");
    let errors = fails(&["step", "why-mlx5-ib", "--device", "mlx5_0"], 1);
    assert!(errors.contains("leave `--device mlx5_0` out"), "{errors}");
    let errors = fails(&["lab", "record", "rc-write", "-o", "/nowhere/x"], 2);
    assert!(errors.contains("rc-write does not need the lab"), "{errors}");
}

#[test]
fn an_unknown_scenario_names_those_that_there_are() {
    for arguments in [&["step", "rc-wrte"][..], &["record", "rc-wrte", "-o", "x"]] {
        let errors = fails(arguments, 2);
        assert!(errors.contains("rc-wrte") && errors.contains("doorbell scenarios"), "{errors}");
    }
}

#[test]
fn an_unknown_device_names_those_that_there_are() {
    for arguments in [&["--device", "crad"][..], &["step", "rc-write", "--device", "vfio:3b"]] {
        let errors = fails(arguments, 2);
        assert!(errors.contains("there is no device") && errors.contains("none"), "{errors}");
    }
}

/// A name that a kernel's device could have is looked for where the kernel lists its own.
#[test]
fn a_device_that_the_kernel_does_not_have_is_told_in_the_walk() {
    for device in ["mlx5_99", "vfio:ffff:ff:1f.7"] {
        let output = run(&["step", "rc-write", "--device", device]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("ibv_get_device_list returns 0"), "{text}");
        assert!(text.contains("no device was found"), "{text}");
    }
}

#[test]
fn an_unknown_option_or_command_is_a_usage_error() {
    for arguments in [
        &["--bogus"][..],
        &["step", "rc-write", "--bogus"],
        &["bogus"],
        &["record", "rc-write"],
        &["record", "rc-write", "-o", "x", "--mask", "bogus"],
        &["replay"],
        &["book", "--port", "80"],
        &["book", "--serve", "--port", "99999"],
    ] {
        let errors = fails(arguments, 2);
        assert!(errors.contains("--help"), "{arguments:?}: {errors}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    assert!(works(&["--help"]).contains("step"));
    assert!(works(&["record", "--help"]).contains("--mask"));
    assert!(works(&["--version"]).starts_with("doorbell "));
}

#[test]
fn without_a_device_the_walk_shows_where_it_was_looked_for() {
    let output = run(&["--device", "none"]);
    assert_eq!(output.status.code(), Some(1), "the program that it shows failed");
    let walk = String::from_utf8(output.stdout).expect("text");
    assert!(
        walk.contains("/sys/class/infiniband_verbs (played: a machine without mlx5_ib): empty")
            && walk.contains("mlx5_ib"),
        "{walk}"
    );
    assert!(walk.contains("the program failed: "), "{walk}");
}

#[test]
fn a_record_replays_as_the_same_walk() {
    let (_folder, path) = recorded();
    let replayed = works(&["replay", text(&path)]);
    assert!(works(&[]).starts_with(&replayed));
    assert!(works(&["replay", text(&path), "--all"]).len() > replayed.len());
}

#[test]
fn two_records_are_the_same_byte_for_byte() {
    let read = |(_folder, path): (tempfile::TempDir, _)| std::fs::read(path).expect("it is there");
    assert!(read(recorded()) == read(recorded()));
}

#[test]
fn payload_and_addresses_can_be_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("masked.jsonl");
    let masks = ["--mask", "payload", "--mask", "addresses"];
    works(&[&["record", "rc-write", "-o", text(&path)][..], &masks].concat());
    let masked = works(&["replay", text(&path)]);
    assert!(works(&[]).contains("0x1000018000"));
    assert!(!masked.contains("0x1000018000"), "the address of the target");
    assert!(!masked.contains("41 42 43 44 45 46 47 48"), "the program's data");
}

#[test]
fn a_file_that_is_not_there_or_a_folder_is_told() {
    let errors = fails(&["replay", "/nowhere/trace.jsonl"], 1);
    assert!(errors.contains("there is no file") && errors.contains("doorbell record"), "{errors}");
    let folder = tempfile::tempdir().expect("a folder");
    assert!(fails(&["replay", text(folder.path())], 1).contains("is a directory"));
    let into = ["record", "rc-write", "-o", text(folder.path())];
    assert!(fails(&into, 1).contains("is a directory"));
}

#[test]
fn a_file_that_is_no_trace_is_told() {
    assert!(replay_fails(b"").contains("is empty"));
    assert!(replay_fails(b"hello\n").contains("is not a trace"));
    assert!(replay_fails(b"{\"format\":\"other\"}\n").contains("is not a trace"));
    assert!(replay_fails(&[0, 159, 146, 150]).contains("is not a trace"));
}

#[test]
fn a_newer_trace_names_both_versions() {
    let (_folder, path) = recorded();
    let written = std::fs::read_to_string(&path).expect("it is there");
    let newer = written.replacen("\"schema\":1", "\"schema\":7", 1);
    assert_ne!(written, newer, "the header names its version");
    let errors = replay_fails(newer.as_bytes());
    assert!(errors.contains("version 7") && errors.contains("up to 1"), "{errors}");
}

#[test]
fn a_truncated_trace_opens_up_to_its_last_whole_line() {
    let (_folder, path) = recorded();
    let written = std::fs::read(&path).expect("it is there");
    std::fs::write(&path, &written[..written.len() - 20]).expect("it is ours");
    let output = run(&["replay", text(&path), "--all"]);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(errors.contains("ends in the middle of line"), "{errors}");
    let walk = String::from_utf8(output.stdout).expect("text");
    assert!(works(&["--all"]).starts_with(&walk));
}

#[test]
fn a_path_that_cannot_be_written_is_told() {
    let errors = fails(&["record", "rc-write", "-o", "/nowhere/trace.jsonl"], 1);
    assert!(errors.contains("cannot create") && errors.contains("/nowhere"), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_file_is_told() {
    // Root may write to read-only files, but to no file of /proc that takes none.
    let errors = fails(&["record", "rc-write", "-o", "/proc/version"], 1);
    assert!(errors.contains("/proc/version"), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_when_recording_and_when_printing() {
    let errors = fails(&["record", "rc-write", "-o", "/dev/full"], 1);
    assert!(errors.contains("make room"), "{errors}");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = doorbell(&["--all"]).stdout(full).output().expect("the command starts");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("cannot write the output"), "{errors}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    reader_goes_away(&["--all"]);
}

#[cfg(target_os = "linux")]
#[test]
fn so_does_the_reader_of_a_file_that_is_a_pipe() {
    let (_folder, trace) = recorded();
    reader_goes_away(&["record", "rc-write", "-o", "/dev/stdout"]);
    reader_goes_away(&["export", text(&trace), "--csv", "-o", "/dev/stdout"]);
    reader_goes_away(&["export", text(&trace), "--csv", "-o", "-"]);
}

/// Runs the command, and reads only the beginning of what it prints: more than a pipe holds.
#[track_caller]
fn reader_goes_away(arguments: &[&str]) {
    let mut child = doorbell(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut first = [0; 10];
    let mut output = child.stdout.take().expect("it is a pipe");
    output.read_exact(&mut first).expect("it prints");
    drop(output);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_book_that_cannot_be_served_or_written_is_told() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("it is bound").port().to_string();
    let errors = fails(&["book", "--serve", "--port", &port], 1);
    assert!(errors.contains(&port), "{errors}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("the folder is ours");
    let errors = fails(&["book", "-o", text(&file)], 1);
    assert!(errors.contains("file"), "{errors}");
}

#[test]
fn the_settings_are_changed_and_the_output_says_so() {
    let walk = works(&["step", "rc-write", "--set", "inline=on,length=32", "--text"]);
    assert!(walk.starts_with("rc-write with inline=on,length=32 on card\n"), "{walk}");
    assert!(walk.contains("store wqe_inline_header"), "{walk}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    let said = works(&["record", "rc-read", "--set", "sges=3", "-o", text(&path)]);
    assert!(said.contains("steps of rc-read with sges=3"), "{said}");
    let again = works(&["replay", text(&path)]);
    assert!(again.starts_with("rc-read with sges=3 on card\n"), "{again}");
    // Without a command it is the default scenario that is changed.
    assert!(works(&["--set", "bf=forbid"]).starts_with("rc-write with bf=forbid on card\n"));
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_can() {
    for (arguments, wanted) in [
        (&["step", "rc-write", "--set", "lenght=4"][..], "there are: transport, opcode, length"),
        (&["step", "rc-write", "--set", "length=1048577"], "0 to 1048576"),
        (&["step", "rc-write", "--set", "inline"], "KEY=VALUE"),
        (&["step", "rc-write", "--set", "list=0"], "1 to 256"),
        (&["step", "rc-read", "--set", "inline=on"], "an RDMA READ brings data in"),
        (&["--set", "inline=on,length=4096"], "use length=1 to 764"),
        (&["step", "rc-write", "--set", "solicited=on"], "rc-write has no setting solicited"),
        (&["record", "init-to-rtr", "-o", "x", "--set", "length=4"], "it has: mtu"),
        (&["record", "rc-send", "-o", "x", "--set", "bf=maybe"], "prefer, auto, forbid"),
        (
            &["step", "rc-write", "--device", "mlx5_0", "--set", "bf=auto"],
            "MLX5_POST_SEND_PREFER_BF=0",
        ),
    ] {
        let errors = fails(arguments, 2);
        assert!(errors.contains(wanted), "{arguments:?}: {errors}");
    }
    assert!(!Path::new("x").exists(), "nothing was recorded");
    let errors = fails(&["step", "why-mlx5-ib", "--set", "length=4"], 1);
    assert!(errors.contains("leave `--set` out"), "{errors}");
}

#[test]
fn the_exit_code_says_whether_the_program_ended_as_it_should() {
    let walk = works(&["step", "wrong-lkey", "--text"]);
    assert!(walk.contains("the program failed, as it was to:"), "{walk}");
    assert!(walk.contains("IBV_WC_LOC_PROT_ERR") && walk.contains("what to check:"), "{walk}");
    // With inline data no key is asked for, and the failure does not happen.
    let errors = fails(&["step", "wrong-lkey", "--set", "inline=on", "--text"], 1);
    assert!(errors.contains("but ended well"), "{errors}");
    let errors = fails(&["step", "rc-write", "--device", "none", "--text"], 1);
    assert!(errors.contains("the program failed: no device was found"), "{errors}");
}

#[test]
fn the_scenarios_are_listed_by_topic_and_for_programs() {
    let list = works(&["scenarios"]);
    let place = |words: &str| list.find(words).unwrap_or_else(|| panic!("no {words} in {list}"));
    let topics =
        ["Opcodes\n", "Ways to post\n", "Receives,", "The control path\n", "Failure gallery\n"];
    assert!(topics.map(place).is_sorted());
    assert!(place("wrong-rkey") > place("Failure gallery"));
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let json: serde_json::Value =
        serde_json::from_str(&works(&["scenarios", "--json"])).expect("JSON");
    let scenarios = json["scenarios"].as_array().expect("a list");
    let named = |name: &str| scenarios.iter().find(|scenario| scenario["name"] == name);
    let write = named("rc-write").expect("the default");
    assert_eq!((&write["default"], &write["topic"]), (&true.into(), &"opcodes".into()));
    let length = write["settings"].as_array().and_then(|settings| settings.first()).expect("one");
    assert_eq!((&length["name"], &length["value"]), (&"length".into(), &"64".into()));
    assert_eq!(named("why-mlx5-ib").expect("of the lab")["lab"], true);
    assert_eq!(named("silent-peer").expect("one")["failure"]["ends"], "IBV_WC_RETRY_EXC_ERR");
    let topics = json["topics"].as_array().expect("a list");
    for scenario in scenarios {
        assert!(topics.iter().any(|topic| topic["name"] == scenario["topic"]), "{scenario}");
    }
}
