//! What a guest's agent is to do, and how it is told.

use super::{DRIVERS, Options};
use crate::guest::qemu::Wire;
use crate::guest::streams::Streams;
use crate::guest::terminal;
use crate::image::layer::Settings;
use std::ffi::OsString;

/// What the agent does.
pub(super) enum Task<'a> {
    /// Runs a command with these streams.
    Command(&'a [OsString], Streams),
    /// Runs a shell on the console.
    Shell,
    /// Lets the other guest log in.
    Serve,
}

/// The ports that a task needs.
pub(super) fn ports(task: &Task) -> &'static [&'static str] {
    match task {
        Task::Command(..) => &["control", "out", "err", "in"],
        Task::Shell => &["control", "console"],
        Task::Serve => &["control"],
    }
}

/// What the agent is told.
pub(super) fn settings(options: &Options, task: &Task, wire: Option<&Wire>) -> Settings {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut settings = Settings::default();
    let (what, has_input) = match task {
        Task::Command(_, streams) => ("command", streams.input.is_some()),
        Task::Shell => ("shell", false),
        Task::Serve => ("serve", false),
    };
    settings.set("LAB_WHAT", what);
    settings.set("LAB_INPUT", yes(has_input));
    settings.set("LAB_DRIVERS", yes(options.has_drivers));
    settings.set("LAB_CARDS", options.cards.len());
    settings.set("LAB_PATIENCE", DRIVERS);
    settings.set(
        "LAB_SHARE",
        match &options.share {
            Some(share) if share.is_writable => "rw",
            Some(_) => "ro",
            None => "",
        },
    );
    if let Some(wire) = wire {
        settings.set("LAB_GUEST", wire.guest);
        settings.set("LAB_PEER", format!("guest{}", 1 - wire.guest.min(1)));
        settings.set("LAB_ADDRESS", format!("10.77.0.{}", wire.guest + 1));
    }
    if matches!(task, Task::Shell) {
        let (rows, columns) = terminal::size();
        settings.set("LAB_ROWS", rows);
        settings.set("LAB_COLUMNS", columns);
        settings.set("LAB_TERM", std::env::var("TERM").unwrap_or_else(|_| "vt100".to_string()));
    }
    settings
}
