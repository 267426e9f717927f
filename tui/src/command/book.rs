//! The book: built into a folder, or served to a browser on this machine.

use super::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often the server looks whether a signal asks it to end.
const LOOK: Duration = Duration::from_millis(100);

/// Builds the book in `folder`.
pub fn build(folder: &Path) -> Result<(), Failure> {
    let report = doorbell_book::build(folder, &mut tell)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{} chapters; open {}", report.chapters, report.index.display())?;
    Ok(())
}

/// Serves the book until a signal asks to end.
pub fn serve(port: u16) -> Result<(), Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&asked))?;
    }
    let server = doorbell_book::serve(port, &mut tell)?;
    writeln!(io::stdout(), "the book is at http://{} until Ctrl-C", server.address())?;
    let stop = server.stopper();
    thread::spawn(move || {
        while !asked.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        stop.stop();
    });
    server.run();
    Ok(())
}

/// Says on the error output how far the build is, so that the output holds the result alone.
fn tell(line: &str) {
    eprintln!("{line}");
}
