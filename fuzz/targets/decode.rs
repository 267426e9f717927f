//! `doorbell decode`: any text, with or without being told what its hex is.
#![no_main]

use doorbell_fuzz::decode::{Input, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: Input<'_>| run(input));
