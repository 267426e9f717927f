//! Bit fields against a naive oracle, the decoder against any bytes, and the types against both.

use doorbell_prm::commands::{CreateQpIn, QpContext, QpState};
use doorbell_prm::registers::uar::UarRegister;
use doorbell_prm::wqe::{
    self, ControlSegment, DataSegment, InlineHeader, MkeyContextSegment, RemoteAddressSegment,
    UmrControlSegment,
};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use doorbell_prm::{Value, get_bits, layout, layouts, set_bits};
use proptest::prelude::*;

/// One bit, as a picture of the structure would show it.
fn bit(bytes: &[u8], at: usize) -> bool {
    bytes[at / 8] >> (7 - at % 8) & 1 == 1
}

/// The oracle: walks bit by bit.
fn naive(bytes: &[u8], first: usize, width: usize) -> Option<u64> {
    if width == 0 || width > 64 || first + width > bytes.len() * 8 {
        return None;
    }
    Some((first..first + width).fold(0, |value, at| value << 1 | bit(bytes, at) as u64))
}

proptest! {
    #[test]
    fn reading_bits(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0u32..400, width in 0u32..80) {
        let expected = naive(&bytes, at as usize, width as usize);
        prop_assert_eq!(get_bits(&bytes, at, width), expected);
    }

    #[test]
    fn writing_bits(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0u32..400, width in 0u32..80, value: u64) {
        let mut changed = bytes.clone();
        let done = set_bits(&mut changed, at, width, value);
        prop_assert_eq!(done, naive(&bytes, at as usize, width as usize).is_some());
        if !done {
            prop_assert_eq!(changed, bytes);
            return Ok(());
        }
        let cut = if width == 64 { value } else { value & ((1 << width) - 1) };
        prop_assert_eq!(naive(&changed, at as usize, width as usize), Some(cut));
        for other in (0..bytes.len() * 8).filter(|other| !(at..at + width).contains(&(*other as u32))) {
            prop_assert_eq!(bit(&changed, other), bit(&bytes, other), "bit {} changed", other);
        }
    }

    #[test]
    fn decoding_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600), which: prop::sample::Index) {
        let layout = which.get(layouts());
        for decoded in layout.decode(&bytes) {
            let (at, width) = (decoded.bit as usize, decoded.field.width as usize);
            prop_assert!(at + width <= bytes.len() * 8);
            match decoded.value {
                Value::Number(number) => prop_assert_eq!(Some(number), naive(&bytes, at, width)),
                Value::Bytes(found) => prop_assert_eq!(&found[..], &bytes[at / 8..(at + width) / 8]),
            }
        }
    }

    #[test]
    fn taking_apart_any_wqe(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut end = 0;
        for segment in wqe::send_segments(&bytes) {
            prop_assert_eq!(segment.offset, end);
            end += segment.len;
            prop_assert!(end <= bytes.len());
        }
    }

    #[test]
    fn a_control_segment_decodes_to_what_it_was_made_of(opmod: u8, index: u16, opcode: u8, qpn in 0u32..1 << 24, ds in 0u8..64, flags: u8, immediate: u32) {
        let made = ControlSegment::new(opmod, index, opcode, qpn, ds, flags, immediate);
        let read = ControlSegment::read_from_bytes(made.as_bytes()).unwrap();
        prop_assert_eq!(read.opmod(), u32::from(opmod));
        prop_assert_eq!(read.wqe_index(), u32::from(index));
        prop_assert_eq!(read.opcode(), u32::from(opcode));
        prop_assert_eq!(read.qpn(), qpn);
        prop_assert_eq!(read.ds(), u32::from(ds));
        prop_assert_eq!(read.fm_ce_se, flags);
        prop_assert_eq!(read.immediate.get(), immediate);
    }
}

#[test]
fn a_structure_cut_short_decodes_as_far_as_it_goes() {
    let control = ControlSegment::new(0, 7, 0x08, 0x12, 3, wqe::CONTROL_CQ_UPDATE, 0);
    let table = layout("wqe_control_segment").unwrap();
    let names = |bytes: &[u8]| table.decode(bytes).iter().map(|d| d.field.name).collect::<Vec<_>>();
    assert_eq!(names(&control.as_bytes()[..7]), ["opmod", "wqe_index", "opcode", "qpn"]);
    assert_eq!(names(&control.as_bytes()[..8]), ["opmod", "wqe_index", "opcode", "qpn", "ds"]);
    assert!(names(&[]).is_empty());
}

#[test]
fn setters_cut_and_leave_their_neighbours() {
    let mut context = QpContext::zeroed();
    context.set_pd(0xff_ffff).set_mtu(0xff).set_uar_page(0x1ff_ffff);
    assert_eq!((context.pd(), context.mtu(), context.uar_page()), (0xff_ffff, 7, 0xff_ffff));
    assert_eq!((context.log_msg_max(), context.counter_set_id()), (0, 0));

    let mut control = ControlSegment::zeroed();
    control.set_ds(0xff);
    control.set_qpn(0x1ff_ffff);
    assert_eq!((control.ds(), control.qpn()), (63, 0xff_ffff));
    assert_eq!(control.as_bytes()[4..8], [0xff, 0xff, 0xff, 0x3f]);
}

#[test]
fn inner_structures_are_reached_in_place_and_by_path() {
    let mut input = CreateQpIn::new();
    let context = input.qpc_mut();
    context.set_state(QpState::ReadyToSend.code());
    let path = context.primary_address_path_mut();
    path.set_rgid_rip(*b"0123456789abcdef").set_grh(true);
    let table = layout("create_qp_in").unwrap();
    let decoded = table.decode(input.as_bytes());
    let find = |path: &str| decoded.iter().find(|d| d.path == path).unwrap();
    assert_eq!(find("opcode").value_name, Some("CREATE_QP"));
    assert_eq!(find("qpc.state").value_name, Some("RTS"));
    assert_eq!(find("qpc.primary_address_path.grh").value, Value::Number(1));
    let gid = find("qpc.primary_address_path.rgid_rip");
    assert_eq!(gid.value, Value::Bytes(b"0123456789abcdef".to_vec()));
    assert_eq!(table.field("qpc.primary_address_path.rgid_rip"), Some(gid.field));
    assert_eq!(table.field_at(gid.bit as usize / 8), Some(gid.field));
    assert_eq!(table.field("qpc.no_such_field"), None);
    assert_eq!(table.field_at(4096), None);
    assert!(format!("{input:?}").contains("qpc.state: \"RTS\""));
}

#[test]
fn a_write_and_an_inline_send_are_taken_apart() {
    let control = |opcode, ds| ControlSegment::new(0, 0, opcode, 1, ds, 0, 0);
    let names = |bytes: &[u8]| {
        let segments = wqe::send_segments(bytes);
        segments.iter().map(|s| (s.layout.name, s.offset, s.len)).collect::<Vec<_>>()
    };
    let mut write = control(0x08, 3).as_bytes().to_vec();
    write.extend(RemoteAddressSegment::new(0x1000, 1).as_bytes());
    write.extend(DataSegment::new(64, 2, 0x2000).as_bytes());
    write.extend([0xee; 16]);
    let expected = [
        ("wqe_control_segment", 0, 16),
        ("wqe_remote_address_segment", 16, 16),
        ("wqe_data_segment", 32, 16),
    ];
    assert_eq!(names(&write), expected);

    let mut send = control(0x0a, 4).as_bytes().to_vec();
    send.extend(InlineHeader::new(32).as_bytes());
    send.extend([7; 44]);
    assert_eq!(names(&send), [("wqe_control_segment", 0, 16), ("wqe_inline_header", 16, 48)]);
}

/// Binding a memory window takes its entries along; the kernel points to a list of them.
#[test]
fn the_entries_of_a_memory_key_stand_in_the_wqe_or_elsewhere() {
    let names = |inline, units, rest: &[u8]| {
        let mut umr = UmrControlSegment::zeroed();
        umr.set_is_inline(inline);
        let control = ControlSegment::new(0, 0, 0x25, 1, units, 0, 0);
        let key = MkeyContextSegment::zeroed();
        let wqe = [control.as_bytes(), umr.as_bytes(), key.as_bytes(), rest].concat();
        let segments = wqe::send_segments(&wqe);
        segments.iter().map(|s| (s.layout.name, s.offset)).collect::<Vec<_>>()
    };
    let key = [
        ("wqe_control_segment", 0),
        ("wqe_umr_control_segment", 16),
        ("wqe_mkey_context_segment", 64),
    ];
    let entries = [128, 144, 160, 176].map(|offset| ("wqe_klm_segment", offset));
    assert_eq!(names(1, 12, &[0; 64]), [&key[..], &entries].concat());
    let list = DataSegment::new(64, 2, 0x2000);
    let pointer = [("wqe_data_segment", 128)];
    assert_eq!(names(0, 9, list.as_bytes()), [&key[..], &pointer].concat());
    assert_eq!(names(1, 8, &[]), key, "an invalidation has none");
}

#[test]
fn the_uar_page_has_its_registers_where_they_belong() {
    let send = |register, buffer, offset| UarRegister::SendDoorbell { register, buffer, offset };
    assert_eq!(UarRegister::at(0x20), UarRegister::CqDoorbell);
    assert_eq!(UarRegister::at(0x40), UarRegister::EqDoorbellArm);
    assert_eq!(UarRegister::at(0x48), UarRegister::EqDoorbellConsumerIndex);
    assert_eq!(UarRegister::at(0x100800), send(0, 0, 0));
    assert_eq!(UarRegister::at(0x900), send(0, 1, 0));
    assert_eq!(UarRegister::at(0xb08), send(1, 1, 8));
    assert_eq!(UarRegister::at(0x28), UarRegister::Reserved);
}

#[test]
fn a_signed_slot_and_mailbox_are_right_until_a_byte_changes() {
    use doorbell_prm::commands::{CommandMailbox, CommandQueueEntry};
    let mut slot = CommandQueueEntry::zeroed();
    slot.set_token(7).set_input_mailbox(0x1_2345_6600).set_output_length(16);
    slot.sign();
    assert!(slot.signature_is_right());
    assert_eq!(slot.input_mailbox(), 0x1_2345_6600);
    slot.set_token(8);
    assert!(!slot.signature_is_right());

    let mut mailbox = CommandMailbox::zeroed();
    mailbox.set_next(0x1_2345_6400).set_block_number(3).set_token(7);
    mailbox.sign();
    assert!(mailbox.signatures_are_right());
    assert_eq!(mailbox.next(), 0x1_2345_6400);
    mailbox.as_mut_bytes()[0] ^= 1;
    assert!(!mailbox.signatures_are_right());
}

#[test]
fn a_packet_is_taken_apart_wherever_it_ends() {
    use doorbell_prm::roce::packet_parts;
    let mut packet = vec![0; 14 + 20 + 8 + 12];
    packet[42] = 0x13;
    packet.extend([0xee; 28 + 6 + 4]);
    let names = |packet: &[u8]| {
        let parts = packet_parts(packet).into_iter();
        parts.map(|part| part.layout.map_or(part.title, |layout| layout.name)).collect::<Vec<_>>()
    };
    let atomic = ["ethernet", "ipv4", "udp", "bth", "atomic_eth", "payload", "invariant CRC"];
    assert_eq!(names(&packet), atomic);
    packet[42] = 0x11;
    assert_eq!(names(&packet)[4..], ["aeth", "payload", "invariant CRC"]);
    packet[42] = 0x12;
    assert_eq!(names(&packet)[4..], ["aeth", "atomic_ack_eth", "payload", "invariant CRC"]);
    packet[42] = 0x2b;
    assert_eq!(names(&packet)[4..], ["reth", "immdt", "payload", "invariant CRC"]);
    assert_eq!(names(&packet[..20]), ["ethernet", "payload", "invariant CRC"]);
    // One of RoCE v1: a datagram behind a global route header.
    let mut routed = packet.clone();
    routed[12..14].copy_from_slice(&[0x89, 0x15]);
    routed[54] = 0x64;
    assert_eq!(names(&routed), ["ethernet", "grh", "bth", "deth", "payload", "invariant CRC"]);
    for (packet, end) in
        [&packet, &routed].into_iter().flat_map(|it| (0..it.len()).map(move |end| (it, end)))
    {
        let parts = packet_parts(&packet[..end]);
        let mut at = 0;
        for part in &parts {
            assert_eq!(part.offset, at, "no gap in {end} bytes");
            at += part.len;
        }
        assert_eq!(at, end, "nothing is lost of {end} bytes");
    }
}

#[test]
fn an_operation_is_the_same_on_every_connection() {
    use doorbell_prm::roce::BthOpcode::{self, *};
    for code in 0..=0x0b {
        let reliable = BthOpcode::from_code(code).unwrap();
        let unreliable = reliable.unreliable().unwrap();
        assert_eq!(unreliable.code(), code | 0x20);
        assert_eq!(unreliable.label().replacen("UC_", "RC_", 1), reliable.label());
        assert_eq!((reliable.operation(), unreliable.operation()), (reliable, reliable));
        assert!(unreliable.is_unreliable() && !reliable.is_unreliable());
        assert_eq!(reliable.has_reth(), unreliable.has_reth());
        assert_eq!(reliable.has_immediate(), unreliable.has_immediate());
    }
    for other in [ReadRequest, Acknowledge, CompareSwap, DatagramSendOnly] {
        assert_eq!((other.operation(), other.unreliable()), (other, None));
        assert!(!other.is_unreliable());
    }
}

#[test]
fn addresses_of_the_network_are_written_as_such() {
    let mut ethernet = vec![2, 0, 0, 0, 0, 1];
    ethernet.resize(14, 0xff);
    let mut ipv4 = vec![0; 12];
    ipv4.extend([192, 0, 2, 1, 127, 0, 0, 1]);
    let written = |name: &str, bytes: &[u8]| {
        let decoded = layout(name).unwrap().decode(bytes).into_iter();
        decoded.filter_map(|field| field.network_address()).collect::<Vec<_>>()
    };
    assert_eq!(written("ethernet", &ethernet), ["02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"]);
    assert_eq!(written("ipv4", &ipv4), ["192.0.2.1", "127.0.0.1"]);
    let mut path = vec![0; 44];
    path[26..32].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    assert_eq!(written("ads", &path), ["::ffff:192.0.2.1"]);
    assert_eq!(written("wqe_data_segment", &[0; 16]), [""; 0]);
}

#[test]
fn what_a_byte_holds_is_known_in_a_structure_and_behind_it() {
    use doorbell_prm::Content;
    let content = |name: &str, byte| layout(name).unwrap().content_at(byte);
    assert_eq!(content("wqe_data_segment", 3), Content::Plain);
    assert_eq!(content("wqe_data_segment", 7), Content::Key);
    assert_eq!(content("wqe_data_segment", 15), Content::Address);
    assert_eq!(content("wqe_data_segment", 16), Content::Plain, "nothing follows");
    assert_eq!(content("wqe_inline_header", 3), Content::Plain);
    assert_eq!(content("wqe_inline_header", 4), Content::Payload);
    assert_eq!(content("create_qp_in", 271), Content::Plain);
    assert_eq!(content("create_qp_in", 272), Content::Address);
    assert_eq!(content("create_qp_in", 24 + 160), Content::Address, "in an inner structure");
    for layout in layouts() {
        let size = layout.size as u32 * 8;
        let address = layout.fields.iter().filter(|field| field.content == Content::Address);
        for field in address {
            let whole = field.width % 64 == 0 && field.bit % 64 == 0;
            let upper = field.width == 32 && field.bit % 64 == 0;
            let lower = field.width < 32 && field.bit % 64 == 32;
            assert!(whole || upper || lower, "{}.{}", layout.name, field.name);
            assert!(field.bit.next_multiple_of(64) <= size);
        }
        let is_key = |name: &str| ["lkey", "rkey", "mkey"].iter().any(|key| name.ends_with(key));
        for field in layout.fields.iter().filter(|field| is_key(field.name)) {
            let key = field.content == Content::Key || field.width < 32;
            assert!(key, "{}.{}", layout.name, field.name);
        }
    }
}
