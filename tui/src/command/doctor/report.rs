//! What a check found, and the report of all of them.

use serde::Serialize;

/// What a check is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// All of it.
    Machine,
    /// The kernel's door: `--device mlx5_0`.
    Kernel,
    /// VFIO's door: `--device vfio:ADDRESS`.
    Vfio,
    /// `doorbell lab`.
    Lab,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Something is to be done.
    ToDo,
    /// It does not matter here.
    DoesNotApply,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What it is good for.
    pub purpose: Purpose,
    /// Its name, the same in every report; a device may follow, as in `port mlx5_0`.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// What it is needed for.
    pub why: &'static str,
    /// What helps, where that is no command or needs a word; else empty.
    pub advice: String,
    /// The commands that mend it, in order.
    pub commands: Vec<String>,
}

impl Check {
    /// A check that is as it should be.
    pub fn ok(purpose: Purpose, name: &str, why: &'static str, finding: String) -> Self {
        let (name, verdict) = (name.to_owned(), Verdict::Ok);
        Self { purpose, name, verdict, finding, why, advice: String::new(), commands: Vec::new() }
    }

    /// A check that finds something to do.
    pub fn to_do(purpose: Purpose, name: &str, why: &'static str, finding: String) -> Self {
        Self { verdict: Verdict::ToDo, ..Self::ok(purpose, name, why, finding) }
    }

    /// A check that does not matter here.
    pub fn not_here(purpose: Purpose, name: &str, why: &'static str, finding: String) -> Self {
        Self { verdict: Verdict::DoesNotApply, ..Self::ok(purpose, name, why, finding) }
    }

    /// With a word on what helps.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// With the commands that help.
    pub fn commands(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }

    /// Whether something is to be done.
    pub fn is_to_do(&self) -> bool {
        self.verdict == Verdict::ToDo
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this form.
    pub schema: u32,
    /// The checks, in the order in which what they ask for is to be done.
    pub checks: Vec<Check>,
    /// The values of `--device` that work now.
    pub devices: Vec<String>,
    /// Whether one of them leads to a real card, through a door that was asked for.
    pub real_card: bool,
    /// What to do next.
    pub next: String,
    /// Whether that is a command; else no command does it, and it is a sentence.
    pub next_is_command: bool,
}
