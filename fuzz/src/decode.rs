//! `doorbell decode`: any text, with or without being told what its hex is. Everything that is found is
//! explained.

use crate::dump::kinds::checks;
use crate::dump::meaning::explain;
use crate::dump::{Kind, scan};
use clap::ValueEnum;

/// What the hex is said to be, and the text.
pub type Input<'a> = (Option<u8>, &'a [u8]);

/// Decodes a text.
pub fn run((kind, text): Input<'_>) {
    let kinds = Kind::value_variants();
    let kind = kind.map(|kind| kinds[usize::from(kind) % kinds.len()]);
    if let Some(kind) = kind {
        checks(kind, text);
    }
    let mut give = |found| {
        explain(&found);
        Ok(())
    };
    drop(scan(text, kind, &mut give));
}
