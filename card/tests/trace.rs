//! What the card tells of itself: the steps of a write in their order, from places that carry an
//! anchor; and packets that other people's tools understand.

mod support;

use doorbell_prm::commands::CommandStatus;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::{Actor, Clock, Direction, Full, Group, Kind, Record, Tracer};
use support::data::*;
use support::*;

fn tracer() -> Tracer {
    Tracer::new(Full::new(), Clock::Logical)
}

/// A setup whose bring-up is not in the trace any more.
fn traced_setup() -> (Setup, Tracer) {
    let tracer = tracer();
    let it = Setup::with(Machine::traced_up(tracer.clone()), Connection::default());
    tracer.take();
    (it, tracer)
}

/// An event in one word or two.
fn word(record: &Record) -> String {
    match &record.kind {
        Kind::Dma { direction: Direction::Read, why, .. } => format!("read: {why}"),
        Kind::Dma { direction: Direction::Write, why, .. } => format!("write: {why}"),
        Kind::Packet(packet) => format!("packet: {}", packet.name),
        Kind::State { object, from, to, .. } => format!("{object}: {from} -> {to}"),
        Kind::Note { text, .. } => format!("note: {text}"),
        Kind::Command(command) => format!("command: {}", command.name),
        other => other.name().to_string(),
    }
}

#[test]
fn a_write_by_doorbell_is_told_in_its_order() {
    let (mut it, tracer) = traced_setup();
    let key = it.key;
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 64, key))]);
    let records = tracer.take();
    assert!(records.iter().all(|record| record.actor == Actor::Card));
    let words: Vec<String> = records.iter().map(word).collect();
    let expected = [
        "note: register write seen",
        "read: doorbell record",
        "read: WQE fetch",
        "read: gather of the message",
        "packet: RC_RDMA_WRITE_ONLY",
        "write: RDMA write into memory",
        "packet: RC_ACKNOWLEDGE",
        "write: CQE without its owner bit",
        "write: CQE owner bit",
    ];
    assert_eq!(words, expected);
}

/// How long a WQE is says its first block. What lies in the others begins with no control segment.
#[test]
fn a_wqe_of_several_blocks_is_fetched_in_two_parts() {
    let (mut it, tracer) = traced_setup();
    let (key, qpn) = (it.key, it.pairs[0].qpn);
    let pieces = [DataSegment::new(16, key, VIRTUAL); 4];
    let remote = RemoteAddressSegment::new(VIRTUAL + 0x8000, key);
    let mut body = vec![remote.as_bytes()];
    body.extend(pieces.iter().map(IntoBytes::as_bytes));
    it.post(0, &[wqe(SendOpcode::RdmaWrite, CONTROL_CQ_UPDATE, 0, &body)]);
    let fetched: Vec<_> = tracer
        .take()
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Dma { why, layout, bytes, .. } if why.starts_with("WQE fetch") => {
                Some((why.to_string(), layout.to_string(), bytes.len()))
            }
            _ => None,
        })
        .collect();
    let part = |why: &str, layout: &str| (why.to_string(), layout.to_string(), 64);
    let expected = [part("WQE fetch", "wqe_control_segment"), part("WQE fetch, continued", "")];
    assert_eq!(fetched, expected, "QP {qpn:#x}");
}

#[test]
fn a_write_by_blueflame_has_no_fetch() {
    let (mut it, tracer) = traced_setup();
    let key = it.key;
    it.place(0, &rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 64, key)));
    let burst = it.machine.memory.get(it.pairs[0].buffer + RQ_BYTES, 64).to_vec();
    it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &burst);
    it.machine.settle();
    let words: Vec<String> = tracer.take().iter().map(word).collect();
    assert_eq!(words[2], "note: WQE taken from the BlueFlame register: no DMA needed");
    assert!(!words.contains(&"read: WQE fetch".to_string()));
}

#[test]
fn what_is_ignored_is_told() {
    let (mut it, tracer) = traced_setup();
    let qpn = it.pairs[0].qpn.to_be_bytes();
    let mut told = |head: [u8; 8]| {
        it.doorbell(head);
        tracer.take().last().map(word).unwrap_or_default()
    };
    let known = [0, 0, 0, 0, qpn[1], qpn[2], qpn[3], 1];
    assert_eq!(told(known), "note: the doorbell record says nothing new");
    let unknown = [0, 0, 0, 0, 0xff, 0xff, 0xff, 1];
    let ignored = "note: doorbell ignored: no such send queue on this page";
    assert_eq!(told(unknown), ignored);
}

#[test]
fn commands_carry_their_bytes_and_status() {
    let tracer = tracer();
    let mut it = Machine::traced_up(tracer.clone());
    tracer.take();
    it.refused(&doorbell_prm::commands::CreateCqIn::new(), &[]);
    let records = tracer.take();
    let commands: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Command(command) => Some(command),
            _ => None,
        })
        .collect();
    let [command] = commands[..] else { panic!("one command") };
    assert_eq!((command.name.as_ref(), command.opcode, command.slot), ("CREATE_CQ", 0x400, 0));
    assert_eq!(command.input_layout, "create_cq_in");
    assert_eq!(&command.input[..], doorbell_prm::commands::CreateCqIn::new().as_bytes());
    assert_eq!(command.status, CommandStatus::BadResource.code());
    assert!(doorbell_card::refusal_text(command.syndrome).is_some());
    let words: Vec<String> = records.iter().map(word).collect();
    let last = "write: command delivery status and ownership";
    assert_eq!(words.last().map(String::as_str), Some(last));
}

#[test]
fn states_are_told_from_creation_on() {
    let tracer = tracer();
    Setup::with(Machine::traced_up(tracer.clone()), Connection::default());
    let words: Vec<String> = tracer.take().iter().map(word).collect();
    for state in [
        "HCA: OFF -> ENABLED",
        "HCA: ENABLED -> INITIALIZED",
        "QP:  -> RST",
        "QP: RST -> INIT",
        "QP: INIT -> RTR",
        "QP: RTR -> RTS",
    ] {
        assert!(words.contains(&state.to_string()), "{state} is missing");
    }
}

#[test]
fn two_runs_tell_the_same_story() {
    let run = || {
        let (mut it, tracer) = traced_setup();
        it.receive(1, &[(VIRTUAL + 0x5000, 600)]);
        it.post(0, &[send_inline(&pattern(70))]);
        let records = tracer.take();
        records.iter().map(|record| format!("{record:?}")).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_group_that_is_off_tells_nothing() {
    let (mut it, tracer) = traced_setup();
    tracer.set_group(Group::Card, false);
    it.post(0, &[send_inline(b"quiet")]);
    assert!(tracer.take().is_empty());
}

/// Every event of a long run comes from a line between two anchor comments.
#[test]
fn every_site_lies_within_an_anchor() {
    let tracer = tracer();
    let mut it = Setup::with(Machine::traced_up(tracer.clone()), Connection::default());
    let key = it.key;
    it.receive(1, &[(VIRTUAL + 0x5000, 600)]);
    it.arm_eq();
    it.arm_cq(0, false);
    it.post(
        0,
        &[
            send_inline(&pattern(70)),
            rdma(SendOpcode::RdmaRead, (VIRTUAL, key), (VIRTUAL + 0x4000, 600, key)),
            rdma(SendOpcode::RdmaWrite, (0, key), (VIRTUAL, 600, key)),
            send_inline(b"flushed"),
        ],
    );
    let records = tracer.take();
    assert!(records.len() > 100);
    for record in records {
        let file = record.site.file.trim_start_matches("card/");
        let text = std::fs::read_to_string(file).expect("the source is there");
        let above = text.lines().take(record.site.line as usize - 1);
        let depth = above.fold(0, |depth, line| {
            depth + i32::from(line.contains("// ANCHOR: "))
                - i32::from(line.contains("// ANCHOR_END: "))
        });
        assert!(depth > 0, "{file}:{} lies in no anchor", record.site.line);
    }
}

/// A capture file of these packets (pcap, Ethernet).
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, packet) in (0_u32..).zip(packets) {
        let length = packet.len() as u32;
        for word in [0, number, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

#[test]
fn tshark_understands_the_packets() {
    let (mut it, tracer) = traced_setup();
    let key = it.key;
    it.receive(1, &[(VIRTUAL + 0x5000, 600)]);
    it.post(
        0,
        &[
            send_inline(&pattern(33)),
            rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 700, key)),
            rdma(SendOpcode::RdmaRead, (VIRTUAL, key), (VIRTUAL + 0x4000, 600, key)),
        ],
    );
    let packets: Vec<Vec<u8>> = tracer
        .take()
        .into_iter()
        .filter_map(|record| match record.kind {
            Kind::Packet(packet) => Some(packet.bytes.to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(packets.len(), 2 + 4 + 4);
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("packets.pcap");
    std::fs::write(&file, pcap(&packets)).expect("the target directory can be written");
    let fields =
        ["infiniband.bth.opcode", "infiniband.bth.psn", "_ws.malformed", "_ws.expert.severity"];
    let mut command = std::process::Command::new("tshark");
    command.args(["-o", "ip.check_checksum:TRUE", "-T", "fields", "-r"]).arg(&file);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = match command.output() {
        Ok(output) if output.status.success() => output.stdout,
        _ => {
            assert!(std::env::var_os("CI").is_none(), "tshark does not run; install tshark");
            println!("skipped: tshark does not run; install tshark to have the packets dissected");
            return;
        }
    };
    let text = String::from_utf8(output).expect("ASCII");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let seen: Vec<(&str, &str)> = lines.iter().map(|line| (line[0], line[2])).collect();
    let opcodes = [4, 17, 6, 7, 8, 17, 12, 13, 14, 15].map(|opcode: u8| opcode.to_string());
    let expected: Vec<(&str, &str)> = opcodes.iter().map(|opcode| (opcode.as_str(), "")).collect();
    assert_eq!(seen, expected, "opcodes, and no packet malformed");
    assert!(lines.iter().all(|line| line[3].is_empty()), "no complaints: {text}");
}
