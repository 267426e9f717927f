//! What the fuzzer found worth keeping: each input of `fuzz/corpus` once more, without libFuzzer.

mod support;

#[path = "../../fuzz/src/card_commands.rs"]
mod card_commands;
#[path = "../../fuzz/src/card_packets.rs"]
mod card_packets;
#[path = "../../fuzz/src/card_wqes.rs"]
mod card_wqes;
#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/tools.rs"]
mod tools;

use arbitrary::{Arbitrary, Unstructured};

/// Does what a target does with each of its inputs.
fn each(target: &str, act: impl Fn(Unstructured<'_>) -> arbitrary::Result<()>) {
    corpus::each(target, |bytes| {
        act(Unstructured::new(bytes)).expect("the target takes any bytes");
    });
}

#[test]
fn commands() {
    each("card_commands", |bytes| {
        card_commands::Input::arbitrary_take_rest(bytes).map(card_commands::ill_treat)
    });
}

#[test]
fn packets() {
    each("card_packets", |bytes| {
        card_packets::Input::arbitrary_take_rest(bytes).map(card_packets::ill_treat)
    });
}

#[test]
fn wqes() {
    each("card_wqes", |bytes| {
        card_wqes::Input::arbitrary_take_rest(bytes).map(card_wqes::ill_treat)
    });
}
