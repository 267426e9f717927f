//! The scenarios, and finding one by its name.
//!
//! Each is one file with a `SCENARIO`: name, topic, settings, program. Adding one takes that file, and its
//! lines below.

mod keys;
mod scenario;

// One for each opcode,
mod atomics;
mod rc_read;
mod rc_send;
mod rc_send_imm;
mod rc_write;
mod rc_write_imm;
mod uc_send;
mod uc_write;
mod ud_send;
mod window;
mod window_kinds;

// posted in other ways,
mod rc_send_inline;
mod rc_unsignalled;
mod rc_write_list;
mod rc_write_sges;

// received and waited for,
mod rc_send_event;
mod shared_receive;

// used by storage,
mod nvmf_read;

// created,
mod why_mlx5_ib;

// and gone wrong.
mod gallery;

pub use gallery::{NO_RECEIVE, SILENT_PEER, WRONG_LKEY, WRONG_RKEY};
pub use scenario::{Failure, Scenario, Topic};

use crate::{ExampleError, Guest};
use doorbell_tracer::file::{self, TraceFileError};
use doorbell_tracer::{EventSource, Trace, Tracer};

/// Every scenario that runs on any device, by topic; the first is the default.
static SCENARIOS: &[Scenario] = &[
    rc_write::SCENARIO,
    rc_write_imm::SCENARIO,
    rc_send::SCENARIO,
    rc_send_imm::SCENARIO,
    rc_read::SCENARIO,
    atomics::FETCH_AND_ADD,
    atomics::COMPARE_AND_SWAP,
    window::SCENARIO,
    window_kinds::TYPE_ONE,
    uc_write::SCENARIO,
    uc_send::SCENARIO,
    window_kinds::UNRELIABLE,
    ud_send::SCENARIO,
    rc_write_list::SCENARIO,
    rc_write_sges::SCENARIO,
    rc_send_inline::SCENARIO,
    rc_unsignalled::SCENARIO,
    rc_send_event::SCENARIO,
    shared_receive::SCENARIO,
    nvmf_read::SCENARIO,
    gallery::queue_full::SCENARIO,
    gallery::too_many_sges::SCENARIO,
    gallery::inline_too_long::SCENARIO,
    gallery::before_rts::SCENARIO,
    gallery::wrong_opcode::SCENARIO,
    gallery::window_too_long::SCENARIO,
    gallery::no_atomics::SCENARIO,
    gallery::unsignalled_queue::SCENARIO,
    gallery::wrong_lkey::SCENARIO,
    gallery::wrong_rkey::SCENARIO,
    gallery::no_receive::SCENARIO,
    gallery::silent_peer::SCENARIO,
    gallery::init_to_rtr::SCENARIO,
    gallery::shared_blueflame::SCENARIO,
];

/// Every scenario that runs on any device, by topic; the first is the default.
pub fn scenarios() -> &'static [Scenario] {
    SCENARIOS
}

/// The failure that a scenario shows, if it is one of the gallery.
pub fn failure(scenario: &str) -> Option<&'static Failure> {
    SCENARIOS.iter().find(|other| other.name == scenario)?.failure
}

/// The first words of a run in acts: its outermost calls are what a reader chooses from, and none of them
/// is more its subject than another.
pub const IN_ACTS: &str = "a run in acts";

/// A program that changes the machine which it runs on: it loads modules, and takes the card from its
/// driver. Only a [`Guest`] of the lab can be had for that; everywhere else there is its recording.
#[derive(Debug)]
pub struct LabScenario {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// A title for a list or a page.
    pub title: &'static str,
    /// What it belongs to.
    pub topic: Topic,
    /// What happens in it, in a sentence or two.
    pub summary: &'static str,
    /// The program. Returns the lines that it would print.
    pub run: fn(&Guest, &Tracer) -> Result<Vec<String>, ExampleError>,
    /// The trace file of a run, kept in this repository.
    pub(crate) recording: &'static str,
}

impl LabScenario {
    /// The run that was recorded.
    pub fn recording(&self) -> Result<Trace, TraceFileError> {
        let (loaded, _) =
            file::read(format!("the recording of {}", self.name), self.recording.as_bytes())?;
        let events = (0..loaded.len()).filter_map(|step| loaded.get(step));
        let events = events.map(|event| event.into_owned()).collect();
        Ok(Trace { header: loaded.header().clone(), events })
    }

    /// The command that runs it and shows it as text, on a machine that has the lab.
    pub fn command(&self) -> String {
        format!("doorbell lab run --iommu --no-drivers -- doorbell step {} --text", self.name)
    }

    /// The command that runs it and writes its trace.
    pub fn record_command(&self) -> String {
        format!("doorbell lab record {} -o FILE", self.name)
    }
}

/// Every scenario that needs the lab.
pub fn lab_scenarios() -> &'static [LabScenario] {
    &[why_mlx5_ib::SCENARIO]
}

/// A scenario, by what it needs.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    /// It runs on any device.
    Anywhere(&'static Scenario),
    /// It runs in the lab's guest.
    InLab(&'static LabScenario),
}

/// The scenario of that name, of either kind.
pub fn named(name: &str) -> Result<Named, UnknownScenario> {
    match lab_scenarios().iter().find(|scenario| scenario.name == name) {
        Some(found) => Ok(Named::InLab(found)),
        None => scenario(name).map(Named::Anywhere),
    }
}

/// There is no scenario of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no scenario {name:?}; there are: {}. `doorbell scenarios` tells what each one shows",
    known()
)]
pub struct UnknownScenario {
    /// The name asked for.
    pub name: String,
}

/// The names, for the error.
fn known() -> String {
    let anywhere = scenarios().iter().map(|scenario| scenario.name);
    let in_lab = lab_scenarios().iter().map(|scenario| scenario.name);
    anywhere.chain(in_lab).collect::<Vec<_>>().join(", ")
}

/// The scenario of that name.
pub fn scenario(name: &str) -> Result<&'static Scenario, UnknownScenario> {
    let found = scenarios().iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| UnknownScenario { name: name.to_owned() })
}
