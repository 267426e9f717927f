//! Work requests: rings, records and doorbells with any content, between two connected queue pairs. What
//! a good request leads to afterwards may fail, but nothing may panic.
#![no_main]

use doorbell_fuzz::card_wqes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: card_wqes::Input<'_>| card_wqes::ill_treat(input));
