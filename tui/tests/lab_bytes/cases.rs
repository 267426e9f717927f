//! What is posted: the cases as both programs read them.

use doorbell_driver::verbs::{Access, Bind, Opcode, SendFlags, Transport, WindowKind};
use std::fmt::Write as _;

/// A stretch of a buffer: offset and length.
pub type Piece = (usize, u32);

/// What the queue pairs of a part of the grid are, and their sizes.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub transport: Transport,
    /// Sends are posted in batches (`ibv_wr_start`), and not as lists (`ibv_post_send`).
    pub by_batch: bool,
    pub send: u32,
    pub receive: u32,
    pub send_sges: usize,
    pub receive_sges: usize,
    pub inline: u32,
    pub signal_all: bool,
}

/// A send work request.
#[derive(Debug, Clone)]
pub struct Send {
    pub opcode: Opcode,
    pub flags: SendFlags,
    pub immediate: u32,
    pub remote: usize,
    pub pieces: Vec<Piece>,
}

impl Send {
    /// Bytes of its data.
    pub fn length(&self) -> u32 {
        self.pieces.iter().map(|(_, length)| length).sum()
    }

    /// What it binds, as both programs work it out of the other numbers; of a bind.
    pub fn bind(&self) -> Bind {
        let number = self.immediate;
        Bind {
            window: if number & 1 == 0 { WindowKind::One } else { WindowKind::Two },
            key: number,
            new_key: number ^ 0x5a,
            lkey: 0,
            address: self.remote as u64,
            length: if number & 2 == 0 { 0 } else { u64::from(number >> 1 | 1) },
            access: Access::from_bits_truncate(number >> 4 & 15),
            zero_based: number >> 8 & 1 == 1,
        }
    }

    /// Its data is copied into the WQE.
    pub fn is_inline(&self) -> bool {
        self.flags.contains(SendFlags::INLINE)
    }
}

/// What one call is to do, and what must come of it.
#[derive(Debug, Clone)]
pub struct Call<T> {
    pub requests: Vec<T>,
    /// The error number and the index of the request that is refused.
    pub refused: Option<(i32, usize)>,
}

impl<T> Call<T> {
    /// A call that is carried out.
    pub fn of(requests: Vec<T>) -> Self {
        Self { requests, refused: None }
    }

    /// How many requests are posted.
    pub fn posted(&self) -> usize {
        self.refused.map_or(self.requests.len(), |(_, index)| index)
    }
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Step {
    Pair(Sizes),
    Fill(u8),
    Send(Call<Send>),
    Receive(Call<Vec<Piece>>),
    /// Waits for completions of the sender.
    Poll(usize),
    /// Waits for completions of the receiver.
    Take(usize),
}

/// The text of all steps.
pub fn text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        write_step(&mut text, step).expect("a string takes it");
    }
    text
}

fn write_step(text: &mut String, step: &Step) -> std::fmt::Result {
    match step {
        Step::Pair(sizes) => {
            let Sizes { send, receive, send_sges, receive_sges, inline, .. } = sizes;
            let (kind, way) = (sizes.transport as u8, u8::from(sizes.by_batch));
            let all = u8::from(sizes.signal_all);
            write!(text, "pair {kind} {way} {send} {receive} {send_sges} {receive_sges}")?;
            writeln!(text, " {inline} {all}")
        }
        Step::Fill(byte) => writeln!(text, "fill {byte}"),
        Step::Send(call) => {
            writeln!(text, "send {}", call.requests.len())?;
            for Send { opcode, flags, immediate, remote, pieces } in &call.requests {
                let (opcode, flags) = (*opcode as u8, flags.bits());
                write!(text, "wr {opcode} {flags} {immediate} {remote}")?;
                write_pieces(text, pieces)?;
            }
            Ok(())
        }
        Step::Receive(call) => {
            writeln!(text, "recv {}", call.requests.len())?;
            for pieces in &call.requests {
                write!(text, "rr")?;
                write_pieces(text, pieces)?;
            }
            Ok(())
        }
        Step::Poll(count) => writeln!(text, "poll {count}"),
        Step::Take(count) => writeln!(text, "take {count}"),
    }
}

fn write_pieces(text: &mut String, pieces: &[Piece]) -> std::fmt::Result {
    write!(text, " {}", pieces.len())?;
    for (offset, length) in pieces {
        write!(text, " {offset} {length}")?;
    }
    writeln!(text)
}
