//! Numbers from a seed, and bytes of the kind that find mistakes.

/// A generator (splitmix64): the same seed gives the same numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A number whose size is as random as its bits.
    pub fn sized(&mut self) -> u64 {
        let bits = self.below(64) as u32;
        match self.once_in(8) {
            true => u64::MAX >> bits,
            false => self.any() >> bits,
        }
    }

    /// Bytes of which many are zeros or ones, as headers and lengths like to be.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut byte = || match self.any() & 7 {
            0..3 => 0,
            3 => 0xff,
            _ => self.any() as u8,
        };
        (0..length).map(|_| byte()).collect()
    }

    /// Changes up to three bytes, by a bit or altogether.
    pub fn poke(&mut self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() as u64) as usize;
            bytes[at] = match self.once_in(2) {
                true => bytes[at] ^ 1 << self.below(8),
                false => self.any() as u8,
            };
        }
    }
}
