//! A card that was brought up properly, with objects of every kind, and rules that say what of the
//! guest's memory each of them was given.

use crate::random::Random;
use crate::rules::{connection, machine};
pub use crate::support::data::*;
pub use crate::support::{BASE, Machine, PAGE};
use crate::told::{Told, is_for};
use crate::watch::{Rules, Seen, Watched};
pub use doorbell_card::{CardConfig, Link};
pub use doorbell_prm::commands::*;
pub use doorbell_prm::registers::init_segment::offset;
pub use doorbell_prm::roce::BthOpcode;
pub use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How far a run has come, for somebody else to see whether it still goes on.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Seed of the program that runs.
    pub seed: AtomicU64,
    pub steps: AtomicU64,
}

/// A key that the guest knows, with the first address and the length of what it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub key: u32,
    pub address: u64,
    pub length: u64,
}

/// A queue pair beyond what the tests' driver remembers.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub service: QpServiceType,
    /// Its peer is another of the card's queue pairs, or somebody on the wire.
    pub peer: Option<usize>,
    pub shares: bool,
    pub form: Form,
}

/// What there is of a queue pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Whole,
    /// The end of an extended reliable connection that receives: it has no queue of its own.
    Target,
    /// A send queue that is an object of its own.
    SendQueue,
}

/// A shared receive queue, and how many were posted to it.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    pub number: u32,
    pub buffer: u64,
    pub record: u64,
    pub posted: u16,
}

/// Number of the peer on the wire of a queue pair: this, and its place.
pub const ABROAD: u32 = 0x70_0000;
/// Where the peers on the wire are.
pub const ABROAD_IP: [u8; 4] = [192, 168, 0, 9];
pub const ABROAD_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
pub const ABROAD_LID: u16 = 9;
pub const QUEUE_KEY: u32 = 0x1234;

/// Steps after which a card that is given nothing more must rest. The most that a guest can ask for at
/// a time are the rings of eleven queue pairs: each has room for 16 WQEs of 3 segments that send up to
/// 64 KiB in packets of 256 bytes, so 12,288 packets; each takes two steps, and may be sent eight times.
const STEPS_TO_REST: u64 = 2_200_000;
/// The most accesses of one step: the commands of all 32 slots, each with an input and an output whose
/// mailboxes all are different places of the memory, read and written.
const MOST_IN_STEP: u64 = 32 * 4 * 2_600;

pub struct World {
    pub it: Setup,
    pub kinds: Vec<Kind>,
    pub keys: Vec<Key>,
    /// Windows by their index, and the low byte that was bound last.
    pub windows: Vec<u32>,
    /// The shared receive queues: that of reliable connections, and that of extended ones.
    pub pools: Vec<Pool>,
    pub xrcd: u32,
    pub connection: Connection,
    /// What is posted now makes sense.
    pub careful: bool,
    pub random: Random,
    pub now: Option<u64>,
    /// `None` once the guest hands over anything it likes.
    pub rules: Option<Rules>,
    pub seen: Seen,
    pub told: Arc<Mutex<Told>>,
    pub pulse: Arc<Pulse>,
    pub register_writes: u64,
    pub leaving: Vec<Vec<u8>>,
    /// Steps after which the card must rest, and accesses that a step may have.
    pub steps_to_rest: u64,
    pub most_in_step: u64,
}

impl World {
    pub fn new(seed: u64, held_to_rules: bool, pulse: &Arc<Pulse>) -> Self {
        pulse.seed.store(seed, Ordering::Relaxed);
        let mut random = Random::new(seed);
        let told = Arc::default();
        let connection = connection(&mut random);
        let mut machine = machine(&mut random, &told);
        let now = (!random.once_in(4)).then_some(1_000_000_000);
        now.into_iter().for_each(|now| machine.card.tell_time(now));
        let mut it = Setup::with(machine, connection);
        for _ in 2..6 {
            let queue = create_cq(&mut it.machine, it.uar, it.eq.number);
            it.cqs.push(queue);
        }
        let mut world = Self {
            kinds: Vec::new(),
            keys: vec![Key { key: it.key, address: VIRTUAL, length: 16 * PAGE }],
            windows: Vec::new(),
            pools: Vec::new(),
            xrcd: 0,
            connection,
            careful: false,
            random,
            now,
            rules: None,
            seen: Seen::default(),
            told,
            pulse: Arc::clone(pulse),
            register_writes: 0,
            leaving: Vec::new(),
            steps_to_rest: STEPS_TO_REST,
            most_in_step: MOST_IN_STEP,
            it,
        };
        world.create_pairs();
        let mut rules = Rules::new(world.it.machine.memory.bytes.len());
        world.grant_queues(&mut rules);
        world.register_more(&mut rules);
        world.rules = held_to_rules.then_some(rules);
        world.it.machine.memory.accesses = Vec::new();
        *world.heard() = Told::default();
        world
    }

    pub fn heard(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

impl World {
    /// One step of the card; `false` when it had nothing to do.
    pub fn step(&mut self) -> bool {
        self.pulse.steps.fetch_add(1, Ordering::Relaxed);
        self.seen.in_step = 0;
        let machine = &mut self.it.machine;
        let mut host = Watched {
            memory: &mut machine.memory,
            rules: self.rules.as_ref(),
            seen: &mut self.seen,
            most_in_step: self.most_in_step,
        };
        let worked = machine.card.run(&mut host);
        let accesses = std::mem::take(&mut self.heard().accesses);
        if let Some(rules) = &self.rules {
            let windows = !self.windows.is_empty();
            for access in &accesses {
                let grant = rules.check(access.address, access.length, access.is_write);
                if !grant.as_ref().is_ok_and(|grant| is_for(grant, access, windows)) {
                    self.seen.wrong.push(format!("{access:?} is not for {grant:?}"));
                }
            }
        }
        let wrong = &self.seen.wrong;
        assert!(wrong.is_empty(), "the card went beyond what it was given: {wrong:#?}");
        worked
    }

    /// Lets the card work until it rests.
    pub fn rest(&mut self) {
        for _ in 0..self.steps_to_rest {
            if !self.step() {
                return;
            }
            while let Some(packet) = self.it.machine.card.take_packet() {
                self.keep(packet);
            }
        }
        panic!("a hang: the card does not come to rest");
    }

    /// Lets the card work: until it rests, or for a few steps only.
    pub fn work(&mut self) {
        if self.random.below(4) > 0 {
            return self.rest();
        }
        for _ in 0..self.random.below(30) {
            self.step();
        }
        while let Some(packet) = self.it.machine.card.take_packet() {
            self.keep(packet);
        }
    }

    /// Of the packets that left by the wire, the latest are kept to be answered.
    fn keep(&mut self, packet: Vec<u8>) {
        if self.leaving.len() == 64 {
            self.leaving.remove(0);
        }
        self.leaving.push(packet);
    }

    /// Writes a register.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        self.register_writes += 1;
        self.it.machine.card.write(at, bytes);
    }
}
