//! The cache folder: where the guest is kept, who may change it, and what is whole in it.
//!
//! A set is made in a folder of its own whose name says that it is not done, and gets its name
//! when all is in it, its stamp last. So a set-up that is interrupted leaves no set, and a stamp
//! that differs from what this version would make leaves the set out of use.

use crate::error::{LabError, on};
use crate::process::Stop;
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a set-up by someone else is waited for.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// What a set was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The recipe, word for word: another one makes another set.
    pub recipe: String,
    /// Its hash, by which people tell two sets apart.
    pub hash: String,
    /// The files of the packages, which say their versions.
    pub packages: Vec<String>,
    /// The kernel's release, as `uname -r` says it.
    pub kernel: String,
}

/// The right to use the cache, given back when dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

impl Cache {
    /// The folder that was given, else the one that the XDG base directories say.
    pub fn at(given: Option<&Path>) -> Result<Self, LabError> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let folder = match given {
            Some(folder) => folder.to_path_buf(),
            None => variable("XDG_CACHE_HOME")
                .or_else(|| variable("HOME").map(|home| home.join(".cache")))
                .ok_or(LabError::NoCache)?
                .join("doorbell/lab"),
        };
        fs::create_dir_all(&folder).map_err(on("make", &folder))?;
        // QEMU's options and apt's settings take no relative names.
        let folder = folder.canonicalize().map_err(on("read", &folder))?;
        Ok(Self { folder })
    }

    /// A place in the cache.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A set for one's own: nobody else uses it or makes it.
    pub fn exclusive(&self, set: &str, stop: &Stop, progress: &Progress) -> Result<Lock, LabError> {
        self.lock(set, stop, progress, PATIENCE, File::try_lock)
    }

    /// A set together with others that use it: nobody changes it.
    pub fn shared(&self, set: &str, stop: &Stop, progress: &Progress) -> Result<Lock, LabError> {
        self.lock(set, stop, progress, PATIENCE, File::try_lock_shared)
    }

    fn lock(
        &self,
        set: &str,
        stop: &Stop,
        progress: &Progress,
        patience: Duration,
        take: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Lock, LabError> {
        let path = self.path(&format!("{set}.lock"));
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(on("open", &path))?;
        let start = Instant::now();
        let mut told = false;
        loop {
            match take(&file) {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::Error(error)) => return Err(on("lock", &path)(error)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                    return Err(LabError::Busy { cache: self.folder.clone(), waited: patience });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                progress.say("waiting for another `doorbell lab` that uses the cache");
                told = true;
            }
            stop.check()?;
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The stamp of a set, if the set is whole and made by this recipe.
    pub fn stamp(&self, set: &str, recipe: &str) -> Option<Stamp> {
        let text = fs::read(self.path(set).join("stamp.json")).ok()?;
        let stamp: Stamp = serde_json::from_slice(&text).ok()?;
        (stamp.recipe == recipe).then_some(stamp)
    }

    /// An empty folder to make a set in.
    pub fn begin(&self, set: &str) -> Result<PathBuf, LabError> {
        let folder = self.path(&format!("{set}.unfinished"));
        remove(&folder)?;
        fs::create_dir_all(&folder).map_err(on("make", &folder))?;
        Ok(folder)
    }

    /// The set is whole: stamps it and gives it its name.
    pub fn finish(&self, set: &str, stamp: &Stamp) -> Result<(), LabError> {
        let made = self.path(&format!("{set}.unfinished"));
        let path = made.join("stamp.json");
        let text =
            serde_json::to_vec_pretty(stamp).map_err(|error| on("write", &path)(error.into()))?;
        fs::write(&path, text).map_err(on("write", &path))?;
        let (named, old) = (self.path(set), self.path(&format!("{set}.old")));
        remove(&old)?;
        if named.exists() {
            fs::rename(&named, &old).map_err(on("rename", &named))?;
        }
        fs::rename(&made, &named).map_err(on("rename", &made))?;
        remove(&old)
    }
}

/// Removes a folder if it is there. Packages hold folders that only root may look into, so the
/// rights are put right where that is needed.
pub(crate) fn remove(folder: &Path) -> Result<(), LabError> {
    if !folder.exists() {
        return Ok(());
    }
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    make_writable(folder);
    fs::remove_dir_all(folder).map_err(on("remove", folder))
}

/// Lets the owner write in every folder below.
fn make_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// A hash of a text, FNV-1a of 64 bits, as 16 hex digits. It names; it protects nothing.
pub(crate) fn hash(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(recipe: &str) -> Stamp {
        let packages = vec!["kmod_34.2-2_amd64.deb".to_string()];
        let kernel = "6.12".to_string();
        Stamp { recipe: recipe.to_string(), hash: hash(recipe), packages, kernel }
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(folder.path())).expect("a cache");
        (folder, cache)
    }

    #[test]
    fn a_set_that_is_not_finished_is_no_set() {
        let (_folder, cache) = cache();
        let made = cache.begin("base").expect("a folder");
        fs::write(made.join("half"), "").expect("written");
        assert_eq!(cache.stamp("base", "one"), None);
        let again = cache.begin("base").expect("a folder");
        assert!(!again.join("half").exists(), "what was left half done is gone");
        cache.finish("base", &stamp("one")).expect("finished");
        assert_eq!(cache.stamp("base", "one"), Some(stamp("one")));
    }

    #[test]
    fn a_changed_recipe_or_a_broken_stamp_makes_a_set_anew() {
        let (_folder, cache) = cache();
        cache.begin("base").expect("a folder");
        cache.finish("base", &stamp("one")).expect("finished");
        assert_eq!(cache.stamp("base", "two"), None);
        let made = cache.begin("base").expect("a folder");
        fs::write(made.join("new"), "").expect("written");
        cache.finish("base", &stamp("two")).expect("finished over the old one");
        assert!(cache.path("base/new").exists() && !cache.path("base.old").exists());
        fs::write(cache.path("base/stamp.json"), "{\"recipe\": \"tw").expect("cut");
        assert_eq!(cache.stamp("base", "two"), None);
    }

    #[test]
    fn two_set_ups_are_kept_apart_and_users_are_not() {
        let (_folder, cache) = cache();
        let (stop, silent) = (Stop::default(), Progress::silent());
        let short = Duration::from_millis(150);
        let one = cache.shared("base", &stop, &silent).expect("first");
        let two = cache.shared("base", &stop, &silent).expect("second beside it");
        let busy = cache.lock("base", &stop, &silent, short, File::try_lock);
        assert!(matches!(busy, Err(LabError::Busy { .. })));
        drop((one, two));
        let _alone = cache.lock("base", &stop, &silent, short, File::try_lock).expect("now alone");
        stop.ask();
        assert!(matches!(cache.shared("base", &stop, &silent), Err(LabError::Stopped)));
    }

    #[test]
    fn the_hash_is_fnv() {
        // From the reference vectors of FNV-1a, 64 bits.
        assert_eq!(hash(""), "cbf29ce484222325");
        assert_eq!(hash("foobar"), "85944171f73967e8");
    }
}
