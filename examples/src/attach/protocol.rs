//! What goes over the socket: JSON, a line at a time.

use crate::UnknownGroup;
use doorbell_tracer::file::TraceFileError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;

/// The first word of a greeting.
pub(super) const FORMAT: &str = "doorbell-attach";

/// Version of what is said on the socket.
pub const VERSION: u32 = 1;

/// The most bytes of a line.
const LONGEST: u64 = 64 << 10;

/// What a program says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Always `doorbell-attach`.
    pub format: String,
    /// See [`VERSION`].
    pub version: u32,
    /// The tool that the program belongs to, and its version.
    pub tool: String,
    /// The program.
    pub program: String,
    /// The device that it uses.
    pub device: String,
    /// Its process.
    pub pid: u32,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Request {
    /// Which groups there are, and what the ring holds.
    Status,
    /// To switch groups off, and then others on.
    Switch { disable: Vec<String>, enable: Vec<String> },
    /// To forget the events.
    Clear,
    /// A copy of the events.
    Snapshot,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Reply {
    /// How things are, after what was asked for was done.
    Status(Status),
    /// So many bytes of a trace file follow.
    Snapshot { bytes: u64 },
    /// Nothing was switched.
    UnknownGroup { name: String, known: Vec<String> },
    /// The request was not understood.
    Refused { why: String },
}

/// How tracing is in a running program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Every group.
    pub groups: Vec<GroupState>,
    /// Whether verbs go through the ops table with probes.
    pub probes: bool,
    /// Open contexts.
    pub contexts: u64,
    /// Events recorded since the program began, or since the ring was emptied.
    pub recorded: u64,
    /// Those of them that the ring holds.
    pub kept: u64,
    /// How many events it holds at most.
    pub capacity: u64,
}

/// A group of probes in a running program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// Its name.
    pub name: String,
    /// What its probes tell of.
    pub description: String,
    /// Whether it is on.
    pub on: bool,
}

/// Why a program could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no socket.
    #[error(
        "there is no socket {}; start the program with --trace-socket PATH, and name that path or the \
         program's number here", path.display()
    )]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// What is there is something else.
    #[error(
        "{} is no socket; name the path that the program was given with --trace-socket, or the program's \
         number", path.display()
    )]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Nobody listens at the socket.
    #[error(
        "nobody listens at {}: the program has ended without taking its socket away; start it again",
        path.display()
    )]
    Stale {
        /// The path.
        path: PathBuf,
    },
    /// The socket cannot be used.
    #[error("cannot connect to {}: {reason}; the user that started the program may", path.display())]
    Connect {
        /// The path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Somebody else listens there.
    #[error("what listens at {} is not a program that doorbell can attach to", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
    },
    /// The program speaks another version.
    #[error(
        "{program} ({tool}) speaks version {found} of the attach protocol, and this is version {VERSION}; \
         use the `doorbell` that was built with the program"
    )]
    Version {
        /// The program.
        program: String,
        /// The tool that it belongs to.
        tool: String,
        /// The version.
        found: u32,
    },
    /// The program went away.
    #[error("the program went away while it answered; nothing was written")]
    Gone,
    /// The program is there and says nothing.
    #[error(
        "the program does not answer: it may be stopped, or somebody else is attached; try again"
    )]
    Silent,
    /// It said something else.
    #[error(
        "the program's answer is not understood: {0}; use the `doorbell` that was built with it"
    )]
    Nonsense(String),
    /// There is no such group.
    #[error(transparent)]
    Group(#[from] UnknownGroup),
    /// The snapshot cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceFileError),
}

impl From<io::Error> for AttachError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            io::ErrorKind::InvalidData => Self::Nonsense(error.to_string()),
            _ => Self::Gone,
        }
    }
}

/// Writes one line.
pub(super) fn say(to: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads one line; `None` where the other side has nothing more to say.
pub(super) fn hear<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => serde_json::from_slice(&line).map(Some).map_err(|error| {
            let said = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
            io::Error::new(io::ErrorKind::InvalidData, format!("{said:?}: {error}"))
        }),
        Some(_) if line.len() as u64 + 1 == LONGEST => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end"))
        }
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
