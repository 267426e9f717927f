//! The data of a run for the player's script.

use super::{fields, hex, markdown};
use crate::anchors::is_anchor_line;
use crate::walk::{Part, Step, Walk};
use crate::{highlight, notes};
use doorbell_examples::words::region_title;
use doorbell_tracer::{Actor, Event, Kind, RegionId, Role};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::ops::Range;

/// The data of a run as a `<script>` element: every step up to the last that the page shows, with
/// the details of those in its stretches.
pub fn data(walk: &Walk, stretches: &[Range<usize>]) -> String {
    let last = stretches.iter().map(|stretch| stretch.end).max().unwrap_or_default();
    let shown = |place: usize| stretches.iter().any(|stretch| stretch.contains(&place));
    let steps: Vec<Value> = walk
        .steps
        .iter()
        .zip(&walk.trace.events)
        .take(last)
        .enumerate()
        .map(|(place, (step, event))| one_step(walk, step, event, shown(place)))
        .collect();
    let in_view = || {
        let steps = walk.steps.iter().enumerate();
        steps.filter(|(place, _)| shown(*place)).map(|(_, step)| step)
    };
    // A WQE may have been stored before the stretch in which it is shown.
    let stores = walk.wqes.iter().flat_map(|wqe| &wqe.stores).filter(|place| **place < last);
    let stored = stores.filter_map(|place| walk.steps.get(*place));
    let data = json!({
        "scenario": walk.trace.header.scenario,
        "files": files(walk, in_view().map(|step| step.file.as_str()).collect()),
        "notes": all_notes(in_view().filter_map(|step| step.anchor.as_deref()).collect()),
        "regions": regions(walk),
        "wqes": wqes(walk, last),
        "layouts": layouts(in_view().chain(stored).flat_map(|step| &step.parts)),
        "steps": steps,
    });
    // `<` would let the text of a source file end the element.
    let text = data.to_string().replace('<', "\\u003c");
    let scenario = highlight::escape(&walk.trace.header.scenario);
    format!(
        "\n\n<script type=\"application/json\" class=\"doorbell-data\" data-scenario=\"{scenario}\">{text}</script>\n"
    )
}

/// One step: what it did to memory always, the rest if it is in view.
fn one_step(walk: &Walk, step: &Step, event: &Event, in_view: bool) -> Value {
    let mut data = Map::new();
    data.insert("n".to_owned(), json!(step.number));
    let writes: Vec<Value> = step
        .writes
        .iter()
        .filter(|write| walk.role(write.region).is_some_and(in_panels))
        .map(|write| json!([write.region, write.offset, hex(&write.bytes)]))
        .collect();
    if event.actor == Actor::Card && !writes.is_empty() {
        data.insert("byCard".to_owned(), json!(true));
    }
    if !writes.is_empty() {
        data.insert("writes".to_owned(), json!(writes));
    }
    if let Kind::Index { region, name, value } = &event.kind {
        data.insert(
            "index".to_owned(),
            json!([region, name, value, slot(walk, *region, name, *value)]),
        );
    }
    if let Kind::RegisterWrite { register, .. } = &event.kind {
        data.insert("register".to_owned(), json!(register));
    }
    if let Some(wqe) = step.wqe {
        data.insert("wqe".to_owned(), json!(wqe));
    }
    if let Some((region, offset)) = step.place {
        data.insert("at".to_owned(), json!([region, offset]));
    }
    if !step.record.is_empty() {
        let fields = step.record.iter().map(|field| json!([field.path, field.value]));
        data.insert("record".to_owned(), fields.collect());
    }
    let part_of_wqe = matches!(event.kind, Kind::Store { .. } | Kind::RegisterWrite { .. });
    if in_view || part_of_wqe {
        let parts: Vec<Value> = step.parts.iter().map(one_part).collect();
        data.insert("parts".to_owned(), json!(parts));
    }
    if in_view {
        data.insert("kind".to_owned(), json!(event.kind.name()));
        data.insert("actor".to_owned(), json!(step.actor));
        data.insert("depth".to_owned(), json!(event.depth));
        data.insert("what".to_owned(), json!(step.what));
        data.insert("file".to_owned(), json!(step.file));
        data.insert("line".to_owned(), json!(step.line));
        data.insert("function".to_owned(), json!(step.function));
        data.insert("anchor".to_owned(), json!(step.anchor));
    }
    Value::Object(data)
}

/// Counters that count the slots of a ring; `sq.head`, for one, counts work requests.
const SLOT_COUNTERS: [&str; 3] = ["sq.cur_post", "rq.head", "cq.consumer_index"];

/// The slot of its ring that a counter stands at, if it counts slots.
fn slot(walk: &Walk, region: RegionId, name: &str, value: u64) -> Option<u64> {
    let ring = walk.regions.get(&region)?;
    let slots = ring.length.checked_div(u64::from(ring.stride))?;
    let slot = value.checked_rem(slots)?;
    SLOT_COUNTERS.contains(&name).then_some(slot)
}

/// Bytes with their fields: `[path, value, origin]`; where and why is told once, by layout.
fn one_part(part: &Part) -> Value {
    let fields: Vec<Value> =
        fields(part).map(|field| json!([field.path, field.value, field.origin])).collect();
    json!({
        "title": part.title,
        "layout": part.layout,
        "bytes": hex(&part.bytes),
        "fields": fields,
        "more": part.fields.len() - fields.len(),
    })
}

/// For every layout in view, where each field shown lies and what it means.
fn layouts<'w>(parts: impl Iterator<Item = &'w Part>) -> Value {
    let mut layouts = Map::new();
    for part in parts {
        let layout =
            layouts.entry(part.layout.clone()).or_insert_with(|| Value::Object(Map::new()));
        let Some(known) = layout.as_object_mut() else {
            continue;
        };
        for field in fields(part) {
            known
                .entry(field.path.clone())
                .or_insert_with(|| json!([field.place(), field.meaning]));
        }
    }
    Value::Object(layouts)
}

/// The source files in view: `[line, html]`, without the anchors' comments.
fn files(walk: &Walk, paths: BTreeSet<&str>) -> Value {
    let file = |path: &str| {
        let text = walk.source(path).unwrap_or_default();
        let html = highlight::rust(text);
        let lines: Vec<Value> = (1..)
            .zip(text.lines())
            .zip(html.iter())
            .filter(|((_, line), _)| !is_anchor_line(line))
            .map(|((number, _), html): ((u32, &str), &String)| json!([number, html]))
            .collect();
        (path.to_owned(), json!(lines))
    };
    Value::Object(paths.into_iter().map(file).collect())
}

/// The notes of the anchors in view.
fn all_notes(anchors: BTreeSet<&str>) -> Value {
    let known = anchors.into_iter().filter_map(notes::note);
    let one = |note: &notes::Note| {
        let upstream: Vec<String> = note.upstream.iter().map(ToString::to_string).collect();
        let text = json!({
            "title": note.title,
            "html": markdown(&note.body),
            "upstream": upstream,
        });
        (note.anchor.clone(), text)
    };
    Value::Object(known.map(one).collect())
}

/// Whether the player has a panel for regions of this role.
pub(super) fn in_panels(role: Role) -> bool {
    matches!(
        role,
        Role::SendQueue
            | Role::ReceiveQueue
            | Role::CompletionQueue
            | Role::DoorbellRecord
            | Role::UserAccessRegion
            | Role::Buffer
    )
}

/// The regions that the player has panels for.
fn regions(walk: &Walk) -> Value {
    let shown = walk.regions.values().filter(|region| in_panels(region.role));
    let one = |region: &doorbell_tracer::Region| {
        let data = json!({
            "name": region_title(region),
            "role": region.role,
            "length": region.length,
            "stride": region.stride,
        });
        (region.region.0.to_string(), data)
    };
    Value::Object(shown.map(one).collect())
}

/// The WQEs begun before step `last`.
fn wqes(walk: &Walk, last: usize) -> Value {
    let one = |wqe: &crate::walk::Wqe| {
        let stores: Vec<usize> = wqe.stores.iter().copied().filter(|place| *place < last).collect();
        json!({
            "region": wqe.region,
            "start": wqe.start,
            "length": wqe.length,
            "stores": stores,
        })
    };
    Value::Array(walk.wqes.iter().map(one).collect())
}
