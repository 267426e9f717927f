//! Places in the source: a probe's site is taken by macro from where it stands.

use serde::{Deserialize, Serialize};

/// A place in the source that events come from. Made by [`site!`](crate::site) only, so that the
/// file and the line are always those of the code that runs.
#[derive(Debug)]
pub struct Site {
    /// Path from the root of the workspace, as `driver/src/mlx5/post_send.rs`.
    pub file: &'static str,
    /// Line in that file, from 1.
    pub line: u32,
    /// Name of the function that the place lies in; call it through [`Site::function`].
    pub name: fn() -> &'static str,
    /// The group that switches this probe on and off.
    pub group: Group,
    /// Which field of the bytes stored here came from what: pairs of (field of the layout, its
    /// origin in the source's own words).
    pub origins: &'static [(&'static str, &'static str)],
}

impl Site {
    /// The path of the function that the place lies in, without its crate, without generics, with
    /// its type if it is a method: `mlx5::post_send::post_send`, `verbs::Context::open_device`.
    pub fn function(&self) -> String {
        let path = with_type_first((self.name)());
        let path = without_generics(&path);
        let mut parts: Vec<_> = path
            .split("::")
            .skip(1)
            .take_while(|part| *part != "__site_name" && *part != "__site_here")
            .filter(|part| !part.is_empty() && !part.starts_with('{'))
            .collect();
        // The static that holds the site, as `SITE`, is not a part of the function's path.
        if parts.last().is_some_and(|part| is_name_of_a_static(part)) {
            parts.pop();
        }
        parts.join("::")
    }
}

/// `<Type as Trait>::method` as `Type::method`; other paths as they are.
fn with_type_first(path: &str) -> String {
    let Some(inside) = path.strip_prefix('<') else {
        return path.to_owned();
    };
    let mut nesting = 1_u32;
    for (at, character) in inside.char_indices() {
        match character {
            '<' => nesting += 1,
            '>' => nesting -= 1,
            _ => {}
        }
        if nesting == 0 {
            let (own, method) = (&inside[..at], &inside[at + 1..]);
            let own = own.rsplit_once(" as ").map_or(own, |(own, _)| own);
            return format!("{own}{method}");
        }
    }
    path.to_owned()
}

/// A path without what stands between angle brackets.
fn without_generics(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut nesting = 0_u32;
    for character in path.chars() {
        match character {
            '<' => nesting += 1,
            '>' => nesting = nesting.saturating_sub(1),
            _ if nesting == 0 => plain.push(character),
            _ => {}
        }
    }
    plain
}

/// Whether a name is written as names of statics are.
fn is_name_of_a_static(name: &str) -> bool {
    let letter = |character: char| character.is_ascii_uppercase() || character == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Groups of probes, switched on and off at run time by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Group {
    /// The program that uses the verbs.
    Program,
    /// Finding devices and matching providers.
    Discovery,
    /// Contexts, queues, memory regions: everything before and after the data path.
    Control,
    /// `ibv_post_send`.
    PostSend,
    /// `ibv_post_recv`.
    #[serde(rename = "post_recv")]
    PostReceive,
    /// `ibv_poll_cq`.
    PollCq,
    /// The software card.
    Card,
}

impl Group {
    /// All groups, in the order of a run.
    pub const ALL: [Self; 7] = [
        Self::Program,
        Self::Discovery,
        Self::Control,
        Self::PostSend,
        Self::PostReceive,
        Self::PollCq,
        Self::Card,
    ];

    /// The name by which a user switches the group.
    pub fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Discovery => "discovery",
            Self::Control => "control",
            Self::PostSend => "post_send",
            Self::PostReceive => "post_recv",
            Self::PollCq => "poll_cq",
            Self::Card => "card",
        }
    }

    /// What its probes tell of, in a sentence.
    pub fn description(self) -> &'static str {
        match self {
            Self::Program => "what the program itself tells: its checks, the acts of a scenario",
            Self::Discovery => "finding devices, and the provider that matches",
            Self::Control => "contexts, keys, queues, their states, commands, and events",
            Self::PostSend => "ibv_post_send: checks, WQEs, records, barriers, registers",
            Self::PostReceive => "ibv_post_recv and ibv_post_srq_recv, likewise",
            Self::PollCq => "ibv_poll_cq: CQEs, owner bits, completions",
            Self::Card => "the software card: DMA, packets, states",
        }
    }

    /// The group of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// The bits of all groups.
    pub const EVERY_BIT: u32 = (1 << Self::ALL.len()) - 1;

    /// The group's bit in a mask of groups.
    #[inline]
    pub fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// The number of the first line of `text` that contains `wanted`, from 1. Evaluated at compile
/// time by [`site!`](crate::site): text that is not there does not compile.
pub const fn find_line(text: &str, wanted: &str) -> u32 {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let (mut line, mut at) = (1, 0);
    while at + wanted.len() <= text.len() {
        let mut matched = 0;
        while matched < wanted.len() && text[at + matched] == wanted[matched] {
            matched += 1;
        }
        if matched == wanted.len() {
            return line;
        }
        if text[at] == b'\n' {
            line += 1;
        }
        at += 1;
    }
    panic!("the source has no such line")
}

/// The [`Site`] of the place where the macro stands; its group is the `PROBE_GROUP` in scope.
///
/// `site!(of FUNCTION at TEXT)` is the site of the first line of the same file that contains TEXT,
/// within FUNCTION: for the one place that must stay free of probes, the call through the ops table.
#[macro_export]
macro_rules! site {
    () => {
        $crate::site!(@ line!(), __site_here, [])
    };
    (from $($field:literal = $origin:literal),+ $(,)?) => {
        $crate::site!(@ line!(), __site_here, [$(($field, $origin)),+])
    };
    (of $function:ident at $text:literal) => {
        $crate::site!(
            @ $crate::find_line(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", file!())), $text),
            $function,
            []
        )
    };
    (@ $line:expr, $function:ident, [$($origins:expr),*]) => {
        $crate::Site {
            file: file!(),
            line: $line,
            name: {
                fn __site_name() -> &'static str {
                    $crate::site!(@name $function)
                }
                __site_name
            },
            group: PROBE_GROUP,
            origins: &[$($origins),*],
        }
    };
    (@name __site_here) => {{
        fn __site_here() {}
        ::std::any::type_name_of_val(&__site_here)
    }};
    (@name $function:ident) => {
        concat!(module_path!(), "::", stringify!($function))
    };
}
