//! The book is built from a run, and what cannot be built says where and why.

mod common;

use common::{FILE, Fixture, book, trace};
use doorbell_book::preprocess::Preprocessor;
use doorbell_book::{BookError, DirectiveError, build_from};

/// What a chapter with this text becomes.
fn expand(text: &str) -> Result<String, BookError> {
    Preprocessor::new(&Fixture).chapter("book/chapters/page.md", text)
}

/// The error of a chapter with this text, and its line.
fn problem(text: &str) -> (usize, DirectiveError) {
    match expand(text) {
        Err(BookError::Directive { file, line, problem }) => {
            assert_eq!(file, "book/chapters/page.md");
            (line, problem)
        }
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn values_come_from_the_run() {
    let value = |words: &str| expand(&format!("{{{{#value fixture {words}}}}}")).expect("a value");
    assert_eq!(value("steps"), trace().events.len().to_string());
    assert_eq!(value("count store"), "7");
    assert_eq!(value("count dma direction=read"), "1");
    assert_eq!(value("count store role=send_queue"), "6");
    assert_eq!(value("bytes store role=send_queue"), "96");
    assert_eq!(value("number dispatch"), "5");
    assert_eq!(value("get target dispatch"), "mlx5::post");
    assert_eq!(value("get arg.qp call"), "0x41");
    assert_eq!(value("get length dma nth=last"), "64");
    assert_eq!(value("field ds store layout=wqe_control_segment"), "3");
    assert_eq!(value("field wqe_index store layout=wqe_control_segment nth=2"), "1");
    assert_eq!(value("steps from=\"call function=ibv_post_send\" to=\"lock\""), "4");
    assert_eq!(value("count store from=\"index\""), "1");
    assert_eq!(value("number store what~=record"), "16");
}

#[test]
fn a_directive_that_cannot_be_carried_out_names_line_and_reason() {
    use DirectiveError as E;
    assert_eq!(problem("a\n\n{{#trace fixture"), (3, E::Unclosed));
    assert_eq!(problem("{{#nothing}}"), (1, E::Unknown("nothing".to_owned())));
    assert_eq!(problem("{{#value fixture get \"a}}"), (1, E::Quote));
    assert!(matches!(problem("\n{{#trace nowhere}}"), (2, E::Scenario(_))));
    assert!(matches!(problem("{{#trace}}"), (1, E::Usage(_))));
    assert!(matches!(problem("{{#value fixture}}"), (1, E::Usage(_))));
    assert!(matches!(problem("{{#value fixture often}}"), (1, E::Value(_))));
    assert!(matches!(problem("{{#value fixture count command}}"), (1, E::NoStep { .. })));
    assert!(matches!(problem("{{#value fixture number store nth=99}}"), (1, E::NoStep { .. })));
    assert!(matches!(problem("{{#value fixture number store nth=0}}"), (1, E::Usage(_))));
    assert!(matches!(problem("{{#value fixture get color store}}"), (1, E::NoMember { .. })));
    assert!(matches!(problem("{{#value fixture field color store}}"), (1, E::NoMember { .. })));
    assert!(matches!(problem("{{#source driver/src/none.rs:a}}"), (1, E::Source(_))));
    assert!(matches!(problem(&format!("{{{{#source {FILE}:none}}}}")), (1, E::Anchor { .. })));
    assert!(matches!(problem("{{#trace fixture}}\n{{#trace fixture}}"), (2, E::Overlap { .. })));
    let link = "{{#trace fixture to=dispatch}}\n\n{{#step fixture completion}}";
    assert!(matches!(problem(link), (3, E::NotShown { .. })));
    let text = problem("{{#value fixture count command}}").1.to_string();
    assert!(text.contains("barrier") && text.contains("store"), "no kinds in: {text}");
}

#[test]
fn escaped_directives_and_other_text_stay() {
    let text = "plain {{ braces }} and \\{{#value fixture steps}}\n";
    assert_eq!(expand(text).expect("text"), "plain {{ braces }} and {{#value fixture steps}}\n");
}

#[test]
fn source_is_included_by_anchor_without_the_anchors_comments() {
    let html = expand(&format!("{{{{#source {FILE}:fixture_post}}}}")).expect("source");
    assert!(html.contains("fixture.rs:3"), "{html}");
    assert!(!html.contains("ANCHOR"), "{html}");
    assert!(html.contains("<span class=\"k\">fn</span>"), "{html}");
    assert!(html.contains("&lt;&amp;&gt;") && !html.contains("<&>"), "{html}");
    let inner = expand(&format!("{{{{#source {FILE}:fixture_ring}}}}")).expect("source");
    assert!(inner.contains("<span class=\"doorbell-line\"><span class=\"f\">ring"), "{inner}");
}

#[test]
fn every_step_is_printed_with_what_place_and_bytes() {
    let html = expand("{{#trace fixture}}").expect("a player");
    let (printed, data) = html.split_once("<script").expect("data");
    for event in &trace().events {
        let id = format!("<li id=\"fixture-step-{0}\" value=\"{0}\"", event.sequence);
        assert_eq!(printed.matches(&id).count(), 1, "step {}", event.sequence);
    }
    assert!(printed.contains("driver/src/fixture.rs:8"));
    assert!(printed.contains("<th scope=\"row\">opcode</th>"));
    assert!(printed.contains("(from wr.opcode)"), "no origin");
    assert!(printed.contains("store wqe_data_segment (16 bytes) to send queue of QP 0x41 + 0x20"));
    assert!(!printed.trim_end().contains("\n\n"), "an empty line would end the HTML block");
    assert!(!data.trim_end_matches("</script>\n").contains("</"), "data that ends its element");
}

#[test]
fn a_link_names_the_step_by_its_number_in_the_run() {
    let html = expand(
        "{{#trace fixture}}\n\n{{#step fixture dispatch label=\"the call\"}} {{#step fixture lock}}",
    );
    let html = html.expect("links");
    assert!(html.contains("[the call](#fixture-step-5) [step 7](#fixture-step-7)"), "{html}");
}

#[test]
fn the_book_is_built_where_asked_and_replaces_only_a_book() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("deep/book");
    let chapters = book("# Page\n\n{{#trace fixture}}\n");
    let mut told = Vec::new();
    let report = build_from(&chapters, &Fixture, &out, &mut |text| told.push(text.to_owned()));
    let report = report.expect("a book");
    assert_eq!(report.chapters, 1);
    assert!(told.iter().any(|text| text.contains("Page")), "{told:?}");
    let page = std::fs::read_to_string(out.join("page.html")).expect("the page");
    assert!(page.contains("id=\"fixture-step-5\"") && page.contains("class=\"doorbell-data\""));
    assert!(report.index.exists());
    std::fs::write(out.join("stale.html"), "old").expect("a file");
    build_from(&chapters, &Fixture, &out, &mut |_| {}).expect("a second build");
    assert!(!out.join("stale.html").exists());

    std::fs::write(folder.path().join("precious"), "mine").expect("a file");
    let refused = build_from(&chapters, &Fixture, folder.path(), &mut |_| {});
    assert!(matches!(refused, Err(BookError::Occupied { .. })), "{refused:?}");
    assert!(folder.path().join("precious").exists());
    let a_file = build_from(&chapters, &Fixture, &folder.path().join("precious"), &mut |_| {});
    assert!(matches!(a_file, Err(BookError::Write { .. })), "{a_file:?}");
}

#[test]
fn an_error_in_a_chapter_leaves_the_old_book_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("book");
    build_from(&book("# Page\n"), &Fixture, &out, &mut |_| {}).expect("a book");
    let failed = build_from(&book("# Page\n\n{{#trace nowhere}}\n"), &Fixture, &out, &mut |_| {});
    let text = failed.expect_err("no such scenario").to_string();
    assert!(text.starts_with("book/chapters/page.md:3: "), "{text}");
    assert!(out.join("page.html").exists());
}
