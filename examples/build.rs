//! Collects the source files that a trace brings along: the driver's, the card's and its
//! server's, and ours.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders whose files a trace may point into, from the root of the workspace.
const FOLDERS: [&str; 4] = ["driver/src", "card/src", "card/server/src", "examples/src"];

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let root = manifest.parent().expect("the crate lies in the workspace");
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    let named = |file: &PathBuf| {
        let path = file.strip_prefix(root).expect("collected below the root");
        path.to_str().expect("source paths are plain text").replace('\\', "/")
    };
    // By the text of the path, as it is looked up: paths compare otherwise, part by part.
    files.sort_by_cached_key(named);
    let mut table = String::from("&[\n");
    for file in &files {
        let path = named(file);
        writeln!(table, "    ({path:?}, include_str!({file:?})),").expect("a string takes it");
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("sources.rs"), table)
}

/// Adds every Rust file below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
