//! The what-ifs: a scenario's settings, changed by keys, and the scenario run again with them.

use crate::state::supply::Supply;
use doorbell_examples::{Device, Key, Scenario, Settings, SettingsError, WhatIf, start_with};

/// What it takes to run a scenario again, with the settings that the reader has chosen.
pub struct Again {
    scenario: &'static Scenario,
    device: Device,
    /// Those of the run that is shown.
    running: Settings,
    /// Those to be run next.
    wanted: Settings,
    /// Why they were refused.
    refusal: Option<String>,
}

/// One setting, as the dialog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The setting.
    pub key: Key,
    /// Its value.
    pub value: String,
    /// Whether the run that is shown had another.
    pub changed: bool,
}

impl Again {
    /// For a scenario that is run with these changes.
    pub fn new(
        scenario: &'static Scenario,
        device: Device,
        what_if: &WhatIf,
    ) -> Result<Self, SettingsError> {
        let running = scenario.settings(what_if, &device)?;
        Ok(Self { scenario, device, running, wanted: running, refusal: None })
    }

    /// The scenario.
    pub fn scenario(&self) -> &'static Scenario {
        self.scenario
    }

    /// The settings, in their order.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.scenario.keys.iter().map(|key| {
            let value = self.wanted.get(*key);
            Line { key: *key, value: value.to_string(), changed: value != self.running.get(*key) }
        })
    }

    /// Number of settings.
    pub fn len(&self) -> usize {
        self.scenario.keys.len()
    }

    /// Whether the scenario has no setting.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Why the settings were refused.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Changes the setting at `place`, `by` choices further around.
    pub fn change(&mut self, place: usize, by: isize) {
        let Some(key) = self.scenario.keys.get(place) else { return };
        let choices = key.choices();
        let value = self.wanted.get(*key);
        // A value that is no choice, as one from the command line, lies before the next larger one.
        let count = choices.len().cast_signed();
        let next = match choices.iter().position(|choice| *choice == value) {
            Some(place) => place.cast_signed() + by,
            None => 0,
        };
        let next = next.rem_euclid(count.max(1)).cast_unsigned();
        if let Some(value) = choices.get(next) {
            self.wanted.set(*key, *value);
        }
        self.refusal = None;
    }

    /// Takes back what has been changed since the last run.
    pub fn take_back(&mut self) {
        self.wanted = self.running;
        self.refusal = None;
    }

    /// What is asked to be otherwise than the scenario has it.
    fn what_if(&self) -> WhatIf {
        WhatIf::between(&self.scenario.own, &self.wanted)
    }

    /// Starts the scenario with the settings of the last run.
    pub fn start(&self) -> Result<Supply, SettingsError> {
        let run = start_with(self.scenario, &self.device, &self.what_if())?;
        let builder = run.builder();
        Ok(Supply::live(Box::new(run), builder))
    }

    /// Whether the wanted settings can be run; if not, the refusal says why.
    pub fn accepts(&mut self) -> bool {
        let checked = self.scenario.settings(&self.what_if(), &self.device);
        self.refusal = checked.as_ref().err().map(ToString::to_string);
        checked.is_ok()
    }

    /// Starts the scenario with the wanted settings, which were accepted.
    pub fn restart(&mut self) -> Result<Supply, SettingsError> {
        let supply = self.start()?;
        self.running = self.wanted;
        Ok(supply)
    }

    /// The run that is shown, in a few words.
    pub fn told(&self) -> String {
        let what_if = self.what_if();
        let with =
            if what_if.is_nothing() { "its own settings".to_owned() } else { what_if.to_string() };
        format!("{} runs again, with {with}", self.scenario.name)
    }
}
