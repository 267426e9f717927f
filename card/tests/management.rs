//! Management datagrams: what the card's agents answer.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::management::*;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::*;
use support::*;

fn datagram(class: ManagementClass, method: u8, attribute: u16, modifier: u32) -> MadIfcIn {
    let mut header = MadHeader::zeroed();
    (header.base_version, header.class_version) = (1, 1);
    (header.management_class, header.method) = (class.code(), method);
    header.attribute = attribute.into();
    header.modifier = modifier.into();
    header.transaction = 0x1234.into();
    let mut mad = [0; MAD_SIZE];
    mad[..MadHeader::SIZE].copy_from_slice(header.as_bytes());
    let mut input = MadIfcIn::new();
    input.set_port(1).set_mad(mad);
    input
}

fn ask(it: &mut Machine, input: &MadIfcIn) -> (MadHeader, Vec<u8>) {
    let answer = it.command(input, &[]).response_mad_packet();
    let header = MadHeader::read_from_prefix(&answer).unwrap().0;
    assert_eq!(header.method, METHOD_GET_RESPONSE);
    assert_eq!(header.transaction.get(), 0x1234);
    (header, answer[MAD_DATA_OFFSET..].to_vec())
}

#[test]
fn the_subnet_agent_describes_node_and_port() {
    let mut it = Machine::infiniband();
    let config = it.card.config().clone();
    let subnet = ManagementClass::SubnetLidRouted;
    let (header, data) = ask(&mut it, &datagram(subnet, METHOD_GET, 0x11, 0));
    let node = NodeInfo::read_from_prefix(&data).unwrap().0;
    assert_eq!((header.status.get(), node.node_type, node.ports), (0, 1, 1));
    assert_eq!(node.port_guid.get(), config.port_guid);
    assert_eq!((node.device.get(), node.vendor), (config.device_id, [0, 2, 0xc9]));
    let (_, data) = ask(&mut it, &datagram(subnet, METHOD_GET, 0x15, 1));
    let port = PortInfo::read_from_prefix(&data).unwrap().0;
    assert_eq!((port.lid.get(), port.port_state(), port.physical_state()), (7, 4, 5));
    let (_, data) = ask(&mut it, &datagram(subnet, METHOD_GET, 0x10, 0));
    assert!(data.starts_with(b"doorbell"));
    let (_, data) = ask(&mut it, &datagram(subnet, METHOD_GET, 0x14, 0));
    assert_eq!(data[..8], config.port_guid.to_be_bytes());
    let (_, data) = ask(&mut it, &datagram(subnet, METHOD_GET, 0x16, 0));
    assert_eq!(data[..4], [0xff, 0xff, 0, 0]);
    assert_eq!(ask(&mut it, &datagram(subnet, METHOD_GET, 0x16, 3)).1, vec![0; 192]);
}

#[test]
fn what_cannot_be_answered_has_a_status() {
    let mut it = Machine::infiniband();
    let subnet = ManagementClass::SubnetDirectedRoute;
    for (method, attribute, modifier) in
        [(METHOD_SET, 0x15, 1), (METHOD_GET, 0x99, 0), (METHOD_GET, 0x16, 4), (0x07, 0x11, 0)]
    {
        let (header, _) = ask(&mut it, &datagram(subnet, method, attribute, modifier));
        assert_eq!(header.status.get(), STATUS_NO_SUCH_ATTRIBUTE, "{method:#x} {attribute:#x}");
    }
    let mut wild = datagram(subnet, METHOD_GET, 0x11, 0);
    wild.set_mad([0x55; MAD_SIZE]);
    assert_eq!(it.refused(&wild, &[]).0, BadPacket);
    assert_eq!(it.refused(wild.set_port(2), &[]).0, BadParameter);
    let good = datagram(subnet, METHOD_GET, 0x11, 0);
    assert_eq!(Machine::up().refused(&good, &[]).0, BadOperation, "not on Ethernet");
}

#[test]
fn the_performance_agent_counts_packets() {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    let key = it.key;
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 64, key))]);
    let machine = &mut it.machine;
    let performance = ManagementClass::Performance;
    let (_, data) = ask(machine, &datagram(performance, METHOD_GET, 0x01, 0));
    assert_eq!(data[..4], [1, 1, 2, 0]);
    let (_, data) = ask(machine, &datagram(performance, METHOD_GET, 0x12, 0));
    let short = PortCounters::read_from_prefix(&data).unwrap().0;
    let (_, data) = ask(machine, &datagram(performance, METHOD_GET, 0x1d, 0));
    let long = PortCountersExtended::read_from_prefix(&data).unwrap().0;
    // The write and its acknowledgement.
    assert_eq!((short.transmitted_packets.get(), short.received_packets.get()), (2, 2));
    // LRH 8, BTH 12, RETH 16, data 64, ICRC 4, VCRC 2; LRH, BTH, AETH 4, ICRC, VCRC.
    assert_eq!(long.transmitted_words.get(), (106 + 30) / 4);
    let mut query = QueryVportCounterIn::new();
    let counters = machine.command(query.set_clear(true), &[]);
    assert_eq!(counters.transmitted_ib_unicast().octets(), 106 + 30);
    assert_eq!(counters.received_ib_unicast().packets(), 2);
    assert_eq!(machine.command(&query, &[]).received_ib_unicast().packets(), 0);
    assert_eq!(machine.refused(query.set_other_vport(true), &[]).0, BadParameter);
}
