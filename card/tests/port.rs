//! The port: its state, its addresses, and the registers behind a command.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use support::*;

#[test]
fn the_port_tells_its_state_and_addresses() {
    let mut it = Machine::up();
    let port = it.command(&QueryHcaVportContextIn::new(), &[]);
    assert_eq!((port.hca_vport_context().port_state(), port.hca_vport_context().lid()), (4, 0));
    assert_eq!(it.refused(QueryHcaVportContextIn::new().set_port_num(2), &[]).0, BadParameter);
    let gid = it.ask(&QueryHcaVportGidIn::new(), &[], 16);
    assert_eq!(gid.output.gids_num(), 1);
    assert_eq!(gid.tail[10..], [0xff, 0xff, 192, 168, 0, 1]);
    let all = it.ask(QueryHcaVportGidIn::new().set_gid_index(0xffff), &[], 16 * 16);
    assert_eq!(all.output.gids_num(), 16);
    assert_eq!(it.refused(QueryHcaVportGidIn::new().set_gid_index(16), &[]).0, BadIndex);
    let pkey = it.ask(&QueryHcaVportPkeyIn::new(), &[], 4);
    assert_eq!(pkey.tail, [0, 0, 0xff, 0xff]);
    assert_eq!(it.refused(QueryHcaVportPkeyIn::new().set_pkey_index(1), &[]).0, BadIndex);

    let mut query = QueryRoceAddressIn::new();
    let first = *it.command(&query, &[]).roce_address();
    assert_eq!(first.source_mac_31_0(), 1);
    let mut set = SetRoceAddressIn::new();
    set.set_roce_address_index(3);
    *set.roce_address_mut() = first;
    it.command(&set, &[]);
    assert_eq!(it.command(query.set_roce_address_index(3), &[]).roce_address(), &first);
    set.roce_address_mut().set_vlan_valid(true);
    assert_eq!(it.refused(&set, &[]).0, BadParameter);
    *set.roce_address_mut() = RoceAddress::zeroed();
    it.command(&set, &[]);
    assert_eq!(it.refused(set.set_roce_address_index(16), &[]).0, BadIndex);
    assert_eq!(it.refused(query.set_roce_address_index(16), &[]).0, BadIndex);
}

#[test]
fn registers_behind_a_command_are_read_and_written() {
    let mut it = Machine::up();
    let mut access = AccessRegisterIn::new();
    access.set_register_id(RegisterId::NodeDescription.code()).set_op_mod(1);
    assert!(it.ask(&access, &[0; 64], 64).tail.starts_with(b"doorbell"));
    let name = [b'x'; 64];
    assert_eq!(it.ask(access.set_op_mod(0), &name, 64).output.outcome(), (0, 0));
    assert_eq!(it.ask(access.set_op_mod(1), &[], 64).tail, name);
    assert_eq!(it.refused(access.set_op_mod(0), &[0; 63]).0, BadInputLength);
    assert_eq!(it.refused(access.set_op_mod(2), &[0; 64]).0, BadParameter);
    assert_eq!(it.refused(access.set_op_mod(1).set_register_id(0x5fff), &[]).0, BadParameter);
}
