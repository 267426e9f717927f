//! Signatures of WQEs: over all bytes of each, wherever the ring ends, and the card looks at them.

mod common;

use common::{Pair, SIZES};
use doorbell_card::CardConfig;
use doorbell_driver::bus::CardBus;
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5, ProviderSettings};
use doorbell_driver::verbs::*;
use doorbell_tracer::{Clock, Full, Kind, RegionId, Role, Tracer};
use std::collections::HashMap;
use std::sync::Arc;

/// A pair of queue pairs on a card of their own.
fn pair(signatures: bool, sizes: QueuePairCapabilities, tracer: &Tracer) -> Pair {
    let bus = CardBus::new(CardConfig::default(), tracer);
    let settings = ProviderSettings { blueflame: BlueFlameSettings::default(), signatures };
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(CardDoor::new(bus, settings))];
    let mut providers = Providers::new();
    providers.register(&Mlx5, tracer);
    let devices = get_device_list(&doors, tracer);
    Pair::on(open_device(&devices[0], &providers, tracer).expect("the card comes up"), sizes)
}

/// The work queues as the stores of a trace add up to them, and the WQEs in the order in which their last
/// bytes were stored.
#[derive(Default)]
struct Rings {
    bytes: HashMap<RegionId, Vec<u8>>,
    roles: HashMap<RegionId, (Role, usize)>,
    sends: Vec<Vec<u8>>,
    receives: Vec<Vec<u8>>,
}

impl Rings {
    fn read(&mut self, tracer: &Tracer) {
        for record in tracer.take() {
            match &record.kind {
                Kind::Map(region) => {
                    self.bytes.insert(region.region, vec![0; region.length as usize]);
                    self.roles.insert(region.region, (region.role, region.stride as usize));
                }
                Kind::Store { region, offset, layout, bytes } => {
                    let Some(ring) = self.bytes.get_mut(region) else { continue };
                    let at = *offset as usize;
                    ring[at..at + bytes.len()].copy_from_slice(bytes);
                    let (role, stride) = self.roles[region];
                    let is_signature = bytes.len() == 1 && at % 64 == 8;
                    if role == Role::SendQueue && (layout == "wqe_control_segment" || is_signature)
                    {
                        let (start, length) =
                            (at & !63, usize::from(ring[(at & !63) + 7] & 63) * 16);
                        let wqe = (start..start + length).map(|at| ring[at % ring.len()]);
                        self.sends.push(wqe.collect());
                    }
                    if role == Role::ReceiveQueue && layout == "wqe_receive_signature" {
                        self.receives.push(ring[at..at + stride].to_vec());
                    }
                }
                _ => {}
            }
        }
    }
}

fn together(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Requests of every shape that a ring of this size meets its end with.
fn requests(it: &Pair, run: impl Fn(&[SendRequest<'_>])) {
    let target = it.memory(&[0; 64]);
    let source = it.memory(&[0x5a; 64]);
    let remote = RemoteAddress { address: target.buffer().address(), rkey: target.rkey() };
    let elements = [source.element(0, 20), source.element(20, 30)];
    for round in 0..40 {
        let inline = if round % 3 == 0 { SendFlags::INLINE } else { SendFlags::empty() };
        let request = SendRequest {
            wr_id: round,
            sg_list: &elements[..1 + round as usize % 2],
            send_flags: SendFlags::SIGNALED | inline,
            remote,
            ..SendRequest::default()
        };
        let list = [SendRequest { send_flags: SendFlags::empty(), ..request }, request];
        run(&list[round as usize % 2..]);
        assert!(it.drain(&it.a_cq).iter().all(|done| done.status == WorkStatus::Success));
        assert_eq!(target.buffer().read(0, 20).as_deref(), Some(&[0x5a; 20][..]));
    }
}

/// With the signature all bytes of a WQE are 0xff together, and the others are what they are without.
#[test]
fn each_wqe_is_signed_and_the_card_takes_it() {
    let mut found = [Vec::new(), Vec::new()];
    for (signatures, found) in [false, true].into_iter().zip(&mut found) {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        let it = pair(signatures, SIZES, &tracer);
        let mut rings = Rings::default();
        requests(&it, |list| post_send(&it.a, list).expect("they are posted"));
        rings.read(&tracer);
        *found = rings.sends;
    }
    let [plain, signed] = found;
    // Where WQEs are signed each is seen twice: without its signature, and with it.
    let signed: Vec<_> = signed.chunks(2).map(|pair| pair[1].clone()).collect();
    assert_eq!((plain.len(), signed.len()), (60, 60));
    for (plain, mut signed) in plain.into_iter().zip(signed) {
        assert_eq!(together(&signed), 0xff);
        assert_eq!((plain[8], signed[8] == 0), (0, together(&plain) == 0xff));
        signed[8] = 0;
        // Keys and addresses of data are of another run, but the same.
        assert_eq!(signed, plain);
    }
}

/// The extended way writes the same WQEs.
#[test]
fn a_batch_is_signed_too() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let it = pair(true, QueuePairCapabilities { max_send_sge: 4, ..SIZES }, &tracer);
    let (source, target) = (it.memory(&[7; 8]), it.memory(&[0; 8]));
    let place = RemoteAddress { address: target.buffer().address(), rkey: target.rkey() };
    let part = source.element(0, 2);
    let fill = |batch: &mut Batch<'_>| {
        batch.wr_flags = SendFlags::SIGNALED;
        batch.rdma_write(place).set_sge_list(&[part; 4]);
        batch.rdma_write(place).set_sge(source.element(0, 8));
        End::Complete
    };
    wr_start(&it.a, fill).expect("it is posted");
    let done = it.drain(&it.a_cq);
    assert_eq!(done.len(), 2);
    assert!(done.iter().all(|done| done.status == WorkStatus::Success));
    let mut rings = Rings::default();
    rings.read(&tracer);
    let (signed, blocks) = (&rings.sends[rings.sends.len() - 2..], [96, 48]);
    assert_eq!([signed[0].len(), signed[1].len()], blocks);
    assert!(signed.iter().all(|wqe| together(wqe) == 0xff));
}

/// A unit in front of the pointers: there is room for one element less, and what arrives goes where the
/// others say.
#[test]
fn receives_are_signed() {
    let sizes = QueuePairCapabilities { max_recv_sge: 2, ..SIZES };
    let it = pair(true, sizes, &Tracer::off());
    let became = it.b.query().expect("its attributes").capabilities;
    assert_eq!(became.max_recv_sge, 3, "four units, one of them for the signature");
    let (source, target) = (it.memory(b"in two parts"), it.memory(&[0; 64]));
    for _ in 0..20 {
        let parts = [target.element(0, 6), target.element(32, 6)];
        post_recv(&it.b, &[ReceiveRequest { wr_id: 9, sg_list: &parts }]).expect("there is room");
        let data = [source.element(0, 12)];
        let send = SendRequest {
            sg_list: &data,
            opcode: Opcode::Send,
            send_flags: SendFlags::SIGNALED,
            ..SendRequest::default()
        };
        post_send(&it.a, &[send]).expect("there is room");
        it.drain(&it.a_cq);
        assert_eq!(it.drain(&it.b_cq)[0].status, WorkStatus::Success);
        assert_eq!(target.buffer().read(0, 6).as_deref(), Some(&b"in two"[..]));
        assert_eq!(target.buffer().read(32, 6).as_deref(), Some(&b" parts"[..]));
    }
}

/// What is signed of a receive: the unit of the signature and one for each element, the queue pair's number
/// and the receive counter.
#[test]
fn the_signature_of_a_receive_is_that_of_libmlx5() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let it = pair(true, SIZES, &tracer);
    let target = it.memory(&[0; 64]);
    let parts = [target.element(0, 6), target.element(32, 6)];
    for sg_list in [&parts[..1], &parts, &[]] {
        post_recv(&it.b, &[ReceiveRequest { wr_id: 9, sg_list }]).expect("there is room");
    }
    let mut rings = Rings::default();
    rings.read(&tracer);
    assert_eq!(rings.receives.len(), 3);
    for (index, (wqe, elements)) in (0_u16..).zip(rings.receives.iter().zip([1, 2, 0])) {
        let mut wqe = wqe.clone();
        let signature = std::mem::take(&mut wqe[4]);
        let number = together(&it.b.number().to_be_bytes()) ^ together(&index.to_be_bytes());
        // Three complements, which is one.
        assert_eq!(signature, !(together(&wqe[..(elements + 1) * 16]) ^ number), "{index}");
    }
}
