//! How far the set-up is, on standard error: one line a stage. A terminal sees it move; a log
//! gets one line when a stage begins and one when it is done.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Tells how far the set-up is.
#[derive(Debug)]
pub struct Progress {
    kind: Kind,
    stage: &'static str,
    since: Instant,
    shown: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminal,
    Log,
    Silent,
}

impl Progress {
    /// Tells on standard error.
    pub fn on_stderr() -> Self {
        let kind = if io::stderr().is_terminal() { Kind::Terminal } else { Kind::Log };
        Self { kind, stage: "", since: Instant::now(), shown: 0 }
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self { kind: Kind::Silent, stage: "", since: Instant::now(), shown: 0 }
    }

    /// A line of its own.
    pub fn say(&self, text: &str) {
        if self.kind != Kind::Silent {
            write(&format!("lab: {text}\n"));
        }
    }

    /// A stage begins.
    pub(crate) fn begin(&mut self, stage: &'static str) {
        (self.stage, self.since, self.shown) = (stage, Instant::now(), 0);
        match self.kind {
            Kind::Terminal => write(&format!("lab: {stage} ...")),
            Kind::Log => write(&format!("lab: {stage} ...\n")),
            Kind::Silent => {}
        }
    }

    /// So many of a hundred parts are done; `bytes` is the whole, 0 if not known.
    pub(crate) fn percent(&mut self, percent: f64, bytes: u64) {
        let whole = percent.clamp(0.0, 100.0) as u64;
        if whole != self.shown && self.kind == Kind::Terminal {
            self.shown = whole;
            let of = if bytes == 0 { String::new() } else { format!(" of {}", megabytes(bytes)) };
            write(&format!("\r\x1b[Klab: {} ... {whole} %{of}", self.stage));
        }
    }

    /// So many of so many are done.
    pub(crate) fn count(&mut self, done: usize, all: usize) {
        if self.kind == Kind::Terminal {
            write(&format!("\r\x1b[Klab: {} ... {done} of {all}", self.stage));
        }
    }

    /// The stage is done.
    pub(crate) fn end(&mut self) {
        let took = self.since.elapsed().as_secs_f64();
        match self.kind {
            Kind::Terminal => {
                write(&format!("\r\x1b[Klab: {} ... done ({took:.1} s)\n", self.stage))
            }
            Kind::Log => write(&format!("lab: {} done ({took:.1} s)\n", self.stage)),
            Kind::Silent => {}
        }
    }
}

/// Bytes as people read them.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// Nobody reading the progress is no reason to stop making any.
fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
