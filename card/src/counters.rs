//! Counters that queue pairs share: what went wrong, and what the other side asked for.

use crate::administration::{Answer, Given, plain};
use crate::card::Card;
use crate::queue_pair::QueuePair;
use crate::reason::Reason;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::BthOpcode;
use std::collections::BTreeMap;

/// All sets of counters, by number.
pub(crate) type CounterSets = BTreeMap<u8, Counters>;

/// A set of counters; they wrap.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    writes: u32,
    reads: u32,
    atomics: u32,
    out_of_buffer: u32,
    out_of_sequence: u32,
    duplicates: u32,
    not_ready_answers: u32,
    sequence_errors: u32,
    timeouts: u32,
    /// Requests and receives that completed with an error, by syndrome.
    requests_failed: BySyndrome,
    receives_failed: BySyndrome,
}

/// Errors of each syndrome.
#[derive(Debug, Clone, Copy, Default)]
struct BySyndrome([u32; 32]);

impl BySyndrome {
    fn add(&mut self, syndrome: CqeSyndrome) {
        if let Some(count) = self.0.get_mut(usize::from(syndrome.code())) {
            *count = count.wrapping_add(1);
        }
    }

    fn of(&self, syndrome: CqeSyndrome) -> u32 {
        self.0.get(usize::from(syndrome.code())).copied().unwrap_or(0)
    }

    /// All but those that were flushed.
    fn errors(&self) -> u32 {
        let all = self.0.iter().fold(0_u32, |sum, count| sum.wrapping_add(*count));
        all.wrapping_sub(self.of(CqeSyndrome::WorkRequestFlushed))
    }
}

/// What is counted besides errors of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A request of the other side was carried out.
    Request(BthOpcode),
    /// A message found no receive.
    OutOfBuffer,
    /// A packet came too early.
    OutOfSequence,
    /// A request came a second time.
    Duplicate,
    /// The other side was not ready.
    NotReadyAnswer,
    /// The other side missed a packet.
    SequenceError,
    /// No answer came in time.
    Timeout,
}

impl Card {
    pub(crate) fn alloc_q_counter(
        &mut self,
        _: Given<'_, AllocQCounterIn>,
    ) -> Answer<AllocQCounterOut> {
        let number = self.numbers.counters.take()? as u8;
        self.counters.insert(number, Counters::default());
        let mut output = AllocQCounterOut::zeroed();
        output.set_counter_set_id(number);
        plain(output)
    }

    pub(crate) fn dealloc_q_counter(
        &mut self,
        given: Given<'_, DeallocQCounterIn>,
    ) -> Answer<DeallocQCounterOut> {
        let number = given.input.counter_set_id();
        self.counters.remove(&number);
        match self.numbers.counters.give_back(number.into()) {
            true => plain(DeallocQCounterOut::zeroed()),
            false => Err(Reason::NoSuchCounterSet),
        }
    }

    pub(crate) fn query_q_counter(
        &mut self,
        given: Given<'_, QueryQCounterIn>,
    ) -> Answer<QueryQCounterOut> {
        if given.input.other_vport() || given.input.aggregate() {
            return Err(Reason::OtherFunction);
        }
        let counters = self.counters.get_mut(&given.input.counter_set_id());
        let counters = counters.ok_or(Reason::NoSuchCounterSet)?;
        let output = report(counters);
        if given.input.clear() {
            *counters = Counters::default();
        }
        plain(output)
    }

    pub(crate) fn count(&mut self, qp: &QueuePair, what: Counted) {
        let Some(counters) = self.counters.get_mut(&qp.context.counter_set_id()) else {
            return;
        };
        let counter = match what {
            Counted::Request(BthOpcode::ReadRequest) => &mut counters.reads,
            Counted::Request(opcode) if opcode.has_atomic() => &mut counters.atomics,
            Counted::Request(opcode) if opcode.has_reth() => &mut counters.writes,
            Counted::Request(_) => return,
            Counted::OutOfBuffer => &mut counters.out_of_buffer,
            Counted::OutOfSequence => &mut counters.out_of_sequence,
            Counted::Duplicate => &mut counters.duplicates,
            Counted::NotReadyAnswer => &mut counters.not_ready_answers,
            Counted::SequenceError => &mut counters.sequence_errors,
            Counted::Timeout => &mut counters.timeouts,
        };
        *counter = counter.wrapping_add(1);
    }

    /// Counts a piece of work that completes with an error.
    pub(crate) fn count_failure(&mut self, qp: &QueuePair, is_send: bool, syndrome: CqeSyndrome) {
        if let Some(counters) = self.counters.get_mut(&qp.context.counter_set_id()) {
            match is_send {
                true => counters.requests_failed.add(syndrome),
                false => counters.receives_failed.add(syndrome),
            }
        }
    }
}

fn report(counters: &Counters) -> QueryQCounterOut {
    use CqeSyndrome::*;
    let (sent, received) = (&counters.requests_failed, &counters.receives_failed);
    let mut output = QueryQCounterOut::zeroed();
    output
        .set_rx_write_requests(counters.writes)
        .set_rx_read_requests(counters.reads)
        .set_rx_atomic_requests(counters.atomics)
        .set_out_of_buffer(counters.out_of_buffer)
        .set_out_of_sequence(counters.out_of_sequence)
        .set_duplicate_request(counters.duplicates)
        .set_rnr_nak_retry_err(counters.not_ready_answers)
        .set_packet_seq_err(counters.sequence_errors)
        .set_local_ack_timeout_err(counters.timeouts)
        .set_req_rnr_retries_exceeded(sent.of(RnrRetryExceeded))
        .set_resp_local_length_error(received.of(LocalLengthError))
        .set_req_local_length_error(sent.of(LocalLengthError))
        .set_resp_local_qp_error(received.of(LocalQpOperationError))
        .set_local_operation_error(sent.of(LocalQpOperationError))
        .set_resp_local_protection(received.of(LocalProtectionError))
        .set_req_local_protection(sent.of(LocalProtectionError))
        .set_resp_cqe_error(received.errors())
        .set_req_cqe_error(sent.errors())
        .set_req_bad_response(sent.of(BadResponseError))
        .set_req_remote_invalid_request(sent.of(RemoteInvalidRequest))
        .set_req_remote_access_errors(sent.of(RemoteAccessError))
        .set_req_remote_operation_errors(sent.of(RemoteOperationError))
        .set_req_transport_retries_exceeded(sent.of(TransportRetryExceeded))
        .set_resp_cqe_flush_error(received.of(WorkRequestFlushed))
        .set_req_cqe_flush_error(sent.of(WorkRequestFlushed));
    output
}
