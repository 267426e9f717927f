//! The settings that a reader may change, by kinds of scenarios.

use crate::Key;

/// Scenarios that are about the way of posting, with whichever opcode: all settings there are.
pub const ANY_OPCODE: &[Key] = &[
    Key::Opcode,
    Key::Length,
    Key::List,
    Key::Sges,
    Key::Inline,
    Key::Signaled,
    Key::SignalAll,
    Key::Solicited,
    Key::Fence,
    Key::BlueFlame,
    Key::Register,
    Key::Api,
    Key::Start,
    Key::Signature,
    Key::Mtu,
];

/// Scenarios of one opcode that consumes receives: all settings but the first.
pub const WITH_RECEIVES: &[Key] = ANY_OPCODE.split_at(1).1;

/// Scenarios of one opcode that consumes none, and so makes no solicited event.
pub const WITHOUT_RECEIVES: &[Key] = &but::<13>(&[Key::Opcode, Key::Solicited]);

/// The same over a connection that does not acknowledge: nothing is read, and so nothing fenced.
pub const UNRELIABLE: &[Key] = &but::<12>(&[Key::Opcode, Key::Solicited, Key::Fence]);

/// Datagrams: of any opcode that they have; their packets are as long as the port takes them.
pub const DATAGRAMS: &[Key] = &but::<13>(&[Key::Fence, Key::Mtu]);

/// All settings but these; `COUNT` of them are left.
const fn but<const COUNT: usize>(left_out: &[Key]) -> [Key; COUNT] {
    let (mut kept, mut count, mut at) = ([Key::Opcode; COUNT], 0, 0);
    while at < ANY_OPCODE.len() {
        if !holds(left_out, ANY_OPCODE[at]) {
            kept[count] = ANY_OPCODE[at];
            count += 1;
        }
        at += 1;
    }
    assert!(count == COUNT, "another number of settings is left");
    kept
}

/// Whether a key is among others.
const fn holds(keys: &[Key], key: Key) -> bool {
    let mut at = 0;
    while at < keys.len() {
        if keys[at] as u8 == key as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// Failures of a queue that is posted to one work request at a time.
pub const ONE_BY_ONE: &[Key] = &[Key::Length, Key::Inline, Key::Fence, Key::BlueFlame, Key::Mtu];

/// Failures of one RDMA WRITE, of any elements.
pub const ONE_WRITE: &[Key] = &[Key::Length, Key::Sges, Key::Inline, Key::BlueFlame, Key::Mtu];

/// Failures of one RDMA WRITE of one element.
pub const ONE_ELEMENT: &[Key] = &[Key::Length, Key::Inline, Key::BlueFlame, Key::Mtu];

/// Failures of calls with any number of RDMA WRITEs, in either way.
pub const CALLS: &[Key] = &[
    Key::Length,
    Key::List,
    Key::Sges,
    Key::Inline,
    Key::Fence,
    Key::BlueFlame,
    Key::Api,
    Key::Mtu,
];

/// Programs that decide all but these by themselves.
pub const PLAIN: &[Key] = &[Key::Length, Key::BlueFlame, Key::Mtu];

/// Programs that bind memory windows of type 2, which a batch can, too.
pub const WINDOW_TYPE_TWO: &[Key] =
    &[Key::Length, Key::BlueFlame, Key::Register, Key::Api, Key::Start, Key::Signature, Key::Mtu];

/// Programs that bind other memory windows.
pub const WINDOW: &[Key] =
    &[Key::Length, Key::BlueFlame, Key::Register, Key::Start, Key::Signature, Key::Mtu];
