//! The settings by name, and what each can be.

use doorbell_driver::verbs::{Opcode, Transport};
use std::fmt;
use std::ops::RangeInclusive;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// [`super::Settings::transport`].
    Transport,
    /// [`super::Settings::opcode`].
    Opcode,
    /// [`super::Settings::length`].
    Length,
    /// [`super::Settings::list`].
    List,
    /// [`super::Settings::sges`].
    Sges,
    /// [`super::Settings::inline`].
    Inline,
    /// [`super::Settings::signaled`].
    Signaled,
    /// [`super::Settings::signal_all`].
    SignalAll,
    /// [`super::Settings::solicited`].
    Solicited,
    /// [`super::Settings::fence`].
    Fence,
    /// [`super::Settings::blueflame`].
    BlueFlame,
    /// [`super::Settings::register`].
    Register,
    /// [`super::Settings::api`].
    Api,
    /// [`super::Settings::start`].
    Start,
    /// [`super::Settings::signature`].
    Signature,
    /// [`super::Settings::atomics`].
    Atomics,
    /// [`super::Settings::mtu`].
    Mtu,
}

/// What a setting can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A number from a range.
    Number(RangeInclusive<u32>),
    /// One of these numbers.
    OneOf(&'static [u32]),
    /// `on` or `off`.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// The value of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u32),
    /// `on` or `off`.
    Switch(bool),
    /// One of the key's words.
    Word(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Switch(on) => formatter.write_str(if *on { "on" } else { "off" }),
            Self::Word(word) => formatter.write_str(word),
        }
    }
}

/// The opcodes by the words for them.
const OPCODES: [(&str, Opcode); 7] = [
    ("write", Opcode::RdmaWrite),
    ("write-imm", Opcode::RdmaWriteWithImmediate),
    ("send", Opcode::Send),
    ("send-imm", Opcode::SendWithImmediate),
    ("read", Opcode::RdmaRead),
    ("fetch-add", Opcode::AtomicFetchAndAdd),
    ("cmp-swap", Opcode::AtomicCompareAndSwap),
];

/// The same words.
const OPCODE_WORDS: [&str; 7] =
    ["write", "write-imm", "send", "send-imm", "read", "fetch-add", "cmp-swap"];

/// The word for a transport.
pub(super) fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::ReliableConnection => "rc",
        Transport::UnreliableConnection => "uc",
        Transport::UnreliableDatagram => "ud",
    }
}

/// The connection of a word.
pub(super) fn transport_of(word: &str) -> Option<Transport> {
    let connections = [Transport::ReliableConnection, Transport::UnreliableConnection];
    connections.into_iter().find(|transport| transport_word(*transport) == word)
}

/// The opcode of a word.
pub(super) fn opcode_of(word: &str) -> Option<Opcode> {
    OPCODES.iter().find(|(other, _)| *other == word).map(|(_, opcode)| *opcode)
}

/// The word for an opcode; the verbs' name for one that no scenario posts.
pub(super) fn opcode_word(opcode: Opcode) -> &'static str {
    let found = OPCODES.iter().find(|(_, other)| *other == opcode);
    found.map_or_else(|| opcode.name(), |(word, _)| word)
}

impl Key {
    /// Every setting, in the order in which they are shown.
    pub const ALL: [Self; 17] = [
        Self::Transport,
        Self::Opcode,
        Self::Length,
        Self::List,
        Self::Sges,
        Self::Inline,
        Self::Signaled,
        Self::SignalAll,
        Self::Solicited,
        Self::Fence,
        Self::BlueFlame,
        Self::Register,
        Self::Api,
        Self::Start,
        Self::Signature,
        Self::Atomics,
        Self::Mtu,
    ];

    /// Its name in `--set`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Opcode => "opcode",
            Self::Length => "length",
            Self::List => "list",
            Self::Sges => "sges",
            Self::Inline => "inline",
            Self::Signaled => "signaled",
            Self::SignalAll => "signal_all",
            Self::Solicited => "solicited",
            Self::Fence => "fence",
            Self::BlueFlame => "bf",
            Self::Register => "register",
            Self::Api => "api",
            Self::Start => "start",
            Self::Signature => "signature",
            Self::Atomics => "atomics",
            Self::Mtu => "mtu",
        }
    }

    /// What it is, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Transport => "what the connection is",
            Self::Opcode => "what each work request does",
            Self::Length => "bytes of each work request",
            Self::List => "work requests",
            Self::Sges => "scatter/gather elements of each",
            Self::Inline => "copy the data into the WQE",
            Self::Signaled => "the last one makes a completion",
            Self::SignalAll => "each one does (sq_sig_all)",
            Self::Solicited => "ask the other side for an event",
            Self::Fence => "wait for READs and atomics before",
            Self::BlueFlame => "when to use BlueFlame",
            Self::Register => "which doorbell register",
            Self::Api => "ibv_post_send, or ibv_wr_start",
            Self::Start => "blocks of the ring used before",
            Self::Signature => "each WQE carries a checksum",
            Self::Atomics => "the card has atomic operations",
            Self::Mtu => "path MTU in bytes",
        }
    }

    /// What it can be.
    pub fn form(self) -> Form {
        match self {
            Self::Transport => Form::Word(&["rc", "uc"]),
            Self::Opcode => Form::Word(&OPCODE_WORDS),
            Self::Length => Form::Number(0..=super::MOST_BYTES),
            Self::List => Form::Number(1..=256),
            Self::Sges => Form::Number(1..=30),
            Self::BlueFlame => Form::Word(&["prefer", "auto", "forbid"]),
            Self::Register => Form::Word(&["own", "shared", "plain"]),
            Self::Api => Form::Word(&["list", "batch"]),
            Self::Start => Form::Number(0..=255),
            Self::Mtu => Form::OneOf(&[256, 512, 1024, 2048, 4096]),
            Self::Inline
            | Self::Signaled
            | Self::SignalAll
            | Self::Solicited
            | Self::Fence
            | Self::Signature
            | Self::Atomics => Form::Switch,
        }
    }

    /// Values to choose from, where no number can be typed.
    pub fn choices(self) -> Vec<Value> {
        let numbers = |list: &[u32]| list.iter().copied().map(Value::Number).collect();
        match self.form() {
            Form::Switch => vec![Value::Switch(false), Value::Switch(true)],
            Form::Word(words) => words.iter().copied().map(Value::Word).collect(),
            Form::OneOf(list) => numbers(list),
            Form::Number(_) if self == Self::Length => {
                numbers(&[0, 1, 8, 16, 32, 64, 100, 256, 764, 1024, 4096, 65_536])
            }
            Form::Number(_) if self == Self::Start => numbers(&[0, 1, 3, 7, 15, 31, 63]),
            Form::Number(range) => {
                let list = [1, 2, 3, 4, 8, 16, 30, 64, 128, 256];
                numbers(&list.into_iter().filter(|n| range.contains(n)).collect::<Vec<_>>())
            }
        }
    }

    /// The value that a text stands for, if the setting can have it.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let number = || text.parse::<u32>().ok();
        match self.form() {
            Form::Number(range) => {
                number().filter(|number| range.contains(number)).map(Value::Number)
            }
            Form::OneOf(list) => number().filter(|number| list.contains(number)).map(Value::Number),
            Form::Switch => match text {
                "on" => Some(Value::Switch(true)),
                "off" => Some(Value::Switch(false)),
                _ => None,
            },
            Form::Word(words) => {
                words.iter().find(|word| **word == text).map(|word| Value::Word(word))
            }
        }
    }

    /// What the setting can be, for an error.
    pub fn allowed(self) -> String {
        match self.form() {
            Form::Number(range) => format!("{} to {}", range.start(), range.end()),
            Form::OneOf(list) => {
                list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            Form::Switch => "on, off".to_owned(),
            Form::Word(words) => words.join(", "),
        }
    }
}
