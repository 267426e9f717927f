//! From bytes to words: fields by their layouts, objects by their parts, a step in one line.
//!
//! Nothing here knows a field's place or meaning: that is asked of `doorbell_prm`.

pub mod essence;
pub mod fields;
pub mod object;
mod packet;
pub mod stored;

pub use essence::{RegionNames, Regions, actor, essence};
pub use fields::FieldLine;
pub use object::{Object, Section, carried};
