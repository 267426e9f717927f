//! The picture in the README is a screen of a real run.

mod common;

use common::{live, opened_from, screen, settle};
use doorbell::state::action::{Action, Pane};
use doorbell::state::app::App;
use doorbell::state::session::Goal;
use doorbell_examples::Device;
use std::path::Path;

const BEGIN: &str = "<!-- picture: begin";
const END: &str = "<!-- picture: end -->";

/// The screen at the moment when the WQE has gone to the BlueFlame register.
fn picture() -> String {
    let mut app = App::new(opened_from(live("rc-write", Device::Card)));
    app.session.seek(Goal::Kind("register_write"));
    settle(&mut app);
    app.act(Action::Focus(Pane::Bytes));
    let shown = screen(&mut app, 120, 40);
    let lines: Vec<&str> = shown.lines().map(|line| line.trim_matches('"').trim_end()).collect();
    format!("\n```text\n{}\n```\n", lines.join("\n"))
}

#[test]
fn the_picture_is_of_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(&path).expect("the README");
    let begin = text.find(BEGIN).expect("a place for the picture");
    let begin = begin + text[begin..].find("-->").expect("the comment ends") + 3;
    let end = text.find(END).expect("the end of the picture");
    let wanted = picture();
    if std::env::var_os("DOORBELL_BLESS").is_some() {
        let text = format!("{}{wanted}{}", &text[..begin], &text[end..]);
        std::fs::write(&path, text).expect("the README can be written");
        return;
    }
    assert!(
        text[begin..end] == wanted,
        "the README's picture is of another version; look at the difference and run \
         `DOORBELL_BLESS=1 cargo test -p doorbell --test readme`"
    );
}
