//! What the agent says on the port `control`: lines, each a message.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A message of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// User space runs.
    Up,
    /// The drivers are loaded, or were to be left out.
    Drivers,
    /// The drivers did not come up, for this reason.
    DriversFailed(String),
    /// The command ended with this code.
    Exit(u8),
}

/// What came of listening for a while.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// Nothing yet.
    Nothing,
    /// The other side is gone.
    End,
}

/// The host's end of the port.
#[derive(Debug)]
pub struct Control {
    stream: UnixStream,
    /// What came after the last whole line.
    rest: Vec<u8>,
}

/// A line longer than this is no message.
const LONGEST: usize = 64 << 10;

impl Control {
    /// Listens on a stream.
    pub fn on(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(Self { stream, rest: Vec::new() })
    }

    /// Listens for a moment. A line that is no message is passed over.
    pub fn hear(&mut self) -> Heard {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                match parse(String::from_utf8_lossy(&line).trim_end()) {
                    Some(message) => return Heard::Message(message),
                    None => continue,
                }
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Heard::End,
                Ok(read) if self.rest.len() + read <= LONGEST => {
                    self.rest.extend_from_slice(&bytes[..read])
                }
                Ok(_) => self.rest.clear(),
                Err(error) if is_patience(&error) => return Heard::Nothing,
                Err(_) => return Heard::End,
            }
        }
    }
}

/// Whether nothing has gone wrong but that nothing came.
fn is_patience(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Reads a line.
fn parse(line: &str) -> Option<Message> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (word, rest) {
        ("up", "") => Some(Message::Up),
        ("drivers", "ok" | "none") => Some(Message::Drivers),
        ("drivers", rest) => {
            Some(Message::DriversFailed(rest.strip_prefix("failed ")?.to_string()))
        }
        ("exit", code) => Some(Message::Exit(code.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn messages_come_however_they_are_cut() {
        let (mut guest, host) = UnixStream::pair().expect("a pair");
        let mut control = Control::on(host).expect("a control");
        assert_eq!(control.hear(), Heard::Nothing);
        guest.write_all(b"up\ndrivers ok\nexi").expect("written");
        assert_eq!(control.hear(), Heard::Message(Message::Up));
        assert_eq!(control.hear(), Heard::Message(Message::Drivers));
        assert_eq!(control.hear(), Heard::Nothing);
        guest
            .write_all(b"t 137\nwhat is this\n\xff\xfe\nexit 300\ndrivers failed 0 of 1 cards\n")
            .expect("written");
        assert_eq!(control.hear(), Heard::Message(Message::Exit(137)));
        let failed = Message::DriversFailed("0 of 1 cards".to_string());
        assert_eq!(control.hear(), Heard::Message(failed));
        drop(guest);
        assert_eq!(control.hear(), Heard::End);
    }

    #[test]
    fn an_endless_line_takes_no_endless_memory() {
        let (mut guest, host) = UnixStream::pair().expect("a pair");
        let mut control = Control::on(host).expect("a control");
        let writer = std::thread::spawn(move || {
            for _ in 0..64 {
                guest.write_all(&[b'x'; 8192]).expect("written");
            }
            guest.write_all(b"\nup\n").expect("written");
            guest
        });
        let heard = loop {
            match control.hear() {
                Heard::Nothing => {}
                heard => break heard,
            }
            assert!(control.rest.len() <= LONGEST);
        };
        assert_eq!(heard, Heard::Message(Message::Up));
        drop(writer.join().expect("it ended"));
    }
}
