//! How long a program waits for the other side.

use super::PeerError;
use std::time::{Duration, Instant};

/// How often nothing was found between two looks at the clock.
const LOOKS: u32 = 1000;

/// Counts how long nothing has come.
#[derive(Debug)]
pub struct Patience {
    timeout: Duration,
    last: Instant,
    looks: u32,
}

impl Patience {
    /// Patience that lasts so long.
    pub fn of(timeout: Duration) -> Self {
        Self { timeout, last: Instant::now(), looks: 0 }
    }

    /// Something has come.
    pub fn renew(&mut self) {
        (self.last, self.looks) = (Instant::now(), 0);
    }

    /// Nothing has come, once more. An error when it has been too long.
    pub fn strain(&mut self) -> Result<(), PeerError> {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(LOOKS) && self.last.elapsed() >= self.timeout {
            return Err(PeerError::Silent(self.timeout.as_secs()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_nothing_comes_and_only_then() {
        let mut patience = Patience::of(Duration::from_secs(1000));
        assert!((0..LOOKS * 3).all(|_| patience.strain().is_ok()));
        let mut patience = Patience::of(Duration::ZERO);
        assert!((1..LOOKS).all(|_| patience.strain().is_ok()));
        patience.renew();
        assert!((1..LOOKS).all(|_| patience.strain().is_ok()));
        assert!(matches!(patience.strain(), Err(PeerError::Silent(0))));
    }
}
