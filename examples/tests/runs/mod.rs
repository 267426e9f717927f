//! What shows only in several events of a trace together.

use doorbell_tracer::{Event, Kind, RegionId, Trace, Value};
use std::collections::BTreeMap;

/// Bytes of a block of a send queue.
const BLOCK: u64 = 64;

/// A store: where, of what, and which bytes.
struct Stored<'a> {
    region: RegionId,
    offset: u64,
    layout: &'a str,
    bytes: &'a [u8],
    event: &'a Event,
}

fn stored(event: &Event) -> Option<Stored<'_>> {
    match &event.kind {
        Kind::Store { region, offset, layout, bytes } => {
            Some(Stored { region: *region, offset: *offset, layout, bytes, event })
        }
        _ => None,
    }
}

/// The lengths of the regions.
fn lengths(trace: &Trace) -> BTreeMap<RegionId, u64> {
    let maps = trace.events.iter().filter_map(|event| match &event.kind {
        Kind::Map(region) => Some((region.region, region.length)),
        _ => None,
    });
    maps.collect()
}

/// One structure was stored up to the end of a region, and right behind it another at the beginning; `ours`
/// says whether the first was stored in the right function.
pub fn wraps(trace: &Trace, first: &str, then: &str, ours: impl Fn(&Event) -> bool) -> bool {
    let lengths = lengths(trace);
    let stores: Vec<_> = trace.events.iter().filter_map(stored).collect();
    stores.windows(2).any(|pair| {
        let [last, next] = pair else { return false };
        let end = last.offset + last.bytes.len() as u64;
        (last.layout, next.layout) == (first, then)
            && last.region == next.region
            && lengths.get(&last.region) == Some(&end)
            && next.offset == 0
            && ours(last.event)
    })
}

/// A burst of BlueFlame writes in which the block behind the end of the ring is the ring's first one.
pub fn burst_wraps(trace: &Trace) -> bool {
    let lengths = lengths(trace);
    let mut ring = BTreeMap::new();
    let (mut wqe, mut written) = (None, 0);
    for event in &trace.events {
        match (stored(event), &event.kind) {
            (Some(store), _) => {
                ring.insert((store.region, store.offset), store.bytes);
                if store.layout == "wqe_control_segment" {
                    wqe = Some((store.region, store.offset));
                }
                written = 0;
            }
            (None, Kind::RegisterWrite { register, bytes, .. }) if register == "BlueFlame" => {
                let (region, offset) = wqe.expect("a WQE is written before the register");
                let place = offset + written * BLOCK;
                if Some(&place) == lengths.get(&region) {
                    let first = ring.get(&(region, 0)).expect("something was stored there");
                    return bytes.starts_with(first);
                }
                written += 1;
            }
            _ => {}
        }
    }
    false
}

/// A work request had more elements than its WQE has pointers.
pub fn skips_an_element(trace: &Trace) -> bool {
    let mut given = None;
    let mut pointers = 0;
    for event in &trace.events {
        match &event.kind {
            Kind::Check { what, left, .. } if what == "elements fit the WQE" => {
                given = Some(left.value.clone());
                pointers = 0;
            }
            Kind::Store { layout, .. } if layout == "wqe_data_segment" => pointers += 1,
            Kind::Index { name, .. } if name == "sq.cur_post" => {
                if matches!(given.take(), Some(Value::Number(count)) if count > pointers) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// A call of `post_send` moved no counter and wrote no register.
pub fn rings_for_nothing(trace: &Trace) -> bool {
    let mut silent = false;
    for event in &trace.events {
        match &event.kind {
            Kind::Call { function, .. } if function == "mlx5_post_send" => silent = true,
            Kind::Index { name, .. } if name == "sq.head" => silent = false,
            Kind::RegisterWrite { .. } => silent = false,
            Kind::Return { function, .. } if function == "mlx5_post_send" && silent => return true,
            _ => {}
        }
    }
    false
}

/// A call of `post_send` returned this.
pub fn returns(trace: &Trace, wanted: &str) -> bool {
    trace.events.iter().any(|event| match &event.kind {
        Kind::Return { function, result: Value::Text(result) } => {
            function == "mlx5_post_send" && result.contains(wanted)
        }
        _ => false,
    })
}

/// What happened between the start of a batch and its end.
pub fn in_batches(trace: &Trace) -> Vec<&Event> {
    let mut inside = false;
    let in_it = |event: &&Event| {
        match &event.kind {
            Kind::Call { function, .. } if function == "ibv_wr_start" => inside = true,
            Kind::Return { function, .. } if function == "ibv_wr_complete" => inside = false,
            _ => {}
        }
        inside
    };
    trace.events.iter().filter(in_it).collect()
}

/// Within a WQE, which its control segment ends, one structure was stored and later another.
pub fn in_order(events: &[&Event], first: &str, then: &str) -> bool {
    let stores: Vec<_> = events.iter().copied().filter_map(stored).collect();
    stores.split(|store| store.layout == "wqe_control_segment").any(|wqe| {
        let place = |layout: &str| wqe.iter().position(|store| store.layout == layout);
        matches!((place(first), place(then)), (Some(first), Some(then)) if first < then)
    })
}

/// A batch was given up with these words.
pub fn given_up(trace: &Trace, words: &str) -> bool {
    trace.events.iter().any(|event| match &event.kind {
        Kind::Return { function, result: Value::Text(result) } => {
            function == "ibv_wr_complete" && result.contains(words)
        }
        _ => false,
    })
}
