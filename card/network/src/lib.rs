//! Software cards of different processes on one network: RoCE v2 in UDP datagrams.
//!
//! Each card has an IPv4 address of this machine, by default one of the loopback network, and takes
//! UDP port 4791 there. What leaves it goes out as a datagram whose content begins with the base
//! transport header and ends with the invariant CRC that the card has worked out, from the address
//! and the source port that its headers name. Anybody who captures the network sees RoCE v2.
//!
//! A socket hands over the content of datagrams and makes the headers itself. So the card's own
//! Ethernet, IP and UDP headers are taken off and put on again, and this much is not the card's:
//!
//! - MAC addresses: each card has the one that belongs to its IPv4 address, see [`mac_of`]. On the
//!   loopback interface no frame has any.
//! - Time to live and type of service go out as the card wants them, but are not told to the receiver:
//!   the card there gets 64 and 0. The invariant CRC leaves both out, as routers change them.
//! - The UDP checksum, which the card leaves 0, is the system's; the CRC leaves it out, too.
//! - On Linux the datagram's number is 0 and it may not be cut, as with the card; the CRC covers both.
//!   Other systems may number it, and then a capture shows CRCs that look wrong.
//!
//! On its way out a packet can be lost, doubled, overtaken or held back, by chances and a seed: see
//! [`Impairments`].
#![forbid(unsafe_code)]

mod address;
mod chance;
mod error;
mod frame;
mod impairments;
mod traffic;
mod udp;

pub use address::{config_of, mac_of, mac_of_gid};
pub use chance::{Chance, NotAChance};
pub use error::NetworkError;
pub use impairments::Impairments;
pub use traffic::Traffic;
pub use udp::UdpNetwork;
