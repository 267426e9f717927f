//! What a finding means: what happened, where, and what to check.

use super::causes::{self, Cause};
use super::found::{Failure, Found, Reading, What};
use super::kinds::{Kind, number};
use doorbell_examples::scenario;
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::vendor_syndrome::{Standing, vendor_syndrome};
use doorbell_prm::wqe::{INLINE_SEGMENT, SendOpcode};

mod firmware;

use firmware::{command, completion_queue, firmware};

/// What a finding means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, in sentences.
    pub happened: String,
    /// Where: queue, WQE.
    pub place: Vec<String>,
    /// What is known of the vendor's own numbers.
    pub vendor: Vec<String>,
    /// Likely causes with what to check, likeliest first.
    pub causes: Vec<(String, String)>,
    /// The scenario that shows it, if there is one.
    pub scenario: Option<&'static str>,
}

/// What is said where nobody outside the vendor knows.
const NOT_DOCUMENTED: &str = "not publicly documented";

/// Explains a finding. Only what an error tells is explained, and what a structure is for.
pub fn explain(found: &Found) -> Explanation {
    let mut told = match &found.what {
        What::Completion(failure) => completion(failure),
        What::Command(failure) => command(failure),
        What::CompletionQueue(cqn, syndrome) => completion_queue(*cqn, *syndrome),
        What::Firmware(syndrome) => firmware(*syndrome),
        What::Structure => structure(found),
    };
    // Of several readings none is preferred, so nothing is said to have happened.
    if let Some(dump) = &found.dump
        && dump.readings.len() > 1
        && !dump.named
    {
        told = Explanation {
            happened: "What happened depends on which of these it is; `--as` says it.".to_owned(),
            ..Explanation::default()
        };
    }
    told
}

/// The causes as text.
fn causes_of(causes: &[Cause]) -> Vec<(String, String)> {
    causes.iter().map(|cause| (cause.why.to_owned(), cause.check.to_owned())).collect()
}

/// A completion with an error.
fn completion(failure: &Failure) -> Explanation {
    let of_status = failure.status.and_then(causes::of_status);
    let syndrome = failure.syndrome.map(|code| (code, CqeSyndrome::from_code(code)));
    let syndrome = syndrome.or_else(|| of_status.map(|known| (known.code(), Some(known))));
    let mut told = Explanation { place: place(failure), ..Explanation::default() };
    match syndrome {
        Some((_, Some(known))) => {
            let meaning = causes::meaning(known);
            let receive = failure.receive == Some(true);
            told.happened = format!(
                "{} ({}, {}). {}",
                if receive { "A receive failed" } else { "A send failed" },
                known.label(),
                meaning.status_name,
                if receive { meaning.receive } else { meaning.send }
            );
            if failure.receive.is_none() {
                told.happened = format!(
                    "Work failed ({}, {}). For a send: {} For a receive: {}",
                    known.label(),
                    meaning.status_name,
                    meaning.send,
                    meaning.receive
                );
            }
            told.causes = causes_of(meaning.causes);
            if !receive {
                told.scenario = meaning.causes.iter().find_map(|cause| cause.scenario);
            }
            if let Some(vendor) = failure.vendor {
                told.vendor.push(format!("vendor syndrome {vendor:#x}: {}", finer(known, vendor)));
            }
        }
        Some((code, None)) => {
            told.happened = format!(
                "Work failed with syndrome {code:#x}, which is none of those in mlx5dv.h; verbs \
                 report it as IBV_WC_GENERAL_ERR. What it means is {NOT_DOCUMENTED}."
            );
            if let Some(vendor) = failure.vendor {
                told.vendor.push(format!("vendor syndrome {vendor:#x}: {NOT_DOCUMENTED}"));
            }
        }
        None => {
            told.happened = match failure.status {
                Some(status) => format!(
                    "Work failed with status {status} of enum ibv_wc_status, for which an mlx5 \
                     card has no syndrome of its own."
                ),
                None => "Work failed; the message does not say with which syndrome.".to_owned(),
            };
            if let Some(vendor) = failure.vendor {
                told.vendor.push(format!(
                    "vendor syndrome {vendor:#x}: {NOT_DOCUMENTED} without the CQE's syndrome"
                ));
            }
        }
    }
    told
}

/// What is publicly known of a vendor syndrome, how well, and where.
fn finer(syndrome: CqeSyndrome, code: u8) -> String {
    let Some(known) = vendor_syndrome(syndrome, code) else { return NOT_DOCUMENTED.to_owned() };
    let standing = match known.standing {
        Standing::Stated => "From",
        Standing::Agreed => "Independent reports agree:",
        Standing::Reported => "Reported, not confirmed:",
    };
    format!("{}. {standing} {}.", known.meaning, known.sources.join("; "))
}

/// On which queue, and which WQE.
fn place(failure: &Failure) -> Vec<String> {
    let mut place = Vec::new();
    match (failure.queue, failure.queue_is) {
        (Some(0), "QP") => place.push("The CQE names no queue pair (0).".to_owned()),
        (Some(queue), "QP") => place.push(format!("Queue pair {queue:#x} ({queue}).")),
        (Some(queue), kind) => place.push(format!("{kind} {queue:#x} ({queue}).")),
        (None, _) => {}
    }
    if let Some(cqn) = failure.cqn {
        place.push(format!("Completion queue {cqn:#x} ({cqn})."));
    }
    match failure.user_index {
        Some(index) if index != 0 => place.push(format!(
            "User index {index:#x}: with CQEs of version 1 libmlx5 finds its queue pair by it; of a \
             receive it may be the shared receive queue."
        )),
        _ => {}
    }
    if let Some(counter) = failure.wqe_counter {
        let opcode = failure.opcode.and_then(SendOpcode::from_code);
        let what = opcode.map_or_else(String::new, |opcode| format!(" {}", opcode.label()));
        place.push(if failure.receive == Some(true) {
            format!(
                "WQE counter {counter}: in a shared receive queue the WQE's index; in a queue pair's \
                 own receive queue the oldest receive that is still there."
            )
        } else {
            format!(
                "WQE{what} at counter {counter}: its first 64-byte block is block {counter} modulo \
                 the number of blocks of the send queue; its control segment has the same \
                 wqe_index."
            )
        });
    }
    place
}

/// A structure that tells of no error.
fn structure(found: &Found) -> Explanation {
    let Some(reading) = found.dump.as_ref().and_then(|dump| dump.readings.first()) else {
        return Explanation::default();
    };
    let shown = shown_by(reading).filter(|name| scenario(name).is_ok());
    Explanation { happened: purpose(reading), scenario: shown, ..Explanation::default() }
}

/// What a structure says, in a sentence.
fn purpose(reading: &Reading) -> String {
    let bytes = &reading.bytes;
    match reading.kind {
        Kind::Wqe => {
            let opcode = SendOpcode::from_code(number(bytes, 3, 1) as u8);
            let name = opcode.map_or("an unknown operation", SendOpcode::label);
            let (qpn, index) = (number(bytes, 4, 3), number(bytes, 1, 2));
            format!("Queue {qpn:#x} is asked for {name}, as its block {index}.")
        }
        Kind::ReceiveWqe | Kind::SrqWqe => "Memory for one message that may come in.".to_owned(),
        Kind::Cqe => {
            let opcode = CqeOpcode::from_code(number(bytes, 63, 1) as u8 >> 4);
            match opcode {
                Some(CqeOpcode::Requester) => "A send is done, without an error.".to_owned(),
                Some(CqeOpcode::Invalid) => "An entry that the card has not written yet.".to_owned(),
                Some(CqeOpcode::SignatureError) => {
                    "A data integrity check failed (T10-DIF or the like). The layout of this entry is \
                     not in this program's tables."
                        .to_owned()
                }
                Some(CqeOpcode::ResizeCq) => "The completion queue was resized.".to_owned(),
                Some(_) => "A message came in, without an error.".to_owned(),
                None => "The last byte has no opcode that a CQE has.".to_owned(),
            }
        }
        Kind::Eqe => "The card tells software that something happened.".to_owned(),
        Kind::CommandIn => "A command for the firmware.".to_owned(),
        Kind::CommandOut => "The firmware's answer to a command.".to_owned(),
        Kind::CommandEntry => "A command in its slot, with its answer if that is there.".to_owned(),
    }
}

/// The scenario in which such a structure is made and used.
fn shown_by(reading: &Reading) -> Option<&'static str> {
    let bytes = &reading.bytes;
    match reading.kind {
        Kind::Wqe => match SendOpcode::from_code(number(bytes, 3, 1) as u8)? {
            SendOpcode::RdmaWrite => Some("rc-write"),
            SendOpcode::Send => {
                let inline = number(bytes, 16, 4) & u64::from(INLINE_SEGMENT) != 0;
                inline.then_some("rc-send-inline")
            }
            _ => None,
        },
        Kind::Cqe => match CqeOpcode::from_code(number(bytes, 63, 1) as u8 >> 4)? {
            CqeOpcode::Requester if number(bytes, 56, 1) == 8 => Some("rc-write"),
            CqeOpcode::ResponderSend => Some("rc-send-inline"),
            _ => None,
        },
        _ => None,
    }
}
