//! A walk on a terminal, or as text where there is none.

use super::Failure as Failed;
use crate::cli::PrintOptions;
use crate::state::app::App;
use crate::state::session::{Goal, Session};
use crate::state::source::printable;
use crate::state::supply::Ending;
use crate::state::what_if::Again;
use crate::terminal::Guard;
use crate::text;
use crate::view::Painter;
use crate::view::theme::{Depth, Theme};
use crate::view::wrap::wrapped;
use doorbell_examples::{Failure, failure};
use doorbell_tracer::{EventSource, Header};
use std::env;
use std::io::{self, BufWriter, IsTerminal, Write};

/// Columns of the explanation of a failure.
const WIDTH: u16 = 96;

/// Whether there is a terminal to show the walk on, and nobody asked for text.
pub fn has_terminal(print: PrintOptions) -> bool {
    let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
    io::stdout().is_terminal() && !print.text && !print.all && !dumb
}

/// Shows a walk on the terminal until the reader leaves. `again` runs it with other settings, `message` is
/// the first word to them.
pub fn interactive(
    mut session: Session,
    again: Option<Again>,
    message: Option<String>,
) -> Result<(), Failed> {
    session.seek(Goal::Opening);
    let mut app = App::new(session);
    app.again = again;
    app.message = message;
    let depth = Depth::detect(|name| env::var(name).ok());
    let mut painter = Painter::new(Theme::new(depth));
    let mut terminal = Guard::take().map_err(Failed::Terminal)?;
    terminal.run(&mut app, &mut painter).map_err(Failed::Terminal)
}

/// Prints a walk, and how its program ended if that is known.
pub fn print(
    header: &Header,
    events: &impl EventSource,
    print: PrintOptions,
    ending: Option<&Ending>,
) -> Result<(), Failed> {
    let mut out = BufWriter::new(io::stdout().lock());
    text::print(header, events, text::Options { all: print.all }, &mut out)?;
    match ending {
        Some(Ok(printed)) => {
            let failure = failure(&header.scenario);
            let how = if failure.is_some() { "failed, as it was to" } else { "printed" };
            writeln!(out, "the program {how}:")?;
            for line in printed {
                writeln!(out, "  {}", printable(line))?;
            }
            for (heading, text) in failure.into_iter().flat_map(Failure::explained) {
                writeln!(out, "{}:", heading.to_lowercase())?;
                for line in wrapped(text, WIDTH) {
                    writeln!(out, "  {line}")?;
                }
            }
        }
        Some(Err(why)) => writeln!(out, "the program failed: {why}")?,
        None => {}
    }
    Ok(out.flush()?)
}
