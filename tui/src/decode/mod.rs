//! From bytes to what is shown of them: fields by their layouts, objects by their parts.
//!
//! Nothing here knows a field's place or meaning: that is asked of `doorbell_prm`. What a step says
//! in one line is worded in [`doorbell_examples::words`], for all faces.

pub mod fields;
pub mod object;
pub mod stored;

pub use fields::FieldLine;
pub use object::{Object, Section, carried};

use doorbell_tracer::{Actor, Masked};

/// Who did it, in at most four letters where there are few threads.
pub fn actor(actor: Actor) -> String {
    match actor {
        Actor::Cpu(number) => format!("cpu{number}"),
        Actor::Card => "card".to_owned(),
    }
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
