//! BAR 0: the registers of the card.

pub mod init_segment;
pub mod uar;
