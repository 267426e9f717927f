//! Two threads at one doorbell register.

mod common;

use common::loops::{Loop, settings};
use doorbell_card::CardConfig;
use doorbell_driver::bus::*;
use doorbell_driver::control::firmware::Firmware;
use doorbell_driver::mlx5::open_with;
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Notes who is writing a register: from the write until the flush it must be one thread.
struct Watch {
    writing: Mutex<BTreeMap<(u32, usize), ThreadId>>,
    mixed: AtomicUsize,
}

impl Watch {
    const fn new() -> Self {
        Self { writing: Mutex::new(BTreeMap::new()), mixed: AtomicUsize::new(0) }
    }

    /// How often a thread wrote a register that another had written and not flushed.
    fn mixed(&self) -> usize {
        self.mixed.load(Ordering::Relaxed)
    }
}

/// The software card's bus, watched.
struct WatchedBus {
    card: Arc<CardBus>,
    watch: &'static Watch,
}

struct WatchedPage {
    page: Arc<CardPage>,
    index: u32,
    watch: &'static Watch,
}

struct WatchedRegister {
    register: CardRegister,
    place: (u32, usize),
    watch: &'static Watch,
}

impl WatchedRegister {
    fn begin(&self) {
        let own = thread::current().id();
        let before = self.watch.writing.lock().expect("no panic").insert(self.place, own);
        if before.is_some_and(|other| other != own) {
            self.watch.mixed.fetch_add(1, Ordering::Relaxed);
        }
        // Time for another thread to come between.
        thread::sleep(Duration::from_micros(20));
    }
}

impl DoorbellRegister for WatchedRegister {
    fn write_8(&self, bytes: [u8; 8]) {
        self.begin();
        self.register.write_8(bytes);
    }
    fn write_64(&self, offset: usize, unit: impl Fn(usize) -> [u8; 16]) {
        self.begin();
        self.register.write_64(offset, unit);
    }
    fn flushed(&self) {
        self.register.flushed();
        self.watch.writing.lock().expect("no panic").remove(&self.place);
    }
    fn toggle(&mut self) {
        self.register.toggle();
    }
    fn offset(&self) -> usize {
        self.register.offset()
    }
}

impl UarPage for WatchedPage {
    type Register = WatchedRegister;
    fn register(self: &Arc<Self>, offset: usize, buffer_size: usize) -> WatchedRegister {
        let register = self.page.register(offset, buffer_size);
        WatchedRegister { register, place: (self.index, offset / 512), watch: self.watch }
    }
    fn write_4(&self, offset: usize, bytes: [u8; 4]) {
        self.page.write_4(offset, bytes);
    }
    fn write_8(&self, offset: usize, bytes: [u8; 8]) {
        self.page.write_8(offset, bytes);
    }
    fn flushed(&self) {
        self.page.flushed();
    }
}

impl Bus for WatchedBus {
    type Page = WatchedPage;
}

impl Registers for WatchedBus {
    fn read(&self, offset: usize) -> u32 {
        self.card.read(offset)
    }
    fn write(&self, offset: usize, value: u32) {
        self.card.write(offset, value);
    }
    fn pci_device(&self) -> (u16, u8) {
        self.card.pci_device()
    }
    fn map_uar(&self, index: u32) -> WatchedPage {
        let page = Arc::new(self.card.map_uar(index));
        WatchedPage { page, index, watch: self.watch }
    }
    fn write_combining(&self) -> bool {
        true
    }
    fn interrupts(&self) -> u16 {
        0
    }
    fn wait_interrupt(&self, _: u16, _: Duration) -> bool {
        false
    }
    fn relax(&self) {
        self.card.relax();
    }
}

/// Opens the watched card. Providers are never unregistered, so each test has a static one.
struct WatchedProvider {
    /// Registers of the context, and how many of them are dedicated.
    registers: (u32, u32),
    watch: &'static Watch,
}

impl Provider for WatchedProvider {
    fn name(&self) -> &'static str {
        "watched"
    }
    fn matches(&self, _: &DeviceInfo) -> bool {
        true
    }
    fn open(&self, _: &Device, tracer: &Tracer) -> Result<Opened, VerbsError> {
        let card = CardBus::new(CardConfig::default(), tracer);
        let memory = Arc::clone(card.memory());
        let bus = Arc::new(WatchedBus { card, watch: self.watch });
        let firmware = Firmware::bring_up(bus, memory, tracer)?;
        open_with(Arc::new(firmware), settings(self.registers.0, self.registers.1), tracer)
    }
}

/// The place where it is found.
struct WatchedDoor;

impl Door for WatchedDoor {
    fn place(&self) -> String {
        "this test".to_owned()
    }
    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        Ok(vec![DeviceInfo { name: "watched0".to_owned(), vendor: 0x15b3, device: 0x101b }])
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A context on a watched card.
fn watched(provider: &'static WatchedProvider) -> Arc<Context> {
    let tracer = Tracer::off();
    let mut providers = Providers::new();
    providers.register(provider, &tracer);
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(WatchedDoor)];
    let devices = get_device_list(&doors, &tracer);
    open_device(&devices[0], &providers, &tracer).expect("it opens")
}

/// Posts to both at the same time, each from a thread of its own.
fn post_from_two_threads(loops: &[Loop; 2]) {
    let begin = Barrier::new(2);
    thread::scope(|scope| {
        for one in loops {
            scope.spawn(|| {
                begin.wait();
                (0..300).for_each(|wr_id| one.post(wr_id));
            });
        }
    });
}

#[test]
fn two_threads_on_one_shared_register_never_mix_and_lose_nothing() {
    static WATCH: Watch = Watch::new();
    static PROVIDER: WatchedProvider = WatchedProvider { registers: (2, 1), watch: &WATCH };
    let context = watched(&PROVIDER);
    let pd = context.alloc_pd().expect("a protection domain");
    // A page has two registers. The first page is for one queue pair each; the third and the fourth
    // have the second page's, with a lock, and the fifth shares that of the third.
    let mut loops: Vec<Loop> = (0..5).map(|_| Loop::new(&pd)).collect();
    let pair = [loops.remove(4), loops.remove(2)];
    post_from_two_threads(&pair);
    assert_eq!(WATCH.mixed(), 0);
}

#[test]
fn the_watch_sees_two_threads_that_break_the_promise_of_a_thread_domain() {
    static WATCH: Watch = Watch::new();
    static PROVIDER: WatchedProvider = WatchedProvider { registers: (16, 4), watch: &WATCH };
    let context = watched(&PROVIDER);
    let pd = context.alloc_pd().expect("a protection domain");
    let parent = pd.for_thread(&context.alloc_td().expect("a thread domain"));
    let pair = [0; 2].map(|_| Loop::new(&parent));
    // On a busy machine one may be done before the other gets its turn: not again and again.
    let mixed = (0..1000).any(|_| {
        post_from_two_threads(&pair);
        WATCH.mixed() > 0
    });
    assert!(mixed);
}
