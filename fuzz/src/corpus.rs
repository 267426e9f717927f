//! The inputs that are kept, for tests that do them once more.

use std::path::Path;

/// Gives each input of a target to `act`. The name that is printed last is of the one that fails.
pub fn each(target: &str, act: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut inputs: Vec<_> = std::fs::read_dir(&folder)
        .expect("there is a corpus")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() > 10, "{} is nearly empty", folder.display());
    for input in inputs {
        println!("{}", input.display());
        act(&std::fs::read(&input).expect("it can be read"));
    }
}
