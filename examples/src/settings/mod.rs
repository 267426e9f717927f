//! What a reader can change in a scenario and run again: the what-ifs.
//!
//! [`Settings`] are what a scenario's program works with: every one has a value. A [`WhatIf`] is what a
//! reader asks to be otherwise, as `length=4096,inline=on`. [`crate::Scenario::settings`] puts the one onto
//! the other, and refuses what makes no sense, with the reason.

mod api;
mod error;
mod key;
mod machine;
mod sense;
mod what_if;

pub use api::Api;
pub use error::SettingsError;
pub use key::{Form, Key, Value};
pub use machine::{BlueFlame, Machine, Register};
pub use sense::{MAX_INLINE, MOST_BYTES};
pub use what_if::WhatIf;

pub(crate) use sense::{check, check_blocks};

use doorbell_driver::verbs::{Opcode, SendFlags, Transport};
use std::ops::Range;

/// What a scenario's program works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What the queue pairs speak.
    pub transport: Transport,
    /// What each work request does.
    pub opcode: Opcode,
    /// Bytes of data of each work request.
    pub length: u32,
    /// Work requests.
    pub list: u32,
    /// Scatter/gather elements of each, which share its bytes.
    pub sges: u32,
    /// The data is copied into the WQE.
    pub inline: bool,
    /// The last work request makes a completion.
    pub signaled: bool,
    /// The queue pair makes a completion for every work request (`sq_sig_all`).
    pub signal_all: bool,
    /// The other side is asked for a solicited event.
    pub solicited: bool,
    /// Each work request waits for the RDMA READs and atomics before it.
    pub fence: bool,
    /// When BlueFlame is used.
    pub blueflame: BlueFlame,
    /// Which doorbell register the queue pairs ring.
    pub register: Register,
    /// How the work requests are handed over.
    pub api: Api,
    /// Blocks of the sender's ring that were used before, so that its first WQE begins there.
    pub start: u32,
    /// Each WQE carries a signature.
    pub signature: bool,
    /// The card has atomic operations.
    pub atomics: bool,
    /// Path MTU in bytes.
    pub mtu: u32,
}

impl Settings {
    /// One RDMA WRITE of 64 bytes, signalled: what every scenario changes to its own.
    pub const DEFAULT: Self = Self {
        transport: Transport::ReliableConnection,
        opcode: Opcode::RdmaWrite,
        length: 64,
        list: 1,
        sges: 1,
        inline: false,
        signaled: true,
        signal_all: false,
        solicited: false,
        fence: false,
        blueflame: BlueFlame::Prefer,
        register: Register::Own,
        api: Api::List,
        start: 0,
        signature: false,
        atomics: true,
        mtu: 1024,
    };

    /// The value of a setting.
    pub fn get(&self, key: Key) -> Value {
        match key {
            Key::Transport => Value::Word(key::transport_word(self.transport)),
            Key::Opcode => Value::Word(key::opcode_word(self.opcode)),
            Key::Length => Value::Number(self.length),
            Key::List => Value::Number(self.list),
            Key::Sges => Value::Number(self.sges),
            Key::Inline => Value::Switch(self.inline),
            Key::Signaled => Value::Switch(self.signaled),
            Key::SignalAll => Value::Switch(self.signal_all),
            Key::Solicited => Value::Switch(self.solicited),
            Key::Fence => Value::Switch(self.fence),
            Key::BlueFlame => Value::Word(self.blueflame.word()),
            Key::Register => Value::Word(self.register.word()),
            Key::Api => Value::Word(self.api.word()),
            Key::Start => Value::Number(self.start),
            Key::Signature => Value::Switch(self.signature),
            Key::Atomics => Value::Switch(self.atomics),
            Key::Mtu => Value::Number(self.mtu),
        }
    }

    /// Changes a setting; a value of another form than the key's changes nothing.
    pub fn set(&mut self, key: Key, value: Value) {
        match (key, value) {
            (Key::Transport, Value::Word(word)) => {
                self.transport = key::transport_of(word).unwrap_or(self.transport);
            }
            (Key::Opcode, Value::Word(word)) => {
                self.opcode = key::opcode_of(word).unwrap_or(self.opcode);
            }
            (Key::BlueFlame, Value::Word(word)) => {
                self.blueflame = BlueFlame::of(word).unwrap_or(self.blueflame);
            }
            (Key::Register, Value::Word(word)) => {
                self.register = Register::of(word).unwrap_or(self.register);
            }
            (Key::Api, Value::Word(word)) => self.api = Api::of(word).unwrap_or(self.api),
            (Key::Start, Value::Number(number)) => self.start = number,
            (Key::Length, Value::Number(number)) => self.length = number,
            (Key::List, Value::Number(number)) => self.list = number,
            (Key::Sges, Value::Number(number)) => self.sges = number,
            (Key::Mtu, Value::Number(number)) => self.mtu = number,
            (Key::Inline, Value::Switch(on)) => self.inline = on,
            (Key::Signaled, Value::Switch(on)) => self.signaled = on,
            (Key::SignalAll, Value::Switch(on)) => self.signal_all = on,
            (Key::Solicited, Value::Switch(on)) => self.solicited = on,
            (Key::Fence, Value::Switch(on)) => self.fence = on,
            (Key::Signature, Value::Switch(on)) => self.signature = on,
            (Key::Atomics, Value::Switch(on)) => self.atomics = on,
            _ => {}
        }
    }

    /// The code of the path MTU (`enum ibv_mtu`): 1 is 256 bytes, 5 is 4096.
    pub fn path_mtu(&self) -> u8 {
        (self.mtu / 128).ilog2() as u8
    }

    /// Bytes of all work requests.
    pub fn bytes(&self) -> usize {
        self.length as usize * self.list as usize
    }

    /// The bytes that are moved: the alphabet, over and over.
    pub fn message(&self) -> Vec<u8> {
        (0..self.bytes()).map(|index| b'A' + (index % 26) as u8).collect()
    }

    /// Where the data of a work request lies in the message.
    pub fn piece(&self, request: u32) -> Range<usize> {
        let length = self.length as usize;
        let begin = request as usize * length;
        begin..begin + length
    }

    /// The flags of a work request, counted from 0.
    pub fn flags(&self, request: u32) -> SendFlags {
        let last = request + 1 == self.list;
        let mut flags = SendFlags::empty();
        flags.set(SendFlags::SIGNALED, self.signaled && last);
        flags.set(SendFlags::SOLICITED, self.solicited);
        flags.set(SendFlags::FENCE, self.fence);
        flags.set(SendFlags::INLINE, self.inline);
        flags
    }

    /// Whether nothing tells when the work is done, unless something signalled is posted behind it.
    pub fn is_silent(&self) -> bool {
        !self.signaled && !self.signal_all
    }

    /// Whether each work request consumes a receive on the other side.
    pub fn needs_receives(&self) -> bool {
        use Opcode::{RdmaWriteWithImmediate, Send, SendWithImmediate};
        matches!(self.opcode, Send | SendWithImmediate | RdmaWriteWithImmediate)
    }

    /// Whether the work requests carry immediate data.
    pub fn has_immediate(&self) -> bool {
        matches!(self.opcode, Opcode::RdmaWriteWithImmediate | Opcode::SendWithImmediate)
    }

    /// Whether the data comes from the other side. What an atomic operation brings is what was there before.
    pub fn is_read(&self) -> bool {
        self.opcode == Opcode::RdmaRead || self.is_atomic()
    }

    /// Whether eight bytes of the other side are read and changed at once.
    pub fn is_atomic(&self) -> bool {
        matches!(self.opcode, Opcode::AtomicFetchAndAdd | Opcode::AtomicCompareAndSwap)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
