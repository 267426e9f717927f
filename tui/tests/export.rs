//! `doorbell export`: what it writes is what the trace holds, and other tools can read it.

mod common;

use common::recorded;
use doorbell_tracer::file::{Options, write_file};
use doorbell_tracer::{Event, Kind, Packet, Trace};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A trace as a file in a folder of its own.
struct File {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn of(trace: &Trace) -> Self {
        Self::with(trace, &Options::default())
    }

    fn with(trace: &Trace, options: &Options<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.jsonl");
        write_file(trace, &path, options).expect("the folder is ours");
        Self { folder, path }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn run(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    command.arg("export").arg(file).args(arguments).output().expect("the command starts")
}

/// The standard output of an export that works.
#[track_caller]
fn works(file: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = run(file, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    output.stdout
}

/// What an export that fails says.
#[track_caller]
fn fails(file: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(file, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    errors
}

const SCENARIOS: [&str; 3] = ["rc-write", "rc-write-list", "rc-send-inline"];

#[test]
fn rows_hold_what_the_trace_holds() {
    for name in SCENARIOS {
        let trace = recorded(name);
        let file = File::of(&trace);
        let table = works(&file.path, &["--csv", "-o", "-"]);
        let mut reader = csv::Reader::from_reader(table.as_slice());
        let head: Vec<_> = reader.headers().expect("a head").iter().map(str::to_owned).collect();
        assert_eq!(head, doorbell::export::COLUMNS);
        let rows: Vec<HashMap<String, String>> =
            reader.deserialize().collect::<Result<_, _>>().expect("rows of the same length");
        assert_eq!(rows.len(), trace.events.len());
        for (row, event) in rows.iter().zip(&trace.events) {
            let read: Event = serde_json::from_str(&row["event"]).expect("an event");
            assert_eq!(&read, event);
            assert_eq!(row["step"], event.sequence.to_string());
            assert_eq!(row["kind"], event.kind.name());
            let site = trace.site(event).expect("its site");
            assert_eq!((&row["file"], &row["line"]), (&site.file, &site.line.to_string()));
            if let Kind::Store { bytes, layout, offset, .. } = &event.kind {
                assert_eq!(row["bytes"], bytes.to_hex());
                assert_eq!(row["layout"], *layout);
                assert_eq!(row["offset"], offset.to_string());
                assert_ne!(row["region"], "");
            }
        }
    }
}

#[test]
fn no_cell_is_a_formula() {
    let mut trace = recorded("rc-write");
    let texts = ["=1+1", "+1", "-1", "@A1", "\tx", "'quoted", "a \"b\", c\nd", "plain"];
    trace.events.truncate(texts.len());
    for (event, text) in trace.events.iter_mut().zip(texts) {
        event.kind = Kind::note(text, []);
    }
    let file = File::of(&trace);
    let table = works(&file.path, &["--csv", "-o", "-"]);
    let mut reader = csv::Reader::from_reader(table.as_slice());
    for (row, text) in reader.records().zip(texts) {
        let row = row.expect("a row");
        for cell in &row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
        let cell = &row[8];
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text);
    }
}

/// The entries of a Perfetto export.
fn entries(trace: &Trace) -> Vec<Value> {
    let file = File::of(trace);
    let text = works(&file.path, &["--perfetto", "-o", "-"]);
    let all: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(all["displayTimeUnit"], "ns");
    all["traceEvents"].as_array().expect("entries").clone()
}

/// Time of an entry in nanoseconds.
fn at(entry: &Value) -> u64 {
    (entry["ts"].as_f64().expect("a time") * 1000.0).round() as u64
}

/// Holds a Perfetto export against the rules of the format: every slice begins and ends, slices of
/// a track nest, arrows have two ends, and each lies in a slice. Answers the names of the arrows.
fn assert_sound(entries: &[Value]) -> Vec<String> {
    let mut named = HashMap::new();
    let mut open: HashMap<(u64, u64), Vec<u64>> = HashMap::new();
    let mut last: HashMap<(u64, u64), u64> = HashMap::new();
    let mut slices: HashMap<(u64, u64), Vec<(u64, u64)>> = HashMap::new();
    let mut arrows: HashMap<u64, Vec<&Value>> = HashMap::new();
    for entry in entries {
        let number = |key: &str| entry[key].as_u64().expect("a number");
        let track = (number("pid"), number("tid"));
        let phase = entry["ph"].as_str().expect("a phase");
        match phase {
            "M" => {
                named.insert((track, entry["name"].to_string()), ());
                continue;
            }
            "s" | "f" => {
                arrows.entry(number("id")).or_default().push(entry);
                continue;
            }
            _ => {}
        }
        assert!(named.contains_key(&(track, "\"thread_name\"".to_owned())), "no name: {entry}");
        let now = at(entry);
        let before = last.insert(track, now).unwrap_or(0);
        assert!(before <= now, "back in time: {entry}");
        let calls = open.entry(track).or_default();
        match phase {
            "B" => calls.push(now),
            "E" => drop(calls.pop().expect("an end without a begin")),
            "X" => {
                let end = now + (entry["dur"].as_f64().expect("a length") * 1000.0).round() as u64;
                assert!(end > now, "{entry}");
                slices.entry(track).or_default().push((now, end));
                last.insert(track, end);
            }
            "i" => assert_eq!(entry["s"], "t"),
            other => panic!("{other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "a begin without an end");
    let mut names = Vec::new();
    for ends in arrows.values() {
        let [start, end] = ends[..] else { panic!("{ends:?}") };
        assert_eq!((&start["ph"], &end["ph"]), (&Value::from("s"), &Value::from("f")));
        assert!(at(start) <= at(end));
        for end in [start, end] {
            let track = (end["pid"].as_u64().expect("a number"), end["tid"].as_u64().expect("one"));
            let holds = |(from, to): &(u64, u64)| (*from..*to).contains(&at(end));
            assert!(slices[&track].iter().any(holds), "an arrow without a slice: {end}");
        }
        names.push(start["name"].as_str().expect("a name").to_owned());
    }
    names.sort();
    names
}

#[test]
fn a_timeline_is_sound_and_leads_from_the_doorbell_to_the_poll() {
    let trace = recorded("rc-write");
    let entries = entries(&trace);
    let names = assert_sound(&entries);
    assert_eq!(names, ["completion", "doorbell", "poll", "request", "response", "work completion"]);
    let steps = entries.iter().filter(|entry| entry["args"]["step"].is_u64()).count();
    assert_eq!(steps, trace.events.len(), "each step is an entry");
    for event in &trace.events {
        let wanted = Value::from(event.sequence);
        let entry = entries.iter().find(|entry| entry["args"]["step"] == wanted).expect("one");
        assert_eq!(at(entry), event.time * 1000, "1 step = 1 us");
    }
    let blue_flame = entries.iter().find(|entry| {
        entry["args"]["wqe_control_segment.opcode"] == "8 RDMA_WRITE" && entry["ph"] == "X"
    });
    assert!(blue_flame.is_some(), "fields are decoded");
}

#[test]
fn every_scenario_has_a_sound_timeline() {
    for (name, doorbells) in [("rc-write-list", 4), ("rc-send-inline", 1)] {
        let names = assert_sound(&entries(&recorded(name)));
        assert_eq!(names.iter().filter(|name| *name == "doorbell").count(), doorbells);
    }
}

/// A trace that a ring kept, or that ends early, has calls without ends and ends without calls; and
/// on a real clock several events have one time.
#[test]
fn a_piece_of_a_trace_is_sound_too() {
    let whole = recorded("rc-write");
    let all = whole.events.len();
    for (from, to) in [(566, all), (0, 571), (580, 600)] {
        let mut piece = whole.clone();
        piece.header.clock = "nanoseconds".to_owned();
        piece.events = whole.events[from..to].to_vec();
        piece.events.iter_mut().for_each(|event| event.time /= 7);
        assert_sound(&entries(&piece));
    }
}

/// The packets of a trace, with the number of their step.
fn packets(trace: &Trace) -> Vec<(u64, Packet)> {
    let packet = |event: &Event| match &event.kind {
        Kind::Packet(packet) => Some((event.sequence, (**packet).clone())),
        _ => None,
    };
    trace.events.iter().filter_map(packet).collect()
}

/// Ethernet's CRC-32, one bit at a time.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The invariant CRC that an Ethernet frame with RoCE v2 over IPv4 must have (annex A17 of the
/// InfiniBand specification): eight bytes of ones, then the packet from its IP header on with ones
/// for type of service, time to live, both checksums and the congestion byte.
fn invariant_crc(frame: &[u8]) -> u32 {
    let inner = &frame[14..frame.len() - 4];
    let variant = [1, 8, 10, 11, 26, 27, 32];
    let masked = inner.iter().enumerate();
    let masked = masked.map(|(at, byte)| if variant.contains(&at) { 0xff } else { *byte });
    crc32([0xff; 8].into_iter().chain(masked))
}

#[test]
fn a_capture_reads_back_as_the_packets_of_the_trace() {
    use pcap_file::pcapng::{Block, PcapNgReader};
    let trace = recorded("rc-write-list");
    let file = File::of(&trace);
    let capture = works(&file.path, &["--pcapng", "-o", "-"]);
    let mut reader = PcapNgReader::new(capture.as_slice()).expect("a capture");
    let (mut interfaces, mut found) = (0, Vec::new());
    while let Some(block) = reader.next_block() {
        match block.expect("a block") {
            Block::InterfaceDescription(_) => interfaces += 1,
            Block::EnhancedPacket(packet) => {
                assert!(packet.interface_id < interfaces);
                found.push((packet.timestamp.as_nanos() as u64, packet.data.into_owned()));
            }
            other => panic!("{other:?}"),
        }
    }
    let wanted: Vec<_> = packets(&trace)
        .into_iter()
        .map(|(step, packet)| (step * 1000, packet.bytes.to_vec()))
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(interfaces, 1, "both queue pairs are of one port");
}

/// What tshark says of a capture, a line a packet; nothing if there is no tshark here.
fn tshark(capture: &Path, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-o", "ip.check_checksum:TRUE", "-T", "fields", "-r"]).arg(capture);
    for field in fields {
        command.args(["-e", field]);
    }
    match command.output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).expect("text");
            let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
            Some(text.lines().map(cells).collect())
        }
        other => {
            assert!(std::env::var_os("CI").is_none(), "tshark does not run: {other:?}");
            println!("skipped: tshark does not run; install tshark to have the packets dissected");
            None
        }
    }
}

#[test]
fn tshark_dissects_every_packet_with_the_right_invariant_crc() {
    for name in SCENARIOS {
        let trace = recorded(name);
        let file = File::of(&trace);
        let capture = file.beside("packets.pcapng");
        works(&file.path, &["--pcapng", "-o", capture.to_str().expect("text")]);
        let fields = [
            "frame.protocols",
            "udp.dstport",
            "infiniband.bth.opcode",
            "infiniband.bth.destqp",
            "infiniband.bth.psn",
            "infiniband.invariant.crc",
            "frame.comment",
            "frame.interface_name",
            "_ws.malformed",
            "frame.time_epoch",
        ];
        let Some(lines) = tshark(&capture, &fields) else { return };
        let packets = packets(&trace);
        assert_eq!(lines.len(), packets.len(), "{name}");
        assert!(!lines.is_empty());
        for (line, (step, packet)) in lines.iter().zip(&packets) {
            assert!(line[0].starts_with("eth:ethertype:ip:udp:infiniband"), "{line:?}");
            let bth = &packet.bytes[42..];
            let wanted = [
                "4791".to_owned(),
                bth[0].to_string(),
                format!("{:#08x}", packet.to),
                packet.psn.to_string(),
                format!("{:#010x}", invariant_crc(&packet.bytes).swap_bytes()),
                format!("step {step}: {}", packet.name),
                "port 0".to_owned(),
                String::new(),
                format!("0.{:06}000", step),
            ];
            assert_eq!(line[1..], wanted, "{name}");
        }
    }
}

#[test]
fn packets_of_a_masked_trace_say_so() {
    let masked = Options { mask_payload: true, ..Options::default() };
    let file = File::with(&recorded("rc-write"), &masked);
    let output = run(&file.path, &["--pcapng", "-o", "-"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("payload is masked"));
    let capture = String::from_utf8_lossy(&output.stdout).into_owned();
    // The section and each of the two packets.
    assert_eq!(capture.matches("payload and invariant CRC are masked").count(), 3);
}

#[test]
fn a_trace_without_packets_is_an_empty_capture_and_says_so() {
    let mut trace = recorded("rc-write");
    trace.events.retain(|event| !matches!(event.kind, Kind::Packet(_)));
    let output = run(&File::of(&trace).path, &["--pcapng", "-o", "-"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no packet in this trace"));
}

#[test]
fn exactly_one_format_is_asked_for() {
    let file = File::of(&recorded("rc-write"));
    assert!(fails(&file.path, &[], 2).contains("--perfetto"));
    assert!(fails(&file.path, &["--csv", "--pcapng"], 2).contains("cannot be used with"));
}

#[test]
fn without_a_name_the_file_lies_beside_the_trace_and_one_that_is_there_is_replaced() {
    let trace = recorded("rc-write");
    let steps = format!("{} steps of rc-write", trace.events.len());
    let file = File::of(&trace);
    for (option, name) in [
        ("--csv", "trace.csv"),
        ("--pcapng", "trace.pcapng"),
        ("--perfetto", "trace.perfetto.json"),
    ] {
        std::fs::write(file.beside(name), "old").expect("ours");
        let told = String::from_utf8(works(&file.path, &[option])).expect("text");
        assert!(told.contains(name) && told.contains(&steps), "{told}");
        let written = std::fs::read(file.beside(name)).expect("it is there");
        assert_eq!(written, works(&file.path, &[option, "-o", "-"]));
    }
    assert_eq!(std::fs::read_dir(file.folder.path()).expect("ours").count(), 4, "nothing else");
}

#[test]
fn a_target_that_cannot_be_is_told() {
    let file = File::of(&recorded("rc-write"));
    let before = std::fs::read(&file.path).expect("it is there");
    let own = file.path.to_str().expect("text");
    assert!(fails(&file.path, &["--csv", "-o", own], 1).contains("is the trace itself"));
    assert_eq!(std::fs::read(&file.path).expect("it is there"), before);
    assert!(fails(&file.path, &["--csv", "-o", "/nowhere/x"], 1).contains("cannot create"));
    let folder = file.folder.path().to_str().expect("text");
    assert!(fails(&file.path, &["--csv", "-o", folder], 1).contains("is a directory"));
    assert!(fails(Path::new("/nowhere/x"), &["--csv", "-o", "-"], 1).contains("there is no file"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_leaves_nothing_behind() {
    let file = File::of(&recorded("rc-write"));
    assert!(fails(&file.path, &["--csv", "-o", "/dev/full"], 1).contains("No space left"));
    let target = file.beside("cut.csv");
    std::fs::write(&target, "old").expect("ours");
    for option in ["--csv", "--perfetto"] {
        let line = format!(
            "ulimit -f 16; trap '' XFSZ; exec '{}' export '{}' {option} -o '{}'",
            env!("CARGO_BIN_EXE_doorbell"),
            file.path.display(),
            target.display()
        );
        let output = Command::new("sh").args(["-c", &line]).output().expect("a shell");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("what was written is removed"), "{errors}");
        assert_eq!(std::fs::read(&target).expect("it is there"), b"old");
        assert_eq!(std::fs::read_dir(file.folder.path()).expect("ours").count(), 2);
    }
}

#[test]
fn a_truncated_trace_is_exported_up_to_its_end_and_said_to_be_so() {
    let trace = recorded("rc-write");
    let file = File::of(&trace);
    let text = std::fs::read(&file.path).expect("it is there");
    std::fs::write(&file.path, &text[..text.len() - 20]).expect("ours");
    let output = run(&file.path, &["--csv", "-o", "-"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ends in the middle of line"));
    let rows = csv::Reader::from_reader(output.stdout.as_slice()).records().count();
    assert_eq!(rows, trace.events.len() - 1);
}
