//! The terminal program's own state: which pane has the focus, what lies over the panes, and what
//! the reader's actions do.

use crate::state::action::{Action, Overlay, Pane, Prompt};
use crate::state::facts::KINDS;
use crate::state::scene::Scene;
use crate::state::session::{Goal, Progress, Session};
use crate::state::source::Sources;
use crate::state::what_if::Again;
use doorbell_examples::{Failure, failure};
use std::time::{Duration, Instant};

/// Steps of a move that are pursued between two looks at the clock.
const PORTION: usize = 256;

/// How long a move is pursued between two frames.
const BETWEEN_FRAMES: Duration = Duration::from_millis(12);

/// How far each pane can be scrolled and how many lines it shows; told by the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// The most lines that can be scrolled away.
    pub most: usize,
    /// Lines that are shown.
    pub height: usize,
}

/// The terminal program.
pub struct App {
    /// The walk.
    pub session: Session,
    /// What the panes show.
    pub scene: Scene,
    /// The pane with the focus.
    pub focus: Pane,
    /// Whether it is enlarged.
    pub zoomed: bool,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// A word to the reader, until the next action.
    pub message: Option<String>,
    /// Whether the reader has left.
    pub quit: bool,
    /// What runs the scenario again with other settings, where that can be.
    pub again: Option<Again>,
    /// Lines scrolled away in each pane; of the source, away from the running line.
    scroll: [isize; 6],
    /// What the view told of each pane.
    pub extents: [Extent; 6],
    kind: Option<&'static str>,
    text: String,
    sources: Sources,
    /// Step and number of steps for which the scene was made.
    shown: Option<(usize, usize)>,
}

impl App {
    /// A terminal program for this walk.
    pub fn new(session: Session) -> Self {
        let mut app = Self {
            session,
            scene: Scene::default(),
            focus: Pane::Source,
            zoomed: false,
            overlay: Overlay::None,
            message: None,
            quit: false,
            again: None,
            scroll: [0; 6],
            extents: [Extent::default(); 6],
            kind: None,
            text: String::new(),
            sources: Sources::default(),
            shown: None,
        };
        app.refresh();
        app
    }

    /// Lines scrolled away in a pane; of the source, away from the running line.
    pub fn scrolled(&self, pane: Pane) -> isize {
        self.scroll[pane.place()]
    }

    /// Goes on with a move under way. Whether one still is.
    pub fn tick(&mut self) -> bool {
        if !self.session.is_seeking() {
            return false;
        }
        let (start, opened) = (Instant::now(), self.session.opening().is_some());
        while self.session.is_seeking() && start.elapsed() < BETWEEN_FRAMES {
            if let Progress::Missed(why) = self.session.pursue(PORTION) {
                self.message = Some(why);
            }
        }
        if !opened && self.session.is_in_acts() {
            self.focus = Pane::Steps;
        }
        self.refresh();
        self.session.is_seeking()
    }

    /// Makes the scene anew if the reader stands elsewhere.
    fn refresh(&mut self) {
        let key = (self.session.current(), self.session.len());
        if self.shown.is_some_and(|(step, _)| step != key.0) {
            self.scroll = [0; 6];
        }
        if self.shown != Some(key) {
            self.scene = Scene::of(&self.session, &mut self.sources);
            self.shown = Some(key);
        }
    }

    /// Does what the reader wants.
    pub fn act(&mut self, action: Action) {
        self.message = None;
        match &self.overlay {
            Overlay::None => self.act_on_panes(action),
            Overlay::WhatIf(chosen) => self.act_on_what_if(*chosen, action),
            Overlay::Help | Overlay::Failure => match action {
                Action::Quit => self.quit = true,
                _ => self.overlay = Overlay::None,
            },
            Overlay::Kinds(chosen) => self.act_on_menu(*chosen, action),
            Overlay::Prompt(prompt, text) => self.act_on_prompt(*prompt, text.clone(), action),
        }
        self.refresh();
    }

    /// Nothing lies over the panes.
    fn act_on_panes(&mut self, action: Action) {
        let seeking = self.session.is_seeking();
        self.session.stop();
        match action {
            Action::In => self.session.seek(Goal::Next),
            Action::Over => self.session.seek(Goal::Level(self.session.level())),
            Action::Out => self.out(),
            Action::Back if !self.session.back() => self.say("this is the first step"),
            Action::Back => {}
            Action::Home => self.session.home(),
            Action::End => self.session.seek(Goal::End),
            Action::KindAgain => self.seek_kind(),
            Action::SearchAgain => self.search(),
            Action::SearchBack => self.search_back(),
            Action::ShowKinds => self.overlay = Overlay::Kinds(self.chosen_kind()),
            Action::ShowWhatIf => self.show_what_if(),
            Action::ShowFailure => match self.failure() {
                Some(_) => self.overlay = Overlay::Failure,
                None => self.say("this is none of the failure gallery (doorbell scenarios)"),
            },
            Action::ShowHelp => self.overlay = Overlay::Help,
            Action::Ask(prompt) => self.overlay = Overlay::Prompt(prompt, String::new()),
            Action::Line(lines) => self.move_lines(lines),
            Action::Page(pages) => self.move_page(pages),
            Action::Scroll(pane, lines) => self.scroll_pane(pane, lines),
            Action::Fold => self.session.toggle_fold(),
            Action::Prologue => self.session.toggle_prologue(),
            Action::NextPane => self.focus = self.focus.around(1),
            Action::PreviousPane => self.focus = self.focus.around(Pane::ALL.len() - 1),
            Action::Focus(pane) => self.focus = pane,
            Action::Row(row) => self.session.select_row(row),
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::Cancel if seeking => self.say("stopped"),
            Action::Cancel => self.zoomed = false,
            Action::Quit => self.quit = true,
            Action::Type(_) | Action::Erase | Action::Confirm | Action::Change(_) => {}
        }
    }

    /// The failure that the scenario shows.
    pub fn failure(&self) -> Option<&'static Failure> {
        failure(&self.session.supply().header().scenario)
    }

    /// Opens the settings of the scenario.
    fn show_what_if(&mut self) {
        match &self.again {
            Some(again) if !again.is_empty() => self.overlay = Overlay::WhatIf(0),
            Some(_) => self.say("this scenario has no settings to change"),
            None => self.say("this run is a recording: there is nothing to run again"),
        }
    }

    /// The settings are open.
    fn act_on_what_if(&mut self, chosen: usize, action: Action) {
        let Some(again) = &mut self.again else {
            return self.overlay = Overlay::None;
        };
        let last = again.len().saturating_sub(1);
        match action {
            Action::Line(lines) => {
                self.overlay = Overlay::WhatIf(chosen.saturating_add_signed(lines).min(last));
            }
            Action::Page(pages) => self.overlay = Overlay::WhatIf(if pages < 0 { 0 } else { last }),
            Action::Change(by) => again.change(chosen, by),
            Action::Confirm if again.accepts() => self.run_again(),
            Action::Cancel => {
                again.take_back();
                self.overlay = Overlay::None;
            }
            Action::Quit => self.quit = true,
            _ => {}
        }
    }

    /// Lets the program go to its end, and starts it anew with the settings that are wanted.
    fn run_again(&mut self) {
        self.overlay = Overlay::None;
        let Some(again) = &mut self.again else { return };
        self.session.leave();
        match again.restart() {
            Ok(supply) => {
                self.message = Some(again.told());
                self.session = Session::new(supply);
                self.session.seek(Goal::Opening);
                self.shown = None;
                self.scroll = [0; 6];
            }
            Err(error) => self.message = Some(error.to_string()),
        }
    }

    /// A word to the reader.
    fn say(&mut self, text: &str) {
        self.message = Some(text.to_owned());
    }

    /// Leaves the call that the step lies in.
    fn out(&mut self) {
        match self.session.level().checked_sub(1) {
            Some(level) => self.session.seek(Goal::Level(level)),
            None => self.say("no call lies around this step"),
        }
    }

    /// The place in the menu of the kind that was chosen last.
    fn chosen_kind(&self) -> usize {
        let place = |kind| KINDS.iter().position(|other| *other == kind);
        self.kind.and_then(place).unwrap_or(0)
    }

    /// Goes to the next step of the chosen kind.
    fn seek_kind(&mut self) {
        match self.kind {
            Some(kind) => self.session.seek(Goal::Kind(kind)),
            None => self.overlay = Overlay::Kinds(0),
        }
    }

    /// Goes to the next match.
    fn search(&mut self) {
        if self.text.is_empty() {
            self.overlay = Overlay::Prompt(Prompt::Search, String::new());
        } else {
            self.session.seek(Goal::Text(self.text.clone()));
        }
    }

    /// Goes to the match before.
    fn search_back(&mut self) {
        if self.text.is_empty() {
            self.overlay = Overlay::Prompt(Prompt::Search, String::new());
        } else if !self.session.search_back(&self.text.clone()) {
            self.message = Some(format!("no earlier step contains `{}`", self.text));
        }
    }

    /// Up or down in the pane with the focus.
    fn move_lines(&mut self, lines: isize) {
        match self.focus {
            Pane::Steps => self.session.move_row(lines),
            pane => self.scroll_pane(pane, lines),
        }
    }

    /// The same by a page.
    fn move_page(&mut self, pages: isize) {
        let height = self.extents[self.focus.place()].height.max(2) - 1;
        let lines = pages.saturating_mul(isize::try_from(height).unwrap_or(1));
        if self.focus == Pane::Steps {
            let row = self.session.tree().row_of(self.session.current());
            let last = self.session.tree().row_count().saturating_sub(1);
            self.session.select_row(row.saturating_add_signed(lines).min(last));
        } else {
            self.scroll_pane(self.focus, lines);
        }
    }

    /// Scrolls a pane, as far as it has lines. The tree scrolls by moving in it.
    fn scroll_pane(&mut self, pane: Pane, lines: isize) {
        if pane == Pane::Steps {
            self.session.move_row(lines);
            return;
        }
        let most = isize::try_from(self.extents[pane.place()].most).unwrap_or(isize::MAX);
        let least = if pane == Pane::Source { most.saturating_neg() } else { 0 };
        let scroll = &mut self.scroll[pane.place()];
        *scroll = scroll.saturating_add(lines).clamp(least, most);
    }

    /// The menu of kinds is open.
    fn act_on_menu(&mut self, chosen: usize, action: Action) {
        let last = KINDS.len() - 1;
        match action {
            Action::Line(lines) => {
                self.overlay = Overlay::Kinds(chosen.saturating_add_signed(lines).min(last));
            }
            Action::Page(pages) if pages < 0 => self.overlay = Overlay::Kinds(0),
            Action::Page(_) => self.overlay = Overlay::Kinds(last),
            Action::Confirm => {
                self.overlay = Overlay::None;
                self.kind = KINDS.get(chosen).copied();
                self.seek_kind();
            }
            Action::Cancel => self.overlay = Overlay::None,
            Action::Quit => self.quit = true,
            _ => {}
        }
    }

    /// A line is being typed.
    fn act_on_prompt(&mut self, prompt: Prompt, mut text: String, action: Action) {
        match action {
            Action::Type(character) => text.push(character),
            Action::Erase => drop(text.pop()),
            Action::Cancel => return self.overlay = Overlay::None,
            Action::Quit => return self.quit = true,
            Action::Confirm => {
                self.overlay = Overlay::None;
                return self.answer(prompt, text.trim());
            }
            _ => {}
        }
        self.overlay = Overlay::Prompt(prompt, text);
    }

    /// A line was typed.
    fn answer(&mut self, prompt: Prompt, text: &str) {
        match (prompt, text.parse::<u64>()) {
            _ if text.is_empty() => {}
            (Prompt::Jump, Ok(number)) => self.session.seek(Goal::Number(number)),
            (Prompt::Jump, Err(_)) => {
                self.message = Some(format!("`{text}` is not the number of a step"));
            }
            (Prompt::Search, _) => {
                self.text = text.to_lowercase();
                self.search();
            }
        }
    }
}
