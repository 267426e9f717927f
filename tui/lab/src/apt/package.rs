//! Names of packages, checked before apt sees them.

use crate::error::LabError;
use std::fmt;
use std::str::FromStr;

/// The name of a Debian package, which a suite may follow: `perftest`, `qemu/trixie-backports`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package(String);

impl Package {
    /// The name, as apt takes it.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl FromStr for Package {
    type Err = LabError;

    /// Reads a name after Debian's policy, section 5.6.1: never an option, nor a removal.
    fn from_str(text: &str) -> Result<Self, LabError> {
        let (name, suite) = text.split_once('/').unwrap_or((text, RELEASED));
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_name = name.len() >= 2
            && name.starts_with(letter)
            && name.chars().all(|c| letter(c) || "+-.".contains(c))
            // apt reads these ends as "remove" and "install".
            && !name.ends_with('-')
            && (!name.ends_with('+') || name.ends_with("++"));
        let is_suite = suite.starts_with(letter) && suite.chars().all(|c| letter(c) || c == '-');
        if is_name && is_suite {
            return Ok(Self(text.to_string()));
        }
        Err(LabError::BadPackage(text.to_string()))
    }
}

/// Stands for no suite at all where one is checked.
const RELEASED: &str = "trixie";

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_and_never_options() {
        for good in
            ["strace", "g++", "libstdc++6", "python3-pyverbs", "xz/trixie-backports", "7zip"]
        {
            assert_eq!(good.parse::<Package>().expect("a name").name(), good);
        }
        for bad in [
            "",
            "a",
            "-y",
            "--allow-unauthenticated",
            "Strace",
            "strace-",
            "a b",
            "x/",
            "x/-y",
            "../x",
            "strace=1",
        ] {
            assert!(bad.parse::<Package>().is_err(), "{bad:?}");
        }
    }
}
