//! Send queues that are objects of their own: commands, and the kernel's trial of BlueFlame.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::eqe::{EventType, QpEventData};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};
use support::*;

const LOG_SIZE: u8 = 3;
const DONE: u8 = CqeOpcode::Requester.code();

/// A send queue on completion queue 0 of a setup.
struct Queue {
    sqn: u32,
    buffer: u64,
    record: u64,
    posted: u16,
}

fn input(it: &Setup, record: u64) -> CreateSqIn {
    let mut input = CreateSqIn::new();
    let context = input.ctx_mut();
    context.set_cqn(it.cqs[0].number).set_flush_in_error_en(true).set_user_index(0xabcd);
    let queue = context.wq_mut();
    queue.set_wq_type(1).set_log_wq_sz(LOG_SIZE).set_log_wq_stride(6);
    queue.set_uar_page(it.uar).set_dbr_addr(record);
    input
}

fn to(sqn: u32, now: SqState, next: SqState) -> ModifySqIn {
    let mut modify = ModifySqIn::new();
    modify.set_sqn(sqn).set_sq_state(now.code());
    modify.ctx_mut().set_state(next.code());
    modify
}

impl Queue {
    fn new(it: &mut Setup) -> Self {
        let (buffer, record) = (it.machine.page(), it.machine.page());
        let input = input(it, record);
        let sqn = it.machine.command(&input, &buffer.to_be_bytes()).sqn();
        Self { sqn, buffer, record, posted: 0 }
    }

    fn ready(it: &mut Setup) -> Self {
        let queue = Self::new(it);
        it.machine.command(&to(queue.sqn, SqState::Reset, SqState::Ready), &[]);
        queue
    }

    /// Places a WQE that is only a control segment, and moves the record; answers the WQE.
    fn place(&mut self, it: &mut Setup, opcode: SendOpcode, flags: u8) -> [u8; 64] {
        let control = ControlSegment::new(0, self.posted, opcode.code(), self.sqn, 1, flags, 0);
        let mut wqe = [0; 64];
        wqe[..16].copy_from_slice(control.as_bytes());
        let index = u64::from(self.posted) % (1 << LOG_SIZE);
        it.machine.memory.put(self.buffer + index * 64, &wqe);
        self.posted += 1;
        it.machine.memory.put(self.record + 4, &u32::from(self.posted).to_be_bytes());
        wqe
    }

    fn write(&self, it: &mut Setup, bytes: &[u8]) {
        it.machine.card.write((u64::from(it.uar) << 12) + 0x800, bytes);
        it.machine.settle();
    }

    fn context(&self, it: &mut Setup) -> SqContext {
        *it.machine.command(QuerySqIn::new().set_sqn(self.sqn), &[]).sq_context()
    }
}

fn setup() -> Setup {
    Setup::with(Machine::infiniband(), Connection::default())
}

/// The copy in the register asks for a completion, the one in memory does not: a completion tells
/// that the card took the WQE from the register.
#[test]
fn the_kernels_trial_tells_a_burst_from_single_stores() {
    let mut it = setup();
    let mut queue = Queue::ready(&mut it);
    let mut asking = queue.place(&mut it, SendOpcode::Nop, 0);
    asking[11] |= CONTROL_CQ_UPDATE;
    queue.write(&mut it, &asking);
    let cqe: Cqe = it.poll(0).expect("the burst asked for it");
    assert_eq!((cqe.opcode(), cqe.wqe_counter.get(), cqe.qpn()), (DONE, 0, queue.sqn));
    assert_eq!(cqe.user_index(), 0xabcd);
    let mut asking = queue.place(&mut it, SendOpcode::Nop, 0);
    asking[11] |= CONTROL_CQ_UPDATE;
    for (number, unit) in asking.chunks(8).enumerate() {
        it.machine.card.write((u64::from(it.uar) << 12) + 0x800 + number as u64 * 8, unit);
    }
    it.machine.settle();
    assert_eq!(it.poll(0), None, "single stores are a doorbell, and the WQE in memory is silent");
    let last = queue.place(&mut it, SendOpcode::Nop, CONTROL_CQ_UPDATE);
    queue.write(&mut it, &last[..8]);
    assert_eq!(it.outcomes(0), [Done(DONE, 2)]);
    let context = queue.context(&mut it);
    assert_eq!((context.wq().hw_counter(), context.wq().sw_counter()), (3, 3));
}

#[test]
fn states_lead_from_one_to_the_other_only_by_their_names() {
    use SqState::*;
    let mut it = setup();
    let mut queue = Queue::new(&mut it);
    let sqn = queue.sqn;
    assert_eq!(queue.context(&mut it).state(), Reset.code());
    let early = queue.place(&mut it, SendOpcode::Nop, CONTROL_CQ_UPDATE);
    queue.write(&mut it, &early);
    assert_eq!(it.poll(0), None, "nothing is executed in RST");
    assert_eq!(it.machine.refused(&to(sqn, Ready, Error), &[]).0, BadResourceState);
    assert_eq!(it.machine.refused(&to(sqn, Reset, Error), &[]).0, BadResourceState);
    it.machine.command(&to(sqn, Reset, Ready), &[]);
    queue.write(&mut it, &early);
    assert_eq!(it.outcomes(0), [Done(DONE, 0)]);
    let mut other = to(sqn, Ready, Error);
    assert_eq!(it.machine.refused(other.set_modify_bitmask(1), &[]).0, BadParameter);
    queue.place(&mut it, SendOpcode::Nop, 0);
    it.machine.command(&to(sqn, Ready, Error), &[]);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::WorkRequestFlushed, 1)]);
    it.machine.command(&to(sqn, Error, Reset), &[]);
    let context = queue.context(&mut it);
    assert_eq!((context.state(), context.wq().hw_counter()), (Reset.code(), 0));
}

#[test]
fn it_sends_nothing_to_anybody() {
    let mut it = setup();
    let mut queue = Queue::ready(&mut it);
    let send = queue.place(&mut it, SendOpcode::Send, 0);
    queue.write(&mut it, &send);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::LocalQpOperationError, 0)]);
    assert_eq!(queue.context(&mut it).state(), SqState::Error.code());
    // A queue that cannot be read: the event says that it is a send queue.
    let queue = Queue::ready(&mut it);
    it.machine.memory.put(queue.record + 4, &100_u32.to_be_bytes());
    let control = ControlSegment::new(0, 0, 0, queue.sqn, 1, 0, 0);
    queue.write(&mut it, &control.as_bytes()[..8]);
    let event = it.event().expect("an event");
    assert_eq!(event.event_type, EventType::WorkQueueCatastrophicError.code());
    let data = QpEventData::read_from_bytes(&event.event_data).unwrap();
    assert_eq!((data.queue_type, data.qpn_rqn_sqn()), (2, queue.sqn));
}

#[test]
fn it_is_no_queue_pair_and_holds_what_it_uses() {
    let mut it = setup();
    let queue = Queue::ready(&mut it);
    let (sqn, qpn) = (queue.sqn, it.pairs[0].qpn);
    let query = *QueryQpIn::new().set_qpn(sqn);
    assert_eq!(it.machine.refused(&query, &[]).0, BadResource);
    assert_eq!(it.machine.refused(DestroyQpIn::new().set_qpn(sqn), &[]).0, BadResource);
    assert_eq!(it.machine.refused(ToErrQpIn::new().set_qpn(sqn), &[]).0, BadResource);
    assert_eq!(it.machine.refused(ToRstQpIn::new().set_qpn(sqn), &[]).0, BadResource);
    assert_eq!(it.machine.refused(Rst2initQpIn::new().set_qpn(sqn), &[]).0, BadResource);
    assert_eq!(it.machine.refused(Rts2rtsQpIn::new().set_qpn(sqn), &[]).0, BadResource);
    assert_eq!(it.machine.refused(QuerySqIn::new().set_sqn(qpn), &[]).0, BadResource);
    assert_eq!(it.machine.refused(DestroySqIn::new().set_sqn(qpn), &[]).0, BadResource);
    let cqn = it.cqs[0].number;
    for pair in it.pairs.clone() {
        it.machine.command(DestroyQpIn::new().set_qpn(pair.qpn), &[]);
    }
    assert_eq!(it.machine.refused(DestroyCqIn::new().set_cqn(cqn), &[]).0, BadResourceState);
    it.machine.command(DestroySqIn::new().set_sqn(sqn), &[]);
    it.machine.command(DestroyCqIn::new().set_cqn(cqn), &[]);
    assert_eq!(it.machine.refused(DestroySqIn::new().set_sqn(sqn), &[]).0, BadResource);
}

#[test]
fn what_is_not_supported_is_refused() {
    let mut it = setup();
    let (page, record) = (it.machine.page().to_be_bytes(), it.machine.page());
    let good = input(&it, record);
    let mut refused = |change: &dyn Fn(&mut SqContext)| {
        let mut bad = good;
        change(bad.ctx_mut());
        it.machine.refused(&bad, &page).0
    };
    assert_eq!(
        refused(&|c| {
            c.set_hairpin(true);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.set_reg_umr(true);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.set_flush_in_error_en(false);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.set_state(SqState::Ready.code());
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.wq_mut().set_wq_type(0);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.wq_mut().set_wq_umem_valid(true);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.wq_mut().set_log_wq_sz(16);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.wq_mut().set_log_wq_stride(7);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.wq_mut().set_dbr_addr(record + 4);
        }),
        BadParameter
    );
    assert_eq!(
        refused(&|c| {
            c.set_cqn(0x7777);
        }),
        BadResource
    );
    assert_eq!(
        refused(&|c| {
            c.wq_mut().set_uar_page(0x7777);
        }),
        BadResource
    );
    assert_eq!(it.machine.refused(&good, &[]).0, BadInputLength);
}
