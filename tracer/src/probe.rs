//! Probes: how a line of the driver hands an event on, and how it costs nothing when off.
//!
//! The data path is generic over [`Probe`]. Instantiated with [`Off`], a probe is an empty inlined
//! function and its arguments are never built; instantiated with [`Tracer`] it records. The cold
//! paths hold a [`Tracer`], which may be off too, at the price of one test.

use crate::recorder::{Clock, Head, Held, Record, Recorder};
use crate::{Actor, Group, Kind, Region, RegionId, Role, Site};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether a probe's events go anywhere at all: known when the code is made, so that a probe that is
/// off leaves nothing behind.
pub trait CompiledIn {
    /// They do.
    const ON: bool;
}

impl CompiledIn for Off {
    const ON: bool = false;
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
    /// Records what `kind` builds, as of `site`. With probes off, `kind` is not called.
    fn emit(&self, site: &'static Site, kind: impl FnOnce() -> Kind);

    /// The probe that a piece of code with this tracer uses.
    fn of(tracer: &Tracer) -> Self;
}

/// No probes: nothing is built, nothing is called, nothing remains in the binary.
#[derive(Debug, Clone, Copy)]
pub struct Off;

impl Probe for Off {
    #[inline(always)]
    fn emit(&self, _: &'static Site, _: impl FnOnce() -> Kind) {}

    #[inline(always)]
    fn of(_: &Tracer) -> Self {
        Self
    }
}

/// A handle to a recorder, or to none. Clones share the recorder; each has its own [`Actor`].
#[derive(Clone)]
pub struct Tracer {
    shared: Option<Arc<Shared>>,
    actor: Actor,
}

/// What the clones of a tracer share.
struct Shared {
    /// Whether the recorder holds events. If not, it must not be asked: it may stand in an event,
    /// and whoever asks may be the one that it waits for.
    keeps: bool,
    groups: AtomicU32,
    next_region: AtomicU32,
    clock: Clock,
    inner: Mutex<Inner>,
}

/// What needs the lock.
struct Inner {
    sequence: u64,
    /// Call depth by actor: the card last, threads by their number.
    depth: [u16; ACTORS],
    recorder: Held,
}

/// Actors with a call depth of their own; further threads share the last place before the card's.
const ACTORS: usize = 18;

impl Tracer {
    /// A tracer that records nothing.
    pub fn off() -> Self {
        Self { shared: None, actor: Actor::Cpu(0) }
    }

    /// A tracer that hands all groups' events to `recorder`, stamped by `clock`.
    pub fn new(recorder: impl Recorder + 'static, clock: Clock) -> Self {
        Self {
            shared: Some(Arc::new(Shared {
                keeps: recorder.keeps_events(),
                groups: AtomicU32::new(u32::MAX),
                next_region: AtomicU32::new(1),
                clock,
                inner: Mutex::new(Inner {
                    sequence: 0,
                    depth: [0; ACTORS],
                    recorder: recorder.into_held(),
                }),
            })),
            actor: Actor::Cpu(0),
        }
    }

    /// The same recorder, with events told as `actor`'s.
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { shared: self.shared.clone(), actor }
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

    /// Takes out what the recorder holds, oldest first. The recorder goes on, empty.
    /// A live recorder holds nothing: its events are with the reader.
    pub fn take(&self) -> Vec<Record> {
        self.keeping()
            .map_or_else(Vec::new, |shared| lock(&shared.inner).recorder.recorder().take())
    }

    /// A copy of what the recorder holds, oldest first: the snapshot of a running program.
    pub fn snapshot(&self) -> Vec<Record> {
        self.keeping()
            .map_or_else(Vec::new, |shared| lock(&shared.inner).recorder.recorder().snapshot())
    }

    /// What is shared, if its recorder holds events.
    fn keeping(&self) -> Option<&Shared> {
        self.shared.as_deref().filter(|shared| shared.keeps)
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
            shared.record(self.actor, site, &mut Some(kind()));
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

impl Probe for Tracer {
    #[inline]
    fn emit(&self, site: &'static Site, kind: impl FnOnce() -> Kind) {
        if let Some(shared) = &self.shared
            && shared.groups.load(Ordering::Relaxed) & site.group.bit() != 0
        {
            shared.record(self.actor, site, &mut Some(kind()));
        }
    }

    fn of(tracer: &Tracer) -> Self {
        tracer.clone()
    }
}

impl Shared {
    /// Records one event. A function of its own, so that a probe is short where it stands; the
    /// event comes by reference, since moving it would copy it.
    #[inline(never)]
    fn record(&self, actor: Actor, site: &'static Site, kind: &mut Option<Kind>) {
        lock(&self.inner).record(&self.clock, actor, site, kind);
    }
}

impl Inner {
    /// Numbers, stamps and hands on one event.
    #[inline]
    fn record(
        &mut self,
        clock: &Clock,
        actor: Actor,
        site: &'static Site,
        kind: &mut Option<Kind>,
    ) {
        let sequence = self.sequence;
        self.sequence += 1;
        let depth = &mut self.depth[place(actor)];
        let at = match kind {
            Some(Kind::Call { .. }) => {
                let outside = *depth;
                *depth = depth.saturating_add(1);
                outside
            }
            Some(Kind::Return { .. }) => {
                *depth = depth.saturating_sub(1);
                *depth
            }
            _ => *depth,
        };
        let head = Head { sequence, time: clock.now(sequence), actor, depth: at, site };
        self.recorder.record(&head, kind);
    }
}

/// The place of an actor's call depth.
#[inline]
fn place(actor: Actor) -> usize {
    match actor {
        Actor::Card => ACTORS - 1,
        Actor::Cpu(number) => usize::from(number).min(ACTORS - 2),
    }
}

/// The lock, also after a panic elsewhere: what was recorded stays readable.
#[inline]
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One probe: `probe!(probe, constructor(arguments))`, where `constructor` is one of [`Kind`]'s.
/// After a semicolon, where the bytes' fields come from: `; from "rkey" = "wr.rdma.rkey"`.
#[cfg(not(feature = "without-probes"))]
#[macro_export]
macro_rules! probe {
    ($probe:expr, $kind:ident($($argument:expr),* $(,)?)) => {{
        static SITE: $crate::Site = $crate::site!();
        {
            use $crate::Probe as _;
            if $crate::is_compiled_in(&$probe) {
                ($probe).emit(&SITE, || $crate::Kind::$kind($($argument),*));
            }
        }
    }};
    ($probe:expr, $kind:ident($($argument:expr),* $(,)?); from $($field:literal = $origin:literal),+ $(,)?) => {{
        static SITE: $crate::Site = $crate::site!(from $($field = $origin),+);
        {
            use $crate::Probe as _;
            if $crate::is_compiled_in(&$probe) {
                ($probe).emit(&SITE, || $crate::Kind::$kind($($argument),*));
            }
        }
    }};
    (at $site:expr, $probe:expr, $kind:ident($($argument:expr),* $(,)?)) => {{
        use $crate::Probe as _;
        if $crate::is_compiled_in(&$probe) {
            ($probe).emit($site, || $crate::Kind::$kind($($argument),*))
        }
    }};
}

/// The probe of a build without any: what the cost of probes that are off is measured against.
#[cfg(feature = "without-probes")]
#[macro_export]
macro_rules! probe {
    ($($anything:tt)*) => {{}};
}
