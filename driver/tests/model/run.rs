//! A program that runs in both worlds, and what is compared.

use super::lossy::{MORE, MOST, TwoCards};
use super::numbers::Numbers;
use super::program::{Act, LENGTH, Request, Setting};
use super::real::{Real, polled};
use super::reference::{Refused, Side, Wanted, resolved};
use super::work::work;
use doorbell_driver::verbs::*;
use std::sync::Arc;

/// What was met, to be sure that the programs are worth something.
#[derive(Debug, Default)]
pub struct Seen {
    pub succeeded: usize,
    pub failed: usize,
    pub flushed: usize,
    pub received: usize,
    pub refused: usize,
    /// Datagrams and messages of an unreliable connection that nobody received.
    pub lost: usize,
    pub atomics: usize,
    pub swapped: usize,
    pub bound: usize,
    pub through: usize,
    pub invalidated: usize,
    pub invalidated_from_afar: usize,
    pub shared: usize,
}

/// A program that runs in both worlds.
pub struct Run<'a> {
    real: [Real; 2],
    sides: [Side; 2],
    cards: Cards<'a>,
}

/// What gets a turn when a program lets the card work.
#[derive(Clone, Copy)]
pub enum Cards<'a> {
    /// One card, which is done when its turn is over.
    One(&'a Arc<Context>),
    /// Two, which are done when all has come over the link.
    Two(&'a TwoCards),
}

impl<'a> Run<'a> {
    pub fn new(cards: Cards<'a>, setting: Setting, seed: u64) -> Self {
        let contexts = match cards {
            Cards::One(context) => [context; 2],
            Cards::Two(cards) => cards.contexts.each_ref(),
        };
        let mut numbers = Numbers(!seed);
        let sources =
            [0; 2].map(|_| (0..LENGTH).map(|_| numbers.next() as u8).collect::<Vec<u8>>());
        let mut real = [0, 1].map(|side| Real::new(contexts[side], setting, &sources[side]));
        let others = [1, 0].map(|other| {
            let address = contexts[other].query_gid().expect("an address");
            (real[other].qp.number(), address)
        });
        for (own, (other, address)) in real.iter_mut().zip(others) {
            own.connect(setting.lossy, other, address);
        }
        let [left, right] = sources;
        let sides = [
            Side::new(setting, left, real[0].window.rkey()),
            Side::new(setting, right, real[1].window.rkey()),
        ];
        Self { real, sides, cards }
    }

    pub fn step(&mut self, act: Act, place: &str, seen: &mut Seen) {
        match act {
            Act::Post { side, requests } => {
                let (requests, wanted) = self.post(side, &requests);
                let got = self.real[side].post(&self.real[1 - side], &requests);
                seen.refused += usize::from(wanted.is_err());
                assert_eq!(got, wanted, "{place}");
                let posted = wanted.map_or_else(|(index, _)| index, |()| requests.len());
                let through = requests[..posted].iter().filter(|request| request.through);
                seen.through += through.count();
            }
            Act::Receive { side, receives } => {
                let wanted = self.sides[side].post_receives(&receives);
                seen.shared += usize::from(self.sides[side].setting.shared);
                assert_eq!(self.real[side].post_receives(&receives), wanted, "{place}");
            }
            Act::Work => {
                work(&mut self.sides);
                match self.cards {
                    Cards::One(context) => context.relax(),
                    Cards::Two(cards) => self.wait(cards, place, seen),
                }
                self.compare_memory(place);
            }
            Act::PollSends { side, most } => {
                let wanted = self.sides[side].poll_sends(most);
                let got = polled(&self.real[side].send_cq, most);
                compare(&got, &wanted, place, seen);
            }
            Act::PollReceives { side, most } => {
                let wanted = self.sides[side].poll_receives(most);
                seen.received += wanted.iter().filter(|one| one.done.is_some()).count();
                let got = polled(&self.real[side].recv_cq, most);
                compare(&got, &wanted, place, seen);
                self.compare_senders(side, &got, place);
            }
        }
    }

    /// Posts in the reference; says what was posted, and how it went.
    fn post(&mut self, side: usize, requests: &[Request]) -> (Vec<Request>, Result<(), Refused>) {
        let mut posted = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            let request = resolved(&self.sides, side, request);
            let result = self.sides[side].post(&request);
            posted.push(request);
            if let Err(errno) = result {
                // Those behind it are not looked at.
                posted.extend_from_slice(&requests[index + 1..]);
                return (posted, Err((index, errno)));
            }
        }
        (posted, Ok(()))
    }

    /// Waits until all has happened that is to happen, and for a while more, in which nothing may. To
    /// see it, all completions are polled.
    fn wait(&mut self, cards: &TwoCards, place: &str, seen: &mut Seen) {
        let mut got: [[Vec<WorkCompletion>; 2]; 2] = Default::default();
        let mut more = MORE;
        for _ in 0..MOST {
            cards.turn();
            for (got, real) in got.iter_mut().zip(&self.real) {
                got[0].extend(polled(&real.send_cq, usize::MAX));
                got[1].extend(polled(&real.recv_cq, usize::MAX));
            }
            let all = self.sides.iter().zip(&got).all(|(side, got)| {
                got[0].len() >= side.sent.len() && got[1].len() >= side.received.len()
            });
            if all && (more < MORE || differences(&self.real, &self.sides).is_empty()) {
                more -= 1;
            }
            if more == 0 {
                break;
            }
        }
        for (side, [sent, received]) in self.sides.iter_mut().zip(got) {
            compare(&sent, &side.poll_sends(usize::MAX), place, seen);
            let wanted = side.poll_receives(usize::MAX);
            seen.received += wanted.len();
            compare(&received, &wanted, place, seen);
        }
    }

    fn compare_memory(&self, place: &str) {
        let all = differences(&self.real, &self.sides);
        assert!(all.is_empty(), "{all:?} not as wanted after {place}");
    }

    /// Each datagram says who has sent it.
    fn compare_senders(&self, side: usize, received: &[WorkCompletion], place: &str) {
        if self.sides[side].setting.transport == Transport::UnreliableDatagram {
            let sender = self.real[1 - side].qp.number();
            let good = received.iter().filter(|one| one.status == WorkStatus::Success);
            for one in good {
                assert_eq!((one.arrival.src_qp, one.arrival.grh), (sender, true), "{place}");
            }
        }
    }

    /// Everything is polled: nothing may be left.
    pub fn end(&mut self, place: &str, seen: &mut Seen) {
        for side in &self.sides {
            seen.lost += side.lost;
            seen.swapped += side.swapped;
        }
        for real in &self.real {
            for cq in [&real.send_cq, &real.recv_cq] {
                assert_eq!(polled(cq, usize::MAX), [], "too much in {place}");
            }
        }
    }
}

/// The memories that are not what they are to be.
fn differences(real: &[Real; 2], sides: &[Side; 2]) -> Vec<String> {
    let mut all = Vec::new();
    for (which, (side, real)) in sides.iter().zip(real).enumerate() {
        let memories = [
            ("source", &side.source, &real.source),
            ("landing", &side.landing, &real.landing),
            ("target", &side.target, &real.target),
        ];
        for (name, wanted, got) in memories {
            let got = got.buffer().read(0, LENGTH).expect("as long as it is");
            if let Some(place) = (0..LENGTH).find(|&place| wanted[place] != got[place]) {
                all.push(format!("{name} of side {which} from byte {place} on"));
            }
        }
        let got = real.inbox.buffer().read(0, LENGTH).expect("as long as it is");
        let differs = |&place: &usize| side.inbox[place].is_some_and(|byte| byte != got[place]);
        if let Some(place) = (0..LENGTH).find(differs) {
            all.push(format!("inbox of side {which} from byte {place} on"));
        }
    }
    all
}

fn compare(got: &[WorkCompletion], wanted: &[Wanted], place: &str, seen: &mut Seen) {
    let told = |got: &[WorkCompletion]| format!("{got:?}\nbut wanted were {wanted:?}\nin {place}");
    assert_eq!(got.len(), wanted.len(), "{}", told(got));
    for (one, wanted) in got.iter().zip(wanted) {
        assert_eq!((one.wr_id, one.status), (wanted.wr_id, wanted.status), "{}", told(got));
        match wanted.status {
            WorkStatus::Success => seen.succeeded += 1,
            WorkStatus::Flushed => seen.flushed += 1,
            _ => seen.failed += 1,
        }
        let Some(done) = wanted.done else { continue };
        assert_eq!((one.opcode, one.immediate), (done.opcode, done.immediate), "{}", told(got));
        use Completed::*;
        match done.opcode {
            Send | RdmaWrite => {}
            BindMemoryWindow => seen.bound += 1,
            LocalInvalidate => seen.invalidated += 1,
            _ => assert_eq!(one.byte_len, done.length, "{}", told(got)),
        }
        seen.atomics += usize::from(matches!(done.opcode, CompareAndSwap | FetchAndAdd));
        if matches!(done.opcode, Receive | ReceiveRdmaWithImmediate) {
            assert_eq!(one.arrival.invalidated, done.invalidated, "{}", told(got));
            seen.invalidated_from_afar += usize::from(done.invalidated.is_some());
        }
    }
}
