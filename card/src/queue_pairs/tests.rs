//! Two cards do whatever comes, and after each step all that a search through all queue pairs would find
//! is filed, and nothing else.
//!
//! A failure names its seed. `DOORBELL_SEED=N` runs seed N alone, `DOORBELL_PROGRAMS=N` so many of them.

// The machine of the tests in `tests/`, which knows this crate by its name.
#[path = "../../tests/support/mod.rs"]
mod support;

use super::*;
use doorbell_card::{Card, Faults};
use doorbell_prm::commands::*;
use doorbell_prm::wqe::{CONTROL_CQ_UPDATE, RemoteAddressSegment, SendOpcode};
use doorbell_prm::zerocopy::IntoBytes;
use support::asked;
use support::data::*;
use support::network::*;

/// What a search finds.
fn search(card: &Card, wanted: impl Fn(&QueuePair) -> bool) -> Vec<u32> {
    card.queue_pairs.values().filter(|qp| wanted(qp)).map(|qp| qp.qpn).collect()
}

fn filed(card: &Card, duty: Duty) -> Vec<u32> {
    card.queue_pairs.files[duty as usize].iter().copied().collect()
}

/// Compares the files with what a search finds. Adds up how much that was: of each duty, of answers
/// that are late and that are not, of receivers that may be asked again and that may not.
fn check(card: &Card, found: &mut Found) {
    let all = &card.queue_pairs;
    let answers =
        |qp: &QueuePair, read| qp.answers.front().is_some_and(|owed| owed.is_read() == read);
    assert_eq!(filed(card, Duty::Answer), search(card, |qp| answers(qp, false)));
    assert_eq!(filed(card, Duty::AnswerRead), search(card, |qp| answers(qp, true)));
    assert_eq!(filed(card, Duty::Send), search(card, |qp| qp.may_send().is_some()));
    let begins = |qp: &QueuePair| qp.state == QpState::ReadyToSend && qp.may_begin();
    assert_eq!(filed(card, Duty::Begin), search(card, begins));
    let failed = |qp: &QueuePair| qp.state == QpState::Error;
    assert_eq!(filed(card, Duty::LookAgain), search(card, failed));
    let posted = |qp: &QueuePair| qp.send.pending() > 0 || qp.receive.pending() > 0;
    let flushes = |qp: &QueuePair| failed(qp) && (qp.recheck || posted(qp));
    assert_eq!(filed(card, Duty::Flush), search(card, flushes));

    let has_come = |filed: &&(u64, u32)| has_come(filed.0, card.now);
    let due = all.waiting.iter().filter(has_come).map(|(_, qpn)| *qpn);
    let mut late: Vec<u32> = all.late.iter().copied().chain(due).collect();
    late.sort_unstable();
    let waits =
        |qp: &QueuePair| qp.context.primary_address_path().ack_timeout() > 0 && qp.is_waiting();
    let is_late = |qp: &QueuePair| waits(qp) && card.has_come(qp.window.late_at);
    assert_eq!(late, search(card, is_late));
    assert_eq!(all.waiting.len() + all.late.len(), search(card, waits).len());

    let mut resumed: Vec<u32> = all.parked.iter().filter(has_come).map(|(_, qpn)| *qpn).collect();
    resumed.sort_unstable();
    let resumes = |qp: &QueuePair| qp.window.parked && card.has_come(qp.window.resume_at);
    assert_eq!(resumed, search(card, resumes));
    assert_eq!(all.parked.len(), search(card, |qp| qp.window.parked).len());

    let mut uses = BTreeMap::new();
    for used in all.values().flat_map(used_by) {
        *uses.entry(used).or_insert(0) += 1;
    }
    assert_eq!(all.uses, uses);
    let managers: Vec<u32> = all.managers.iter().copied().collect();
    assert_eq!(managers, search(card, |qp| qp.public_qpn() != qp.qpn));

    let duties = all.files.iter().map(BTreeSet::len);
    let waits = all.waiting.len() + all.late.len() - late.len();
    let rests = [late.len(), waits, resumed.len(), all.parked.len() - resumed.len()];
    for (sum, now) in found.iter_mut().zip(duties.chain(rests)) {
        *sum += now;
    }
}

type Found = [usize; DUTIES + 4];

/// What a seed wants next.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }
}

/// Queue pairs that a side has, all with those of the other side that have the same place.
const PAIRS: usize = 4;

fn connection() -> Connection {
    Connection { first_psn: 10, ack_timeout: 11, rnr_retry: 7, ..Connection::default() }
}

fn network(seed: u64) -> Network {
    let faults = Faults { loss: 300, duplication: 300, ..Faults::default() };
    let service = QpServiceType::ReliableConnection;
    let mut it = Network::bad(service, connection(), seed, faults);
    for side in &mut it.sides {
        while side.pairs.len() < PAIRS {
            let pair = side.create_pair_of(service, side.pairs.len() % 2);
            side.pairs.push(pair);
        }
    }
    (1..PAIRS).for_each(|pair| reconnect(&mut it, pair));
    it
}

/// Whatever state they are in: from RESET to RTS.
fn reconnect(it: &mut Network, pair: usize) {
    let numbers = [0, 1].map(|side| it.sides[side].pairs[pair].qpn);
    for (side, other) in [(0, 1), (1, 0)] {
        let mut reset = ToRstQpIn::new();
        reset.set_qpn(numbers[side]);
        it.sides[side].machine.command(&reset, &[]);
        (it.sides[side].pairs[pair].posted, it.sides[side].pairs[pair].received) = (0, 0);
        let record = it.sides[side].pairs[pair].record;
        it.sides[side].machine.memory.put(record, &[0; 8]);
        it.sides[side].connect_to(pair, (numbers[other], other as u16 + 1), connection());
    }
}

fn post(it: &mut Network, side: usize, pair: usize, dice: &mut Dice) {
    let keys = [it.sides[side].key, it.sides[1 - side].key];
    let length = dice.roll(1500) as u32;
    let local = (VIRTUAL, length, keys[0]);
    let remote = (VIRTUAL + 0x4000, if dice.roll(40) == 0 { 0 } else { keys[1] });
    let fenced = |mut wqe: Vec<u8>, dice: &mut Dice| {
        wqe[11] |= if dice.roll(3) == 0 { 3 << 5 } else { 0 };
        wqe
    };
    let request = match dice.roll(6) {
        0 => rdma(SendOpcode::RdmaRead, remote, local),
        1 => atomic_add(remote, 1, (VIRTUAL, 8, keys[0])),
        2 | 3 => rdma(SendOpcode::RdmaWrite, remote, local),
        4 => send_inline(b"a message"),
        _ => wqe(
            SendOpcode::RdmaWriteImmediate,
            CONTROL_CQ_UPDATE,
            7,
            &[RemoteAddressSegment::new(remote.0, remote.1).as_bytes()],
        ),
    };
    let request = fenced(request, dice);
    let head = it.sides[side].place(pair, &request);
    let at = (u64::from(it.sides[side].uar) << 12) + 0x800;
    if dice.roll(10) > 0 {
        it.sides[side].machine.card.write(at, &head);
    }
}

/// A command whose outcome does not matter.
fn command(it: &mut Network, (side, pair): (usize, usize), dice: &mut Dice, found: &mut Found) {
    let qpn = it.sides[side].pairs[pair].qpn;
    let machine = &mut it.sides[side].machine;
    match dice.roll(6) {
        0 => {
            let mut input = ToErrQpIn::new();
            input.set_qpn(qpn);
            machine.ask(&input, &[], 0);
        }
        1 => {
            let mut input = Rts2rtsQpIn::new();
            input.set_qpn(qpn);
            // The timeout of acknowledgements, which may be none.
            input.set_opt_param_mask(1 << 14);
            let path = input.qpc_mut().primary_address_path_mut();
            path.set_ack_timeout([0, 11, 14][dice.roll(3) as usize]);
            machine.ask(&input, &[], 0);
        }
        2 => {
            let mut input = DestroyQpIn::new();
            input.set_qpn(qpn);
            machine.command(&input, &[]);
            check(&machine.card, found);
            let service = QpServiceType::ReliableConnection;
            it.sides[side].pairs[pair] = it.sides[side].create_pair_of(service, pair % 2);
            reconnect(it, pair);
        }
        _ => reconnect(it, pair),
    }
}

fn go_through(seed: u64, found: &mut Found) {
    let mut it = network(seed);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..300 {
        let (side, pair) = (dice.roll(2) as usize, dice.roll(PAIRS as u64) as usize);
        match dice.roll(12) {
            0..4 => post(&mut it, side, pair, &mut dice),
            4 | 5 => it.sides[side].receive(pair, &[(VIRTUAL + 0x8000, 2000)]),
            6 => {
                it.now += dice.roll(40) * MILLISECOND / 4;
                let now = it.now;
                it.sides.iter_mut().for_each(|side| side.machine.card.tell_time(now));
            }
            7 if dice.roll(3) == 0 => command(&mut it, (side, pair), &mut dice, found),
            // What is not taken stays on the wire, which has room for a few packets.
            7..10 => {
                while dice.roll(30) > 0
                    && let Some(packet) = it.sides[side].machine.card.take_packet()
                {
                    it.links[side].send(it.now, packet);
                }
                while let Some(packet) = it.links[side].receive(it.now) {
                    it.sides[1 - side].machine.card.bring_packet(packet);
                }
            }
            _ => {
                for _ in 0..dice.roll(60) {
                    let machine = &mut it.sides[side].machine;
                    machine.card.run(&mut machine.memory);
                    check(&machine.card, found);
                }
            }
        }
        it.sides.iter().for_each(|side| check(&side.machine.card, found));
    }
    it.sides[0].machine.command(&TeardownHcaIn::new(), &[]);
    check(&it.sides[0].machine.card, found);
}

#[test]
fn nobody_who_has_something_to_do_is_forgotten() {
    let (seed, programs) = (asked("DOORBELL_SEED"), asked("DOORBELL_PROGRAMS"));
    let first = seed.unwrap_or(1);
    let count = programs.unwrap_or(if seed.is_some() { 1 } else { 30 });
    let mut found = Found::default();
    for seed in first..first + count {
        println!("seed {seed}");
        go_through(seed, &mut found);
    }
    println!("{found:?}");
    assert!(count < 30 || !found.contains(&0), "the programs leave out something: {found:?}");
}
