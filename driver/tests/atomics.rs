//! A device without atomic operations: what is asked of it, and what is refused.

mod common;

use common::{connect, unconnected};
use doorbell_card::CardConfig;
use doorbell_driver::bus::CardBus;
use doorbell_driver::control::ControlError;
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5};
use doorbell_driver::verbs::*;
use doorbell_tracer::{Clock, Full, Kind, Tracer};
use std::sync::Arc;

const OPERATIONS: [Opcode; 2] = [Opcode::AtomicFetchAndAdd, Opcode::AtomicCompareAndSwap];

fn open(atomics: bool, tracer: &Tracer) -> Arc<Context> {
    let bus = CardBus::new(CardConfig { atomics, ..CardConfig::default() }, tracer);
    let doors: Vec<Arc<dyn Door>> =
        vec![Arc::new(CardDoor::new(bus, BlueFlameSettings::default()))];
    let mut providers = Providers::new();
    providers.register(&Mlx5, tracer);
    let devices = get_device_list(&doors, tracer);
    open_device(&devices[0], &providers, tracer).expect("the card comes up")
}

/// A queue pair that is connected with itself.
fn queue_pair(context: &Arc<Context>) -> QueuePair {
    let qp = unconnected(context);
    connect(context, &qp, qp.number());
    qp
}

fn atomic(opcode: Opcode) -> SendRequest<'static> {
    let operands = Operands::Atomic { compare_add: 1, swap: 2 };
    SendRequest { opcode, operands, ..SendRequest::default() }
}

/// The ring is not touched, and the card hears nothing.
#[test]
fn atomics_are_refused_before_anything_is_written() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let qp = queue_pair(&open(false, &tracer));
    for opcode in OPERATIONS {
        tracer.take();
        let error = post_send(&qp, &[atomic(opcode)]).expect_err("there are none");
        assert_eq!(error, PostError { index: 0, cause: PostCause::NoAtomics });
        assert_eq!(error.cause.errno(), 95);
        assert!(error.to_string().contains("EOPNOTSUPP"), "{error}");
        let told = tracer.take();
        let writes = |kind: &Kind| matches!(kind, Kind::Store { .. } | Kind::RegisterWrite { .. });
        assert!(!told.iter().any(|record| writes(&record.kind)), "{opcode:?}");
    }
    // In a list those before it are posted.
    let list = [SendRequest::default(), atomic(OPERATIONS[0]), SendRequest::default()];
    let error = post_send(&qp, &list).expect_err("the second is refused");
    assert_eq!(error, PostError { index: 1, cause: PostCause::NoAtomics });
}

#[test]
fn a_batch_with_one_fails() {
    let qp = queue_pair(&open(false, &Tracer::off()));
    let nowhere = RemoteAddress::default();
    let adding = wr_start(&qp, |batch| {
        batch.atomic_fetch_add(nowhere, 1).set_sge_list(&[]);
        End::Complete
    });
    let swapping = wr_start(&qp, |batch| {
        batch.send().set_sge_list(&[]);
        batch.atomic_cmp_swp(nowhere, 1, 2).set_sge_list(&[]);
        End::Complete
    });
    let refused = |index| Err(BatchError { index, cause: PostCause::NoAtomics });
    assert_eq!([adding, swapping], [refused(0), refused(1)]);
}

#[test]
fn a_full_queue_is_told_first() {
    let qp = queue_pair(&open(false, &Tracer::off()));
    let full = (0..64).find_map(|_| post_send(&qp, &[SendRequest::default()]).err());
    assert!(matches!(full, Some(PostError { cause: PostCause::QueueFull { .. }, .. })));
    let error = post_send(&qp, &[atomic(OPERATIONS[0])]).expect_err("no room");
    assert!(matches!(error.cause, PostCause::QueueFull { .. }), "{error}");
}

#[test]
fn the_other_side_cannot_be_allowed_any() {
    let transition =
        |atomics: bool| unconnected(&open(atomics, &Tracer::off())).init(Access::REMOTE_ATOMIC);
    assert_eq!(transition(true), Ok(()));
    assert_eq!(transition(false), Err(VerbsError::Control(ControlError::NoAtomics)));
}

#[test]
fn a_device_that_has_them_takes_them() {
    let qp = queue_pair(&open(true, &Tracer::off()));
    for opcode in OPERATIONS {
        assert_eq!(post_send(&qp, &[atomic(opcode)]), Ok(()));
    }
}
