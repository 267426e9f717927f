//! Source and notes belong together: every anchor has a note, every note an anchor, and every
//! probe stands in an anchor.

use doorbell_book::{
    Anchor, AnchorError, NoteError, anchor_at, anchors, check_notes, innermost, is_anchor_line,
    note, notes, parse_notes,
};
use std::collections::HashMap;

/// Every anchor of the project, with its place, and the text of the file.
fn anchors_of_project() -> Vec<(String, Anchor)> {
    let sources = doorbell_examples::sources();
    assert!(sources.len() > 50, "only {} source files", sources.len());
    sources
        .iter()
        .flat_map(|(path, text)| {
            let found = anchors(text).unwrap_or_else(|error| panic!("{path}: {error}"));
            found.into_iter().map(|anchor| ((*path).to_owned(), anchor))
        })
        .collect()
}

#[test]
fn every_anchor_is_unique_in_the_project_and_has_a_note() {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut without = Vec::new();
    for (path, anchor) in anchors_of_project() {
        let place = format!("{path}:{}", anchor.start_line);
        if let Some(first) = seen.insert(anchor.name.clone(), place.clone()) {
            panic!("`{}` is at {first} and at {place}", anchor.name);
        }
        if note(&anchor.name).is_none() {
            without.push(format!("{place} {}", anchor.name));
        }
    }
    assert!(seen.len() > 80, "only {} anchors", seen.len());
    assert!(without.is_empty(), "anchors without a note:\n{}", without.join("\n"));
}

#[test]
fn every_note_has_an_anchor() {
    check_notes().expect("notes that can be read");
    let known = anchors_of_project();
    let astray: Vec<String> = notes()
        .iter()
        .filter(|note| !known.iter().any(|(_, anchor)| anchor.name == note.anchor))
        .map(|note| format!("book/notes/{}:{} {}", note.file, note.line, note.anchor))
        .collect();
    assert!(notes().len() > 80, "only {} notes", notes().len());
    assert!(astray.is_empty(), "notes without an anchor:\n{}", astray.join("\n"));
}

/// What a probe looks like in the source.
const PROBES: [&str; 5] = ["probe!(", "site!(", ".map(&", ".remap(&", ".unmap(&"];

/// Whether a line of code has a probe.
fn has_probe(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//") && PROBES.iter().any(|probe| code.contains(probe))
}

#[test]
fn every_probe_stands_in_an_anchor() {
    let mut outside = Vec::new();
    let mut count = 0;
    for (path, text) in doorbell_examples::sources() {
        let known = anchors(text).expect("sound anchors");
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| has_probe(line)) {
            count += 1;
            if innermost(&known, number).is_none() {
                outside.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(count > 80, "only {count} probes");
    assert!(outside.is_empty(), "probes outside of any anchor:\n{}", outside.join("\n"));
}

#[test]
fn every_step_of_every_scenario_has_a_note() {
    use doorbell_book::preprocess::Runs;
    for scenario in doorbell_examples::scenarios() {
        let trace = doorbell_book::Scenarios.record(scenario.name).expect("a run");
        let walk = doorbell_book::walk::Walk::new(trace);
        for step in &walk.steps {
            let anchor = step.anchor.as_deref().and_then(note);
            let place = format!("{}:{}", step.file, step.line);
            assert!(anchor.is_some(), "{} step {} at {place}", scenario.name, step.number);
        }
    }
}

#[test]
fn anchors_nest_and_the_innermost_counts() {
    let text = "// ANCHOR: outer\na\n  // ANCHOR: inner-2\nb\n// ANCHOR_END: inner-2\nc\n// ANCHOR_END: outer\nd\n";
    let found = anchors(text).expect("sound anchors");
    let shape: Vec<_> = found.iter().map(|a| (a.name.as_str(), a.start_line, a.end_line)).collect();
    assert_eq!(shape, [("outer", 1, 7), ("inner-2", 3, 5)]);
    let at = |line| anchor_at(text, line);
    assert_eq!([at(1), at(2)].map(Option::unwrap), ["outer", "outer"]);
    assert_eq!([at(3), at(4), at(5)].map(Option::unwrap), ["inner-2"; 3]);
    assert_eq!(at(6).as_deref(), Some("outer"));
    assert_eq!(at(8), None);
    assert!(is_anchor_line("  // ANCHOR: x") && !is_anchor_line("let anchor = 1; // ANCHORAGE"));
}

#[test]
fn damaged_anchors_are_named_with_their_line() {
    let twice = anchors("// ANCHOR: a\n// ANCHOR_END: a\n// ANCHOR: a\n");
    assert!(matches!(twice, Err(AnchorError::Duplicate { line: 3, first: 1, .. })), "{twice:?}");
    let open = anchors("x\n// ANCHOR: a\n");
    assert!(matches!(open, Err(AnchorError::Unclosed { line: 2, .. })), "{open:?}");
    let unopened = anchors("// ANCHOR_END: a\n");
    assert!(matches!(unopened, Err(AnchorError::Unopened { line: 1, .. })), "{unopened:?}");
    let crossed = anchors("// ANCHOR: a\n// ANCHOR: b\n// ANCHOR_END: a\n// ANCHOR_END: b\n");
    assert!(matches!(crossed, Err(AnchorError::Crossed { line: 3, .. })), "{crossed:?}");
    assert_eq!(anchor_at("// ANCHOR: a\n", 1), None);
}

#[test]
fn a_note_is_read_with_title_body_and_pointers() {
    let text = "# A file\n\n## first: Its title\n\nOne\n*two*.\n\n## second\n\n```\n## no heading\n```\n\nUpstream: libmlx5 1.2.1 src/qp.c mlx5_post_send(); `rdma-core` util/mmio.h mmio_write64_be.\n";
    let found = parse_notes("f.md", text).expect("sound notes");
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].anchor.as_str(), found[0].title.as_deref()), ("first", Some("Its title")));
    assert_eq!((found[0].body.as_str(), found[0].line), ("One\n*two*.", 3));
    assert_eq!(found[1].body, "```\n## no heading\n```");
    let pointers: Vec<String> = found[1].upstream.iter().map(ToString::to_string).collect();
    assert_eq!(
        pointers,
        ["libmlx5 1.2.1: mlx5_post_send (src/qp.c)", "rdma-core: mmio_write64_be (util/mmio.h)",]
    );
}

#[test]
fn a_damaged_file_of_notes_is_named_with_its_line() {
    let error = |text| parse_notes("f.md", text).expect_err("a damaged file");
    assert!(matches!(error("stray\n## a\n\nx\n"), NoteError::Stray { line: 1, .. }));
    assert!(matches!(error("## two words\n\nx\n"), NoteError::Nameless { line: 1, .. }));
    assert!(matches!(error("## a\n\n## b\n\nx\n"), NoteError::Empty { line: 1, .. }));
    assert!(matches!(
        error("## a\n\nx\n\nUpstream: somewhere\n"),
        NoteError::Upstream { line: 5, .. }
    ));
    assert!(error("## a\n").to_string().starts_with("book/notes/f.md:1: "));
}

#[test]
fn plain_text_is_wrapped_and_keeps_lists_and_code() {
    let text = "## a\n\nSome *words* with `code` and a [link](x.md) in them.\n\n- one item that is long\n- two\n\n1. first\n\n```\nlet x  = 1;\n```\n\nUpstream: rdma-core util/mmio.h mmio_write64_be\n";
    let note = parse_notes("f.md", text).expect("a note").remove(0);
    assert_eq!(
        note.plain(24),
        "\
Some words with code and
a link in them.

- one item that is long
- two

1. first

  let x  = 1;

> rdma-core:
  mmio_write64_be
  (util/mmio.h)"
    );
    for width in 0..40 {
        let widest = note.plain(width).lines().map(str::len).max().unwrap_or_default();
        assert!(widest <= width.max(17), "{widest} columns at {width}");
    }
}
