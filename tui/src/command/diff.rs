//! `doorbell diff`: two traces compared, the first difference first.

use super::Failure;
use crate::compare::{
    Class, Classes, CompareError, Input, Json, Only, Options, Report, Text, TextOptions, Window,
    compare,
};
use clap::{Args, ValueEnum};
use std::env;
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;

/// What `doorbell diff` is asked.
#[derive(Debug, Clone, Args)]
pub struct DiffOptions {
    /// One trace file
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The other one
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Show every difference, not the first one alone
    #[arg(long)]
    pub all: bool,
    /// Values that may differ. Numbers, keys and addresses must stand for each other everywhere: A's
    /// QP 0x40 for B's QP 0x123. Can be given several times, or with commas; `derived` comes with
    /// all but `times`
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub ignore: Vec<Ignore>,
    /// Compare only these steps
    #[arg(long, value_name = "WHOSE")]
    pub only: Option<Only>,
    /// The first step to compare; A:B for two numbers
    #[arg(long, value_name = "STEP", value_parser = two_numbers, default_value = "0", hide_default_value = true)]
    pub from: (u64, u64),
    /// The last step to compare; A:B for two numbers
    #[arg(long, value_name = "STEP", value_parser = two_numbers)]
    pub to: Option<(u64, u64)>,
    /// Take steps at different lines of the source for different steps
    #[arg(long)]
    pub lines: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Colours: `auto` on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub color: When,
    /// Columns of a line; those of the terminal if nothing is said, and any number without one
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..))]
    pub width: Option<u16>,
}

/// What may be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignore {
    /// One class of values.
    Class(Class),
    /// All of them.
    All,
}

impl ValueEnum for Ignore {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Class(Class::Qpn),
            Self::Class(Class::Keys),
            Self::Class(Class::Addresses),
            Self::Class(Class::Times),
            Self::Class(Class::Counters),
            Self::Class(Class::Payload),
            Self::Class(Class::Derived),
            Self::All,
        ]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Self::Class(class) => class.to_possible_value(),
            Self::All => Some(clap::builder::PossibleValue::new("all").help("All of these")),
        }
    }
}

/// When something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// If the output is a terminal that has it.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// `12` for both, or `12:15` for one each.
fn two_numbers(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{text:?} is no number of a step; say 12, or 12:15"))
    };
    match text.split_once(':') {
        Some((a, b)) => Ok((number(a)?, number(b)?)),
        None => number(text).map(|both| (both, both)),
    }
}

/// Compares two traces; ends with 1 if they differ, as `diff` does.
pub fn run(options: &DiffOptions) -> Result<(), Failure> {
    match differ(options) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::Ended(1)),
        Err(CompareError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Err(Failure::NobodyReads)
        }
        Err(error) => Err(Failure::Compare(error)),
    }
}

/// Whether two traces differ.
fn differ(options: &DiffOptions) -> Result<bool, CompareError> {
    let inputs = [Input::of(&options.a)?, Input::of(&options.b)?];
    let names = [&options.a, &options.b].map(|path| path.display().to_string());
    let out = BufWriter::new(io::stdout().lock());
    let mut report: Box<dyn Report> = match options.json {
        true => Box::new(Json::new(out, names.clone(), options.all)),
        false => Box::new(Text::new(out, names.clone(), text_options(options))),
    };
    let summary = compare([&inputs[0], &inputs[1]], &chosen(options), &mut *report)?;
    for (name, warnings) in names.iter().zip(&summary.warnings) {
        for warning in warnings {
            eprintln!("doorbell: {name}: {warning}");
        }
    }
    Ok(!summary.is_same())
}

/// What is compared.
fn chosen(options: &DiffOptions) -> Options {
    let ignored = options.ignore.iter().flat_map(|ignore| match ignore {
        Ignore::Class(class) => vec![*class],
        Ignore::All => Class::ALL.to_vec(),
    });
    let (to_a, to_b) = options.to.unwrap_or((u64::MAX, u64::MAX));
    Options {
        ignored: Classes::ignored(ignored),
        only: options.only,
        windows: [
            Window { from: options.from.0, to: to_a },
            Window { from: options.from.1, to: to_b },
        ],
        lines: options.lines,
    }
}

/// How text is written here.
fn text_options(options: &DiffOptions) -> TextOptions {
    let terminal = io::stdout().is_terminal();
    let width = options.width.or_else(|| {
        let size = ratatui::crossterm::terminal::size().ok()?;
        terminal.then_some(size.0.max(40))
    });
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_none_or(|term| term == "dumb");
    TextOptions {
        all: options.all,
        width: width.map(usize::from),
        colours: match options.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !plain,
        },
    }
}
