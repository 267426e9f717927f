//! What was found, as text for a terminal or a file.

use super::class::Class;
use super::{Alignment, Found, Report, Step, Summary};
use crate::decode::{actor, kept};
use crate::state::source::printable;
use crate::view::wrap::wrapped;
use anstyle::{AnsiColor, Style};
use doorbell_examples::words;
use doorbell_tracer::Header;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Steps that are the same, shown before and behind a difference.
const CONTEXT: usize = 3;

/// Steps that the first difference shows at most, where not all are asked for.
const MOST: usize = 24;

/// Columns before what a step says.
const INDENT: usize = 18;

/// Writes text.
pub struct Text<W> {
    out: W,
    names: [String; 2],
    options: TextOptions,
    /// The last few steps that are the same: their heads, and what they say.
    before: VecDeque<(String, String)>,
    /// What is being written.
    state: State,
}

/// How text is written.
#[derive(Debug, Clone, Copy)]
pub struct TextOptions {
    /// All differences, not the first one alone.
    pub all: bool,
    /// Columns of a line; `None` for lines of any length.
    pub width: Option<usize>,
    /// Whether lines have colours.
    pub colours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing since the beginning or since the last difference.
    Between,
    /// A difference: so many steps were written, so many of them the same and at its end.
    Within { written: usize, same: usize },
    /// The first difference is told, and no other is wanted.
    Told,
}

/// Which of the two lines a step stands in.
#[derive(Clone, Copy)]
enum Mark {
    Same,
    Changed,
    OnlyA,
    OnlyB,
}

impl Mark {
    fn sign(self) -> char {
        match self {
            Self::Same => ' ',
            Self::Changed => '~',
            Self::OnlyA => '-',
            Self::OnlyB => '+',
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Same => Style::new(),
            Self::Changed => AnsiColor::Yellow.on_default(),
            Self::OnlyA => AnsiColor::Red.on_default(),
            Self::OnlyB => AnsiColor::Green.on_default(),
        }
    }
}

impl<W: Write> Text<W> {
    /// Text about two traces of these names.
    pub fn new(out: W, names: [String; 2], options: TextOptions) -> Self {
        Self { out, names, options, before: VecDeque::new(), state: State::Between }
    }

    /// Begins a difference, if none is under way: where it is, and what comes before it.
    fn open(&mut self, found: &Found<'_>) -> io::Result<()> {
        if self.state != State::Between {
            return Ok(());
        }
        let (step, title) = match found {
            Found::Same(a, b) | Found::Changed(a, b, _) => {
                (a, format!("at step {} of A and step {} of B", a.number(), b.number()))
            }
            Found::OnlyA(step) => (step, format!("at step {} of A", step.number())),
            Found::OnlyB(step) => (step, format!("at step {} of B", step.number())),
        };
        let first = if self.options.all { "difference" } else { "first difference" };
        writeln!(self.out)?;
        self.line(Style::new().bold(), "", &format!("{first} {title}"))?;
        if !step.calls.is_empty() {
            let calls = step.calls.join(" > ");
            self.line(Style::new(), "", &format!("in {}", printable(&calls)))?;
        }
        for (head, said) in std::mem::take(&mut self.before) {
            self.line(Style::new(), &head, &said)?;
        }
        self.state = State::Within { written: 0, same: 0 };
        Ok(())
    }

    /// Writes one step.
    fn step(
        &mut self,
        mark: Mark,
        a: Option<u64>,
        b: Option<u64>,
        step: Step<'_>,
    ) -> io::Result<()> {
        let (head, said) = told(mark, a, b, step);
        self.line(mark.style(), &head, &said)?;
        if let (false, Some(site)) = (matches!(mark, Mark::Same), step.site()) {
            let place = format!("at {}:{}", printable(&site.file), site.line);
            self.line(Style::new().dimmed(), &" ".repeat(INDENT + 2), &place)?;
        }
        Ok(())
    }

    /// Writes a line, folded behind `head` if it is too long.
    fn line(&mut self, style: Style, head: &str, said: &str) -> io::Result<()> {
        let lines = match self.options.width {
            Some(width) => folded(said, width.saturating_sub(head.width()).max(20)),
            None => vec![said.to_owned()],
        };
        let rest = " ".repeat(head.width());
        for (number, line) in lines.iter().enumerate() {
            let head = if number == 0 { head } else { &rest };
            match self.options.colours {
                true => writeln!(self.out, "{style}{head}{line}{style:#}")?,
                false => writeln!(self.out, "{}", format!("{head}{line}").trim_end())?,
            }
        }
        Ok(())
    }

    /// Keeps a step that is the same, for what may come.
    fn keep(&mut self, a: Step<'_>, b: Step<'_>) {
        if self.before.len() == CONTEXT {
            self.before.pop_front();
        }
        self.before.push_back(told(Mark::Same, Some(a.number()), Some(b.number()), a));
    }

    /// Ends a difference that has been told.
    fn close(&mut self) {
        self.before.clear();
        self.state = if self.options.all { State::Between } else { State::Told };
    }

    fn write(&mut self, found: &Found<'_>) -> io::Result<()> {
        match found {
            Found::Same(a, b) => self.step(Mark::Same, Some(a.number()), Some(b.number()), *a),
            Found::OnlyA(step) => self.step(Mark::OnlyA, Some(step.number()), None, *step),
            Found::OnlyB(step) => self.step(Mark::OnlyB, None, Some(step.number()), *step),
            Found::Changed(a, b, differences) => {
                self.step(Mark::Changed, Some(a.number()), Some(b.number()), *a)?;
                for difference in *differences {
                    let absent = || "absent".to_owned();
                    let a = difference.a.clone().unwrap_or_else(absent);
                    let b = difference.b.clone().unwrap_or_else(absent);
                    let why = difference.why.as_deref();
                    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
                    let said = format!("{}: {a} / {b}{why}", difference.name);
                    let head = " ".repeat(INDENT + 2);
                    self.line(Mark::Changed.style(), &head, &printable(&said))?;
                }
                Ok(())
            }
        }
    }

    /// The lines at the end of the first difference that say how to see more.
    fn advice(&mut self, summary: &Summary) -> io::Result<()> {
        let counted = Class::ALL.into_iter().zip(summary.by_class);
        for (class, count) in counted.filter(|(_, count)| *count > 0) {
            let name = class.name();
            let steps = steps(count);
            let said = format!("nothing but {name} in {steps}: --ignore {name} leaves them out");
            self.line(Style::new(), "", &said)?;
        }
        if !self.options.all {
            self.line(Style::new(), "", "--all shows every difference")?;
        }
        Ok(())
    }
}

impl<W: Write> Report for Text<W> {
    fn begin(&mut self, headers: [&Header; 2], alignment: Alignment) -> io::Result<()> {
        let names = self.names.clone();
        for ((side, header), name) in ["A", "B"].into_iter().zip(headers).zip(names) {
            let Header { scenario, device, tool, .. } = header;
            let said = format!("{name}: {scenario} on {device}{}, {tool}", kept(header));
            self.line(Style::new(), &format!("{side}  "), &printable(&said))?;
        }
        for said in notes(headers, alignment) {
            self.line(Style::new(), "", &said)?;
        }
        Ok(())
    }

    fn take(&mut self, found: &Found<'_>) -> io::Result<()> {
        match (self.state, found) {
            (State::Told, _) => Ok(()),
            (State::Between, Found::Same(a, b)) => {
                self.keep(*a, *b);
                Ok(())
            }
            (State::Within { same, .. }, Found::Same(a, b)) if same >= CONTEXT => {
                self.close();
                if self.state == State::Between {
                    self.keep(*a, *b);
                }
                Ok(())
            }
            (State::Within { written, .. }, _) if written >= MOST && !self.options.all => {
                writeln!(self.out, "  ...")?;
                self.close();
                Ok(())
            }
            _ => {
                self.open(found)?;
                self.write(found)?;
                if let State::Within { written, same } = &mut self.state {
                    *written += 1;
                    *same = if matches!(found, Found::Same(..)) { *same + 1 } else { 0 };
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        writeln!(self.out)?;
        let Summary { same, changed, only_a, only_b, .. } = *summary;
        if summary.is_same() {
            self.line(Style::new(), "", &format!("no difference in {}", steps(same)))?;
        } else {
            let said = format!(
                "{} the same, {changed} changed (~), {only_a} only in A (-), {only_b} only in B (+)",
                steps(same)
            );
            self.line(Style::new().bold(), "", &said)?;
            self.advice(summary)?;
        }
        self.out.flush()
    }
}

/// The head of a step's line, and what the step says.
fn told(mark: Mark, a: Option<u64>, b: Option<u64>, step: Step<'_>) -> (String, String) {
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    let (a, b) = (number(a), number(b));
    let head = format!("{} {a:>5} {b:>5} {:<4} ", mark.sign(), actor(step.event.actor));
    (head, printable(&words::step(&step.event.kind, &step.places())))
}

/// What a reader must know before reading the differences of two traces.
pub(super) fn notes(headers: [&Header; 2], alignment: Alignment) -> Vec<String> {
    let [a, b] = headers;
    let mut notes = settings(headers);
    if a.tool != b.tool {
        notes.push(
            "written by different versions: functions may have other names, and steps be others"
                .to_owned(),
        );
    }
    if a.masked.payload != b.masked.payload {
        notes.push(
            "payload is masked in one of them, and differs for that: --ignore payload".to_owned(),
        );
    }
    if a.masked.addresses != b.masked.addresses {
        notes.push(
            "addresses are masked in one of them, and differ for that: --ignore addresses"
                .to_owned(),
        );
    }
    if a.clock != b.clock {
        let said = format!("the clocks are {} and {}: times are not compared", a.clock, b.clock);
        notes.push(printable(&said));
    }
    if alignment == Alignment::Quick {
        notes.push(format!(
            "more than {} steps lie between the first and the last step that differ: they are matched \
             a stretch at a time, and a shorter list of differences may exist; --from and --to, or --only, narrow it",
            super::align::MOST_SHORTEST
        ));
    }
    notes
}

/// The settings that are not the same in both runs: what explains most of the rest, where both are of one
/// scenario. One that is named in a single header was the scenario's own in the other run.
fn settings([a, b]: [&Header; 2]) -> Vec<String> {
    let keys: BTreeSet<&String> = a.settings.keys().chain(b.settings.keys()).collect();
    let value = |header: &Header, key: &String| {
        let own = || "the scenario's own".to_owned();
        header.settings.get(key).cloned().unwrap_or_else(own)
    };
    let differs = |key: &&String| a.settings.get(*key) != b.settings.get(*key);
    let said = |key: &String| {
        printable(&format!("setting {key}: {} in A, {} in B", value(a, key), value(b, key)))
    };
    keys.into_iter().filter(differs).map(said).collect()
}

/// `1 step`, `562 steps`.
fn steps(count: u64) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

/// Text in lines of at most `width` columns; a longer word is cut.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in wrapped(text, u16::try_from(width).unwrap_or(u16::MAX)) {
        let mut piece = String::new();
        for character in line.chars() {
            if piece.width() >= width {
                lines.push(std::mem::take(&mut piece));
            }
            piece.push(character);
        }
        lines.push(piece);
    }
    lines
}
