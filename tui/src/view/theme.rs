//! Colours, as many as the terminal has. Nothing is told by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: `NO_COLOR` is set, or the terminal is a dumb one.
    None,
    /// The sixteen that every terminal has.
    Sixteen,
    /// The table of 256.
    Table,
    /// Any.
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR`, `COLORTERM` and `TERM`, asked for by name.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let rich = variable("COLORTERM").unwrap_or_default();
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" {
            Self::None
        } else if rich == "truecolor" || rich == "24bit" {
            Self::True
        } else if term.contains("256color") {
            Self::Table
        } else {
            Self::Sixteen
        }
    }
}

/// What a piece of source text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// None of the others.
    Plain,
    /// A comment.
    Comment,
    /// A keyword.
    Keyword,
    /// A string or a character.
    Text,
    /// A number or another constant.
    Constant,
    /// The name of a function or a macro.
    Function,
    /// The name of a type.
    Type,
    /// An attribute.
    Attribute,
}

/// The styles of everything that is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    depth: Depth,
}

/// A colour for each depth: of the sixteen, of the table, and in full.
struct Shade(Color, u8, (u8, u8, u8));

/// Colours of segments, in the order of their letters. They are legible on dark and light.
const SEGMENTS: [Shade; 6] = [
    Shade(Color::Cyan, 37, (0x2a, 0xa1, 0x98)),
    Shade(Color::Yellow, 136, (0xb5, 0x89, 0x00)),
    Shade(Color::Magenta, 133, (0xb0, 0x5c, 0xb8)),
    Shade(Color::Green, 71, (0x5f, 0xa0, 0x4a)),
    Shade(Color::Blue, 68, (0x4a, 0x86, 0xd0)),
    Shade(Color::Red, 167, (0xd0, 0x5a, 0x55)),
];

impl Theme {
    /// The styles for a terminal with so many colours.
    pub fn new(depth: Depth) -> Self {
        Self { depth }
    }

    /// Whether there are any colours.
    pub fn has_colours(self) -> bool {
        self.depth != Depth::None
    }

    /// The colour, as far as the terminal has it.
    fn paint(self, Shade(sixteen, table, (red, green, blue)): &Shade) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            Depth::Sixteen => Style::new().fg(*sixteen),
            Depth::Table => Style::new().fg(Color::Indexed(*table)),
            Depth::True => Style::new().fg(Color::Rgb(*red, *green, *blue)),
        }
    }

    /// Text of less weight.
    pub fn dim(self) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            Depth::Sixteen => Style::new().add_modifier(Modifier::DIM),
            _ => self.paint(&Shade(Color::Gray, 245, (0x8a, 0x8a, 0x8a))),
        }
    }

    /// Headings.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The running line, the current step.
    pub fn current(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What this step wrote or read.
    pub fn fresh(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// The frame of the pane with the focus.
    pub fn focused(self) -> Style {
        self.paint(&SEGMENTS[0]).add_modifier(Modifier::BOLD)
    }

    /// What did not go well.
    pub fn bad(self) -> Style {
        self.paint(&SEGMENTS[5]).add_modifier(Modifier::BOLD)
    }

    /// What the card does.
    pub fn card(self) -> Style {
        self.paint(&SEGMENTS[2])
    }

    /// The keys in the last line.
    pub fn key(self) -> Style {
        self.paint(&SEGMENTS[1]).add_modifier(Modifier::BOLD)
    }

    /// The segment of this number.
    pub fn segment(self, number: usize) -> Style {
        self.paint(&SEGMENTS[number % SEGMENTS.len()])
    }

    /// A piece of source text.
    pub fn code(self, class: Class) -> Style {
        match class {
            Class::Plain => Style::new(),
            Class::Comment => self.dim(),
            Class::Keyword => self.paint(&SEGMENTS[2]),
            Class::Text => self.paint(&SEGMENTS[3]),
            Class::Constant => self.paint(&SEGMENTS[5]),
            Class::Function => self.paint(&SEGMENTS[4]),
            Class::Type => self.paint(&SEGMENTS[1]),
            Class::Attribute => self.paint(&SEGMENTS[0]),
        }
    }
}
