//! The guest's packages, unpacked, and running their programs on the host.
//!
//! The tree's programs need the tree's C library. Its own loader starts them with its own
//! libraries, so that nothing of the host's has to fit, and neither root nor chroot is needed.

use crate::error::{LabError, on};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the libraries, below the tree.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// A folder with unpacked packages.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The tree in that folder.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Its root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file in it, which must be there.
    pub fn file(&self, name: &str) -> Result<PathBuf, LabError> {
        let path = self.root.join(name);
        match path.exists() {
            true => Ok(path),
            false => Err(LabError::Missing { what: name.to_string(), place: self.root.clone() }),
        }
    }

    /// A command that runs one of its programs, as `usr/sbin/depmod`.
    pub fn command(&self, program: &str) -> Result<Command, LabError> {
        let loader = self.file(&format!("{LIBRARIES}/ld-linux-x86-64.so.2"))?;
        let mut command = Command::new(loader);
        command.arg("--inhibit-cache").arg("--library-path").arg(self.root.join(LIBRARIES));
        command.arg(self.file(program)?);
        // What is meant for the host's programs may break the tree's.
        command.env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
        Ok(command)
    }

    /// The release of its kernel, as `uname -r` says it.
    pub fn kernel_release(&self) -> Result<String, LabError> {
        let modules = self.root.join("usr/lib/modules");
        let entries = fs::read_dir(&modules).map_err(on("read", &modules))?;
        let mut releases: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().join("kernel").is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        releases.sort();
        let missing = || LabError::Missing { what: "kernel modules".to_string(), place: modules };
        releases.pop().ok_or_else(missing)
    }

    /// Its kernel.
    pub fn kernel(&self) -> Result<PathBuf, LabError> {
        self.file(&format!("boot/vmlinuz-{}", self.kernel_release()?))
    }
}
