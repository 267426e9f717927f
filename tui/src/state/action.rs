//! The panes, what can lie over them, and everything that a reader can want.

/// One of the panes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pane {
    /// The source at the running line.
    Source,
    /// The note of its stretch.
    Note,
    /// The steps as a tree.
    Steps,
    /// The object that the step is about, byte by byte.
    Bytes,
    /// The rings with their indexes.
    Rings,
    /// The doorbell records and registers.
    Doorbell,
}

impl Pane {
    /// All panes, in the order in which the focus goes around.
    pub const ALL: [Self; 6] =
        [Self::Source, Self::Note, Self::Steps, Self::Bytes, Self::Rings, Self::Doorbell];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Note => "note",
            Self::Steps => "steps",
            Self::Bytes => "bytes",
            Self::Rings => "rings",
            Self::Doorbell => "doorbell",
        }
    }

    /// Its place in [`Pane::ALL`].
    pub fn place(self) -> usize {
        Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0)
    }

    /// The pane `by` places further around.
    pub fn around(self, by: usize) -> Self {
        Self::ALL[(self.place() + by) % Self::ALL.len()]
    }
}

/// What a line of text is being typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// The number of a step.
    Jump,
    /// Text to look for.
    Search,
}

/// What lies over the panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    None,
    /// The keys.
    Help,
    /// The scenario's settings, with the place of the chosen one.
    WhatIf(usize),
    /// Why the scenario fails.
    Failure,
    /// The menu of event kinds, with the place of the chosen one.
    Kinds(usize),
    /// A line of text being typed.
    Prompt(Prompt, String),
}

/// What the reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The next step.
    In,
    /// The next step that lies no deeper.
    Over,
    /// The next step that lies less deep.
    Out,
    /// The step before.
    Back,
    /// The call of `ibv_post_send`, or the first step.
    Home,
    /// The last step.
    End,
    /// The next step of the kind that was chosen last.
    KindAgain,
    /// The next match of the search.
    SearchAgain,
    /// The match before.
    SearchBack,
    /// Opens the menu of kinds.
    ShowKinds,
    /// Opens the help.
    ShowHelp,
    /// Opens the scenario's settings.
    ShowWhatIf,
    /// Explains the failure that the scenario shows.
    ShowFailure,
    /// Changes the chosen setting, by so many choices.
    Change(isize),
    /// Opens a prompt.
    Ask(Prompt),
    /// Up or down: a line of the tree, of the menu, or of the pane's text.
    Line(isize),
    /// Up or down by a page.
    Page(isize),
    /// Scrolls a pane by lines.
    Scroll(Pane, isize),
    /// Folds or unfolds at the current step.
    Fold,
    /// Folds or unfolds what came before the opening.
    Prologue,
    /// The next pane.
    NextPane,
    /// The pane before.
    PreviousPane,
    /// That pane.
    Focus(Pane),
    /// Stands at that line of the tree.
    Row(usize),
    /// Enlarges the pane with the focus, or puts it back.
    Zoom,
    /// A character typed at the prompt.
    Type(char),
    /// Takes back the last character.
    Erase,
    /// Confirms prompt or menu.
    Confirm,
    /// Closes what lies over the panes, or stops a move.
    Cancel,
    /// Leaves.
    Quit,
}
