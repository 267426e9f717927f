//! The scenarios, and finding one by its name.

mod rc_send_inline;
mod rc_write;
mod rc_write_list;

use crate::{ExampleError, World};

/// A program that can be run, recorded, or stepped.
#[derive(Debug)]
pub struct Scenario {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// A title for a list or a page.
    pub title: &'static str,
    /// What it belongs to.
    pub topic: &'static str,
    /// What happens in it, in a sentence or two.
    pub summary: &'static str,
    /// The program. Returns the lines that it would print.
    pub run: fn(&World) -> Result<Vec<String>, ExampleError>,
}

/// Every scenario; the first is the default.
pub fn scenarios() -> &'static [Scenario] {
    &[rc_write::SCENARIO, rc_write_list::SCENARIO, rc_send_inline::SCENARIO]
}

/// There is no scenario of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no scenario {name:?}; there are: {}. `doorbell scenarios` tells what each one shows",
    known()
)]
pub struct UnknownScenario {
    /// The name asked for.
    pub name: String,
}

/// The names, for the error.
fn known() -> String {
    scenarios().iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}

/// The scenario of that name.
pub fn scenario(name: &str) -> Result<&'static Scenario, UnknownScenario> {
    let found = scenarios().iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| UnknownScenario { name: name.to_owned() })
}
