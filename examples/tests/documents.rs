//! What the documents at the root say of files and commands is so.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("the crate lies in the workspace").to_owned()
}

/// Words between backticks that look like a path.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(|word| word.contains('/') && !word.contains([' ', '{', '*', '$']))
}

#[test]
fn every_path_that_a_document_names_is_there() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root().join(name)).expect(name);
        let mut seen = 0;
        for path in paths(&text).filter(|path| path.contains('.') && !path.starts_with('/')) {
            assert!(root().join(path).exists(), "{name} names {path}, which is not there");
            seen += 1;
        }
        assert!(seen > 0 || name == "CHANGELOG.md", "{name} names no file at all");
    }
}

#[test]
fn every_source_file_of_the_driver_is_short() {
    for (path, text) in doorbell_examples::sources() {
        if path.starts_with("driver/") {
            let lines = text.lines().count();
            assert!(lines <= 350, "{path} has {lines} lines; cut it where the subject changes");
        }
    }
}
