//! The lines of the cases.

use crate::Failure;
use doorbell_driver::verbs::{Opcode, QueuePairCapabilities, SendFlags, Transport};
use std::str::{FromStr, Lines, SplitWhitespace};

/// What a pair of queue pairs is to be.
pub struct Sizes {
    pub transport: Transport,
    /// Sends are posted in batches (`wr_start`), and not as lists (`post_send`).
    pub by_batch: bool,
    pub capabilities: QueuePairCapabilities,
    pub signal_all: bool,
}

/// A stretch of a buffer: offset and length.
pub type Piece = (usize, u32);

/// A send work request; where its data lies, and goes to, are offsets.
pub struct Send {
    pub opcode: Opcode,
    pub flags: SendFlags,
    pub immediate: u32,
    pub remote: usize,
    pub pieces: Vec<Piece>,
}

/// One thing to do.
pub enum Line {
    Pair(Sizes),
    Fill(u8),
    Send(Vec<Send>),
    Receive(Vec<Vec<Piece>>),
    Poll(u32),
    Take(u32),
}

/// The cases, read from their beginning.
pub struct Cases<'a>(Lines<'a>);

impl<'a> Cases<'a> {
    pub fn new(text: &'a str) -> Self {
        Self(text.lines())
    }

    /// The next thing to do, with the lines that belong to it.
    pub fn next_line(&mut self) -> Result<Option<Line>, Failure> {
        let Some(line) = self.0.next() else { return Ok(None) };
        let mut words = line.split_whitespace();
        let line = match words.next().unwrap_or_default() {
            "pair" => Line::Pair(sizes(&mut words)?),
            "fill" => Line::Fill(number(&mut words)?),
            "send" => Line::Send(self.requests(number(&mut words)?, "wr", send)?),
            "recv" => Line::Receive(self.requests(number(&mut words)?, "rr", pieces)?),
            "poll" => Line::Poll(number(&mut words)?),
            "take" => Line::Take(number(&mut words)?),
            other => return Err(format!("the cases say {other:?}, which is nothing").into()),
        };
        Ok(Some(line))
    }

    /// `count` lines that begin with `name`.
    fn requests<T>(
        &mut self,
        count: usize,
        name: &str,
        read: impl Fn(&mut SplitWhitespace<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let mut one = || {
            let mut words = self.0.next().unwrap_or_default().split_whitespace();
            match words.next() {
                Some(first) if first == name => read(&mut words),
                _ => Err(format!("the cases have no {name} where there must be one").into()),
            }
        };
        (0..count).map(|_| one()).collect()
    }
}

/// The next word as a number.
fn number<T: FromStr<Err: std::error::Error + 'static>>(
    words: &mut SplitWhitespace<'_>,
) -> Result<T, Failure> {
    Ok(words.next().ok_or("a line of the cases is too short")?.parse()?)
}

fn sizes(words: &mut SplitWhitespace<'_>) -> Result<Sizes, Failure> {
    let all = [
        Transport::ReliableConnection,
        Transport::UnreliableConnection,
        Transport::UnreliableDatagram,
    ];
    let number_of: u8 = number(words)?;
    let transport = all.into_iter().find(|known| *known as u8 == number_of);
    let transport = transport.ok_or("the cases have a transport that the driver has not")?;
    let by_batch = number::<u8>(words)? != 0;
    let capabilities = QueuePairCapabilities {
        max_send_wr: number(words)?,
        max_recv_wr: number(words)?,
        max_send_sge: number(words)?,
        max_recv_sge: number(words)?,
        max_inline_data: number(words)?,
    };
    Ok(Sizes { transport, by_batch, capabilities, signal_all: number::<u8>(words)? != 0 })
}

fn send(words: &mut SplitWhitespace<'_>) -> Result<Send, Failure> {
    let opcode: u8 = number(words)?;
    let opcode = Opcode::ALL.into_iter().find(|known| *known as u8 == opcode);
    Ok(Send {
        opcode: opcode.ok_or("the cases have an opcode that the verbs have not")?,
        flags: SendFlags::from_bits(number(words)?).ok_or("unknown flags")?,
        immediate: number(words)?,
        remote: number(words)?,
        pieces: pieces(words)?,
    })
}

fn pieces(words: &mut SplitWhitespace<'_>) -> Result<Vec<Piece>, Failure> {
    let count: usize = number(words)?;
    (0..count).map(|_| Ok((number(words)?, number(words)?))).collect()
}
