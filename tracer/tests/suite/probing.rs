//! Probes and what recorders keep of them: every kind, bytes of every length, groups between them.

use crate::keeping::Plain;
use doorbell_tracer::{
    Actor, Argument, Arguments, Bytes, Clock, Command, Direction, Full, Group, Kind, LockAction,
    Packet, RegionId, Relation, Ring, Tracer, Value, probe,
};
use std::borrow::Cow;
use std::cell::Cell;

const PROBE_GROUP: Group = Group::PostSend;

/// Bytes to tell apart.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn pair(name: &'static str, value: Value) -> Argument {
    Argument { name: name.into(), value }
}

/// One probe of each kind; the events that they must become.
fn every_kind(tracer: &Tracer) -> Vec<Kind> {
    let (region, bytes) = (RegionId(9), Bytes::new(&[1, 2, 3, 4]));
    let made = || Value::Text(String::from("made at run time").into());
    let call = [("qp", Value::Hex(0x41)), ("list", Value::Text("a".into())), ("why", made())];
    probe!(tracer, call("post", call));
    probe!(
        tracer,
        check("room", ("used", 3_u32), Relation::Less, ("size", String::from("4")), true)
    );
    probe!(tracer, dispatch("context.ops", "post_send", "mlx5::post_send"));
    probe!(tracer, locked("sq.lock"));
    probe!(tracer, store(region, 64, "data_segment", &[1, 2, 3, 4]));
    probe!(tracer, load(region, 8, "cqe", &[1, 2, 3, 4]));
    probe!(tracer, barrier("to_device", "sfence"));
    probe!(tracer, register_write(region, 0x800, "doorbell", "control", &[1, 2, 3, 4]));
    probe!(tracer, register_read(region, 4, "revision", &[1, 2, 3, 4]));
    probe!(tracer, index(region, "sq.cur_post", u32::MAX));
    probe!(tracer, unlocked("sq.lock"));
    probe!(tracer, returned("post", made()));
    probe!(tracer, dma(Direction::Write, u64::MAX, "CQE", "cqe", &[1, 2, 3, 4]));
    probe!(tracer, state("QP", 0x41, "RTR", "RTS"));
    probe!(tracer, completion(7, "success", [("length", 64_u32.into())]));
    probe!(tracer, discovery("/sys", String::from("found"), true));
    probe!(tracer, note("dropped", [("index", Value::Number(1))]));
    probe!(tracer, packet(1, 2, "RC SEND Only", 3, &[1, 2, 3, 4]));
    probe!(tracer, command(command()));
    probe!(tracer, unmap(region));
    let text = Cow::Borrowed;
    vec![
        Kind::Call { function: text("post"), arguments: call_arguments(made()) },
        Kind::Check {
            what: text("room"),
            left: pair("used", Value::Number(3)),
            relation: Relation::Less,
            right: pair("size", Value::Text("4".into())),
            holds: true,
        },
        Kind::Dispatch {
            table: text("context.ops"),
            slot: text("post_send"),
            target: text("mlx5::post_send"),
        },
        Kind::Lock { lock: text("sq.lock"), action: LockAction::Acquired },
        Kind::Store { region, offset: 64, layout: text("data_segment"), bytes: bytes.clone() },
        Kind::Load { region, offset: 8, layout: text("cqe"), bytes: bytes.clone() },
        Kind::Barrier { name: text("to_device"), instruction: text("sfence") },
        Kind::RegisterWrite {
            region,
            offset: 0x800,
            register: text("doorbell"),
            layout: text("control"),
            bytes: bytes.clone(),
        },
        Kind::RegisterRead { region, offset: 4, register: text("revision"), bytes: bytes.clone() },
        Kind::Index { region, name: text("sq.cur_post"), value: u64::from(u32::MAX) },
        Kind::Lock { lock: text("sq.lock"), action: LockAction::Released },
        Kind::Return { function: text("post"), result: made() },
        Kind::Dma {
            direction: Direction::Write,
            address: u64::MAX,
            why: text("CQE"),
            layout: text("cqe"),
            bytes: bytes.clone(),
        },
        Kind::State { object: text("QP"), number: 0x41, from: text("RTR"), to: text("RTS") },
        Kind::Completion {
            wr_id: 7,
            status: text("success"),
            attributes: [pair("length", Value::Number(64))].into_iter().collect(),
        },
        Kind::Discovery { subject: text("/sys"), finding: text("found"), found: true },
        Kind::Note {
            text: text("dropped"),
            values: [pair("index", Value::Number(1))].into_iter().collect(),
        },
        Kind::Packet(Box::new(Packet {
            from: 1,
            to: 2,
            name: text("RC SEND Only"),
            psn: 3,
            bytes,
        })),
        Kind::Command(Box::new(command())),
        Kind::Unmap { region },
    ]
}

fn call_arguments(made: Value) -> Arguments {
    let list = pair("list", Value::Text("a".into()));
    [pair("qp", Value::Hex(0x41)), list, pair("why", made)].into_iter().collect()
}

fn command() -> Command {
    Command {
        slot: 3,
        opcode: 0x500,
        name: "CREATE_QP".into(),
        input_layout: "create_qp_in".into(),
        input: Bytes::new(&[0x80; 70]),
        output_layout: "create_qp_out".into(),
        output: Bytes::new(&[9]),
        status: 0,
        syndrome: 1,
    }
}

#[test]
fn every_kind_is_kept_as_it_was_told() {
    let recorders = [
        Tracer::new(Full::new(), Clock::Logical),
        Tracer::new(Full::with_capacity(5), Clock::Logical),
        Tracer::new(Ring::new(20), Clock::Logical),
        Tracer::new(Plain::default(), Clock::Logical),
    ];
    for tracer in recorders {
        let expected = every_kind(&tracer);
        for records in [tracer.snapshot(), tracer.take()] {
            let kinds: Vec<_> = records.iter().map(|record| record.kind.clone()).collect();
            assert_eq!(kinds, expected);
            let depths: Vec<_> = records.iter().map(|record| record.depth).collect();
            assert_eq!(depths, [&[0][..], &[1; 10], &[0; 9]].concat());
        }
    }
}

/// Probes whose names are known at run time only; the events that they must become.
fn told_names(tracer: &Tracer, name: &'static str) -> Vec<Kind> {
    let (region, bytes, holds) = (RegionId(9), [1, 2, 3], false);
    let (values, none) = ([(name, Value::Hex(1)), ("b", name.into())], []);
    let (left, right) = ((name, 3_u32), ("size", name));
    probe!(tracer, call(name, values.clone()));
    probe!(tracer, call("literal", values.clone()));
    probe!(tracer, call(name, none.clone()));
    probe!(tracer, call("literal", []));
    probe!(tracer, check(name, left, Relation::Equal, right, holds));
    probe!(tracer, check("literal", left, Relation::Greater, ("size", 4_u32), holds));
    probe!(tracer, check("literal", (name, 3_u32), Relation::Less, right, holds));
    probe!(tracer, dispatch(name, "slot", "target"));
    probe!(tracer, locked(name));
    probe!(tracer, store(region, 1, name, &bytes));
    probe!(tracer, load(region, 2, name, &bytes));
    probe!(tracer, register_write(region, 3, name, name, &bytes));
    probe!(tracer, register_write(region, 3, "literal", name, &bytes));
    probe!(tracer, register_read(region, 4, name, &bytes));
    probe!(tracer, index(region, name, 5_u32));
    probe!(tracer, unlocked(name));
    probe!(tracer, returned(name, name));
    probe!(tracer, state(name, 6, "RTR", name));
    probe!(tracer, completion(7, name, values.clone()));
    probe!(tracer, completion(7, name, []));
    vec![
        Kind::call(name, values.clone()),
        Kind::call("literal", values.clone()),
        Kind::call(name, none),
        Kind::call("literal", []),
        Kind::check(name, left, Relation::Equal, right, holds),
        Kind::check("literal", left, Relation::Greater, ("size", 4_u32), holds),
        Kind::check("literal", left, Relation::Less, right, holds),
        Kind::dispatch(name, "slot", "target"),
        Kind::locked(name),
        Kind::store(region, 1, name, &bytes),
        Kind::load(region, 2, name, &bytes),
        Kind::register_write(region, 3, name, name, &bytes),
        Kind::register_write(region, 3, "literal", name, &bytes),
        Kind::register_read(region, 4, name, &bytes),
        Kind::index(region, name, 5),
        Kind::unlocked(name),
        Kind::returned(name, name),
        Kind::state(name, 6, "RTR", name),
        Kind::completion(7, name, values),
        Kind::completion(7, name, []),
    ]
}

#[test]
fn names_told_at_run_time_are_kept() {
    for clock in [Clock::Logical, Clock::Nanoseconds(|| 77)] {
        let tracer = Tracer::new(Full::new(), clock);
        for name in ["one", "", "another"] {
            let expected = told_names(&tracer, name);
            for records in [tracer.snapshot(), tracer.take()] {
                let kinds: Vec<_> = records.iter().map(|record| record.kind.clone()).collect();
                assert_eq!(kinds, expected);
            }
        }
    }
}

#[test]
fn calls_are_forgotten_when_all_probes_are_off() {
    for clock in [Clock::Logical, Clock::Nanoseconds(|| 77)] {
        let tracer = Tracer::new(Full::new(), clock);
        probe!(tracer, call("left while nobody looks", []));
        probe!(tracer, barrier("inside", ""));
        tracer.set_groups([]);
        tracer.set_groups(Group::ALL);
        probe!(tracer, barrier("outside", ""));
        for records in [tracer.snapshot(), tracer.take()] {
            let of = |record: &doorbell_tracer::Record| (record.sequence, record.depth);
            assert!(records.iter().map(of).eq([(0, 0), (1, 1), (2, 0)]));
        }
    }
}

#[test]
fn bytes_of_every_length_are_kept() {
    let lengths = || (0..70).chain([4096, 65_534, 65_535, 65_536, 70_000, 1 << 21, 1]);
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    for length in lengths() {
        let bytes = pattern(length);
        probe!(tracer, store(RegionId(1), length, "s", &bytes));
        probe!(tracer, load(RegionId(1), length, "l", &bytes));
        probe!(tracer, register_read(RegionId(1), length, "r", &bytes));
        probe!(tracer, register_write(RegionId(1), length, "w", "", &bytes));
        probe!(tracer, dma(Direction::Read, length as u64, "d", "", &bytes));
    }
    for records in [tracer.snapshot(), tracer.take()] {
        let expected = lengths().flat_map(|length| [length; 5]);
        assert_eq!(records.len(), expected.clone().count());
        for (record, length) in records.iter().zip(expected) {
            let (Kind::Store { offset: at, bytes, .. }
            | Kind::Load { offset: at, bytes, .. }
            | Kind::RegisterRead { offset: at, bytes, .. }
            | Kind::RegisterWrite { offset: at, bytes, .. }
            | Kind::Dma { address: at, bytes, .. }) = &record.kind
            else {
                panic!("{:?}", record.kind);
            };
            assert_eq!((*at, &bytes[..]), (length as u64, &pattern(length)[..]));
        }
    }
}

#[test]
fn groups_are_switched_between_events() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let other = tracer.acting_as(Actor::Card);
    for at in 0..1000_usize {
        other.set_group(PROBE_GROUP, !at.is_multiple_of(3));
        let built = Cell::new(false);
        let bytes = || {
            built.set(true);
            pattern(at)
        };
        probe!(tracer, store(RegionId(1), at, "", &bytes()));
        probe!(tracer, check("at", ("at", at), Relation::Less, ("most", 1000_u32), true));
        assert_eq!(built.get(), !at.is_multiple_of(3));
    }
    let records = tracer.take();
    let wanted: Vec<_> = (0..1000_usize).filter(|at| !at.is_multiple_of(3)).collect();
    assert!(records.iter().map(|record| record.sequence).eq(0..2 * wanted.len() as u64));
    for (records, at) in records.chunks(2).zip(wanted) {
        assert_eq!(records[0].kind, Kind::store(RegionId(1), at, "", &pattern(at)));
        assert!(matches!(&records[1].kind, Kind::Check { left, .. } if left.value == at.into()));
    }
}
