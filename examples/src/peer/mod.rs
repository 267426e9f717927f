//! What every program needs that works with another one: its own end, the other side, and what can go
//! wrong between them.

mod endpoint;
mod error;
mod exchange;
mod frame;
mod offer;
mod patience;

pub use endpoint::{Endpoint, Terms, first_psn};
pub use error::PeerError;
pub use exchange::{Destination, ExchangeError, LENGTH, Peer, as_client, as_server};
pub use frame::{device_or_default, main_with};
pub use patience::Patience;
