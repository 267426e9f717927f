//! Everything that the panes show of one step, worked out once when the reader comes to it.

use crate::decode::actor;
use crate::state::focus::{Focus, focus};
use crate::state::queues::{Index, Record, Register, Ring, counters, records, registers, rings};
use crate::state::session::Session;
use crate::state::source::{SourceText, Sources, printable};
use doorbell_book::Note;
use doorbell_tracer::{Event, Kind};
use std::rc::Rc;

/// A step in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLine {
    /// Its number.
    pub number: u64,
    /// Who did it.
    pub actor: String,
    /// What happened.
    pub words: String,
    /// Where: `file:line`; empty if the trace does not say.
    pub place: String,
    /// Whether it is a check that failed, a search that found nothing, a command that was refused.
    pub bad: bool,
}

/// What the panes show.
#[derive(Debug, Default)]
pub struct Scene {
    /// The step.
    pub step: Option<StepLine>,
    /// Its source file.
    pub source: Option<Rc<SourceText>>,
    /// Its line in that file; 0 if the trace does not say.
    pub line: u32,
    /// The path of its function.
    pub function: String,
    /// The note of the stretch that the line lies in.
    pub note: Option<&'static Note>,
    /// The object that the step is about.
    pub focus: Option<Focus>,
    /// The queues.
    pub rings: Vec<Ring>,
    /// The doorbell records.
    pub records: Vec<Record>,
    /// The registers.
    pub registers: Vec<Register>,
    /// Counters that belong to no queue.
    pub counters: Vec<Index>,
}

impl Scene {
    /// What the panes show of the current step.
    pub fn of(session: &Session, sources: &mut Sources) -> Self {
        let Some(event) = session.event(session.current()) else {
            return Self::default();
        };
        let site = session.site(&event);
        let line = site.map_or(0, |site| site.line);
        let source = site.and_then(|site| sources.get(session.supply().header(), &site.file));
        Self {
            step: Some(step_line(session, &event)),
            note: source.as_ref().and_then(|source| source.note(line)),
            function: site.map(|site| printable(&site.function)).unwrap_or_default(),
            source,
            line,
            focus: focus(session),
            rings: rings(session),
            records: records(session),
            registers: registers(session),
            counters: counters(session),
        }
    }
}

/// A step in one line.
pub fn step_line(session: &Session, event: &Event) -> StepLine {
    let place = session.site(event).map(|site| printable(&format!("{}:{}", site.file, site.line)));
    StepLine {
        number: event.sequence,
        actor: actor(event.actor),
        words: printable(&session.words(event)),
        place: place.unwrap_or_default(),
        bad: is_bad(&event.kind),
    }
}

/// Whether something did not go well.
pub fn is_bad(kind: &Kind) -> bool {
    match kind {
        Kind::Check { holds, .. } => !holds,
        Kind::Discovery { found, .. } => !found,
        Kind::Command(command) => command.status != 0,
        Kind::Completion { status, .. } => !status.to_lowercase().ends_with("success"),
        _ => false,
    }
}
