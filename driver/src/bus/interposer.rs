//! Standing between the program and the bus of the software card.

/// Hears of stores to send doorbell registers: what an experiment with several threads needs in order to
/// say which of them is next. The driver knows nothing of it.
pub trait Interposer: Send + Sync {
    /// So many bytes were stored at `offset` of BAR 0, and are in a write-combining buffer. This is the
    /// thread that stored them; it goes on when this returns.
    fn stored(&self, offset: u64, length: usize);
}
