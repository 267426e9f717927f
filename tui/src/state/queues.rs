//! The rings with their indexes, the doorbell records and the registers at a step.

use crate::decode::fields::{FieldLine, fields};
use crate::decode::object::Object;
use crate::decode::stored::Window;
use crate::state::focus::{object_in, window};
use crate::state::session::Session;
use crate::state::source::printable;
use doorbell_examples::words::region_title;
use doorbell_tracer::timeline::RegionState;
use doorbell_tracer::{Event, Kind, Role};
use std::cmp::Reverse;
use std::ops::Range;

/// The most entries of one ring that are shown.
pub const MOST_SLOTS: u64 = 64;

/// Register writes that are shown.
const MOST_REGISTERS: usize = 3;

/// What an entry of a ring shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Never written.
    Empty,
    /// Written at an earlier step.
    Written,
    /// Written or read at this step.
    Touched,
}

/// A counter of a ring and the entry that it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name in the source.
    pub name: String,
    /// Its value, not masked.
    pub value: u64,
    /// The entry.
    pub slot: u64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// What it is called.
    pub name: String,
    /// Number of its entries.
    pub entries: u64,
    /// Number of the first entry in `slots`.
    pub first: u64,
    /// Entries from `first` on, at most [`MOST_SLOTS`].
    pub slots: Vec<Slot>,
    /// Its counters.
    pub indexes: Vec<Index>,
    /// Whether this step is about it.
    pub touched: bool,
    /// The step that last wrote one of the entries shown.
    pub latest: Option<u64>,
}

impl Ring {
    /// Whether nothing was ever written to it or counted.
    pub fn is_idle(&self) -> bool {
        let unused = self.slots.iter().all(|slot| *slot == Slot::Empty);
        unused && self.indexes.iter().all(|index| index.value == 0)
    }
}

/// A doorbell record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is called.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its fields.
    pub fields: Vec<FieldLine>,
    /// Whether this step is about it.
    pub touched: bool,
    /// The step that last wrote it.
    pub step: u64,
}

/// A register and what was last written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The step that wrote it.
    pub step: u64,
    /// Its name.
    pub name: String,
    /// Its offset in its page.
    pub offset: u64,
    /// What was written.
    pub bytes: Vec<u8>,
    /// The fields of that.
    pub fields: Vec<FieldLine>,
    /// Whether this step wrote it.
    pub touched: bool,
}

/// The queues of a run at the current step: the one that the step is about, then those that were
/// written last.
pub fn rings(session: &Session) -> Vec<Ring> {
    let touched = touched(session);
    let queues = session.state().regions().filter(|region| is_queue(region));
    let mut rings: Vec<_> = queues.map(|region| ring(session, region, touched.as_ref())).collect();
    rings.sort_by_key(|ring| Reverse((ring.touched, ring.latest)));
    rings
}

/// Whether a region is a mapped ring of the data path.
fn is_queue(region: &RegionState) -> bool {
    let info = region.info();
    let role = matches!(
        info.role,
        Role::SendQueue | Role::ReceiveQueue | Role::CompletionQueue | Role::EventQueue
    );
    role && region.mapped() && info.stride > 0
}

/// The stretch of memory that the current step is about.
fn touched(session: &Session) -> Option<Window> {
    window(session.event(session.current())?.as_ref(), session.state())
}

/// One queue.
fn ring(session: &Session, region: &RegionState, touched: Option<&Window>) -> Ring {
    let info = region.info();
    let stride = u64::from(info.stride).max(1);
    let entries = info.length / stride;
    let indexes = indexes(session, region, entries);
    let window = touched.filter(|window| window.region == info.region);
    let first = first_shown(&indexes, window.map(|window| window.range.start / stride), entries);
    let mut latest = None;
    let slots = (first..entries.min(first + MOST_SLOTS)).map(|slot| {
        let entry = slot * stride..slot * stride + stride;
        let writer = writer(session, region, &entry);
        latest = latest.max(writer);
        let touched = window
            .is_some_and(|window| window.range.start < entry.end && window.range.end > entry.start);
        match (touched, writer) {
            (true, _) => Slot::Touched,
            (false, Some(_)) => Slot::Written,
            (false, None) => Slot::Empty,
        }
    });
    Ring {
        name: printable(&region_title(info)),
        entries,
        first,
        slots: slots.collect(),
        touched: window.is_some() || counts(session, region),
        indexes,
        latest,
    }
}

/// The step that wrote an entry. What the program put into a ring that the card fills is no
/// entry: it only tells the card's later ones from old memory.
fn writer(session: &Session, region: &RegionState, entry: &Range<u64>) -> Option<u64> {
    let writer = region.writer(entry.start).max(region.writer(entry.end.checked_sub(1)?))?;
    let filled_by_card = matches!(region.info().role, Role::CompletionQueue | Role::EventQueue);
    let fact = session.tree().fact(usize::try_from(writer).ok()?)?;
    (!filled_by_card || fact.kind() == "dma").then_some(writer)
}

/// Whether the current step moves a counter of the region.
fn counts(session: &Session, region: &RegionState) -> bool {
    session.event(session.current()).is_some_and(|event| match event.kind {
        Kind::Index { region: of, .. } => of == region.info().region,
        _ => false,
    })
}

/// The counters of a queue.
fn indexes(session: &Session, region: &RegionState, entries: u64) -> Vec<Index> {
    let own = session.state().indexes();
    own.filter(|(of, _, _)| *of == region.info().region)
        .map(|(_, name, value)| Index {
            name: name.to_owned(),
            value,
            slot: value.checked_rem(entries).unwrap_or(0),
        })
        .collect()
}

/// The first entry to show: of a long ring, a little before what matters.
fn first_shown(indexes: &[Index], touched: Option<u64>, entries: u64) -> u64 {
    if entries <= MOST_SLOTS {
        return 0;
    }
    let matters = indexes.iter().map(|index| index.slot).chain(touched);
    let lowest = touched.or(matters.min()).unwrap_or(0);
    lowest.saturating_sub(4).min(entries - MOST_SLOTS)
}

/// The counters that belong to no queue, as the offset of a BlueFlame buffer.
pub fn counters(session: &Session) -> Vec<Index> {
    let state = session.state();
    let is_of_queue = |region| state.region(region).is_some_and(is_queue);
    let others = state.indexes().filter(|(region, _, _)| !is_of_queue(*region));
    others.map(|(_, name, value)| Index { name: name.to_owned(), value, slot: value }).collect()
}

/// The doorbell records that were ever written.
pub fn records(session: &Session) -> Vec<Record> {
    let touched = touched(session);
    let regions = session.state().regions();
    let records = regions.filter(|region| region.info().role == Role::DoorbellRecord);
    records
        .filter(|region| region.mapped())
        .filter_map(|region| record(session, region, touched.as_ref()))
        .collect()
}

/// One record; `None` if it was never written.
fn record(session: &Session, region: &RegionState, touched: Option<&Window>) -> Option<Record> {
    let info = region.info();
    let range = 0..info.length.min(64);
    let step = region.writers(range.clone()).into_iter().flatten().max()?;
    let window = Window {
        title: printable(&region_title(info)),
        region: info.region,
        range: range.clone(),
        touched: 0..0,
    };
    let object = object_in(session, &window);
    Some(Record {
        name: printable(&region_title(info)),
        bytes: region.bytes(range),
        fields: all_fields(object),
        step: session.number(usize::try_from(step).ok()?)?,
        touched: touched.is_some_and(|window| window.region == info.region),
    })
}

/// The fields of all parts.
fn all_fields(object: Object) -> Vec<FieldLine> {
    let sections = object.sections.into_iter();
    sections.flat_map(|section| section.fields).collect()
}

/// The last register writes up to the current step, newest first; each register once.
pub fn registers(session: &Session) -> Vec<Register> {
    let mut found: Vec<Register> = Vec::new();
    let steps = (0..=session.current()).rev();
    let writes = steps.filter(|step| {
        session.tree().fact(*step).is_some_and(|fact| fact.kind() == "register_write")
    });
    for step in writes.take(16) {
        let register =
            session.event(step).and_then(|event| register(&event, step == session.current()));
        let Some(register) = register else { continue };
        if found.iter().all(|other| other.name != register.name) {
            found.push(register);
        }
        if found.len() == MOST_REGISTERS {
            break;
        }
    }
    found
}

/// The register that an event wrote.
fn register(event: &Event, touched: bool) -> Option<Register> {
    let Kind::RegisterWrite { offset, register, layout, bytes, .. } = &event.kind else {
        return None;
    };
    Some(Register {
        step: event.sequence,
        name: register.to_string(),
        offset: *offset,
        bytes: bytes.to_vec(),
        fields: fields(layout, bytes),
        touched,
    })
}
