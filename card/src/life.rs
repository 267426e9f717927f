//! The life of the function: what may be asked when, and whose pages it lives in.

use crate::config::CardConfig;
use crate::reason::Reason;
use std::collections::BTreeSet;

/// How far bring-up has come, and the pages of host memory that the firmware has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    pub(crate) stage: Stage,
    pub(crate) issi: u16,
    /// Pages given and not taken back.
    pub(crate) pages: BTreeSet<u64>,
}

/// Stages of bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Stage {
    /// After power-on, or DISABLE_HCA.
    #[default]
    Off,
    /// After ENABLE_HCA, or TEARDOWN_HCA.
    Enabled,
    /// After INIT_HCA.
    Initialized,
}

impl Stage {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Enabled => "ENABLED",
            Self::Initialized => "INITIALIZED",
        }
    }
}

/// What a command needs of the function before it may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// It must not be enabled yet.
    Off,
    /// It must be enabled.
    Enabled,
    /// It must be enabled and have its boot pages.
    Booted,
    /// It must have its boot pages, and not be initialised.
    BeforeInit,
    /// It must be initialised.
    Initialized,
    /// It must be enabled, and not (or no longer) initialised.
    Stopped,
}

impl Life {
    // ANCHOR: card_life
    /// Whether a command may be given now.
    pub(crate) fn permits(&self, needs: Needs, config: &CardConfig) -> Result<(), Reason> {
        let booted = self.pages.len() as u32 >= config.boot_pages;
        match (needs, self.stage) {
            (Needs::Off, Stage::Off) => Ok(()),
            (Needs::Off, _) => Err(Reason::AlreadyEnabled),
            (_, Stage::Off) => Err(Reason::NotEnabled),
            (Needs::Enabled, _) | (Needs::Stopped, Stage::Enabled) => Ok(()),
            (Needs::Stopped, Stage::Initialized) => Err(Reason::StillInitialized),
            _ if !booted => Err(Reason::BootPagesMissing),
            (Needs::Booted, _) | (Needs::BeforeInit, Stage::Enabled) => Ok(()),
            (Needs::BeforeInit, Stage::Initialized) => Err(Reason::AlreadyInitialized),
            (Needs::Initialized, Stage::Initialized) => Ok(()),
            (Needs::Initialized, _) => Err(Reason::NotInitialized),
        }
    }

    /// How many pages the firmware still wants before it boots, or before it initialises.
    pub(crate) fn wanted(&self, total: u32) -> u32 {
        total.saturating_sub(self.pages.len() as u32)
    }

    /// How many pages the firmware can do without in this stage.
    pub(crate) fn spare(&self, config: &CardConfig) -> usize {
        let kept = match self.stage {
            Stage::Initialized => config.boot_pages + config.init_pages,
            Stage::Off | Stage::Enabled => 0,
        };
        self.pages.len().saturating_sub(kept as usize)
    }
    // ANCHOR_END: card_life
}
