//! The player: what of it is made when the book is built.
//!
//! A player is three things on a page: the steps in print ([`print()`]), which is all that a reader
//! without JavaScript, on paper or with a screen reader needs; the data of the run ([`data()`]), as
//! JSON; and the scripts of `theme/player/`, which show one step at a time from that data. They know
//! no layouts and resolve no addresses: they apply writes to regions and show what is there.

mod data;
mod print;

pub use data::data;
pub use print::print;

use crate::walk::{Part, ShownField};

/// The name that links use for a step: the same step has the same one everywhere.
pub fn step_id(scenario: &str, step: u64) -> String {
    format!("{scenario}-step-{step}")
}

/// Layouts with more fields than this are firmware structures, mostly of zeros.
const MANY_FIELDS: usize = 24;

/// The fields of a part that are worth showing: all of a short structure; of a long one those
/// that are not zero.
fn fields(part: &Part) -> impl Iterator<Item = &ShownField> {
    let all = part.fields.len() <= MANY_FIELDS;
    let set =
        |field: &ShownField| field.value.trim_start_matches('0').starts_with(|next| next != ' ');
    part.fields.iter().filter(move |field| all || set(field))
}

/// Bytes in lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A note's Markdown as HTML on one line.
fn markdown(text: &str) -> String {
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(text));
    html.trim().replace('\n', "&#10;").replace("&#10;<", "<")
}
