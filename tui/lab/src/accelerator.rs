//! Hardware acceleration where it works. Whether it does is found by trying: a device file that
//! opens says little where the machine is itself a guest.

use crate::cache::{Cache, hash};
use crate::error::LabError;
use std::fs::{self, File};

/// How the guest's instructions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// By the processor itself.
    Kvm,
    /// By QEMU, translated.
    Tcg,
}

impl Accelerator {
    /// Its name, as QEMU takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// Which one to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// KVM if a guest boots with it, else TCG.
    #[default]
    Try,
    /// This one or none.
    Only(Accelerator),
}

/// Finds the accelerator; `boots` boots a guest with KVM and tells whether it came up.
pub fn find(
    choice: Choice,
    cache: &Cache,
    base: &str,
    boots: impl FnOnce() -> Result<(), LabError>,
) -> Result<Accelerator, LabError> {
    if choice == Choice::Only(Accelerator::Tcg) {
        return Ok(Accelerator::Tcg);
    }
    let found = match kvm_opens() {
        Ok(()) => kvm_boots(cache, &machine(base), boots),
        Err(why) => Err(LabError::NoKvm(why)),
    };
    match found {
        Ok(()) => Ok(Accelerator::Kvm),
        Err(LabError::NoKvm(_)) if choice == Choice::Try => Ok(Accelerator::Tcg),
        Err(error) => Err(error),
    }
}

/// Whether a guest boots with KVM on this machine, tried once.
fn kvm_boots(
    cache: &Cache,
    machine: &str,
    boots: impl FnOnce() -> Result<(), LabError>,
) -> Result<(), LabError> {
    let found = match recall(cache, machine) {
        Some(found) => found,
        None => {
            let found = match boots() {
                Ok(()) => Accelerator::Kvm,
                Err(
                    LabError::Hang { .. } | LabError::QemuEnded { .. } | LabError::Panic { .. },
                ) => Accelerator::Tcg,
                Err(error) => return Err(error),
            };
            // Not remembering costs a second try and nothing else.
            let _ = fs::write(cache.path("accelerator"), format!("{} {machine}\n", found.name()));
            found
        }
    };
    match found {
        Accelerator::Kvm => Ok(()),
        Accelerator::Tcg => {
            let place = cache.path("accelerator");
            let why = format!("no guest boots with it; remove {} to try again", place.display());
            Err(LabError::NoKvm(why))
        }
    }
}

/// Whether this user may use KVM; if not, why.
fn kvm_opens() -> Result<(), String> {
    let opened = File::options().read(true).write(true).open("/dev/kvm");
    opened.map(drop).map_err(|error| format!("cannot open /dev/kvm: {error}"))
}

/// What an answer holds for: this processor, this kernel, this QEMU.
fn machine(base: &str) -> String {
    let kernel = fs::read_to_string("/proc/version").unwrap_or_default();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let is_fixed = |line: &&str| line.starts_with("model name") || line.starts_with("flags");
    let processor: Vec<&str> = processors.lines().filter(is_fixed).take(2).collect();
    hash(&format!("{kernel}\n{}\n{base}", processor.join("\n")))
}

/// The remembered answer, if it is about this machine.
fn recall(cache: &Cache, machine: &str) -> Option<Accelerator> {
    let text = fs::read_to_string(cache.path("accelerator")).ok()?;
    match text.trim().split_once(' ')? {
        ("kvm", of) if of == machine => Some(Accelerator::Kvm),
        ("tcg", of) if of == machine => Some(Accelerator::Tcg),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_for_the_machine_that_gave_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(folder.path())).expect("a cache");
        fs::write(cache.path("accelerator"), "kvm abc\n").expect("written");
        assert_eq!(recall(&cache, "abc"), Some(Accelerator::Kvm));
        assert_eq!(recall(&cache, "other"), None);
        fs::write(cache.path("accelerator"), "hvf abc\n").expect("written");
        assert_eq!(recall(&cache, "abc"), None);
        assert_ne!(machine("one"), machine("two"));
    }

    #[test]
    fn a_guest_that_does_not_boot_is_tried_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(folder.path())).expect("a cache");
        let hang = || {
            let (after, said) = (std::time::Duration::ZERO, String::new());
            Err(LabError::Hang { what: "boot", after, said, logs: folder.path().to_path_buf() })
        };
        assert!(matches!(kvm_boots(&cache, "abc", hang), Err(LabError::NoKvm(_))));
        let again = || panic!("it was tried before");
        assert!(matches!(kvm_boots(&cache, "abc", again), Err(LabError::NoKvm(_))));
        let stopped = kvm_boots(&cache, "other", || Err(LabError::Stopped));
        assert!(matches!(stopped, Err(LabError::Stopped)), "nothing was found out");
        assert!(kvm_boots(&cache, "other", || Ok(())).is_ok());
        assert_eq!(recall(&cache, "other"), Some(Accelerator::Kvm));
    }

    #[test]
    fn tcg_is_taken_without_a_try_if_it_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(Some(folder.path())).expect("a cache");
        let choice = Choice::Only(Accelerator::Tcg);
        let found = find(choice, &cache, "", || panic!("nothing is to be tried"));
        assert_eq!(found.expect("always there"), Accelerator::Tcg);
    }
}
