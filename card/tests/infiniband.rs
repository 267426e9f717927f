//! The InfiniBand port: what it says of itself, and connections by LID.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::wqe::*;
use support::data::{Outcome::*, *};
use support::*;

#[test]
fn the_port_tells_its_lid_and_tables() {
    let mut it = Machine::infiniband();
    let answer = it.command(&QueryHcaVportContextIn::new(), &[]);
    let port = answer.hca_vport_context();
    assert_eq!((port.lid(), port.port_state(), port.vport_state()), (7, 4, 4));
    assert!(port.has_smi() && !port.grh_required());
    let gids = it.ask(QueryHcaVportGidIn::new().set_gid_index(0xffff), &[], 8 * 16);
    assert_eq!(gids.output.gids_num(), 8);
    assert_eq!(gids.tail[..2], [0xfe, 0x80]);
    assert_eq!(gids.tail[8..16], it.card.config().port_guid.to_be_bytes());
    assert_eq!(gids.tail[16..], [0; 7 * 16]);
    for index in [0, 1, 127] {
        let key = it.ask(QueryHcaVportPkeyIn::new().set_pkey_index(index), &[], 4).tail;
        let expected: [u8; 4] = if index == 0 { [0, 0, 0xff, 0xff] } else { [0; 4] };
        assert_eq!(key, expected, "entry {index}");
    }
    assert_eq!(it.refused(QueryHcaVportPkeyIn::new().set_pkey_index(128), &[]).0, BadIndex);
}

#[test]
fn software_may_announce_what_it_does_and_nothing_else() {
    let mut it = Machine::infiniband();
    let mut modify = ModifyHcaVportContextIn::new();
    let communication_management = 1 << 16;
    modify
        .hca_vport_context_mut()
        .set_cap_mask1(u32::MAX)
        .set_cap_mask1_field_select(communication_management);
    it.command(&modify, &[]);
    let mask = |it: &mut Machine| {
        it.command(&QueryHcaVportContextIn::new(), &[]).hca_vport_context().cap_mask1()
    };
    let announced = mask(&mut it);
    assert_eq!(announced & communication_management, communication_management);
    modify.hca_vport_context_mut().set_cap_mask1(0);
    it.command(&modify, &[]);
    assert_eq!(mask(&mut it), announced & !communication_management);
    modify.hca_vport_context_mut().set_cap_mask1_field_select(1 << 11);
    assert_eq!(it.refused(&modify, &[]).0, BadParameter);
    modify.hca_vport_context_mut().set_cap_mask1_field_select(0).set_field_select(1);
    assert_eq!(it.refused(&modify, &[]).0, BadParameter);
}

#[test]
fn the_capabilities_are_those_of_infiniband() {
    let mut it = Machine::infiniband();
    let mut query = QueryHcaCapIn::new();
    query.set_op_mod(capability_op_mod(CapabilityGroup::General, true));
    let general = *it.command(&query, &[]).capability();
    assert_eq!((general.port_type(), general.ib_virt(), general.roce()), (0, true, false));
    assert!(general.rc() && general.ud() && general.uc() && general.atomic());
    assert!(general.umr_modify_entity_size_disabled());
    let ethernet = *Machine::up().command(&query, &[]).capability();
    assert_eq!((ethernet.port_type(), ethernet.roce(), ethernet.ud()), (1, true, true));
}

#[test]
fn registers_of_the_link_can_be_read_only() {
    let mut it = Machine::infiniband();
    let mut read = |id: RegisterId, size: usize| {
        let mut access = AccessRegisterIn::new();
        access.set_register_id(id.code()).set_op_mod(1);
        let bytes = it.ask(&access, &vec![0; size], size).tail;
        assert_eq!(it.refused(access.set_op_mod(0), &vec![0; size]).0, BadParameter);
        bytes
    };
    use doorbell_prm::zerocopy::FromBytes;
    let link = PtysRegister::read_from_bytes(&read(RegisterId::Ptys, 64)).unwrap();
    assert_eq!((link.ib_link_width_oper(), link.ib_proto_oper()), (4, 0x40));
    let mtu = PmtuRegister::read_from_bytes(&read(RegisterId::Pmtu, 16)).unwrap();
    assert_eq!((mtu.max_mtu(), mtu.oper_mtu()), (4096, 4096));
    let lanes = PvlcRegister::read_from_bytes(&read(RegisterId::Pvlc, 16)).unwrap();
    assert_ne!(lanes.vl_hw_cap(), 0);
}

#[test]
fn queue_pairs_are_connected_by_lid() {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    let key = it.key;
    it.put(VIRTUAL, &pattern(1000));
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 1000, key))]);
    assert_eq!(it.get(VIRTUAL + 0x8000, 1000), pattern(1000));
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
    it.receive(1, &[(VIRTUAL + 0xc000, 64)]);
    it.post(0, &[send_inline(b"by LID")]);
    assert_eq!(it.get(VIRTUAL + 0xc000, 6), b"by LID");
    assert_eq!(it.outcomes(1), [Done(2, 0)]);
}

#[test]
fn a_packet_for_another_lid_is_lost() {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    it.pairs[0] = it.create_pair(0);
    let (qpn, remote) = (it.pairs[0].qpn, it.pairs[1].qpn);
    let connection = Connection::default();
    let init = it.to_init(qpn);
    it.machine.command(&init, &[]);
    let mut rtr = it.to_rtr(qpn, remote, connection);
    let mut route = |lid| {
        rtr.qpc_mut().primary_address_path_mut().set_rlid(lid);
        rtr
    };
    assert_eq!(it.machine.refused(&route(0), &[]).0, BadParameter);
    assert_eq!(it.machine.refused(&route(0xc000), &[]).0, BadParameter);
    it.machine.command(&route(8), &[]);
    let rts = it.to_rts(qpn, connection);
    it.machine.command(&rts, &[]);
    it.post(0, &[send_inline(b"to nobody")]);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::TransportRetryExceeded, 0)]);
}

#[test]
fn a_reset_leaves_the_card_as_power_on_did() {
    let mut it = Machine::infiniband();
    it.command(&AllocPdIn::new(), &[]);
    it.card.tell_time(5_000_000_000);
    it.card.reset();
    let queue = it.queue;
    it.write32(0x10, (queue >> 32) as u32);
    it.write32(0x14, queue as u32);
    assert_eq!(it.refused(&AllocPdIn::new(), &[]).0, BadSystemState);
    it.command(&EnableHcaIn::new(), &[]);
    assert!(it.read32(0x1000) >= 1, "the time goes on");
    assert_eq!(it.read32(0x1004), 5_000_000_000_u64 as u32);
}
