//! Setting the guest up, once: packages fetched and checked, unpacked, and made bootable.
//!
//! The base set holds QEMU, the kernel and the RDMA programs. Each set of `--with` packages is a
//! set of its own that holds what the base lacks, and lies on top of it in the guest.

use crate::apt::mirror;
use crate::apt::package::Package;
use crate::apt::private::{Fetch, PrivateApt, RELEASE};
use crate::cache::{Cache, Lock, Stamp, hash};
use crate::error::{LabError, on};
use crate::image::initramfs;
use crate::process::{Stop, on_path, succeed};
use crate::progress::{Progress, megabytes};
use crate::tree::Tree;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

mod dress;
mod with;

/// What the guest consists of. QEMU is of the backports: only its newer versions have the device
/// `vfio-user-pci`.
const PACKAGES: [&str; 22] = [
    "qemu-system-x86/trixie-backports",
    "qemu-system-common/trixie-backports",
    "qemu-system-data/trixie-backports",
    "seabios/trixie-backports",
    "linux-image-amd64",
    "libc6",
    "kmod",
    "xz-utils",
    "busybox-static",
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "ncurses-base",
    "iproute2",
    "pciutils",
    "rdma-core",
    "ibverbs-providers",
    "ibverbs-utils",
    "rdmacm-utils",
    "infiniband-diags",
    "perftest",
];

/// Where the keys are that Debian's packages are checked with: those of its package
/// debian-archive-keyring.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How the set-up is to be done.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The Debian mirror; the machine's own if none is given.
    pub mirror: Option<String>,
    /// The keys that Debian's packages are checked with.
    pub keyring: Option<PathBuf>,
    /// More packages for the guest.
    pub with: Vec<Package>,
}

/// The sets of one guest, held so that nobody changes them while it runs.
#[derive(Debug)]
pub struct Sets {
    /// The base: QEMU's tree, and the lowest layer.
    pub tree: Tree,
    /// The first file system of the guest.
    pub initramfs: PathBuf,
    /// The layer of the `--with` packages.
    pub with: Option<PathBuf>,
    /// What the base was made of.
    pub stamp: Stamp,
    _locks: Vec<Lock>,
}

/// Gives the sets, after making those that are not there; `again` makes the base anew.
pub fn set_up(
    cache: &Cache,
    options: &Options,
    again: bool,
    stop: &Stop,
    progress: &mut Progress,
) -> Result<Sets, LabError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(LabError::Machine(std::env::consts::ARCH));
    }
    let work = Work { cache, options, stop };
    let recipe = base_recipe();
    let (mut lock, mut stamp) = work.whole("base", &recipe, progress)?;
    if again || stamp.is_none() {
        drop(lock);
        let alone = cache.exclusive("base", stop, progress)?;
        // Another set-up may have made it while this one waited.
        if again || cache.stamp("base", &recipe).is_none() {
            work.base(&recipe, progress)?;
        }
        drop(alone);
        (lock, stamp) = work.whole("base", &recipe, progress)?;
    }
    let missing =
        || LabError::Missing { what: "stamp.json".to_string(), place: cache.path("base") };
    let stamp = stamp.ok_or_else(missing)?;
    let mut locks = vec![lock];
    let with = work.with(&stamp, &mut locks, progress)?;
    let initramfs = cache.path("base/initramfs.cpio");
    Ok(Sets { tree: Tree::at(&cache.path("base/tree")), initramfs, with, stamp, _locks: locks })
}

/// What makes a base: a change in any of it makes a new one.
fn base_recipe() -> String {
    let packages = PACKAGES.join(" ");
    format!(
        "base, form 1\nrelease {RELEASE}\npackages {packages}\n{}\n{}",
        dress::RECIPE,
        initramfs::INIT
    )
}

/// One set-up under way.
struct Work<'a> {
    cache: &'a Cache,
    options: &'a Options,
    stop: &'a Stop,
}

impl Work<'_> {
    /// A shared hold of a set, and its stamp if it is whole.
    fn whole(
        &self,
        set: &str,
        recipe: &str,
        progress: &Progress,
    ) -> Result<(Lock, Option<Stamp>), LabError> {
        let lock = self.cache.shared(set, self.stop, progress)?;
        let stamp = self.cache.stamp(set, recipe);
        Ok((lock, stamp))
    }

    /// Makes the base.
    fn base(&self, recipe: &str, progress: &mut Progress) -> Result<(), LabError> {
        require_tools()?;
        let mirror = mirror::choose(self.options.mirror.as_deref(), self.stop)?;
        progress
            .say(&format!("setting the guest up, once, in {}", self.cache.path("base").display()));
        progress.say(&format!("packages of Debian {RELEASE} from {mirror}"));
        let _apt = self.cache.exclusive("apt", self.stop, progress)?;
        let apt = PrivateApt::make(&self.cache.path("apt"), &mirror, &self.keyring())?;
        apt.update(self.stop, progress)?;
        let packages: Vec<Package> =
            PACKAGES.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        let plan = apt.plan(&packages, self.stop)?;
        let bytes = plan.iter().map(|fetch| fetch.size).sum();
        progress.say(&format!("{} packages, {} to fetch at most", plan.len(), megabytes(bytes)));
        apt.download(&packages, &plan, self.stop, progress)?;
        let made = self.cache.begin("base")?;
        let tree = Tree::at(&made.join("tree"));
        self.unpack(&apt, &plan, &tree, progress)?;
        progress.begin("making it bootable");
        let kernel = tree.kernel_release()?;
        dress::base(&tree, self.stop)?;
        let archive = initramfs::build(&tree, self.stop)?;
        let path = made.join("initramfs.cpio");
        fs::write(&path, archive).map_err(on("write", &path))?;
        let path = made.join("status");
        fs::write(&path, self.status(&apt, &plan)?).map_err(on("write", &path))?;
        self.cache.finish("base", &stamp(recipe, &plan, kernel))?;
        prune(&apt, &plan);
        progress.end();
        Ok(())
    }

    fn unpack(
        &self,
        apt: &PrivateApt,
        plan: &[Fetch],
        tree: &Tree,
        progress: &mut Progress,
    ) -> Result<(), LabError> {
        progress.begin("unpacking");
        dress::roots(tree)?;
        for (index, fetch) in plan.iter().enumerate() {
            progress.count(index, plan.len());
            let mut command = Command::new("dpkg-deb");
            command.arg("--extract").arg(apt.archives().join(&fetch.file)).arg(tree.root());
            succeed(&mut command, self.stop, Duration::from_secs(600))?;
        }
        progress.end();
        Ok(())
    }

    /// The base as apt would know it installed: what is added later then needs only what it lacks.
    fn status(&self, apt: &PrivateApt, plan: &[Fetch]) -> Result<String, LabError> {
        let mut status = String::new();
        for fetch in plan {
            let mut command = Command::new("dpkg-deb");
            command.arg("--field").arg(apt.archives().join(&fetch.file));
            let fields = succeed(&mut command, self.stop, Duration::from_secs(60))?;
            status.push_str(fields.trim_end());
            status.push_str("\nStatus: install ok installed\n\n");
        }
        Ok(status)
    }

    fn keyring(&self) -> PathBuf {
        self.options.keyring.clone().unwrap_or_else(|| PathBuf::from(KEYRING))
    }
}

fn stamp(recipe: &str, plan: &[Fetch], kernel: String) -> Stamp {
    let packages = plan.iter().map(|fetch| fetch.file.clone()).collect();
    Stamp { recipe: recipe.to_string(), hash: hash(recipe), packages, kernel }
}

/// The packages' files have done their work once they are unpacked; what stays is no error.
fn prune(apt: &PrivateApt, plan: &[Fetch]) {
    for fetch in plan {
        let _ = fs::remove_file(apt.archives().join(&fetch.file));
    }
}

/// The programs of the host that the set-up calls, each with its package in Debian.
pub const TOOLS: [(&str, &str); 4] =
    [("apt-get", "apt"), ("apt-config", "apt"), ("dpkg-deb", "dpkg"), ("tar", "tar")];

fn require_tools() -> Result<(), LabError> {
    let lacking: Vec<_> = TOOLS.iter().filter(|(program, _)| !on_path(program)).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = lacking.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    let programs = lacking.iter().map(|(program, _)| *program).collect();
    Err(LabError::Tools { programs, packages: packages.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_holds_all_that_makes_a_base() {
        let recipe = base_recipe();
        for part in ["qemu-system-x86/trixie-backports", "perftest", "switch_root", "etc/passwd"] {
            assert!(recipe.contains(part), "{part}");
        }
    }

    #[test]
    fn every_package_of_the_base_has_a_good_name() {
        for package in PACKAGES {
            package.parse::<Package>().expect("a name");
        }
    }
}
