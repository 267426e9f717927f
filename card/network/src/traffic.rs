//! What went over the network, and what did not.

use doorbell_card::Fates;
use std::fmt;

/// What went over a card's wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received.
    pub received: u64,
    /// What happened to packets on purpose.
    pub fates: Fates,
    /// Packets that the system would not send.
    pub refused: u64,
    /// Why it would not send the last of them.
    pub refusal: Option<String>,
}

impl fmt::Display for Traffic {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} packets out, {} in", self.sent, self.received)?;
        let Fates { lost, duplicated, held } = self.fates;
        if self.fates != Fates::default() {
            write!(to, "; on purpose {lost} lost, {duplicated} doubled, {held} held back")?;
        }
        if let Some(refusal) = &self.refusal {
            write!(to, "; {} could not be sent: {refusal}", self.refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_happened_is_told() {
        let mut traffic = Traffic { sent: 3, received: 2, ..Traffic::default() };
        assert_eq!(traffic.to_string(), "3 packets out, 2 in");
        traffic.fates.lost = 1;
        (traffic.refused, traffic.refusal) = (4, Some("no route".to_owned()));
        let text = traffic.to_string();
        assert!(text.contains("on purpose 1 lost, 0 doubled"), "{text}");
        assert!(text.ends_with("4 could not be sent: no route"), "{text}");
    }
}
