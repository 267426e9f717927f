//! `doorbell decode`: any text, with or without being told what its hex is. Everything that is found is
//! explained.
#![no_main]

use clap::ValueEnum;
use doorbell_fuzz::dump::kinds::checks;
use doorbell_fuzz::dump::meaning::explain;
use doorbell_fuzz::dump::{Kind, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Option<u8>, &[u8])| {
    let (kind, text) = input;
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
});
