//! The other side: whoever attaches to a program.

use super::protocol::{AttachError, FORMAT, Greeting, Reply, Request, Status, VERSION, hear, say};
use crate::UnknownGroup;
use doorbell_tracer::file::{self, Loaded};
use std::io::{self, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a program may take over an answer: it may be attending to somebody else.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most bytes that are taken from a program for one snapshot.
const LARGEST: u64 = 4 << 30;

/// A program that answers.
#[derive(Debug)]
pub struct Attached {
    stream: BufReader<UnixStream>,
    greeting: Greeting,
}

impl Attached {
    /// Attaches to the program that listens at `path`.
    pub fn to(path: &Path) -> Result<Self, AttachError> {
        let stream = UnixStream::connect(path).map_err(|error| refused(path, error))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let foreign = || AttachError::Foreign { path: path.to_owned() };
        let greeting: serde_json::Value = match hear(&mut stream) {
            Ok(greeting) => greeting.ok_or(AttachError::Gone)?,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(foreign()),
            Err(error) => return Err(error.into()),
        };
        if greeting["format"] != FORMAT {
            return Err(foreign());
        }
        let text = |name: &str| greeting[name].as_str().unwrap_or("?").to_owned();
        // Another version may have another greeting but for these.
        let found = greeting["version"].as_u64().and_then(|found| u32::try_from(found).ok());
        if found != Some(VERSION) {
            let found = found.unwrap_or(0);
            return Err(AttachError::Version {
                program: text("program"),
                tool: text("tool"),
                found,
            });
        }
        let greeting = serde_json::from_value(greeting)
            .map_err(|error| AttachError::Nonsense(error.to_string()))?;
        Ok(Self { stream, greeting })
    }

    /// What the program said of itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// How tracing is there.
    pub fn status(&mut self) -> Result<Status, AttachError> {
        self.ask_status(&Request::Status)
    }

    /// Switches groups off, then others on.
    pub fn switch(&mut self, disable: &[String], enable: &[String]) -> Result<Status, AttachError> {
        let (disable, enable) = (disable.to_vec(), enable.to_vec());
        self.ask_status(&Request::Switch { disable, enable })
    }

    /// Empties the ring.
    pub fn clear(&mut self) -> Result<Status, AttachError> {
        self.ask_status(&Request::Clear)
    }

    /// What the ring holds.
    pub fn snapshot(&mut self) -> Result<Loaded, AttachError> {
        let bytes = match self.ask(&Request::Snapshot)? {
            Reply::Snapshot { bytes } if bytes <= LARGEST => bytes,
            reply => return Err(other(reply)),
        };
        let mut trace = Vec::new();
        self.stream.by_ref().take(bytes).read_to_end(&mut trace)?;
        if (trace.len() as u64) < bytes {
            return Err(AttachError::Gone);
        }
        let name = format!("the snapshot of {}", self.greeting.program);
        let (loaded, _) = file::read(name, trace.as_slice())?;
        Ok(loaded)
    }

    fn ask_status(&mut self, request: &Request) -> Result<Status, AttachError> {
        match self.ask(request)? {
            Reply::Status(status) => Ok(status),
            reply => Err(other(reply)),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, AttachError> {
        say(self.stream.get_mut(), request)?;
        hear(&mut self.stream)?.ok_or(AttachError::Gone)
    }
}

/// An answer that is not the one that was asked for.
fn other(reply: Reply) -> AttachError {
    match reply {
        Reply::UnknownGroup { name, known } => UnknownGroup { name, known }.into(),
        Reply::Refused { why } => AttachError::Nonsense(why),
        reply => AttachError::Nonsense(format!("{reply:?}")),
    }
}

/// Why there is no connection.
fn refused(path: &Path, error: io::Error) -> AttachError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => AttachError::Missing { path },
        io::ErrorKind::ConnectionRefused if is_socket(&path) => AttachError::Stale { path },
        io::ErrorKind::ConnectionRefused => AttachError::NoSocket { path },
        _ => AttachError::Connect { path, reason: error.to_string() },
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|there| there.file_type().is_socket())
}
