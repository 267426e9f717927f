//! From bytes to what is shown of them: fields by their layouts, objects by their parts.
//!
//! Nothing here knows a field's place or meaning: that is asked of `doorbell_prm`. What a step says
//! in one line is worded in [`doorbell_examples::words`], for all faces.

pub mod fields;
pub mod object;
pub mod stored;

pub use fields::FieldLine;
pub use object::{Object, Section, carried};

use doorbell_tracer::{Actor, Header, Masked};

/// Who did it, in at most four letters where there are few threads.
pub fn actor(actor: Actor) -> String {
    match actor {
        Actor::Cpu(number) => format!("cpu{number}"),
        Actor::Card => "card".to_owned(),
    }
}

/// Which of a run's events a trace has, and what of them is masked, to be put behind its name; empty if
/// it has all of everything.
pub fn kept(header: &Header) -> String {
    let ring = header.ring.map(|ring| match ring.lost {
        0 => ", out of a ring, no events lost".to_owned(),
        1 => ", out of a ring, 1 event lost".to_owned(),
        lost => format!(", out of a ring, {lost} events lost"),
    });
    ring.unwrap_or_default() + masked(header.masked)
}

/// What of a trace is masked, to be put behind its name; empty if nothing is.
pub fn masked(masked: Masked) -> &'static str {
    match (masked.payload, masked.addresses) {
        (true, true) => ", payload and addresses masked",
        (true, false) => ", payload masked",
        (false, true) => ", addresses masked",
        (false, false) => "",
    }
}
