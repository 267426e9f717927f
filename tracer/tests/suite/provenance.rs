//! From a byte to its writer, and from a store to its readers.

use crate::samples::{map, store, trace};
use doorbell_tracer::timeline::{Timeline, copied_from, provenance, readers};
use doorbell_tracer::{Direction, Kind, RegionId, Role, Trace};

/// A WQE is stored, rung and fetched; its completion is written and read.
fn post() -> Trace {
    let data = [0x11; 16];
    let head = [0x22, 0, 0, 1, 0, 0, 0x41, 3];
    trace([
        map(1, Role::SendQueue, 0x1000, 256),
        map(2, Role::UserAccessRegion, 0xf000_0000, 4096),
        map(3, Role::CompletionQueue, 0x2000, 128),
        Kind::store(RegionId(1), 64, "control_segment", &head),
        Kind::store(RegionId(1), 80, "data_segment", &data),
        Kind::register_write(RegionId(2), 0x800, "doorbell", "control_segment", &head),
        Kind::dma(Direction::Read, 0x1040, "WQE fetch", "wqe", &[0; 64]),
        Kind::dma(Direction::Write, 0x2000, "CQE", "cqe", &[9; 64]),
        Kind::load(RegionId(3), 63, "cqe", &[9]),
        store(1, 80, &[0; 16]),
        Kind::dma(Direction::Read, 0x1040, "WQE fetch", "wqe", &[0; 64]),
    ])
}

/// The fields of the layouts above.
fn field(layout: &str, offset: usize) -> Option<String> {
    let name = match (layout, offset) {
        ("data_segment", 4..8) => "lkey",
        ("cqe", 63) => "owner",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Step, field and origin of a byte after the step.
fn source(step: usize, region: u32, offset: u64) -> Option<(u64, Option<String>, Option<String>)> {
    let trace = post();
    let state = Timeline::of(&trace).state_at(step, &trace);
    let region = RegionId(region);
    let found = provenance(&state, &trace, &trace.header, region, offset, &field)?;
    assert_eq!(found.site, trace.header.sites.first());
    Some((found.step, found.field, found.origin.map(str::to_owned)))
}

#[test]
fn a_byte_leads_back_to_the_field_of_the_work_request() {
    let lkey = (4, Some("lkey".to_owned()), Some("sge.lkey".to_owned()));
    assert_eq!(source(8, 1, 84), Some(lkey));
    assert_eq!(source(8, 1, 88), Some((4, None, None)), "a byte of no field");
    assert_eq!(source(3, 1, 84), None, "not written yet");
    assert_eq!(source(9, 1, 84), Some((9, None, None)), "written again");
}

#[test]
fn a_byte_of_a_completion_leads_back_to_the_dma() {
    let owner = (7, Some("owner".to_owned()), None);
    assert_eq!(source(8, 3, 63), Some(owner));
    assert_eq!(source(8, 3, 64), None);
    assert_eq!(source(8, 9, 0), None, "there is no such region");
}

#[test]
fn a_byte_of_a_register_leads_back_to_its_write() {
    assert_eq!(source(8, 2, 0x807), Some((5, None, None)));
}

/// Steps, regions and ranges that read what `step` stored.
fn readers_of(step: usize, until: usize) -> Vec<(usize, u32, std::ops::Range<u64>)> {
    let trace = post();
    let found = readers(&Timeline::of(&trace), &trace, step, until).into_iter();
    found.map(|read| (read.step, read.span.region.0, read.span.range)).collect()
}

#[test]
fn a_store_leads_forward_to_those_who_read_it() {
    let head = [(5, 1, 64..72), (6, 1, 64..128), (10, 1, 64..128)];
    assert_eq!(readers_of(3, usize::MAX), head);
    assert_eq!(readers_of(3, 10), head[..2], "up to a step");
    let data = [(6, 1, 64..128)];
    assert_eq!(readers_of(4, usize::MAX), data, "not after it was written over");
    assert_eq!(readers_of(7, usize::MAX), [(8, 3, 63..64)], "a DMA write is loaded");
    assert_eq!(readers_of(8, usize::MAX), [], "a load stores nothing");
    assert_eq!(readers_of(99, usize::MAX), [], "behind the end");
}

#[test]
fn a_copy_to_a_register_is_found_around_the_end_of_the_queue() {
    let mut wqe = [0; 128];
    wqe[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    wqe[64..].fill(0x33);
    let trace = trace([
        map(1, Role::SendQueue, 0x1000, 256),
        store(1, 192, &wqe[..64]),
        store(1, 0, &wqe[64..]),
    ]);
    let timeline = Timeline::of(&trace);
    let spans = copied_from(timeline.last(), &wqe);
    let spans: Vec<_> = spans.into_iter().map(|span| span.range).collect();
    assert_eq!(spans, [192..256, 0..64]);
    assert_eq!(copied_from(timeline.last(), &[0; 8]), [], "zeros are everywhere");
    assert_eq!(copied_from(timeline.last(), &[7; 8]), []);
    assert_eq!(copied_from(timeline.last(), &[7; 300]), [], "longer than the queue");
}
