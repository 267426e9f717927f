//! The chapters as they stand: they build, and they type no number that belongs to the run.

mod common;

use doorbell_book::preprocess::{Piece, pieces};
use doorbell_book::{Chapters, build};

/// Words with digits that are names, not numbers.
const NAMES: [&str; 14] = [
    "mlx5",
    "x86-64",
    "arm64",
    "RoCEv2",
    "1.2.1",
    "4.11.3",
    "libmlx5",
    "mlx5_ib",
    "uverbsN",
    "C++11",
    "htobe32",
    "IPv4",
    "ConnectX-4",
    "ConnectX-7",
];

/// A chapter without the stretch that a test of the command makes from a run.
fn without_made(text: &str) -> String {
    match (text.find("<!-- decode: begin"), text.find("<!-- decode: end -->")) {
        (Some(begin), Some(end)) => format!("{}{}", &text[..begin], &text[end..]),
        _ => text.to_owned(),
    }
}

#[test]
fn no_chapter_types_a_number() {
    for (path, text) in Chapters::embedded().0 {
        let text = without_made(&text);
        let kept: String = pieces(&text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                _ => "",
            })
            .collect();
        for (number, line) in (1..).zip(without_outputs(&kept).lines()) {
            // The number of a list's item counts items; code and link targets are names.
            let line = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
            let prose = prose.replace("](", " ](").replace(['(', ')', ',', ';', ':'], " ");
            for word in prose.split_whitespace() {
                let word = word.trim_end_matches(['.', '?', '*']).trim_start_matches('*');
                let typed = word.chars().any(|c| c.is_ascii_digit())
                    && !NAMES.iter().any(|name| word.contains(name));
                assert!(
                    !typed,
                    "book/chapters/{path}:{number}: `{word}` is typed; take it from the run"
                );
            }
        }
    }
}

/// A text with its code blocks made empty. Outputs (`text`) must have the comment above them by which
/// a test of the lab finds them and compares them with fresh ones; commands with what they print
/// (`console`) are run by `doorbell`'s test `chapter`.
fn without_outputs(text: &str) -> String {
    let mut lines = Vec::new();
    let (mut inside, mut marked) = (false, false);
    for line in text.lines() {
        let fence = line.starts_with("```");
        if fence && !inside && line == "```text" {
            assert!(marked, "an output that no test compares: {lines:#?}");
        }
        if !line.is_empty() {
            marked = line.starts_with("<!-- lab: ");
        }
        lines.push(if inside || fence { "" } else { line });
        inside ^= fence;
    }
    lines.join("\n")
}

#[test]
fn the_book_builds_from_the_real_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = build(&folder.path().join("book"), &mut |_| {}).expect("the book");
    assert_eq!(report.chapters, 9);
    let page = std::fs::read_to_string(report.folder.join("rc-write.html")).expect("the chapter");
    assert!(!page.contains("{{#"), "a directive is left");
    let trace = doorbell_book::preprocess::Runs::record(&doorbell_book::Scenarios, "rc-write");
    for event in trace.expect("a run").events {
        let id = format!("id=\"rc-write-step-{}\"", event.sequence);
        assert_eq!(page.matches(&id).count(), 1, "step {}", event.sequence);
    }
    // Every link within the page has its target.
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap_or_default();
        assert!(page.contains(&format!("id=\"{target}\"")), "no target #{target}");
    }
}
