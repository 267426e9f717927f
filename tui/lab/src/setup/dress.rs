//! What a package's own scripts would do at its installation, as far as the guest needs it:
//! links, accounts, the index of the modules. None of those scripts is run.

use crate::error::{LabError, on};
use crate::process::{Stop, succeed};
use crate::tree::Tree;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The files that are written, with their text: part of the recipe.
pub(super) const RECIPE: &str = concat!(
    "etc/passwd\nroot:x:0:0:root:/root:/bin/bash\n",
    "user:x:1000:1000:a user without rights:/tmp:/bin/bash\n",
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\n",
    "etc/group\nroot:x:0:\ntty:x:5:\nrdma:x:101:\nuser:x:1000:\nnogroup:x:65534:\n\n",
    "etc/hosts\n127.0.0.1 localhost\n10.77.0.1 guest0\n10.77.0.2 guest1\n\n",
    "etc/nsswitch.conf\npasswd: files\ngroup: files\nhosts: files\n\n",
    "etc/profile\n",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/usr/lib/doorbell/applets\n",
    "export PATH\nPS1='\\h:\\w\\$ '\n",
);

/// The links that Debian has in its root since programs and libraries live below `/usr` only.
pub(super) fn roots(tree: &Tree) -> Result<(), LabError> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        let folder = tree.root().join("usr").join(name);
        fs::create_dir_all(&folder).map_err(on("make", &folder))?;
        link(&format!("usr/{name}"), &tree.root().join(name))?;
    }
    Ok(())
}

/// Makes the unpacked base a root that boots.
pub(super) fn base(tree: &Tree, stop: &Stop) -> Result<(), LabError> {
    for name in
        ["dev", "mnt/share", "proc", "root", "run", "sys", "tmp", "usr/lib/doorbell/applets"]
    {
        let folder = tree.root().join(name);
        fs::create_dir_all(&folder).map_err(on("make", &folder))?;
    }
    for file in RECIPE.split("\n\n") {
        if let Some((name, text)) = file.split_once('\n') {
            let path = tree.root().join(name);
            fs::write(&path, format!("{}\n", text.trim_end())).map_err(on("write", &path))?;
        }
    }
    if !tree.root().join("usr/bin/sh").exists() {
        link("bash", &tree.root().join("usr/bin/sh"))?;
    }
    applets(tree, stop)?;
    index_modules(tree, stop)
}

/// Busybox's programs, where no package brings a better one.
fn applets(tree: &Tree, stop: &Stop) -> Result<(), LabError> {
    // It is linked statically, so it runs as it is.
    let mut command = Command::new(tree.file("usr/bin/busybox")?);
    let names = succeed(command.arg("--list"), stop, Duration::from_secs(20))?;
    let is_there = |name: &str| {
        ["usr/bin", "usr/sbin"].iter().any(|f| tree.root().join(f).join(name).exists())
    };
    for name in names.lines().filter(|name| !name.contains('/') && !is_there(name)) {
        link("../../../bin/busybox", &tree.root().join("usr/lib/doorbell/applets").join(name))?;
    }
    Ok(())
}

/// Writes the index that modprobe reads.
fn index_modules(tree: &Tree, stop: &Stop) -> Result<(), LabError> {
    let mut command = tree.command("usr/sbin/depmod")?;
    // The modules are in the base folder's lib, which is a link to usr/lib.
    command.arg("-b").arg(tree.root()).arg(tree.kernel_release()?);
    succeed(&mut command, stop, Duration::from_secs(300)).map(drop)
}

fn link(target: &str, at: &Path) -> Result<(), LabError> {
    match symlink(target, at) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(on("link", at)),
    }
}
