//! A small run for tests of the book itself, with every kind of event that a player has a panel
//! for: a list of two WQEs, the second of which wraps around the end of a ring of two blocks.

#![allow(dead_code)] // Each test program uses its own part.

pub mod browser;

use doorbell_book::preprocess::Runs;
use doorbell_book::{Chapters, DirectiveError, Server, serve_folder};
use doorbell_prm::wqe::{ControlSegment, DataSegment, RemoteAddressSegment};
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::{
    Actor, Direction, Event, Group, Header, Kind, Machine, Region, RegionId, Relation, Role,
    SCHEMA, SiteInfo, Source, Trace, Value,
};
use std::path::Path;

/// The file that the run's sites lie in.
pub const FILE: &str = "driver/src/fixture.rs";

/// Its text; every line from the fourth on is a site.
pub const SOURCE: &str = "\
//! Source of a run that never was.
// ANCHOR: fixture_post
fn post(qp: &Qp) -> Result<(), &'static str> {
    enter();
    store_control();
    trace(\"<&>\");
    // ANCHOR: fixture_ring
    ring(0x41);
    // ANCHOR_END: fixture_ring
    leave()
}
// ANCHOR_END: fixture_post
";

const SEND_QUEUE: RegionId = RegionId(1);
const RECORD: RegionId = RegionId(2);
const REGISTERS: RegionId = RegionId(3);
const COMPLETIONS: RegionId = RegionId(4);

/// Runs of the fixture, under the name `fixture`.
pub struct Fixture;

impl Runs for Fixture {
    fn record(&self, scenario: &str) -> Result<Trace, DirectiveError> {
        if scenario == "fixture" {
            return Ok(trace());
        }
        Err(DirectiveError::Scenario(format!("no scenario is called `{scenario}`")))
    }

    fn source(&self, path: &str) -> Option<String> {
        (path == FILE).then(|| SOURCE.to_owned())
    }
}

/// A book of one chapter with this text.
pub fn book(text: &str) -> Chapters {
    Chapters(vec![
        ("SUMMARY.md".to_owned(), "# Summary\n\n- [Page](page.md)\n".to_owned()),
        ("page.md".to_owned(), text.to_owned()),
    ])
}

/// Runs `inside` with a server of the book in `folder`, and stops it, also when `inside` panics.
pub fn with_server(folder: &Path, inside: impl FnOnce(&Server)) {
    let server = serve_folder(folder, 0).expect("a server");
    let stop = server.stopper();
    std::thread::scope(|scope| {
        scope.spawn(|| server.run());
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inside(&server)));
        stop.stop();
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The run.
pub fn trace() -> Trace {
    let mut events = Vec::new();
    for region in regions() {
        push(&mut events, Actor::Cpu(0), 0, Kind::Map(Box::new(region)));
    }
    push(&mut events, Actor::Cpu(0), 0, Kind::call("ibv_post_send", [("qp", Value::Hex(0x41))]));
    push(&mut events, Actor::Cpu(0), 1, Kind::dispatch("context.ops", "post_send", "mlx5::post"));
    let room = Kind::check(
        "is there room",
        ("head - tail", 0_u32),
        Relation::Less,
        ("max_post", 2_u32),
        true,
    );
    push(&mut events, Actor::Cpu(0), 1, room);
    push(&mut events, Actor::Cpu(0), 1, Kind::locked("sq.lock"));
    wqe(&mut events, 0, 0x1000);
    wqe(&mut events, 1, 0x2000);
    push(&mut events, Actor::Cpu(0), 1, Kind::index(SEND_QUEUE, "sq.cur_post", 2));
    push(&mut events, Actor::Cpu(0), 1, Kind::barrier("before the doorbell record", ""));
    push(&mut events, Actor::Cpu(0), 1, Kind::store(RECORD, 4, "", &[0, 0, 0, 2]));
    let head = ControlSegment::new(0, 1, 8, 0x41, 3, 8, 0);
    let write = Kind::register_write(REGISTERS, 0x800, "BlueFlame", "", &head.as_bytes()[..8]);
    push(&mut events, Actor::Cpu(0), 1, write);
    push(
        &mut events,
        Actor::Card,
        0,
        Kind::dma(Direction::Read, 0x10040, "WQE fetch", "", &[0; 16]),
    );
    push(&mut events, Actor::Card, 0, Kind::dma(Direction::Write, 0x30000, "CQE", "", &[0xab; 64]));
    push(&mut events, Actor::Cpu(0), 0, Kind::returned("ibv_post_send", 0_u32));
    push(&mut events, Actor::Cpu(0), 0, Kind::completion(7, "success", []));
    Trace { header: header(), events }
}

/// The stores of one WQE: remote address and data first, control segment last.
fn wqe(events: &mut Vec<Event>, index: u16, address: u64) {
    let start = usize::from(index) * 64;
    let remote = RemoteAddressSegment::new(address, 0x99);
    let data = DataSegment::new(64, 0x88, address + 4096);
    let control = ControlSegment::new(0, index, 8, 0x41, 3, 8, 0);
    let stores: [(usize, &'static str, &[u8]); 3] = [
        (16, "wqe_remote_address_segment", remote.as_bytes()),
        (32, "wqe_data_segment", data.as_bytes()),
        (0, "wqe_control_segment", control.as_bytes()),
    ];
    for (offset, layout, bytes) in stores {
        let store = Kind::store(SEND_QUEUE, (start + offset) % 128, layout, bytes);
        push(events, Actor::Cpu(0), 2, store);
    }
}

/// Appends an event; sites take turns.
fn push(events: &mut Vec<Event>, actor: Actor, depth: u16, kind: Kind) {
    let sequence = events.len() as u64;
    events.push(Event {
        sequence,
        time: sequence,
        actor,
        depth,
        site: (sequence % 3) as u32,
        kind,
    });
}

fn regions() -> Vec<Region> {
    let region = |region, role, name: &'static str, address, length, stride| Region {
        region,
        role,
        name: name.into(),
        address,
        length,
        stride,
        object: 0x41,
    };
    vec![
        region(SEND_QUEUE, Role::SendQueue, "send queue of QP 0x41", 0x10000, 128, 64),
        region(RECORD, Role::DoorbellRecord, "doorbell record of QP 0x41", 0x20000, 8, 0),
        region(REGISTERS, Role::UserAccessRegion, "UAR page 0x100", 0, 4096, 0),
        region(COMPLETIONS, Role::CompletionQueue, "completion queue 0x7", 0x30000, 256, 64),
    ]
}

fn header() -> Header {
    let site = |line, function: &str, origins: &[(&str, &str)]| SiteInfo {
        file: FILE.to_owned(),
        line,
        function: function.to_owned(),
        group: Group::PostSend,
        origins: origins
            .iter()
            .map(|(field, origin)| ((*field).to_owned(), (*origin).to_owned()))
            .collect(),
    };
    Header {
        format: doorbell_tracer::FORMAT.to_owned(),
        schema: SCHEMA,
        tool: "test".to_owned(),
        machine: Machine { architecture: "x86_64".to_owned(), system: "linux".to_owned() },
        device: "card".to_owned(),
        scenario: "fixture".to_owned(),
        clock: "logical".to_owned(),
        settings: Default::default(),
        masked: Default::default(),
        ring: None,
        sites: vec![
            site(4, "fixture::post", &[]),
            site(5, "fixture::post", &[("opcode", "wr.opcode")]),
            site(8, "fixture::post", &[]),
        ],
        sources: vec![Source { path: FILE.to_owned(), text: SOURCE.to_owned() }],
    }
}
