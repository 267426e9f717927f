//! BlueFlame behind vfio-user: trapped stores are combined as in a CPU, mapped ones are not seen.

mod common;

use common::*;
use doorbell_card_server::RegisterAccess;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CQE_INITIAL_OP_OWN;
use doorbell_prm::eqe::EventType;
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::wqe::{CONTROL_CQ_UPDATE, ControlSegment};
use doorbell_prm::zerocopy::IntoBytes;
use std::time::Instant;
use vfio_bindings::bindings::vfio::VFIO_PCI_BAR0_REGION_INDEX;

/// A send queue of its own on a trapped page, with all that it needs, ready for NOPs.
struct Nops {
    sqn: u32,
    ring: u64,
    record: u64,
    completions: u64,
    posted: u16,
    register: u64,
}

impl Nops {
    fn new(guest: &mut Guest) -> Self {
        guest.bring_up();
        let uar = guest.command(&AllocUarIn::new(), &[]).uar();
        let (eqn, _) = guest.event_queue(uar, EventType::Command);
        let (completions, ring, records) = (guest.page(), guest.page(), guest.page());
        for entry in 0..16 {
            guest.put(completions + entry * 64 + 63, &[CQE_INITIAL_OP_OWN]);
        }
        let mut create = CreateCqIn::new();
        let context = create.cq_context_mut();
        context.set_log_cq_size(4).set_uar_page(uar).set_c_eqn_or_apu_element(eqn.into());
        context.set_dbr_addr(records);
        let cqn = guest.command(&create, &completions.to_be_bytes()).cqn();
        let (mut create, record) = (CreateSqIn::new(), records + 64);
        create.ctx_mut().set_cqn(cqn).set_flush_in_error_en(true);
        let queue = create.ctx_mut().wq_mut();
        queue.set_wq_type(1).set_log_wq_sz(4).set_log_wq_stride(6);
        queue.set_uar_page(uar).set_dbr_addr(record);
        let sqn = guest.command(&create, &ring.to_be_bytes()).sqn();
        let mut modify = ModifySqIn::new();
        modify.set_sqn(sqn).ctx_mut().set_state(SqState::Ready.code());
        guest.command(&modify, &[]);
        let register = (u64::from(uar) << 12) + 0x800;
        Self { sqn, ring, record, completions, posted: 0, register }
    }

    /// Places a NOP that completes if `signalled`, and moves the record; answers its block.
    fn place(&mut self, guest: &Guest, signalled: bool) -> [u8; 64] {
        let flags = if signalled { CONTROL_CQ_UPDATE } else { 0 };
        let control = ControlSegment::new(0, self.posted, 0, self.sqn, 1, flags, 0);
        let mut block = [0; 64];
        block[..16].copy_from_slice(control.as_bytes());
        guest.put(self.ring + u64::from(self.posted) * 64, &block);
        self.posted += 1;
        guest.put(self.record + 4, &u32::from(self.posted).to_be_bytes());
        block
    }

    /// The WQE number in completion `number`, once it is there.
    fn completion(&self, guest: &Guest, number: u64) -> u16 {
        let begun = Instant::now();
        loop {
            let entry: [u8; 64] = guest.get(self.completions + number * 64);
            if entry[63] & 1 == 0 {
                return u16::from_be_bytes([entry[60], entry[61]]);
            }
            assert!(begun.elapsed() < DEADLINE, "no completion");
        }
    }
}

/// What the kernel does to try BlueFlame, and a doorbell that is only that.
#[test]
fn trapped_stores_to_a_blueflame_register_are_a_burst_and_a_lone_one_a_doorbell() {
    let (_serving, mut guest) = Guest::new(RegisterAccess::Trapped);
    let mut nops = Nops::new(&mut guest);
    let mut completed = 0;
    // A machine that is busy may tear a burst apart: then it was a doorbell.
    while completed == 0 {
        assert!(nops.posted < 15, "no burst arrived whole");
        let mut block = nops.place(&guest, false);
        block[11] |= CONTROL_CQ_UPDATE;
        for (at, unit) in (nops.register..).step_by(8).zip(block.chunks(8)) {
            guest.client.region_write(VFIO_PCI_BAR0_REGION_INDEX, at, unit).unwrap();
        }
        // A load does not overtake a store: the card has executed it by now.
        guest.read32(offset::HEALTH_COUNTER);
        completed += u64::from(guest.get::<64>(nops.completions)[63] & 1 == 0);
    }
    let block = nops.place(&guest, true);
    guest.client.region_write(VFIO_PCI_BAR0_REGION_INDEX, nops.register, &block[..8]).unwrap();
    assert_eq!(nops.completion(&guest, completed), nops.posted - 1, "nothing else was stored");
}

/// With mapped pages the first page is trapped all the same, and nothing is gathered there.
#[test]
fn where_pages_are_mapped_no_store_is_combined() {
    let (_serving, mut guest) = Guest::new(RegisterAccess::Mapped);
    let mut nops = Nops::new(&mut guest);
    let mut block = nops.place(&guest, false);
    block[11] |= CONTROL_CQ_UPDATE;
    for (at, unit) in (nops.register..).step_by(8).zip(block.chunks(8)) {
        guest.client.region_write(VFIO_PCI_BAR0_REGION_INDEX, at, unit).unwrap();
    }
    let block = nops.place(&guest, true);
    guest.client.region_write(VFIO_PCI_BAR0_REGION_INDEX, nops.register, &block[..8]).unwrap();
    assert_eq!(nops.completion(&guest, 0), 1, "the first was silent");
}
