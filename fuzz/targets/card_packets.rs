//! Packets from the wire: with right checksums, or as they come, for queue pairs that have posted
//! something and wait for answers.
#![no_main]

use doorbell_fuzz::card_packets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: card_packets::Input<'_>| card_packets::ill_treat(input));
