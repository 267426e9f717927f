//! Where a program's socket is.

use std::path::{Path, PathBuf};

/// A program's number that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither a path nor a program's number; `--trace-socket` printed the path when the program began"
)]
pub struct PlaceError(pub String);

/// The socket of the program with that number, if it was given no path.
pub fn default_place(pid: u32) -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir);
    folder.join(format!("doorbell-{pid}.socket"))
}

/// The socket that a user means: the number of a program, or a path.
pub fn place_of(target: &str) -> Result<PathBuf, PlaceError> {
    if target.is_empty() {
        return Err(PlaceError(target.to_owned()));
    }
    if !target.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Path::new(target).to_owned());
    }
    target.parse().map(default_place).map_err(|_| PlaceError(target.to_owned()))
}
