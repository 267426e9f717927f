//! Memory windows and the rights that go with them: what the card is asked for.

mod common;

use common::{ALL, SIZES, context};
use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_prm::commands::*;
use doorbell_prm::zerocopy::FromBytes;
use doorbell_tracer::{Clock, Full, Kind, Tracer};

/// The inputs of the commands since the trace was taken last: the first 16 bytes from the slot, the
/// rest from the first mailbox that was filled for it. Enough for those with one mailbox.
fn commands(tracer: &Tracer) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    let mut mailbox = None;
    for record in tracer.take() {
        let Kind::Store { layout, bytes, .. } = &record.kind else { continue };
        match layout.as_ref() {
            "cmd_if_box" if mailbox.is_none() => {
                mailbox = CommandMailbox::read_from_bytes(&bytes[..]).ok();
            }
            "cmd_queue_entry" => {
                let slot = CommandQueueEntry::read_from_bytes(&bytes[..]).expect("a whole slot");
                let mut input = slot.command_input_inline_data().to_vec();
                if let Some(mailbox) = mailbox.take() {
                    input.extend_from_slice(&mailbox.mailbox_data());
                }
                input.resize(slot.input_length() as usize, 0);
                inputs.push(input);
            }
            _ => {}
        }
    }
    inputs
}

/// The first command of this kind.
fn first<I: CommandInput>(tracer: &Tracer) -> I {
    let opcode = I::OPCODE.code().to_be_bytes();
    let found = commands(tracer).into_iter().find(|input| input[..2] == opcode);
    let found = found.expect("the command was given");
    I::read_from_prefix(&found).expect("a whole input").0
}

#[test]
fn a_window_is_a_free_key_that_posts_may_change() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(BlueFlameSettings::default(), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    for (kind, from_afar) in [(WindowKind::One, false), (WindowKind::Two, true)] {
        tracer.take();
        let window = pd.alloc_mw(kind).expect("a window");
        let input: CreateMkeyIn = first(&tracer);
        let key = input.memory_key_mkey_entry();
        assert!(key.free() && key.umr_en() && key.lr());
        assert!(!key.lw() && !key.rr() && !key.rw() && !key.a());
        assert_eq!(key.en_rinval(), from_afar, "{kind:?}");
        assert_eq!(key.access_mode_1_0(), MkeyAccessMode::Indirect.code());
        assert_eq!((key.translations_octword_size(), key.qpn()), (4, 0xff_ffff));
        assert_eq!((key.pd(), key.length()), (pd.number(), 0));
        assert_eq!(input.translations_octword_actual_size(), 0);
        assert_eq!((window.kind(), window.rkey() as u8), (kind, key.mkey_7_0()));
        let rkey = window.rkey();
        window.bound(window.next_rkey());
        drop(window);
        let gone: DestroyMkeyIn = first(&tracer);
        assert_eq!(gone.mkey_index(), rkey >> 8);
    }
}

#[test]
fn the_next_key_of_a_window_is_the_next_variant_of_the_same_index() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let pd = context.alloc_pd().expect("a protection domain");
    let window = MemoryWindow::new(&pd, WindowKind::One, 0x1234_56fe, Box::new(()));
    let mut keys = [0; 3];
    for key in &mut keys {
        *key = window.next_rkey();
        window.bound(*key);
    }
    assert_eq!(keys, [0x1234_56ff, 0x1234_5600, 0x1234_5601]);
    assert_eq!(window.rkey(), keys[2]);
}

#[test]
fn each_right_to_memory_is_a_bit_of_its_key() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(BlueFlameSettings::default(), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let local = Access::LOCAL_WRITE;
    for (access, lw, rw, rr, a, umr) in [
        (Access::empty(), false, false, false, false, false),
        (local, true, false, false, false, false),
        (local | Access::REMOTE_WRITE, true, true, false, false, false),
        (Access::REMOTE_READ, false, false, true, false, false),
        (local | Access::REMOTE_ATOMIC, true, false, false, true, false),
        (Access::MW_BIND, false, false, false, false, true),
    ] {
        tracer.take();
        let buffer = context.alloc_buffer(64, "data").expect("room");
        let region = pd.reg_mr(buffer, access).expect("a key");
        assert_eq!(region.access(), access);
        let input: CreateMkeyIn = first(&tracer);
        let key = input.memory_key_mkey_entry();
        let bits = (key.lw(), key.rw(), key.rr(), key.a(), key.umr_en());
        assert_eq!(bits, (lw, rw, rr, a, umr), "{access:?}");
    }
    let buffer = context.alloc_buffer(64, "data").expect("room");
    let error = pd.reg_mr(buffer, Access::REMOTE_ATOMIC).err().expect("atomics write");
    assert!(error.to_string().contains("LOCAL_WRITE"), "{error}");
}

#[test]
fn remote_atomics_on_a_queue_pair_come_with_their_kind() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(BlueFlameSettings::default(), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let cq = context.create_cq(15).expect("a completion queue");
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &cq,
        recv_cq: &cq,
        capabilities: SIZES,
        signal_all: false,
    };
    for (access, mode) in [(ALL, 0), (ALL | Access::REMOTE_ATOMIC, 1)] {
        let qp = pd.create_qp(&request).expect("a queue pair");
        tracer.take();
        qp.init(access).expect("INIT");
        let input: Rst2initQpIn = first(&tracer);
        let context = input.qpc();
        assert_eq!((context.rae(), context.atomic_mode()), (mode == 1, mode));
        assert!(context.rre() && context.rwe());
        assert_eq!(qp.query().expect("an answer").access, access - Access::LOCAL_WRITE);
    }
}
