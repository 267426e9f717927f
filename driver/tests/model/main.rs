//! Random programs of posts and polls, run by driver and card, and by a plain reference of what the verbs
//! say. After each step both have answered the same, and after each of the card's turns all memory is
//! the same.
//!
//! The seed is printed; `DOORBELL_SEED=N` repeats a run, and `DOORBELL_PROGRAMS=N` runs more of them.

#[path = "../common/mod.rs"]
mod common;
mod program;
mod reference;

use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use program::{Act, Flaw, LENGTH, Numbers, Piece, Receive, Request, SIZES};
use reference::{Refused, Side, Wanted};
use std::sync::Arc;

/// Programs of one run.
const PROGRAMS: u64 = 3000;

#[test]
fn random_programs_end_as_the_verbs_say() {
    let asked = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = started.map_or(1, |since| since.as_nanos() as u64);
    let first = asked("DOORBELL_SEED").unwrap_or(now);
    let count = asked("DOORBELL_PROGRAMS").unwrap_or(PROGRAMS);
    println!("seed {first} (DOORBELL_SEED={first} repeats it): {count} programs");
    let context = common::context(BlueFlameSettings::default(), &Tracer::off());
    let mut seen = Seen::default();
    for number in 0..count {
        let seed = first.wrapping_add(number);
        let mut run = Run::new(&context, seed);
        for (step, act) in program::program(seed).into_iter().enumerate() {
            let place = format!("step {step} of DOORBELL_SEED={seed} DOORBELL_PROGRAMS=1: {act:?}");
            run.step(act, &place, &mut seen);
        }
    }
    println!("{seen:?}");
    // Programs that never get anywhere would prove nothing.
    let all = [seen.succeeded, seen.failed, seen.flushed, seen.received, seen.refused];
    let enough = count < 1000 || all.iter().all(|&times| times > count as usize / 20);
    assert!(enough, "the programs do too little: {seen:?}");
}

/// What was met, to be sure that the programs are worth something.
#[derive(Debug, Default)]
struct Seen {
    succeeded: usize,
    failed: usize,
    flushed: usize,
    received: usize,
    refused: usize,
}

/// One side of the real thing.
struct Real {
    qp: QueuePair,
    send_cq: Arc<CompletionQueue>,
    recv_cq: Arc<CompletionQueue>,
    source: MemoryRegion,
    landing: MemoryRegion,
    window: MemoryRegion,
    inbox: MemoryRegion,
}

/// A program that runs in both worlds.
struct Run {
    context: Arc<Context>,
    real: [Real; 2],
    sides: [Side; 2],
}

impl Run {
    fn new(context: &Arc<Context>, seed: u64) -> Self {
        let pd = context.alloc_pd().expect("a protection domain");
        let mut numbers = Numbers(!seed);
        let sources =
            [0; 2].map(|_| (0..LENGTH).map(|_| numbers.next() as u8).collect::<Vec<u8>>());
        let real = [0, 1].map(|side| real(context, &pd, &sources[side]));
        for (own, other) in [(0, 1), (1, 0)] {
            connect(context, &real[own].qp, real[other].qp.number());
        }
        Self { context: Arc::clone(context), real, sides: sources.map(Side::new) }
    }

    fn step(&mut self, act: Act, place: &str, seen: &mut Seen) {
        match act {
            Act::Post { side, requests } => {
                let wanted = self.sides[side].post(&requests);
                let got = self.post(side, &requests);
                seen.refused += usize::from(wanted.is_err());
                assert_eq!(got, wanted, "{place}");
            }
            Act::Receive { side, receives } => {
                let wanted = self.sides[side].post_receives(&receives);
                assert_eq!(self.post_receives(side, &receives), wanted, "{place}");
            }
            Act::Work => {
                reference::work(&mut self.sides);
                self.context.relax();
                self.compare_memory(place);
            }
            Act::PollSends { side, most } => {
                let wanted = self.sides[side].poll_sends(most);
                compare(&polled(&self.real[side].send_cq, most), &wanted, place, seen);
            }
            Act::PollReceives { side, most } => {
                let wanted = self.sides[side].poll_receives(most);
                seen.received += wanted.iter().filter(|one| one.done.is_some()).count();
                compare(&polled(&self.real[side].recv_cq, most), &wanted, place, seen);
            }
        }
    }

    fn post(&self, side: usize, requests: &[Request]) -> Result<(), Refused> {
        let (own, other) = (&self.real[side], &self.real[1 - side]);
        let lists: Vec<_> = requests.iter().map(|request| elements(own, request)).collect();
        let built: Vec<_> = requests
            .iter()
            .zip(&lists)
            .map(|(request, list)| SendRequest {
                opcode: request.opcode,
                send_flags: flags(request),
                immediate: request.immediate,
                remote: remote(other, request),
                ..common::write(request.wr_id, list, &other.window)
            })
            .collect();
        post_send(&own.qp, &built).map_err(|error| (error.index as usize, error.cause.errno()))
    }

    fn post_receives(&self, side: usize, receives: &[Receive]) -> Result<(), Refused> {
        let own = &self.real[side];
        let lists: Vec<_> =
            receives.iter().map(|receive| list(&own.inbox, &receive.pieces)).collect();
        let built = receives.iter().zip(&lists);
        let built: Vec<_> = built
            .map(|(receive, list)| ReceiveRequest { wr_id: receive.wr_id, sg_list: list })
            .collect();
        post_recv(&own.qp, &built).map_err(|error| (error.index as usize, error.cause.errno()))
    }

    fn compare_memory(&self, place: &str) {
        for (which, (side, real)) in self.sides.iter().zip(&self.real).enumerate() {
            let all = [
                ("source", &side.source, &real.source),
                ("landing", &side.landing, &real.landing),
                ("window", &side.window, &real.window),
                ("inbox", &side.inbox, &real.inbox),
            ];
            for (name, wanted, got) in all {
                let got = got.buffer().read(0, LENGTH);
                assert!(
                    got.as_ref() == Some(wanted),
                    "the {name} of side {which} differs after {place}"
                );
            }
        }
    }
}

fn real(context: &Arc<Context>, pd: &Arc<ProtectionDomain>, source: &[u8]) -> Real {
    let cq = || context.create_cq(255).expect("a completion queue");
    let (send_cq, recv_cq) = (cq(), cq());
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &send_cq,
        recv_cq: &recv_cq,
        capabilities: SIZES,
        signal_all: false,
    };
    let qp = pd.create_qp(&request).expect("a queue pair");
    let memory = |bytes: &[u8]| {
        let buffer = context.alloc_buffer(LENGTH, "model").expect("room");
        assert!(buffer.write(0, bytes));
        pd.reg_mr(buffer, common::ALL).expect("a key")
    };
    let [landing, window, inbox] = [0; 3].map(|_| memory(&[0; LENGTH]));
    Real { qp, source: memory(source), landing, window, inbox, send_cq, recv_cq }
}

/// RESET to RTS; a send waits for its receive without end.
fn connect(context: &Context, own: &QueuePair, other: u32) {
    own.init(common::ALL).expect("INIT");
    own.connect(&ConnectTo {
        qp_num: other,
        path_mtu: 1,
        first_psn: 0xff_fffe,
        max_dest_rd_atomic: 1,
        min_rnr_timer: 1,
        address: context.query_gid().expect("an address"),
    })
    .expect("RTR");
    own.start(&SendParameters {
        first_psn: 0xff_fffe,
        timeout: 14,
        retry_count: 7,
        rnr_retry: 7,
        max_rd_atomic: 1,
    })
    .expect("RTS");
}

fn list(region: &MemoryRegion, pieces: &[Piece]) -> Vec<ScatterGatherElement> {
    pieces.iter().map(|piece| region.element(piece.offset, piece.length as u32)).collect()
}

fn elements(own: &Real, request: &Request) -> Vec<ScatterGatherElement> {
    let region = if request.opcode == Opcode::RdmaRead { &own.landing } else { &own.source };
    let mut elements = list(region, &request.pieces);
    if request.flaw == Some(Flaw::LocalKey) {
        elements.iter_mut().for_each(|element| element.lkey ^= 0x7f_0000);
    }
    elements
}

fn remote(other: &Real, request: &Request) -> RemoteAddress {
    let (address, rkey) = (other.window.buffer().address(), other.window.rkey());
    match request.flaw {
        Some(Flaw::RemoteKey) => RemoteAddress { address, rkey: rkey ^ 0x7f_0000 },
        Some(Flaw::RemoteRange) => RemoteAddress { address: address + LENGTH as u64, rkey },
        _ => RemoteAddress { address: address + request.remote as u64, rkey },
    }
}

fn flags(request: &Request) -> SendFlags {
    let flags = [
        (request.signaled, SendFlags::SIGNALED),
        (request.inline, SendFlags::INLINE),
        (request.fence, SendFlags::FENCE),
        (request.solicited, SendFlags::SOLICITED),
    ];
    flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect()
}

/// Polls up to so many, some at a time.
fn polled(cq: &CompletionQueue, most: usize) -> Vec<WorkCompletion> {
    let mut all = Vec::new();
    while all.len() < most {
        let mut some = [WorkCompletion::default(); 3];
        let wanted = some.len().min(most - all.len());
        let count = poll_cq(cq, &mut some[..wanted]).expect("a queue that can be polled") as usize;
        all.extend_from_slice(&some[..count]);
        if count < wanted {
            break;
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
        if let Some((opcode, length, immediate)) = wanted.done {
            assert_eq!((one.opcode, one.immediate), (opcode, immediate), "{}", told(got));
            let arrives = !matches!(opcode, Completed::Send | Completed::RdmaWrite);
            assert!(!arrives || one.byte_len == length, "{}", told(got));
        }
    }
}
