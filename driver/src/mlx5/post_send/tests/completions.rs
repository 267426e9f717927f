//! What a poll makes of the entries of such requests, written here as the card writes them: from the
//! PRM's table of the CQE, as offsets and numbers.

use super::super::super::completion_queue::Mlx5CompletionQueue;
use super::Queue;
use crate::bus::CardBus;
use crate::verbs::*;
use zerocopy::transmute;

/// Kinds of entries: a send, receives of a send without and with the 32 bits, a failed send.
const REQUESTER: u8 = 0;
const RECEIVED_WRITE_IMMEDIATE: u8 = 1;
const RECEIVED: u8 = 2;
const RECEIVED_IMMEDIATE: u8 = 3;
const RECEIVED_INVALIDATE: u8 = 4;
const REQUESTER_ERROR: u8 = 13;

/// Opcodes of WQEs.
const WRITE: u8 = 0x08;
const SEND: u8 = 0x0a;
const SEND_INVALIDATE: u8 = 0x01;
const COMPARE_SWAP: u8 = 0x11;
const FETCH_ADD: u8 = 0x12;
const UMR: u8 = 0x25;

const BIND: Bind = Bind {
    window: WindowKind::Two,
    key: 1,
    new_key: 2,
    lkey: 3,
    address: 4096,
    length: 4096,
    access: Access::REMOTE_READ,
    zero_based: false,
};

impl Queue {
    /// Lets entry `index` be of the WQE at `block`, and polls it.
    fn poll(
        &self,
        index: u32,
        mut entry: [u8; 64],
        block: u32,
    ) -> Result<WorkCompletion, PollError> {
        entry[60..62].copy_from_slice(&(block as u16).to_be_bytes());
        let state = Mlx5CompletionQueue::<CardBus>::of(&self.cq).queue.lock();
        state.entries.at(index).put(transmute!(entry));
        drop(state);
        let mut completion = [WorkCompletion::default()];
        assert_eq!(poll_cq(&self.cq, &mut completion)?, 1);
        Ok(completion[0])
    }

    /// Posts a request, and returns the number of its block and its `wr_id`.
    fn post(&self, wr_id: u64, request: SendRequest<'_>) -> u32 {
        let send = super::Mlx5QueuePair::<CardBus>::of(&self.qp).send.lock();
        let block = send.cur_post;
        drop(send);
        post_send(&self.qp, &[SendRequest { wr_id, ..request }]).expect("posted");
        block
    }
}

/// An entry of the first turn of the ring, of the context's first queue pair.
fn entry(kind: u8, wqe_opcode: u8, byte_count: u32) -> [u8; 64] {
    let mut entry = [0; 64];
    entry[44..48].copy_from_slice(&byte_count.to_be_bytes());
    entry[56] = wqe_opcode;
    entry[63] = kind << 4;
    entry
}

#[test]
fn atomics_and_changes_of_keys_say_what_they_were_and_how_long() {
    let queue = Queue::new(Transport::ReliableConnection);
    let plain = |opcode| SendRequest { opcode, ..SendRequest::default() };
    let atomic = |opcode| SendRequest {
        operands: Operands::Atomic { compare_add: 1, swap: 2 },
        ..plain(opcode)
    };
    let bind = SendRequest { operands: Operands::Bind(&BIND), ..plain(Opcode::BindMemoryWindow) };
    // The card's length of an atomic is not looked at.
    let rows = [
        (plain(Opcode::RdmaWrite), WRITE, 0, Completed::RdmaWrite, 0),
        (plain(Opcode::SendWithInvalidate), SEND_INVALIDATE, 0, Completed::Send, 0),
        (atomic(Opcode::AtomicCompareAndSwap), COMPARE_SWAP, 999, Completed::CompareAndSwap, 8),
        (atomic(Opcode::AtomicFetchAndAdd), FETCH_ADD, 0, Completed::FetchAndAdd, 8),
        (bind, UMR, 0, Completed::BindMemoryWindow, 0),
        (plain(Opcode::LocalInvalidate), UMR, 0, Completed::LocalInvalidate, 0),
        (plain(Opcode::RdmaWrite), WRITE, 5, Completed::RdmaWrite, 5),
        (bind, UMR, 0, Completed::BindMemoryWindow, 0),
    ];
    for (index, (request, opcode, count, completed, length)) in (0..).zip(rows) {
        let wr_id = 100 + u64::from(index);
        let block = queue.post(wr_id, request);
        let found = queue.poll(index, entry(REQUESTER, opcode, count), block).expect("known");
        assert_eq!((found.wr_id, found.status), (wr_id, WorkStatus::Success));
        assert_eq!((found.opcode, found.byte_len), (completed, length), "{request:?}");
    }
}

#[test]
fn a_queue_pair_that_is_looked_at_closely_fails_and_goes_as_any_other() {
    let queue = Queue::new(Transport::ReliableConnection);
    let invalidate = SendRequest { opcode: Opcode::LocalInvalidate, ..SendRequest::default() };
    let block = queue.post(7, invalidate);
    let mut failed = entry(REQUESTER_ERROR, UMR, 0);
    failed[55] = 0x06;
    let found = queue.poll(0, failed, block).expect("known");
    assert_eq!((found.wr_id, found.status), (7, WorkStatus::MemoryWindowBind));

    let Queue { qp, cq, handle, memory, blocks } = queue;
    let left = (handle, memory, blocks);
    drop(qp);
    let state = Mlx5CompletionQueue::<CardBus>::of(&cq).queue.lock();
    state.entries.at(1).put(transmute!(entry(REQUESTER, SEND, 0)));
    drop(state);
    let gone = poll_cq(&cq, &mut [WorkCompletion::default()]);
    assert_eq!(gone, Err(PollError::UnknownQueuePair { user_index: 0 }));
    drop(left);
}

#[test]
fn a_receive_says_what_message_came() {
    let queue = Queue::new(Transport::UnreliableDatagram);
    let arrival = Arrival {
        invalidated: None,
        src_qp: 0xab_cdef,
        grh: true,
        pkey_index: 0x0506,
        slid: 0x1122,
        sl: 0xc,
        dlid_path_bits: 0x7f,
    };
    let rows = [
        (RECEIVED, Completed::Receive, None, arrival),
        (RECEIVED_IMMEDIATE, Completed::Receive, Some(0x0304_0506), arrival),
        (RECEIVED_WRITE_IMMEDIATE, Completed::ReceiveRdmaWithImmediate, Some(0x0304_0506), arrival),
        (
            RECEIVED_INVALIDATE,
            Completed::Receive,
            None,
            Arrival { invalidated: Some(0x0304_0506), ..arrival },
        ),
    ];
    for (index, (kind, completed, immediate, arrival)) in (0..).zip(rows) {
        let elements = [queue.memory.element(0, 64)];
        let wr_id = 50 + u64::from(index);
        post_recv(&queue.qp, &[ReceiveRequest { wr_id, sg_list: &elements }]).expect("posted");
        let mut entry = entry(kind, 0, 77);
        entry[17] = 0xff;
        entry[22..24].copy_from_slice(&[0x11, 0x22]);
        // A header of IPv6 or of InfiniBand is 1, one of IPv4 is 2.
        entry[24] = if index % 2 == 0 { 0x1c } else { 0x2c };
        entry[25..28].copy_from_slice(&[0xab, 0xcd, 0xef]);
        entry[36..40].copy_from_slice(&[3, 4, 5, 6]);
        let found = queue.poll(index, entry, index).expect("known");
        assert_eq!((found.wr_id, found.opcode, found.byte_len), (wr_id, completed, 77));
        assert_eq!((found.immediate, found.arrival), (immediate, arrival), "kind {kind}");
    }
}
