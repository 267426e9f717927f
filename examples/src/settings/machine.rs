//! What settings ask of the machine: the provider's environment, and the card's slot.

use super::Settings;
use doorbell_driver::mlx5::{BlueFlameSettings, ProviderSettings, RegisterCounts};

/// When a WQE is written to the BlueFlame register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlueFlame {
    /// For every single work request that fits: what libmlx5 does if the environment says nothing.
    #[default]
    Prefer,
    /// For single work requests with inline data (`MLX5_POST_SEND_PREFER_BF=0`).
    Auto,
    /// Never (`MLX5_SHUT_UP_BF=1`).
    Forbid,
}

impl BlueFlame {
    /// All of them.
    const ALL: [Self; 3] = [Self::Prefer, Self::Auto, Self::Forbid];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prefer => "prefer",
            Self::Auto => "auto",
            Self::Forbid => "forbid",
        }
    }

    /// The one of that word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|blueflame| blueflame.word() == word)
    }
}

/// Which doorbell register the queue pairs ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Register {
    /// Each its own: what the first queue pairs of a context get.
    #[default]
    Own,
    /// One with a lock, since others may ring it, too: what is left when the dedicated ones are taken, or
    /// there are none (`MLX5_TOTAL_UUARS=2`, `MLX5_NUM_LOW_LAT_UUARS=0`).
    Shared,
    /// That of the context's own page, which takes no BlueFlame: what there is where pages cannot be mapped
    /// write-combining.
    Plain,
}

impl Register {
    /// All of them.
    const ALL: [Self; 3] = [Self::Own, Self::Shared, Self::Plain];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Shared => "shared",
            Self::Plain => "plain",
        }
    }

    /// The one of that word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|register| register.word() == word)
    }
}

/// What a program's settings ask of the machine that it runs on: the provider's environment, and the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Machine {
    /// When BlueFlame is used.
    pub blueflame: BlueFlame,
    /// Which registers there are.
    pub register: Register,
    /// WQEs carry signatures.
    pub signatures: bool,
    /// The card has no atomic operations.
    pub without_atomics: bool,
}

impl From<&Settings> for Machine {
    fn from(settings: &Settings) -> Self {
        Self {
            blueflame: settings.blueflame,
            register: settings.register,
            signatures: settings.signature,
            without_atomics: !settings.atomics,
        }
    }
}

impl From<Machine> for ProviderSettings {
    fn from(machine: Machine) -> Self {
        let registers = match machine.register {
            Register::Shared => RegisterCounts::new(2, 0).unwrap_or_default(),
            Register::Own | Register::Plain => RegisterCounts::default(),
        };
        let blueflame = BlueFlameSettings {
            forbidden: machine.blueflame == BlueFlame::Forbid,
            preferred: machine.blueflame == BlueFlame::Prefer,
            registers,
        };
        Self { blueflame, signatures: machine.signatures }
    }
}
