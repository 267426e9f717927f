//! What the fuzzer found worth keeping: each input of `fuzz/corpus/decode` once more, without libFuzzer.

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/decode.rs"]
mod decode;

use arbitrary::{Arbitrary, Unstructured};
use doorbell::dump;

#[test]
fn dumps() {
    corpus::each("decode", |bytes| {
        let input = decode::Input::arbitrary_take_rest(Unstructured::new(bytes));
        decode::run(input.expect("the target takes any bytes"));
    });
}
