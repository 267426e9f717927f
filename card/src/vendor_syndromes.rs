//! The vendor syndromes that this card writes: those on which independent public reports of ConnectX-4 or
//! later agree. `doorbell_prm::vendor_syndrome` names the reports; a test holds the two together.
//!
//! Everything else stays 0, since no public source says it, or one alone: what a wrong lkey, a length, a WQE
//! or a bind is refused with, what the other side's "operational error" is reported with, and what a flush is
//! that no failure has caused.

use doorbell_prm::cqe::CqeSyndrome::{self, *};

/// The vendor syndrome of an error CQE. `after_failure` says that an error CQE of the same queue pair went
/// before: what follows it is flushed because of it.
pub(crate) fn vendor_syndrome_of(syndrome: CqeSyndrome, is_send: bool, after_failure: bool) -> u8 {
    match syndrome {
        WorkRequestFlushed if after_failure => 0xf9,
        TransportRetryExceeded if is_send => 0x81,
        RnrRetryExceeded if is_send => 0x87,
        RemoteAccessError if is_send => 0x88,
        RemoteInvalidRequest if is_send => 0x8a,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorbell_prm::vendor_syndrome::{Standing, VENDOR_SYNDROMES};

    #[test]
    fn the_card_writes_what_reports_agree_on_and_nothing_else() {
        for code in 0..=u8::MAX {
            let Some(syndrome) = CqeSyndrome::from_code(code) else { continue };
            let agreed = VENDOR_SYNDROMES
                .iter()
                .find(|known| known.syndrome == syndrome && known.standing == Standing::Agreed);
            let wanted = agreed.map_or(0, |known| known.code);
            assert_eq!(vendor_syndrome_of(syndrome, true, true), wanted);
            let of_a_receive = vendor_syndrome_of(syndrome, false, true);
            assert_eq!(of_a_receive, if syndrome == WorkRequestFlushed { wanted } else { 0 });
        }
        assert_eq!(vendor_syndrome_of(WorkRequestFlushed, true, false), 0);
    }
}
