//! `doorbell record --mask`: neither an address nor a byte of the program's data is left in the file,
//! and it still tells the whole walk.

use doorbell::command::field_class;
use doorbell_prm::{Content, layouts};
use doorbell_tracer::file::{FieldClass, Options, open, read, write};
use doorbell_tracer::timeline::Timeline;
use doorbell_tracer::{Bytes, Event, EventSource, Kind, Region, RegionId, Role, Trace, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Numbers below are too small for an address of memory on any of the machines meant here.
const SMALLEST: u64 = 1 << 32;

/// What the command prints, after checking that it worked.
#[track_caller]
fn works(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// A recording of a scenario in `folder`: where it is, and what the command said.
fn recorded(folder: &Path, scenario: &str, masks: &[&str]) -> (PathBuf, String) {
    let path = folder.join(format!("{scenario}{}.jsonl", masks.concat()));
    let text = path.to_str().expect("the path of a test is text");
    let said = works(&[&["record", scenario, "-o", text], masks].concat());
    (path, said)
}

/// The events of a file.
fn events(path: &Path) -> Vec<Event> {
    let (loaded, warnings) = open(path).expect("it opens");
    assert_eq!(warnings, []);
    (0..loaded.len()).map(|step| loaded.get(step).expect("it is there").into_owned()).collect()
}

/// All bytes that an event carries.
fn bytes(event: &Event) -> Vec<&[u8]> {
    match &event.kind {
        Kind::Store { bytes, .. }
        | Kind::Load { bytes, .. }
        | Kind::RegisterWrite { bytes, .. }
        | Kind::RegisterRead { bytes, .. }
        | Kind::Dma { bytes, .. } => vec![bytes],
        Kind::Command(command) => vec![&command.input, &command.output],
        Kind::Packet(packet) => vec![&packet.bytes],
        _ => Vec::new(),
    }
}

/// The regions of memory of a run.
fn memory(events: &[Event]) -> Vec<&Region> {
    let mapped = events.iter().filter_map(|event| match &event.kind {
        Kind::Map(region) => Some(&**region),
        _ => None,
    });
    let registers = [Role::UserAccessRegion, Role::InitSegment];
    mapped.filter(|region| !registers.contains(&region.role)).collect()
}

/// Whether a number is an address of the run's memory.
fn in_memory(memory: &[&Region], number: u64) -> bool {
    let offset = |region: &&Region| number.checked_sub(region.address);
    memory.iter().any(|region| offset(region).is_some_and(|offset| offset < region.length))
}

/// Every address of memory in a run: of regions, of DMA, of arguments, and those that lie in bytes
/// where structures have their words of eight bytes.
fn addresses(events: &[Event]) -> BTreeSet<u64> {
    let memory = memory(events);
    let mut found: BTreeSet<u64> = memory.iter().map(|region| region.address).collect();
    for event in events {
        match &event.kind {
            Kind::Dma { address, .. } => drop(found.insert(*address)),
            Kind::Call { arguments, .. } => {
                found.extend(arguments.iter().filter_map(|argument| match argument.value {
                    Value::Hex(number) => Some(number).filter(|number| *number >= SMALLEST),
                    _ => None,
                }))
            }
            _ => {}
        }
        let words = bytes(event).into_iter().flat_map(|bytes| bytes.chunks_exact(8));
        let numbers = words.filter_map(|word| Some(u64::from_be_bytes(word.try_into().ok()?)));
        found.extend(numbers.filter(|number| in_memory(&memory, *number)));
    }
    found
}

/// The offsets at which `wanted` lies in `bytes`.
fn places(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(wanted.len()).enumerate();
    windows.filter(|(_, window)| *window == wanted).map(|(place, _)| place).collect()
}

/// What the program put into its buffers.
fn payloads(events: &[Event]) -> Vec<Bytes> {
    let buffers: BTreeSet<RegionId> = memory(events)
        .into_iter()
        .filter(|region| region.role == Role::Buffer)
        .map(|region| region.region)
        .collect();
    let stores = events.iter().filter_map(|event| match &event.kind {
        Kind::Store { region, bytes, .. } if buffers.contains(region) => Some(bytes.clone()),
        _ => None,
    });
    stores.filter(|bytes| bytes.iter().any(|byte| *byte != 0)).collect()
}

/// Searches a masked file for everything that its unmasked twin knows.
fn assert_nothing_left(plain: &[Event], path: &Path) {
    let text = std::fs::read_to_string(path).expect("it was written");
    let masked = events(path);
    let addresses = addresses(plain);
    assert!(addresses.len() > 30, "there is something to look for: {addresses:x?}");
    let numbers: BTreeSet<&str> = text.split(|letter: char| !letter.is_ascii_digit()).collect();
    let first = addresses.first().copied();
    for address in &addresses {
        assert!(!numbers.contains(address.to_string().as_str()), "{address} as a number");
        assert!(!text.contains(&format!("{address:#x}")), "{address:#x} in a text");
        for wanted in [address.to_be_bytes(), address.to_le_bytes()] {
            for event in &masked {
                for bytes in bytes(event) {
                    let mut found = places(bytes, &wanted);
                    // Where memory begins the address is so round that two small numbers side by
                    // side look like it, but not where an address can be.
                    found.retain(|place| Some(*address) != first || place % 8 == 0);
                    assert!(found.is_empty(), "{address:#x} in {event:?}");
                }
            }
        }
    }
    let payloads = payloads(plain);
    assert!(!payloads.is_empty(), "there is data to look for");
    for payload in payloads {
        for window in payload.windows(8) {
            let hex = Bytes::new(window).to_hex();
            assert!(!text.contains(&hex), "{hex} of the program's data");
        }
    }
}

#[test]
fn no_address_and_no_data_is_left_in_a_masked_file() {
    let folder = tempfile::tempdir().expect("a folder");
    for scenario in ["rc-write", "rc-write-list", "rc-send-inline"] {
        let (plain, said) = recorded(folder.path(), scenario, &[]);
        assert!(!said.contains("masked"), "{said}");
        let (path, said) = recorded(folder.path(), scenario, &["--mask"]);
        assert!(said.ends_with(", payload and addresses masked\n"), "{said}");
        assert_nothing_left(&events(&plain), &path);
    }
}

#[test]
fn one_of_both_can_be_masked_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, _) = recorded(folder.path(), "rc-write", &[]);
    let plain = events(&plain);
    let data = payloads(&plain).remove(0).to_hex();
    let target = "0x1000018000";
    for (mask, has_data, has_address) in
        [("payload", false, true), ("addresses", true, false), ("all", false, false)]
    {
        let (path, said) = recorded(folder.path(), "rc-write", &["--mask", mask]);
        let text = std::fs::read_to_string(&path).expect("it was written");
        let path = path.to_str().expect("text");
        assert!(said.contains("masked"), "{said}");
        assert_eq!(text.contains(&data), has_data, "{mask}");
        assert_eq!(works(&["replay", path]).contains(target), has_address, "{mask}");
    }
}

#[test]
fn a_masked_file_tells_the_same_walk_and_says_that_it_is_masked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, _) = recorded(folder.path(), "rc-write", &[]);
    let (masked, _) = recorded(folder.path(), "rc-write", &["--mask"]);
    let walk = |path: &Path| works(&["replay", path.to_str().expect("text"), "--all"]);
    let (before, after) = (walk(&plain), walk(&masked));
    assert!(after.starts_with("rc-write on card, payload and addresses masked\n"), "{after:.80}");
    assert_eq!(places_told(&before), places_told(&after), "the same steps at the same lines");
    assert!(places_told(&after).len() > 800);
    assert!(after.contains("remote_address 0x00..0x07 = 0x"), "fields are still decoded");

    let (plain, masked) = (events(&plain), events(&masked));
    let (before, after) = (Timeline::of(&plain), Timeline::of(&masked));
    let dma = |events: &[Event]| {
        let address = |event: &Event| match event.kind {
            Kind::Dma { address, ref bytes, .. } => Some((address, bytes.len() as u64)),
            _ => None,
        };
        events.iter().filter_map(address).collect::<Vec<_>>()
    };
    let (plain, masked) = (dma(&plain), dma(&masked));
    assert!(plain.len() > 100);
    for ((address, length), (moved, _)) in plain.into_iter().zip(masked) {
        let place = before.last().resolve(address, length);
        assert_eq!(after.last().resolve(moved, length), place, "{address:#x} lies where it lay");
    }
}

/// The steps of a walk as text, by number, actor and place in the source.
fn places_told(walk: &str) -> Vec<(&str, &str, &str)> {
    fn step(line: &str) -> Option<(&str, &str, &str)> {
        let mut words = line.split_whitespace();
        let (number, actor) = (words.next()?, words.next()?);
        let place = words.next_back().filter(|place| place.contains(".rs:"))?;
        Some((number, actor, place))
    }
    walk.lines().filter_map(step).collect()
}

/// A trace of one store into a send queue that lies nowhere near the addresses stored.
fn stored(layout: &'static str, bytes: &[u8]) -> Trace {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, _) = recorded(folder.path(), "rc-write", &[]);
    let (loaded, _) = open(&path).expect("it opens");
    let kind = Kind::store(RegionId(1), 0, layout, bytes);
    let mut event = loaded.get(0).expect("a first event").into_owned();
    event.kind = kind;
    Trace { header: loaded.header().clone(), events: vec![event] }
}

/// The bytes of that store as they are written to a masked file.
fn masked(layout: &'static str, stored_bytes: &[u8]) -> Vec<u8> {
    let trace = stored(layout, stored_bytes);
    let options = Options { mask_payload: true, mask_addresses: true, field: Some(&field_class) };
    let mut file = Vec::new();
    write(&trace.header, &trace, &mut file, &options).expect("a vector takes everything");
    let (loaded, _) = read("masked", file.as_slice()).expect("it opens");
    let event = loaded.get(0).expect("the event").into_owned();
    bytes(&event).concat()
}

/// An address that no region of the trace holds: of another machine, or of memory that was
/// registered before the trace began.
const ELSEWHERE: u64 = 0x7f3a_9c5d_2640;

#[test]
fn addresses_of_other_places_are_known_by_their_fields() {
    let fields = [
        ("wqe_remote_address_segment", 0),
        ("wqe_data_segment", 8),
        ("cmd_queue_entry", 8),
        ("cmd_queue_entry", 48),
        ("cmd_if_box", 560),
        ("initial_seg", 16),
        ("create_cq_in", 16 + 56),
        ("create_cq_in", 272),
        ("create_eq_in", 272 + 8),
        ("create_qp_in", 24 + 160),
        ("create_qp_in", 272 + 16),
        ("query_qp_out", 272 + 184),
        ("create_mkey_in", 16 + 16),
        ("create_mkey_in", 272),
        ("manage_pages_in", 16),
        ("manage_pages_out", 16 + 24),
    ];
    for (layout, at) in fields {
        let mut bytes = vec![0; 600];
        bytes[at..at + 8].copy_from_slice(&ELSEWHERE.to_be_bytes());
        let masked = masked(layout, &bytes);
        let moved = &masked[at..at + 8];
        assert_ne!(moved[..6], bytes[at..at + 6], "{layout} at {at}");
        assert_eq!(moved[6] & 0xf, bytes[at + 6] & 0xf, "{layout} at {at}: the place in its page");
        assert_eq!(moved[7], bytes[at + 7], "{layout} at {at}: the place in its page");
        let others = |bytes: &[u8]| [&bytes[..at], &bytes[at + 8..]].concat();
        assert_eq!(others(&masked), others(&bytes), "{layout} at {at}: nothing else changes");
    }
}

#[test]
fn inline_data_and_operands_are_data() {
    let mut inline = vec![0x80, 0, 0, 12];
    inline.extend(*b"NVMe command");
    assert_eq!(masked("wqe_inline_header", &inline)[..4], inline[..4]);
    assert_eq!(masked("wqe_inline_header", &inline)[4..], [0; 12]);
    assert_eq!(masked("wqe_atomic_segment", &[7; 16]), [0; 16]);
}

#[test]
fn every_byte_of_an_address_is_known_and_no_byte_of_a_key_is_taken_for_one() {
    let mut seen = 0;
    for layout in layouts() {
        for field in layout.fields {
            let wanted = match field.content {
                Content::Address => FieldClass::Address,
                Content::Payload => FieldClass::Payload,
                Content::Key | Content::NetworkAddress => FieldClass::Other,
                // May share its byte with the last bits of an address.
                Content::Plain => continue,
            };
            for byte in field.first_byte()..field.end_byte() {
                let class = field_class(layout.name, byte);
                assert_eq!(class, wanted, "{}.{}", layout.name, field.name);
                seen += usize::from(wanted != FieldClass::Other);
            }
        }
    }
    assert!(seen > 100, "{seen} bytes");
    assert_eq!(field_class("no_such_layout", 0), FieldClass::Other);
}
