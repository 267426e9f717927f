//! What is the case after a step: memory, counters, objects, locks, calls.

use super::address::AddressMap;
use super::region::{RegionState, span_of};
use crate::{Actor, Direction, Event, Kind, LockAction, Region, RegionId, Text};
use rpds::{ListSync, RedBlackTreeMapSync};
use std::ops::Range;

/// Frames that a return without a call of its own may close; see [`State::apply`].
const UNWIND: usize = 64;

/// A function that has been entered and not yet left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The step of its call.
    pub step: u64,
    /// Its name.
    pub function: Text,
}

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// Its name.
    pub lock: Text,
    /// Who holds it.
    pub actor: Actor,
    /// The step at which it was taken.
    pub step: u64,
}

/// The fold of all events up to a step. A copy costs a few reference counts: it shares everything
/// with its original until one of them is changed.
#[derive(Debug, Clone, Default)]
pub struct State {
    step: Option<u64>,
    regions: RedBlackTreeMapSync<RegionId, RegionState>,
    addresses: AddressMap,
    indexes: RedBlackTreeMapSync<(RegionId, Text), u64>,
    objects: RedBlackTreeMapSync<(Text, u32), Text>,
    locks: RedBlackTreeMapSync<(Text, Actor), u64>,
    calls: RedBlackTreeMapSync<Actor, ListSync<Frame>>,
}

impl State {
    /// The last step in this state; `None` before the first.
    pub fn step(&self) -> Option<u64> {
        self.step
    }

    /// All regions ever mapped, by number.
    pub fn regions(&self) -> impl Iterator<Item = &RegionState> {
        self.regions.values()
    }

    /// A region; `None` if no event up to here mapped it.
    pub fn region(&self, region: RegionId) -> Option<&RegionState> {
        self.regions.get(&region)
    }

    /// Bytes of a region: [`RegionState::bytes`], empty for a region that is not known.
    pub fn bytes(&self, region: RegionId, range: Range<u64>) -> Vec<u8> {
        self.region(region).map_or_else(Vec::new, |region| region.bytes(range))
    }

    /// The step that last wrote a byte of a region.
    pub fn writer(&self, region: RegionId, offset: u64) -> Option<u64> {
        self.region(region)?.writer(offset)
    }

    /// The mapped memory region that holds all of `length` bytes at a bus address, and the offset
    /// in it. Where regions lie over each other, the one mapped last.
    pub fn resolve(&self, address: u64, length: u64) -> Option<(RegionId, u64)> {
        let (_, region) = self.addresses.at(address)?;
        let (first, last) = self.region(region)?.span()?;
        let (_, wanted) = span_of(address, length.max(1))?;
        (wanted <= last).then(|| (region, address - first))
    }

    /// The parts of `length` bytes at a bus address that lie in mapped memory: region, offset in
    /// it, and the range of the bytes.
    pub fn resolve_parts(&self, address: u64, length: usize) -> Vec<(RegionId, u64, Range<usize>)> {
        let Some(span) = span_of(address, length as u64) else {
            return Vec::new();
        };
        let parts = self.addresses.parts(span).into_iter();
        parts
            .filter_map(|(first, last, region)| {
                let offset = first - self.region(region)?.info().address;
                let start = usize::try_from(first - address).ok()?;
                let end = usize::try_from(last - address).ok()?.checked_add(1)?;
                Some((region, offset, start..end.min(length)))
            })
            .collect()
    }

    /// A counter of a region, by its name in the source.
    pub fn index(&self, region: RegionId, name: &str) -> Option<u64> {
        let mut found = self.indexes.iter().filter(|((of, _), _)| *of == region);
        found.find_map(|((_, text), value)| (text == name).then_some(*value))
    }

    /// All counters: region, name, value.
    pub fn indexes(&self) -> impl Iterator<Item = (RegionId, &str, u64)> {
        self.indexes.iter().map(|((region, name), value)| (*region, name.as_ref(), *value))
    }

    /// The state of an object, as `RTS` of (`QP`, 0x41).
    pub fn object(&self, object: &str, number: u32) -> Option<&str> {
        let key = (Text::Owned(object.to_owned()), number);
        self.objects.get(&key).map(AsRef::as_ref)
    }

    /// All objects whose state is known: kind, number, state.
    pub fn objects(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.objects
            .iter()
            .map(|((object, number), state)| (object.as_ref(), *number, state.as_ref()))
    }

    /// The locks that are held.
    pub fn locks(&self) -> impl Iterator<Item = HeldLock> {
        self.locks.iter().map(|((lock, actor), step)| HeldLock {
            lock: lock.clone(),
            actor: *actor,
            step: *step,
        })
    }

    /// The functions that an actor is in, outermost first.
    pub fn calls(&self, actor: Actor) -> Vec<Frame> {
        let mut frames: Vec<_> =
            self.calls.get(&actor).map_or_else(Vec::new, |stack| stack.iter().cloned().collect());
        frames.reverse();
        frames
    }

    /// The actors seen so far.
    pub fn actors(&self) -> impl Iterator<Item = Actor> {
        self.calls.keys().copied()
    }

    /// Takes in the event at `step`.
    ///
    /// A write outside its region is cut to the part inside; one to a region that was never mapped
    /// has no effect, as in a ring's trace whose beginning is gone. A return closes the innermost
    /// call of its function within 64 frames, and nothing if there is none.
    pub fn apply(&mut self, step: usize, event: &Event) {
        let step = step as u64;
        self.step = Some(step);
        if !self.calls.contains_key(&event.actor) {
            self.calls.insert_mut(event.actor, ListSync::new_sync());
        }
        match &event.kind {
            Kind::Map(region) => self.map(region, step),
            Kind::Unmap { region } => self.unmap(*region),
            Kind::Store { region, offset, bytes, .. }
            | Kind::RegisterWrite { region, offset, bytes, .. } => {
                self.write(*region, *offset, bytes, step)
            }
            Kind::Dma { direction: Direction::Write, address, bytes, .. } => {
                self.write_bus(*address, bytes, step)
            }
            Kind::Index { region, name, value } => {
                self.indexes.insert_mut((*region, name.clone()), *value)
            }
            Kind::State { object, number, to, .. } => {
                self.objects.insert_mut((object.clone(), *number), to.clone())
            }
            Kind::Lock { lock, action } => self.lock(lock, *action, event.actor, step),
            Kind::Call { function, .. } => self.call(event.actor, function, step),
            Kind::Return { function, .. } => self.left(event.actor, function),
            _ => {}
        }
    }

    /// A new region; or more about one that is mapped, whose bytes stay as they are.
    fn map(&mut self, region: &Region, step: u64) {
        let known = self.region(region.region).filter(|state| state.mapped());
        let before = known.and_then(RegionState::span);
        let state = match known {
            Some(state) => state.described_anew(region, step),
            None => RegionState::new(region, step),
        };
        if known.is_none() || before != state.span() {
            self.unmap(region.region);
            if let Some(span) = state.span() {
                self.addresses.map(region.region, span);
            }
        }
        self.regions.insert_mut(region.region, state);
    }

    fn unmap(&mut self, region: RegionId) {
        let Some(state) = self.regions.get_mut(&region) else {
            return;
        };
        if !state.unmap() {
            return;
        }
        if let Some(span) = state.span() {
            let regions = &self.regions;
            self.addresses.unmap(region, span, |number| {
                regions.get(&number).filter(|region| region.mapped())
            });
        }
    }

    fn write(&mut self, region: RegionId, offset: u64, bytes: &[u8], step: u64) {
        if let Some(region) = self.regions.get_mut(&region) {
            region.write(offset, bytes, step);
        }
    }

    fn write_bus(&mut self, address: u64, bytes: &[u8], step: u64) {
        for (region, offset, range) in self.resolve_parts(address, bytes.len()) {
            self.write(region, offset, &bytes[range], step);
        }
    }

    fn lock(&mut self, lock: &Text, action: LockAction, actor: Actor, step: u64) {
        let key = (lock.clone(), actor);
        match action {
            LockAction::Acquired => self.locks.insert_mut(key, step),
            LockAction::Released => {
                self.locks.remove_mut(&key);
            }
        }
    }

    fn call(&mut self, actor: Actor, function: &Text, step: u64) {
        if let Some(stack) = self.calls.get_mut(&actor) {
            let function = function.clone();
            stack.push_front_mut(Frame { step, function });
        }
    }

    fn left(&mut self, actor: Actor, function: &Text) {
        let Some(stack) = self.calls.get_mut(&actor) else {
            return;
        };
        let mut inner = stack.iter().take(UNWIND);
        if let Some(above) = inner.position(|frame| frame.function == *function) {
            for _ in 0..=above {
                stack.drop_first_mut();
            }
        }
    }
}
