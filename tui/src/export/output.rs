//! Where an export goes: a file that is there when it is whole, or a stream.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The output of an export.
pub(super) struct Output {
    to: BufWriter<Box<dyn Write>>,
    /// The file that is being written, and what it is called when it is whole.
    rename: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// The standard output.
    pub(super) fn stdout() -> Self {
        Self::of(Box::new(io::stdout().lock()), None)
    }

    /// A file at `path`. Until it is whole it is called `path` with `.part` behind it: what is
    /// there already stays if the export fails. A pipe or a device is written to as it is.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        if path.metadata().is_ok_and(|data| !data.is_file()) {
            return Ok(Self::of(Box::new(File::options().write(true).open(path)?), None));
        }
        // A file that takes no writes shall not be replaced by one that does.
        if path.exists() {
            File::options().append(true).open(path)?;
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part)?;
        Ok(Self::of(Box::new(file), Some((part, path.to_owned()))))
    }

    fn of(to: Box<dyn Write>, rename: Option<(PathBuf, PathBuf)>) -> Self {
        Self { to: BufWriter::with_capacity(1 << 16, to), rename }
    }

    /// Says that all was written: the file gets its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()?;
        match self.rename.take() {
            Some((part, path)) => fs::rename(&part, path).inspect_err(|_| {
                let _ = fs::remove_file(&part);
            }),
            None => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Drop for Output {
    /// Removes what was not finished.
    fn drop(&mut self) {
        if let Some((part, _)) = &self.rename {
            // The error that brought us here is told; that the rest cannot go away is a lesser one.
            let _ = fs::remove_file(part);
        }
    }
}
