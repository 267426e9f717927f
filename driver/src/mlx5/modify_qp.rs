//! Transitions of a queue pair, and asking how it is.

use super::completion_queue::Mlx5CompletionQueue;
use super::lock::take;
use super::queue_pair::Mlx5QueuePair;
use super::tables::Mlx5Context;
use crate::bus::Bus;
use crate::control::Link;
use crate::verbs::{
    QueuePair, QueuePairAttributes, QueuePairState, Transition, Transport, VerbsError,
};
use doorbell_tracer::{Group, Value, probe};

const PROBE_GROUP: Group = Group::Control;

// ANCHOR: qp_transitions
/// Asks for a transition (`mlx5_modify_qp`). The provider itself has something to do only when a
/// queue pair is reset, and when it comes to send: posts are taken from then on.
pub fn modify_qp<B: Bus>(qp: &QueuePair, transition: &Transition) -> Result<(), VerbsError> {
    let mlx5 = Mlx5QueuePair::<B>::of(qp);
    let control = &Mlx5Context::<B>::of(qp.context()).control;
    check_address(control.address().link, transition)?;
    probe!(
        mlx5.tracer,
        call(
            "ibv_modify_qp",
            [
                ("qp", Value::Hex(qp.number().into())),
                ("qp_state", transition.target().name().into())
            ]
        )
    );
    control.modify_qp(qp.number(), transition)?;
    match transition.target() {
        QueuePairState::Reset => forget_work::<B>(qp),
        QueuePairState::ReadyToSend => take(&mlx5.send).take_requests(),
        _ => {}
    }
    probe!(mlx5.tracer, returned("ibv_modify_qp", 0_u32));
    Ok(())
}
// ANCHOR_END: qp_transitions

/// Over Ethernet there is no subnet manager and no LID: the way is a GID, and a GRH carries it.
fn check_address(link: Link, transition: &Transition) -> Result<(), VerbsError> {
    match transition.address() {
        Some(to) if link == Link::Ethernet && !to.global => Err(VerbsError::Invalid {
            what: "is_global",
            value: 0,
            why: "leads nowhere over Ethernet; a GID is needed",
        }),
        _ => Ok(()),
    }
}

// ANCHOR: reset_qp
/// What a reset leaves for the provider: no completion of the queue pair may be polled any more, and
/// both sides count from 0 again. The completion queues come first, since an entry's counter means
/// something only as long as ours does.
fn forget_work<B: Bus>(qp: &QueuePair) {
    let mlx5 = Mlx5QueuePair::<B>::of(qp);
    for cq in [qp.recv_cq(), qp.send_cq()] {
        take(&Mlx5CompletionQueue::<B>::of(cq).queue).clean(mlx5.user_index(), &mlx5.tracer);
    }
    let mut send = take(&mlx5.send);
    send.forget_work();
    let bytes = send.record.store(0);
    probe!(mlx5.tracer, store(send.record.region, send.record.offset, "", &bytes));
    let mut receive = take(&mlx5.receive);
    receive.forget_work();
    let bytes = receive.record.store(0);
    probe!(mlx5.tracer, store(receive.record.region, receive.record.offset, "", &bytes));
}
// ANCHOR_END: reset_qp

// ANCHOR: mlx5_query_qp
/// Asks the card how the queue pair is (`mlx5_query_qp`). How large the queues are only the provider
/// knows: it made them.
pub fn query_qp<B: Bus>(qp: &QueuePair) -> Result<QueuePairAttributes, VerbsError> {
    let mlx5 = Mlx5QueuePair::<B>::of(qp);
    probe!(mlx5.tracer, call("ibv_query_qp", [("qp", Value::Hex(qp.number().into()))]));
    let found = Mlx5Context::<B>::of(qp.context()).control.query_qp(qp.number())?;
    let connected = qp.transport() != Transport::UnreliableDatagram;
    let attributes = QueuePairAttributes {
        capabilities: mlx5.capabilities,
        address: found.address.filter(|_| connected),
        ..found
    };
    probe!(mlx5.tracer, returned("ibv_query_qp", attributes.state.name()));
    Ok(attributes)
}
// ANCHOR_END: mlx5_query_qp
