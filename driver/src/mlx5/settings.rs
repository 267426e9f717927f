//! What a context's queues share: the BlueFlame settings, and the memory that inline data is in.

use crate::bus::AtHand;
use crate::verbs::VerbsError;
use std::ffi::OsString;

/// libmlx5's two settings for BlueFlame, which it reads from the environment when it opens a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlueFlameSettings {
    /// Never use BlueFlame (`MLX5_SHUT_UP_BF`).
    pub forbidden: bool,
    /// Use it for single work requests whose data is not inline, too
    /// (`MLX5_POST_SEND_PREFER_BF`).
    pub preferred: bool,
    /// How many registers there are for queue pairs.
    pub registers: RegisterCounts,
}

/// How many BlueFlame registers a context may have, and how many of them for one queue pair each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterCounts {
    total: u32,
    dedicated: u32,
}

impl Default for RegisterCounts {
    /// As libmlx5 has them when the environment says nothing: 16, and 4 of them dedicated.
    fn default() -> Self {
        Self { total: 16, dedicated: 4 }
    }
}

impl RegisterCounts {
    /// Most registers of a context (`MLX5_MAX_BFREGS`).
    const MOST: u32 = 512;

    /// Registers with a lock that are enough (`MLX5_MED_BFREGS_TSHOLD`): what is beyond them is
    /// dedicated.
    const ENOUGH_LOCKED: u32 = 12;

    // ANCHOR: register_counts
    /// As libmlx5 works them out from what is asked for: a total of whole pages, and no more with a
    /// lock than are enough. (`get_total_uuars`, `get_num_low_lat_uuars`)
    pub fn new(total: u32, dedicated: u32) -> Result<Self, VerbsError> {
        if !(1..=Self::MOST).contains(&total) {
            let (what, value) = ("MLX5_TOTAL_UUARS", total.into());
            return Err(VerbsError::Invalid { what, value, why: "is not between 1 and 512" });
        }
        let total = total.next_multiple_of(2);
        let dedicated = dedicated.max(total.saturating_sub(Self::ENOUGH_LOCKED));
        if dedicated >= total {
            let (what, value) = ("MLX5_NUM_LOW_LAT_UUARS", dedicated.into());
            let why = "leaves no register with a lock; it must be less than MLX5_TOTAL_UUARS";
            return Err(VerbsError::Invalid { what, value, why });
        }
        Ok(Self { total, dedicated })
    }
    // ANCHOR_END: register_counts

    /// How many are dedicated, and how many have a lock.
    pub fn split(self) -> (u32, u32) {
        (self.dedicated, self.total - self.dedicated)
    }
}

impl Default for BlueFlameSettings {
    /// As libmlx5 has them when the environment says nothing.
    fn default() -> Self {
        Self { forbidden: false, preferred: true, registers: RegisterCounts::default() }
    }
}

impl BlueFlameSettings {
    // ANCHOR: blueflame_environment
    /// As the environment says, which libmlx5 reads when it opens a device: `1` switches one of the
    /// two settings on, and `0` off; two numbers say how many registers there are. (`get_shut_up_bf`,
    /// `get_always_bf`, `get_uar_info`)
    pub fn from_environment() -> Result<Self, VerbsError> {
        let says = |name: &str, answer: &str| std::env::var(name).is_ok_and(|text| text == answer);
        let forbidden = std::env::var("MLX5_SHUT_UP_BF").is_ok_and(|text| text != "0");
        let default = RegisterCounts::default();
        let number = |name, default| number(name, std::env::var_os(name), default);
        let registers = RegisterCounts::new(
            number("MLX5_TOTAL_UUARS", default.total)?,
            number("MLX5_NUM_LOW_LAT_UUARS", default.dedicated)?,
        )?;
        Ok(Self { forbidden, preferred: !says("MLX5_POST_SEND_PREFER_BF", "0"), registers })
    }
    // ANCHOR_END: blueflame_environment
}

/// All that libmlx5 reads from the environment, as far as this provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderSettings {
    /// When to use BlueFlame, and which registers there are for it.
    pub blueflame: BlueFlameSettings,
    /// Each WQE of a queue pair carries a checksum (`MLX5_QP_SIGNATURE`).
    pub signatures: bool,
}

impl From<BlueFlameSettings> for ProviderSettings {
    /// Without signatures.
    fn from(blueflame: BlueFlameSettings) -> Self {
        Self { blueflame, signatures: false }
    }
}

impl ProviderSettings {
    // ANCHOR: provider_environment
    /// As the environment says: signatures are on if the variable is there, whatever it holds.
    /// (`qp_sig_enabled`)
    pub fn from_environment() -> Result<Self, VerbsError> {
        let signatures = std::env::var_os("MLX5_QP_SIGNATURE").is_some();
        Ok(Self { blueflame: BlueFlameSettings::from_environment()?, signatures })
    }
    // ANCHOR_END: provider_environment
}

/// A number of the environment, if it is set.
fn number(name: &'static str, text: Option<OsString>, default: u32) -> Result<u32, VerbsError> {
    let Some(text) = text else { return Ok(default) };
    let number = text.to_str().and_then(|text| text.trim().parse().ok());
    let text = text.to_string_lossy().into_owned();
    number.ok_or(VerbsError::Environment { name, text })
}

/// What each queue keeps at hand of its context.
#[derive(Clone)]
pub struct Settings {
    /// When to use BlueFlame.
    pub blueflame: BlueFlameSettings,
    /// Where inline data may lie.
    pub memory: AtHand,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_holds_a_number_or_is_named() {
        let of = |text: Option<&str>| number("MLX5_TOTAL_UUARS", text.map(OsString::from), 16);
        assert_eq!((of(None), of(Some(" 32 "))), (Ok(16), Ok(32)));
        for text in ["", "many", "-1", "4294967296"] {
            let error = of(Some(text)).unwrap_err().to_string();
            assert!(error.contains("MLX5_TOTAL_UUARS") && error.contains(text), "{error}");
        }
    }

    #[test]
    fn counts_are_worked_out_as_libmlx5_does() {
        let of =
            |total, dedicated| RegisterCounts::new(total, dedicated).map(RegisterCounts::split);
        assert_eq!(of(16, 4), Ok((4, 12)));
        assert_eq!(RegisterCounts::default().split(), (4, 12));
        assert_eq!(of(1, 0), Ok((0, 2)), "whole pages");
        assert_eq!(of(16, 0), Ok((4, 12)), "not more with a lock than are enough");
        assert_eq!(of(512, 0), Ok((500, 12)));
        assert_eq!(of(8, 7), Ok((7, 1)));
        for (total, dedicated, named) in
            [(0, 0, "TOTAL"), (513, 4, "TOTAL"), (8, 8, "LOW_LAT"), (2, 9, "LOW_LAT")]
        {
            let error = of(total, dedicated).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
