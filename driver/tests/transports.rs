//! Unreliable connections and datagrams, from the post to the bytes on the other side.

mod common;

use common::pattern;
use common::sides::{EVERYTHING, QUEUE_KEY, Sides, bytes, only, remote};
use doorbell_driver::verbs::*;
use std::sync::Arc;

use QueuePairState::{Error, ReadyToSend};
use Transport::{UnreliableConnection, UnreliableDatagram};

/// A path MTU of an unreliable connection's packets is 256 bytes here: this is three of them.
const LONG: usize = 700;

/// A datagram has these many bytes in front of its data in a receive, and the network header in the last
/// 20 of them.
const HEADER: usize = 40;

fn send(wr_id: u64, sg_list: &[ScatterGatherElement]) -> SendRequest<'_> {
    SendRequest { wr_id, sg_list, opcode: Opcode::Send, ..SendRequest::default() }
}

/// What tells a completion of a send or write that went well.
fn good(completion: WorkCompletion) -> (u64, WorkStatus, Completed) {
    assert_eq!(completion.status, WorkStatus::Success, "{completion:?}");
    (completion.wr_id, completion.status, completion.opcode)
}

#[test]
fn an_unreliable_connection_carries_sends_and_writes() {
    let it = Sides::new(UnreliableConnection);
    let source = it.memory(&pattern(LONG, 1));
    let [inbox, target] = [0; 2].map(|_| it.memory(&[0; LONG]));
    let list = [source.element(0, LONG as u32)];
    let into = [inbox.element(0, 300), inbox.element(300, 400)];

    it.receive(10, &into);
    let sent = good(it.done(&send(1, &list)));
    assert_eq!(sent, (1, WorkStatus::Success, Completed::Send));
    let arrived = only(&it.arrived());
    assert_eq!((arrived.wr_id, arrived.opcode), (10, Completed::Receive));
    assert_eq!((arrived.byte_len, arrived.immediate), (LONG as u32, None));
    assert_eq!(arrived.qp_num, it.qps[1].number());
    assert_eq!(bytes(&inbox, 0, LONG), pattern(LONG, 1));

    let write = SendRequest {
        opcode: Opcode::RdmaWriteWithImmediate,
        immediate: 0x0102_0304,
        remote: remote(&target, 0),
        ..send(2, &list)
    };
    it.receive(11, &[]);
    assert_eq!(good(it.done(&write)), (2, WorkStatus::Success, Completed::RdmaWrite));
    let arrived = only(&it.arrived());
    assert_eq!((arrived.wr_id, arrived.opcode), (11, Completed::ReceiveRdmaWithImmediate));
    assert_eq!((arrived.byte_len, arrived.immediate), (LONG as u32, Some(0x0102_0304)));
    assert_eq!(bytes(&target, 0, LONG), pattern(LONG, 1));

    let part = [source.element(5, 3)];
    let inline = SendRequest {
        opcode: Opcode::RdmaWrite,
        send_flags: SendFlags::INLINE,
        remote: remote(&target, 100),
        ..send(3, &part)
    };
    good(it.done(&inline));
    assert_eq!(bytes(&target, 99, 5), [99, 5, 6, 7, 103].map(|at| pattern(LONG, 1)[at]));
    assert_eq!(it.arrived(), []);
}

#[test]
fn what_an_unreliable_connection_loses_nobody_learns() {
    let it = Sides::new(UnreliableConnection);
    let source = it.memory(&pattern(LONG, 2));
    let [inbox, target] = [0; 2].map(|_| it.memory(&[0; LONG]));
    let list = [source.element(0, LONG as u32)];
    // Nobody receives it.
    good(it.done(&send(1, &list)));
    // Nobody has this key, and this memory ends before the message does.
    let bad_key = RemoteAddress { rkey: target.rkey() ^ 0x7f_0000, ..remote(&target, 0) };
    for remote in [bad_key, remote(&target, 1)] {
        let write = SendRequest { opcode: Opcode::RdmaWrite, remote, ..send(2, &list) };
        good(it.done(&write));
    }
    assert_eq!(it.arrived(), []);
    assert_eq!(bytes(&target, 0, LONG), vec![0; LONG]);
    assert_eq!(it.states(), [ReadyToSend; 2]);
    // The next message takes the receive.
    it.receive(10, &[inbox.element(0, LONG as u32)]);
    good(it.done(&send(3, &list[..])));
    assert_eq!(only(&it.arrived()).wr_id, 10);
    assert_eq!(bytes(&inbox, 0, LONG), pattern(LONG, 2));
}

#[test]
fn a_wrong_local_key_of_an_unreliable_connection_is_told_to_its_side_alone() {
    let it = Sides::new(UnreliableConnection);
    let source = it.memory(&pattern(64, 3));
    let mut element = source.element(0, 64);
    element.lkey ^= 0x7f_0000;
    it.receive(10, &[]);
    assert_eq!(it.done(&send(1, &[element])).status, WorkStatus::LocalProtection);
    assert_eq!(it.done(&send(2, &[])).status, WorkStatus::Flushed);
    assert_eq!(it.arrived(), []);
    assert_eq!(it.states(), [Error, ReadyToSend]);
}

#[test]
fn a_transport_refuses_the_opcodes_that_it_has_not() {
    let connected =
        [Opcode::RdmaRead, Opcode::AtomicCompareAndSwap, Opcode::AtomicFetchAndAdd, Opcode::Tso];
    let datagrams = Opcode::ALL.into_iter();
    let datagrams =
        datagrams.filter(|opcode| !matches!(opcode, Opcode::Send | Opcode::SendWithImmediate));
    for (transport, refused) in
        [(UnreliableConnection, connected.to_vec()), (UnreliableDatagram, datagrams.collect())]
    {
        let it = Sides::new(transport);
        let memory = it.memory(&[0; 64]);
        let list = [memory.element(0, 8)];
        for opcode in refused {
            let operands = Operands::Atomic { compare_add: 0, swap: 0 };
            let request = SendRequest { opcode, operands, ..send(1, &list) };
            let cause = it.refused(&request);
            assert_eq!(cause, PostCause::Opcode { opcode, transport });
            assert_eq!(cause.errno(), 22, "{opcode:?}");
        }
        assert_eq!(it.drain(&it.sent[0]), [], "nothing of it was posted");
    }
}

#[test]
fn a_transport_refuses_the_parameters_of_another() {
    for transport in [UnreliableConnection, UnreliableDatagram] {
        let it = Sides::new(transport);
        let qp = &it.qps[0];
        qp.reset().expect("RESET");
        let address = it.context.query_gid().expect("an address");
        let (wrong, right): (InitParameters, InitParameters) = match transport {
            UnreliableDatagram => (EVERYTHING.into(), QueueKey(1).into()),
            _ => (QueueKey(1).into(), Access::empty().into()),
        };
        let error = qp.init(wrong).expect_err("another transport's");
        assert!(matches!(error, VerbsError::WrongParameters { .. }), "{error}");
        qp.init(right).expect("INIT");
        let reliably = ConnectTo {
            qp_num: 1,
            path_mtu: 1,
            first_psn: 0,
            max_dest_rd_atomic: 1,
            min_rnr_timer: 1,
            address,
        };
        let error = qp.connect(&reliably).expect_err("another transport's");
        assert!(matches!(error, VerbsError::WrongParameters { .. }), "{error}");
        assert_eq!(qp.query().expect("an answer").state, QueuePairState::Init);
    }
}

/// A datagram from side 0 to side 1.
fn datagram<'a>(
    it: &Sides,
    handle: &'a AddressHandle,
    request: SendRequest<'a>,
) -> SendRequest<'a> {
    let (remote_qpn, remote_qkey) = (it.qps[1].number(), QUEUE_KEY);
    SendRequest { operands: Operands::Datagram { handle, remote_qpn, remote_qkey }, ..request }
}

fn handle(it: &Sides) -> AddressHandle {
    it.pd.create_ah(&it.context.query_gid().expect("an address")).expect("a way")
}

#[test]
fn a_datagram_comes_with_its_network_header_and_says_who_sent_it() {
    let it = Sides::new(UnreliableDatagram);
    let (source, way) = (it.memory(&pattern(200, 4)), handle(&it));
    let inbox = it.memory(&[0xee; 300]);
    let list = [source.element(0, 150), source.element(150, 50)];
    it.receive(10, &[inbox.element(0, 300)]);
    let request = SendRequest {
        opcode: Opcode::SendWithImmediate,
        immediate: 77,
        ..datagram(&it, &way, send(1, &list))
    };
    assert_eq!(good(it.done(&request)), (1, WorkStatus::Success, Completed::Send));
    let arrived = only(&it.arrived());
    assert_eq!((arrived.wr_id, arrived.byte_len), (10, HEADER as u32 + 200));
    assert_eq!((arrived.opcode, arrived.immediate), (Completed::Receive, Some(77)));
    assert_eq!((arrived.arrival.src_qp, arrived.arrival.grh), (it.qps[0].number(), true));
    assert_eq!(bytes(&inbox, 0, 20), [0xee; 20]);
    // An IPv4 header without options, of a UDP datagram, from and to the card's own address.
    let header = bytes(&inbox, 20, 20);
    let own = it.context.query_gid().expect("an address").gid[12..].to_vec();
    assert_eq!((header[0], header[9]), (0x45, 17));
    assert_eq!((&header[12..16], &header[16..]), (&own[..], &own[..]));
    assert_eq!(bytes(&inbox, HEADER, 200), pattern(200, 4));
    assert_eq!(bytes(&inbox, HEADER + 200, 60), [0xee; 60]);
}

#[test]
fn a_datagram_that_nobody_expects_is_dropped_without_a_word() {
    let it = Sides::new(UnreliableDatagram);
    let (source, way) = (it.memory(&pattern(64, 5)), handle(&it));
    let inbox = it.memory(&[0; 256]);
    let list = [source.element(0, 64)];
    let good_one = datagram(&it, &way, send(1, &list));
    let (remote_qpn, remote_qkey) = (it.qps[1].number(), QUEUE_KEY);
    let handle = &way;
    // No receive.
    good(it.done(&good_one));
    // Too short a receive, which serves the next one.
    it.receive(9, &[inbox.element(0, 64 + HEADER as u32 - 1)]);
    good(it.done(&good_one));
    // Another queue key; nobody with that number.
    for (remote_qpn, remote_qkey) in [(remote_qpn, remote_qkey + 1), (0xff_fff0, remote_qkey)] {
        let operands = Operands::Datagram { handle, remote_qpn, remote_qkey };
        good(it.done(&SendRequest { operands, ..send(2, &list) }));
    }
    assert_eq!(it.arrived(), []);
    // A key with its highest bit set means the sender's own.
    let short = [source.element(0, 63)];
    let operands = Operands::Datagram { handle, remote_qpn, remote_qkey: 1 << 31 };
    good(it.done(&SendRequest { operands, ..send(3, &short) }));
    let arrived = only(&it.arrived());
    assert_eq!((arrived.wr_id, arrived.byte_len), (9, 63 + HEADER as u32));
    assert_eq!(bytes(&inbox, HEADER, 64), [&pattern(64, 5)[..63], &[0]].concat());
    assert_eq!(it.states(), [ReadyToSend; 2]);
}

#[test]
fn one_queue_pair_sends_datagrams_to_many() {
    let it = Sides::new(UnreliableDatagram);
    let (source, way) = (it.memory(&pattern(64, 6)), handle(&it));
    let inbox = it.memory(&[0; 256]);
    let own = it.memory(&[0; 256]);
    it.receive(1, &[inbox.element(0, 256)]);
    let to_own = [own.element(0, 256)];
    post_recv(&it.qps[0], &[ReceiveRequest { wr_id: 2, sg_list: &to_own }]).expect("posted");
    let (list, handle) = ([source.element(0, 32)], &way);
    let requests = [1, 0].map(|to| {
        let (remote_qpn, remote_qkey) = (it.qps[to].number(), QUEUE_KEY);
        let operands = Operands::Datagram { handle, remote_qpn, remote_qkey };
        SendRequest { operands, ..send(to as u64, &list) }
    });
    post_send(&it.qps[0], &requests).expect("posted");
    let order: Vec<_> = it.drain(&it.sent[0]).into_iter().map(|one| good(one).0).collect();
    assert_eq!(order, [1, 0]);
    assert_eq!(only(&it.arrived()).wr_id, 1);
    assert_eq!(only(&it.drain(&it.received[0])).wr_id, 2);
    for region in [inbox, own] {
        assert_eq!(bytes(&region, HEADER, 32), pattern(64, 6)[..32]);
    }
}

#[test]
fn a_datagram_is_one_packet_and_has_an_address() {
    let it = Sides::new(UnreliableDatagram);
    let (source, way) = (it.memory(&pattern(5000, 7)), handle(&it));
    let inbox = it.memory(&[0; 8192]);
    let mtu = 128 << it.qps[0].query().expect("an answer").path_mtu;
    // Without an address nothing is posted.
    let list = [source.element(0, mtu)];
    for operands in [Operands::None, Operands::Atomic { compare_add: 0, swap: 0 }] {
        let cause = it.refused(&SendRequest { operands, ..send(1, &list) });
        assert_eq!((cause, cause.errno()), (PostCause::Operands { opcode: Opcode::Send }, 22));
    }
    it.receive(10, &[inbox.element(0, 8192)]);
    good(it.done(&datagram(&it, &way, send(2, &list))));
    assert_eq!(only(&it.arrived()).byte_len, mtu + HEADER as u32);
    assert_eq!(bytes(&inbox, HEADER, mtu as usize), pattern(5000, 7)[..mtu as usize]);
    let longer = [source.element(0, mtu + 1)];
    let failed = it.done(&datagram(&it, &way, send(3, &longer)));
    assert_eq!((failed.wr_id, failed.status), (3, WorkStatus::LocalLength));
    assert_eq!(it.states(), [Error, ReadyToSend]);
}

#[test]
fn an_address_handle_outlives_what_it_was_made_of() {
    let it = Sides::new(UnreliableDatagram);
    let way = handle(&it);
    let context = Arc::clone(&it.context);
    drop(it);
    assert_eq!(way.address().gid, context.query_gid().expect("an address").gid);
}
