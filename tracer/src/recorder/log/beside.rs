//! Where an event's bytes go, and what stands beside them, each in the order of the events.

use crate::{Kind, Record, Site};

/// The room of one event: filled from its beginning.
#[derive(Debug)]
pub struct Room<'a>(&'a mut [u8]);

impl<'a> Room<'a> {
    /// All of these bytes.
    #[inline(always)]
    pub(in crate::recorder) fn of(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// Writes the next bytes.
    #[inline(always)]
    pub(crate) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(place) = self.next() {
            *place = bytes;
        }
    }

    /// The next bytes.
    #[inline(always)]
    pub(crate) fn next<const N: usize>(&mut self) -> Option<&'a mut [u8; N]> {
        let (first, rest) = std::mem::take(&mut self.0).split_first_chunk_mut()?;
        self.0 = rest;
        Some(first)
    }

    /// Writes the last bytes.
    #[inline(always)]
    pub(crate) fn end(self, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// Beside the bytes of one chunk.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Static texts told at run time.
    pub(super) texts: Vec<&'static str>,
    /// Places of events whose point has none.
    pub(super) sites: Vec<&'static Site>,
    pub(super) owned: Owned,
}

/// What has memory of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned {
    /// Events that are kept as they are.
    pub(super) whole: Vec<Kind>,
    /// The same with all that events have.
    pub(super) records: Vec<Record>,
    /// Texts made at run time.
    pub(super) made: Vec<String>,
}

impl Beside {
    /// Adds an event that is kept as it is.
    pub(crate) fn push_whole(&mut self, kind: Kind) {
        self.owned.whole.push(kind);
    }

    /// Adds an event that is kept as it is, with all that events have.
    pub(crate) fn push_record(&mut self, record: Record) {
        self.owned.records.push(record);
    }

    /// Adds a static text.
    #[inline(always)]
    pub(crate) fn push_text(&mut self, text: &'static str) {
        self.texts.push(text);
    }

    /// Adds a text made at run time.
    #[cold]
    #[inline(never)]
    pub(crate) fn push_made(&mut self, text: String) {
        self.owned.made.push(text);
    }

    /// Adds the place of an event.
    #[inline(always)]
    pub(crate) fn push_site(&mut self, site: &'static Site) {
        self.sites.push(site);
    }

    /// Has so many places and twice as many texts at hand, if nothing is here yet.
    pub(super) fn touch(&mut self, sites: usize) {
        static NOWHERE: Site = {
            const PROBE_GROUP: crate::Group = crate::Group::Program;
            crate::site!()
        };
        self.sites.resize(sites, &NOWHERE);
        self.texts.resize(sites * 2, "");
        self.clear();
    }

    /// Empties all; the room stays.
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.sites.clear();
        self.owned.whole.clear();
        self.owned.records.clear();
        self.owned.made.clear();
    }

    /// Whether a region was mapped or unmapped.
    pub(super) fn has_maps(&self) -> bool {
        let is_map = |kind: &Kind| matches!(kind, Kind::Map(_) | Kind::Unmap { .. });
        self.owned.whole.iter().any(is_map)
            || self.owned.records.iter().any(|record| is_map(&record.kind))
    }
}
