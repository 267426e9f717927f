//! Whether the cards of a guest are still served.
//!
//! A card is another process as a rule, and may die. QEMU then answers the guest's reads with ones
//! and goes on, and the guest waits for its drivers' time-outs, minutes later. The kernel's list of
//! sockets tells at once, and asking it disturbs nobody.

use crate::error::LabError;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The kernel's list of sockets.
const SOCKETS: &str = "/proc/net/unix";

/// In the list's column of flags: the socket listens.
const LISTENS: u32 = 0x1_0000;

/// How often the list is asked.
const OFTEN: Duration = Duration::from_millis(500);

/// Watches the sockets of cards.
pub struct Watch {
    sockets: Vec<PathBuf>,
    next: Instant,
}

impl Watch {
    /// Those that are served now, as far as this process can see.
    pub fn new(sockets: &[PathBuf]) -> Self {
        let list = fs::read_to_string(SOCKETS).unwrap_or_default();
        let served = sockets.iter().filter(|socket| is_served(&list, socket));
        Self { sockets: served.cloned().collect(), next: Instant::now() + OFTEN }
    }

    /// An error when one of them is served no more.
    pub fn check(&mut self) -> Result<(), LabError> {
        if self.sockets.is_empty() || Instant::now() < self.next {
            return Ok(());
        }
        self.next = Instant::now() + OFTEN;
        let Ok(list) = fs::read_to_string(SOCKETS) else {
            return Ok(());
        };
        match self.sockets.iter().find(|socket| !is_served(&list, socket)) {
            Some(gone) => Err(LabError::CardGone(gone.clone())),
            None => Ok(()),
        }
    }
}

/// Whether a socket is in the list, and listens. A line has seven columns and the path.
fn is_served(list: &str, socket: &Path) -> bool {
    list.lines().any(|line| {
        let mut columns = line.split_whitespace();
        let flags = columns.nth(3).and_then(|flags| u32::from_str_radix(flags, 16).ok());
        let path = columns.nth(3);
        flags.is_some_and(|flags| flags & LISTENS != 0) && path.map(Path::new) == Some(socket)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_is_served_until_its_listener_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("card.sock");
        let listener = UnixListener::bind(&socket).expect("bound");
        let mut watch = Watch::new(&[socket.clone(), folder.path().join("never")]);
        let _client = UnixStream::connect(&socket).expect("connected");
        let mut check = || {
            watch.next = Instant::now();
            watch.check()
        };
        assert!(check().is_ok());
        drop(listener);
        assert!(socket.exists(), "its file stays");
        assert!(matches!(check(), Err(LabError::CardGone(gone)) if gone == socket));
    }
}
