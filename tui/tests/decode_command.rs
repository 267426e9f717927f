//! `doorbell decode` as a user calls it.

#[path = "common/dumps.rs"]
mod dumps;

use dumps::{LKEY, RKEY, print_hex_dump, words};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the command with this standard input.
fn decode(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_doorbell"))
        .arg("decode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

/// What it prints, after checking that it found something.
#[track_caller]
fn found(arguments: &[&str], input: &str) -> String {
    let output = decode(arguments, input.as_bytes());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).expect("text")
}

/// What it says, after checking that it found nothing.
#[track_caller]
fn nothing(arguments: &[&str], input: &[u8]) -> String {
    let output = decode(arguments, input);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    String::from_utf8(output.stderr).expect("text")
}

/// A dump as libmlx5 prints it.
fn library() -> String {
    format!("mlx5: node7: got completion with error:\n{}", words(&RKEY.errors[0], ""))
}

#[test]
fn the_whole_answer_is_there_in_80_columns() {
    let text = found(&[], &library());
    for wanted in [
        "Lines 1 to 5: libmlx5: got completion with error",
        "REMOTE_ACCESS_ERR",
        "What happened",
        "A send failed",
        "Where",
        "WQE RDMA_WRITE at counter 0",
        "Independent reports agree",
        "1. The rkey is wrong or stale.",
        "Check: rkey of the WQE",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let long = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(long, None);
    assert_eq!(text, found(&["-"], &library()), "`-` is standard input");
    assert!(!text.contains('\u{1b}'), "no escape sequences");
}

#[test]
fn a_file_is_read_too_and_bytes_that_are_no_utf8_are_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let log = [b"\xff\xfe\x80 something\n".as_slice(), library().as_bytes()].concat();
    // Two such bytes at the very beginning would be the mark of UTF-16.
    std::fs::write(&path, [b"x", log.as_slice()].concat()).expect("the folder is ours");
    let text = found(&[path.to_str().expect("text")], "");
    assert!(text.starts_with("Lines 2 to 6"), "{text}");
}

#[test]
fn json_has_one_object_for_each_thing_found() {
    let log = format!("{}\nbye\n{}", library(), print_hex_dump(&LKEY.wqes[0], ""));
    let text = found(&["--json"], &log);
    let values: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [error, wqe] = values.as_slice() else { panic!("{text}") };
    assert_eq!(error["lines"], serde_json::json!([1, 5]));
    assert_eq!(error["readings"][0]["kind"], "cqe");
    let hex: String = RKEY.errors[0].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(error["readings"][0]["bytes"], hex);
    let fields = error["readings"][0]["parts"][0]["fields"].as_array().expect("fields");
    let syndrome = fields.iter().find(|field| field["name"] == "syndrome").expect("a syndrome");
    assert_eq!(syndrome["value_name"], "REMOTE_ACCESS_ERR");
    assert!(error["causes"].as_array().is_some_and(|causes| causes.len() > 2));
    assert_eq!(error["scenario"], "wrong-rkey");
    assert_eq!((&wqe["format"], &wqe["scenario"]), (&serde_json::Value::Null, &"rc-write".into()));
}

#[test]
fn as_says_what_the_bytes_are() {
    let zeros = "00 ".repeat(16);
    assert!(nothing(&[], zeros.as_bytes()).contains("line 1 (16 bytes)"));
    let text = found(&["--as", "command-out"], &zeros);
    assert!(text.contains("does not hold") && text.contains("cmd_out"), "{text}");
}

#[test]
fn where_nothing_is_known_it_says_what_was_seen_and_what_is_known() {
    let said = nothing(&[], b"hello\nworld\n");
    assert!(said.contains("in 2 lines") && said.contains("known are"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert!(nothing(&[], b"").contains("there is no text"));
    assert!(nothing(&[], b"dump error cqe\n").contains("Copy the lines behind it"));
    assert!(nothing(&["/nowhere/log"], b"").contains("cannot open"));
    assert!(nothing(&["/"], b"").contains("directory"));
    let trace = b"{\"format\":\"doorbell-trace\",\"schema\":1}\n";
    assert!(nothing(&[], trace).contains("doorbell replay"));
    assert!(nothing(&[], b"\x7fELF\x02\x01").contains("a program"));
}

#[test]
fn escape_sequences_of_a_message_do_not_reach_the_terminal() {
    let log =
        "\u{1b}[31mRemote access\u{7} error on mlx5_0:1/IB (synd 0x13 vend 0x88 hw_synd 0/0)\n";
    let text = found(&[], log);
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
}

const BEGIN: &str = "<!-- decode: begin";
const END: &str = "<!-- decode: end -->";

#[test]
fn the_chapters_example_is_of_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/chapters/decode.md");
    let text = std::fs::read_to_string(&path).expect("the chapter");
    let begin = text.find(BEGIN).expect("a place for the example");
    let begin = begin + text[begin..].find("-->").expect("the comment ends") + 3;
    let end = text.find(END).expect("the end of the example");
    let dump = library();
    let wanted = format!("\n```text\n{dump}```\n\n```text\n{}```\n", found(&[], &dump));
    if std::env::var_os("DOORBELL_BLESS").is_some() {
        let text = format!("{}{wanted}{}", &text[..begin], &text[end..]);
        std::fs::write(&path, text).expect("the chapter can be written");
        return;
    }
    assert!(
        text[begin..end] == wanted,
        "the chapter's example is of another version; look at the difference and run \
         `DOORBELL_BLESS=1 cargo test -p doorbell --test decode_command`"
    );
}
