//! Flags, lists of elements and inline data, for the opcodes that need nothing else.

use super::{Queue, remote};
use crate::verbs::*;

const CONNECTED: [Transport; 2] = [Transport::ReliableConnection, Transport::UnreliableConnection];

/// Opcode of the verbs, opcode of the WQE, has a remote address, carries the 32 bits.
const PLAIN: [(Opcode, u8, bool, bool); 6] = [
    (Opcode::RdmaWrite, 0x08, true, false),
    (Opcode::RdmaWriteWithImmediate, 0x09, true, true),
    (Opcode::Send, 0x0a, false, false),
    (Opcode::SendWithImmediate, 0x0b, false, true),
    (Opcode::SendWithInvalidate, 0x01, false, true),
    (Opcode::RdmaRead, 0x10, true, false),
];

/// The byte of the control segment for a set of the verbs' flags.
fn control_flags(flags: SendFlags) -> u8 {
    let bit = |flag, bits| if flags.contains(flag) { bits } else { 0 };
    bit(SendFlags::SIGNALED, 8) | bit(SendFlags::SOLICITED, 2) | bit(SendFlags::FENCE, 0x80)
}

/// Numbers and lengths of elements that a request is tried with.
const SHAPES: [&[u32]; 7] = [&[], &[64], &[0], &[0, 5], &[8, 0, 24], &[3; 7], &[1; 20]];

#[test]
fn each_opcode_with_each_flag_and_number_of_elements_at_each_block() {
    for transport in CONNECTED {
        let queue = Queue::new(transport);
        for row in PLAIN {
            if row.0 == Opcode::RdmaRead && transport == Transport::UnreliableConnection {
                continue;
            }
            for block in 0..queue.blocks {
                for (index, lengths) in (0..).zip(SHAPES) {
                    // Over all blocks, every set of flags with every shape.
                    let flags = SendFlags::from_bits_retain((block + index) % 16);
                    connected(&queue, block, row, flags, lengths);
                }
            }
        }
    }
}

/// One request with elements of these lengths, alone and as a list of two.
fn connected(
    queue: &Queue,
    block: u32,
    (opcode, code, is_remote, carries): (Opcode, u8, bool, bool),
    send_flags: SendFlags,
    lengths: &[u32],
) {
    let (pieces, list) = elements(queue, lengths);
    let request = SendRequest {
        wr_id: 9,
        sg_list: &list,
        opcode,
        send_flags,
        immediate: 0xfeed_beef,
        remote: RemoteAddress { address: 0x1122_3344_5566_7788, rkey: 0x99aa_bbcc },
        ..SendRequest::default()
    };
    let mut rest = if is_remote { remote(0x1122_3344_5566_7788, 0x99aa_bbcc) } else { Vec::new() };
    rest.extend(data(queue, &pieces, send_flags));
    let immediate = if carries { 0xfeed_beef } else { 0 };
    twice(queue, block, request, |block| {
        queue.wqe(block, code, control_flags(send_flags), immediate, &rest)
    });
}

/// Elements of these lengths, at different places.
fn elements(queue: &Queue, lengths: &[u32]) -> (Vec<(usize, u32)>, Vec<ScatterGatherElement>) {
    let pieces: Vec<_> = (0..).map(|index| index * 100).zip(lengths.iter().copied()).collect();
    let list = pieces.iter().map(|(offset, length)| queue.memory.element(*offset, *length));
    let list = list.collect();
    (pieces, list)
}

/// The data of a WQE.
fn data(queue: &Queue, pieces: &[(usize, u32)], flags: SendFlags) -> Vec<u8> {
    if flags.contains(SendFlags::INLINE) {
        return queue.inline(pieces);
    }
    let filled = pieces.iter().filter(|(_, length)| *length > 0);
    filled.flat_map(|(offset, length)| queue.pointer(*offset, *length)).collect()
}

/// A request alone, and as a list of two.
fn twice(queue: &Queue, block: u32, request: SendRequest<'_>, wqe: impl Fn(u32) -> Vec<u8>) {
    let first = wqe(block);
    let second = wqe(block + first.len().div_ceil(64) as u32);
    queue.expect(block, &[request], std::slice::from_ref(&first));
    queue.expect(block, &[request; 2], &[first, second]);
}

#[test]
fn inline_data_of_each_length_from_one_and_from_three_elements() {
    let queue = Queue::new(Transport::ReliableConnection);
    for length in 0..=300_u32 {
        let block = length % queue.blocks;
        for lengths in [vec![length], vec![length / 3, 0, length - length / 3]] {
            connected(&queue, block, PLAIN[length as usize % 5], SendFlags::INLINE, &lengths);
        }
    }
    // The longest at every block: it crosses the end from several of them.
    for block in 0..queue.blocks {
        connected(&queue, block, PLAIN[0], SendFlags::INLINE, &[299, 1]);
    }
}

#[test]
fn a_queue_that_signals_all_sets_the_bit_for_every_request() {
    for transport in CONNECTED {
        let queue = Queue::signalling(transport, true);
        let request = SendRequest { opcode: Opcode::Send, ..SendRequest::default() };
        queue.expect(0, &[request], &[queue.wqe(0, 0x0a, 8, 0, &[])]);
    }
    let queue = Queue::signalling(Transport::UnreliableDatagram, true);
    let wqe = queue.wqe(0, 0x0a, 8, 0, &queue.destination(0x12_3456, 0x1122_3344));
    queue.expect(0, &[queue.datagram(&[])], &[wqe]);
}

#[test]
fn a_datagram_with_each_flag_and_number_of_elements_at_each_block() {
    let queue = Queue::new(Transport::UnreliableDatagram);
    for block in 0..queue.blocks {
        for (opcode, code, immediate) in
            [(Opcode::Send, 0x0a, 0), (Opcode::SendWithImmediate, 0x0b, 0x0102_0304)]
        {
            for (index, lengths) in (0..).zip(SHAPES) {
                let send_flags = SendFlags::from_bits_retain((block + index) % 16);
                let (pieces, list) = elements(&queue, lengths);
                let request = SendRequest {
                    opcode,
                    send_flags,
                    immediate: 0x0102_0304,
                    ..queue.datagram(&list)
                };
                let mut rest = queue.destination(0x12_3456, 0x1122_3344);
                rest.extend(data(&queue, &pieces, send_flags));
                twice(&queue, block, request, |block| {
                    queue.wqe(block, code, control_flags(send_flags), immediate, &rest)
                });
            }
        }
    }
}
