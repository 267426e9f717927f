//! The steps in print: HTML that needs no script.

use super::{fields, hex, markdown, step_id};
use crate::highlight::{self, escape};
use crate::notes;
use crate::walk::{Part, Step, Walk};
use doorbell_tracer::Event;
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

/// Bytes in a row of a dump.
const ROW: usize = 16;

/// Dumps longer than this leave out rows of zeros.
const LONG_DUMP: usize = 256;

/// A stretch of a run as a `<section>`: what the script turns into a player, and every step in
/// print. `told` remembers which step of the page printed an anchor's note.
pub fn print(walk: &Walk, stretch: Range<usize>, told: &mut HashMap<String, String>) -> String {
    let scenario = &walk.trace.header.scenario;
    let number = |place: usize| walk.steps.get(place).map_or(0, |step| step.number);
    let (first, last) = (number(stretch.start), number(stretch.end.saturating_sub(1)));
    let mut html = format!(
        "<section class=\"doorbell-player\" data-scenario=\"{scenario}\" data-first=\"{}\" data-end=\"{}\" aria-label=\"{scenario}, steps {first} to {last}\">\n<ol class=\"doorbell-steps\">\n",
        stretch.start, stretch.end
    );
    let steps = walk.steps.iter().zip(&walk.trace.events);
    for (step, event) in steps.take(stretch.end).skip(stretch.start) {
        one_step(&mut html, walk, step, event, told);
    }
    html.push_str("</ol>\n</section>");
    html
}

/// One step as a list item on lines of its own, none of them empty.
fn one_step(
    html: &mut String,
    walk: &Walk,
    step: &Step,
    event: &Event,
    told: &mut HashMap<String, String>,
) {
    let id = step_id(&walk.trace.header.scenario, step.number);
    let place = format!("{}:{}", step.file, step.line);
    let _ = writeln!(
        html,
        "<li id=\"{id}\" value=\"{}\" class=\"doorbell-step\" style=\"--depth:{}\"><p class=\"doorbell-what\"><span class=\"doorbell-number\">{}</span> <span class=\"doorbell-actor\">{}</span> {}</p>",
        step.number,
        event.depth,
        step.number,
        escape(&step.actor),
        escape(&step.what)
    );
    let _ = write!(
        html,
        "<p class=\"doorbell-place\"><span class=\"doorbell-path\">{}</span> ",
        escape(&place)
    );
    let _ = writeln!(html, "<span class=\"doorbell-line\">{}</span></p>", line(walk, step));
    if let Some(anchor) = &step.anchor {
        note(html, anchor, &id, told);
    }
    for part in &step.parts {
        one_part(html, part);
    }
    record(html, step);
    html.push_str("</li>\n");
}

/// The counters of the doorbell record that the step touches, as they now are.
fn record(html: &mut String, step: &Step) {
    if step.record.is_empty() {
        return;
    }
    let fields = step.record.iter().map(|field| format!("{} = {}", field.path, field.value));
    let fields = fields.collect::<Vec<_>>().join(", ");
    let _ =
        writeln!(html, "<p class=\"doorbell-more\">The record is now: {}.</p>", escape(&fields));
}

/// The step's line of source, highlighted, without its indentation.
fn line(walk: &Walk, step: &Step) -> String {
    let text = walk.source(&step.file).unwrap_or_default();
    let index = (step.line as usize).checked_sub(1);
    let lines = highlight::rust(text);
    let line = index.and_then(|index| lines.get(index));
    line.map(|line| line.trim_start().to_owned()).unwrap_or_default()
}

/// An anchor's note in full where it is met first on a page.
fn note(html: &mut String, anchor: &str, id: &str, told: &mut HashMap<String, String>) {
    let Some(note) = notes::note(anchor) else {
        return;
    };
    if told.contains_key(anchor) {
        return;
    }
    told.insert(anchor.to_owned(), id.to_owned());
    html.push_str("<aside class=\"doorbell-note\">");
    if let Some(title) = &note.title {
        let _ = write!(html, "<p class=\"doorbell-note-title\">{}</p>", escape(title));
    }
    html.push_str(&markdown(&note.body));
    if !note.upstream.is_empty() {
        html.push_str("<ul class=\"doorbell-upstream\">");
        for pointer in &note.upstream {
            let _ = write!(html, "<li>{}</li>", escape(&pointer.to_string()));
        }
        html.push_str("</ul>");
    }
    html.push_str("</aside>\n");
}

/// Bytes and their fields.
fn one_part(html: &mut String, part: &Part) {
    let title = [part.title.as_str(), part.layout.as_str()];
    let title: Vec<&str> = title.into_iter().filter(|word| !word.is_empty()).collect();
    let shown: Vec<_> = fields(part).collect();
    if !shown.is_empty() {
        let _ = write!(
            html,
            "<table class=\"doorbell-fields\"><caption>{}</caption><thead><tr><th scope=\"col\">field</th><th scope=\"col\">where</th><th scope=\"col\">value</th><th scope=\"col\">meaning</th></tr></thead><tbody>",
            escape(&title.join(": "))
        );
        for field in &shown {
            let from = field.origin.as_ref().map(|origin| format!(" (from {origin})"));
            let _ = write!(
                html,
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}{}</td><td>{}</td></tr>",
                escape(&field.path),
                field.place(),
                escape(&field.value),
                escape(&from.unwrap_or_default()),
                escape(field.meaning)
            );
        }
        html.push_str("</tbody></table>\n");
    }
    if shown.len() < part.fields.len() {
        let left = part.fields.len() - shown.len();
        let _ = writeln!(html, "<p class=\"doorbell-more\">{left} more fields are 0.</p>");
    }
    if !part.bytes.is_empty() {
        let _ = writeln!(html, "<pre class=\"doorbell-bytes\">{}</pre>", dump(&part.bytes));
    }
}

/// Rows of 16 bytes with their offsets; long dumps show rows that are not all zero.
fn dump(bytes: &[u8]) -> String {
    let long = bytes.len() > LONG_DUMP;
    let rows = (0_usize..).step_by(ROW).zip(bytes.chunks(ROW));
    let kept = rows.filter(|(_, row)| !long || row.iter().any(|byte| *byte != 0));
    let mut lines: Vec<String> = kept
        .map(|(offset, row)| {
            let pairs: Vec<String> = row.iter().map(|byte| hex(&[*byte])).collect();
            format!("{offset:04x}  {}", pairs.join(" "))
        })
        .collect();
    if long {
        lines.push(format!("{} bytes; rows of zeros are left out", bytes.len()));
    }
    lines.join("\n")
}
