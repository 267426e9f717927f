//! What the card needs from the machine it sits in: memory by DMA, and interrupts.

/// The machine on the other side of PCIe.
pub trait Host {
    /// Copies `into.len()` bytes from bus address `address`.
    ///
    /// Fails, and copies nothing, when any of the bytes is not mapped for the card.
    fn dma_read(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault>;

    /// Copies `bytes` to bus address `address`.
    ///
    /// Fails, and copies nothing, when any of the bytes is not mapped for the card.
    fn dma_write(&mut self, address: u64, bytes: &[u8]) -> Result<(), DmaFault>;

    /// Raises the MSI-X interrupt with this vector.
    fn interrupt(&mut self, vector: u32);
}

/// The host refused a DMA: an address that is not mapped for the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaFault;

impl std::fmt::Display for DmaFault {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("the address is not mapped for the card; map it before the card is told of it")
    }
}

impl std::error::Error for DmaFault {}
