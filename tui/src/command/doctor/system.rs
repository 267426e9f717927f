//! The machine as such: kernel, distribution, user, limits, and what it runs inside of.

use super::machine::Machine;

/// Who packs the programs of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Debian and Ubuntu: apt-get.
    Debian,
    /// Fedora and Red Hat's: dnf.
    Fedora,
    /// Somebody else.
    Other,
}

/// What is known of a machine before its cards are looked at.
#[derive(Debug, Clone)]
pub struct System {
    /// The kernel's release, as `uname -r` says it.
    pub release: String,
    /// The processor's architecture, as `uname -m` says it.
    pub architecture: String,
    /// The distribution's own name for itself.
    pub distribution: String,
    /// Who packs its programs.
    pub family: Family,
    /// Whether the distribution is Ubuntu, which has modules in a package of their own.
    pub ubuntu: bool,
    /// Whether this user is root.
    pub root: bool,
    /// Whether this user may pin any amount of memory (`CAP_IPC_LOCK`).
    pub pins: bool,
    /// The limit on locked memory in bytes and the most it may be raised to; `None` is no limit.
    pub limit: (Option<u64>, Option<u64>),
    /// The container that this runs in.
    pub container: Option<String>,
    /// Whether this is a virtual machine.
    pub guest: bool,
    /// The kernel's command line.
    pub command_line: String,
    /// The kernel's lockdown, if it is on: `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
}

/// `CAP_IPC_LOCK` in the masks of capabilities (`linux/capability.h`).
const IPC_LOCK: u64 = 1 << 14;

impl System {
    /// Looks at a machine.
    pub fn of(machine: &Machine) -> Self {
        let words = |path: &str| machine.word(path).unwrap_or_default();
        let release = words("proc/sys/kernel/osrelease");
        let os = os_release(machine);
        let field = |name: &str| value(&os, name).unwrap_or_default();
        let status = words("proc/self/status");
        let user = row(&status, "Uid:").and_then(|ids| ids.split_whitespace().nth(1));
        let capabilities = row(&status, "CapEff:").map(str::trim);
        let capabilities = capabilities.and_then(|mask| u64::from_str_radix(mask, 16).ok());
        let like = format!("{} {}", field("ID"), field("ID_LIKE"));
        let architecture = machine.word("proc/sys/kernel/arch");
        Self {
            release: known(release),
            architecture: architecture.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            distribution: known(field("PRETTY_NAME")),
            family: family(&like),
            ubuntu: like.split_whitespace().any(|word| word == "ubuntu"),
            root: user == Some("0"),
            pins: capabilities.is_some_and(|mask| mask & IPC_LOCK != 0),
            limit: limit(&words("proc/self/limits")),
            container: container(machine),
            guest: is_guest(&words("proc/cpuinfo")),
            command_line: words("proc/cmdline"),
            lockdown: lockdown(&words("sys/kernel/security/lockdown")),
        }
    }

    /// A command for root, as this user gives it.
    pub fn as_root(&self, command: &str) -> String {
        if self.root { command.to_owned() } else { format!("sudo {command}") }
    }

    /// The command that writes a word into a file of sysfs.
    pub fn write(&self, word: &str, file: &str) -> String {
        let echo = if word.is_empty() { "echo".to_owned() } else { format!("echo {word}") };
        if self.root { format!("{echo} > {file}") } else { format!("{echo} | sudo tee {file}") }
    }

    /// The command that installs packages, by their names in Debian and in Fedora. Elsewhere none.
    pub fn install(&self, debian: &str, fedora: &str) -> Option<String> {
        match self.family {
            Family::Debian => Some(self.as_root(&format!("apt-get install {debian}"))),
            Family::Fedora => Some(self.as_root(&format!("dnf install {fedora}"))),
            Family::Other => None,
        }
    }

    /// The first line of the report.
    pub fn told(&self) -> String {
        let mut told =
            format!("Linux {} on {}, {}", self.release, self.architecture, self.distribution);
        if let Some(container) = &self.container {
            told += &format!("; in a container ({container})");
        }
        if self.guest {
            told += "; a virtual machine";
        }
        if self.root {
            told += "; as root";
        }
        told
    }
}

fn known(text: String) -> String {
    if text.is_empty() { "(unknown)".to_owned() } else { text }
}

/// The file that names the distribution (`os-release(5)`).
fn os_release(machine: &Machine) -> String {
    let places = ["etc/os-release", "usr/lib/os-release"];
    places.iter().find_map(|place| machine.word(place)).unwrap_or_default()
}

/// A value of it.
fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned())
}

fn family(like: &str) -> Family {
    let is = |names: &[&str]| like.split_whitespace().any(|word| names.contains(&word));
    if is(&["debian", "ubuntu"]) {
        Family::Debian
    } else if is(&["fedora", "rhel", "centos"]) {
        Family::Fedora
    } else {
        Family::Other
    }
}

/// What follows a word at the beginning of a line.
fn row<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

/// The limits on locked memory, now and at most (`/proc/self/limits`).
fn limit(text: &str) -> (Option<u64>, Option<u64>) {
    let row = row(text, "Max locked memory").unwrap_or_default();
    let mut numbers = row.split_whitespace().map(|word| word.parse().ok());
    (numbers.next().flatten(), numbers.next().flatten())
}

/// The container around this, by the marks that they leave.
fn container(machine: &Machine) -> Option<String> {
    let named = machine.word("run/systemd/container").filter(|name| !name.is_empty());
    let marks = [(".dockerenv", "docker"), ("run/.containerenv", "podman")];
    let marked = marks.iter().find(|(file, _)| machine.has(file));
    named.or_else(|| marked.map(|(_, name)| (*name).to_owned()))
}

/// The bit that a hypervisor sets for its guests.
fn is_guest(processors: &str) -> bool {
    let flags = processors.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// The chosen word of `none [integrity] confidentiality`, unless it is `none`.
fn lockdown(text: &str) -> Option<String> {
    let chosen = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix('[').and_then(|word| word.strip_suffix(']')))?;
    (chosen != "none").then(|| chosen.to_owned())
}
