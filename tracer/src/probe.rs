//! Probes: how a line of the driver hands an event on, and how it costs nothing when off.
//!
//! The data path is generic over [`Probe`]. Instantiated with [`Off`], a probe is an empty inlined
//! function and its arguments are never built; instantiated with [`Tracer`] it records. The cold
//! paths hold a [`Tracer`], which may be off too, at the price of one test.

mod macros;
mod numbered;
mod off;
mod row;
mod shared;

pub use numbered::Numbered;
pub use off::Off;
pub use row::Row;

use crate::recorder::{ActorCode, Clock, Counts, Record, Recorder};
use crate::report::Report;
use crate::{Actor, Form, Group, Kind, Point, Region, RegionId, Role, Site};
use shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Whether a probe's events go anywhere at all: known when the code is made, so that a probe that is
/// off leaves nothing behind.
pub trait CompiledIn {
    /// They do.
    const ON: bool;
}

impl CompiledIn for Tracer {
    const ON: bool = true;
}

impl<P: CompiledIn> CompiledIn for &P {
    const ON: bool = P::ON;
}

/// [`CompiledIn::ON`] of a value.
#[doc(hidden)]
#[inline(always)]
pub fn is_compiled_in<P: CompiledIn>(_: &P) -> bool {
    P::ON
}

/// Where a probe hands its events.
pub trait Probe: CompiledIn {
    /// Who records what it is told.
    type Scribe<'a>: Scribe
    where
        Self: 'a;

    /// The probe for events in a row.
    type Row<'a>: Probe
    where
        Self: 'a;

    /// A scribe; nobody with probes off, or those of `group`.
    fn scribe(&self, group: Group) -> Option<Self::Scribe<'_>>;

    /// Begins events in a row: the recorder is taken once for all of them. Until what is returned is
    /// dropped, the thread must not wait for another, nor tell of anything by other probes: see [`Row`].
    fn row(&self) -> Self::Row<'_>;

    /// Records what `kind` builds, as of `site`. With probes off, `kind` is not called.
    #[inline]
    fn emit(&self, site: &'static Site, kind: impl FnOnce() -> Kind) {
        if let Some(scribe) = self.scribe(site.group) {
            scribe.write_at(site, &WHOLE, kind());
        }
    }

    /// The probe that a piece of code with this tracer uses: lent, since a copy of a tracer counts its owners.
    fn of(tracer: &Tracer) -> &Self;
}

/// Who writes down what a probe tells.
pub trait Scribe: Copy {
    /// Records an event of a point that has its site.
    fn write(self, point: &'static Point, report: impl Report);

    /// Records an event as of `site`, of a point that has none.
    fn write_at(self, site: &'static Site, point: &'static Point, report: impl Report);
}

impl<P: Probe> Probe for &P {
    type Scribe<'a>
        = P::Scribe<'a>
    where
        Self: 'a;
    type Row<'a>
        = P::Row<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn scribe(&self, group: Group) -> Option<P::Scribe<'_>> {
        (**self).scribe(group)
    }

    #[inline(always)]
    fn row(&self) -> P::Row<'_> {
        (**self).row()
    }

    #[inline(always)]
    fn of(_: &Tracer) -> &Self {
        not_of_a_table::<Self>()
    }
}

/// Whatever calls this does not compile: no table's code is made for this probe.
#[inline(never)]
#[expect(
    clippy::extra_unused_type_parameters,
    reason = "so it is compiled where it is called only"
)]
fn not_of_a_table<P>() -> ! {
    const { panic!("only Off and Tracer are probes of a table; a row is begun with Probe::row") }
}

/// A handle to a recorder, or to none. Clones share the recorder; each has its own [`Actor`].
#[derive(Clone)]
pub struct Tracer {
    shared: Option<Arc<Shared>>,
    actor: Actor,
    /// The actor as heads of events have it.
    code: ActorCode,
}

/// The point of events that are told as a [`Kind`].
static WHOLE: Point = Point::new(None, Form::Whole);

impl Tracer {
    fn sharing(shared: Option<Arc<Shared>>, actor: Actor) -> Self {
        Self { shared, actor, code: ActorCode::of(actor) }
    }

    /// A tracer that records nothing.
    pub fn off() -> Self {
        Self::sharing(None, Actor::Cpu(0))
    }

    /// A tracer that hands all groups' events to `recorder`, stamped by `clock`.
    pub fn new(recorder: impl Recorder + 'static, clock: Clock) -> Self {
        Self::sharing(Some(Arc::new(Shared::new(recorder, clock))), Actor::Cpu(0))
    }

    /// The same recorder, with events told as `actor`'s.
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self::sharing(self.shared.clone(), actor)
    }

    /// Whether there is a recorder at all.
    pub fn is_on(&self) -> bool {
        self.shared.is_some()
    }

    /// Switches a group of probes on or off, for all clones, from the next event on.
    pub fn set_group(&self, group: Group, on: bool) {
        if let Some(shared) = &self.shared {
            if on {
                shared.groups.fetch_or(group.bit(), Ordering::Relaxed);
            } else {
                shared.groups.fetch_and(!group.bit(), Ordering::Relaxed);
            }
        }
    }

    /// Whether a group of probes is on.
    pub fn group_is_on(&self, group: Group) -> bool {
        self.shared
            .as_ref()
            .is_some_and(|shared| shared.groups.load(Ordering::Relaxed) & group.bit() != 0)
    }

    /// Switches all groups at once: those of `on` on, the others off. With none on, nothing but the
    /// mapping of regions is recorded.
    pub fn set_groups(&self, on: impl IntoIterator<Item = Group>) {
        if let Some(shared) = &self.shared {
            shared.set_groups(on.into_iter().fold(0, |mask, group| mask | group.bit()));
        }
    }

    /// Takes out what the recorder holds, oldest first. The recorder goes on, empty.
    /// A live recorder holds nothing: its events are with the reader.
    pub fn take(&self) -> Vec<Record> {
        self.shared.as_ref().map_or_else(Vec::new, |shared| shared.take())
    }

    /// A copy of what the recorder holds, oldest first: the snapshot of a running program.
    pub fn snapshot(&self) -> Vec<Record> {
        self.shared.as_ref().map_or_else(Vec::new, |shared| shared.snapshot().0)
    }

    /// The same, with how many events there were: both of one moment.
    pub fn counted_snapshot(&self) -> (Vec<Record>, Counts) {
        self.shared.as_ref().map_or_else(Default::default, |shared| shared.snapshot())
    }

    /// How many events were recorded since the recorder was made or emptied, and are kept. Nothing
    /// with the tracer off, and of a recorder that hands events on.
    pub fn counts(&self) -> Counts {
        self.shared.as_ref().map_or_else(Counts::default, |shared| shared.counts())
    }

    /// Empties the recorder. A ring goes on knowing which regions are mapped.
    pub fn clear(&self) {
        if let Some(shared) = &self.shared {
            shared.clear();
        }
    }

    /// Gives a region its number and tells of it as of `site`, whatever groups are on: stores that
    /// name a region mean nothing without it. Region 0 with the tracer off.
    pub fn map(&self, site: &'static Site, place: MapRequest) -> RegionId {
        let Some(shared) = &self.shared else {
            return RegionId::default();
        };
        let region = RegionId(shared.next_region.fetch_add(1, Ordering::Relaxed));
        self.remap(site, region, place);
        region
    }

    /// Tells more of a region that is mapped already: its name, or whose it is. The bytes in it
    /// stay as they are.
    pub fn remap(&self, site: &'static Site, region: RegionId, place: MapRequest) {
        self.always(site, || {
            Kind::Map(Box::new(Region {
                region,
                role: place.role,
                name: place.name.into(),
                address: place.address,
                length: place.length as u64,
                stride: place.stride,
                object: place.object,
            }))
        });
    }

    /// Tells that a region went away, whatever groups are on. Nothing for region 0.
    pub fn unmap(&self, site: &'static Site, region: RegionId) {
        if region != RegionId::default() {
            self.always(site, || Kind::unmap(region));
        }
    }

    /// Records an event of any group.
    fn always(&self, site: &'static Site, kind: impl FnOnce() -> Kind) {
        if let Some(shared) = &self.shared {
            One { shared, actor: self.code }.write_at(site, &WHOLE, kind());
        }
    }
}

/// What [`Tracer::map`] tells of a region.
#[derive(Debug, Clone)]
pub struct MapRequest {
    /// What the region is for.
    pub role: Role,
    /// What a reader calls it.
    pub name: String,
    /// Address on the bus.
    pub address: u64,
    /// Length in bytes.
    pub length: usize,
    /// Size of one entry in bytes; 0 where the region has no entries.
    pub stride: u32,
    /// Number of the object that it belongs to; 0 if none.
    pub object: u32,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tracer")
            .field("on", &self.is_on())
            .field("actor", &self.actor)
            .finish()
    }
}

/// The scribe of an event that is recorded by itself.
#[derive(Clone, Copy)]
pub struct One<'a> {
    shared: &'a Shared,
    actor: ActorCode,
}

impl Scribe for One<'_> {
    #[inline(always)]
    fn write(self, point: &'static Point, report: impl Report) {
        self.shared.record(self.actor, None, point, report);
    }

    #[inline(always)]
    fn write_at(self, site: &'static Site, point: &'static Point, report: impl Report) {
        self.shared.record(self.actor, Some(site), point, report);
    }
}

impl Probe for Tracer {
    type Scribe<'a> = One<'a>;
    type Row<'a> = Row<'a>;

    #[inline(always)]
    fn scribe(&self, group: Group) -> Option<One<'_>> {
        let shared = self.shared.as_ref()?;
        let is_on = shared.groups.load(Ordering::Relaxed) & group.bit() != 0;
        is_on.then_some(One { shared, actor: self.code })
    }

    #[inline(always)]
    fn row(&self) -> Row<'_> {
        Row::begin(self.shared.as_deref(), self.code)
    }

    #[inline(always)]
    fn of(tracer: &Tracer) -> &Self {
        tracer
    }
}
