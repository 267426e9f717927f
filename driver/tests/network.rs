//! Software cards that are plugged into a network: here one within this process, whose time is a count
//! of questions.

mod common;

use doorbell_card::{CardConfig, Network};
use doorbell_driver::bus::{CardBus, Registers};
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5};
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Packets on their way to one card.
type Queue = Arc<Mutex<VecDeque<Vec<u8>>>>;

/// One card's end.
struct Cable {
    out: Queue,
    come: Queue,
    now: AtomicU64,
    naps: AtomicU64,
}

impl Cable {
    /// A cable with two ends.
    fn ends() -> [Arc<Self>; 2] {
        let queues = [Queue::default(), Queue::default()];
        [0, 1].map(|end| {
            let (out, come) = (Arc::clone(&queues[end]), Arc::clone(&queues[1 - end]));
            Arc::new(Self { out, come, now: AtomicU64::new(0), naps: AtomicU64::new(0) })
        })
    }
}

impl Network for Cable {
    fn time(&self) -> u64 {
        self.now.fetch_add(1000, Ordering::Relaxed)
    }

    fn send(&self, packet: Vec<u8>) {
        self.out.lock().expect("no panic").push_back(packet);
    }

    fn receive(&self) -> Option<Vec<u8>> {
        self.come.lock().expect("no panic").pop_front()
    }

    fn wait(&self, at_most: Duration) {
        self.naps.fetch_add(1, Ordering::Relaxed);
        self.now.fetch_add(at_most.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// The card with this number, as its last byte of MAC and IPv4 address.
fn config(number: u8) -> CardConfig {
    let (mac, ipv4) = ([2, 0, 0, 0, 0, number], [127, 0, 0, number]);
    CardConfig { mac, ipv4, has_wire: true, ..CardConfig::default() }
}

/// An opened card at the end of a cable.
fn context(number: u8, end: &Arc<Cable>) -> Arc<Context> {
    let wire = Arc::clone(end) as Arc<dyn Network>;
    let bus = CardBus::plugged(config(number), wire, &Tracer::off());
    let door = CardDoor::new(bus, BlueFlameSettings::default());
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(door)];
    let mut providers = Providers::new();
    providers.register(&Mlx5, &Tracer::off());
    let devices = get_device_list(&doors, &Tracer::off());
    open_device(&devices[0], &providers, &Tracer::off()).expect("the card comes up")
}

/// A queue pair with what it needs, in state INIT.
fn queue_pair(context: &Arc<Context>) -> (Arc<ProtectionDomain>, Arc<CompletionQueue>, QueuePair) {
    let pd = context.alloc_pd().expect("a protection domain");
    let cq = context.create_cq(15).expect("a completion queue");
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &cq,
        recv_cq: &cq,
        capabilities: common::SIZES,
        signal_all: false,
    };
    let qp = pd.create_qp(&request).expect("a queue pair");
    qp.init(common::ALL).expect("INIT");
    (pd, cq, qp)
}

/// INIT to RTS.
fn connect(qp: &QueuePair, to: u32, address: AddressVector) {
    qp.connect(&ConnectTo {
        qp_num: to,
        path_mtu: 3,
        first_psn: 7,
        max_dest_rd_atomic: 1,
        min_rnr_timer: 12,
        address,
    })
    .expect("RTR");
    qp.start(&SendParameters {
        first_psn: 7,
        timeout: 14,
        retry_count: 7,
        rnr_retry: 7,
        max_rd_atomic: 1,
    })
    .expect("RTS");
}

#[test]
fn a_message_goes_from_card_to_card_and_each_has_the_addresses_it_was_given() {
    let ends = Cable::ends();
    let contexts = [context(2, &ends[0]), context(3, &ends[1])];
    let ways = contexts.each_ref().map(|context| context.query_gid().expect("a GID"));
    for (way, number) in ways.iter().zip([2, 3]) {
        assert_eq!(way.mac, [2, 0, 0, 0, 0, number]);
        assert_eq!(way.gid[10..], [0xff, 0xff, 127, 0, 0, number]);
    }
    let (pd, cq, qp) = queue_pair(&contexts[0]);
    let (other_pd, other_cq, other_qp) = queue_pair(&contexts[1]);
    connect(&qp, other_qp.number(), ways[1]);
    connect(&other_qp, qp.number(), ways[0]);

    let buffer = |context: &Arc<Context>, pd: &Arc<ProtectionDomain>| {
        pd.reg_mr(context.alloc_buffer(5000, "buffer").expect("memory"), common::ALL).expect("keys")
    };
    let (source, target) = (buffer(&contexts[0], &pd), buffer(&contexts[1], &other_pd));
    source.buffer().write(0, &[0xa5; 5000]);
    let list = [target.element(0, 5000)];
    post_recv(&other_qp, &[ReceiveRequest { wr_id: 1, sg_list: &list }]).expect("posted");
    let list = [source.element(0, 5000)];
    let request = SendRequest {
        wr_id: 2,
        sg_list: &list,
        opcode: Opcode::Send,
        send_flags: SendFlags::SIGNALED,
        ..SendRequest::default()
    };
    post_send(&qp, &[request]).expect("posted");

    let mut completions = [WorkCompletion::default(); 2];
    let mut polled = |cq: &CompletionQueue| poll_cq(cq, &mut completions).expect("polled");
    let (mut sent, mut received) = (0, 0);
    for _ in 0..100 {
        sent += polled(&cq);
        received += polled(&other_cq);
        contexts.iter().for_each(|context| context.relax());
    }
    assert_eq!((sent, received), (1, 1));
    assert_eq!(target.buffer().read(0, 5000), Some(vec![0xa5; 5000]));
    let naps = ends.map(|end| end.naps.load(Ordering::Relaxed));
    assert!(naps.iter().all(|naps| (1..100).contains(naps)), "sleeps when nothing moves: {naps:?}");
}

#[test]
fn an_interrupt_is_waited_for_as_long_as_the_networks_time_says() {
    let [end, _] = Cable::ends();
    let wire = Arc::clone(&end) as Arc<dyn Network>;
    let bus = CardBus::plugged(config(2), wire, &Tracer::off());
    let begin = end.now.load(Ordering::Relaxed);
    assert!(!bus.wait_interrupt(0, Duration::from_millis(80)));
    let waited = end.now.load(Ordering::Relaxed) - begin;
    assert!((80_000_000..90_000_000).contains(&waited), "{waited} ns");
    // Without a network there is nothing to wait for.
    assert!(
        !CardBus::new(CardConfig::default(), &Tracer::off())
            .wait_interrupt(0, Duration::from_secs(1_000_000))
    );
}

#[test]
fn an_answer_that_does_not_come_is_missed_when_its_time_has_passed() {
    let ends = Cable::ends();
    let context = context(2, &ends[0]);
    let (_pd, cq, qp) = queue_pair(&context);
    let way = context.query_gid().expect("a GID");
    let mut nobody = way;
    (nobody.mac[5], nobody.gid[15]) = (9, 9);
    connect(&qp, 0x40, nobody);
    let request = SendRequest {
        wr_id: 2,
        sg_list: &[],
        opcode: Opcode::Send,
        send_flags: SendFlags::SIGNALED,
        ..SendRequest::default()
    };
    post_send(&qp, &[request]).expect("posted");
    let begin = ends[0].now.load(Ordering::Relaxed);
    let mut completions = [WorkCompletion::default()];
    while poll_cq(&cq, &mut completions).expect("polled") == 0 {
        context.relax();
    }
    assert_eq!(completions[0].status, WorkStatus::RetryExceeded);
    // Eight times 4.096 us times 2 to the power of 14.
    let waited = Duration::from_nanos(ends[0].now.load(Ordering::Relaxed) - begin);
    assert!((536..600).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(ends[1].come.lock().expect("no panic").len(), 8, "once, and seven times again");
}
