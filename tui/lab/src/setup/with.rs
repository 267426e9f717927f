//! The sets of `--with` packages: what they need beyond the base.

use super::{Work, prune, require_tools, stamp};
use crate::apt::package::Package;
use crate::apt::private::PrivateApt;
use crate::cache::{Lock, Stamp, hash};
use crate::error::LabError;
use crate::progress::Progress;
use crate::tree::Tree;
use std::path::PathBuf;

impl Work<'_> {
    /// The layer of the `--with` packages, made if it is not there.
    pub(super) fn with(
        &self,
        base: &Stamp,
        locks: &mut Vec<Lock>,
        progress: &mut Progress,
    ) -> Result<Option<PathBuf>, LabError> {
        if self.options.with.is_empty() {
            return Ok(None);
        }
        let mut wanted = self.options.with.clone();
        wanted.sort();
        wanted.dedup();
        let names: Vec<&str> = wanted.iter().map(Package::name).collect();
        let recipe = format!(
            "with {}\nform 1\nbase {}\n{}",
            names.join(" "),
            base.hash,
            base.packages.join("\n")
        );
        let set = format!("with-{}", hash(&names.join(" ")));
        let (mut lock, stamp) = self.whole(&set, &recipe, progress)?;
        if stamp.is_none() {
            drop(lock);
            let alone = self.cache.exclusive(&set, self.stop, progress)?;
            if self.cache.stamp(&set, &recipe).is_none() {
                self.more(&set, &recipe, base, &wanted, progress)?;
            }
            drop(alone);
            (lock, _) = self.whole(&set, &recipe, progress)?;
        }
        locks.push(lock);
        Ok(Some(self.cache.path(&set).join("tree")))
    }

    /// Makes a set of `--with` packages.
    fn more(
        &self,
        set: &str,
        recipe: &str,
        base: &Stamp,
        wanted: &[Package],
        progress: &mut Progress,
    ) -> Result<(), LabError> {
        require_tools()?;
        let _apt = self.cache.exclusive("apt", self.stop, progress)?;
        let apt = PrivateApt::open(&self.cache.path("apt"), &self.cache.path("base/status"));
        let plan = apt.plan(wanted, self.stop)?;
        progress.say(&format!("{} more packages for the guest", plan.len()));
        apt.download(wanted, &plan, self.stop, progress)?;
        let made = self.cache.begin(set)?;
        let tree = Tree::at(&made.join("tree"));
        self.unpack(&apt, &plan, &tree, progress)?;
        self.cache.finish(set, &stamp(recipe, &plan, base.kernel.clone()))?;
        prune(&apt, &plan);
        Ok(())
    }
}
