//! What the fuzzer found worth keeping: each input of `fuzz/corpus/trace_reader` once more, without
//! libFuzzer.

#[path = "../../fuzz/src/trace_reader.rs"]
mod trace_reader;

use std::path::Path;

/// The name that is printed last is of the one that fails.
#[test]
fn traces() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/trace_reader");
    let mut inputs: Vec<_> = std::fs::read_dir(&folder)
        .expect("there is a corpus")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() > 10, "{} is nearly empty", folder.display());
    for input in inputs {
        println!("{}", input.display());
        trace_reader::run(&std::fs::read(&input).expect("it can be read"));
    }
}
