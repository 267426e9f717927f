//! What every scenario's trace must be: the same each time, complete, and true to memory.

use doorbell_examples::{
    Device, Scenario, WhatIf, devinfo, record, record_with, scenario, scenarios, source,
};
use doorbell_tracer::timeline::Timeline;
use doorbell_tracer::{Actor, Direction, Event, Kind, Role, Trace, file};
use std::collections::BTreeSet;

/// The scenarios of the registry, and the program beside it.
fn programs() -> impl Iterator<Item = &'static Scenario> {
    scenarios().iter().chain([&devinfo::SCENARIO])
}

/// The trace of a scenario that must succeed.
fn trace(name: &str) -> Trace {
    trace_of(scenario(name).expect("a scenario"))
}

/// The same of a program.
fn trace_of(program: &Scenario) -> Trace {
    let recording = record(program, &Device::Card);
    recording.outcome.expect("the scenario succeeds");
    recording.trace
}

/// The bytes of a trace file.
fn written(trace: &Trace) -> Vec<u8> {
    let mut bytes = Vec::new();
    file::write(&trace.header, trace, &mut bytes, &file::Options::default())
        .expect("memory takes it");
    bytes
}

#[test]
fn two_recordings_are_the_same_byte_for_byte() {
    for scenario in programs() {
        for device in [Device::Card, Device::None] {
            let [first, second] = [0; 2].map(|_| written(&record(scenario, &device).trace));
            assert!(!first.is_empty());
            assert!(first == second, "{} on {device} differs from run to run", scenario.name);
        }
    }
}

/// Folds the program's stores and the card's own writes, and compares every DMA read of the card
/// with what the fold says lies there.
#[test]
fn the_card_reads_what_the_stores_add_up_to() {
    for scenario in scenarios() {
        let trace = trace_of(scenario);
        let mut timeline = Timeline::new();
        let (mut reads, mut doorbells) = (0, 0);
        for event in &trace.events {
            if let Kind::Dma { direction: Direction::Read, address, bytes, why, .. } = &event.kind {
                let state = timeline.last();
                let (region, offset) =
                    state.resolve(*address, bytes.len() as u64).unwrap_or_else(|| {
                        panic!("step {}: {why} reads unmapped memory", event.sequence)
                    });
                let folded = state.bytes(region, offset..offset + bytes.len() as u64);
                assert_eq!(folded, bytes[..], "{} step {}: {why}", scenario.name, event.sequence);
                reads += 1;
                doorbells += u32::from(why == "doorbell record");
            }
            timeline.push(event);
        }
        assert!(reads > 20, "{}: only {reads} reads were compared", scenario.name);
        // A queue pair that stays in INIT, or a post that is refused, gives the card nothing to read.
        let posts = trace.events.iter().any(|event| {
            matches!(&event.kind, Kind::RegisterWrite { register, .. } if register == "BlueFlame" || register == "doorbell")
        });
        assert_eq!(doorbells > 0, posts, "{}: {doorbells} doorbell records", scenario.name);
        assert!(posts || scenario.failure.is_some(), "{}: nothing was posted", scenario.name);
    }
}

/// A BlueFlame write carries what lies in the ring at that moment.
#[test]
fn blueflame_carries_the_wqe_that_is_in_the_ring() {
    let trace = trace("rc-write");
    let mut timeline = Timeline::new();
    let mut seen = 0;
    for event in &trace.events {
        if let Kind::RegisterWrite { register, bytes, .. } = &event.kind
            && register == "BlueFlame"
        {
            let state = timeline.last();
            let ring = state.regions().find(|region| {
                region.info().role == Role::SendQueue && region.bytes(0..64) == bytes[..]
            });
            assert!(ring.is_some(), "step {}", event.sequence);
            seen += 1;
        }
        timeline.push(event);
    }
    assert_eq!(seen, 1);
}

#[test]
fn every_site_lies_in_a_source_that_the_trace_brings_along() {
    for scenario in programs() {
        let trace = trace_of(scenario);
        for site in &trace.header.sites {
            let brought = trace.header.sources.iter().find(|source| source.path == site.file);
            let text = &brought.unwrap_or_else(|| panic!("{} is missing", site.file)).text;
            assert_eq!(Some(text.as_str()), source(&site.file));
            let line = text.lines().nth(site.line as usize - 1).unwrap_or_default();
            let probe = ["probe!(", "site!(", "_host!(", ".ops().", "pub fn post_send("];
            assert!(
                probe.iter().any(|code| line.contains(code)),
                "{}:{} holds no probe but {line:?}",
                site.file,
                site.line
            );
        }
    }
}

/// What an event is, in short, for the order of a walk.
fn essence(event: &Event) -> Option<String> {
    let who = if event.actor == Actor::Card { "card " } else { "" };
    let text = match &event.kind {
        Kind::Call { function, .. } => format!("call {function}"),
        Kind::Return { function, .. } => format!("return {function}"),
        Kind::Dispatch { slot, .. } => format!("dispatch {slot}"),
        Kind::Lock { lock, action } => format!("{lock} {action:?}"),
        Kind::Store { layout, .. } => format!("store {layout}"),
        Kind::Barrier { name, .. } => format!("barrier {name}"),
        Kind::RegisterWrite { register, bytes, .. } => format!("{register} {}", bytes.len()),
        Kind::Dma { why, .. } => format!("dma {why}"),
        Kind::Packet(packet) => format!("packet {}", packet.name),
        Kind::Completion { status, .. } => format!("completion {status}"),
        _ => return None,
    };
    Some(format!("{who}{text}"))
}

/// From `ibv_post_send` to the completion, in this order; other steps may lie between.
fn assert_order(name: &str, wanted: &[&str]) {
    let trace = trace(name);
    let mut steps = trace.events.iter().filter_map(essence);
    for wanted in wanted {
        assert!(steps.any(|step| step == *wanted), "{name}: {wanted:?} does not come in its order");
    }
}

#[test]
fn a_single_write_goes_through_blueflame() {
    assert_order(
        "rc-write",
        &[
            "call ibv_post_send",
            "dispatch post_send",
            "call mlx5_post_send",
            "sq.lock Acquired",
            "store wqe_remote_address_segment",
            "store wqe_data_segment",
            "store wqe_control_segment",
            "barrier to_device",
            "store ",
            "barrier write_combining_start",
            "BlueFlame 64",
            "barrier flush_writes",
            "sq.lock Released",
            "return mlx5_post_send",
            "return ibv_post_send",
            "card dma doorbell record",
            "card dma gather of the message",
            "card packet RC_RDMA_WRITE_ONLY",
            "card dma RDMA write into memory",
            "card packet RC_ACKNOWLEDGE",
            "card dma CQE without its owner bit",
            "card dma CQE owner bit",
            "call ibv_poll_cq",
            "barrier from_device",
            "completion IBV_WC_SUCCESS",
        ],
    );
}

/// The calls that a trace's batches consist of. Each must be left before the next is entered, and every
/// segment written in one of them.
fn calls_of_batches(name: &str, settings: &str) -> BTreeSet<String> {
    let scenario = scenario(name).expect("a scenario");
    let what_if: WhatIf = settings.parse().expect("settings");
    let recording = record_with(scenario, &Device::Card, &what_if).expect("they make sense");
    recording.outcome.expect("the scenario succeeds");
    let (mut calls, mut inside, mut entered) = (BTreeSet::new(), false, None);
    for event in recording.trace.events.iter().filter(|event| event.actor != Actor::Card) {
        let step = event.sequence;
        match &event.kind {
            Kind::Call { function, .. } if function == "ibv_wr_start" => inside = true,
            Kind::Return { function, .. } if function == "ibv_wr_complete" => inside = false,
            Kind::Call { function, .. } if function.starts_with("ibv_wr_") => {
                assert_eq!(entered, None, "{name}, step {step}: {function}");
                calls.insert(function.to_string());
                entered = Some(function.to_string());
            }
            Kind::Return { function, .. } if function.starts_with("ibv_wr_") => {
                assert_eq!(entered.take(), Some(function.to_string()), "{name}, step {step}");
            }
            Kind::Store { layout, .. } if inside && layout.starts_with("wqe_") => {
                assert!(entered.is_some(), "{name}, step {step}: {layout} outside of any call");
            }
            _ => (),
        }
    }
    assert!(!inside && entered.is_none(), "{name} ends in a batch");
    calls
}

#[test]
fn every_call_of_a_batch_is_entered_and_left() {
    let mut seen = BTreeSet::new();
    for (name, settings) in [
        ("rc-write", "api=batch"),
        ("rc-write", "api=batch,inline=on"),
        ("rc-write", "api=batch,sges=2"),
        ("rc-write-imm", "api=batch"),
        ("rc-send", "api=batch"),
        ("rc-send-imm", "api=batch"),
        ("rc-read", "api=batch"),
        ("rc-fetch-add", "api=batch"),
        ("rc-compare-swap", "api=batch"),
        ("rc-window", "api=batch"),
        ("ud-send", "api=batch"),
    ] {
        seen.append(&mut calls_of_batches(name, settings));
    }
    let wanted = [
        "atomic_cmp_swp",
        "atomic_fetch_add",
        "bind_mw",
        "local_inv",
        "rdma_read",
        "rdma_write",
        "rdma_write_imm",
        "send",
        "send_imm",
        "send_inv",
        "set_inline_data_list",
        "set_sge",
        "set_sge_list",
        "set_ud_addr",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), wanted.map(|call| format!("ibv_wr_{call}")));
}

#[test]
fn a_list_rings_once_with_eight_bytes() {
    let segments =
        ["store wqe_remote_address_segment", "store wqe_data_segment", "store wqe_control_segment"];
    let mut wanted = vec!["call ibv_post_send"];
    for _ in 0..4 {
        wanted.extend(segments);
    }
    wanted.extend([
        "barrier to_device",
        "store ",
        "doorbell 8",
        "return ibv_post_send",
        "completion IBV_WC_SUCCESS",
    ]);
    assert_order("rc-write-list", &wanted);
    let trace = trace("rc-write-list");
    let during = |event: &&Event| event.actor != Actor::Card && event.depth > 0;
    let begin = trace
        .events
        .iter()
        .position(|event| essence(event).as_deref() == Some("call ibv_post_send"));
    let post = trace.events[begin.expect("it posts")..]
        .iter()
        .take_while(|event| essence(event).as_deref() != Some("return ibv_post_send"));
    let post: Vec<&Event> = post.filter(during).collect();
    let count = |wanted: &str| {
        post.iter().filter(|event| essence(event).as_deref() == Some(wanted)).count()
    };
    assert_eq!(count("store "), 1, "one doorbell record");
    assert_eq!(count("doorbell 8"), 1, "one register write");
    assert_eq!(count("BlueFlame 64"), 0);
}

#[test]
fn inline_data_needs_no_gather() {
    assert_order(
        "rc-send-inline",
        &[
            "call ibv_post_recv",
            "store wqe_data_segment",
            "return ibv_post_recv",
            "call ibv_post_send",
            "store ",
            "store wqe_inline_header",
            "store wqe_control_segment",
            "BlueFlame 64",
            "return ibv_post_send",
            "card packet RC_SEND_ONLY",
            "completion IBV_WC_SUCCESS",
            "completion IBV_WC_SUCCESS",
        ],
    );
    let trace = trace("rc-send-inline");
    let gathers = trace
        .events
        .iter()
        .filter(|event| essence(event).as_deref() == Some("card dma gather of the message"));
    assert_eq!(gathers.count(), 0);
}

#[test]
fn without_a_device_the_trace_ends_at_discovery_and_says_why() {
    for scenario in scenarios() {
        let recording = record(scenario, &Device::None);
        let error = recording.outcome.expect_err("there is no device");
        assert!(error.contains("no device was found"), "{error}");
        let found = recording.trace.events.iter().any(|event| {
            matches!(&event.kind, Kind::Discovery { finding, found: false, .. } if finding.contains("mlx5_ib"))
        });
        assert!(found);
        assert!(!recording.trace.events.iter().any(|event| event.actor == Actor::Card));
    }
}
