//! What was found, as one JSON object: for programs.

use super::class::Class;
use super::text::notes;
use super::{Alignment, Difference, Found, Report, Step, Summary};
use doorbell_examples::words;
use doorbell_tracer::Header;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes JSON: `{"a":…,"b":…,"notes":[…],"differences":[…],"summary":…}`. Differences are
/// written as they are found, so that any number of them needs no memory.
pub struct Json<W> {
    out: W,
    names: [String; 2],
    /// All differences, not the first one alone.
    all: bool,
    written: u64,
}

/// One of the traces.
#[derive(Serialize)]
struct Side<'a> {
    path: &'a str,
    tool: &'a str,
    schema: u32,
    scenario: &'a str,
    device: &'a str,
    clock: &'a str,
    settings: &'a BTreeMap<String, String>,
}

/// A difference: `a` or `b` is missing where only the other trace has the step.
#[derive(Serialize)]
struct Entry<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldEntry<'a>>,
}

/// A step and where it is.
#[derive(Serialize)]
struct Place<'a> {
    step: u64,
    kind: &'static str,
    actor: String,
    text: String,
    file: Option<&'a str>,
    line: Option<u32>,
    function: Option<&'a str>,
    calls: &'a [String],
}

/// A value that differs.
#[derive(Serialize)]
struct FieldEntry<'a> {
    name: &'a str,
    a: Option<&'a str>,
    b: Option<&'a str>,
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

/// The sum.
#[derive(Serialize)]
struct Sum {
    same: u64,
    changed: u64,
    only_a: u64,
    only_b: u64,
    alignment: &'static str,
    nothing_but: serde_json::Map<String, serde_json::Value>,
    warnings_a: Vec<String>,
    warnings_b: Vec<String>,
}

impl<W: Write> Json<W> {
    /// JSON about two traces of these names.
    pub fn new(out: W, names: [String; 2], all: bool) -> Self {
        Self { out, names, all, written: 0 }
    }

    fn put(&mut self, value: &impl Serialize) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut self.out, value)?)
    }
}

impl<W: Write> Report for Json<W> {
    fn begin(&mut self, headers: [&Header; 2], alignment: Alignment) -> io::Result<()> {
        let names = self.names.clone();
        for ((key, header), name) in ["{\"a\":", ",\"b\":"].into_iter().zip(headers).zip(&names) {
            self.out.write_all(key.as_bytes())?;
            self.put(&Side {
                path: name,
                tool: &header.tool,
                schema: header.schema,
                scenario: &header.scenario,
                device: &header.device,
                clock: &header.clock,
                settings: &header.settings,
            })?;
        }
        self.out.write_all(b",\"notes\":")?;
        self.put(&notes(headers, alignment))?;
        self.out.write_all(b",\"differences\":[")
    }

    fn take(&mut self, found: &Found<'_>) -> io::Result<()> {
        if matches!(found, Found::Same(..)) || (self.written > 0 && !self.all) {
            return Ok(());
        }
        self.out.write_all(if self.written == 0 { b"\n" } else { b",\n" })?;
        self.written += 1;
        let entry = |what, a: Option<&Step<'_>>, b: Option<&Step<'_>>| {
            serde_json::to_value(Entry {
                what,
                a: a.map(place),
                b: b.map(place),
                fields: match found {
                    Found::Changed(_, _, differences) => differences.iter().map(field).collect(),
                    _ => Vec::new(),
                },
            })
        };
        let entry = match found {
            Found::Same(a, b) => entry("same", Some(a), Some(b)),
            Found::Changed(a, b, _) => entry("changed", Some(a), Some(b)),
            Found::OnlyA(step) => entry("only_a", Some(step), None),
            Found::OnlyB(step) => entry("only_b", None, Some(step)),
        }?;
        self.put(&entry)
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        self.out.write_all(b"],\"summary\":")?;
        let counted = Class::ALL.into_iter().zip(summary.by_class);
        let counted = counted.filter(|(_, count)| *count > 0);
        let texts = |side: usize| summary.warnings[side].iter().map(ToString::to_string).collect();
        self.put(&Sum {
            same: summary.same,
            changed: summary.changed,
            only_a: summary.only_a,
            only_b: summary.only_b,
            alignment: match summary.alignment {
                Alignment::Shortest => "shortest",
                Alignment::Quick => "quick",
            },
            nothing_but: counted
                .map(|(class, count)| (class.name().to_owned(), count.into()))
                .collect(),
            warnings_a: texts(0),
            warnings_b: texts(1),
        })?;
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }
}

fn place<'a>(step: &Step<'a>) -> Place<'a> {
    let site = step.site();
    Place {
        step: step.number(),
        kind: step.event.kind.name(),
        actor: crate::decode::actor(step.event.actor),
        text: words::step(&step.event.kind, &step.places()),
        file: site.map(|site| site.file.as_str()),
        line: site.map(|site| site.line),
        function: site.map(|site| site.function.as_str()),
        calls: step.calls,
    }
}

fn field(difference: &Difference) -> FieldEntry<'_> {
    FieldEntry {
        name: &difference.name,
        a: difference.a.as_deref(),
        b: difference.b.as_deref(),
        class: difference.class.map(Class::name),
        why: difference.why.as_deref(),
    }
}
