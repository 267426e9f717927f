//! What can go wrong when the card is to be served.

use std::io;
use std::path::PathBuf;

/// Why the card is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket's folder lets others in.
    #[error(
        "{folder} can be entered by others; give a socket in a folder of its own, or `chmod 0700 {folder}`",
        folder = .0.display()
    )]
    OpenFolder(PathBuf),
    /// The socket's path has no folder.
    #[error("{} names no file in a folder; give the path of a socket", .0.display())]
    NoFolder(PathBuf),
    /// Somebody serves there already.
    #[error("another server answers at {}; stop it, or give another path", .0.display())]
    InUse(PathBuf),
    /// Something that is not a socket lies there.
    #[error("{} is there already and is no socket; remove it, or give another path", .0.display())]
    NotASocket(PathBuf),
    /// A step that needs the system failed.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The server was told to stop while a guest held the connection.
    #[error("a guest still holds the connection; end the guest, then stop again")]
    StillConnected,
}

/// Says what was being done when the system refused.
pub(crate) fn doing<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> ServeError {
    move |error| ServeError::System { doing, source: error.into() }
}
