//! A software card with a wire: `card,address=127.0.0.2,loss=0.1,seed=7`.

use doorbell_card_network::{Impairments, NotAChance};
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

/// A software card on a network with those of other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WiredCard {
    /// Its IPv4 address, one of this machine.
    pub address: Ipv4Addr,
    /// What happens to packets that leave it.
    pub impairments: Impairments,
}

/// What is wrong with the options of a software card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireOptionError {
    /// Without an address there is no wire.
    #[error(
        "a software card with options needs an address: \"card,address=127.0.0.2\", and another address for the other process"
    )]
    NoAddress,
    /// Not of the form `name=value`.
    #[error("{0:?} is no option of a software card; write name=value, as address=127.0.0.2")]
    NotAnOption(String),
    /// Another name.
    #[error(
        "a software card has no option {0:?}; it has address, loss, duplicate, reorder, delay and seed"
    )]
    Unknown(String),
    /// Given more than once.
    #[error("{0} is given twice; give it once")]
    Twice(String),
    /// Not an address.
    #[error("address={0} is no IPv4 address; use one of this machine, as 127.0.0.2")]
    Address(String),
    /// Not a probability.
    #[error("{option}={value}: {error}", value = error.0)]
    Chance {
        /// Which option.
        option: &'static str,
        /// What is wrong.
        error: NotAChance,
    },
    /// Not a time.
    #[error(
        "delay={0} is no time of at most 10 s; give a whole number with its unit, as 200us, 5ms or 1s"
    )]
    Delay(String),
    /// Not a seed.
    #[error("seed={0} is no seed; give a whole number from 0 to 18446744073709551615")]
    Seed(String),
}

impl FromStr for WiredCard {
    type Err = WireOptionError;

    /// Reads the options, without the word before them.
    fn from_str(text: &str) -> Result<Self, WireOptionError> {
        let mut options = BTreeMap::new();
        for option in text.split(',') {
            let pair = option.split_once('=');
            let (name, value) =
                pair.ok_or_else(|| WireOptionError::NotAnOption(option.to_owned()))?;
            if !NAMES.contains(&name) {
                return Err(WireOptionError::Unknown(name.to_owned()));
            }
            if options.insert(name, value).is_some() {
                return Err(WireOptionError::Twice(name.to_owned()));
            }
        }
        let address = *options.get("address").ok_or(WireOptionError::NoAddress)?;
        let chance = |option: &'static str| {
            let value = options.get(option).unwrap_or(&"0");
            value.parse().map_err(|error| WireOptionError::Chance { option, error })
        };
        let seed = *options.get("seed").unwrap_or(&"0");
        let delay = *options.get("delay").unwrap_or(&"0us");
        Ok(Self {
            address: address.parse().map_err(|_| WireOptionError::Address(address.to_owned()))?,
            impairments: Impairments {
                loss: chance("loss")?,
                duplicate: chance("duplicate")?,
                reorder: chance("reorder")?,
                delay: duration(delay).ok_or_else(|| WireOptionError::Delay(delay.to_owned()))?,
                seed: seed.parse().map_err(|_| WireOptionError::Seed(seed.to_owned()))?,
            },
        })
    }
}

const NAMES: [&str; 6] = ["address", "loss", "duplicate", "reorder", "delay", "seed"];

/// The longest delay: programs give up after a minute.
const LONGEST: Duration = Duration::from_secs(10);

/// A whole number of microseconds, milliseconds or seconds.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        _ => return None,
    };
    let duration = Duration::from_micros(number.checked_mul(unit)?);
    (duration <= LONGEST).then_some(duration)
}

impl fmt::Display for WiredCard {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Impairments { loss, duplicate, reorder, delay, seed } = self.impairments;
        write!(to, "card,address={}", self.address)?;
        for (name, chance) in [("loss", loss), ("duplicate", duplicate), ("reorder", reorder)] {
            if chance > Default::default() {
                write!(to, ",{name}={chance}")?;
            }
        }
        if !delay.is_zero() {
            write!(to, ",delay={}us", delay.as_micros())?;
        }
        if seed != 0 {
            write!(to, ",seed={seed}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_as_they_are_written() {
        for text in [
            "address=127.0.0.2",
            "address=127.0.0.2,loss=0.1",
            "address=10.0.0.1,loss=0.25,duplicate=0.01,reorder=1,delay=1500us,seed=18446744073709551615",
        ] {
            let card: WiredCard = text.parse().expect(text);
            assert_eq!(card.to_string(), format!("card,{text}"));
        }
        let card: WiredCard = "seed=7,delay=2ms,address=127.0.0.3".parse().expect("any order");
        assert_eq!(card.to_string(), "card,address=127.0.0.3,delay=2000us,seed=7");
        assert_eq!(duration("10s"), Some(LONGEST));
    }

    #[test]
    fn nonsense_is_refused_with_what_to_write() {
        for (text, wanted) in [
            ("loss=0.1", "address=127.0.0.2"),
            ("", "name=value"),
            ("address", "name=value"),
            ("address=127.0.0.2,", "name=value"),
            ("address=127.0.0.2,speed=9", "reorder"),
            ("address=127.0.0.2,address=127.0.0.3", "twice"),
            ("address=localhost", "IPv4"),
            ("address=::1", "IPv4"),
            ("address=127.0.0.2,loss=2", "loss=2"),
            ("address=127.0.0.2,duplicate=-1", "0 to 1"),
            ("address=127.0.0.2,reorder=often", "reorder=often"),
            ("address=127.0.0.2,delay=5", "with its unit"),
            ("address=127.0.0.2,delay=11s", "at most 10 s"),
            ("address=127.0.0.2,delay=99999999999999999999s", "at most 10 s"),
            ("address=127.0.0.2,seed=x", "whole number"),
        ] {
            let error = text.parse::<WiredCard>().expect_err(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
