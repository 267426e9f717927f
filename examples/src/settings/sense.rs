//! Which settings make sense together.

use super::{BlueFlame, Key, Register, Settings, SettingsError};
use crate::Device;
use doorbell_driver::verbs::{Opcode, Transport};

/// The most inline data that a queue pair of a reliable connection can be created for on the software card:
/// the largest WQE in whole blocks, 960 bytes, less what libmlx5 keeps for binding a memory window, less
/// the header.
pub const MAX_INLINE: u32 = 764;

/// The most bytes of all work requests together: two such buffers fit the memory of the software card.
pub const MOST_BYTES: u32 = 1 << 20;

/// The most bytes of a datagram, which has one packet: the longest that there is, and that of the software
/// card's port. Another port may take less, and says so in the completion.
pub const MOST_OF_A_DATAGRAM: u32 = 4096;

/// Bytes that an atomic operation works on.
const ATOMIC_BYTES: u32 = 8;

/// Refuses settings that make no sense together, or not on this device.
pub(crate) fn check(settings: &Settings, device: &Device) -> Result<(), SettingsError> {
    let no = |key: Key, why: &str, allowed: String| SettingsError::Senseless {
        key,
        value: settings.get(key),
        why: why.to_owned(),
        allowed,
    };
    let datagrams = settings.transport == Transport::UnreliableDatagram;
    let sends = matches!(settings.opcode, Opcode::Send | Opcode::SendWithImmediate);
    if datagrams && !sends {
        let why = "a datagram is sent, and nothing else";
        return Err(no(Key::Opcode, why, "use opcode=send or send-imm".to_owned()));
    }
    if datagrams && settings.length > MOST_OF_A_DATAGRAM {
        let why = "a datagram has one packet";
        let allowed = format!("use length=0 to {MOST_OF_A_DATAGRAM}");
        return Err(no(Key::Length, why, allowed));
    }
    if settings.inline && settings.is_read() {
        let why = match settings.is_atomic() {
            true => "an atomic operation brings data in, and so there is none to copy into the WQE",
            false => "an RDMA READ brings data in, and so there is none to copy into the WQE",
        };
        return Err(no(Key::Inline, why, "use inline=off, or another opcode".to_owned()));
    }
    if settings.inline && settings.length > MAX_INLINE {
        let why = "no queue pair takes that much inline data";
        let allowed = format!("use length=1 to {MAX_INLINE}, or inline=off");
        return Err(no(Key::Length, why, allowed));
    }
    if settings.opcode == Opcode::BindMemoryWindow && settings.length == 0 {
        let why = "a window that is bound to nothing is closed";
        return Err(no(Key::Length, why, "use length=1 or more".to_owned()));
    }
    if settings.is_atomic() && settings.length != ATOMIC_BYTES {
        let why = "an atomic operation works on eight bytes";
        return Err(no(Key::Length, why, format!("use length={ATOMIC_BYTES}, or another opcode")));
    }
    if settings.is_atomic() && settings.sges != 1 {
        let why = "the eight bytes that an atomic operation brings are not divided: the card would bring \
                   all of them to each element";
        return Err(no(Key::Sges, why, "use sges=1, or another opcode".to_owned()));
    }
    if settings.sges > settings.length.max(1) {
        let why = "each element has one byte at least, and together they have the length";
        return Err(no(Key::Sges, why, format!("use sges=1 to {}", settings.length.max(1))));
    }
    if settings.bytes() > MOST_BYTES as usize {
        let why = format!("all work requests together would have {} bytes", settings.bytes());
        let allowed =
            format!("use list=1 to {}, or a smaller length", MOST_BYTES / settings.length);
        return Err(no(Key::List, &why, allowed));
    }
    let silent = settings.is_read() || settings.opcode == Opcode::RdmaWrite;
    if settings.solicited && silent {
        let why = "this opcode consumes no receive, and so nothing could make an event there";
        let allowed = "use solicited=off, or opcode send, send-imm or write-imm".to_owned();
        return Err(no(Key::Solicited, why, allowed));
    }
    let by_environment = !matches!(device, Device::Card | Device::None);
    if by_environment && settings.blueflame != Settings::DEFAULT.blueflame {
        let why = "on a real card the environment says it, as for libmlx5";
        let allowed = "set MLX5_SHUT_UP_BF=1 (forbid) or MLX5_POST_SEND_PREFER_BF=0 (auto) instead";
        return Err(no(Key::BlueFlame, why, allowed.to_owned()));
    }
    if by_environment && settings.register != Settings::DEFAULT.register {
        let why = "on a real card the environment and the way it is mapped say it";
        let allowed =
            "set MLX5_TOTAL_UUARS=2 and MLX5_NUM_LOW_LAT_UUARS=0 (shared) instead, as for libmlx5";
        return Err(no(Key::Register, why, allowed.to_owned()));
    }
    if by_environment && settings.signature {
        let why = "on a real card the environment says it, as for libmlx5";
        return Err(no(Key::Signature, why, "set MLX5_QP_SIGNATURE=1 instead".to_owned()));
    }
    if by_environment && !settings.atomics {
        let why = "only the software card can be told to be a card without them";
        return Err(no(Key::Atomics, why, "use --device card".to_owned()));
    }
    if settings.register == Register::Shared && settings.blueflame == BlueFlame::Forbid {
        let why = "where BlueFlame is forbidden all queue pairs ring the register of the context's own page, \
                   with 8 bytes and without a lock";
        return Err(no(Key::Register, why, "use register=own, or bf=prefer or auto".to_owned()));
    }
    Ok(())
}

/// Refuses a length that no disk with blocks of so many bytes has.
pub(crate) fn check_blocks(settings: &Settings, block: u32) -> Result<(), SettingsError> {
    match settings.length {
        length if length != 0 && length.is_multiple_of(block) => Ok(()),
        _ => Err(SettingsError::Senseless {
            key: Key::Length,
            value: settings.get(Key::Length),
            why: format!("a read has whole blocks of {block} bytes, and one at least"),
            allowed: format!("use a multiple of {block}"),
        }),
    }
}
