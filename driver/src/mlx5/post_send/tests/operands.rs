//! Atomic operations, changes of memory keys, what must wait for them, and what is refused.

use super::{Queue, remote};
use crate::verbs::*;

/// `IBV_WR_BIND_MW` and `IBV_WR_LOCAL_INV` are this operation to the card.
const UMR: u8 = 0x25;

const CONNECTED: [Transport; 2] = [Transport::ReliableConnection, Transport::UnreliableConnection];

const PLACE: RemoteAddress = RemoteAddress { address: 0x7000_1000, rkey: 0x55 };

const BIND: Bind = Bind {
    window: WindowKind::Two,
    key: 0x1234_5601,
    new_key: 0x1234_5602,
    lkey: 0x0088_9900,
    address: 0x1_0000_2000,
    length: 0x4_0000,
    access: Access::REMOTE_WRITE.union(Access::REMOTE_ATOMIC),
    zero_based: false,
};

const NONE: SendFlags = SendFlags::empty();

fn bind(bind: &Bind) -> SendRequest<'_> {
    SendRequest {
        opcode: Opcode::BindMemoryWindow,
        operands: Operands::Bind(bind),
        ..SendRequest::default()
    }
}

fn invalidate(key: u32) -> SendRequest<'static> {
    SendRequest { opcode: Opcode::LocalInvalidate, immediate: key, ..SendRequest::default() }
}

/// The segments of a change of a key: UMR control segment, and the key's context.
fn change(flags: u8, entries: u16, mask: u64, context: [u8; 64]) -> Vec<u8> {
    let mut bytes = vec![flags, 0, 0, 0];
    bytes.extend(entries.to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(mask.to_be_bytes());
    bytes.extend([0; 32]);
    bytes.extend(context);
    bytes
}

/// The context of a key: state, rights, queue pair and low bits, first address, length.
fn context(state: u8, rights: u8, qpn_mkey: u32, start: u64, length: u64) -> [u8; 64] {
    let mut bytes = [0; 64];
    (bytes[0], bytes[2]) = (state, rights);
    bytes[4..8].copy_from_slice(&qpn_mkey.to_be_bytes());
    bytes[16..24].copy_from_slice(&start.to_be_bytes());
    bytes[24..32].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The translation of a window: one entry, padded to 64 bytes.
fn translation(length: u32, lkey: u32, address: u64) -> Vec<u8> {
    let mut bytes =
        [&length.to_be_bytes()[..], &lkey.to_be_bytes(), &address.to_be_bytes()].concat();
    bytes.resize(64, 0);
    bytes
}

/// Key and state; queue pair; and all that a bound window has: length, first address, four rights.
const MASK_FREE: u64 = 1 << 29 | 1 << 13;
const MASK_QPN: u64 = 1 << 14;
const MASK_BOUND: u64 = 1 | 1 << 6 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21;

#[test]
fn atomics_have_their_operands_and_bring_eight_bytes_at_each_block() {
    let queue = Queue::new(Transport::ReliableConnection);
    let (compare_add, swap) = (0x0102_0304_0506_0708_u64, 0x1112_1314_1516_u64);
    for block in 0..queue.blocks {
        for (opcode, code, segment) in [
            (Opcode::AtomicCompareAndSwap, 0x11, [swap, compare_add]),
            (Opcode::AtomicFetchAndAdd, 0x12, [compare_add, 0]),
        ] {
            for lengths in [&[8][..], &[], &[0, 8], &[100], &[8, 8, 8]] {
                let list: Vec<_> =
                    lengths.iter().map(|length| queue.memory.element(16, *length)).collect();
                let request = SendRequest {
                    opcode,
                    operands: Operands::Atomic { compare_add, swap },
                    sg_list: &list,
                    remote: PLACE,
                    send_flags: SendFlags::SIGNALED,
                    ..SendRequest::default()
                };
                let mut rest = remote(PLACE.address, PLACE.rkey);
                rest.extend(segment.into_iter().flat_map(u64::to_be_bytes));
                for _ in lengths.iter().filter(|length| **length > 0) {
                    rest.extend(queue.pointer(16, 8));
                }
                queue.expect(block, &[request], &[queue.wqe(block, code, 8, 0, &rest)]);
            }
        }
    }
}

#[test]
fn windows_are_bound_and_keys_invalidated_at_each_block() {
    for transport in CONNECTED {
        let queue = Queue::new(transport);
        let own = queue.qp.number() << 8;
        let wide = Bind {
            window: WindowKind::One,
            length: 1 << 31,
            access: Access::LOCAL_WRITE | Access::REMOTE_READ,
            zero_based: true,
            ..BIND
        };
        let none = Bind { length: 0, ..BIND };
        let none_wide = Bind { length: 0, ..wide };
        let bound_mask = MASK_FREE | MASK_BOUND;
        let bound = context(0, 0x60, own | 2, BIND.address, BIND.length);
        let wide_bound = context(0, 0x18, 0xffff_ff02, 0, 1 << 31);
        let free = |low: u32| context(0x40, 0, 0xffff_ff00 | low, 0, 0);
        let rows = [
            // Type 2: only if the key is free, and for this queue pair.
            (bind(&BIND), BIND.key, change(0xb0, 4, bound_mask | MASK_QPN, bound)),
            // Type 1: for any queue pair.
            (bind(&wide), BIND.key, change(0x90, 4, bound_mask, wide_bound)),
            // Of no length: unbound; of type 2 only if it is this queue pair's.
            (bind(&none), BIND.key, change(0x98, 0, MASK_FREE | MASK_QPN, free(2))),
            (bind(&none_wide), BIND.key, change(0x90, 0, MASK_FREE, free(2))),
            (invalidate(0xabcd_ef01), 0xabcd_ef01, change(0x98, 0, MASK_FREE | MASK_QPN, free(0))),
        ];
        for block in 0..queue.blocks {
            for (request, key, segments) in &rows {
                let mut rest = segments.clone();
                match request.operands {
                    Operands::Bind(bind) if bind.length > 0 => {
                        rest.extend(translation(bind.length as u32, bind.lkey, bind.address));
                    }
                    _ => {}
                }
                queue.expect(block, &[*request], &[queue.wqe(block, UMR, 0, *key, &rest)]);
                // The next change would wait for this one.
                queue.stand_at(0);
                let next = SendRequest { opcode: Opcode::Send, ..SendRequest::default() };
                post_send(&queue.qp, &[next]).expect("posted");
            }
        }
    }
}

#[test]
fn the_request_behind_a_change_of_a_key_has_the_small_fence_and_no_other() {
    let queue = Queue::new(Transport::ReliableConnection);
    let elements = [queue.memory.element(0, 32)];
    let send = |send_flags| SendRequest {
        opcode: Opcode::Send,
        sg_list: &elements,
        send_flags,
        ..SendRequest::default()
    };
    let unbinds = change(0x98, 0, MASK_FREE | MASK_QPN, context(0x40, 0, 0xffff_ff00, 0, 0));
    let change = |block, flags| queue.wqe(block, UMR, flags, 5, &unbinds);
    let plain = |block, flags| queue.wqe(block, 0x0a, flags, 0, &queue.pointer(0, 32));
    let inline = |block, flags| queue.wqe(block, 0x0a, flags, 0, &queue.inline(&[(0, 32)]));

    // In a list; then over two calls. The second of two changes waits for the first.
    let list = [invalidate(5), send(NONE), send(NONE), invalidate(5), invalidate(5)];
    let wqes = [change(3, 0), plain(5, 0x20), plain(6, 0), change(7, 0), change(9, 0x20)];
    queue.expect(3, &list, &wqes);
    queue.expect(0, &[send(SendFlags::INLINE)], &[inline(0, 0x20)]);
    queue.expect(1, &[send(NONE)], &[plain(1, 0)]);

    // A fence that was asked for is stronger.
    queue.expect(0, &[invalidate(5)], &[change(0, 0)]);
    queue.expect(2, &[send(SendFlags::FENCE)], &[plain(2, 0x80)]);
    queue.expect(3, &[send(NONE)], &[plain(3, 0)]);

    // A request that is refused does not take it along.
    queue.expect(0, &[invalidate(5)], &[change(0, 0)]);
    let too_long = [queue.memory.element(0, 4096)];
    let refused = SendRequest { sg_list: &too_long, ..send(SendFlags::INLINE) };
    let error = post_send(&queue.qp, &[refused]).expect_err("too long");
    assert!(matches!(error.cause, PostCause::InlineTooLong { .. }), "{error}");
    queue.expect(4, &[send(NONE)], &[plain(4, 0x20)]);
}

#[test]
fn a_transport_takes_its_opcodes_and_names_them() {
    let all = [
        (Transport::ReliableConnection, 10),
        (Transport::UnreliableConnection, 7),
        (Transport::UnreliableDatagram, 2),
    ];
    for (transport, count) in all {
        let queue = Queue::new(transport);
        let mut taken = 0;
        for opcode in Opcode::ALL {
            queue.stand_at(0);
            let operands = match (transport, opcode) {
                (Transport::UnreliableDatagram, _) => queue.datagram(&[]).operands,
                (_, Opcode::BindMemoryWindow) => Operands::Bind(&BIND),
                _ => Operands::Atomic { compare_add: 1, swap: 2 },
            };
            let request = SendRequest { opcode, operands, ..SendRequest::default() };
            let result = post_send(&queue.qp, &[request]);
            assert_eq!(result.is_ok(), crate::mlx5::posts(transport, opcode), "{opcode:?}");
            taken += u32::from(result.is_ok());
            if let Err(error) = result {
                assert_eq!(error.cause, PostCause::Opcode { opcode, transport });
                assert_eq!(error.cause.errno(), 22);
                assert!(error.to_string().contains(opcode.name()), "{error}");
            }
        }
        assert_eq!(taken, count, "{transport:?}");
    }
}

#[test]
fn operands_that_are_missing_or_too_large_are_refused_and_nothing_is_posted() {
    let queue = Queue::new(Transport::ReliableConnection);
    let datagrams = Queue::new(Transport::UnreliableDatagram);
    let atomic = Operands::Atomic { compare_add: 1, swap: 2 };
    let wrong = [
        (&queue, Opcode::AtomicCompareAndSwap, Operands::None),
        (&queue, Opcode::AtomicFetchAndAdd, Operands::Bind(&BIND)),
        (&queue, Opcode::BindMemoryWindow, atomic),
        (&datagrams, Opcode::Send, atomic),
        (&datagrams, Opcode::SendWithImmediate, Operands::None),
    ];
    for (queue, opcode, operands) in wrong {
        queue.stand_at(0);
        let request = SendRequest { opcode, operands, ..SendRequest::default() };
        let error = post_send(&queue.qp, &[request]).expect_err("it has other operands");
        assert_eq!((error.index, error.cause), (0, PostCause::Operands { opcode }));
        assert_eq!(error.cause.errno(), 22);
    }
    queue.stand_at(0);
    let long = Bind { length: (1 << 31) + 1, ..BIND };
    let good = SendRequest { opcode: Opcode::Send, ..SendRequest::default() };
    let error = post_send(&queue.qp, &[good, bind(&long), good]).expect_err("too long");
    assert_eq!((error.index, error.cause), (1, PostCause::WindowTooLong));
    assert_eq!(error.cause.errno(), 95);
}
