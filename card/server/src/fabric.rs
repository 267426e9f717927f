//! The network between cards of one process: what leaves one card comes in at all others, and each
//! takes what is for it.
//!
//! A card sends while it is locked, so what comes in waits in a queue beside each card, under a lock
//! of its own that is never held while another one is taken but the list of ports. Two cards that
//! send to each other therefore cannot wait for each other. A queue that is full makes the senders
//! wait, as credits do on InfiniBand, and a port whose guest is gone takes nothing and loses all.

use doorbell_card::Card;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Packets that may wait at a port before senders must.
const ROOM: usize = 256;

/// A network that cards can be served on, see [`crate::Options::fabric`]. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Fabric(Arc<Mutex<Vec<Weak<Port>>>>);

/// A card's place in the network.
#[derive(Debug)]
struct Port {
    inbox: Mutex<VecDeque<Vec<u8>>>,
    /// How many packets wait, so that a look costs no lock.
    waiting: AtomicUsize,
    /// A guest drives the card.
    is_up: AtomicBool,
    /// Wakes the card's worker.
    news: Arc<Condvar>,
}

/// A card's end of its cable. The card leaves the network when this is dropped.
#[derive(Debug)]
pub(crate) struct Plug {
    fabric: Fabric,
    port: Arc<Port>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fabric {
    pub(crate) fn join(&self, news: &Arc<Condvar>) -> Plug {
        let port = Arc::new(Port {
            inbox: Mutex::default(),
            waiting: AtomicUsize::new(0),
            is_up: AtomicBool::new(false),
            news: Arc::clone(news),
        });
        let mut ports = lock(&self.0);
        ports.retain(|port| port.strong_count() > 0);
        ports.push(Arc::downgrade(&port));
        drop(ports);
        Plug { fabric: self.clone(), port }
    }
}

impl Plug {
    /// The guest came, or went: what waits for one that is gone is lost.
    pub(crate) fn set_up(&self, is_up: bool) {
        self.port.is_up.store(is_up, Ordering::Relaxed);
        if !is_up {
            lock(&self.port.inbox).clear();
            self.port.waiting.store(0, Ordering::Relaxed);
            self.wake_others();
        }
    }

    /// Brings the card one packet that came in, and carries off those that leave. `false` when
    /// there was nothing to do, or nothing could be done.
    pub(crate) fn exchange(&self, card: &mut Card) -> bool {
        let came = self.take();
        let has_come = came.is_some();
        if let Some(packet) = came {
            card.bring_packet(packet);
        }
        card.has_packet() && self.carry_off(card) || has_come
    }

    fn take(&self) -> Option<Vec<u8>> {
        if self.port.waiting.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut inbox = lock(&self.port.inbox);
        let was_full = inbox.len() >= ROOM;
        let packet = inbox.pop_front();
        self.port.waiting.store(inbox.len(), Ordering::Relaxed);
        drop(inbox);
        if was_full {
            self.wake_others();
        }
        packet
    }

    fn carry_off(&self, card: &mut Card) -> bool {
        let others = self.others();
        let mut has_moved = false;
        while others.iter().all(|port| port.has_room())
            && let Some(packet) = card.take_packet()
        {
            for port in &others {
                port.put(packet.clone());
            }
            has_moved = true;
        }
        if has_moved {
            others.iter().for_each(|port| port.news.notify_all());
        }
        has_moved
    }

    /// The other ports that take anything.
    fn others(&self) -> Vec<Arc<Port>> {
        let ports = lock(&self.fabric.0);
        let others = ports.iter().filter_map(Weak::upgrade);
        let others = others.filter(|port| !Arc::ptr_eq(port, &self.port));
        others.filter(|port| port.is_up.load(Ordering::Relaxed)).collect()
    }

    fn wake_others(&self) {
        self.others().iter().for_each(|port| port.news.notify_all());
    }
}

impl Port {
    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < ROOM || !self.is_up.load(Ordering::Relaxed)
    }

    fn put(&self, packet: Vec<u8>) {
        let mut inbox = lock(&self.inbox);
        inbox.push_back(packet);
        self.waiting.store(inbox.len(), Ordering::Relaxed);
    }
}
