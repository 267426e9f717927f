//! How the state looks on a terminal: one function a pane, and the layout that places them.

pub mod highlight;
pub mod theme;

mod bytes;
mod doorbell;
mod frame;
mod layout;
mod note;
mod overlay;
mod rings;
mod source;
mod steps;
pub(crate) mod wrap;

pub use frame::{Painter, draw};
pub use layout::{Areas, MINIMUM};
pub use overlay::KEYS;
pub use steps::first_row;
