//! The state at a step, held against a fold that is as plain as can be.

use crate::samples::{event, events, map, store, trace};
use doorbell_tracer::timeline::{Cursor, State, Timeline};
use doorbell_tracer::{
    Actor, Direction, Event, EventSource, Kind, LockAction, Region, RegionId, Role,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Bytes of a region that the plain fold follows.
const WINDOW: u64 = 700;

/// A region in the plain fold: byte by byte, up to the window.
#[derive(Clone, Debug)]
struct Plain {
    info: Region,
    mapped: bool,
    /// Steps at which the region came to lie where it does.
    laid: usize,
    bytes: Vec<(u8, Option<u64>)>,
}

/// A state folded without snapshots, chunks or an address map.
#[derive(Clone, Debug, Default)]
struct PlainState {
    regions: BTreeMap<RegionId, Plain>,
    indexes: BTreeMap<(RegionId, String), u64>,
    objects: BTreeMap<(String, u32), String>,
    locks: BTreeMap<(String, Actor), u64>,
    calls: BTreeMap<Actor, Vec<(u64, String)>>,
}

fn is_memory(region: &Region) -> bool {
    !matches!(region.role, Role::UserAccessRegion | Role::InitSegment)
}

/// First and last address of memory.
fn span(region: &Region) -> Option<(u64, u64)> {
    let last = region.address.saturating_add(region.length.saturating_sub(1));
    (is_memory(region) && region.length > 0).then_some((region.address, last))
}

/// Whether a byte on the bus lies in a region of memory.
fn holds(region: &Region, address: u64) -> bool {
    is_memory(region) && address >= region.address && address - region.address < region.length
}

impl PlainState {
    fn at(&self, address: u64) -> Option<(RegionId, u64)> {
        let regions = self.regions.values();
        let meeting = regions.filter(|plain| plain.mapped && holds(&plain.info, address));
        let top = meeting.max_by_key(|plain| plain.laid)?;
        Some((top.info.region, address - top.info.address))
    }

    fn set(&mut self, region: RegionId, offset: Option<u64>, byte: u8, step: usize) {
        let (Some(plain), Some(offset)) = (self.regions.get_mut(&region), offset) else {
            return;
        };
        if offset < plain.info.length
            && let Some(place) = plain.bytes.get_mut(offset as usize)
        {
            *place = (byte, Some(step as u64));
        }
    }

    fn apply(&mut self, step: usize, event: &Event) {
        let stack = self.calls.entry(event.actor).or_default();
        match &event.kind {
            Kind::Map(info) => self.map(info, step),
            Kind::Unmap { region } => {
                if let Some(plain) = self.regions.get_mut(region) {
                    plain.mapped = false;
                }
            }
            Kind::Store { region, offset, bytes, .. }
            | Kind::RegisterWrite { region, offset, bytes, .. } => {
                for (byte, at) in bytes.iter().zip(0..) {
                    self.set(*region, offset.checked_add(at), *byte, step);
                }
            }
            Kind::Dma { direction: Direction::Write, address, bytes, .. } => {
                for (byte, at) in bytes.iter().zip(0..) {
                    let place = address.checked_add(at).and_then(|address| self.at(address));
                    if let Some((region, offset)) = place {
                        self.set(region, Some(offset), *byte, step);
                    }
                }
            }
            Kind::Index { region, name, value } => {
                self.indexes.insert((*region, name.to_string()), *value);
            }
            Kind::State { object, number, to, .. } => {
                self.objects.insert((object.to_string(), *number), to.to_string());
            }
            Kind::Lock { lock, action: LockAction::Acquired } => {
                self.locks.insert((lock.to_string(), event.actor), step as u64);
            }
            Kind::Lock { lock, action: LockAction::Released } => {
                self.locks.remove(&(lock.to_string(), event.actor));
            }
            Kind::Call { function, .. } => stack.push((step as u64, function.to_string())),
            Kind::Return { function, .. } => {
                let found = stack.iter().rposition(|(_, name)| name == function);
                if let Some(at) = found.filter(|at| stack.len() - at <= 64) {
                    stack.truncate(at);
                }
            }
            _ => {}
        }
    }

    fn map(&mut self, info: &Region, step: usize) {
        let before = self.regions.get(&info.region).filter(|plain| plain.mapped).cloned();
        let mut plain = before.clone().unwrap_or_else(|| Plain {
            info: info.clone(),
            mapped: true,
            laid: step,
            bytes: vec![(0, None); WINDOW as usize],
        });
        plain.info = info.clone();
        if before.is_some_and(|before| span(&before.info) != span(info)) {
            plain.laid = step;
        }
        self.regions.insert(info.region, plain);
    }
}

/// Holds a state against the plain one.
fn assert_same(state: &State, plain: &PlainState) {
    assert_eq!(state.regions().count(), plain.regions.len());
    for (number, expected) in &plain.regions {
        let region = state.region(*number).unwrap();
        let window = WINDOW.min(expected.info.length);
        let (bytes, writers): (Vec<_>, Vec<_>) =
            expected.bytes[..window as usize].iter().copied().unzip();
        assert_eq!(region.info(), &expected.info);
        assert_eq!(region.mapped(), expected.mapped);
        assert_eq!(state.bytes(*number, 0..window), bytes);
        assert_eq!(region.writers(0..window), writers);
        for offset in (0..window).step_by(37) {
            assert_eq!(state.writer(*number, offset), writers[offset as usize]);
        }
    }
    for address in (0xff0..0x1500).step_by(13).chain(u64::MAX - 9..=u64::MAX) {
        assert_eq!(state.resolve(address, 1), plain.at(address), "{address:#x}");
    }
    let indexes = state.indexes().map(|(region, name, value)| ((region, name.to_owned()), value));
    assert_eq!(indexes.collect::<BTreeMap<_, _>>(), plain.indexes);
    let objects =
        state.objects().map(|(kind, number, state)| ((kind.to_owned(), number), state.to_owned()));
    assert_eq!(objects.collect::<BTreeMap<_, _>>(), plain.objects);
    let locks = state.locks().map(|held| ((held.lock.to_string(), held.actor), held.step));
    assert_eq!(locks.collect::<BTreeMap<_, _>>(), plain.locks);
    for (actor, stack) in &plain.calls {
        let calls = state.calls(*actor).into_iter();
        let calls: Vec<_> = calls.map(|frame| (frame.step, frame.function.to_string())).collect();
        assert_eq!(&calls, stack);
    }
}

/// The plain state after the first `count` events.
fn plain_after(events: &[Event], count: usize) -> PlainState {
    let mut plain = PlainState::default();
    for (step, event) in events[..count].iter().enumerate() {
        plain.apply(step, event);
    }
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_state_is_the_plain_fold(events in events(60)) {
        let timeline = Timeline::of(&events);
        prop_assert_eq!(timeline.len(), events.len());
        for step in 0..events.len() {
            let state = timeline.state_at(step, &events);
            prop_assert_eq!(state.step(), Some(step as u64));
            assert_same(&state, &plain_after(&events, step + 1));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_cursor_is_right_wherever_it_goes(
        events in events(900),
        jumps in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, any::<bool>()), 1..6),
    ) {
        let timeline = Timeline::of(&events);
        let mut cursor = Cursor::new();
        for (target, steps, back) in jumps {
            let mut step = target.index(events.len() + 1).checked_sub(1);
            cursor.go(step, &timeline, &events);
            for _ in 0..steps {
                step = if back {
                    step.and_then(|step| step.checked_sub(1))
                } else {
                    Some(step.map_or(0, |step| step + 1)).min(events.len().checked_sub(1))
                };
                cursor.go(step, &timeline, &events);
                prop_assert_eq!(cursor.step(), step);
            }
            assert_same(cursor.state(), &plain_after(&events, step.map_or(0, |step| step + 1)));
        }
    }
}

/// A long run over a ring: the bytes at a step can be told from its number.
fn long(events: usize) -> Vec<Event> {
    let stores = (1..events).map(|step| store(1, step % 64 * 4, &(step as u32).to_be_bytes()));
    let kinds = std::iter::once(map(1, Role::SendQueue, 0x1000, 256)).chain(stores);
    kinds.zip(0..).map(|(kind, step)| event(step, kind)).collect()
}

#[test]
fn snapshots_that_were_thinned_out_still_serve() {
    // More than 1024 snapshots of 256 events: every second one is forgotten on the way.
    let events = long(300_000);
    let timeline = Timeline::of(&events);
    for step in [0, 1, 255, 256, 257, 1023, 131_071, 262_143, 262_144, 262_145, 299_999] {
        let state = timeline.state_at(step, &events);
        for written in step.saturating_sub(63).max(1)..=step {
            let offset = (written % 64 * 4) as u64;
            let bytes = state.bytes(RegionId(1), offset..offset + 4);
            assert_eq!(bytes, (written as u32).to_be_bytes(), "{written} at {step}");
            assert_eq!(state.writer(RegionId(1), offset), Some(written as u64));
        }
    }
}

/// Counts how many events are read.
struct Counting<'a>(&'a [Event], std::cell::Cell<usize>);

impl EventSource for Counting<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn get(&self, index: usize) -> Option<std::borrow::Cow<'_, Event>> {
        self.1.set(self.1.get() + 1);
        EventSource::get(self.0, index)
    }
}

#[test]
fn moving_reads_few_events() {
    let events = long(300_000);
    let timeline = Timeline::of(&events);
    let source = Counting(&events, Default::default());
    let mut cursor = Cursor::new();
    cursor.go(Some(200_000), &timeline, &source);
    assert!(source.1.take() <= 512, "a jump starts at a snapshot");
    cursor.go(Some(200_001), &timeline, &source);
    assert_eq!(source.1.take(), 1, "a step forward is one event");
    for back in 1..=100 {
        cursor.go(Some(200_001 - back), &timeline, &source);
        assert!(source.1.take() <= 512, "a step back starts at a snapshot or a mark");
    }
    for back in 101..=200 {
        cursor.go(Some(200_001 - back), &timeline, &source);
    }
    assert!(source.1.take() <= 100 * 32 + 512, "steps back start at marks");
}

#[test]
fn a_step_behind_the_end_is_the_last() {
    let trace = trace([map(1, Role::Buffer, 0x1000, 64), store(1, 0, &[7])]);
    let timeline = Timeline::of(&trace);
    let state = timeline.state_at(usize::MAX, &trace);
    assert_eq!(state.step(), Some(1));
    assert_eq!(state.bytes(RegionId(1), 0..2), [7, 0]);
    let empty = Timeline::new();
    assert!(empty.is_empty());
    assert_eq!(empty.state_at(3, &trace).step(), None);
    let mut cursor = Cursor::new();
    assert_eq!(cursor.go(Some(usize::MAX), &timeline, &trace).step(), Some(1));
    assert_eq!(cursor.go(None, &timeline, &trace).step(), None);
}

#[test]
fn what_a_mapping_covered_comes_back() {
    let mut state = State::default();
    let steps = [
        map(1, Role::Buffer, 0x1000, 0x100),
        map(2, Role::Buffer, 0x1040, 0x40),
        Kind::dma(Direction::Write, 0x1030, "test", "", &[1; 0x60]),
        Kind::unmap(RegionId(2)),
    ];
    for (step, kind) in steps.into_iter().enumerate() {
        state.apply(step, &event(step as u64, kind));
    }
    assert_eq!(state.bytes(RegionId(1), 0x30..0x40), [1; 16]);
    assert_eq!(state.bytes(RegionId(1), 0x40..0x80), [0; 64], "covered then");
    assert_eq!(state.bytes(RegionId(1), 0x80..0x91), [&[1; 16][..], &[0]].concat());
    assert_eq!(state.bytes(RegionId(2), 0..0x40), [1; 64], "kept after unmapping");
    assert_eq!(state.resolve(0x1040, 0x40), Some((RegionId(1), 0x40)));
    assert_eq!(state.resolve(0x10ff, 2), None, "behind the end");
}

#[test]
fn a_region_of_any_length_costs_what_is_written() {
    let mut state = State::default();
    state.apply(0, &event(0, map(1, Role::Pages, 0, u64::MAX)));
    state.apply(1, &event(1, Kind::dma(Direction::Write, 1 << 63, "test", "", &[9])));
    assert_eq!(state.bytes(RegionId(1), 1 << 63..(1 << 63) + 2), [9, 0]);
    let most = doorbell_tracer::timeline::MOST_BYTES;
    assert_eq!(state.bytes(RegionId(1), 0..u64::MAX).len(), most);
}

#[test]
fn more_said_about_a_region_leaves_its_bytes() {
    let trace = trace([
        map(1, Role::SendQueue, 0x1000, 64),
        store(1, 4, &[1, 2]),
        map(1, Role::ReceiveQueue, 0x1000, 64),
    ]);
    let timeline = Timeline::of(&trace);
    let region = timeline.last().region(RegionId(1)).unwrap();
    assert_eq!(region.info().role, Role::ReceiveQueue);
    assert_eq!(region.bytes(4..6), [1, 2]);
    assert_eq!((region.writer(4), region.mapped_at()), (Some(1), 0));
    assert_eq!(timeline.last().resolve(0x1004, 2), Some((RegionId(1), 4)));
}
