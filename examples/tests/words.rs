//! What a step says, kind by kind, and that it names the places of its own time.

use doorbell_examples::words::{Places, Regions, count, entry_layout, list, number, step};
use doorbell_examples::{Device, record, scenarios};
use doorbell_tracer::timeline::State;
use doorbell_tracer::{
    Actor, Argument, Direction, Event, Kind, Region, RegionId, Relation, Role, Value,
};

/// A region of memory.
fn region(number: u32, name: &'static str, address: u64, object: u32) -> Region {
    Region {
        region: RegionId(number),
        role: Role::SendQueue,
        name: name.into(),
        address,
        length: 0x100,
        stride: 64,
        object,
    }
}

/// The event of this number.
fn event(sequence: u64, kind: Kind) -> Event {
    Event { sequence, time: sequence, actor: Actor::Cpu(0), depth: 0, site: 0, kind }
}

/// What an event says where a send queue lies at 0x1000, and a page of registers there too.
fn says(kind: Kind) -> String {
    let mut regions = Regions::default();
    let queue = region(1, "send queue", 0x1000, 0x40);
    let page = Region { role: Role::UserAccessRegion, ..region(2, "UAR page", 0x1000, 0) };
    regions.see(&event(0, Kind::Map(Box::new(queue))));
    regions.see(&event(1, Kind::Map(Box::new(page))));
    step(&kind, &regions.at(2))
}

#[test]
fn calls_and_their_ends() {
    let arguments = [("qp", Value::Hex(0x40)), ("requests", Value::Number(1))];
    assert_eq!(
        says(Kind::call("ibv_post_send", arguments)),
        "call ibv_post_send(qp = 0x40, requests = 1)"
    );
    assert_eq!(says(Kind::returned("ibv_post_send", 0_u32)), "ibv_post_send returns 0");
    let target = "doorbell_driver::mlx5::post_send::post_send<doorbell_driver::bus::Page, Off>";
    assert_eq!(
        says(Kind::dispatch("ops", "post_send", target)),
        "call through the table: ops.post_send is mlx5::post_send::post_send"
    );
}

#[test]
fn a_check_names_both_sides_and_the_verdict() {
    let room = Kind::check("room", ("head - tail", 4_u32), Relation::Less, ("max", 4_u32), false);
    assert_eq!(says(room), "check room: head - tail (4) < max (4)? no");
    let plain = Kind::check("sign", ("", 1_u32), Relation::Equal, ("1", 1_u32), true);
    assert_eq!(says(plain), "check sign: 1 == 1? yes", "a literal stands for itself");
}

#[test]
fn what_moves_bytes_says_how_many_and_where() {
    let queue = RegionId(1);
    let zeros = [0; 16];
    let cases = [
        (
            Kind::store(queue, 0, "wqe_data_segment", &zeros),
            "store wqe_data_segment (16 bytes) to send queue 0x40",
        ),
        (Kind::store(queue, 0x10, "", &zeros), "store 16 bytes to send queue 0x40 + 0x10"),
        (Kind::load(queue, 0x3f, "", &[0xf0]), "load f0 (1 byte) from send queue 0x40 + 0x3f"),
        (Kind::load(RegionId(9), 0, "", &[]), "load 0 bytes from region 9"),
        (
            Kind::register_write(RegionId(2), 0x800, "doorbell", "", &[0, 0, 3, 8]),
            "write 00000308 (4 bytes) to register doorbell at 0x800",
        ),
        (
            Kind::register_write(RegionId(2), 0x800, "BlueFlame", "wqe", &[0; 64]),
            "write 64 bytes to register BlueFlame at 0x800",
        ),
        (
            Kind::register_read(RegionId(2), 4, "health", &[1]),
            "read 01 (1 byte) from register health at 0x4",
        ),
        (
            Kind::dma(Direction::Read, 0x1010, "WQE fetch", "", &zeros),
            "DMA read, WQE fetch: 16 bytes from send queue 0x40 + 0x10 (0x1010)",
        ),
        (
            Kind::dma(Direction::Write, 0x10f8, "CQE", "", &zeros),
            "DMA write, CQE: 16 bytes to 0x10f8",
        ),
    ];
    for (kind, words) in cases {
        assert_eq!(says(kind), words);
    }
}

#[test]
fn the_card_and_its_objects() {
    let command = |status, syndrome| {
        Kind::command(doorbell_tracer::Command {
            slot: 3,
            opcode: 0x500,
            name: "CREATE_QP".into(),
            input_layout: "".into(),
            input: doorbell_tracer::Bytes::new(&[]),
            output_layout: "".into(),
            output: doorbell_tracer::Bytes::new(&[]),
            status,
            syndrome,
        })
    };
    assert_eq!(says(command(0, 0)), "command CREATE_QP (0x500) in slot 3: ok");
    assert_eq!(
        says(command(5, 0x1f)),
        "command CREATE_QP (0x500) in slot 3: refused, status 0x5, syndrome 0x1f"
    );
    assert_eq!(
        says(Kind::packet(0x40, 0x41, "RC_SEND_ONLY", 7, &[0; 20])),
        "packet RC_SEND_ONLY, PSN 7, from QP 0x40 to QP 0x41, 20 bytes"
    );
    assert_eq!(says(Kind::state("QP", 0x40, "RST", "INIT")), "QP 0x40 goes from RST to INIT");
    assert_eq!(says(Kind::state("QP", 0x40, "", "RST")), "QP 0x40 begins as RST");
    assert_eq!(says(Kind::state("QP", 0x40, "ERR", "")), "QP 0x40 ends, and was ERR");
}

#[test]
fn everything_else() {
    let queue = region(3, "send queue", 0x2000, 0x41);
    let cases = [
        (Kind::locked("sq.lock"), "take the lock sq.lock"),
        (Kind::unlocked("sq.lock"), "release the lock sq.lock"),
        (Kind::Map(Box::new(queue)), "map send queue 0x41: 256 bytes at 0x2000"),
        (Kind::unmap(RegionId(1)), "unmap send queue 0x40"),
        (Kind::unmap(RegionId(9)), "unmap region 9"),
        (
            Kind::barrier("to_device", ""),
            "barrier to_device: no instruction here, it holds the compiler only",
        ),
        (Kind::barrier("flush_writes", "sfence"), "barrier flush_writes: sfence"),
        (Kind::index(RegionId(1), "sq.head", 5_u32), "sq.head is now 5 (send queue 0x40)"),
        (Kind::completion(1, "IBV_WC_SUCCESS", []), "completion of wr_id 1: IBV_WC_SUCCESS"),
        (
            Kind::completion(0x7f00_0000_1000, "IBV_WC_SUCCESS", [("byte_len", Value::Number(0))]),
            "completion of wr_id 0x7f0000001000: IBV_WC_SUCCESS, byte_len = 0",
        ),
        (Kind::discovery("/sys/class", "not there", false), "/sys/class: not there"),
        (Kind::note("dropped", []), "dropped"),
        (Kind::note("dropped", [("qpn", Value::Hex(0x40))]), "dropped (qpn = 0x40)"),
    ];
    for (kind, words) in cases {
        assert_eq!(says(kind), words);
    }
}

#[test]
fn numbers_are_written_as_engineers_read_them() {
    assert_eq!([number(9), number(64), number(0x1_0000)], ["9", "0x40 (64)", "0x10000"]);
    assert_eq!([count(0), count(1), count(64)], ["0 bytes", "1 byte", "64 bytes"]);
    let argument = |name: &'static str, value| Argument { name: name.into(), value };
    let pointer = argument("wr_id", Value::Number(0x7f00_0000_0000));
    let table = argument("table", Value::from("doorbell_driver::mlx5::poll_cq::poll_cq<Off>"));
    assert_eq!(list(&[pointer, table]), "wr_id = 0x7f0000000000, table = mlx5::poll_cq::poll_cq");
}

#[test]
fn an_address_belongs_to_the_region_that_lay_there_at_that_step() {
    let mut regions = Regions::default();
    regions.see(&event(0, Kind::Map(Box::new(region(1, "old", 0x1000, 0)))));
    // The same region under its full name: it stays where it is.
    regions.see(&event(1, Kind::Map(Box::new(region(1, "old", 0x1000, 0x40)))));
    regions.see(&event(5, Kind::unmap(RegionId(1))));
    regions.see(&event(7, Kind::Map(Box::new(region(2, "new", 0x1000, 0)))));
    regions.see(&event(8, Kind::Map(Box::new(region(3, "on top", 0x1080, 0)))));
    let fetch = Kind::dma(Direction::Read, 0x1080, "fetch", "", &[0; 4]);
    let at = |sequence| step(&fetch, &regions.at(sequence));
    for (sequence, place) in
        [(2, "old 0x40 + 0x80 (0x1080)"), (6, "0x1080"), (7, "new + 0x80 (0x1080)")]
    {
        assert_eq!(at(sequence), format!("DMA read, fetch: 4 bytes from {place}"));
    }
    assert!(at(8).ends_with("from on top (0x1080)"), "the one mapped last answers");
    assert_eq!(regions.at(6).name(RegionId(1)), "old 0x40", "it keeps its name");
}

#[test]
fn regions_without_bytes_say_the_same_as_the_timeline() {
    for scenario in scenarios() {
        let trace = record(scenario, &Device::Card).trace;
        let (mut regions, mut state) = (Regions::default(), State::default());
        let mut named = 0;
        for (place, event) in trace.events.iter().enumerate() {
            regions.see(event);
            state.apply(place, event);
            let words = step(&event.kind, &state);
            assert_eq!(words, step(&event.kind, &regions.at(event.sequence)));
            let known = words.contains("DMA") && words.contains(" (0x");
            named += usize::from(known);
        }
        assert!(named > 50, "{}: {named} of the card's accesses name a region", scenario.name);
    }
}

#[test]
fn the_entries_of_queues_and_records_have_layouts() {
    let layout = |role, name: &'static str| {
        let region = Region { role, ..region(1, name, 0, 0) };
        entry_layout(&region).map(|layout| layout.name)
    };
    assert_eq!(layout(Role::DoorbellRecord, "record of a CQ"), Some("cq_doorbell_record"));
    assert_eq!(layout(Role::DoorbellRecord, "record of a QP"), Some("qp_doorbell_record"));
    assert_eq!(layout(Role::CompletionQueue, "q"), Some("cqe"));
    assert_eq!(layout(Role::Buffer, "cq"), None);
}
