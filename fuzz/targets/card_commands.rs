//! Commands and registers: any of them, in any order, with any content, on a card that is up, that is
//! not, or that has an InfiniBand port. The card must answer, and must not panic.
#![no_main]

use doorbell_fuzz::card_commands;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: card_commands::Input<'_>| card_commands::ill_treat(input));
