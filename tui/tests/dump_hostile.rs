//! Nothing that a file can hold makes the decoder panic, or take more than it should.

#[path = "common/dumps.rs"]
mod dumps;

use clap::ValueEnum;
use doorbell::dump::kinds::checks;
use doorbell::dump::meaning::explain;
use doorbell::dump::{Kind, scan};
use dumps::*;
use proptest::prelude::*;
use std::io::{BufReader, Read};
use std::process::{Command, Stdio};

/// Scans, explains and prints everything that is found.
fn scanned(text: &[u8], kind: Option<Kind>) {
    let mut give = |found| {
        explain(&found);
        Ok(())
    };
    drop(scan(text, kind, &mut give));
}

/// Pieces of real dumps, to put together at random.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let mut texts: Vec<String> =
        errors().iter().flat_map(|cqe| cqe_dumps(cqe)).map(|(_, text)| text).collect();
    texts.extend(RKEY.wqes.iter().map(|wqe| rte_hexdump("MLX5 Error SQ:", wqe)));
    texts.extend(RKEY.commands.iter().map(|(opcode, input, _)| {
        format!("cmd[1]: dump command data X({opcode:#x}) INPUT\n{}", words(input, "cmd[1]: "))
    }));
    texts.push(
        "mlx5_core: assert_var[0] 0x1\nx\nmlx5_core: synd 0x1: firmware internal error\n".into(),
    );
    texts.push(
        "A(0x1) op_mod(0x0) failed, status b(0x3), syndrome (0xffffffffff), err(-22)\n".into(),
    );
    texts.push(
        "WQE DUMP: WQ size 1024 WQ cur size 0, WQE index 0xf, len: 99999999999999999999\n".into(),
    );
    texts.push("MLX5 Error CQ: at [0x1], len=18446744073709551615\n00000000: 00 00 00 00\n".into());
    proptest::sample::select(texts).prop_map(String::into_bytes)
}

/// Text of such pieces, with some bytes and lines changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::collection::vec(piece(), 1..4);
    let changes =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..12);
    (pieces, changes).prop_map(|(pieces, changes)| {
        let mut text = pieces.concat();
        for (at, byte, how) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                _ => text.truncate(at),
            }
        }
        text
    })
}

fn kind() -> impl Strategy<Value = Option<Kind>> {
    proptest::option::of(proptest::sample::select(Kind::value_variants()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_do_no_harm(text in proptest::collection::vec(any::<u8>(), 0..2000), kind in kind()) {
        scanned(&text, kind);
    }

    #[test]
    fn random_bytes_as_a_structure_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in proptest::sample::select(Kind::value_variants()),
    ) {
        checks(kind, &bytes);
        scanned(words(&bytes[..bytes.len() & !3], "").as_bytes(), Some(kind));
        scanned(print_hex_dump(&bytes, "").as_bytes(), Some(kind));
    }

    #[test]
    fn changed_dumps_do_no_harm(text in mutated(), kind in kind()) {
        scanned(&text, kind);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The whole command, printing included, in both forms.
    #[test]
    fn the_command_prints_what_it_finds_in_changed_dumps(text in mutated(), kind in kind()) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("dump");
        std::fs::write(&path, &text)?;
        for form in [None, Some("--json")] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
            command.arg("decode").arg(&path).args(form).stdin(Stdio::null());
            if let Some(kind) = kind {
                command.args(["--as", &kind.name()]);
            }
            let output = command.output()?;
            let errors = String::from_utf8_lossy(&output.stderr);
            prop_assert!(matches!(output.status.code(), Some(0 | 1)), "{errors}");
            prop_assert!(!errors.contains("panicked"), "{errors}");
        }
    }
}

/// A log without end, as far as memory is concerned.
struct Log<'a> {
    line: &'a [u8],
    at: usize,
    left: usize,
}

impl Read for Log<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min(self.left);
        for byte in &mut into[..length] {
            *byte = self.line[self.at];
            self.at = (self.at + 1) % self.line.len();
        }
        self.left -= length;
        Ok(length)
    }
}

/// Twice the text takes about twice the time: four times as much would be a square.
/// A line that looks as if a dump began there, and lines that could belong to one, over and over: what is kept
/// of them is given up each time. If it were not, this would never end.
#[test]
fn a_long_log_that_always_nearly_has_a_dump_is_read_to_its_end() {
    let line = format!(
        "Jul 10 11:07:44 server app[7]: {}\nffffffff\n00 11 22 33 44\n",
        "GET /index ".repeat(9)
    );
    let length = 8 << 20;
    let log = Log { line: line.as_bytes(), at: 0, left: length };
    let seen = scan(BufReader::new(log), None, &mut |_| Ok(())).expect("text");
    let lines = length / line.len() * 3 + line[..length % line.len()].lines().count();
    assert_eq!((seen.lines, seen.found), (lines as u64, 0));
}

#[test]
fn one_endless_line_and_one_endless_dump_stay_small() {
    let log = Log { line: b"00 ", at: 0, left: 32 << 20 };
    let seen = scan(BufReader::new(log), None, &mut |_| Ok(())).expect("text");
    assert_eq!((seen.lines, seen.cut), (1, 1));
    let row = b"00000000 00000000 00000000 00000000\n";
    let log = Log { line: row, at: 0, left: 16 << 20 };
    let seen = scan(BufReader::new(log), None, &mut |_| Ok(())).expect("text");
    assert_eq!((seen.found, seen.unknown), (0, 1), "more than 4 MiB is cut");
}
