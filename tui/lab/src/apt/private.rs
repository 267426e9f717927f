//! An apt of our own, which needs no root and leaves the machine's packages alone.
//!
//! It has its own lists, cache and (empty) status, one source list, and the machine's own
//! settings otherwise: proxies and credentials are apt's business and stay so. Signatures are
//! checked against Debian's archive keyring whatever the machine's configuration allows.

use crate::apt::package::Package;
use crate::error::{LabError, on, tail};
use crate::process::{Said, Stop, hear};
use crate::progress::Progress;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long one call of apt may take: a slow line must get 170 MB in.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// The Debian release that the guest is made of.
pub const RELEASE: &str = "trixie";

/// An apt state of our own.
#[derive(Debug)]
pub struct PrivateApt {
    folder: PathBuf,
    status: PathBuf,
}

/// A package to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The file's name in the archive folder, which says package, version and architecture.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
}

impl PrivateApt {
    /// Makes the folder and writes the configuration.
    pub fn make(folder: &Path, mirror: &str, keyring: &Path) -> Result<Self, LabError> {
        if !keyring.is_file() {
            return Err(LabError::NoKeyring(keyring.to_path_buf()));
        }
        let keyring = keyring.canonicalize().map_err(on("read", keyring))?;
        for part in ["lists/partial", "archives/partial", "none/partial", "sources", "empty", "log"]
        {
            let part = folder.join(part);
            fs::create_dir_all(&part).map_err(on("make", &part))?;
        }
        let apt = Self { folder: folder.to_path_buf(), status: folder.join("status") };
        apt.write("status", "")?;
        apt.write("sources/debian.sources", &source(mirror, &keyring))?;
        apt.write("apt.conf", &configuration(folder, std::env::var("APT_CONFIG").ok().as_deref()))?;
        Ok(apt)
    }

    /// The state that a finished set-up left, with what is installed after it.
    pub fn open(folder: &Path, status: &Path) -> Self {
        Self { folder: folder.to_path_buf(), status: status.to_path_buf() }
    }

    /// Fetches the lists of packages.
    pub fn update(&self, stop: &Stop, progress: &mut Progress) -> Result<(), LabError> {
        progress.begin("package lists");
        let mut command = self.apt_get(&["-o", "APT::Status-Fd=1", "update"]);
        let said = hear(&mut command, stop, PATIENCE, &mut |line| tell(line, 0, progress))?;
        // apt takes a list that it could not fetch for a warning.
        if !said.status.success() || said.stderr.lines().any(|line| line.starts_with("W: Failed")) {
            return Err(self.failure("fetching the package lists", &said));
        }
        progress.end();
        Ok(())
    }

    /// What has to be there for these packages, with all that they depend on.
    pub fn plan(&self, packages: &[Package], stop: &Stop) -> Result<Vec<Fetch>, LabError> {
        // apt leaves out what its archive has already, so it is shown an empty one.
        let none = format!("Dir::Cache::archives={}", self.folder.join("none").display());
        let mut command = self.apt_get(&["-y", "-o", &none, "--print-uris", "install", "--"]);
        command.args(packages.iter().map(Package::name));
        let mut fetches = Vec::new();
        let said = hear(&mut command, stop, PATIENCE, &mut |line| fetches.extend(fetch(line)))?;
        if !said.status.success() {
            return Err(self.failure("choosing the packages", &said));
        }
        Ok(fetches)
    }

    /// Fetches packages that [`PrivateApt::plan`] found.
    pub fn download(
        &self,
        packages: &[Package],
        plan: &[Fetch],
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), LabError> {
        let lacking = |fetch: &&Fetch| {
            let file = fs::metadata(self.archives().join(&fetch.file));
            file.map_or(true, |file| file.len() != fetch.size)
        };
        let bytes = plan.iter().filter(lacking).map(|fetch| fetch.size).sum();
        progress.begin("packages");
        let mut command =
            self.apt_get(&["-y", "-o", "APT::Status-Fd=1", "--download-only", "install", "--"]);
        command.args(packages.iter().map(Package::name));
        let said = hear(&mut command, stop, PATIENCE, &mut |line| tell(line, bytes, progress))?;
        if !said.status.success() {
            return Err(self.failure("fetching the packages", &said));
        }
        progress.end();
        Ok(())
    }

    /// The folder with the packages' files.
    pub fn archives(&self) -> PathBuf {
        self.folder.join("archives")
    }

    fn apt_get(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-q=2").arg("-o").arg(format!("Dir::State::status={}", self.status.display()));
        command.args(arguments);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<(), LabError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(on("write", &path))
    }

    fn failure(&self, doing: &'static str, said: &Said) -> LabError {
        let text = &said.stderr;
        LabError::Apt {
            doing,
            status: match said.status.success() {
                true => "with warnings".to_string(),
                false => said.status.to_string(),
            },
            said: tail(text, 8),
            advice: advice(text),
        }
    }
}

/// What to do about what apt says.
fn advice(said: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["NO_PUBKEY", "not signed", "Missing key", "signature"]) {
        "the archive is not signed by the keys at hand: update the package debian-archive-keyring, \
         give newer ones with `--keyring FILE`, or give another mirror with `--mirror URL`"
    } else if has(&["does not have a Release file", "404"]) {
        "the mirror lacks it: `doorbell lab setup --again` fetches the lists anew; else give \
         another mirror with `--mirror URL`"
    } else if has(&["Unable to locate package", "has no installation candidate", "Couldn't find"]) {
        "Debian's release `trixie` has no such package; look its name up in the package search of Debian"
    } else if has(&["Could not resolve", "Could not connect", "Connection failed", "timed out"]) {
        "check the network and apt's proxy settings, or give another mirror with `--mirror URL`"
    } else if has(&["No space left", "enough free space"]) {
        "make room, or give another folder with `--cache DIR`"
    } else {
        "what was fetched is kept: the same command goes on from there"
    }
}

/// The one source: the release and its backports, signed by Debian.
fn source(mirror: &str, keyring: &Path) -> String {
    format!(
        "Types: deb\nURIs: {mirror}\nSuites: {RELEASE} {RELEASE}-backports\nComponents: main\n\
         Architectures: amd64\nTargets: Packages\nSigned-By: {}\n",
        keyring.display()
    )
}

/// The settings that differ from the machine's; `before` is the file that it had asked for.
fn configuration(folder: &Path, before: Option<&str>) -> String {
    let folder = folder.display();
    let include = before.map(|file| format!("#include \"{file}\";\n")).unwrap_or_default();
    format!(
        r#"{include}#clear APT::Update;
#clear APT::Architectures;
#clear APT::Default-Release;
#clear DPkg;
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::State::extended_states "{folder}/extended_states";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{folder}/empty";
Dir::Log "{folder}/log";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Keep-Downloaded-Packages "true";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Lock::Timeout "120";
"#
    )
}

/// Reads a line of `--print-uris`: `'ADDRESS' FILE SIZE HASH`.
fn fetch(line: &str) -> Option<Fetch> {
    let mut words = line.strip_prefix('\'')?.split_whitespace();
    let (_, file, size) = (words.next()?, words.next()?, words.next()?);
    Some(Fetch { file: file.to_string(), size: size.parse().ok()? })
}

/// Reads a line of apt's status: `dlstatus:FILE:PERCENT:TEXT`.
fn tell(line: &str, bytes: u64, progress: &mut Progress) {
    let mut parts = line.strip_prefix("dlstatus:").into_iter().flat_map(|rest| rest.split(':'));
    if let Some(percent) = parts.nth(1).and_then(|percent| percent.parse::<f64>().ok()) {
        progress.percent(percent, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_signed_and_never_trusted() {
        let text = source("http://mirror.example.net/debian", Path::new("/keys.gpg"));
        assert!(text.contains("Signed-By: /keys.gpg"));
        assert!(text.contains("Suites: trixie trixie-backports"));
        assert!(!text.to_lowercase().contains("trusted"));
    }

    #[test]
    fn the_machines_settings_stay_but_for_its_hooks_and_its_leniency() {
        let text = configuration(Path::new("/c"), Some("/etc/mine.conf"));
        assert!(text.starts_with("#include \"/etc/mine.conf\";"));
        for line in ["#clear APT::Update;", "#clear DPkg;", "AllowUnauthenticated \"false\""] {
            assert!(text.contains(line), "{line}");
        }
        assert!(!text.contains("Proxy"));
    }

    #[test]
    fn lines_of_apt_are_read() {
        let line = "'http://h/debian/pool/main/k/kmod/kmod_34.2-2_amd64.deb' kmod_34.2-2_amd64.deb 95704 SHA256:00";
        let read = Fetch { file: "kmod_34.2-2_amd64.deb".to_string(), size: 95704 };
        assert_eq!(fetch(line), Some(read));
        assert_eq!(fetch("Reading package lists..."), None);
    }

    #[test]
    fn advice_fits_what_apt_says() {
        assert!(advice("GPG error: NO_PUBKEY 0E98404D386FA1D9").contains("--keyring"));
        assert!(advice("E: Unable to locate package nix").contains("no such package"));
        assert!(advice("404  Not Found").contains("--again"));
    }
}
