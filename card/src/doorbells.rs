//! Writes to UAR pages: what each place in a page means.

use crate::card::Card;
use crate::completion_queue::Arm;
use crate::dma::Bus;
use doorbell_prm::doorbell::{CqArmDoorbell, EqDoorbell};
use doorbell_prm::registers::uar::UarRegister;
use doorbell_prm::wqe::SEND_BLOCK;
use doorbell_prm::zerocopy::FromBytes;

/// A doorbell that was rung and not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doorbell {
    /// A send doorbell or BlueFlame burst.
    Send {
        page: u32,
        /// Which register and buffer of the page.
        place: (u64, u64),
        bytes: Vec<u8>,
    },
    /// A completion queue is armed.
    CompletionQueue { page: u32, value: CqArmDoorbell },
    /// An event queue's consumer index moves.
    EventQueue { page: u32, value: EqDoorbell, arm: bool },
}

impl Card {
    // ANCHOR: card_uar
    /// Notes a write to a UAR page. The page tells whose doorbell it may be: a program can only
    /// reach the pages that are mapped for it.
    pub(crate) fn write_uar(&mut self, page: u32, offset: u64, bytes: &[u8]) {
        let doorbell = match UarRegister::at(offset) {
            UarRegister::CqDoorbell => match CqArmDoorbell::read_from_bytes(bytes) {
                Ok(value) => Doorbell::CompletionQueue { page, value },
                Err(_) => return,
            },
            register @ (UarRegister::EqDoorbellArm | UarRegister::EqDoorbellConsumerIndex) => {
                let arm = register == UarRegister::EqDoorbellArm;
                match EqDoorbell::read_from_bytes(bytes) {
                    Ok(value) => Doorbell::EventQueue { page, value, arm },
                    Err(_) => return,
                }
            }
            UarRegister::SendDoorbell { register, buffer, offset } => {
                return self.write_send_doorbell(page, (register, buffer), offset, bytes);
            }
            UarRegister::Reserved => return,
        };
        self.doorbells.push_back(doorbell);
    }

    /// A burst that continues the last one is joined to it: a WQE of several blocks comes to the
    /// BlueFlame register as several bursts. Stores that were not combined are no bursts: the
    /// first of them is a doorbell, and the others say nothing.
    fn write_send_doorbell(&mut self, page: u32, place: (u64, u64), offset: u64, bytes: &[u8]) {
        if offset == 0 {
            let bytes = bytes.to_vec();
            return self.doorbells.push_back(Doorbell::Send { page, place, bytes });
        }
        if let Some(Doorbell::Send { page: last_page, place: last_place, bytes: begun }) =
            self.doorbells.back_mut()
            && (*last_page, *last_place) == (page, place)
            && begun.len() as u64 == offset
            && [begun.len(), bytes.len()].iter().all(|length| length.is_multiple_of(SEND_BLOCK))
        {
            begun.extend(bytes);
        }
    }
    // ANCHOR_END: card_uar

    /// Does what a doorbell asks for.
    pub(crate) fn take_doorbell(&mut self, doorbell: Doorbell, bus: &mut Bus<'_>) {
        match doorbell {
            Doorbell::Send { page, bytes, .. } => self.ring_send_queue(page, bytes, bus),
            Doorbell::CompletionQueue { page, value } => {
                let arm = match value.solicited_only() {
                    1 => Arm::Solicited,
                    _ => Arm::Next,
                };
                self.arm_completion_queue((page, value.cqn()), value.consumer_index(), arm, bus);
            }
            Doorbell::EventQueue { page, value, arm } => {
                let eqn = value.eqn() as u8;
                self.ring_event_queue((page, eqn), value.consumer_index(), arm, bus);
            }
        }
    }
}
