//! A trace: header and events, complete in itself.

use crate::recorder::{Counts, Record};
use crate::{Actor, Group, Kind, Site};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Version of the trace file's schema that this build writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;

/// The `format` of a trace's header.
pub const FORMAT: &str = "doorbell-trace";

/// The first line of a trace file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always [`FORMAT`].
    pub format: String,
    /// Version of the schema; see [`SCHEMA`].
    pub schema: u32,
    /// The tool that wrote the trace, and its version.
    pub tool: String,
    /// The machine that it ran on.
    pub machine: Machine,
    /// The device, as `--device` names it.
    pub device: String,
    /// The scenario, or the program's name.
    pub scenario: String,
    /// The scenario's settings that were changed, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// `logical` (the time of an event is its number) or `nanoseconds`.
    pub clock: String,
    /// Every place in the source that an event of this trace comes from.
    pub sites: Vec<SiteInfo>,
    /// The source files that the sites lie in, with their text.
    pub sources: Vec<Source>,
    /// What was masked when the trace was written.
    #[serde(default, skip_serializing_if = "Masked::is_nothing")]
    pub masked: Masked,
    /// If the events are the last that a ring kept: how many it keeps, and how many are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<RingInfo>,
}

/// The ring that a trace was taken out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingInfo {
    /// How many events it keeps. Events that map regions come in addition, while these are mapped.
    pub capacity: u64,
    /// How many events before those kept are lost.
    pub lost: u64,
}

impl Header {
    /// The scenario, with its settings that were changed.
    pub fn title(&self) -> String {
        if self.settings.is_empty() {
            return self.scenario.clone();
        }
        let parts = self.settings.iter().map(|(key, value)| format!("{key}={value}"));
        format!("{} with {}", self.scenario, parts.collect::<Vec<_>>().join(","))
    }
}

/// What a trace does not show, so that it can travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Masked {
    /// The data of the program: zeros stand in its place.
    #[serde(default)]
    pub payload: bool,
    /// Addresses: others stand in their place, the same for the same.
    #[serde(default)]
    pub addresses: bool,
}

impl Masked {
    /// Whether everything is as it was recorded.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The machine that a trace was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Instruction set, as `x86_64`.
    pub architecture: String,
    /// Operating system, as `linux`.
    pub system: String,
}

/// A [`Site`] in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteInfo {
    /// Path of the source file from the root of the workspace.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Path of the function.
    pub function: String,
    /// Group of the probe.
    pub group: Group,
    /// Which field of the stored bytes came from what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<(String, String)>,
}

impl From<&Site> for SiteInfo {
    fn from(site: &Site) -> Self {
        Self {
            file: site.file.to_owned(),
            line: site.line,
            function: site.function(),
            group: site.group,
            origins: site
                .origins
                .iter()
                .map(|(field, origin)| ((*field).to_owned(), (*origin).to_owned()))
                .collect(),
        }
    }
}

/// A source file that a trace brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Path from the root of the workspace.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// One event of a trace: one line of a trace file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Number of the event in its run, from 0: the one identity of a step.
    #[serde(rename = "seq")]
    pub sequence: u64,
    /// Time in nanoseconds, or the sequence number under the logical clock.
    pub time: u64,
    /// Who did it.
    pub actor: Actor,
    /// Nesting depth of calls.
    pub depth: u16,
    /// Index of the place in the header's `sites`.
    pub site: u32,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// A header and its events, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What the first line says.
    pub header: Header,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

/// Turns records into a trace, all at once or one by one.
#[derive(Debug, Clone)]
pub struct TraceBuilder {
    trace: Trace,
    /// Index in `sites` by the place's file, line and address: a site is one static.
    known: HashMap<usize, u32>,
    sources: fn(&str) -> Option<&'static str>,
}

impl TraceBuilder {
    /// A trace without events. `sources` gives the text of a source file by its path.
    pub fn new(
        tool: &str,
        device: &str,
        scenario: &str,
        clock: &str,
        sources: fn(&str) -> Option<&'static str>,
    ) -> Self {
        Self {
            trace: Trace {
                header: Header {
                    format: FORMAT.to_owned(),
                    schema: SCHEMA,
                    tool: tool.to_owned(),
                    machine: Machine {
                        architecture: std::env::consts::ARCH.to_owned(),
                        system: std::env::consts::OS.to_owned(),
                    },
                    device: device.to_owned(),
                    scenario: scenario.to_owned(),
                    settings: BTreeMap::new(),
                    clock: clock.to_owned(),
                    sites: Vec::new(),
                    sources: Vec::new(),
                    masked: Masked::default(),
                    ring: None,
                },
                events: Vec::new(),
            },
            known: HashMap::new(),
            sources,
        }
    }

    /// The same with settings of the scenario that were changed, by name.
    pub fn with_settings(mut self, settings: BTreeMap<String, String>) -> Self {
        self.trace.header.settings = settings;
        self
    }

    /// Says that the events were taken out of a ring, if they were.
    pub fn counted(&mut self, counts: Counts) {
        let ring = |capacity| RingInfo { capacity, lost: counts.lost() };
        self.trace.header.ring = counts.capacity.map(ring);
    }

    /// Appends one event; its site, and that site's source file, join the header when first seen.
    pub fn push(&mut self, record: Record) {
        let site = self.site(record.site);
        self.trace.events.push(Event {
            sequence: record.sequence,
            time: record.time,
            actor: record.actor,
            depth: record.depth,
            site,
            kind: record.kind,
        });
    }

    /// The index of a site.
    fn site(&mut self, site: &'static Site) -> u32 {
        let key = std::ptr::from_ref(site).addr();
        if let Some(index) = self.known.get(&key) {
            return *index;
        }
        let index = u32::try_from(self.trace.header.sites.len()).unwrap_or(u32::MAX);
        self.trace.header.sites.push(site.into());
        self.add_source(site.file);
        self.known.insert(key, index);
        index
    }

    /// Adds a source file once.
    fn add_source(&mut self, path: &str) {
        let header = &mut self.trace.header;
        if header.sources.iter().any(|source| source.path == path) {
            return;
        }
        if let Some(text) = (self.sources)(path) {
            header.sources.push(Source { path: path.to_owned(), text: text.to_owned() });
        }
    }

    /// The trace so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The trace.
    pub fn finish(self) -> Trace {
        self.trace
    }
}

impl Trace {
    /// The place that an event comes from; `None` if a damaged file names one that is not there.
    pub fn site(&self, event: &Event) -> Option<&SiteInfo> {
        self.header.sites.get(event.site as usize)
    }
}
