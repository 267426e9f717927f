//! Trace events in JSON, the format that ui.perfetto.dev and chrome://tracing open.
//!
//! A track for each thread of the program, one for the card, one for packets. Calls are slices, other
//! events instants; those that an [arrow](super::arrows) leads to or from are slices of a moment, since
//! arrows hold on to slices only. Under the logical clock a moment is a step, and a microsecond.

use super::arrows::{Arrow, Arrows, Point};
use super::{ExportError, LOGICAL, Unit, told_by, unit};
use crate::decode::{actor, carried, masked};
use doorbell_examples::words::{self, Regions};
use doorbell_tracer::file::Stream;
use doorbell_tracer::{Actor, Event, Header, Kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// The processes: whose tracks they are.
const PROGRAM: u32 = 1;
const CARD: u32 = 2;
const NETWORK: u32 = 3;

/// Writes all events of a trace; answers how many.
pub(super) fn write(trace: &mut Stream, out: &mut dyn Write) -> Result<u64, ExportError> {
    let header = trace.header().clone();
    let mut timeline = Timeline {
        out,
        unit: unit(&header),
        first: true,
        tracks: BTreeMap::new(),
        arrows: Arrows::default(),
        arrow: 0,
    };
    timeline.begin(&header)?;
    let mut regions = Regions::default();
    let mut count = 0;
    while let Some(event) = trace.next_event() {
        regions.see(&event);
        timeline.event(&header, &event, &regions)?;
        count += 1;
    }
    timeline.end()?;
    Ok(count)
}

/// A timeline that is being written.
struct Timeline<'a> {
    out: &'a mut dyn Write,
    unit: Unit,
    first: bool,
    /// What is known of each track, by process and thread.
    tracks: BTreeMap<(u32, u32), Track>,
    arrows: Arrows,
    /// Number of the last arrow.
    arrow: u64,
}

/// A track.
#[derive(Debug, Default)]
struct Track {
    /// The first nanosecond at which the next event can stand: events of one track do not overlap.
    free: u64,
    /// The functions that are under way.
    calls: Vec<String>,
}

impl Timeline<'_> {
    /// Everything before the first event.
    fn begin(&mut self, header: &Header) -> Result<(), ExportError> {
        let clock = match self.unit {
            Unit::Steps => LOGICAL,
            Unit::Nanoseconds => "nanoseconds; of several events in one the later are moved by one",
        };
        let about = json!({
            "scenario": header.scenario,
            "device": header.device,
            "tool": header.tool,
            "clock": clock,
            "masked": masked(header.masked).trim_start_matches(", "),
        });
        write!(self.out, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[")?;
        let program = format!("program: {} on {}", header.title(), header.device);
        for (pid, name) in [(PROGRAM, program.as_str()), (CARD, "card"), (NETWORK, "packets")] {
            self.put(&json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}))?;
            self.put(&json!({"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}))?;
        }
        Ok(())
    }

    /// One event.
    fn event(
        &mut self,
        header: &Header,
        event: &Event,
        regions: &Regions,
    ) -> Result<(), ExportError> {
        let (pid, tid) = track_of(event);
        let (at, is_new) = self.place(pid, tid, event.time);
        if is_new {
            let name = if pid == NETWORK { "packets".to_owned() } else { actor(event.actor) };
            self.put(&json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}))?;
        }
        let args = arguments(header, event, regions);
        let places = regions.at(event.sequence);
        let text = words::step(&event.kind, &places);
        let mut entry =
            json!({"pid": pid, "tid": tid, "ts": microseconds(at), "cat": event.kind.name()});
        match &event.kind {
            Kind::Call { function, .. } => {
                entry["ph"] = "B".into();
                entry["name"] = function.as_ref().into();
                self.calls(pid, tid).push(function.to_string());
            }
            Kind::Return { function, .. } if self.leaves(pid, tid, function, at)? => {
                entry["ph"] = "E".into();
            }
            _ if Arrows::ends_at(event) => {
                entry["ph"] = "X".into();
                entry["name"] = text.into();
                entry["dur"] = microseconds(self.unit.moment());
                self.tracks.entry((pid, tid)).or_default().free = at + self.unit.moment();
            }
            _ => {
                entry["ph"] = "i".into();
                entry["s"] = "t".into();
                entry["name"] = text.into();
            }
        }
        entry["args"] = Value::Object(args);
        self.put(&entry)?;
        for arrow in self.arrows.of(event, (pid, tid, at)) {
            self.arrow(arrow)?;
        }
        Ok(())
    }

    /// Whether a return belongs to a call that is under way. Calls inside it whose own returns are
    /// not in the trace end here too.
    fn leaves(&mut self, pid: u32, tid: u32, function: &str, at: u64) -> Result<bool, ExportError> {
        let calls = self.calls(pid, tid);
        let Some(place) = calls.iter().rposition(|call| call == function) else {
            return Ok(false);
        };
        let inner = calls.len() - place - 1;
        calls.truncate(place);
        for _ in 0..inner {
            self.close(pid, tid, at)?;
        }
        Ok(true)
    }

    /// The functions that are under way on a track.
    fn calls(&mut self, pid: u32, tid: u32) -> &mut Vec<String> {
        &mut self.tracks.entry((pid, tid)).or_default().calls
    }

    /// Ends a call whose return is not in the trace.
    fn close(&mut self, pid: u32, tid: u32, at: u64) -> Result<(), ExportError> {
        self.put(&json!({
            "ph": "E", "pid": pid, "tid": tid, "ts": microseconds(at),
            "args": {"end": "the trace has no return of this call"},
        }))
    }

    /// Where an event of a time stands on its track, and whether it is the track's first.
    fn place(&mut self, pid: u32, tid: u32, time: u64) -> (u64, bool) {
        let is_new = !self.tracks.contains_key(&(pid, tid));
        let track = self.tracks.entry((pid, tid)).or_default();
        let at = self.unit.nanoseconds(time).max(track.free);
        track.free = at;
        (at, is_new)
    }

    /// An arrow between two slices.
    fn arrow(&mut self, arrow: Arrow) -> Result<(), ExportError> {
        self.arrow += 1;
        let id = self.arrow;
        let entry = |(pid, tid, at): Point, ph: &str| {
            json!({
                "ph": ph, "cat": "flow", "name": arrow.name, "id": id,
                "pid": pid, "tid": tid, "ts": microseconds(at),
            })
        };
        self.put(&entry(arrow.from, "s"))?;
        let mut end = entry(arrow.to, "f");
        end["bp"] = "e".into();
        self.put(&end)
    }

    /// Ends the calls that are under way, and the file.
    fn end(&mut self) -> Result<(), ExportError> {
        let open: Vec<_> =
            self.tracks.iter().map(|(key, track)| (*key, track.free, track.calls.len())).collect();
        for ((pid, tid), at, calls) in open {
            for _ in 0..calls {
                self.close(pid, tid, at)?;
            }
        }
        Ok(self.out.write_all(b"\n]}\n")?)
    }

    /// Writes one entry.
    fn put(&mut self, entry: &Value) -> Result<(), ExportError> {
        self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        let line = serde_json::to_vec(entry).map_err(told_by)?;
        Ok(self.out.write_all(&line)?)
    }
}

/// The process and the thread of an event.
fn track_of(event: &Event) -> (u32, u32) {
    match (event.actor, &event.kind) {
        (_, Kind::Packet(_)) => (NETWORK, 1),
        (Actor::Card, _) => (CARD, 1),
        (Actor::Cpu(number), _) => (PROGRAM, u32::from(number) + 1),
    }
}

/// Nanoseconds as the format has times: microseconds.
fn microseconds(nanoseconds: u64) -> Value {
    match nanoseconds % 1000 {
        0 => (nanoseconds / 1000).into(),
        _ => (nanoseconds as f64 / 1000.0).into(),
    }
}

/// What a click on an event shows: its step, its place, its bytes and their fields.
fn arguments(header: &Header, event: &Event, regions: &Regions) -> Map<String, Value> {
    let mut args = Map::new();
    args.insert("step".to_owned(), event.sequence.into());
    let site = header.sites.get(event.site as usize);
    if let Some(site) = site {
        args.insert("source".to_owned(), format!("{}:{}", site.file, site.line).into());
        args.insert("function".to_owned(), site.function.clone().into());
    }
    let places = regions.at(event.sequence);
    match &event.kind {
        Kind::Call { arguments, .. } | Kind::Note { values: arguments, .. } => {
            for argument in arguments {
                args.insert(argument.name.to_string(), argument.value.to_string().into());
            }
        }
        Kind::Return { result, .. } => {
            args.insert("result".to_owned(), result.to_string().into());
        }
        Kind::Completion { attributes, .. } => {
            args.insert("wr_id and status".to_owned(), words::step(&event.kind, &places).into());
            for argument in attributes {
                args.insert(argument.name.to_string(), argument.value.to_string().into());
            }
        }
        _ => {}
    }
    let Some(object) = carried(event, site, &places) else { return args };
    for section in &object.sections {
        for field in section.telling_fields() {
            let mut said = field.value.clone();
            if let Some(name) = field.meaning_of_value {
                said = format!("{said} {name}");
            }
            args.insert(format!("{}.{}", section.title, field.name), said.into());
        }
        if section.fields.is_empty() {
            let hex: String = section.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            args.insert(section.title.clone(), hex.into());
        }
    }
    args
}
