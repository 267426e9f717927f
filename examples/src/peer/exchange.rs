//! What the two sides tell each other before there is a connection: over TCP, as text.
//!
//! The client writes first. The server brings its queue pair to RTS before it answers, so that it
//! is ready when the client hears of it; the client's last word is `done`. rdma-core's programs hang up
//! then. Ours stay on the line until both are done: who leaves early takes its queue pair along, and an
//! acknowledgement that got lost can never be asked for again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Length of a side's words in bytes, with the zero that ends them.
pub const LENGTH: usize = "0000:000000:000000:00000000000000000000000000000000".len() + 1;

/// The client's last word, with the zero that ends it.
const DONE: &[u8; 5] = b"done\0";

/// What a side says when it has come so far.
const STEP: &[u8; 1] = b".";

/// How long is slept between two looks for a connection.
const LOOK: Duration = Duration::from_millis(10);

/// How a side's queue pair is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// LID of the port; 0 on Ethernet.
    pub lid: u16,
    /// The queue pair.
    pub qpn: u32,
    /// Sequence number of its first packet.
    pub psn: u32,
    /// GID of the port; zeros if the LID is enough.
    pub gid: [u8; 16],
}

/// Why the two sides did not come together.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Nobody listens there.
    #[error("cannot connect to {host}, port {port}: {reason}; start the server there first")]
    Connect {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// The system's words.
        reason: String,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on port {port}: {reason}; choose another with --port on both sides")]
    Listen {
        /// The port.
        port: u16,
        /// The system's words.
        reason: String,
    },
    /// Nobody came.
    #[error(
        "no client came within {0} s; start one with this host's name, or wait longer with --timeout"
    )]
    Nobody(u64),
    /// The other side fell silent, or went.
    #[error("the other side fell silent: {0}; did it fail?")]
    Silent(String),
    /// The other side does not finish.
    #[error("the other side does not finish: {0}; did it hang?")]
    Stays(String),
    /// The other side said something else.
    #[error("the other side said {0:?}; is it the same program, or one of rdma-core's pingpongs?")]
    Nonsense(String),
}

impl Destination {
    /// As it goes over the socket.
    pub fn to_wire(self) -> [u8; LENGTH] {
        let gid: String = self.gid.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{:04x}:{:06x}:{:06x}:{gid}\0", self.lid, self.qpn, self.psn);
        let mut bytes = [0; LENGTH];
        bytes.copy_from_slice(text.as_bytes());
        bytes
    }

    /// From what came over the socket.
    pub fn from_wire(bytes: &[u8; LENGTH]) -> Result<Self, ExchangeError> {
        let text = String::from_utf8_lossy(bytes);
        let nonsense = || ExchangeError::Nonsense(text.trim_end_matches('\0').to_owned());
        let parts: Vec<&str> = text.trim_end_matches('\0').split(':').collect();
        let [lid, qpn, psn, gid] = parts[..] else { return Err(nonsense()) };
        let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
        let lid = number(lid).and_then(|lid| u16::try_from(lid).ok());
        let gid = u128::from_str_radix(gid, 16).ok().filter(|_| gid.len() == 32);
        match (lid, number(qpn), number(psn), gid) {
            (Some(lid), Some(qpn), Some(psn), Some(gid)) => {
                Ok(Self { lid, qpn, psn, gid: gid.to_be_bytes() })
            }
            _ => Err(nonsense()),
        }
    }

    /// As the program prints it.
    pub fn words(&self) -> String {
        let gid = std::net::Ipv6Addr::from(self.gid);
        format!("LID {:#06x}, QPN {:#08x}, PSN {:#08x}, GID {gid}", self.lid, self.qpn, self.psn)
    }
}

/// The other side, as long as it is on the line.
pub struct Peer {
    stream: TcpStream,
    /// How its queue pair is called.
    pub destination: Destination,
}

/// The client: tells, hears, and says that it is done. (`pp_client_exch_dest`)
pub fn as_client(
    (host, port): (&str, u16),
    own: Destination,
    deadline: Duration,
) -> Result<Peer, ExchangeError> {
    let refused = |reason: String| ExchangeError::Connect { host: host.to_owned(), port, reason };
    let places = (host, port).to_socket_addrs().map_err(|error| refused(error.to_string()))?;
    let mut last = "the name has no address".to_owned();
    let mut connected = None;
    for place in places {
        match TcpStream::connect_timeout(&place, deadline) {
            Ok(stream) => {
                connected = Some(stream);
                break;
            }
            Err(error) => last = error.to_string(),
        }
    }
    let mut stream = timed(connected.ok_or_else(|| refused(last))?, deadline)?;
    tell(&mut stream, &own.to_wire())?;
    let destination = Destination::from_wire(&hear(&mut stream)?)?;
    tell(&mut stream, DONE)?;
    Ok(Peer { stream, destination })
}

/// The server: hears, gets ready, tells, and waits for the last word. (`pp_server_exch_dest`)
pub fn as_server<E: From<ExchangeError>>(
    port: u16,
    own: Destination,
    deadline: Duration,
    ready: impl FnOnce(Destination) -> Result<(), E>,
) -> Result<Peer, E> {
    let mut stream = timed(accept(port, deadline)?, deadline)?;
    let destination = Destination::from_wire(&hear(&mut stream)?)?;
    ready(destination)?;
    tell(&mut stream, &own.to_wire())?;
    let _: [u8; DONE.len()] = hear(&mut stream)?;
    Ok(Peer { stream, destination })
}

impl Peer {
    /// Says something more.
    pub fn tell(&mut self, bytes: &[u8]) -> Result<(), ExchangeError> {
        tell(&mut self.stream, bytes)
    }

    /// Hears so many bytes more.
    pub fn hear<const N: usize>(&mut self) -> Result<[u8; N], ExchangeError> {
        hear(&mut self.stream)
    }

    /// Waits until the other side has come to the same place. It may need this side's card meanwhile, which
    /// has its turn in `turn`.
    pub fn keep_step(&mut self, mut turn: impl FnMut()) -> Result<(), ExchangeError> {
        self.tell(STEP)?;
        self.stream.set_nonblocking(true).map_err(silent)?;
        let mut word = [0; STEP.len()];
        loop {
            match self.stream.read(&mut word) {
                Ok(0) => return Err(ExchangeError::Silent("it has hung up".to_owned())),
                Ok(_) if word == *STEP => break,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&word).into_owned();
                    return Err(ExchangeError::Nonsense(text));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => turn(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(silent(error)),
            }
        }
        self.stream.set_nonblocking(false).map_err(silent)
    }

    /// Hangs up, and waits until the other side has, too: until then it may still need this side's
    /// card, which has its turn in `turn`. With a deadline, it is an error to wait longer.
    pub fn part(
        mut self,
        deadline: Option<Duration>,
        mut turn: impl FnMut(),
    ) -> Result<(), ExchangeError> {
        let begin = Instant::now();
        // Fails if the other side has gone, and then there is nothing to wait for.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.stream.set_nonblocking(true).map_err(silent)?;
        let mut bytes = [0; 64];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    return Err(ExchangeError::Nonsense(text));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It went without a word.
                Err(_) => return Ok(()),
            }
            if let Some(deadline) = deadline.filter(|deadline| begin.elapsed() >= *deadline) {
                let reason = format!("it is not done {} s after this side", deadline.as_secs());
                return Err(ExchangeError::Stays(reason));
            }
            turn();
        }
    }
}

/// Waits for the one client.
fn accept(port: u16, deadline: Duration) -> Result<TcpStream, ExchangeError> {
    let refused = |error: std::io::Error| ExchangeError::Listen { port, reason: error.to_string() };
    let listener = TcpListener::bind(("0.0.0.0", port)).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let begin = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(refused)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(refused(error)),
        }
        if begin.elapsed() >= deadline {
            return Err(ExchangeError::Nobody(deadline.as_secs()));
        }
        sleep(LOOK);
    }
}

/// A connection that does not wait for ever.
fn timed(stream: TcpStream, deadline: Duration) -> Result<TcpStream, ExchangeError> {
    let set = stream
        .set_read_timeout(Some(deadline))
        .and_then(|()| stream.set_write_timeout(Some(deadline)));
    set.map_err(silent)?;
    Ok(stream)
}

fn tell(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), ExchangeError> {
    stream.write_all(bytes).map_err(silent)
}

fn hear<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N], ExchangeError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map_err(silent)?;
    Ok(bytes)
}

fn silent(error: std::io::Error) -> ExchangeError {
    ExchangeError::Silent(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: Destination = Destination {
        lid: 0x1a,
        qpn: 0x40,
        psn: 0xabcdef,
        gid: *b"\xfe\x80\0\0\0\0\0\0\x02\0\0\xff\xfe\0\0\x02",
    };

    #[test]
    fn the_words_are_those_of_the_original() {
        let wire = SIDE.to_wire();
        assert_eq!(&wire, b"001a:000040:abcdef:fe80000000000000020000fffe000002\0");
        assert_eq!(Destination::from_wire(&wire).expect("its own words"), SIDE);
        assert_eq!(SIDE.words(), "LID 0x001a, QPN 0x000040, PSN 0xabcdef, GID fe80::200:ff:fe00:2");
    }

    #[test]
    fn other_words_are_refused() {
        for text in ["", "1:2:3", "xxxx:000040:abcdef:fe80000000000000020000fffe000002"] {
            let mut bytes = [0; LENGTH];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            let error = Destination::from_wire(&bytes).expect_err(text);
            assert!(error.to_string().contains("rdma-core's pingpongs"), "{error}");
        }
    }
}
