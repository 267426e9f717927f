//! Writes the table of the files that the book is made from, so that they travel in the binary:
//! notes, chapters, theme and player. A new file needs no line here.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folders that are embedded, and the name of each one's table.
const FOLDERS: [(&str, &str); 3] =
    [("notes", "NOTES"), ("chapters", "CHAPTERS"), ("theme", "THEME")];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut tables = String::new();
    for (folder, name) in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        collect(&root.join(folder), "", &mut files)?;
        files.sort();
        writeln!(tables, "/// The files of `{folder}/`, by path in it.")?;
        writeln!(tables, "pub(crate) const {name}: &[(&str, &[u8])] = &[")?;
        for (path, file) in files {
            writeln!(tables, "    ({path:?}, include_bytes!({file:?})),")?;
        }
        writeln!(tables, "];")?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("files.rs"), tables)?;
    Ok(())
}

/// Collects the files of `folder` and of those in it: path from the first folder, and full path.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push((path, entry.path()));
        }
    }
    Ok(())
}
