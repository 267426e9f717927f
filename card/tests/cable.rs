//! The cable: what a port without one says, what software hears of it, and what becomes of packets.

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::eqe::{EventType, PortChange, PortChangeEventData};
use doorbell_prm::management::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};
use support::*;

fn infiniband() -> Setup {
    Setup::with(Machine::infiniband(), Connection::default())
}

fn unplug(it: &mut Setup) {
    it.machine.card.unplug();
    it.machine.settle();
}

fn plug(it: &mut Setup) {
    it.machine.card.plug();
    it.machine.settle();
}

/// The events that are there: port changes of port 1.
fn changes(it: &mut Setup) -> Vec<PortChange> {
    let events = std::iter::from_fn(|| it.event());
    let change = |event: doorbell_prm::eqe::Eqe| {
        assert_eq!(event.event_type, EventType::PortChange.code());
        assert_eq!(PortChangeEventData::read_from_bytes(&event.event_data).unwrap().port_num(), 1);
        PortChange::from_code(event.event_sub_type).expect("a known change")
    };
    events.map(change).collect()
}

/// State, physical state, state of the virtual port; as the vport context has them.
fn states(it: &mut Machine) -> (u8, u8, u8) {
    let answer = it.command(&QueryHcaVportContextIn::new(), &[]);
    let port = answer.hca_vport_context();
    (port.port_state(), port.port_physical_state(), port.vport_state())
}

/// Width and speed now, as the register of the link has them.
fn link(it: &mut Machine) -> (u16, u16) {
    let mut access = AccessRegisterIn::new();
    access.set_register_id(RegisterId::Ptys.code()).set_op_mod(1);
    let register = it.ask(&access, &[0; 64], 64).tail;
    let register = PtysRegister::read_from_bytes(&register).unwrap();
    (register.ib_link_width_oper(), register.ib_proto_oper())
}

/// State and physical state, as the port's own management agent has them.
fn told_by_agent(it: &mut Machine) -> (u8, u8) {
    let mut header = MadHeader::zeroed();
    (header.base_version, header.class_version) = (1, 1);
    header.management_class = ManagementClass::SubnetLidRouted.code();
    header.method = METHOD_GET;
    header.attribute = 0x15.into();
    let mut datagram = [0; 256];
    datagram[..MadHeader::SIZE].copy_from_slice(header.as_bytes());
    let mut input = MadIfcIn::new();
    input.set_port(1).set_mad(datagram);
    let answer = it.command(&input, &[]).response_mad_packet();
    let (info, _) = PortInfo::read_from_prefix(&answer[MAD_DATA_OFFSET..]).unwrap();
    (info.port_state(), info.physical_state())
}

const ACTIVE: (u8, u8, u8) = (4, 5, 4);
const DOWN: (u8, u8, u8) = (1, 2, 1);

#[test]
fn the_port_follows_its_cable_and_says_so() {
    let mut it = infiniband();
    assert_eq!((states(&mut it.machine), link(&mut it.machine)), (ACTIVE, (4, 0x40)));
    it.arm_eq();
    unplug(&mut it);
    assert!(!it.machine.card.is_port_active());
    assert_eq!(it.machine.memory.interrupts, [3], "the event queue was armed");
    assert_eq!(changes(&mut it), [PortChange::Down]);
    assert_eq!((states(&mut it.machine), link(&mut it.machine)), (DOWN, (0, 0)));
    assert_eq!(told_by_agent(&mut it.machine), (1, 2));
    unplug(&mut it);
    assert_eq!(changes(&mut it), [], "it was down before");

    plug(&mut it);
    assert_eq!(changes(&mut it), [PortChange::Initialized, PortChange::Active]);
    assert_eq!((states(&mut it.machine), link(&mut it.machine)), (ACTIVE, (4, 0x40)));
    assert_eq!(told_by_agent(&mut it.machine), (4, 5));
    plug(&mut it);
    assert_eq!(changes(&mut it), [], "it was up before");
}

#[test]
fn a_port_is_initialised_before_it_is_active() {
    let mut it = infiniband();
    unplug(&mut it);
    it.machine.card.plug();
    it.machine.card.run(&mut it.machine.memory);
    assert_eq!(changes(&mut it).last(), Some(&PortChange::Initialized));
    assert!(!it.machine.card.is_port_active(), "nobody said that it is to be active");
    it.machine.settle();
    assert_eq!(changes(&mut it), [PortChange::Active]);
    // A cable that wobbles: every change is told, in order.
    it.machine.card.unplug();
    plug(&mut it);
    let all = [PortChange::Down, PortChange::Initialized, PortChange::Active];
    assert_eq!(changes(&mut it), all);
}

#[test]
fn a_subnet_manager_takes_its_time() {
    let mut it = infiniband();
    it.machine.card.tell_time(0);
    unplug(&mut it);
    plug(&mut it);
    assert_eq!(changes(&mut it), [PortChange::Down, PortChange::Initialized]);
    assert_eq!(states(&mut it.machine), (2, 5, 2));
    it.machine.card.tell_time(249_999_999);
    it.machine.settle();
    assert_eq!(changes(&mut it), []);
    it.machine.card.tell_time(250_000_000);
    it.machine.settle();
    assert_eq!(changes(&mut it), [PortChange::Active]);
    // A cable that is out again before it came.
    unplug(&mut it);
    plug(&mut it);
    unplug(&mut it);
    assert_eq!(states(&mut it.machine), DOWN);
    assert_eq!(changes(&mut it), [PortChange::Down, PortChange::Initialized, PortChange::Down]);
}

#[test]
fn an_ethernet_port_has_no_state_between() {
    let mut it = Setup::new();
    unplug(&mut it);
    assert_eq!(states(&mut it.machine), DOWN);
    plug(&mut it);
    assert_eq!(changes(&mut it), [PortChange::Down, PortChange::Active]);
    assert_eq!(states(&mut it.machine), ACTIVE);
}

#[test]
fn who_did_not_ask_for_port_events_gets_none() {
    let mut it = Machine::infiniband();
    let uar = it.command(&AllocUarIn::new(), &[]).uar();
    let mut eq = create_eq(&mut it, uar, 1 << EventType::CqError.code());
    it.card.unplug();
    it.settle();
    assert_eq!(next_event(&it, &mut eq), None);
    assert_eq!(states(&mut it), DOWN);
}

#[test]
fn nothing_passes_a_port_that_is_down() {
    let mut it = infiniband();
    it.put(VIRTUAL, b"lost");
    unplug(&mut it);
    let (local, key) = ((VIRTUAL, 4, it.key), it.key);
    it.post(0, &[rdma(doorbell_prm::wqe::SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), local)]);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::TransportRetryExceeded, 0)]);
    assert_eq!(it.get(VIRTUAL + 0x8000, 4), [0; 4]);
}

#[test]
fn a_short_interruption_costs_retries() {
    let patient = Connection { retry_count: 7, ..Connection::default() };
    let mut it = Setup::with(Machine::infiniband(), patient);
    it.machine.card.tell_time(0);
    it.receive(1, &[(VIRTUAL, 64)]);
    unplug(&mut it);
    it.post(0, &[send_inline(b"again")]);
    assert_eq!(it.outcomes(0), []);
    plug(&mut it);
    // An answer is awaited for 67 ms, eight times.
    for turn in 1..=5 {
        it.machine.card.tell_time(turn * 68_000_000);
        it.machine.settle();
    }
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
    assert_eq!(it.get(VIRTUAL, 5), b"again");
}

#[test]
fn a_reset_of_the_function_puts_no_cable_in() {
    let mut it = Machine::infiniband();
    it.card.unplug();
    // Not even that it went down was told.
    it.card.reset();
    assert!(!it.card.is_port_active());
    let queue = it.queue;
    it.write32(0x10, (queue >> 32) as u32);
    it.write32(0x14, queue as u32);
    let mut it = it.brought_up();
    assert_eq!((states(&mut it), link(&mut it)), (DOWN, (0, 0)));
}
