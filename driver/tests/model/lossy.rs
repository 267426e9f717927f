//! Two cards with a bad link between them, and a clock that goes when the program says so.

use doorbell_card::{CardConfig, Faults, LossyLink, Network};
use doorbell_driver::bus::CardBus;
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5};
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the link does to packets, in each direction.
const FAULTS: Faults =
    Faults { loss: 300, duplication: 500, reordering: 300, delay: 10_000, holding: 300_000 };

/// How long a turn of both cards is, in nanoseconds: short against the millisecond in which an answer is
/// late.
const TURN: u64 = 100_000;

/// Turns after all has been done: long enough for what was held back to come, and for what was not
/// acknowledged to be sent again.
pub const MORE: u32 = 25;

/// Turns after which nothing is to be expected any more.
pub const MOST: u32 = 4000;

/// One card's end of the link.
struct End {
    out: Arc<Mutex<LossyLink>>,
    come: Arc<Mutex<LossyLink>>,
    clock: Arc<AtomicU64>,
}

impl Network for End {
    fn time(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn send(&self, packet: Vec<u8>) {
        self.out.lock().expect("no panic").send(self.time(), packet);
    }

    fn receive(&self) -> Option<Vec<u8>> {
        self.come.lock().expect("no panic").receive(self.time())
    }

    /// Time goes by turns.
    fn wait(&self, _: Duration) {}
}

/// Two cards and the link.
pub struct TwoCards {
    pub contexts: [Arc<Context>; 2],
    links: [Arc<Mutex<LossyLink>>; 2],
    clock: Arc<AtomicU64>,
}

impl TwoCards {
    /// Both directions do to packets what this seed wants.
    pub fn new(seed: u64) -> Self {
        let links = [seed, !seed].map(|seed| Arc::new(Mutex::new(LossyLink::new(seed, FAULTS))));
        let clock = Arc::new(AtomicU64::new(0));
        let contexts = [0, 1].map(|which| {
            let (out, come) = (Arc::clone(&links[which]), Arc::clone(&links[1 - which]));
            context(which as u8 + 2, End { out, come, clock: Arc::clone(&clock) })
        });
        Self { contexts, links, clock }
    }

    /// Packets that were lost so far, and packets that came twice or late.
    pub fn troubles(&self) -> (u64, u64) {
        let fates = self.links.each_ref().map(|link| link.lock().expect("no panic").fates());
        let lost = fates.iter().map(|fates| fates.lost).sum();
        (lost, fates.iter().map(|fates| fates.duplicated + fates.held).sum())
    }

    /// Both cards work, and time goes on.
    pub fn turn(&self) {
        self.contexts.iter().for_each(|context| context.relax());
        self.clock.fetch_add(TURN, Ordering::Relaxed);
    }
}

/// An opened card with this number, as the last byte of its addresses.
fn context(number: u8, end: End) -> Arc<Context> {
    let tracer = Tracer::off();
    let (mac, ipv4) = ([2, 0, 0, 0, 0, number], [127, 0, 0, number]);
    let config = CardConfig { mac, ipv4, has_wire: true, ..CardConfig::default() };
    let bus = CardBus::plugged(config, Arc::new(end), &tracer);
    let doors: Vec<Arc<dyn Door>> =
        vec![Arc::new(CardDoor::new(bus, BlueFlameSettings::default()))];
    let mut providers = Providers::new();
    providers.register(&Mlx5, &tracer);
    let devices = get_device_list(&doors, &tracer);
    open_device(&devices[0], &providers, &tracer).expect("the card comes up")
}
