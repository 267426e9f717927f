//! Twins of programs in C, which the lab's tests run beside each other in one guest: the same calls
//! on this repository's driver.
//!
//! - `twin grid` posts a list of work requests and prints what each call wrote, as
//!   `tui/tests/peer/post_grid.c` does through libibverbs and libmlx5.
//! - `twin fail` fails in every way of the gallery and some more, and prints how it is told, as
//!   `tui/tests/peer/failures.c` does.
//! - `twin windows` opens and closes memory windows, as `tui/tests/peer/windows.c` does.
//! - `twin count` makes the calls of one case, for callgrind to count, as
//!   `tui/tests/peer/post_count.c` does.

mod batch;
mod cases;
mod connect;
mod count;
mod fail;
mod grid;
mod handles;
mod own_memory;
mod pair;
mod places;
mod windows;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Whatever ends the program.
type Failure = Box<dyn std::error::Error>;

/// What the program is told.
#[derive(Parser, Debug)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

/// Whose twin it is.
#[derive(Subcommand, Debug)]
enum Command {
    /// Post a list of work requests and print what each call wrote
    Grid(grid::Options),
    /// Fail in every way, and print how it is told
    Fail(fail::Options),
    /// Open and close memory windows, and print what comes of it
    Windows(windows::Options),
    /// Make the calls of one case
    Count(count::Options),
}

fn main() -> ExitCode {
    let result = match Options::parse().command {
        Command::Grid(options) => grid::run(&options),
        Command::Fail(options) => fail::run(&options),
        Command::Windows(options) => windows::run(&options),
        Command::Count(options) => count::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("twin: {error}");
            ExitCode::FAILURE
        }
    }
}
