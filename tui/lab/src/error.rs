//! Everything that can go wrong with the lab. Each error says what to do next.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the lab could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The guest is an x86-64 one, and its QEMU runs on such a machine only.
    #[error("the lab needs an x86-64 machine with Linux; this one is {0}")]
    Machine(&'static str),
    /// No place for the cache was found.
    #[error(
        "cannot tell where to keep the guest: neither XDG_CACHE_HOME nor HOME is set; give `--cache DIR`"
    )]
    NoCache,
    /// A program that the set-up calls is not there.
    #[error("the set-up needs {}; install with `sudo apt-get install {packages}`", .programs.join(", "))]
    Tools {
        /// The programs that were not found.
        programs: Vec<&'static str>,
        /// The Debian packages that hold them, separated by spaces.
        packages: String,
    },
    /// The machine's apt knows no Debian mirror.
    #[error(
        "this machine's apt configuration names no Debian mirror{}; give one with `--mirror URL`: \
         the folder that holds `dists` and `pool`, as Debian's list of mirrors gives them; the \
         keys that Debian's packages are checked with come with the package \
         debian-archive-keyring, or `--keyring FILE`",
        .origins
    )]
    NoMirror {
        /// What it names instead, as ` (it has Ubuntu)`; empty if nothing.
        origins: String,
    },
    /// The text given with `--mirror` is no address of a mirror.
    #[error(
        "`{0}` is no address of a mirror; one looks like `http://HOST/debian`, with neither spaces nor options"
    )]
    BadMirror(String),
    /// The keys that Debian signs its archive with are not there.
    #[error(
        "the keys that Debian's packages are checked with are not at {}; install them with \
         `sudo apt-get install debian-archive-keyring`, or without root: `apt-get download \
         debian-archive-keyring && dpkg-deb -x debian-archive-keyring_*.deb keys`, then give \
         `--keyring keys/usr/share/keyrings/debian-archive-keyring.gpg`",
        .0.display()
    )]
    NoKeyring(PathBuf),
    /// A text given with `--with` is no name of a package.
    #[error(
        "`{0}` is no name of a Debian package; names are like `strace` or `libfoo-dev`, a suite follows as in `strace/trixie`"
    )]
    BadPackage(String),
    /// A folder to share is not there, or is none.
    #[error("cannot share {}: it is not a folder", .0.display())]
    BadShare(PathBuf),
    /// apt failed.
    #[error("{doing} failed ({status}); apt says:\n{said}\n{advice}")]
    Apt {
        /// What it was asked to do.
        doing: &'static str,
        /// How it ended.
        status: String,
        /// Its last lines.
        said: String,
        /// What to do.
        advice: &'static str,
    },
    /// A program of the set-up or of the guest's tree failed.
    #[error(
        "`{program}` failed ({status}): {said}; `doorbell lab setup --again` makes the guest anew"
    )]
    Program {
        /// Which one.
        program: String,
        /// How it ended.
        status: String,
        /// What it wrote to its standard error.
        said: String,
    },
    /// The tree lacks a file that the guest needs.
    #[error("the guest's packages hold no {what} (looked in {}); `doorbell lab setup --again` fetches them anew", .place.display())]
    Missing {
        /// Which.
        what: String,
        /// Where it should be.
        place: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {doing} {}: {error}", .path.display())]
    File {
        /// What was tried, as "read".
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Another set-up holds the cache.
    #[error("another `doorbell lab` has held the cache {} for {} s; end it, or give another folder with `--cache DIR`", .cache.display(), .waited.as_secs())]
    Busy {
        /// The cache.
        cache: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// A program of the host that should go into the guest cannot.
    #[error("cannot take {} into the guest: {why}", .program.display())]
    HostProgram {
        /// Which one.
        program: PathBuf,
        /// Why not.
        why: String,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {error}; `doorbell lab setup --again` makes the guest anew")]
    Start {
        /// Which.
        program: String,
        /// Why not.
        error: io::Error,
    },
    /// KVM was asked for and does not work.
    #[error("KVM does not work here: {0}; leave out `--accel kvm` to run without it")]
    NoKvm(String),
    /// QEMU ended before the guest was up, or without the guest having powered off.
    #[error("QEMU ended ({status}) {when}; it says:\n{said}\nall of it is in {}", .logs.display())]
    QemuEnded {
        /// How it ended.
        status: String,
        /// At which point, as "before the guest was up".
        when: &'static str,
        /// Its last lines.
        said: String,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The software card could not be served.
    #[error("cannot serve the card: {0}")]
    Card(Box<dyn std::error::Error + Send + Sync>),
    /// A card that a guest had is served no more.
    #[error("the card at {} is gone: the process that served it has ended, and the guest was ended; start it again", .0.display())]
    CardGone(PathBuf),
    /// The guest's kernel gave up.
    #[error("the guest's kernel panicked:\n{said}\nits console is in {}", .logs.display())]
    Panic {
        /// The last lines of its console.
        said: String,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The guest's first program gave up: it could not mount what the host shares.
    #[error("the guest could not be put together: {said}; its console is in {}; `doorbell lab setup --again` makes it anew", .logs.display())]
    Init {
        /// What it says.
        said: String,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The guest powered off by itself before the command had ended.
    #[error("the guest powered off before its command ended; its console is in {}", .logs.display())]
    PoweredOff {
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The guest did not come up in time.
    #[error("the guest did not {what} within {} s; its console, which ends with\n{said}\nis in {}", .after.as_secs(), .logs.display())]
    Hang {
        /// What it should have done, as "boot".
        what: &'static str,
        /// The deadline.
        after: Duration,
        /// The last lines of its console.
        said: String,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The drivers did not find the card.
    #[error("the guest's drivers did not come up: {why}\nits console is in {}; `--no-drivers` leaves them out", .logs.display())]
    Drivers {
        /// What the guest says, with the kernel's last lines.
        why: String,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The command took too long.
    #[error("the command did not end within {} s, and the guest was ended; `--timeout SECONDS` gives it longer", .0.as_secs())]
    Timeout(Duration),
    /// A signal, or the reader, asked to end.
    #[error("ended as asked; nothing of it runs any more")]
    Stopped,
    /// The output of the command could not be passed on.
    #[error("cannot pass on the guest's output: {0}; check where it goes to")]
    Output(io::Error),
    /// The interactive shell needs a terminal.
    #[error(
        "a shell in the guest needs a terminal; `doorbell lab run -- COMMAND` does without one"
    )]
    NoTerminal,
    /// The terminal does not do what is asked of it.
    #[error("cannot use this terminal: {0}; `doorbell lab run -- COMMAND` does without it")]
    Terminal(io::Error),
}

impl LabError {
    /// Whether a guest that ran has died, and not for want of anything in its set-up.
    pub(crate) fn is_death(&self) -> bool {
        matches!(self, Self::QemuEnded { .. } | Self::PoweredOff { .. } | Self::Panic { .. })
    }
}

/// Says which file an error of the system is about.
pub(crate) fn on<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> LabError + 'a {
    move |error| LabError::File { doing, path: path.to_path_buf(), error }
}

/// The last lines of a text, for an error: at most `lines`, at most 4000 characters.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let kept = all[all.len().saturating_sub(lines)..].join("\n");
    let extra = kept.chars().count().saturating_sub(4000);
    let kept: String = kept.chars().skip(extra).filter(|c| *c == '\n' || !c.is_control()).collect();
    if kept.is_empty() { "(nothing)".to_string() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn a_tail_is_the_last_lines_without_control_characters() {
        assert_eq!(tail("one\n\ntwo\n\u{1b}three\n", 2), "two\nthree");
        assert_eq!(tail("", 3), "(nothing)");
        assert_eq!(tail(&"x".repeat(9000), 3).len(), 4000);
    }
}
