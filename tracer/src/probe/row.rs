//! Events in a row: the recorder is taken once for all of them.

use super::shared::Shared;
use super::{CompiledIn, Numbered, Probe, Scribe, Tracer, not_of_a_table};
use crate::recorder::{ActorCode, Chunks, Guard, Head, Pen};
use crate::report::Report;
use crate::{Group, Point, Site};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

/// A probe for events that one thread tells right after the other. To take the recorder is most of
/// what an event costs; here they share it.
///
/// Until the row is dropped nobody else can tell of anything. So between its events the thread must
/// not wait for another one, nor use another probe of the same recorder.
///
/// Where the recorder cannot be had at once, each event is recorded by itself, as without a row: another
/// thread was the last to record, or the recorder hands events on and may wait in each.
pub struct Row<'a> {
    shared: Option<&'a Shared>,
    actor: ActorCode,
    /// Writes into the recorder, if this row has it.
    pen: Pen<Open<'a>>,
}

/// The recorder, as long as a row has it.
struct Open<'a>(Guard<'a, Numbered>);

impl Deref for Open<'_> {
    type Target = Chunks;

    #[inline(always)]
    fn deref(&self) -> &Chunks {
        self.0.chunks()
    }
}

impl DerefMut for Open<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Chunks {
        self.0.written()
    }
}

impl<'a> Row<'a> {
    /// Begins a row.
    #[inline(always)]
    pub(super) fn begin(shared: Option<&'a Shared>, actor: ActorCode) -> Self {
        let numbered = shared.and_then(|shared| shared.numbered.lock_at_once());
        Self { shared, actor, pen: Pen::new(numbered.map(Open)) }
    }
}

impl CompiledIn for Row<'_> {
    const ON: bool = Tracer::ON;
}

impl<'a> Probe for Row<'a> {
    type Scribe<'b>
        = &'b Self
    where
        Self: 'b;

    /// A row within a row is a part of it.
    type Row<'b>
        = &'b Self
    where
        Self: 'b;

    #[inline(always)]
    fn scribe(&self, group: Group) -> Option<&Self> {
        let is_on = self.shared?.groups.load(Ordering::Relaxed) & group.bit() != 0;
        is_on.then_some(self)
    }

    #[inline(always)]
    fn row(&self) -> &Self {
        self
    }

    #[inline(always)]
    fn of(_: &Tracer) -> &Self {
        not_of_a_table::<Self>()
    }
}

impl Row<'_> {
    /// Records one event; `site` if the point has none.
    #[inline(always)]
    fn record(&self, site: Option<&'static Site>, point: &'static Point, report: impl Report) {
        let head = Head::of(point.number(), self.actor);
        if self.pen.is_open() {
            self.pen.keep(head, site, report);
        } else if let Some(shared) = self.shared {
            shared.record_in_turn(head, site, report);
        }
    }
}

impl Scribe for &Row<'_> {
    #[inline(always)]
    fn write(self, point: &'static Point, report: impl Report) {
        self.record(None, point, report);
    }

    #[inline(always)]
    fn write_at(self, site: &'static Site, point: &'static Point, report: impl Report) {
        self.record(Some(site), point, report);
    }
}
