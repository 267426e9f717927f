//! Any bytes anywhere: the card never panics, comes to rest, and touches nothing but what is
//! mapped (the test's memory refuses the rest, and would panic on nothing).

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::wqe::{ControlSegment, DataSegment, DatagramSegment, SendOpcode};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use proptest::prelude::*;
use support::data::*;
use support::*;

/// Steps that suffice for anything short of a message of many megabytes.
const STEPS: usize = 2_000;

fn run(it: &mut Machine) {
    for _ in 0..STEPS {
        if !it.card.run(&mut it.memory) {
            return;
        }
    }
}

/// Bytes of which many are zero or ones, as headers and lengths like to be. Made from a seed,
/// which a failing case prints.
fn bytes(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    let length = length.into();
    let range = length.start()..length.end_excl();
    (any::<u64>(), range).prop_map(|(seed, length)| {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match state >> 40 & 7 {
                0..3 => 0,
                3 => 0xff,
                _ => state as u8,
            }
        };
        (0..length).map(|_| next()).collect()
    })
}

/// A segment that is plausible, with the setup's key and memory, or not.
fn segment(key: u32) -> impl Strategy<Value = Vec<u8>> {
    let near = prop_oneof![Just(VIRTUAL), VIRTUAL..VIRTUAL + 0x1_0000, any::<u64>()];
    let key = prop_oneof![4 => Just(key), 1 => any::<u32>()];
    let length = prop_oneof![0u32..5000, any::<u32>(), 0x8000_0000_u32..0x8000_0040];
    (near, key, length, any::<bool>()).prop_map(|(address, key, length, remote)| {
        let (address, key, length) =
            (address.to_be_bytes(), key.to_be_bytes(), length.to_be_bytes());
        match remote {
            true => [&address[..], &key, &[0; 4]].concat(),
            false => [&length[..], &key, &address].concat(),
        }
    })
}

proptest! {
    #[test]
    fn random_wqes(
        opcode in prop_oneof![
            Just(0u8), Just(1), Just(8), Just(9), Just(10), Just(11), 16u8..19, any::<u8>()
        ],
        ds in prop_oneof![1u8..8, 0u8..64],
        flags: u8,
        segments in prop::collection::vec(segment(0x20042), 0..6),
        receive in bytes(64),
    ) {
        let mut it = Setup::new();
        prop_assert_eq!(it.key, 0x20042);
        it.raw_receive(1, &receive);
        let control = ControlSegment::new(0, 0, opcode, 0, ds, flags, 0);
        let wqe = [control.as_bytes(), &segments.concat()].concat();
        let head = it.place(0, &wqe);
        it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
        run(&mut it.machine);
    }

    /// Requests that change keys: plausible ones of which some bytes are others, one after the
    /// other, to a window, a region or nothing; then an access and an invalidation.
    #[test]
    fn random_changes_of_keys(
        changes in prop::collection::vec(
            (bytes(48 + 64), prop::collection::vec((0usize..112, any::<u8>()), 0..4), any::<bool>(),
                prop_oneof![4 => Just(0x20110_u32), 1 => Just(0x20042), 1 => any::<u32>()],
                prop::collection::vec(segment(0x20042), 0..6)),
            1..5,
        ),
        rkey in prop_oneof![0x20100_u32..0x20200, any::<u32>()],
    ) {
        let mut it = Setup::new();
        let mut input = CreateMkeyIn::new();
        input
            .memory_key_mkey_entry_mut()
            .set_free(true)
            .set_umr_en(true)
            .set_en_rinval(true)
            .set_lr(true)
            .set_pd(it.pd)
            .set_qpn(0xff_ffff)
            .set_translations_octword_size(4)
            .set_access_mode_1_0(MkeyAccessMode::Indirect.code());
        prop_assert_eq!(it.machine.command(&input, &[]).mkey_index(), 0x201);
        for (noise, pokes, plausible, key, entries) in changes {
            let mut body = if plausible { vec![0; 112] } else { noise };
            if plausible {
                body[0] = 0x90;
                body[5] = 4;
                body[8..16].copy_from_slice(&(1_u64 | 1 << 6 | 1 << 20 | 1 << 29).to_be_bytes());
                body[48 + 2] = 1 << 5;
                body[48 + 24..48 + 32].copy_from_slice(&100_u64.to_be_bytes());
            }
            for (at, value) in pokes {
                body[at] = value;
            }
            body.extend(entries.concat());
            let ds = 1 + body.len().div_ceil(16) as u8;
            let control = ControlSegment::new(0, 0, 0x25, 0, ds, 8, key);
            let head = it.place(1, &[control.as_bytes(), &body].concat());
            it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
            run(&mut it.machine);
        }
        it.receive(1, &[(VIRTUAL, 64)]);
        let local = (VIRTUAL, 16, it.key);
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (0, 0x20100), local)]);
        it.post(0, &[wqe(SendOpcode::SendInvalidate, 8, rkey, &[])]);
    }

    #[test]
    fn random_send_queues_and_records(
        ring in bytes(1024),
        record in bytes(8),
        head in bytes(8),
        burst in bytes(64..192),
    ) {
        let mut it = Setup::new();
        it.machine.memory.put(it.pairs[0].buffer, &ring);
        it.machine.memory.put(it.pairs[0].record, &record);
        let mut control = ControlSegment::zeroed();
        control.as_mut_bytes()[..8].copy_from_slice(&head);
        control.set_qpn(it.pairs[0].qpn);
        let page = u64::from(it.uar) << 12;
        it.machine.card.write(page + 0x800, &control.as_bytes()[..8]);
        run(&mut it.machine);
        let mut burst = burst;
        burst[..8].copy_from_slice(&control.as_bytes()[..8]);
        it.machine.card.write(page + 0x900, &burst);
        run(&mut it.machine);
    }

    #[test]
    fn random_register_accesses(accesses in prop::collection::vec(
        (prop_oneof![0u64..0x5000, 0x10_0000u64..0x10_2000, any::<u64>()], bytes(0..80)), 1..20,
    )) {
        let mut it = Setup::new();
        for (at, bytes) in accesses {
            let mut into = vec![0; bytes.len()];
            it.machine.card.read(at, &mut into);
            it.machine.card.write(at, &bytes);
            run(&mut it.machine);
        }
    }

    #[test]
    fn random_slots_and_mailboxes(
        slot in bytes(64),
        block in bytes(576),
        lengths in prop::option::of((8u32..2000, 8u32..2000)),
    ) {
        let mut it = Machine::up();
        let mut entry = CommandQueueEntry::read_from_bytes(&slot).unwrap();
        entry.set_kind(7).set_ownership(true);
        entry.as_mut_bytes()[1..4].fill(0);
        entry.as_mut_bytes()[62] = 0;
        if let Some((input, output)) = lengths {
            let at = it.page();
            entry.set_input_length(input).set_output_length(output);
            entry.as_mut_bytes()[8..16].copy_from_slice(&at.to_be_bytes());
            entry.as_mut_bytes()[48..56].copy_from_slice(&at.to_be_bytes());
            let mut block = CommandMailbox::read_from_bytes(&block).unwrap();
            block.set_token(entry.token()).set_block_number(0);
            it.memory.put(at, block.as_bytes());
        }
        it.memory.put(it.queue, entry.as_bytes());
        it.write32(offset::COMMAND_DOORBELL, 1);
        run(&mut it);
    }

    #[test]
    fn random_inputs_of_every_command(
        which: prop::sample::Index,
        body in bytes(0..600),
        room in 8usize..700,
        up: bool,
    ) {
        let mut it = if up { Setup::new().machine } else { Machine::new() };
        let shape = which.get(command_shapes());
        let mut input = vec![0; shape.input.size.min(4200)];
        for (to, from) in input.iter_mut().skip(4).zip(&body) {
            *to = *from;
        }
        input.extend(&body);
        input[..2].copy_from_slice(&shape.opcode.code().to_be_bytes());
        let room = room.max(shape.output.size.min(5000));
        let output = it.raw(&input, room);
        prop_assert!(CommandStatus::from_code(output[0]).is_some());
        let mut again = vec![0; 64];
        it.card.read(0, &mut again);
    }

    #[test]
    fn random_inputs_on_infiniband(
        which in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        body in bytes(0..600),
    ) {
        let mut it = Setup::with(Machine::infiniband(), Connection::default());
        for which in which {
            let shape = which.get(command_shapes());
            let mut input = vec![0; shape.input.size.min(4200)];
            for (to, from) in input.iter_mut().skip(4).zip(&body) {
                *to = *from;
            }
            input.extend(&body);
            input[..2].copy_from_slice(&shape.opcode.code().to_be_bytes());
            let output = it.machine.raw(&input, shape.output.size.min(5000));
            prop_assert!(CommandStatus::from_code(output[0]).is_some());
            it.machine.card.tell_time(1 << 40);
            run(&mut it.machine);
        }
    }

    #[test]
    fn random_datagrams_into_random_shared_receives(
        wqe in bytes(16..192),
        pool in bytes(512),
        posted in 0u32..10,
    ) {
        let mut it = Setup::with(Machine::infiniband(), Connection::default());
        let (record, buffer) = (it.machine.page(), it.machine.page());
        let mut rmp = CreateRmpIn::new();
        let queue = rmp.ctx_mut().wq_mut();
        queue.set_pd(it.pd).set_log_wq_sz(3).set_log_wq_stride(6).set_dbr_addr(record);
        let number = it.machine.command(&rmp, &buffer.to_be_bytes()).rmpn();
        it.machine.memory.put(buffer, &pool);
        it.machine.memory.put(record, &posted.to_be_bytes());
        let (record, buffer) = (it.machine.page(), it.machine.page());
        let mut input = it.qp_input(0, record);
        input.qpc_mut().set_st(QpServiceType::GeneralManagement.code());
        input.qpc_mut().set_rq_type(1).set_srqn_rmpn_xrqn(number);
        let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
        it.pairs[0] = Pair { qpn, buffer: buffer - RQ_BYTES, record, cq: 0, posted: 0, received: 0 };
        it.connect(0, 0, Connection::default());
        // As many as there are: to itself, as number 1 of LID 7.
        for _ in 0..4 {
            let mut wqe = wqe.clone();
            wqe[3] = 0x0a;
            wqe[7] = (wqe.len() / 16) as u8;
            if wqe.len() >= 32 {
                wqe[24..32].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
            }
            let head = it.place(0, &wqe);
            it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
            run(&mut it.machine);
        }
    }

    /// Datagrams over RoCE v2 whose address vector is plausible but for some bytes, to a queue pair
    /// of the same card with any receive.
    #[test]
    fn random_datagrams_over_ethernet(
        pokes in prop::collection::vec((0usize..48, any::<u8>()), 0..4),
        segments in prop::collection::vec(segment(0x20042), 0..4),
        receive in prop_oneof![
            bytes(64),
            (0u32..400).prop_map(|length| {
                let parts = [DataSegment::new(length, 0x20042, VIRTUAL), DataSegment::end_of_list()];
                [parts.as_bytes(), &[0; 32]].concat()
            }),
        ],
        flags: u8,
    ) {
        let mut it = Setup::new();
        for pair in 0..2 {
            let (buffer, record) = (it.machine.page(), it.machine.page());
            let mut input = it.qp_input(pair, record);
            input.qpc_mut().set_st(QpServiceType::UnreliableDatagram.code());
            let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
            it.pairs[pair] = Pair { qpn, buffer, record, cq: pair, posted: 0, received: 0 };
        }
        it.connect(0, 1, Connection::default());
        it.connect(1, 0, Connection::default());
        it.raw_receive(1, &receive);
        let config = it.machine.card.config().clone();
        let mut way = DatagramSegment::zeroed();
        way.set_extended(1);
        way.set_destination_qpn(it.pairs[1].qpn);
        way.rmac = config.mac;
        way.rgid[10..12].fill(0xff);
        way.rgid[12..].copy_from_slice(&config.ipv4);
        for (at, value) in pokes {
            way.as_mut_bytes()[at] = value;
        }
        let body = [way.as_bytes(), &segments.concat()].concat();
        let ds = 1 + (body.len() / 16) as u8;
        let control = ControlSegment::new(0, 0, 0x0a, 0, ds, flags, 0);
        let head = it.place(0, &[control.as_bytes(), &body].concat());
        it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
        run(&mut it.machine);
    }

    #[test]
    fn contexts_with_one_field_changed(
        which: prop::sample::Index,
        value: u64,
    ) {
        let mut it = Setup::new();
        let record = it.machine.page();
        let mut input = it.qp_input(0, record);
        let table = <QpContext as doorbell_prm::Layout>::LAYOUT;
        let field = which.get(table.fields);
        doorbell_prm::set_bits(input.qpc_mut().as_mut_bytes(), field.bit, field.width, value);
        let buffer = it.machine.page();
        let mut list = input.as_bytes().to_vec();
        list.extend(buffer.to_be_bytes());
        let output = it.machine.raw(&list, 16);
        if output[0] != 0 {
            return Ok(());
        }
        let (output, _) = CreateQpOut::read_from_prefix(&output).unwrap();
        it.pairs[0].qpn = output.qpn();
        it.connect(0, 1, Connection::default());
        let head = ControlSegment::new(0, 0, 0, output.qpn(), 1, 8, 0);
        it.machine.memory.put(record + 4, &1_u32.to_be_bytes());
        it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head.as_bytes()[..8]);
        run(&mut it.machine);
    }
}
