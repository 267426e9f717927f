//! Which Debian mirror to take: the one that the machine's own apt uses.
//!
//! apt itself is asked first (`apt-get indextargets`): it knows from the signed release files
//! which archive is Debian's. Where no lists have been fetched yet it knows nothing, and the
//! source lists are read instead, in both of their forms (`sources.list(5)`).

use crate::error::LabError;
use crate::process::{Stop, succeed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long apt may think about its own configuration.
const PATIENCE: Duration = Duration::from_secs(30);

/// An archive that apt is set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The folder that holds `dists` and `pool`, without a slash at its end.
    pub address: String,
    /// Whose archive it is, where apt or the address tells: `Debian`, `Ubuntu`.
    pub origin: String,
    /// Whether it is Debian's main archive, not that of security updates, nor anything else.
    pub is_debian: bool,
}

/// The mirror to take: the one that was given, else the machine's.
pub fn choose(given: Option<&str>, stop: &Stop) -> Result<String, LabError> {
    match given {
        Some(address) => check(address),
        None => pick(&machine(stop)?),
    }
}

/// Refuses what would be read as more than an address in a source list.
fn check(address: &str) -> Result<String, LabError> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"[]\"'\\<>".contains(c);
    let has_method = address.split_once(":/").is_some_and(|(method, rest)| {
        !method.is_empty()
            && !rest.trim_matches('/').is_empty()
            && method.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if has_method && address.chars().all(is_plain) {
        return Ok(address.trim_end_matches('/').to_string());
    }
    Err(LabError::BadMirror(address.to_string()))
}

/// The first archive that is Debian's.
fn pick(archives: &[Archive]) -> Result<String, LabError> {
    if let Some(debian) = archives.iter().find(|archive| archive.is_debian) {
        return check(&debian.address);
    }
    let mut origins: Vec<&str> = archives.iter().map(|archive| archive.origin.as_str()).collect();
    origins.retain(|origin| !origin.is_empty());
    origins.dedup();
    let origins = match origins.as_slice() {
        [] => String::new(),
        origins => format!(" (it has {})", origins.join(", ")),
    };
    Err(LabError::NoMirror { origins })
}

/// The archives of this machine's apt.
fn machine(stop: &Stop) -> Result<Vec<Archive>, LabError> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "Created-By: Packages"]).env("LC_ALL", "C");
    let mut archives = from_index_targets(&succeed(&mut command, stop, PATIENCE)?);
    for file in source_files(stop)? {
        // A list that cannot be read is none that apt can use either.
        let text = fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        match file.extension().is_some_and(|end| end == "sources") {
            true => archives.extend(from_deb822(&text)),
            false => archives.extend(from_list(&text)),
        }
    }
    Ok(archives)
}

/// The files that apt reads its sources from.
fn source_files(stop: &Stop) -> Result<Vec<PathBuf>, LabError> {
    let mut command = Command::new("apt-config");
    command.args(["shell", "list", "Dir::Etc::sourcelist/f", "parts", "Dir::Etc::sourceparts/d"]);
    let said = succeed(&mut command, stop, PATIENCE)?;
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(PathBuf::from(line.trim_matches('\'')))
    };
    let mut files: Vec<PathBuf> = value("list").into_iter().collect();
    if let Some(parts) = value("parts") {
        files.extend(lists_in(&parts));
    }
    Ok(files)
}

/// The files of a `sources.list.d` that apt reads, in its order.
fn lists_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "list" || end == "sources"));
    files.sort();
    files
}

/// The archives in what `apt-get indextargets` prints.
fn from_index_targets(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    for target in paragraphs(text) {
        let field = |name| value(&target, name);
        let base = field("Base-URI").unwrap_or_default();
        let Some((address, _)) = base.split_once("/dists/") else { continue };
        let label = field("Label").unwrap_or_default();
        let origin = field("Origin").unwrap_or_default();
        let is_debian = origin == "Debian" && label == "Debian";
        archives.push(Archive { address: address.to_string(), origin, is_debian });
    }
    archives
}

/// The archives in a file of the newer form: paragraphs of fields.
fn from_deb822(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    for source in paragraphs(text) {
        let words = |name| -> Vec<String> {
            let value = value(&source, name).unwrap_or_default();
            value.split_whitespace().map(str::to_string).collect()
        };
        let is_off = words("Enabled").first().is_some_and(|word| {
            ["no", "false", "without", "off", "disable", "0"].contains(&word.as_str())
        });
        if is_off || !words("Types").iter().any(|kind| kind == "deb") {
            continue;
        }
        let (suites, components) = (words("Suites"), words("Components"));
        for address in words("URIs") {
            archives.extend(suites.iter().map(|suite| archive(&address, suite, &components)));
        }
    }
    archives
}

/// The archives in a file of the older form: one line each.
fn from_list(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t']))
        else {
            continue;
        };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        let words: Vec<String> = rest.split_whitespace().map(str::to_string).collect();
        if let [address, suite, components @ ..] = words.as_slice() {
            archives.push(archive(address, suite, components));
        }
    }
    archives
}

/// The names of Debian's suites, as source lists have them.
const SUITES: [&str; 14] = [
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "sid",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "experimental",
    "stretch",
];

/// What a source list tells of an archive.
fn archive(address: &str, suite: &str, components: &[String]) -> Archive {
    let address = address.trim_end_matches('/');
    let folder = address.rsplit('/').next().unwrap_or_default();
    let known = SUITES.contains(&suite.split('-').next().unwrap_or_default());
    let has_main = components.iter().any(|component| component == "main");
    let is_debian = folder == "debian" && known && has_main && !address.starts_with("cdrom:");
    let origin = match folder {
        "ubuntu" | "ubuntu-ports" => "Ubuntu".to_string(),
        _ => String::new(),
    };
    Archive { address: address.to_string(), origin, is_debian }
}

/// One paragraph: its fields in order. Lines that go on are joined by a space.
type Paragraph = Vec<(String, String)>;

/// The paragraphs of a control file, without its comments.
fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut all = vec![Paragraph::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let last = all.len() - 1;
        if line.trim().is_empty() {
            all.push(Paragraph::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = all[last].last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            all[last].push((name.trim().to_string(), value.trim().to_string()));
        }
    }
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

/// The value of a field; names are the same in upper and lower case.
fn value(paragraph: &Paragraph, name: &str) -> Option<String> {
    let found = paragraph.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests;
