//! What the two sides of a program tell each other once their queue pairs are connected: what is to be
//! done, which must be the same, and where their memory is.

use super::exchange::ExchangeError;
use super::{Peer, PeerError};
use doorbell_driver::verbs::{MemoryRegion, RemoteAddress};

impl Peer {
    /// Offers our memory, and hears where the other side's is. An error if the other side is to do
    /// something else.
    pub fn offer(
        &mut self,
        what: String,
        memory: &MemoryRegion,
    ) -> Result<RemoteAddress, PeerError> {
        let (address, rkey) = (memory.buffer().address(), memory.rkey());
        let offer = Offer { what, address, rkey };
        self.tell(&offer.to_wire())?;
        let theirs = Offer::from_wire(&self.hear()?)?;
        if theirs.what != offer.what {
            return Err(PeerError::OtherPlan { ours: offer.what, theirs: theirs.what });
        }
        Ok(RemoteAddress { address: theirs.address, rkey: theirs.rkey })
    }
}

/// What a side says of itself once both queue pairs are connected.
#[derive(Debug, PartialEq, Eq)]
struct Offer {
    /// Program and options that must be the same on both sides.
    what: String,
    address: u64,
    rkey: u32,
}

/// Bytes of it on the socket.
const OFFER: usize = 96;

impl Offer {
    fn to_wire(&self) -> [u8; OFFER] {
        let text = format!("{:016x}:{:08x}:{}", self.address, self.rkey, self.what);
        let mut bytes = [0; OFFER];
        let length = text.len().min(OFFER);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        bytes
    }

    fn from_wire(bytes: &[u8; OFFER]) -> Result<Self, ExchangeError> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches('\0');
        let mut parts = text.splitn(3, ':');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (address, rkey) = (number(), number().and_then(|rkey| u32::try_from(rkey).ok()));
        match (address, rkey, parts.next()) {
            (Some(address), Some(rkey), Some(what)) => {
                Ok(Self { what: what.to_owned(), address, rkey })
            }
            _ => Err(ExchangeError::Nonsense(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_reads_as_it_is_written() {
        let what = "rdma_lat --op write -s 4194304 -n 10000000".to_owned();
        let offer = Offer { what, address: u64::MAX, rkey: u32::MAX };
        assert_eq!(Offer::from_wire(&offer.to_wire()).expect("its own words"), offer);
        for text in ["", "1:2", "x:2:rdma_bw", "1:123456789:rdma_bw"] {
            let mut bytes = [0; OFFER];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            assert!(Offer::from_wire(&bytes).is_err(), "{text}");
        }
    }
}
