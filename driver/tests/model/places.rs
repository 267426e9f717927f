//! Where in the other side's memory a request goes.

use super::program::{Flaw, LENGTH, Piece, Request, is_atomic};

/// Finds the place: through the window with this key, if the request wants to and its part is known and
/// large enough, else in the whole target.
pub fn place(request: &mut Request, part: Option<Piece>, key: u32) {
    let length = request.length();
    let room = part.and_then(|part| room(part, length, is_atomic(request.opcode)));
    let elsewhere = matches!(request.flaw, Some(Flaw::RemoteKey | Flaw::Misaligned));
    request.through &= room.is_some() && !elsewhere;
    if request.flaw == Some(Flaw::Misaligned) {
        request.remote = request.remote.min(LENGTH - 16) + 4;
    }
    let (Some(part), Some((first, count)), true) = (part, room, request.through) else {
        if request.flaw == Some(Flaw::RemoteRange) {
            request.remote = LENGTH;
        }
        return;
    };
    request.key = key;
    request.remote = match request.flaw {
        Some(Flaw::RemoteRange) => part.offset + part.length,
        _ if is_atomic(request.opcode) => first + request.remote % count / 8 * 8,
        _ => first + request.remote % count,
    };
}

/// The first place for so many bytes in a part, and how many places there are from it on.
fn room(part: Piece, length: usize, aligned: bool) -> Option<(usize, usize)> {
    let first = if aligned { part.offset.next_multiple_of(8) } else { part.offset };
    let last = (part.offset + part.length).checked_sub(length)?;
    (first <= last).then(|| (first, last - first + 1))
}
