//! What a reader asks to be otherwise.

use super::{Key, Settings, SettingsError, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Settings to be changed, as `--set` has them: `length=4096,inline=on`. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIf(BTreeMap<Key, Value>);

impl WhatIf {
    /// What of `wanted` differs from `own`.
    pub fn between(own: &Settings, wanted: &Settings) -> Self {
        let differs = |key: &Key| own.get(*key) != wanted.get(*key);
        Self(Key::ALL.into_iter().filter(differs).map(|key| (key, wanted.get(key))).collect())
    }

    /// Whether nothing is changed.
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes, in the order of [`Key::ALL`].
    pub fn changes(&self) -> impl Iterator<Item = (Key, Value)> {
        self.0.iter().map(|(key, value)| (*key, *value))
    }
}

impl FromStr for WhatIf {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let mut changes = BTreeMap::new();
        for part in text.split(',') {
            let form = || SettingsError::Form(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(form)?;
            let (name, value) = (name.trim(), value.trim());
            let key = Key::ALL.into_iter().find(|key| key.name() == name);
            let key = key.ok_or_else(|| SettingsError::Unknown {
                key: name.to_owned(),
                value: value.to_owned(),
                known: Key::ALL.map(Key::name).join(", "),
            })?;
            let read = key.read(value).ok_or_else(|| SettingsError::Value {
                key,
                value: value.to_owned(),
                allowed: key.allowed(),
            })?;
            if let Some(first) = changes.insert(key, read) {
                return Err(SettingsError::Twice { key, first, second: value.to_owned() });
            }
        }
        Ok(Self(changes))
    }
}

impl fmt::Display for WhatIf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.changes().map(|(key, value)| format!("{}={value}", key.name()));
        formatter.write_str(&parts.collect::<Vec<_>>().join(","))
    }
}
