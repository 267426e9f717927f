//! Draining a queue: waiting until nothing of it is outstanding.
//!
//! A program that wants to free its buffers must know that the card is done with them. Destroying the
//! queue pair would do, but then completions are lost that somebody waits for. The kernel has helpers
//! for it (`ib_drain_sq`, `ib_drain_rq`); in user space each program writes its own, and this is one.

use super::{
    CompletionQueue, Opcode, PollError, PostError, QueuePair, ReceiveRequest, RemoteAddress,
    SendFlags, SendRequest, Transport, VerbsError, WorkCompletion, poll_cq, post_recv, post_send,
};

/// Why a queue could not be drained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrainError {
    /// The queue pair did not come to the error state.
    #[error(transparent)]
    Verbs(#[from] VerbsError),
    /// There was no room for the marker: leave room for one work request more.
    #[error("the marker behind all other work requests could not be posted: {0}")]
    Post(#[from] PostError),
    /// The completion queue could not be polled.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// The marker did not come back in time.
    #[error(
        "work requests are still outstanding after {looks} looks at the completion queue; does somebody else poll it, or has it overrun?"
    )]
    Outstanding {
        /// How often was looked.
        looks: u32,
    },
    /// Receives of a shared queue are nobody's until a message takes them.
    #[error(
        "this queue pair takes its receives from a shared queue, which is not flushed; wait for the event that the last one was taken (LAST_WQE_REACHED)"
    )]
    SharedReceives,
    /// A datagram needs an address, and there is none that a marker could have.
    #[error(
        "the send queue of a datagram queue pair has no work request without an address that could be the marker; signal the last one, and poll until it comes back"
    )]
    Datagrams,
}

/// How a queue is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// `wr_id` of the marker: a number that no outstanding work request has.
    pub marker: u64,
    /// How often to look at the completion queue before giving up.
    pub looks: u32,
}

impl Drain {
    // ANCHOR: drain_sq
    /// Brings a queue pair to the error state and waits until every send of it has completed or was
    /// flushed (`ib_drain_sq`). All completions that were met are put behind those in `completions`,
    /// also if this fails, since they may be of other queues that complete in the same place.
    ///
    /// Counting completions would not do: a send that was not signalled and succeeded never makes
    /// one. So a marker is posted, which is flushed after all others, for they are in order. There
    /// must be room for it in both queues.
    pub fn sends(
        self,
        qp: &QueuePair,
        completions: &mut Vec<WorkCompletion>,
    ) -> Result<(), DrainError> {
        if qp.transport() == Transport::UnreliableDatagram {
            return Err(DrainError::Datagrams);
        }
        qp.fail()?;
        let nothing = RemoteAddress { address: 0, rkey: 0 };
        let marker = SendRequest {
            wr_id: self.marker,
            sg_list: &[],
            opcode: Opcode::RdmaWrite,
            send_flags: SendFlags::SIGNALED,
            remote: nothing,
            ..SendRequest::default()
        };
        post_send(qp, &[marker])?;
        self.wait(qp, qp.send_cq(), completions)
    }
    // ANCHOR_END: drain_sq

    // ANCHOR: drain_rq
    /// The same for receives (`ib_drain_rq`).
    pub fn receives(
        self,
        qp: &QueuePair,
        completions: &mut Vec<WorkCompletion>,
    ) -> Result<(), DrainError> {
        if qp.srq().is_some() {
            return Err(DrainError::SharedReceives);
        }
        qp.fail()?;
        post_recv(qp, &[ReceiveRequest { wr_id: self.marker, sg_list: &[] }])?;
        self.wait(qp, qp.recv_cq(), completions)
    }
    // ANCHOR_END: drain_rq

    /// Polls until the marker comes back. It is not put to the others.
    fn wait(
        self,
        qp: &QueuePair,
        cq: &CompletionQueue,
        completions: &mut Vec<WorkCompletion>,
    ) -> Result<(), DrainError> {
        let mut one = [WorkCompletion::default()];
        for _ in 0..self.looks {
            if poll_cq(cq, &mut one)? == 0 {
                cq.context().relax();
                continue;
            }
            if (one[0].qp_num, one[0].wr_id) == (qp.number(), self.marker) {
                return Ok(());
            }
            completions.push(one[0]);
        }
        Err(DrainError::Outstanding { looks: self.looks })
    }
}
