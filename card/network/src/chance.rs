//! A probability, exact to a millionth.

use std::fmt;
use std::str::FromStr;

/// How often something happens: 0 to 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Chance(u32);

/// A text that is no probability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no chance; give a number from 0 to 1, as 0.1 for one in ten")]
pub struct NotAChance(pub String);

const WHOLE: u32 = 1_000_000;

impl Chance {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// So many in a million; everything above is always.
    pub const fn millionths(count: u32) -> Self {
        Self(if count > WHOLE { WHOLE } else { count })
    }

    /// Whether a number that is evenly spread over all of `u64` falls within the chance.
    pub(crate) fn takes(self, drawn: u64) -> bool {
        (u128::from(drawn) * u128::from(WHOLE)) >> 64 < u128::from(self.0)
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % WHOLE);
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
        Ok(Self((number * f64::from(WHOLE)).round() as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_reads_as_it_is_written() {
        for text in ["0", "1", "0.1", "0.000001", "0.25"] {
            assert_eq!(text.parse::<Chance>().expect(text).to_string(), text);
        }
        for text in ["", "2", "-0.1", "1.000001", "ten", "NaN", "10%"] {
            assert!(text.parse::<Chance>().expect_err(text).to_string().contains("0 to 1"));
        }
    }

    #[test]
    fn ends_of_the_scale_are_never_and_always() {
        for drawn in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(!Chance::NEVER.takes(drawn) && Chance::millionths(WHOLE).takes(drawn));
        }
        let half = Chance::millionths(WHOLE / 2);
        assert!(half.takes(u64::MAX / 2) && !half.takes(u64::MAX / 2 + 1));
    }
}
