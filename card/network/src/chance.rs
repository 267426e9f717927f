//! A probability, exact to a hundredth of a percent.

use std::fmt;
use std::str::FromStr;

/// How often something happens: 0 to 1, in ten thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Chance(u16);

/// A text that is no probability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no chance; give a number from 0 to 1, as 0.1 for one in ten")]
pub struct NotAChance(pub String);

const WHOLE: u16 = 10_000;

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// Always.
    pub const ALWAYS: Self = Self(WHOLE);

    /// How many of ten thousand.
    pub fn ten_thousandths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:04}", self.0 % WHOLE);
        match digits.trim_end_matches('0') {
            "" => write!(to, "{}", self.0 / WHOLE),
            digits => write!(to, "{}.{digits}", self.0 / WHOLE),
        }
    }
}

impl FromStr for Chance {
    type Err = NotAChance;

    fn from_str(text: &str) -> Result<Self, NotAChance> {
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
        let number = number.ok_or_else(|| NotAChance(text.to_owned()))?;
        Ok(Self((number * f64::from(WHOLE)).round() as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_reads_as_it_is_written() {
        for text in ["0", "1", "0.1", "0.0001", "0.25"] {
            assert_eq!(text.parse::<Chance>().expect(text).to_string(), text);
        }
        for text in ["", "2", "-0.1", "1.0001", "ten", "NaN", "10%"] {
            assert!(text.parse::<Chance>().expect_err(text).to_string().contains("0 to 1"));
        }
    }

    #[test]
    fn ends_of_the_scale_are_never_and_always() {
        assert_eq!("0".parse(), Ok(Chance::NEVER));
        assert_eq!("1.0".parse(), Ok(Chance::ALWAYS));
        assert_eq!(Chance::ALWAYS.ten_thousandths(), 10_000);
    }
}
