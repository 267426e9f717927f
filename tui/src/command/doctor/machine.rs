//! What is read of a machine: small files, names of links, and whether a file opens. Everything
//! lies below a root, so that the same questions can be asked of a folder that looks like a machine.
//!
//! Only plain files are read and only their beginning, so that no pipe and no endless file can
//! hold the reader up. A driver may still take its time to answer for a card that has died:
//! [`Machine::looks_at`] says which file is being asked for then.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most that is read of a file of sysfs or proc.
const SMALL: u64 = 64 << 10;

/// The most that is read of the kernel's lists of modules.
const LARGE: u64 = 8 << 20;

/// The most entries of a folder that are looked at.
const ENTRIES: usize = 4096;

/// A machine, by the root of its file system.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
    /// The file that was asked for last.
    now: Arc<Mutex<PathBuf>>,
}

impl Machine {
    /// The machine whose file system begins at `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf(), now: Arc::default() }
    }

    /// Where a path of that machine is here.
    pub fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The file that was asked for last, as that machine calls it.
    pub fn looks_at(&self) -> PathBuf {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        Path::new("/").join(now.strip_prefix(&self.root).unwrap_or(&now))
    }

    fn look(&self, path: &str) -> PathBuf {
        let place = self.place(path);
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&place);
        place
    }

    fn metadata(&self, path: &str) -> Option<Metadata> {
        fs::metadata(self.look(path)).ok()
    }

    /// Whether there is such a file or folder.
    pub fn has(&self, path: &str) -> bool {
        self.metadata(path).is_some()
    }

    /// Whether there is such a folder.
    pub fn has_folder(&self, path: &str) -> bool {
        self.metadata(path).is_some_and(|found| found.is_dir())
    }

    /// Whether there is such a plain file.
    pub fn has_file(&self, path: &str) -> bool {
        self.metadata(path).is_some_and(|found| found.is_file())
    }

    /// The text of a small file, without the spaces around it.
    pub fn word(&self, path: &str) -> Option<String> {
        self.text(path, SMALL).map(|text| text.trim().to_owned())
    }

    /// The text of a list that may be long.
    pub fn list(&self, path: &str) -> Option<String> {
        self.text(path, LARGE)
    }

    fn text(&self, path: &str, most: u64) -> Option<String> {
        if !self.has_file(path) {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = File::from(open(self.place(path), flags, Mode::empty()).ok()?);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A number as the kernel writes them: `0x15b3`, or ten digits.
    pub fn number(&self, path: &str) -> Option<u64> {
        let text = self.word(path)?;
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// The names in a folder, the shorter before the longer: `mlx5_2` before `mlx5_10`. Names that
    /// the kernel does not give are left out.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.look(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(ENTRIES).filter(|name| is_plain(name)).collect();
        names.sort_by(|left, right| (left.len(), left).cmp(&(right.len(), right)));
        names
    }

    /// The last part of what a link points to: the driver of a device, the group of a card.
    pub fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.look(path)).ok()?;
        target.file_name()?.to_str().filter(|name| is_plain(name)).map(str::to_owned)
    }

    /// Opens a device's file for reading and writing, and closes it again. In a folder that only
    /// looks like a machine a plain file stands for it.
    pub fn opens(&self, path: &str) -> Result<(), Errno> {
        let kind = fs::metadata(self.look(path))
            .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))?;
        if !kind.file_type().is_char_device() && !kind.is_file() {
            return Err(Errno::NODEV);
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        open(self.place(path), flags, Mode::empty()).map(drop)
    }
}

/// Whether a name is as the kernel gives them, so that it can stand in a command.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
}
