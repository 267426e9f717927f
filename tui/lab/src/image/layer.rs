//! The layer of one run: the agent, what it is to do, and the host's programs. It lies on top of
//! the packages' layers and is gone when the run ends.

use crate::error::{LabError, on};
use crate::image::programs;
use crate::process::Stop;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Process 1 of the guest.
const AGENT: &str = include_str!("../inside/agent.sh");

/// What the agent is told: names and values, all of which it knows by these names.
#[derive(Debug, Clone, Default)]
pub struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// Adds one.
    pub fn set(&mut self, name: &'static str, value: impl ToString) {
        self.0.push((name, value.to_string()));
    }

    /// As a script that sets them.
    fn script(&self) -> Vec<u8> {
        let mut script = Vec::new();
        for (name, value) in &self.0 {
            script.extend_from_slice(name.as_bytes());
            script.push(b'=');
            quote(value.as_bytes(), &mut script);
            script.push(b'\n');
        }
        script
    }
}

/// Writes the layer.
pub fn write(
    layer: &Path,
    settings: &Settings,
    command: &[OsString],
    host_programs: &[PathBuf],
    stop: &Stop,
) -> Result<(), LabError> {
    let folder = layer.join("usr/lib/doorbell");
    fs::create_dir_all(&folder).map_err(on("make", &folder))?;
    put(&folder.join("agent"), AGENT.as_bytes(), 0o755)?;
    put(&folder.join("settings"), &settings.script(), 0o644)?;
    put(&folder.join("command"), &script(command), 0o644)?;
    for program in host_programs {
        programs::add(layer, program, stop)?;
    }
    Ok(())
}

/// A script that becomes the command, word for word.
fn script(command: &[OsString]) -> Vec<u8> {
    let mut script = b"exec".to_vec();
    for word in command {
        script.push(b' ');
        quote(word.as_bytes(), &mut script);
    }
    script.push(b'\n');
    script
}

/// Quotes a word for the shell, whatever its bytes are.
fn quote(word: &[u8], into: &mut Vec<u8>) {
    into.push(b'\'');
    for byte in word {
        match byte {
            b'\'' => into.extend_from_slice(b"'\\''"),
            byte => into.push(*byte),
        }
    }
    into.push(b'\'');
}

fn put(path: &Path, bytes: &[u8], rights: u32) -> Result<(), LabError> {
    fs::write(path, bytes).map_err(on("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(rights)).map_err(on("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;
    use std::process::Command;

    #[test]
    fn the_shell_gets_every_word_as_it_was() {
        let all: Vec<u8> = (1..=255).collect();
        let words = ["printf", "%s|", "", "a b", "'", "\"$HOME\" `x` \\", "new\nline"];
        let mut command: Vec<OsString> = words.iter().map(OsString::from).collect();
        command.push(OsString::from_vec(all.clone()));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("command");
        fs::write(&file, script(&command)).expect("written");
        let said = Command::new("sh").arg(&file).output().expect("sh runs");
        let mut expected = b"|a b|'|\"$HOME\" `x` \\|new\nline|".to_vec();
        expected.extend(all);
        expected.push(b'|');
        assert_eq!(said.stdout, expected);
    }

    #[test]
    fn settings_are_data_to_the_shell() {
        let mut settings = Settings::default();
        settings.set("LAB_TERM", "x'; exit 3; '");
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &settings, &[], &[], &Stop::default()).expect("written");
        let file = folder.path().join("usr/lib/doorbell/settings");
        let test = format!(". {}; printf %s \"$LAB_TERM\"", file.display());
        let said = Command::new("sh").args(["-c", &test]).output().expect("sh runs");
        assert_eq!(String::from_utf8_lossy(&said.stdout), "x'; exit 3; '");
    }
}
