//! `shared-blueflame`: two threads, one BlueFlame register, no lock.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::pair::wait_for;
use crate::turns::Turns;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{Context, PostError, ProtectionDomain, post_send};
use std::sync::Arc;
use std::thread;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "Two queue pairs on one BlueFlame register",
    topic: Topic::Failures,
    summary: "Two queue pairs of one thread domain are used by two threads after all. Their WQEs have two blocks each, and mix in the register that both ring without a lock.",
    own: Settings { inline: true, ..Settings::DEFAULT },
    keys: keys::ONE_ELEMENT,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "shared-blueflame",
    ends: "wrong data at one receiver, though both sends end with IBV_WC_SUCCESS",
    is: |error| matches!(error, ExampleError::NotArrived(_)),
    see: "Both work requests succeed. What one receiver finds begins with what was sent to it and ends with what was sent to the other. The buffers and both rings are right; only the packet is not.",
    why: "A WQE of two blocks comes to the register as two bursts. Between those of one thread came one of the other, and the card joined what belongs to different WQEs. A lock around the register keeps them apart. A thread domain has none: it is a promise that one thread uses its queue pairs.",
    check: "That each thread has its own thread domain, or none. Then that MLX5_SINGLE_THREADED is not set; and that a library that writes the register itself locks those which it shares. MLX5_SHUT_UP_BF=1 makes such errors go away, and so finds them.",
};

// ANCHOR: shared_blueflame
/// One thread domain for two queue pairs, and two threads.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let domain = context.alloc_td()?;
    let pd = context.alloc_pd()?.for_thread(&domain);
    post_from_two_threads(world, &context, [&pd, &pd], settings)
}

/// Each thread posts one RDMA WRITE to a queue pair of its own. On the bus of the software card they take
/// turns: each stops behind every block that it has written to its register.
fn post_from_two_threads(
    world: &World,
    context: &Arc<Context>,
    pds: [&Arc<ProtectionDomain>; 2],
    settings: &Settings,
) -> Result<Vec<String>, ExampleError> {
    let turns = Arc::new(Turns::new(&world.tracer));
    world.card()?.interpose(Arc::clone(&turns) as _);
    let second_user = pds[1].used_by(Turns::actor(1));
    let (one, two) = (Pair::of_domain(pds[0], settings)?, Pair::of_domain(&second_user, settings)?);
    let first = Exchange::new(&one, *settings)?;
    let second = Exchange::of(&two, *settings, settings.message().to_ascii_lowercase())?;

    let post = |place: usize, pair: &Pair, exchange: &Exchange<'_>| -> Result<(), PostError> {
        let _part = turns.take_part(place);
        let elements = exchange.elements();
        post_send(&pair.sender, &[exchange.request(0, &elements[0])])
    };
    let posted = thread::scope(|scope| {
        let other = scope.spawn(|| post(1, &two, &second));
        (post(0, &one, &first), other.join())
    });
    posted.0?;
    posted.1.map_err(|_| ExampleError::NotArrived("the second thread has panicked"))??;

    wait_for(&one.send_cq, context)?;
    wait_for(&two.send_cq, context)?;
    first.arrived(&world.tracer)?;
    second.arrived(&world.tracer)
}
// ANCHOR_END: shared_blueflame

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use doorbell_tracer::{Actor, Clock, Full, Kind, Tracer};

    /// Bytes of the bursts to BlueFlame registers, in the order of the program.
    fn bursts(tracer: &Tracer) -> Vec<Vec<u8>> {
        let burst = |kind: Kind| match kind {
            Kind::RegisterWrite { register, bytes, .. } if register == "BlueFlame" => {
                Some(bytes.to_vec())
            }
            _ => None,
        };
        tracer.take().into_iter().filter_map(|record| burst(record.kind)).collect()
    }

    #[test]
    fn the_same_turns_with_a_thread_domain_for_each_do_no_harm() {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        let world = World::new(Device::Card, &tracer);
        let context = world.open().expect("a card");
        let pd = || -> Result<_, ExampleError> {
            Ok(context.alloc_pd()?.for_thread(&context.alloc_td()?))
        };
        let pds = [pd().expect("a domain"), pd().expect("another")];
        let settings = SCENARIO.own;
        post_from_two_threads(&world, &context, [&pds[0], &pds[1]], &settings)
            .expect("all is right");
        assert_eq!(bursts(&tracer).len(), 4);
    }

    #[test]
    fn each_thread_is_told_as_itself() {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        run(&World::new(Device::Card, &tracer), &SCENARIO.own).expect_err("the bursts mix");
        let records = tracer.take();
        let of = |wanted: fn(&Kind) -> bool| -> Vec<(Actor, u16)> {
            let found = records.iter().filter(|record| wanted(&record.kind));
            found.map(|record| (record.actor, record.depth)).collect()
        };
        let (one, other) = (Actor::Cpu(0), Actor::Cpu(1));
        let calls =
            of(|kind| matches!(kind, Kind::Call { function, .. } if function == "ibv_post_send"));
        assert_eq!(calls, [(one, 0), (other, 0)], "neither calls within the other's call");
        let bursts = of(
            |kind| matches!(kind, Kind::RegisterWrite { register, .. } if register == "BlueFlame"),
        );
        assert_eq!(
            bursts.iter().map(|burst| burst.0).collect::<Vec<_>>(),
            [one, other, one, other]
        );
        let turns =
            of(|kind| matches!(kind, Kind::Note { text, .. } if text.ends_with("thread's turn")));
        assert_eq!(turns.iter().map(|turn| turn.0).collect::<Vec<_>>(), [one, other, one, other]);
        let places = |actor| -> Vec<usize> {
            let at = |at: &usize| records[*at].actor == actor;
            (0..records.len()).filter(at).collect()
        };
        let second = places(other);
        let calls =
            |at: &usize| matches!(records[*at].kind, Kind::Call { .. } | Kind::Return { .. });
        let ends = [second.first(), second.last()].map(|at| at.is_some_and(calls));
        assert_eq!(ends, [true, true], "nothing else is the second thread's");
    }

    #[test]
    fn one_receiver_gets_the_end_of_the_other_message() {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        let outcome = run(&World::new(Device::Card, &tracer), &SCENARIO.own);
        assert!(outcome.is_err_and(|error| (FAILURE.is)(&error)));
        let [first, second, first_end, second_end] = &bursts(&tracer)[..] else {
            panic!("two blocks each")
        };
        let begins = |block: &[u8], text: &[u8]| block.windows(text.len()).any(|part| part == text);
        assert!(begins(first, b"ABCDEFG") && begins(second, b"abcdefg"), "they alternate");
        assert!(first_end[0].is_ascii_uppercase() && second_end[0].is_ascii_lowercase());
    }
}
