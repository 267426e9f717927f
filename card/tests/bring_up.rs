//! Bring-up in its order, pages and capabilities, and tear-down.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::*;
use support::*;

#[test]
fn the_init_segment_tells_who_is_there() {
    let mut it = Machine::new();
    assert_eq!(it.read32(offset::FIRMWARE_REVISION), 43 << 16 | 20);
    assert_eq!(it.read32(offset::COMMAND_INTERFACE_REVISION), 5 << 16 | 1014);
    let low = it.read32(offset::COMMAND_QUEUE_ADDRESS_LOW);
    assert_eq!(low, it.queue as u32 | 0x56, "32 slots of 64 bytes");
    assert_eq!(it.read32(offset::INITIALIZING) >> 31, 1, "the firmware starts");
    assert_eq!(it.read32(offset::INITIALIZING) >> 31, 0, "and is ready");
    let health = it.read32(offset::HEALTH_COUNTER);
    assert_ne!(it.read32(offset::HEALTH_COUNTER), health, "the firmware lives");
    assert_eq!(it.read32(0x123_4560), 0, "nothing is there");
}

#[test]
fn bring_up_and_tear_down() {
    let mut it = Machine::new();
    it.command(&EnableHcaIn::new(), &[]);
    let issi = it.command(&QueryIssiIn::new(), &[]);
    assert_eq!((issi.current_issi(), issi.supported_issi_dw0()), (0, 3));
    it.command(SetIssiIn::new().set_current_issi(1), &[]);
    assert_eq!(it.command(&QueryIssiIn::new(), &[]).current_issi(), 1);
    assert_eq!(it.give_pages(PagesStage::Boot), 2);
    assert_eq!(it.give_pages(PagesStage::Init), 6);
    assert_eq!(it.give_pages(PagesStage::Regular), 0);
    it.command(&InitHcaIn::new(), &[]);
    let mut version = SetDriverVersionIn::new();
    let mut text = [0; 64];
    text[..13].copy_from_slice(b"Linux,test,1 ");
    it.command(version.set_driver_version(text), &[]);
    let adapter = it.command(&QueryAdapterIn::new(), &[]);
    assert_eq!(adapter.query_adapter_struct().vsd_vendor_id(), 0x15b3);
    it.command(&QuerySpecialContextsIn::new(), &[]);
    it.command(&TeardownHcaIn::new(), &[]);
    let mut take = ManagePagesIn::new();
    take.set_op_mod(PagesAction::Take.code()).set_input_num_entries(100);
    let back = it.ask(&take, &[], 100 * 8);
    assert_eq!(back.output.output_num_entries(), 8, "all pages come back");
    let pages: Vec<u64> =
        back.tail.as_chunks::<8>().0.iter().map(|page| u64::from_be_bytes(*page)).collect();
    assert!(pages[..8].iter().all(|page| *page >= BASE && page % PAGE == 0));
    assert!(pages[8..].iter().all(|page| *page == 0));
    it.command(&DisableHcaIn::new(), &[]);
    it.command(&EnableHcaIn::new(), &[]);
}

#[test]
fn commands_out_of_order_are_refused() {
    let mut it = Machine::new();
    assert_eq!(it.refused(&QueryIssiIn::new(), &[]).0, BadSystemState);
    assert_eq!(it.refused(&InitHcaIn::new(), &[]).0, BadSystemState);
    it.command(&EnableHcaIn::new(), &[]);
    assert_eq!(it.refused(&EnableHcaIn::new(), &[]).0, BadSystemState);
    let (status, why) = it.refused(&QueryHcaCapIn::new(), &[]);
    assert_eq!(status, BadSystemState);
    assert!(why.contains("boot pages"), "{why}");
    it.give_pages(PagesStage::Boot);
    it.command(&QueryHcaCapIn::new(), &[]);
    let (status, why) = it.refused(&InitHcaIn::new(), &[]);
    assert_eq!(status, BadSystemState);
    assert!(why.contains("init pages"), "{why}");
    assert_eq!(it.refused(&CreateCqIn::new(), &[]).0, BadSystemState);
    assert_eq!(it.refused(&AllocPdIn::new(), &[]).0, BadSystemState);
    it.give_pages(PagesStage::Init);
    it.command(&InitHcaIn::new(), &[]);
    assert_eq!(it.refused(&InitHcaIn::new(), &[]).0, BadSystemState);
    assert_eq!(it.refused(&SetHcaCapIn::new(), &[]).0, BadSystemState);
    assert_eq!(it.refused(&DisableHcaIn::new(), &[]).0, BadSystemState);
    assert_eq!(it.refused(SetIssiIn::new().set_current_issi(1), &[]).0, BadSystemState);
    it.command(&TeardownHcaIn::new(), &[]);
    assert_eq!(it.refused(&TeardownHcaIn::new(), &[]).0, BadSystemState);
}

#[test]
fn pages_are_accounted_for() {
    let mut it = Machine::new();
    it.command(&EnableHcaIn::new(), &[]);
    let mut give = ManagePagesIn::new();
    give.set_op_mod(PagesAction::Give.code()).set_input_num_entries(2);
    let list = |pages: [u64; 2]| pages.map(u64::to_be_bytes).concat();
    assert_eq!(it.refused(&give, &[]).0, BadInputLength);
    assert_eq!(it.refused(&give, &list([0x1000, 0x2001])).0, BadParameter);
    assert_eq!(it.refused(&give, &list([0x1000, 0x1000])).0, BadParameter);
    let mut query = QueryPagesIn::new();
    query.set_op_mod(PagesStage::Boot.code());
    assert_eq!(it.command(&query, &[]).num_pages(), 2, "none of them was taken");
    it.command(&give, &list([0x1000, 0x2000]));
    assert_eq!(it.command(&query, &[]).num_pages(), 0);
    assert_eq!(it.refused(query.set_op_mod(9), &[]).0, BadParameter);
    assert_eq!(it.refused(query.set_function_id(1), &[]).0, BadParameter);
    it.command(ManagePagesIn::new().set_op_mod(PagesAction::CannotGive.code()), &[]);
    assert_eq!(it.refused(ManagePagesIn::new().set_op_mod(7), &[]).0, BadParameter);

    // A running card keeps what it needs.
    let mut it = Machine::up();
    let mut take = ManagePagesIn::new();
    take.set_op_mod(PagesAction::Take.code()).set_input_num_entries(8);
    assert_eq!(it.ask(&take, &[], 64).output.output_num_entries(), 0);
    let page = it.page();
    it.command(ManagePagesIn::new().set_op_mod(1).set_input_num_entries(1), &page.to_be_bytes());
    assert_eq!(it.ask(&take, &[], 64).output.output_num_entries(), 1);
}

#[test]
fn capabilities_are_asked_for_and_chosen() {
    let mut it = Machine::new();
    it.command(&EnableHcaIn::new(), &[]);
    it.give_pages(PagesStage::Boot);
    let ask = |it: &mut Machine, group, current| {
        let mut input = QueryHcaCapIn::new();
        input.set_op_mod(capability_op_mod(group, current));
        it.command(&input, &[])
    };
    let general = *ask(&mut it, CapabilityGroup::General, false).capability();
    assert!(general.rc() && general.uc() && general.ud() && general.roce() && general.bf());
    assert!(general.atomic() && general.imaicl());
    assert_eq!((general.log_bf_reg_size(), general.num_ports(), general.cqe_version()), (9, 1, 1));
    let roce = ask(&mut it, CapabilityGroup::Roce, true);
    let (roce, _) = RoceCapabilities::ref_from_prefix(roce.capability().as_bytes()).unwrap();
    assert_eq!((roce.roce_version(), roce.l3_type(), roce.r_roce_dest_udp_port()), (4, 2, 4791));
    let atomic = |it: &mut Machine, current| {
        let output = ask(it, CapabilityGroup::Atomic, current);
        *AtomicCapabilities::ref_from_prefix(output.capability().as_bytes()).unwrap().0
    };
    let most = atomic(&mut it, false);
    // Compare-and-swap, fetch-and-add, of 8 bytes.
    assert_eq!((most.atomic_operations(), most.atomic_size_qp()), (3, 8));
    assert!(most.supported_atomic_req_8b_endianness_mode_1());
    // As `mlx5_core` does it: everything but the byte order stays 0 in the command.
    for mode in [1, 0] {
        it.choose_byte_order(mode);
        assert_eq!(atomic(&mut it, true).atomic_req_8b_endianness_mode(), mode);
        assert_eq!(atomic(&mut it, false), most);
    }
    let mut set = SetHcaCapIn::new();
    set.set_op_mod(CapabilityGroup::Atomic.code() << 1);
    let bytes = set.capability_mut().as_mut_bytes();
    let (chosen, _) = AtomicCapabilities::mut_from_prefix(bytes).unwrap();
    chosen.set_atomic_req_8b_endianness_mode(2);
    assert_eq!(it.refused(&set, &[]).0, BadParameter);
    assert_eq!(
        ask(&mut it, CapabilityGroup::Odp, true).capability(),
        &GeneralCapabilities::zeroed()
    );
    assert_eq!(it.refused(QueryHcaCapIn::new().set_op_mod(30 << 1), &[]).0, BadParameter);

    let mut set = SetHcaCapIn::new();
    *set.capability_mut() = *ask(&mut it, CapabilityGroup::General, true).capability();
    it.command(&set, &[]);
    set.capability_mut().set_log_max_qp(general.log_max_qp() + 1);
    assert_eq!(it.refused(&set, &[]).0, BadParameter);
    assert_eq!(it.refused(SetHcaCapIn::new().set_op_mod(8), &[]).0, BadParameter);
}

#[test]
fn teardown_takes_all_objects_away() {
    let mut it = Setup::new();
    assert_eq!(it.machine.refused(TeardownHcaIn::new().set_profile(2), &[]).0, BadParameter);
    it.machine.command(&TeardownHcaIn::new(), &[]);
    it.machine.command(&InitHcaIn::new(), &[]);
    let qpn = it.pairs[0].qpn;
    assert_eq!(it.machine.refused(QueryQpIn::new().set_qpn(qpn), &[]).0, BadResource);
    it.machine.command(&AllocPdIn::new(), &[]);
}
