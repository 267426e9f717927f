//! No probes.

use super::{CompiledIn, Probe, Scribe, Tracer};
use crate::report::Report;
use crate::{Group, Point, Site};

/// No probes: nothing is built, nothing is called, nothing remains in the binary.
#[derive(Debug, Clone, Copy)]
pub struct Off;

impl CompiledIn for Off {
    const ON: bool = false;
}

/// Nobody: never made.
#[derive(Debug, Clone, Copy)]
pub enum Nobody {}

impl Scribe for Nobody {
    fn write(self, _: &'static Point, _: impl Report) {
        match self {}
    }

    fn write_at(self, _: &'static Site, _: &'static Point, _: impl Report) {
        match self {}
    }
}

impl Probe for Off {
    type Scribe<'a> = Nobody;
    type Row<'a> = Self;

    #[inline(always)]
    fn scribe(&self, _: Group) -> Option<Nobody> {
        None
    }

    #[inline(always)]
    fn row(&self) -> Self {
        Self
    }

    #[inline(always)]
    fn of(_: &Tracer) -> &Self {
        &Self
    }
}
