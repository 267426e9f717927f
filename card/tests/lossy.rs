//! Connections over a bad network: every message arrives once, in order, with its bytes, and
//! completions come in the order of the work.
//!
//! Each test goes through some seeds and names the one that fails. `DOORBELL_SEED=n` runs seed n alone.

mod support;

use doorbell_card::Faults;
use doorbell_prm::commands::{QpServiceType, QpState};
use doorbell_prm::cqe::CqeOpcode;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::IntoBytes;
use support::asked;
use support::data::{Outcome::*, *};
use support::network::*;

const REQUEST: u8 = CqeOpcode::Requester.code();

/// 10 % lost, and the rest in any order and number.
const BAD: Faults = Faults {
    loss: 1000,
    duplication: 1000,
    reordering: 1000,
    delay: 10 * MICROSECOND,
    holding: 300 * MICROSECOND,
};
const LOSS: Faults = Faults { loss: 1000, delay: 10 * MICROSECOND, ..NONE };
const DOUBLES: Faults =
    Faults { duplication: 5000, delay: 10 * MICROSECOND, holding: 100 * MICROSECOND, ..NONE };
const DISORDER: Faults =
    Faults { reordering: 3000, delay: 10 * MICROSECOND, holding: 100 * MICROSECOND, ..NONE };
const NONE: Faults = Faults { loss: 0, duplication: 0, reordering: 0, delay: 0, holding: 0 };

/// The answer is late after 1 ms; 7 retries, and 7 stands for endless when a receiver is not ready.
fn connection() -> Connection {
    Connection {
        first_psn: 0xff_ff00,
        retry_count: 7,
        rnr_retry: 7,
        ack_timeout: 8,
        ..Connection::default()
    }
}

fn network(seed: u64, faults: Faults) -> Network {
    Network::bad(QpServiceType::ReliableConnection, connection(), seed, faults)
}

fn for_seeds(count: u64, test: impl Fn(u64)) {
    for seed in asked("DOORBELL_SEED").map_or(1..count + 1, |seed| seed..seed + 1) {
        println!("seed {seed}");
        test(seed);
    }
}

/// A piece of work of side 0, and how many blocks of the send queue it takes.
type Work = (Vec<u8>, u16);

/// Posts work as there is room and polls until all of it has completed, with time going on. `receive`
/// posts a receive at side 1, whenever there is room for one. Answers the outcomes of both sides.
fn run(it: &mut Network, work: &[Work], mut receive: impl FnMut(&mut Setup)) -> [Vec<Outcome>; 2] {
    let (mut next, mut in_queue, mut done, mut received) = (0, 0, Vec::new(), Vec::new());
    for _ in 0..20_000 {
        while it.sides[1].pairs[0].received - it.taken < 1 << LOG_RQ {
            receive(&mut it.sides[1]);
        }
        let mut wqes = Vec::new();
        while let Some((wqe, blocks)) = work.get(next)
            && in_queue + blocks <= 1 << LOG_SQ
        {
            wqes.push(wqe.clone());
            (next, in_queue) = (next + 1, in_queue + blocks);
        }
        if !wqes.is_empty() {
            it.sides[0].post(0, &wqes);
        }
        it.carry();
        for outcome in it.sides[0].outcomes(0) {
            in_queue -= work[done.len()].1;
            done.push(outcome);
        }
        let arrived = it.sides[1].outcomes(0);
        it.taken += arrived.len() as u16;
        received.extend(arrived);
        if done.len() == work.len() {
            return [done, received];
        }
        // Nothing is under way: a timer has to run out.
        it.wait(100 * MICROSECOND);
    }
    panic!("{} of {} pieces of work are done", done.len(), work.len());
}

/// A SEND of one number, inline.
fn numbered(number: u32) -> Work {
    (send_inline(&number.to_be_bytes()), 1)
}

#[test]
fn every_message_arrives_once_and_in_order() {
    for (name, faults, seeds) in
        [("bad", BAD, 12), ("loss", LOSS, 4), ("doubles", DOUBLES, 4), ("disorder", DISORDER, 4)]
    {
        println!("{name}");
        for_seeds(seeds, |seed| {
            let mut it = network(seed, faults);
            let work: Vec<Work> = (0..60).map(numbered).collect();
            let mut place = 0;
            let [_, received] = run(&mut it, &work, |side| {
                side.receive(0, &[(VIRTUAL + place % 256 * 4, 4)]);
                place += 1;
            });
            assert_eq!(received.len(), 60, "{name}, seed {seed}");
            let right = |(at, outcome): (usize, &Outcome)| {
                *outcome == Done(CqeOpcode::ResponderSend.code(), at as u16)
            };
            assert!(received.iter().enumerate().all(right), "{name}, seed {seed}: {received:?}");
            for number in 0..60_u32 {
                let bytes = it.sides[1].get(VIRTUAL + u64::from(number) * 4, 4);
                assert_eq!(bytes, number.to_be_bytes(), "{name}, seed {seed}");
            }
        });
    }
}

/// Lengths about the path MTU of 256 and its multiples.
const LENGTHS: [u32; 13] = [1, 3, 4, 255, 256, 257, 511, 512, 513, 1023, 1025, 4096, 5000];

#[test]
fn writes_reads_and_sends_of_all_lengths_carry_the_right_bytes() {
    for_seeds(6, |seed| {
        let mut it = network(seed, BAD);
        let keys = [0, 1].map(|side| it.sides[side].key);
        let source = pattern(0x2000);
        it.sides[0].put(VIRTUAL, &source);
        for (number, length) in LENGTHS.into_iter().enumerate() {
            let [local, remote] = [VIRTUAL + number as u64 * 7, VIRTUAL + 0x4000];
            let bytes = &source[number * 7..number * 7 + length as usize];
            let data = DataSegment::new(length, keys[0], local);
            // Written, read back, and sent.
            let work = [
                (rdma(SendOpcode::RdmaWrite, (remote, keys[1]), (local, length, keys[0])), 1),
                (
                    rdma(
                        SendOpcode::RdmaRead,
                        (remote, keys[1]),
                        (VIRTUAL + 0x8000, length, keys[0]),
                    ),
                    1,
                ),
                (wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[data.as_bytes()]), 1),
            ];
            let [_, received] =
                run(&mut it, &work, |side| side.receive(0, &[(VIRTUAL + 0x8000, 5000)]));
            let what = format!("seed {seed}, {length} bytes");
            assert_eq!(received, [Done(CqeOpcode::ResponderSend.code(), number as u16)], "{what}");
            assert_eq!(it.sides[1].get(remote, length as usize), bytes, "written, {what}");
            assert_eq!(it.sides[0].get(VIRTUAL + 0x8000, length as usize), bytes, "read, {what}");
            assert_eq!(it.sides[1].get(VIRTUAL + 0x8000, length as usize), bytes, "sent, {what}");
        }
    });
}

#[test]
fn completions_of_mixed_work_come_in_its_order() {
    for_seeds(8, |seed| {
        let mut it = network(seed, BAD);
        let keys = [0, 1].map(|side| it.sides[side].key);
        let remote = (VIRTUAL + 0x4000, keys[1]);
        let kinds = [
            rdma(SendOpcode::RdmaWrite, remote, (VIRTUAL, 700, keys[0])),
            rdma(SendOpcode::RdmaRead, remote, (VIRTUAL + 0x1000, 900, keys[0])),
            send_inline(b"message"),
            atomic_add((VIRTUAL + 0xf000, keys[1]), 1, (VIRTUAL + 0x3000, 8, keys[0])),
            wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]),
        ];
        // Which comes next looks like chance, and is the same for each seed.
        let kind = |number: u64| (number * number * 7 + number * seed) as usize % kinds.len();
        let work: Vec<Work> = (0..50)
            .map(|number| {
                let wqe = kinds[kind(number)].clone();
                (wqe.clone(), wqe.len().div_ceil(SEND_BLOCK) as u16)
            })
            .collect();
        let mut indexes = Vec::new();
        let mut index = 0;
        for (_, blocks) in &work {
            indexes.push(Done(REQUEST, index));
            index += blocks;
        }
        let [done, received] =
            run(&mut it, &work, |side| side.receive(0, &[(VIRTUAL + 0x9000, 64)]));
        assert_eq!(done, indexes, "seed {seed}");
        let sends = (0..50).filter(|number| kind(*number) == 2).count();
        assert_eq!(received.len(), sends, "seed {seed}");
        let adds = (0..50).filter(|number| kind(*number) == 3).count() as u64;
        assert_eq!(it.sides[1].get(VIRTUAL + 0xf000, 8), adds.to_le_bytes(), "seed {seed}");
        assert_eq!(it.sides[0].state(0), QpState::ReadyToSend);
    });
}

#[test]
fn the_sum_of_atomics_is_exact() {
    for_seeds(10, |seed| {
        let mut it = network(seed, BAD);
        let keys = [0, 1].map(|side| it.sides[side].key);
        let counter = VIRTUAL + 0xf000;
        let work: Vec<Work> = (0..40)
            .map(|number| {
                (atomic_add((counter, keys[1]), 3, (VIRTUAL + number * 8, 8, keys[0])), 2)
            })
            .collect();
        run(&mut it, &work, |side| side.receive(0, &[]));
        let number = |bytes: Vec<u8>| u64::from_le_bytes(bytes.try_into().unwrap());
        assert_eq!(number(it.sides[1].get(counter, 8)), 120, "seed {seed}");
        for place in 0..40 {
            let found = number(it.sides[0].get(VIRTUAL + place * 8, 8));
            assert_eq!(found, place * 3, "seed {seed}: each found what the one before left");
        }
    });
}

#[test]
fn both_sides_send_at_once() {
    for_seeds(4, |seed| {
        let mut it = network(seed, BAD);
        let keys = [0, 1].map(|side| it.sides[side].key);
        for side in 0..2 {
            let mine = vec![side as u8 + 1; 0x2000];
            it.sides[side].put(VIRTUAL, &mine);
            let remote = (VIRTUAL + 0x4000, keys[1 - side]);
            let wqe = rdma(SendOpcode::RdmaWrite, remote, (VIRTUAL, 0x2000, keys[side]));
            it.sides[side].post(0, &[wqe]);
        }
        let mut done = [false; 2];
        for _ in 0..5000 {
            it.carry();
            for (side, done) in it.sides.iter_mut().zip(&mut done) {
                *done |= side.outcomes(0) == [Done(REQUEST, 0)];
            }
            if done == [true; 2] {
                break;
            }
            it.wait(100 * MICROSECOND);
        }
        assert_eq!(done, [true; 2], "seed {seed}");
        for side in 0..2 {
            let theirs = it.sides[side].get(VIRTUAL + 0x4000, 0x2000);
            assert_eq!(theirs, vec![2 - side as u8; 0x2000], "seed {seed}");
        }
    });
}

/// Of an unreliable connection some messages arrive, whole and in order.
#[test]
fn what_arrives_unreliably_is_whole() {
    for_seeds(8, |seed| {
        let faults = Faults { loss: 1000, delay: MICROSECOND, ..NONE };
        let service = QpServiceType::UnreliableConnection;
        let mut it = Network::bad(service, connection(), seed, faults);
        let length = 700_u32;
        let mut arrived = Vec::new();
        for number in 1..=40_u8 {
            if it.sides[1].pairs[0].received as usize <= arrived.len() {
                it.sides[1].receive(0, &[(VIRTUAL, length)]);
            }
            it.sides[0].put(VIRTUAL, &vec![number; length as usize]);
            let data = DataSegment::new(length, it.sides[0].key, VIRTUAL);
            let wqe = wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[data.as_bytes()]);
            it.sides[0].post(0, &[wqe]);
            it.carry();
            assert_eq!(it.sides[0].outcomes(0), [Done(REQUEST, u16::from(number) - 1)]);
            if let [Done(..)] = it.sides[1].outcomes(0)[..] {
                assert_eq!(it.sides[1].get(VIRTUAL, 700), vec![number; 700], "seed {seed}");
                arrived.push(number);
            }
        }
        assert!((15..40).contains(&arrived.len()), "seed {seed}: {arrived:?}");
        assert!(arrived.is_sorted());
        assert_eq!(it.sides[1].state(0), QpState::ReadyToSend);
    });
}

#[test]
fn a_run_over_a_bad_network_can_be_repeated() {
    let traffic = |seed| {
        let mut it = network(seed, BAD);
        let work: Vec<Work> = (0..30).map(numbered).collect();
        run(&mut it, &work, |side| side.receive(0, &[(VIRTUAL, 4)]));
        (it.now, it.links[0].count(), it.links[1].count())
    };
    assert_eq!(traffic(5), traffic(5));
    assert_ne!(traffic(5), traffic(6));
}
