//! Two traces, step by step: which steps both have, and what differs in them.
//!
//! Each trace is read twice, from its beginning to its end. The first time only the signature of
//! each step is kept, six bytes a step; the two sequences are aligned. The second time
//! the steps that belong together are compared value by value, and what was found is handed on as
//! it comes. So two traces of a million steps need some tens of megabytes.

mod align;
mod class;
mod differences;
mod json;
mod rename;
mod step;
mod text;
mod values;

pub use align::Alignment;
pub use class::{Class, Classes};
pub use differences::Difference;
pub use json::Json;
pub use step::{Input, Step};
pub use text::{Text, TextOptions};

use align::{Hunk, Sequence, Signatures};
use differences::Judge;
use doorbell_tracer::file::{TraceFileError, Warning};
use doorbell_tracer::{Actor, Header};
use std::io;
use step::{Choice, Steps};

/// What sort of value a field of a layout holds; nothing if it is the same in all runs.
pub fn class_of(field: &'static doorbell_prm::Field) -> Option<Class> {
    class::of_field(field).map(|mark| mark.class)
}

/// Whose steps are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// Those of the program and of the driver in it
    Driver,
    /// Those of the card
    Card,
}

impl Only {
    fn takes(self, actor: Actor) -> bool {
        (actor == Actor::Card) == (self == Self::Card)
    }
}

/// The numbers of the first and the last step that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first,
    pub from: u64,
    /// and the last.
    pub to: u64,
}

/// How two traces are compared.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Classes of values that may differ.
    pub ignored: Classes,
    /// Whose steps, if not everybody's.
    pub only: Option<Only>,
    /// Which steps of A and which of B.
    pub windows: [Window; 2],
    /// Whether steps at different lines of the source are different steps.
    pub lines: bool,
}

impl Options {
    /// Whether every step of both is compared.
    fn takes_all(&self) -> bool {
        let all = Window { from: 0, to: u64::MAX };
        self.only.is_none() && self.windows == [all; 2]
    }
}

/// What was found at one place of the alignment.
pub enum Found<'a> {
    /// Both have the step, and it is the same.
    Same(Step<'a>, Step<'a>),
    /// Both have it, and these values differ.
    Changed(Step<'a>, Step<'a>, &'a [Difference]),
    /// Only A has it. The number is that of B's next step, if there is one.
    OnlyA(Step<'a>),
    /// Only B has it.
    OnlyB(Step<'a>),
}

/// Takes in what is found, in the order of the traces.
pub trait Report {
    /// The two traces that are compared, before anything is found.
    fn begin(&mut self, headers: [&Header; 2], alignment: Alignment) -> io::Result<()>;

    /// The next finding.
    fn take(&mut self, found: &Found<'_>) -> io::Result<()>;

    /// The sum of it.
    fn end(&mut self, summary: &Summary) -> io::Result<()>;
}

/// How many steps are the same, and how many are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The same in both.
    pub same: u64,
    /// In both, with other values.
    pub changed: u64,
    /// Without a counterpart in B.
    pub only_a: u64,
    /// Without a counterpart in A.
    pub only_b: u64,
    /// Changed steps by the one class of values that differ in them, where it is one.
    pub by_class: [u64; Class::ALL.len()],
    /// How steps were matched.
    pub alignment: Alignment,
    /// What was wrong with each file.
    pub warnings: [Vec<Warning>; 2],
}

impl Summary {
    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.changed == 0 && self.only_a == 0 && self.only_b == 0
    }

    fn count(&mut self, differences: &[Difference]) {
        self.changed += 1;
        let mut classes = differences.iter().map(|difference| match difference.why {
            None => difference.class,
            Some(_) => None,
        });
        let Some(Some(first)) = classes.next() else { return };
        if classes.all(|class| class == Some(first) || class == Some(Class::Derived)) {
            self.by_class[first as usize] += 1;
        }
    }
}

/// Why two traces could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One cannot be read.
    #[error(transparent)]
    File(#[from] TraceFileError),
    /// One was changed between the two times it was read.
    #[error("a trace was changed while it was read; compare copies, or wait until it is written")]
    Changed,
    /// What was asked for leaves no step of either.
    #[error(
        "neither trace has a step of those that were asked for; look at --from, --to and --only"
    )]
    NoSteps,
    /// The report could not be written.
    #[error("cannot write the output: {0}; check where it goes to")]
    Output(#[from] io::Error),
}

/// Compares two traces.
pub fn compare(
    inputs: [&Input; 2],
    options: &Options,
    report: &mut dyn Report,
) -> Result<Summary, CompareError> {
    let [a, b] = inputs;
    let choice = |side: usize| Choice { only: options.only, window: options.windows[side] };
    let mut signatures = Signatures::default();
    let (one, _) = sequence(a, choice(0), options, &mut signatures)?;
    let (other, _) = sequence(b, choice(1), options, &mut signatures)?;
    if (one.len(), other.len()) == (0, 0) && !options.takes_all() {
        return Err(CompareError::NoSteps);
    }
    let (hunks, alignment) = align::align(&one, &other);
    let lengths = (one.len(), other.len());
    drop((one, other, signatures));

    let (mut a, mut b) = (a.steps(choice(0))?, b.steps(choice(1))?);
    let times = [a.header(), b.header()].iter().all(|header| header.clock == "nanoseconds");
    report.begin([a.header(), b.header()], alignment)?;
    let mut summary = Summary {
        same: 0,
        changed: 0,
        only_a: 0,
        only_b: 0,
        by_class: [0; Class::ALL.len()],
        alignment,
        warnings: [Vec::new(), Vec::new()],
    };
    let mut judge = Judge::new(options.ignored, times);
    let mut done = 0;
    for hunk in hunks {
        pairs(hunk.a.start - done, &mut a, &mut b, &mut judge, &mut summary, report)?;
        alone(&hunk, &mut a, &mut b, &mut summary, report)?;
        done = hunk.a.end;
    }
    pairs(lengths.0 - done, &mut a, &mut b, &mut judge, &mut summary, report)?;
    if a.advance() || b.advance() {
        return Err(CompareError::Changed);
    }
    summary.warnings = [a.finish().1, b.finish().1];
    report.end(&summary)?;
    Ok(summary)
}

/// The signatures of one trace.
fn sequence(
    input: &Input,
    choice: Choice,
    options: &Options,
    signatures: &mut Signatures,
) -> Result<(Sequence, Vec<Warning>), TraceFileError> {
    let mut steps = input.steps(choice)?;
    let mut sequence = Sequence::default();
    while steps.advance() {
        if let Some(step) = steps.step() {
            signatures.push(step, options.lines, &mut sequence);
        }
    }
    Ok((sequence, steps.finish().1))
}

/// Compares the next steps, so many of both.
fn pairs(
    count: usize,
    a: &mut Steps<'_>,
    b: &mut Steps<'_>,
    judge: &mut Judge,
    summary: &mut Summary,
    report: &mut dyn Report,
) -> Result<(), CompareError> {
    for _ in 0..count {
        a.advance();
        b.advance();
        let (Some(one), Some(other)) = (a.step(), b.step()) else {
            return Err(CompareError::Changed);
        };
        let differences = judge.differences(one, other);
        if differences.is_empty() {
            summary.same += 1;
            report.take(&Found::Same(one, other))?;
        } else {
            summary.count(&differences);
            report.take(&Found::Changed(one, other, &differences))?;
        }
    }
    Ok(())
}

/// Tells of the steps that one side has alone.
fn alone(
    hunk: &Hunk,
    a: &mut Steps<'_>,
    b: &mut Steps<'_>,
    summary: &mut Summary,
    report: &mut dyn Report,
) -> Result<(), CompareError> {
    for _ in hunk.a.clone() {
        a.advance();
        let step = a.step().ok_or(CompareError::Changed)?;
        summary.only_a += 1;
        report.take(&Found::OnlyA(step))?;
    }
    for _ in hunk.b.clone() {
        b.advance();
        let step = b.step().ok_or(CompareError::Changed)?;
        summary.only_b += 1;
        report.take(&Found::OnlyB(step))?;
    }
    Ok(())
}
