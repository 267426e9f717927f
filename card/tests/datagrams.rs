//! Unreliable datagrams, and the management queue pairs.

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::GlobalRouteHeader;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};
use support::*;

const KEY: u32 = 0x1234;

/// Two queue pairs of a datagram service, ready to send.
fn datagrams(services: [QpServiceType; 2]) -> Setup {
    datagrams_on(Machine::infiniband(), services)
}

fn datagrams_on(machine: Machine, services: [QpServiceType; 2]) -> Setup {
    let mut it = Setup::with(machine, Connection::default());
    it.pairs.clear();
    for (cq, service) in services.into_iter().enumerate() {
        let (buffer, record) = (it.machine.page(), it.machine.page());
        let mut input = it.qp_input(cq, record);
        input.qpc_mut().set_st(service.code());
        let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
        it.pairs.push(Pair { qpn, buffer, record, cq, posted: 0, received: 0 });
        let mut init = it.to_init(qpn);
        init.qpc_mut().set_q_key(KEY);
        it.machine.command(&init, &[]);
        let mut rtr = Init2rtrQpIn::new();
        rtr.set_qpn(qpn).qpc_mut().set_mtu(PathMtu::Mtu256.code()).set_log_msg_max(30);
        it.machine.command(&rtr, &[]);
        let rts = it.to_rts(qpn, Connection::default());
        it.machine.command(&rts, &[]);
    }
    it
}

fn datagram(qpn: u32, queue_key: u32, lid: u16, bytes: &[u8]) -> Vec<u8> {
    let mut segment = DatagramSegment::zeroed();
    segment.queue_key = queue_key.into();
    segment.set_extended(1);
    segment.set_destination_qpn(qpn);
    segment.rlid = lid.into();
    let header = InlineHeader::new(bytes.len() as u32);
    wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[segment.as_bytes(), header.as_bytes(), bytes])
}

#[test]
fn a_datagram_leaves_room_for_a_route_header() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    it.receive(1, &[(VIRTUAL, 100)]);
    let qpn = it.pairs[1].qpn;
    it.post(0, &[datagram(qpn, KEY, 7, b"hello")]);
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
    let cqe = it.poll(1).expect("a completion");
    assert_eq!((cqe.byte_cnt.get(), cqe.rqpn(), cqe.slid.get()), (45, it.pairs[0].qpn, 7));
    assert_eq!(cqe.grh(), 0);
    assert_eq!(it.get(VIRTUAL + 40, 5), b"hello");
}

/// The address vector asks for a global route header: all 40 bytes of it arrive, and the completion
/// says so. It must name the receiver's port.
#[test]
fn a_global_route_header_lies_in_the_first_40_bytes() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    let mut gid = [0; 16];
    gid[..2].copy_from_slice(&[0xfe, 0x80]);
    gid[8..].copy_from_slice(&it.machine.card.config().port_guid.to_be_bytes());
    let mut segment = DatagramSegment::zeroed();
    segment.queue_key = KEY.into();
    segment.set_extended(1);
    segment.set_destination_qpn(it.pairs[1].qpn);
    segment.rlid = 7.into();
    segment.set_grh(1);
    segment.set_flow_label(0x9_8765);
    (segment.rgid, segment.hop_limit, segment.tclass) = (gid, 63, 0x5a);
    let post = |it: &mut Setup, segment: &DatagramSegment| {
        let header = InlineHeader::new(5);
        let body: [&[u8]; 3] = [segment.as_bytes(), header.as_bytes(), b"hello"];
        it.post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &body)]);
    };
    it.receive(1, &[(VIRTUAL, 100)]);
    let mut elsewhere = segment;
    elsewhere.rgid[15] ^= 1;
    post(&mut it, &elsewhere);
    assert_eq!(it.outcomes(1), [], "another port's GID");
    post(&mut it, &segment);
    let cqe = it.poll(1).expect("a completion");
    assert_eq!((cqe.grh(), cqe.slid.get(), cqe.byte_cnt.get()), (1, 7, 45));
    assert_eq!(it.get(VIRTUAL + 40, 5), b"hello");
    let header = GlobalRouteHeader::read_from_bytes(&it.get(VIRTUAL, 40)).unwrap();
    assert_eq!(
        (header.ip_version(), header.traffic_class(), header.flow_label()),
        (6, 0x5a, 0x9_8765)
    );
    assert_eq!((header.next_header, header.hop_limit), (0x1b, 63));
    // Transport header, datagram header, five bytes padded to eight, CRC.
    assert_eq!(header.payload_length.get(), 12 + 8 + 8 + 4);
    assert_eq!((header.source_gid, header.destination_gid), (gid, gid));
    // The table of GIDs has eight entries.
    segment.set_source_gid_index(8);
    post(&mut it, &segment);
    assert_eq!(it.outcomes(0)[2..], [Failed(CqeSyndrome::LocalQpOperationError, 4)]);
}

#[test]
fn a_compact_segment_is_16_bytes() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    it.receive(1, &[(VIRTUAL, 100)]);
    let mut segment = DatagramSegment::zeroed();
    segment.queue_key = KEY.into();
    segment.set_destination_qpn(it.pairs[1].qpn);
    segment.rlid = 7.into();
    let header = InlineHeader::new(2);
    let body: [&[u8]; 3] = [&segment.as_bytes()[..16], header.as_bytes(), b"ok"];
    it.post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &body)]);
    assert_eq!(it.get(VIRTUAL + 40, 2), b"ok");
}

#[test]
fn what_nobody_expects_is_dropped_and_the_sender_hears_nothing() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    let qpn = it.pairs[1].qpn;
    it.post(0, &[datagram(qpn, KEY, 7, b"no receive")]);
    it.receive(1, &[(VIRTUAL, 100)]);
    it.post(0, &[datagram(qpn, KEY + 1, 7, b"wrong key")]);
    it.post(0, &[datagram(qpn, KEY, 8, b"wrong LID")]);
    it.post(0, &[datagram(0x999, KEY, 7, b"wrong number")]);
    assert_eq!(it.outcomes(0), [Done(0, 0), Done(0, 2), Done(0, 4), Done(0, 6)]);
    assert_eq!(it.outcomes(1), []);
    // With the highest bit of the key set, the sender's own is meant.
    it.post(0, &[datagram(qpn, 1 << 31, 7, b"own key")]);
    assert_eq!(it.get(VIRTUAL + 40, 7), b"own key");
    assert_eq!(it.outcomes(1), [Done(2, 0)]);
}

#[test]
fn a_datagram_has_one_packet_and_can_only_be_sent() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    let mut segment = DatagramSegment::zeroed();
    segment.set_extended(1);
    segment.rlid = 7.into();
    let data = DataSegment::new(257, it.key, VIRTUAL);
    let long = wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[segment.as_bytes(), data.as_bytes()]);
    it.post(0, &[long]);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::LocalLengthError, 0)]);
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    let key = it.key;
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL, key), (VIRTUAL, 8, key))]);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::LocalQpOperationError, 0)]);
}

/// The InfiniBand specification's fault class D (9.9.3): the datagram is lost, the receive is not.
#[test]
fn a_receive_that_is_too_short_waits_for_the_next_one() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    it.receive(1, &[(VIRTUAL, 42)]);
    let qpn = it.pairs[1].qpn;
    it.post(0, &[datagram(qpn, KEY, 7, b"hello")]);
    assert_eq!(it.outcomes(1), []);
    assert_eq!(it.state(1), QpState::ReadyToSend);
    it.post(0, &[datagram(qpn, KEY, 7, b"hi")]);
    assert_eq!(it.outcomes(1), [Done(2, 0)]);
    assert_eq!(it.get(VIRTUAL, 42), [&[0; 40][..], b"hi"].concat());
}

#[test]
fn a_receive_without_the_right_to_write_fails() {
    let mut it = datagrams([QpServiceType::UnreliableDatagram; 2]);
    it.raw_receive(1, DataSegment::new(100, it.key ^ 1, VIRTUAL).as_bytes());
    let qpn = it.pairs[1].qpn;
    it.post(0, &[datagram(qpn, KEY, 7, b"hello")]);
    assert_eq!(it.outcomes(1), [Failed(CqeSyndrome::LocalProtectionError, 0)]);
    assert_eq!(it.state(1), QpState::Error);
}

#[test]
fn the_management_queue_pairs_have_numbers_of_their_own() {
    for (service, number) in
        [(QpServiceType::SubnetManagement, 0), (QpServiceType::GeneralManagement, 1)]
    {
        let mut it = datagrams([service, QpServiceType::UnreliableDatagram]);
        it.receive(0, &[(VIRTUAL, 200)]);
        it.post(1, &[datagram(number, KEY, 7, b"to the agent")]);
        let cqe = it.poll(0).expect("a completion");
        assert_eq!(cqe.rqpn(), it.pairs[1].qpn);
        it.receive(1, &[(VIRTUAL + 0x1000, 200)]);
        let qpn = it.pairs[1].qpn;
        it.post(0, &[datagram(qpn, KEY, 7, b"from the agent")]);
        let sent = it.poll(1).map(outcome);
        assert_eq!(sent, Some(Done(0, 0)));
        let received = it.poll(1).map(|cqe| (cqe.opcode(), cqe.rqpn()));
        assert_eq!(received, Some((2, number)));
    }
}

#[test]
fn ethernet_has_no_management_queue_pairs() {
    let mut it = Setup::new();
    let page = it.machine.page().to_be_bytes();
    for service in [QpServiceType::SubnetManagement, QpServiceType::GeneralManagement] {
        let mut input = it.qp_input(0, 0x8000);
        input.qpc_mut().set_st(service.code());
        assert_eq!(it.machine.refused(&input, &page).0, CommandStatus::BadParameter);
    }
}
