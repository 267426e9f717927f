//! The folders of one run: its layer, its sockets, its logs. The first two are gone when it ends;
//! what a lab that was killed left is removed by the next one.

use crate::cache::{Cache, remove};
use crate::error::{LabError, on};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

/// How many runs' logs are kept.
const KEPT: usize = 16;

/// The folders of one run.
#[derive(Debug)]
pub struct Folder {
    layer: Held,
    sockets: Held,
    /// The folder of the logs: `console.log` and `qemu.log`.
    pub logs: PathBuf,
}

/// A folder that is removed when it is dropped, and by the next lab if this one is killed.
#[derive(Debug)]
pub struct Held {
    folder: TempDir,
    _lock: File,
}

impl Held {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes one that only its owner may enter.
    fn make(prefix: &str, place: &Path) -> io::Result<Self> {
        sweep(prefix, place);
        loop {
            let rights = fs::Permissions::from_mode(0o700);
            let folder =
                tempfile::Builder::new().prefix(prefix).permissions(rights).tempdir_in(place)?;
            let lock = File::create(folder.path().join(LOCK))?;
            lock.lock()?;
            // Another lab that swept before the lock was taken has removed the folder.
            if folder.path().join(LOCK).exists() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }
}

/// The file that is locked while a folder is in use.
const LOCK: &str = "lock";

impl Folder {
    /// Makes them.
    pub fn make(cache: &Cache) -> Result<Self, LabError> {
        let runs = cache.path("runs");
        fs::create_dir_all(&runs).map_err(on("make", &runs))?;
        let layer = Held::make("run-", &runs).map_err(on("make a folder in", &runs))?;
        fs::create_dir(layer.path().join("layer")).map_err(on("make", layer.path()))?;
        let logs = cache.path("logs");
        fs::create_dir_all(&logs).map_err(on("make", &logs))?;
        prune(&logs);
        let logs = logs.join(layer.path().file_name().unwrap_or_default());
        fs::create_dir_all(&logs).map_err(on("make", &logs))?;
        Ok(Self { layer, sockets: sockets()?, logs })
    }

    /// The layer of the run.
    pub fn layer(&self) -> PathBuf {
        self.layer.path().join("layer")
    }

    /// The folder of the sockets, which only their owner may enter.
    pub fn sockets(&self) -> &Path {
        self.sockets.path()
    }
}

/// A folder for sockets, with a name short enough: the address of a socket has 107 bytes.
pub fn sockets() -> Result<Held, LabError> {
    let usual = std::env::temp_dir();
    let place = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let place =
        place.filter(|place| place.is_dir() && place.as_os_str().len() < 60).unwrap_or(usual);
    let made = Held::make("doorbell-lab-", &place);
    made.or_else(|_| Held::make("doorbell-lab-", &std::env::temp_dir()))
        .map_err(on("make a folder in", &place))
}

/// Removes the folders of this user whose labs are over: nobody holds their locks.
fn sweep(prefix: &str, place: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_string_lossy().starts_with(prefix);
        let is_own = entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == own);
        if !is_named || !is_own {
            continue;
        }
        // The lock is held until the folder is gone: who is just making it notices.
        let lock = File::open(entry.path().join(LOCK));
        let is_over = match &lock {
            Ok(lock) => lock.try_lock().is_ok(),
            // One that is just being made has none yet.
            Err(_) => age(&entry.path()).is_some_and(|seconds| seconds > 60),
        };
        if is_over {
            // What cannot be removed now is removed another time.
            let _ = remove(&entry.path());
        }
    }
}

/// Removes the oldest logs.
fn prune(logs: &Path) {
    let entries = fs::read_dir(logs).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.sort_by_key(|folder| age(folder).unwrap_or(0));
    for folder in folders.iter().skip(KEPT - 1) {
        let _ = remove(folder);
    }
}

/// How many seconds ago a file was changed.
fn age(path: &Path) -> Option<u64> {
    let changed = fs::metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(changed).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_leaves_its_logs_and_nothing_else() {
        let place = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(place.path())).expect("a cache");
        let folder = Folder::make(&cache).expect("made");
        let (layer, sockets, logs) =
            (folder.layer(), folder.sockets().to_path_buf(), folder.logs.clone());
        let other = Folder::make(&cache).expect("made beside it");
        let rights = fs::metadata(&sockets).expect("there").permissions().mode();
        assert_eq!(rights & 0o777, 0o700, "others may not enter");
        assert!(layer.is_dir() && sockets.is_dir() && logs.is_dir() && other.layer().is_dir());
        drop(folder);
        assert!(!layer.exists() && !sockets.exists() && logs.is_dir());
    }

    #[test]
    fn what_a_killed_run_left_is_swept() {
        let place = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(place.path())).expect("a cache");
        let left = cache.path("runs/run-left");
        fs::create_dir_all(left.join("layer")).expect("made");
        fs::write(left.join("lock"), "").expect("written");
        let _run = Folder::make(&cache).expect("made");
        assert!(!left.exists());
    }

    #[test]
    fn labs_that_start_together_do_not_sweep_each_other() {
        let place = tempfile::tempdir().expect("a folder");
        let make = || (0..200).map(|_| Held::make("run-", place.path()).expect("made")).all(kept);
        fn kept(held: Held) -> bool {
            held.path().join(LOCK).exists()
        }
        std::thread::scope(|scope| {
            let labs = [(); 4].map(|()| scope.spawn(make));
            assert!(labs.into_iter().all(|lab| lab.join().expect("no panic")));
        });
    }

    #[test]
    fn only_the_newest_logs_are_kept() {
        let place = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(place.path())).expect("a cache");
        for _ in 0..KEPT + 4 {
            Folder::make(&cache).expect("made");
        }
        assert_eq!(fs::read_dir(cache.path("logs")).expect("there").count(), KEPT);
    }
}
