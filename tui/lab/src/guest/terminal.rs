//! The reader's terminal while the guest's shell has it: raw, and always put right again.

use crate::error::LabError;
use crate::process::Stop;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

/// Ends the guest at once, whatever it is doing: Ctrl-].
const ESCAPE: u8 = 0x1d;

/// The terminal, raw. Dropping it puts it right.
pub struct Raw(Termios);

impl Raw {
    /// Takes the terminal on standard input.
    pub fn take() -> Result<Self, LabError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(LabError::NoTerminal);
        }
        let before = tcgetattr(io::stdin()).map_err(terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        let taken = Self(before);
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw).map_err(terminal)?;
        Ok(taken)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There may be no terminal left to put right.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Rows and columns of the terminal; 24 and 80 where it does not say.
pub fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        _ => (24, 80),
    }
}

/// Passes keys to the guest until it ends; the escape key asks to end.
pub fn keys(mut to: UnixStream, stop: Stop) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let read = match io::stdin().read(&mut bytes) {
                Ok(read) if read > 0 => read,
                // A terminal that is gone takes its guest with it.
                _ => return stop.ask(),
            };
            if bytes[..read].contains(&ESCAPE) {
                return stop.ask();
            }
            if to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    });
}

fn terminal(error: rustix::io::Errno) -> LabError {
    LabError::Terminal(error.into())
}
