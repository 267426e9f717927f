//! What the chapter on traces shows of commands is what they print.

use std::path::Path;
use std::process::Command;

/// The chapter with what each command prints below it, and how many commands there are.
fn with_output(chapter: &str, folder: &Path) -> (String, usize) {
    let mut lines = Vec::new();
    let (mut is_run, mut count) = (false, 0);
    for line in chapter.lines() {
        is_run = line == "```console" || is_run && line != "```";
        let command = line.strip_prefix("$ ").filter(|_| is_run);
        // Earlier output goes; commands and all outside of runs stay.
        if !is_run || line == "```console" || command.is_some() {
            lines.push(line.to_owned());
        }
        if let Some(command) = command {
            lines.extend(output(command, folder));
            count += 1;
        }
    }
    (lines.join("\n") + "\n", count)
}

/// What a command prints.
fn output(command: &str, folder: &Path) -> Vec<String> {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("doorbell"), "{command}");
    let output = Command::new(env!("CARGO_BIN_EXE_doorbell"))
        .args(words)
        .current_dir(folder)
        .output()
        .expect("the command starts");
    assert!(output.status.code() < Some(2), "{command}: {output:?}");
    assert!(output.stderr.is_empty(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn the_chapter_on_traces_shows_what_is_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/chapters/traces.md");
    let text = std::fs::read_to_string(&path).expect("the chapter");
    let folder = tempfile::tempdir().expect("a folder");
    let (wanted, commands) = with_output(&text, folder.path());
    assert!(commands > 5, "{commands} commands");
    if std::env::var_os("DOORBELL_BLESS").is_some() {
        return std::fs::write(&path, wanted).expect("the chapter can be written");
    }
    assert!(
        text == wanted,
        "the chapter shows another version; look at the difference and run \
         `DOORBELL_BLESS=1 cargo test -p doorbell --test chapter`"
    );
}
