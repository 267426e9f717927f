//! `{{#value SCENARIO ...}}`: numbers that a chapter takes from the run instead of typing them.
//!
//! | words | value |
//! |---|---|
//! | `steps` | how many steps the run has; with `from=` and `to=` how many lie between |
//! | `count SELECTOR` | how many steps are like that |
//! | `bytes SELECTOR` | how many bytes all steps like that carry together |
//! | `number SELECTOR` | the number of the first step that is like that |
//! | `get MEMBER SELECTOR` | a member of that step, as `function`, `arg.num_sge`, `instruction` |
//! | `field PATH SELECTOR` | a field of that step's bytes, decoded |

use crate::error::DirectiveError;
use crate::walk::{Selector, Step, View, Walk};

/// The value that the words ask for.
pub(super) fn value(walk: &Walk, words: &[String]) -> Result<String, DirectiveError> {
    let (what, rest) = words.split_first().ok_or_else(|| usage("steps"))?;
    match what.as_str() {
        "steps" => Ok(Selector::new(rest)?.range(walk)?.len().to_string()),
        "count" => Ok(matches(walk, rest)?.len().to_string()),
        "bytes" => Ok(bytes(walk, rest)?.to_string()),
        "number" => Ok(one(walk, rest)?.0.number.to_string()),
        "get" => member(walk, rest),
        "field" => field(walk, rest),
        _ => Err(DirectiveError::Value(what.clone())),
    }
}

/// The places of all steps that a selector finds; none is an error, for a chapter that counts
/// what does not happen has lost touch with the code.
fn matches(walk: &Walk, words: &[String]) -> Result<Vec<usize>, DirectiveError> {
    let selector = Selector::new(words)?;
    selector.find(walk)?;
    selector.all(walk)
}

/// The bytes that all steps found carry together.
fn bytes(walk: &Walk, words: &[String]) -> Result<usize, DirectiveError> {
    let places = matches(walk, words)?;
    let steps = places.iter().filter_map(|place| walk.steps.get(*place));
    Ok(steps.flat_map(|step| &step.parts).map(|part| part.bytes.len()).sum())
}

/// The one step that a selector finds.
fn one<'w>(walk: &'w Walk, words: &[String]) -> Result<(&'w Step, &'w View), DirectiveError> {
    let place = Selector::new(words)?.find(walk)?;
    let found = walk.steps.get(place).zip(walk.views().get(place));
    found.ok_or_else(|| usage("number SELECTOR"))
}

/// A member of a step.
fn member(walk: &Walk, words: &[String]) -> Result<String, DirectiveError> {
    let (name, rest) = words.split_first().ok_or_else(|| usage("get MEMBER SELECTOR"))?;
    let (step, view) = one(walk, rest)?;
    let value = view.get(name).map(str::to_owned);
    value.ok_or_else(|| no_member(walk, step, name, view.names().collect()))
}

/// A field of a step's bytes.
fn field(walk: &Walk, words: &[String]) -> Result<String, DirectiveError> {
    let (path, rest) = words.split_first().ok_or_else(|| usage("field PATH SELECTOR"))?;
    let (step, _) = one(walk, rest)?;
    let mut fields = step.parts.iter().flat_map(|part| &part.fields);
    let found = fields.find(|field| field.path == *path);
    found.map(|field| field.value.clone()).ok_or_else(|| {
        let fields = step.parts.iter().flat_map(|part| &part.fields);
        no_member(walk, step, path, fields.map(|field| field.path.as_str()).collect())
    })
}

/// The error for a member or field that is not there.
fn no_member(walk: &Walk, step: &Step, name: &str, known: Vec<&str>) -> DirectiveError {
    DirectiveError::NoMember {
        scenario: walk.trace.header.scenario.clone(),
        step: step.number,
        name: name.to_owned(),
        known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
    }
}

/// The error for words that are missing.
fn usage(what: &str) -> DirectiveError {
    DirectiveError::Usage(format!("write `{{{{#value SCENARIO {what}}}}}`"))
}
