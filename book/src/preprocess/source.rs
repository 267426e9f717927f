//! `{{#source PATH:ANCHOR}}`: a stretch of the project's source, and `{{#upstream ANCHOR}}`.

use super::Runs;
use crate::anchors::{Anchor, anchors, is_anchor_line};
use crate::error::DirectiveError;
use crate::{highlight, notes};

/// The anchored stretch of a source file as highlighted HTML, without the anchors' comments and
/// without the indentation that all its lines share; its path and lines stand above it.
pub(super) fn source(runs: &dyn Runs, words: &[String]) -> Result<String, DirectiveError> {
    let usage = || DirectiveError::Usage("write `{{#source PATH:ANCHOR}}`".to_owned());
    let [place] = words else {
        return Err(usage());
    };
    let (path, name) = place.rsplit_once(':').ok_or_else(usage)?;
    let text = runs.source(path).ok_or_else(|| DirectiveError::Source(path.to_owned()))?;
    let all = anchors(&text)
        .map_err(|problem| DirectiveError::Anchors { path: path.to_owned(), problem })?;
    let anchor =
        all.iter().find(|anchor| anchor.name == name).ok_or_else(|| unknown(path, name, &all))?;
    Ok(stretch(path, &text, anchor))
}

/// The error for an anchor that is not there.
fn unknown(path: &str, name: &str, all: &[Anchor]) -> DirectiveError {
    let known: Vec<&str> = all.iter().map(|anchor| anchor.name.as_str()).collect();
    DirectiveError::Anchor {
        path: path.to_owned(),
        anchor: name.to_owned(),
        known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
    }
}

/// The lines of an anchor as one `<pre>` block.
fn stretch(path: &str, text: &str, anchor: &Anchor) -> String {
    let html = highlight::rust(text);
    let (first, last) = (anchor.start_line + 1, anchor.end_line.saturating_sub(1));
    let kept: Vec<(u32, &str, &String)> = (1_u32..)
        .zip(text.lines())
        .zip(html.iter())
        .map(|((number, line), html)| (number, line, html))
        .filter(|(number, line, _)| (first..=last).contains(number) && !is_anchor_line(line))
        .collect();
    let indents = kept.iter().filter(|(_, line, _)| !line.trim().is_empty());
    let common = indents
        .map(|(_, line, _)| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or_default();
    let pad = " ".repeat(common);
    let mut block = format!(
        "<pre class=\"doorbell-source\" aria-label=\"{path}, lines {first} to {last}\"><span class=\"doorbell-path\">{path}:{first}</span>\n"
    );
    for (_, _, html) in kept {
        block.push_str("<span class=\"doorbell-line\">");
        block.push_str(html.strip_prefix(&pad).unwrap_or(html));
        block.push_str("</span>\n");
    }
    block.push_str("</pre>");
    block
}

/// Where the originals do what an anchored stretch does: a list of functions and files.
pub(super) fn upstream(words: &[String]) -> Result<String, DirectiveError> {
    let [name] = words else {
        return Err(DirectiveError::Usage("write `{{#upstream ANCHOR}}`".to_owned()));
    };
    let note = notes::note(name).ok_or_else(|| {
        DirectiveError::Usage(format!("no note is called `{name}`; write one in book/notes/"))
    })?;
    let pointers = note.upstream.iter().map(|pointer| {
        format!("`{}` in {} (`{}`)", pointer.function, pointer.project, pointer.file)
    });
    Ok(pointers.collect::<Vec<_>>().join(", "))
}
