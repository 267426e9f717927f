//! The first file system of the guest: busybox, the modules that reach the host's shares, and a
//! script that mounts them. All else the guest reads from there, so this stays small and boots
//! fast even without hardware acceleration.

use crate::error::{LabError, on};
use crate::image::cpio::Archive;
use crate::process::{Stop, succeed};
use crate::tree::Tree;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What init runs.
pub const INIT: &str = include_str!("../inside/init.sh");

/// The modules it needs; those that they need are found.
const MODULES: [&str; 3] = ["9p", "9pnet_virtio", "overlay"];

/// Builds the archive from a tree whose modules have been indexed.
pub fn build(tree: &Tree, stop: &Stop) -> Result<Vec<u8>, LabError> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "layer", "memory", "modules", "proc", "root", "sys"] {
        archive.folder(folder);
    }
    archive.program("bin/busybox", &read(&tree.file("usr/bin/busybox")?)?);
    archive.program("init", INIT.as_bytes());
    let mut order = String::new();
    for module in needed(tree)? {
        let name = format!("{}.ko", stem(&module));
        archive.file(&format!("modules/{name}"), &uncompressed(tree, &module, stop)?);
        order.push_str(&name);
        order.push('\n');
    }
    archive.file("modules/order", order.as_bytes());
    Ok(archive.finish())
}

/// The files of the modules, each after those that it needs.
fn needed(tree: &Tree) -> Result<Vec<String>, LabError> {
    let path = tree.file(&format!("usr/lib/modules/{}/modules.dep", tree.kernel_release()?))?;
    let text = String::from_utf8_lossy(&read(&path)?).into_owned();
    let mut order = Vec::new();
    for module in MODULES {
        let line = line_of(&text, module);
        let missing =
            || LabError::Missing { what: format!("module {module}"), place: path.clone() };
        let (file, needs) = line.ok_or_else(missing)?;
        // depmod names what is needed directly first, so the reverse is an order to load in.
        for file in needs.into_iter().rev().chain([file]) {
            if !order.contains(&file) {
                order.push(file);
            }
        }
    }
    Ok(order)
}

/// The line of `modules.dep` about a module: its file, and the files that it needs.
fn line_of(text: &str, module: &str) -> Option<(String, Vec<String>)> {
    text.lines().find_map(|line| {
        let (file, needs) = line.split_once(':')?;
        let needs = needs.split_whitespace().map(str::to_string).collect();
        (stem(file) == module).then(|| (file.to_string(), needs))
    })
}

/// The name of a module's file without its folder and its ends.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name)
}

/// The bytes of a module, which Debian keeps compressed.
fn uncompressed(tree: &Tree, file: &str, stop: &Stop) -> Result<Vec<u8>, LabError> {
    let path = tree.file(&format!("usr/lib/modules/{}/{file}", tree.kernel_release()?))?;
    if !file.ends_with(".xz") {
        return read(&path);
    }
    let folder = tempfile::tempdir().map_err(on("make", &std::env::temp_dir()))?;
    let copy = folder.path().join("module.ko.xz");
    fs::copy(&path, &copy).map_err(on("copy", &path))?;
    let mut command = tree.command("usr/bin/xz")?;
    command.args(["--decompress", "--"]).arg(&copy);
    succeed(&mut command, stop, Duration::from_secs(60))?;
    read(&folder.path().join("module.ko"))
}

fn read(path: &Path) -> Result<Vec<u8>, LabError> {
    fs::read(path).map_err(on("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/net/9p/9pnet.ko.xz: kernel/fs/netfs/netfs.ko.xz
kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/fs/overlayfs/overlay.ko:
";

    #[test]
    fn a_module_is_found_by_its_whole_name() {
        let (file, needs) = line_of(DEP, "9p").expect("there");
        assert_eq!(file, "kernel/fs/9p/9p.ko.xz");
        assert_eq!(needs, ["kernel/net/9p/9pnet.ko.xz", "kernel/fs/netfs/netfs.ko.xz"]);
        assert_eq!(line_of(DEP, "overlay").expect("there").1, Vec::<String>::new());
        assert_eq!(line_of(DEP, "p"), None);
    }

    #[test]
    fn modules_are_loaded_after_what_they_need() {
        let folder = tempfile::tempdir().expect("a folder");
        let modules = folder.path().join("usr/lib/modules/6.0");
        fs::create_dir_all(modules.join("kernel")).expect("made");
        let dep = format!(
            "{DEP}kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz\n"
        );
        fs::write(modules.join("modules.dep"), dep).expect("written");
        let order = needed(&Tree::at(folder.path())).expect("all there");
        let names: Vec<&str> = order.iter().map(|file| stem(file)).collect();
        assert_eq!(names, ["netfs", "9pnet", "9p", "9pnet_virtio", "overlay"]);
    }
}
