//! Events to test with: one of every kind, and any number of random ones.

use doorbell_tracer::{
    Actor, Argument, Bytes, Command, Direction, Event, Header, Kind, LockAction, Packet, Region,
    RegionId, Relation, Role, SiteInfo, Trace, TraceBuilder, Value,
};
use proptest::prelude::*;

/// A trace of these events, numbered from 0, at one site.
pub fn trace(kinds: impl IntoIterator<Item = Kind>) -> Trace {
    let events = kinds.into_iter().zip(0..).map(|(kind, at)| event(at, kind));
    Trace { header: header(), events: events.collect() }
}

/// A header with one site and one source file.
pub fn header() -> Header {
    let builder = TraceBuilder::new("doorbell 0.1.0", "card", "test", "logical", |_| None);
    let mut header = builder.finish().header;
    header.sites.push(SiteInfo {
        file: "driver/src/post.rs".into(),
        line: 3,
        function: "post::post".into(),
        group: doorbell_tracer::Group::PostSend,
        origins: vec![("lkey".into(), "sge.lkey".into())],
    });
    header.sources.push(doorbell_tracer::Source {
        path: "driver/src/post.rs".into(),
        text: "fn post() {\n    // \"quoted\", with ümlaut\n    store();\n}\n".into(),
    });
    header
}

/// An event of the program at the one site.
pub fn event(sequence: u64, kind: Kind) -> Event {
    Event { sequence, time: sequence, actor: Actor::Cpu(0), depth: 0, site: 0, kind }
}

/// A region's map event.
pub fn map(region: u32, role: Role, address: u64, length: u64) -> Kind {
    Kind::Map(Box::new(Region {
        region: RegionId(region),
        role,
        name: format!("region {region}").into(),
        address,
        length,
        stride: 64,
        object: 0x41,
    }))
}

/// A store of plain data.
pub fn store(region: u32, offset: usize, bytes: &[u8]) -> Kind {
    Kind::store(RegionId(region), offset, "", bytes)
}

/// One event of every kind.
pub fn one_of_each() -> Vec<Kind> {
    let value = || ("wr_id", Value::Hex(7));
    vec![
        Kind::call("f", [value(), ("list", Value::Text("a, b".into()))]),
        Kind::returned("f", 0_u32),
        Kind::dispatch("context.ops", "post_send", "mlx5::post_send"),
        Kind::check("room", ("used", 3_u32), Relation::Less, ("size", 4_u32), true),
        Kind::locked("sq.lock"),
        map(1, Role::SendQueue, 0x1000, 256),
        Kind::unmap(RegionId(1)),
        Kind::store(RegionId(1), 64, "data_segment", &[1, 2, 3]),
        Kind::load(RegionId(1), 64, "cqe", &[4; 100]),
        Kind::barrier("before the record", ""),
        Kind::register_write(RegionId(2), 0x800, "doorbell", "", &[0xff; 8]),
        Kind::register_read(RegionId(2), 4, "firmware revision", &[]),
        Kind::command(Command {
            slot: 3,
            opcode: 0x500,
            name: "CREATE_QP".into(),
            input_layout: "create_qp_in".into(),
            input: Bytes::new(&[0x80; 70]),
            output_layout: "create_qp_out".into(),
            output: Bytes::new(&[9]),
            status: 0,
            syndrome: u32::MAX,
        }),
        Kind::dma(Direction::Read, u64::MAX, "WQE fetch", "wqe", &[5; 64]),
        Kind::packet(1, 2, "RC RDMA WRITE Only", 0xff_ffff, &[6; 90]),
        Kind::state("QP", 0x41, "RTR", "RTS"),
        Kind::index(RegionId(1), "sq.cur_post", u32::MAX),
        Kind::completion(u64::MAX, "success", [value()]),
        Kind::discovery("/sys/class/infiniband", "no such directory", false),
        Kind::note("doorbell dropped", [value()]),
    ]
}

fn text() -> impl Strategy<Value = std::borrow::Cow<'static, str>> {
    "\\PC{0,12}|[\"\\\\\n\t\u{1}]{0,4}".prop_map(Into::into)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::Number),
        any::<u64>().prop_map(Value::Hex),
        text().prop_map(Value::Text),
    ]
}

fn argument() -> impl Strategy<Value = Argument> {
    (text(), value()).prop_map(|(name, value)| Argument { name, value })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| Bytes::new(&bytes))
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![
        Role::SendQueue,
        Role::CompletionQueue,
        Role::DoorbellRecord,
        Role::Buffer,
        Role::UserAccessRegion,
        Role::InitSegment,
    ])
}

/// A few regions, which may lie over each other, that all random events share.
fn region() -> impl Strategy<Value = RegionId> {
    (0..6_u32).prop_map(RegionId)
}

/// Addresses near each other, so that DMA meets regions, and some at the end of all.
fn address() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0x1000..0x1400_u64, 1 => Just(u64::MAX - 7), 1 => any::<u64>()]
}

/// Offsets near each other, and some beyond every region.
fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0..600_u64, 1 => any::<u64>()]
}

fn memory_kind() -> impl Strategy<Value = Kind> {
    let length = prop_oneof![9 => 0..700_u64, 1 => any::<u64>()];
    let mapped = (region(), role(), text(), address(), length, any::<u32>(), any::<u32>());
    let mapped = mapped.prop_map(|(region, role, name, address, length, stride, object)| {
        Kind::Map(Box::new(Region { region, role, name, address, length, stride, object }))
    });
    let place = || (region(), offset(), text(), bytes());
    prop_oneof![
        3 => mapped,
        1 => region().prop_map(Kind::unmap),
        6 => place().prop_map(|(region, offset, layout, bytes)| Kind::Store { region, offset, layout, bytes }),
        1 => place().prop_map(|(region, offset, layout, bytes)| Kind::Load { region, offset, layout, bytes }),
        2 => (place(), text()).prop_map(|((region, offset, layout, bytes), register)| Kind::RegisterWrite { region, offset, register, layout, bytes }),
        1 => place().prop_map(|(region, offset, register, bytes)| Kind::RegisterRead { region, offset, register, bytes }),
        6 => (any::<bool>(), address(), text(), text(), bytes()).prop_map(|(write, address, why, layout, bytes)| Kind::Dma {
            direction: if write { Direction::Write } else { Direction::Read },
            address, why, layout, bytes,
        }),
        1 => (region(), text(), any::<u64>()).prop_map(|(region, name, value)| Kind::Index { region, name, value }),
    ]
}

fn other_kind() -> impl Strategy<Value = Kind> {
    let arguments = || prop::collection::vec(argument(), 0..4);
    let function = || prop::sample::select(vec!["f", "g", "h"]);
    let relation = prop::sample::select(vec![
        Relation::Equal,
        Relation::NotEqual,
        Relation::Less,
        Relation::LessOrEqual,
        Relation::Greater,
        Relation::GreaterOrEqual,
    ]);
    let command = (any::<(u32, u16, u8, u32)>(), text(), bytes(), bytes());
    prop_oneof![
        (function(), arguments()).prop_map(|(function, arguments)| Kind::Call {
            function: function.into(),
            arguments: arguments.into()
        }),
        (function(), value())
            .prop_map(|(function, result)| Kind::Return { function: function.into(), result }),
        (text(), text(), text()).prop_map(|(table, slot, target)| Kind::Dispatch {
            table,
            slot,
            target
        }),
        (text(), argument(), relation, argument(), any::<bool>()).prop_map(
            |(what, left, relation, right, holds)| Kind::Check {
                what,
                left,
                relation,
                right,
                holds
            }
        ),
        (function(), any::<bool>()).prop_map(|(lock, taken)| Kind::Lock {
            lock: lock.into(),
            action: if taken { LockAction::Acquired } else { LockAction::Released },
        }),
        (text(), text()).prop_map(|(name, instruction)| Kind::Barrier { name, instruction }),
        command.prop_map(|((slot, opcode, status, syndrome), name, input, output)| Kind::Command(
            Box::new(Command {
                slot,
                opcode,
                input_layout: name.clone(),
                name,
                input,
                output_layout: "out".into(),
                output,
                status,
                syndrome,
            })
        )),
        (any::<(u32, u32, u32)>(), text(), bytes()).prop_map(|((from, to, psn), name, bytes)| {
            Kind::Packet(Box::new(Packet { from, to, name, psn, bytes }))
        }),
        (function(), 0..4_u32, text(), text()).prop_map(|(object, number, from, to)| Kind::State {
            object: object.into(),
            number,
            from,
            to
        }),
        (any::<u64>(), text(), arguments()).prop_map(|(wr_id, status, attributes)| {
            Kind::Completion { wr_id, status, attributes: attributes.into() }
        }),
        (text(), text(), any::<bool>()).prop_map(|(subject, finding, found)| Kind::Discovery {
            subject,
            finding,
            found
        }),
        (text(), arguments()).prop_map(|(text, values)| Kind::Note { text, values: values.into() }),
    ]
}

/// Up to `most` random events.
pub fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    let kind = prop_oneof![2 => memory_kind(), 1 => other_kind()];
    let actor = prop_oneof![Just(Actor::Card), (0..3_u8).prop_map(Actor::Cpu)];
    let one = (any::<u64>(), actor, any::<u16>(), kind);
    prop::collection::vec(one, 0..most).prop_map(|all| {
        let numbered = all.into_iter().zip(0..);
        numbered
            .map(|((time, actor, depth, kind), sequence)| Event {
                sequence,
                time,
                actor,
                depth,
                site: 0,
                kind,
            })
            .collect()
    })
}
