//! What `--device` can name.

use std::fmt;
use std::str::FromStr;

/// A door to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The software card in this process.
    #[default]
    Card,
    /// No device at all: a machine where nobody has made one.
    None,
}

impl Device {
    /// Every device that can be named, with what it is.
    pub const ALL: [(Self, &'static str); 2] = [
        (Self::Card, "the software card: no hardware, no root, no kernel module"),
        (Self::None, "a machine without a device: shows what discovery finds then"),
    ];
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Card => "card",
            Self::None => "none",
        })
    }
}

/// A device that cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no device {0:?}; use \"card\" (the software card) or \"none\" (a machine without one). Real cards cannot be opened by this version"
)]
pub struct UnknownDevice(pub String);

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        let found = Self::ALL.into_iter().find(|(device, _)| device.to_string() == name);
        found.map(|(device, _)| device).ok_or_else(|| UnknownDevice(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_a_name_that_leads_back_to_it() {
        for (device, _) in Device::ALL {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
    }

    #[test]
    fn an_unknown_one_is_told_what_there_is() {
        let error = "mlx5_9".parse::<Device>().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("mlx5_9") && text.contains("\"card\""), "{text}");
    }
}
