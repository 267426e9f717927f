//! CQEs that the software card made, printed in every format, and read back.

#[path = "common/dumps.rs"]
mod dumps;

use doorbell::dump::meaning::explain;
use doorbell::dump::{Found, Kind, Seen, What, scan};
use doorbell_prm::commands::CommandOpcode;
use doorbell_prm::cqe::{CqeSyndrome, ErrorCqe};
use doorbell_prm::zerocopy::FromBytes;
use dumps::*;

/// What is found in a text.
fn found_in(text: &str, kind: Option<Kind>) -> (Vec<Found>, Seen) {
    let mut all = Vec::new();
    let mut give = |found| {
        all.push(found);
        Ok(())
    };
    let seen = scan(text.as_bytes(), kind, &mut give).expect("text");
    (all, seen)
}

/// The only thing that is found.
#[track_caller]
fn only(text: &str) -> Found {
    let (mut all, _) = found_in(text, None);
    assert_eq!(all.len(), 1, "{text}\n{all:#?}");
    all.remove(0)
}

/// Asserts that a finding says of the failure what the CQE says.
#[track_caller]
fn tells(found: &Found, cqe: &[u8], name: &str) {
    let What::Completion(failure) = &found.what else { panic!("{name}: {found:#?}") };
    let wanted = ErrorCqe::read_from_bytes(cqe).expect("64 bytes");
    assert_eq!(failure.syndrome, Some(wanted.syndrome), "{name}");
    assert_eq!(failure.vendor, Some(wanted.vendor_err_synd), "{name}");
    assert_eq!(failure.wqe_counter, Some(wanted.wqe_counter.get()), "{name}");
    assert_eq!(failure.receive, Some(wanted.opcode() == 14), "{name}");
}

#[test]
fn the_card_makes_the_errors_that_are_printed_here() {
    let syndromes: Vec<_> =
        errors().iter().map(|cqe| CqeSyndrome::from_code(cqe[55]).expect("known")).collect();
    use CqeSyndrome::*;
    for wanted in [
        LocalProtectionError,
        WorkRequestFlushed,
        RemoteAccessError,
        LocalLengthError,
        RemoteInvalidRequest,
    ] {
        assert!(syndromes.contains(&wanted), "{wanted:?} of {syndromes:?}");
    }
}

#[test]
fn a_cqe_in_every_format_has_the_same_bytes_and_meaning() {
    for cqe in errors() {
        for (name, text) in cqe_dumps(&cqe) {
            let found = only(&text);
            let dump = found.dump.as_ref().expect(name);
            assert!(dump.named, "{name}");
            assert_eq!(dump.readings.len(), 1, "{name}");
            assert_eq!(
                (dump.readings[0].kind, &dump.readings[0].bytes),
                (Kind::Cqe, &cqe),
                "{name}"
            );
            assert!(dump.readings[0].fits(), "{name}: {:?}", dump.readings[0].checks);
            assert!(found.mark.is_some(), "{name}");
            tells(&found, &cqe, name);
            let last = text.trim_end_matches('\n').lines().filter(|line| !line.contains("ERR CQE"));
            assert_eq!(found.last, last.count() as u64, "{name}");
            assert_eq!(found.first, 1, "{name}");
        }
    }
}

#[test]
fn all_formats_in_one_file_are_all_found() {
    let cqe = &RKEY.errors[0];
    let text: String =
        cqe_dumps(cqe).into_iter().map(|(_, text)| format!("{text}and something else\n")).collect();
    let (all, seen) = found_in(&text, None);
    assert_eq!(seen.found, cqe_dumps(cqe).len() as u64);
    assert_eq!((seen.unknown, seen.lonely), (0, 0));
    all.iter().for_each(|found| tells(found, cqe, "one file"));
}

/// Forms in which people paste the bytes alone.
fn plain(cqe: &[u8]) -> Vec<(&'static str, String)> {
    let hex = |separator: &str| {
        let all: Vec<_> = cqe.iter().map(|byte| format!("{byte:02x}")).collect();
        all.join(separator)
    };
    let pairs = |row: &[u8]| {
        let all: Vec<_> =
            row.chunks(2).map(|two| format!("{:02x}{:02x}", two[0], two[1])).collect();
        all.join(" ")
    };
    let rows = |print: &dyn Fn(usize, &[u8]) -> String| -> String {
        cqe.chunks(16).enumerate().map(|(row, bytes)| print(row * 16, bytes)).collect()
    };
    vec![
        ("one string", hex("")),
        ("bytes in one line", hex(" ")),
        ("an array in C", format!("{{ 0x{} }};", hex(", 0x"))),
        ("escapes", format!("\\x{}", hex("\\x"))),
        ("words", words(cqe, "")),
        (
            "words with 0x",
            words(cqe, "")
                .replace(' ', " 0x")
                .replace('\n', "\n0x")
                .trim_end_matches("0x")
                .replacen("", "0x", 1),
        ),
        ("words with offsets", rows(&|at, row| format!("{at:03x}: {}", words(row, "")))),
        ("xxd", rows(&|at, row| format!("{at:08x}: {}  ................\n", pairs(row)))),
        (
            "hexdump -C",
            rows(&|at, row| {
                let hex: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                format!(
                    "{at:08x}  {}  {}  |................|\n",
                    hex[..8].join(" "),
                    hex[8..].join(" ")
                )
            }),
        ),
        (
            "gdb x/16xb",
            rows(&|at, row| {
                let hex: Vec<_> = row.iter().map(|byte| format!("0x{byte:02x}")).collect();
                format!(
                    "0x{:x} <cqe+{at}>:\t{}\n",
                    0x7fff_f7d2_c000_u64 + at as u64,
                    hex.join("\t")
                )
            }),
        ),
        (
            "od -tx1",
            rows(&|at, row| {
                format!("{at:06x} {}", print_hex_dump(row, "").split_once(": ").expect("a colon").1)
            }),
        ),
    ]
}

#[test]
fn plain_hex_is_recognised_by_checks() {
    for cqe in errors() {
        for (name, text) in plain(&cqe) {
            let found = only(&text);
            let dump = found.dump.as_ref().expect(name);
            assert!(!dump.named && found.mark.is_none(), "{name}");
            let reading = &dump.readings[0];
            // Two bytes that are turned round can make a CQE of another; then both are offered.
            assert!(dump.readings[1..].iter().all(|other| other.reversed), "{name}");
            assert!(dump.readings.len() == 1 || dump.unit == 2, "{name}: {dump:#?}");
            assert_eq!((reading.kind, reading.reversed), (Kind::Cqe, false), "{name}");
            assert_eq!(reading.bytes, cqe, "{name}");
            assert!(reading.checks.len() >= 3, "{name}");
            let is_open = explain(&found).happened.contains("depends");
            assert_eq!(is_open, dump.readings.len() > 1, "{name}");
            tells(&found, &cqe, name);
        }
    }
}

#[test]
fn words_in_the_order_of_the_host_are_offered_and_said_to_be_so() {
    let cqe = &LKEY.errors[0];
    for width in [2, 4, 8] {
        let mut host = cqe.clone();
        host.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        let print =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text: Vec<String> = host
            .chunks(16)
            .map(|row| row.chunks(width).map(print).collect::<Vec<_>>().join(" "))
            .collect();
        let found = only(&text.join("\n"));
        let dump = found.dump.as_ref().expect("bytes");
        let turned = dump.readings.iter().find(|reading| reading.reversed).expect("offered");
        assert_eq!((turned.kind, &turned.bytes), (Kind::Cqe, cqe), "{width}");
        assert_eq!(turned.failure().and_then(|failure| failure.syndrome), Some(cqe[55]));
        if dump.readings.len() == 1 {
            tells(&found, cqe, "host order");
        }
    }
}

#[test]
fn the_last_row_alone_is_enough_and_its_lack_is_told() {
    let cqe = &RKEY.errors[0];
    for text in
        [words(&cqe[48..], ""), print_hex_dump(&cqe[48..], "").replace("00000000:", "00000030:")]
    {
        let found = only(&text);
        tells(&found, cqe, &text);
        assert!(found.notes.iter().any(|note| note.contains("last 16 bytes")), "{:?}", found.notes);
    }
}

#[test]
fn wqes_and_good_cqes_are_recognised_and_name_a_scenario() {
    let wqe = &RKEY.wqes[0];
    let found = only(&print_hex_dump(wqe, ""));
    let reading = &found.dump.as_ref().expect("bytes").readings[0];
    assert_eq!(reading.kind, Kind::Wqe);
    assert_eq!(explain(&found).scenario, Some("rc-write"));
    let made = made(|world, _| {
        let inline = doorbell_examples::scenario("rc-send-inline").expect("it is there");
        (inline.run)(world, &inline.own)
    });
    let kinds: Vec<_> = made
        .good
        .iter()
        .map(|cqe| only(&print_hex_dump(cqe, "")))
        .map(|found| {
            (found.dump.as_ref().expect("bytes").readings[0].kind, explain(&found).scenario)
        })
        .collect();
    assert!(kinds.iter().all(|(kind, _)| *kind == Kind::Cqe), "{kinds:?}");
    assert!(kinds.iter().any(|(_, scenario)| *scenario == Some("rc-send-inline")), "{kinds:?}");
}

#[test]
fn every_command_of_a_run_is_recognised_by_its_input() {
    let mut seen = 0;
    for (opcode, input, output) in &RKEY.commands {
        let text = words(&input[..input.len() & !3], "");
        let (all, _) = found_in(&text, None);
        // A list of pages may look like a receive WQE too; then both are offered.
        let readings = &all[0].dump.as_ref().expect("bytes").readings;
        assert!(readings.iter().any(|read| read.kind == Kind::CommandIn), "{opcode:#x}: {all:#?}");
        let name = CommandOpcode::from_code(*opcode).expect("known").label();
        // As mlx5_core's debug messages have it, in both directions.
        for (way, bytes, kind) in
            [("INPUT", input, Kind::CommandIn), ("OUTPUT", output, Kind::CommandOut)]
        {
            let mut text = format!(
                "mlx5_core 0000:08:00.0: dump_command:826:(pid 9): cmd[0]: dump command data \
                 {name}({opcode:#x}) {way}\n"
            );
            for (row, bytes) in bytes.chunks(16).enumerate() {
                let mut padded = bytes.to_vec();
                padded.resize(16, 0);
                text += &format!("cmd[0]: {:03x}: {}", row * 16, words(&padded, ""));
            }
            let found = only(&text);
            let dump = found.dump.as_ref().expect("bytes");
            assert_eq!((dump.readings[0].kind, dump.command), (kind, Some(*opcode)));
            assert!(dump.readings[0].bytes.starts_with(bytes), "{name} {way}");
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen} commands");
}

#[test]
fn as_names_what_checks_cannot() {
    let text = words(&RKEY.commands[0].2, "");
    let (all, _) = found_in(&text, None);
    assert!(all.is_empty(), "an output without an error is like any zeros: {all:#?}");
    let (all, _) = found_in(&text, Some(Kind::CommandOut));
    let dump = all[0].dump.as_ref().expect("bytes");
    assert!(dump.named && !dump.readings[0].fits());
}

#[test]
fn dpdks_file_shows_the_failed_entries_and_the_wqe() {
    let cqe = &RKEY.errors[0];
    let counter = usize::from(u16::from_be_bytes([cqe[60], cqe[61]]));
    let mut cq = vec![0; 64 * 16];
    cq.chunks_exact_mut(64).for_each(|entry| entry[63] = 0xf1);
    cq[64 * 5..64 * 6].copy_from_slice(cqe);
    let mut sq = vec![0; 64 * 8];
    let wqe = RKEY.wqes.iter().find(|wqe| usize::from(wqe[2]) == counter).expect("it was posted");
    sq[64 * (counter % 8)..64 * (counter % 8 + 1)].copy_from_slice(wqe);
    let text = format!(
        "Unexpected CQE error syndrome {:#04x} CQN = 128 SQN = 14688 wqe_counter = {counter} \
         wq_ci = 2 cq_ci = 0\n\n\n{}\n\n\n{}\n\n\n",
        cqe[55],
        rte_hexdump("MLX5 Error CQ:", &cq),
        rte_hexdump("MLX5 Error SQ:", &sq)
    );
    let (all, _) = found_in(&text, None);
    let [message, completion, work] = all.as_slice() else { panic!("{all:#?}") };
    let What::Completion(failure) = &message.what else { panic!("{message:#?}") };
    assert_eq!((failure.queue, failure.cqn), (Some(14688), Some(128)));
    tells(completion, cqe, "the queue");
    assert!(completion.notes[0].contains("entry 5 of 16"), "{:?}", completion.notes);
    assert_eq!(&work.dump.as_ref().expect("bytes").readings[0].bytes, wqe);
    assert!(work.notes[0].contains(&format!("entry {} of 8", counter % 8)), "{:?}", work.notes);
}
