//! What `--device` can name.

mod wired;

pub use wired::{WireOptionError, WiredCard};

use std::fmt;
use std::str::FromStr;

/// A door to a card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Device {
    /// The software card in this process.
    #[default]
    Card,
    /// The software card in this process, on a network with those of other processes.
    Wired(WiredCard),
    /// No device at all: a machine where nobody has made one.
    None,
    /// A device that the kernel drives, by its name (`mlx5_0`) or that of its file (`uverbs0`).
    Kernel(String),
    /// A card that VFIO holds, by its PCI address.
    Vfio(String),
}

impl Device {
    /// Every way to name a device, with what it is.
    pub const ALL: [(&'static str, &'static str); 5] = [
        ("card", "the software card: no hardware, no root, no kernel module"),
        (
            "card,address=127.0.0.2",
            "the same, with a wire to the cards of other processes; also loss=, duplicate=, reorder= (0 to 1), delay= and seed=",
        ),
        ("none", "a machine without a device: shows what discovery finds then"),
        ("mlx5_0, uverbs0", "a card that the kernel's mlx5_ib drives, through uverbs"),
        ("vfio:0000:3b:00.0", "a card bound to vfio-pci: no kernel driver, the firmware path"),
    ];
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card => formatter.write_str("card"),
            Self::Wired(card) => card.fmt(formatter),
            Self::None => formatter.write_str("none"),
            Self::Kernel(name) => formatter.write_str(name),
            Self::Vfio(address) => write!(formatter, "vfio:{address}"),
        }
    }
}

/// A device that cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownDevice {
    /// No door has this name.
    #[error(
        "there is no device {0:?}; use \"card\" (the software card), \"card,address=127.0.0.2\" (with a wire to another process), \"none\" (a machine without one), the name of one that the kernel drives (\"mlx5_0\", see ibv_devices) or \"vfio:\" and a PCI address (\"vfio:0000:3b:00.0\")"
    )]
    Name(String),
    /// Something is wrong with the options of a software card.
    #[error(transparent)]
    Wire(#[from] WireOptionError),
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        match name {
            "card" => Ok(Self::Card),
            "none" => Ok(Self::None),
            _ => match (name.strip_prefix("card,"), name.strip_prefix("vfio:")) {
                (Some(options), _) => Ok(Self::Wired(options.parse()?)),
                (_, Some(address)) if is_address(address) => Ok(Self::Vfio(address.to_owned())),
                (_, None) if is_name(name) => Ok(Self::Kernel(name.to_owned())),
                _ => Err(UnknownDevice::Name(name.to_owned())),
            },
        }
    }
}

/// Domain, bus, device and function: `0000:3b:00.0`.
fn is_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '.']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let digits = parts.iter().all(|part| part.chars().all(|digit| digit.is_ascii_hexdigit()));
    lengths == [4, 2, 2, 1] && digits && text.as_bytes()[10] == b'.'
}

/// A name as the kernel gives them to devices: letters, digits and underscores, a digit at the end.
fn is_name(text: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_a_name_that_leads_back_to_it() {
        let wired = "card,address=127.0.0.2,loss=0.1";
        for name in
            ["card", wired, "none", "mlx5_0", "uverbs12", "rocep59s0f1", "vfio:0000:3b:00.0"]
        {
            assert_eq!(
                name.parse::<Device>().map(|device| device.to_string()),
                Ok(name.to_owned())
            );
        }
    }

    #[test]
    fn an_unknown_one_is_told_what_there_is() {
        for name in
            ["", "crad", "vfio:", "vfio:3b:00.0", "vfio:0000:3b:00:0", "../etc/0", "mlx5_0 "]
        {
            let error = name.parse::<Device>().expect_err(name);
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("\"card\""), "{text}");
        }
        let error = "card,loss=2".parse::<Device>().expect_err("no address");
        assert!(error.to_string().contains("card,address=127.0.0.2"), "{error}");
    }
}
