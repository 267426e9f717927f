//! What the fuzzer found worth keeping: each input of `fuzz/corpus/trace_reader` once more, without
//! libFuzzer.

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/trace_reader.rs"]
mod trace_reader;

#[test]
fn traces() {
    corpus::each("trace_reader", trace_reader::run);
}
