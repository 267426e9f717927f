//! Programs of the host in the guest: each with the loader and the libraries that it runs with
//! here, since the guest's C library may be older or newer.

use crate::error::{LabError, on};
use crate::process::{Stop, succeed};
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the host's files are in the guest.
const HOST: &str = "usr/lib/doorbell/host";

/// Puts a program into a layer: `NAME` in the guest's PATH then runs it.
pub fn add(layer: &Path, program: &Path, stop: &Stop) -> Result<(), LabError> {
    let refuse =
        |why: &str| LabError::HostProgram { program: program.to_path_buf(), why: why.to_string() };
    let name = program.file_name().and_then(|name| name.to_str());
    let is_plain =
        |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c));
    let name = name
        .filter(is_plain)
        .ok_or_else(|| refuse("its name has characters other than letters, digits and _-.+"))?;
    let host = layer.join(HOST);
    fs::create_dir_all(&host).map_err(on("make", &host))?;
    let bin = layer.join("usr/local/bin");
    fs::create_dir_all(&bin).map_err(on("make", &bin))?;
    take(program, &host.join(name))?;
    let Some(loader) = interpreter(program)? else {
        return take(program, &bin.join(name));
    };
    take(&loader, &host.join("loader"))?;
    for library in libraries(&loader, program, stop)? {
        if let Some(file) = library.file_name() {
            take(&library, &host.join(file))?;
        }
    }
    let script = format!(
        "#!/bin/sh\nexec /{HOST}/loader --inhibit-cache --argv0 \"$0\" --library-path /{HOST} /{HOST}/{name} \"$@\"\n"
    );
    let path = bin.join(name);
    fs::write(&path, script).map_err(on("write", &path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(on("write", &path))
}

/// Puts a file there: linked where both are on one file system, else copied.
fn take(from: &Path, to: &Path) -> Result<(), LabError> {
    let from = from.canonicalize().map_err(on("read", from))?;
    let _ = fs::remove_file(to);
    if fs::hard_link(&from, to).is_err() {
        fs::copy(&from, to).map_err(on("copy", &from))?;
    }
    Ok(())
}

/// The libraries that a program is loaded with here, as its own loader finds them.
fn libraries(loader: &Path, program: &Path, stop: &Stop) -> Result<Vec<PathBuf>, LabError> {
    let mut command = Command::new(loader);
    command.arg("--list").arg(program).env("LC_ALL", "C");
    let said = succeed(&mut command, stop, Duration::from_secs(30))?;
    if let Some(line) = said.lines().find(|line| line.contains("not found")) {
        let why = format!("its library is not here: {}", line.trim());
        return Err(LabError::HostProgram { program: program.to_path_buf(), why });
    }
    Ok(listed(&said))
}

/// The files in what the loader lists: `NAME => FILE (ADDRESS)`.
fn listed(text: &str) -> Vec<PathBuf> {
    let files = text.lines().filter_map(|line| line.split_once("=> ")?.1.rsplit_once(" ("));
    files.map(|(file, _)| PathBuf::from(file)).collect()
}

/// The loader that a program asks for; none if it needs none.
fn interpreter(program: &Path) -> Result<Option<PathBuf>, LabError> {
    let mut head = Vec::new();
    let file = fs::File::open(program).map_err(on("read", program))?;
    // The program headers follow the file header, and the loader's name follows them.
    file.take(64 << 10).read_to_end(&mut head).map_err(on("read", program))?;
    match loader_name(&head) {
        Ok(name) => Ok(name),
        Err(why) => {
            Err(LabError::HostProgram { program: program.to_path_buf(), why: why.to_string() })
        }
    }
}

/// Finds the segment `PT_INTERP` in the first bytes of a 64-bit little-endian ELF file.
fn loader_name(head: &[u8]) -> Result<Option<PathBuf>, &'static str> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = head.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    if head.get(..6) != Some(b"\x7fELF\x02\x01") || number(18, 2) != Some(62) {
        return Err("it is no program for x86-64");
    }
    let cut = "its file is cut short";
    let table = number(32, 8).and_then(|at| usize::try_from(at).ok()).ok_or(cut)?;
    let (size, count) = (number(54, 2).ok_or(cut)? as usize, number(56, 2).ok_or(cut)? as usize);
    for index in 0..count {
        let at = table.checked_add(index * size).ok_or(cut)?;
        if number(at, 4).ok_or(cut)? != PT_INTERP {
            continue;
        }
        let field =
            |offset| number(at + offset, 8).and_then(|n| usize::try_from(n).ok()).ok_or(cut);
        let (start, length) = (field(8)?, field(32)?);
        let end = start.checked_add(length).ok_or(cut)?;
        let name = head.get(start..end).ok_or(cut)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        return Ok(Some(PathBuf::from(String::from_utf8_lossy(name).into_owned())));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_loader_lists_is_read() {
        let text = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(listed(text), [PathBuf::from("/lib/x86_64-linux-gnu/libgcc_s.so.1")]);
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over() {
        assert!(loader_name(b"#!/bin/sh\n").is_err());
        let whole = fs::read(std::env::current_exe().expect("a path")).expect("this program");
        for length in [0, 5, 6, 20, 33, 57, 60, 64, 100, 500] {
            assert!(loader_name(&whole[..length]).is_err(), "{length}");
        }
        let mut wild = whole[..4096].to_vec();
        wild[32..40].fill(0xff);
        assert!(loader_name(&wild).is_err());
    }

    #[test]
    fn a_program_runs_from_its_layer() {
        let layer = tempfile::tempdir().expect("a folder");
        let this = std::env::current_exe().expect("a path");
        add(layer.path(), &this, &Stop::default()).expect("added");
        let host = layer.path().join(HOST);
        let name = this.file_name().expect("a name");
        // As the script in the guest does it, but for the layer's place.
        let mut command = Command::new(host.join("loader"));
        command
            .arg("--inhibit-cache")
            .arg("--library-path")
            .arg(&host)
            .arg(host.join(name))
            .arg("--list");
        let said =
            succeed(&mut command, &Stop::default(), Duration::from_secs(30)).expect("it runs");
        assert!(said.contains("a_program_runs_from_its_layer"));
        assert!(layer.path().join("usr/local/bin").join(name).is_file());
    }
}
