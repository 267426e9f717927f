//! What a scenario is, and how it is to end.

use crate::nvmf::BLOCK;
use crate::settings::{self, Key};
use crate::{Device, ExampleError, Settings, SettingsError, WhatIf, World};

/// What scenarios are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// One scenario for each opcode.
    Opcodes,
    /// The same opcodes, posted in other ways.
    Posting,
    /// Receives and completions.
    Completions,
    /// What storage makes of it.
    Storage,
    /// Who creates what is posted to.
    ControlPath,
    /// The failure gallery.
    Failures,
}

impl Topic {
    /// All topics, in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::Opcodes,
        Self::Posting,
        Self::Completions,
        Self::Storage,
        Self::ControlPath,
        Self::Failures,
    ];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Opcodes => "Opcodes",
            Self::Posting => "Ways to post",
            Self::Completions => "Receives, completions and events",
            Self::Storage => "Storage",
            Self::ControlPath => "The control path",
            Self::Failures => "Failure gallery",
        }
    }

    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opcodes => "opcodes",
            Self::Posting => "posting",
            Self::Completions => "completions",
            Self::Storage => "storage",
            Self::ControlPath => "control_path",
            Self::Failures => "failures",
        }
    }
}

/// A program that can be run, recorded, or stepped.
#[derive(Debug)]
pub struct Scenario {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// A title for a list or a page.
    pub title: &'static str,
    /// What it belongs to.
    pub topic: Topic,
    /// What happens in it, in a sentence or two.
    pub summary: &'static str,
    /// What it works with if nobody says otherwise.
    pub own: Settings,
    /// The settings that can be changed.
    pub keys: &'static [Key],
    /// How it fails, if that is what it shows.
    pub failure: Option<&'static Failure>,
    /// The program. Returns the lines that it would print.
    pub run: fn(&World, &Settings) -> Result<Vec<String>, ExampleError>,
}

/// A failure that a scenario of the gallery shows, and ends with.
#[derive(Debug)]
pub struct Failure {
    /// The scenario.
    pub scenario: &'static str,
    /// The error number or the completion's status, as it is called.
    pub ends: &'static str,
    /// Whether an error is that one.
    pub is: fn(&ExampleError) -> bool,
    /// What a program sees of it.
    pub see: &'static str,
    /// What is behind it.
    pub why: &'static str,
    /// What to check.
    pub check: &'static str,
}

impl Failure {
    /// The explanation: headings and texts, in the order in which they are read.
    pub fn explained(&self) -> [(&'static str, &'static str); 3] {
        [("What you see", self.see), ("Why", self.why), ("What to check", self.check)]
    }
}

impl Scenario {
    /// What its program works with if the reader asks for these changes, on that device.
    pub fn settings(&self, wanted: &WhatIf, device: &Device) -> Result<Settings, SettingsError> {
        let mut settings = self.own;
        for (key, value) in wanted.changes() {
            if !self.keys.contains(&key) {
                let names = self.keys.iter().map(|key| key.name()).collect::<Vec<_>>();
                let allowed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(SettingsError::NotHere { scenario: self.name, key, value, allowed });
            }
            settings.set(key, value);
        }
        settings::check(&settings, device)?;
        if self.topic == Topic::Storage {
            settings::check_blocks(&settings, BLOCK)?;
        }
        Ok(settings)
    }

    /// Runs its program in a world. One that is to fail succeeds if it does so, and as it should.
    pub(crate) fn play(&self, world: &World, settings: &Settings) -> Result<Vec<String>, String> {
        let outcome = (self.run)(world, settings);
        let Some(failure) = self.failure else {
            return outcome.map_err(|error| error.to_string());
        };
        match outcome {
            Err(error) if (failure.is)(&error) => Ok(vec![error.to_string()]),
            Err(error) => {
                Err(format!("it was to end with {}, but ended otherwise: {error}", failure.ends))
            }
            Ok(lines) => Err(format!(
                "it was to end with {}, but ended well: {}",
                failure.ends,
                lines.join("; ")
            )),
        }
    }
}
