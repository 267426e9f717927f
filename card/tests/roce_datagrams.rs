//! Unreliable datagrams over RoCE v2: to the own card, and to another one by the wire.

mod support;

use doorbell_card::CardConfig;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::{BaseTransportHeader, DatagramHeader, Ipv4Header, UdpHeader};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use doorbell_tracer::Tracer;
use support::data::{Outcome::*, *};
use support::*;

const KEY: u32 = 0x1234;
/// Where the data of a receive begins, and where the IPv4 header in front of it.
const DATA: u64 = 40;
const ROUTE: u64 = 20;
/// Bytes of the headers before the base transport header.
const ENVELOPE: usize = 14 + 20 + 8;

/// Two queue pairs that send datagrams.
fn setup(config: CardConfig) -> Setup {
    let mut it =
        Setup::with(Machine::of(config, Tracer::off()).brought_up(), Connection::default());
    it.pairs.clear();
    for cq in 0..2 {
        let (buffer, record) = (it.machine.page(), it.machine.page());
        let mut input = it.qp_input(cq, record);
        input.qpc_mut().set_st(QpServiceType::UnreliableDatagram.code());
        let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
        it.pairs.push(Pair { qpn, buffer, record, cq, posted: 0, received: 0 });
        let mut init = it.to_init(qpn);
        init.qpc_mut().set_q_key(KEY);
        it.machine.command(&init, &[]);
        // No path: each datagram has its own.
        let mut rtr = Init2rtrQpIn::new();
        rtr.set_qpn(qpn).qpc_mut().set_mtu(PathMtu::Mtu256.code()).set_log_msg_max(30);
        it.machine.command(&rtr, &[]);
        let rts = it.to_rts(qpn, Connection::default());
        it.machine.command(&rts, &[]);
    }
    it
}

/// The way to queue pair `qpn` of a card.
fn way(config: &CardConfig, qpn: u32) -> DatagramSegment {
    let mut segment = DatagramSegment::zeroed();
    segment.queue_key = KEY.into();
    segment.set_extended(1);
    segment.set_destination_qpn(qpn);
    segment.rlid = 0xc123.into();
    segment.rmac = config.mac;
    segment.tclass = 0x68;
    segment.hop_limit = 9;
    segment.rgid[10..12].fill(0xff);
    segment.rgid[12..].copy_from_slice(&config.ipv4);
    segment
}

fn datagram(way: &DatagramSegment, bytes: &[u8]) -> Vec<u8> {
    let header = InlineHeader::new(bytes.len() as u32);
    wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[way.as_bytes(), header.as_bytes(), bytes])
}

#[test]
fn the_ip_header_lies_in_the_last_20_of_40_bytes() {
    let mut it = setup(CardConfig::default());
    let config = it.machine.card.config().clone();
    // To the other queue pair of the card, and to itself.
    for to in [1, 0] {
        it.put(VIRTUAL, &[0xee; 100]);
        it.receive(to, &[(VIRTUAL, 30), (VIRTUAL + 30, 70)]);
        it.post(0, &[datagram(&way(&config, it.pairs[to].qpn), b"hello")]);
        assert_eq!(it.get(VIRTUAL, ROUTE as usize), [0xee; ROUTE as usize], "left as it was");
        let header = Ipv4Header::read_from_bytes(&it.get(VIRTUAL + ROUTE, 20)).unwrap();
        assert_eq!((header.source, header.destination), (config.ipv4, config.ipv4));
        assert_eq!((header.time_to_live, header.dscp_ecn, header.protocol), (9, 0x68, 17));
        // Transport header, datagram header, five bytes padded to eight, checksum.
        assert_eq!(header.total_length.get(), 20 + 8 + 12 + 8 + 8 + 4);
        assert_eq!(it.get(VIRTUAL + DATA, 6), b"hello\xee");
        let index = if to == 1 { 0 } else { 2 };
        assert_eq!(it.poll(0).map(outcome), Some(Done(0, index)), "it is done when it is sent");
        let received = it.poll(to).expect("a completion");
        assert_eq!(outcome(received), Done(2, 0));
        assert_eq!((received.byte_cnt.get(), received.rqpn()), (45, it.pairs[0].qpn));
        // The header is in the data, and is one of IPv4; there is no LID.
        assert_eq!((received.grh(), received.sl(), received.slid.get()), (1, 2, 0));
        assert_eq!((received.imm_inval_pkey.get(), received.ml_path), (0, 0));
    }
}

#[test]
fn a_segment_without_a_way_is_an_operation_error() {
    let config = CardConfig::default();
    let good = way(&config, 0x41);
    let mut bad = [good; 4];
    bad[0].set_source_gid_index(3);
    bad[1].rgid[0] = 0xfe;
    bad[2].rmac = [0; 6];
    bad[3].set_extended(0);
    for segment in bad {
        let mut it = setup(config.clone());
        let size = if segment.extended() == 1 { 48 } else { 16 };
        let header = InlineHeader::new(2);
        let body: [&[u8]; 3] = [&segment.as_bytes()[..size], header.as_bytes(), b"no"];
        it.post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &body)]);
        assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::LocalQpOperationError, 0)]);
        assert_eq!(it.state(0), QpState::Error);
    }
}

#[test]
fn what_does_not_fit_into_a_packet_is_a_length_error() {
    let mut it = setup(CardConfig::default());
    let config = it.machine.card.config().clone();
    it.receive(1, &[(VIRTUAL + 0x1000, 400)]);
    it.put(VIRTUAL, &pattern(256));
    let to = way(&config, it.pairs[1].qpn);
    let mut send = |length| {
        let data = DataSegment::new(length, it.key, VIRTUAL);
        it.post(
            0,
            &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[to.as_bytes(), data.as_bytes()])],
        );
        it.outcomes(0)
    };
    assert_eq!(send(256), [Done(0, 0)]);
    assert_eq!(send(257), [Failed(CqeSyndrome::LocalLengthError, 2)]);
    assert_eq!(it.get(VIRTUAL + 0x1000 + DATA, 256), pattern(256));
}

#[test]
fn a_wrong_key_and_a_missing_receive_are_silent() {
    let mut it = setup(CardConfig::default());
    let config = it.machine.card.config().clone();
    let to = way(&config, it.pairs[1].qpn);
    it.post(0, &[datagram(&to, b"no receive")]);
    it.receive(1, &[(VIRTUAL, 100)]);
    let wrong = DatagramSegment { queue_key: (KEY + 1).into(), ..to };
    it.post(0, &[datagram(&wrong, b"wrong key")]);
    let nowhere = DatagramSegment { rmac: [2, 0, 0, 0, 0, 9], ..to };
    it.post(0, &[datagram(&nowhere, b"another machine")]);
    assert_eq!(it.outcomes(0), [Done(0, 0), Done(0, 2), Done(0, 4)]);
    assert_eq!(it.outcomes(1), []);
    // With the highest bit of the key set, the sender's own is meant.
    let own = DatagramSegment { queue_key: (1 << 31 | 7).into(), ..to };
    it.post(0, &[datagram(&own, b"own key")]);
    assert_eq!(it.get(VIRTUAL + DATA, 7), b"own key");
    assert_eq!(it.outcomes(1), [Done(2, 0)]);
}

#[test]
fn a_datagram_reaches_another_card() {
    let mut one = setup(CardConfig { has_wire: true, ..CardConfig::default() });
    let far = CardConfig {
        has_wire: true,
        mac: [2, 0, 0, 0, 0, 2],
        ipv4: [192, 168, 7, 2],
        ..CardConfig::default()
    };
    let near = one.machine.card.config().clone();
    let mut two = setup(far.clone());
    two.receive(1, &[(VIRTUAL, 100)]);
    let to = way(&far, two.pairs[1].qpn);
    let header = InlineHeader::new(4);
    let body: [&[u8]; 3] = [to.as_bytes(), header.as_bytes(), b"wire"];
    let flags = CONTROL_CQ_UPDATE | CONTROL_SOLICITED;
    one.post(0, &[wqe(SendOpcode::SendImmediate, flags, 0xc0ff_ee01, &body)]);
    assert_eq!(one.outcomes(0), [Done(0, 0)], "it is done when it is sent");
    let packet = one.machine.card.take_packet().expect("a packet");
    assert!(!one.machine.card.has_packet());
    let (udp, _) = UdpHeader::read_from_prefix(&packet[34..]).unwrap();
    assert_eq!(udp.source_port.get(), 0xc123);
    let (base, rest) = BaseTransportHeader::read_from_prefix(&packet[ENVELOPE..]).unwrap();
    assert_eq!((base.opcode, base.destination_qpn()), (0x65, two.pairs[1].qpn));
    assert_eq!(base.acknowledge_request(), 0);
    let (sender, rest) = DatagramHeader::read_from_prefix(rest).unwrap();
    assert_eq!((sender.queue_key.get(), sender.source_qpn()), (KEY, one.pairs[0].qpn));
    assert_eq!(rest[..8], *b"\xc0\xff\xee\x01wire");
    two.machine.card.bring_packet(packet);
    two.machine.settle();
    assert!(!two.machine.card.has_packet(), "nothing is answered");
    let cqe = two.poll(1).expect("a completion");
    assert_eq!((outcome(cqe), cqe.imm_inval_pkey.get()), (Done(3, 0), 0xc0ff_ee01));
    assert_eq!((cqe.rqpn(), cqe.solicited(), cqe.grh()), (one.pairs[0].qpn, 1, 1));
    let ip = Ipv4Header::read_from_bytes(&two.get(VIRTUAL + ROUTE, 20)).unwrap();
    assert_eq!((ip.source, ip.destination), (near.ipv4, far.ipv4));
    assert_eq!(two.get(VIRTUAL + DATA, 4), b"wire");
}

#[test]
fn a_shared_receive_that_is_too_short_fails() {
    let mut it = setup(CardConfig::infiniband(7));
    let (record, buffer) = (it.machine.page(), it.machine.page());
    let mut pool = CreateRmpIn::new();
    let queue = pool.ctx_mut().wq_mut();
    queue.set_pd(it.pd).set_log_wq_sz(3).set_log_wq_stride(6).set_dbr_addr(record);
    let number = it.machine.command(&pool, &buffer.to_be_bytes()).rmpn();
    let receive = DataSegment::new(42, it.key, VIRTUAL);
    it.machine.memory.put(buffer, NextSegment::zeroed().as_bytes());
    it.machine.memory.put(buffer + 16, receive.as_bytes());
    it.machine.memory.put(buffer + 32, DataSegment::end_of_list().as_bytes());
    it.machine.memory.put(record, &1_u32.to_be_bytes());
    let (record, buffer) = (it.machine.page(), it.machine.page());
    let mut input = it.qp_input(1, record);
    let context = input.qpc_mut();
    context.set_st(QpServiceType::UnreliableDatagram.code());
    context.set_rq_type(1).set_srqn_rmpn_xrqn(number);
    let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
    it.pairs[1].qpn = qpn;
    let mut init = it.to_init(qpn);
    init.qpc_mut().set_q_key(KEY);
    it.machine.command(&init, &[]);
    let mut rtr = Init2rtrQpIn::new();
    rtr.set_qpn(qpn).qpc_mut().set_mtu(1).set_log_msg_max(30);
    it.machine.command(&rtr, &[]);
    let mut to = DatagramSegment::zeroed();
    to.queue_key = KEY.into();
    to.set_extended(1);
    to.set_destination_qpn(qpn);
    to.rlid = 7.into();
    it.post(0, &[datagram(&to, b"hello")]);
    assert_eq!(it.outcomes(1), [Failed(CqeSyndrome::LocalLengthError, 0)]);
    assert_eq!(it.state(1), QpState::Error);
}
