//! Why a scenario is not run with other settings.

use super::{Key, Value};

/// What is wrong with a what-if. Each says which setting it is, what was asked for, and what can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not of the form `KEY=VALUE`.
    #[error(
        "{0:?} is no setting; write KEY=VALUE with commas in between, as length=4096,inline=on"
    )]
    Form(String),
    /// No setting has that name.
    #[error("there is no setting {key:?} (asked for: {value:?}); there are: {known}")]
    Unknown {
        /// The name.
        key: String,
        /// What it was to be.
        value: String,
        /// The names that there are.
        known: String,
    },
    /// The setting cannot have that value.
    #[error("{} cannot be {value:?}; it can be: {allowed}", key.name())]
    Value {
        /// The setting.
        key: Key,
        /// What it was to be.
        value: String,
        /// What it can be.
        allowed: String,
    },
    /// One setting, two values.
    #[error("{} is set twice, to {first} and to {second:?}; set it once", key.name())]
    Twice {
        /// The setting.
        key: Key,
        /// The first value.
        first: Value,
        /// The second.
        second: String,
    },
    /// The scenario does not have this setting.
    #[error("{scenario} has no setting {} (asked for: {value}); it has: {allowed}", key.name())]
    NotHere {
        /// The scenario.
        scenario: &'static str,
        /// The setting.
        key: Key,
        /// What it was to be.
        value: Value,
        /// The settings that it has.
        allowed: String,
    },
    /// The settings make no sense together.
    #[error("{}={value} makes no sense here: {why}; {allowed}", key.name())]
    Senseless {
        /// The setting that does not fit the others.
        key: Key,
        /// Its value.
        value: Value,
        /// Why not.
        why: String,
        /// What would be allowed.
        allowed: String,
    },
}
