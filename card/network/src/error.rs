//! Why a card cannot be plugged in.

use std::net::Ipv4Addr;

/// Why a card cannot have an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// No single card can have it.
    #[error("{0} is no address of one card; use one of this machine, as 127.0.0.2")]
    NoAddressOfACard(Ipv4Addr),
    /// Somebody has the address or its port.
    #[error(
        "UDP port 4791 of {address} is taken ({reason}): another card has the address, or rdma_rxe is loaded; give this card another one, as 127.0.0.5"
    )]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// The system's words.
        reason: String,
    },
    /// The address is not one of this machine.
    #[error(
        "{address} is no address of this machine ({reason}); use one that is, as 127.0.0.2 on Linux, or add it to an interface"
    )]
    NotHere {
        /// The address.
        address: Ipv4Addr,
        /// The system's words.
        reason: String,
    },
    /// The system refused something else.
    #[error("{address} cannot be plugged in: {reason}")]
    Refused {
        /// The address.
        address: Ipv4Addr,
        /// The system's words.
        reason: String,
    },
}
