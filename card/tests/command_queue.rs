//! Slots, mailboxes and signatures: every way in which a command is taken or not taken.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::eqe::{CommandEventData, EventType};
use doorbell_prm::registers::init_segment::offset;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::*;
use support::*;

#[test]
fn signatures_are_checked_and_made_when_a_driver_asks_for_them() {
    let mut it = Machine::new();
    it.command(&EnableHcaIn::new(), &[]);
    it.give_pages(PagesStage::Boot);
    let mut query = QueryHcaCapIn::new();
    query.set_op_mod(capability_op_mod(CapabilityGroup::General, true));
    let mut set = SetHcaCapIn::new();
    *set.capability_mut() = *it.command(&query, &[]).capability();
    set.capability_mut().set_cmdif_checksum(3);
    it.command(&set, &[]);

    let room = QueryAdapterOut::SIZE;
    let mut entry = it.prepare(QueryAdapterIn::new().as_bytes(), room);
    let back = it.ring(&entry);
    assert_eq!(back.status(), CommandDeliveryStatus::SignatureError.code());
    entry.sign();
    let back = it.ring(&entry);
    assert_eq!(
        back.status(),
        CommandDeliveryStatus::SignatureError.code(),
        "the mailbox is not signed"
    );
    let at = entry.output_mailbox();
    let mut block = CommandMailbox::read_from_bytes(it.memory.get(at, 576)).unwrap();
    block.sign();
    it.memory.put(at, block.as_bytes());
    let back = it.ring(&entry);
    assert_eq!((back.status(), back.ownership()), (0, false));
    assert!(back.signature_is_right(), "the card signs its answer");
    let block = CommandMailbox::read_from_bytes(it.memory.get(at, 576)).unwrap();
    assert!(block.signatures_are_right());
    assert_eq!(it.output(&back)[0], 0);
}

#[test]
fn a_command_that_cannot_be_taken_has_a_delivery_status() {
    use CommandDeliveryStatus as Status;
    let long = QueryPagesIn::new().as_bytes().iter().copied().chain([0; 600]).collect::<Vec<u8>>();
    let mut it = Machine::up();
    let mut check = |change: &dyn Fn(&mut Machine, &mut CommandQueueEntry), expected: Status| {
        let mut entry = it.prepare(&long, 600);
        change(&mut it, &mut entry);
        let back = it.ring(&entry);
        assert!(!back.ownership(), "the slot comes back");
        assert_eq!(Status::from_code(back.status()), Some(expected));
    };
    check(&|_, _| (), Status::Ok);
    check(
        &|_, entry| {
            entry.set_kind(3);
        },
        Status::DescriptorError,
    );
    check(&|_, entry| entry.as_mut_bytes()[2] = 1, Status::ReservedFieldNotClear);
    check(&|_, entry| entry.as_mut_bytes()[62] = 1, Status::ReservedFieldNotClear);
    check(&|_, entry| entry.as_mut_bytes()[15] = 1, Status::InputPointerAlignment);
    check(&|_, entry| entry.as_mut_bytes()[54] |= 1, Status::OutputPointerAlignment);
    for length in [0, 7, u32::MAX] {
        check(
            &|_, entry| {
                entry.set_input_length(length);
            },
            Status::InputLengthError,
        );
        check(
            &|_, entry| {
                entry.set_output_length(length);
            },
            Status::OutputLengthError,
        );
    }
    check(
        &|_, entry| {
            entry.set_token(1);
        },
        Status::TokenError,
    );
    check(
        &|_, entry| {
            entry.set_input_mailbox(0);
        },
        Status::InputLengthError,
    );
    check(
        &|_, entry| {
            entry.set_output_mailbox(0);
        },
        Status::OutputLengthError,
    );
    check(
        &|_, entry| {
            entry.set_input_mailbox(0x7000_0000);
        },
        Status::FirmwareError,
    );
    let second = |it: &Machine, entry: &CommandQueueEntry| {
        let block = it.memory.get(entry.input_mailbox(), 576);
        CommandMailbox::read_from_bytes(block).unwrap().next()
    };
    let change_second =
        |change: &dyn Fn(&mut CommandMailbox), it: &mut Machine, entry: &CommandQueueEntry| {
            let at = second(it, entry);
            let mut block = CommandMailbox::read_from_bytes(it.memory.get(at, 576)).unwrap();
            change(&mut block);
            it.memory.put(at, block.as_bytes());
        };
    let number = |it: &mut Machine, entry: &mut CommandQueueEntry| {
        change_second(
            &|block| {
                block.set_block_number(0);
            },
            it,
            entry,
        );
    };
    check(&number, Status::BadBlockNumber);
    let token = |it: &mut Machine, entry: &mut CommandQueueEntry| {
        change_second(
            &|block| {
                block.set_token(9);
            },
            it,
            entry,
        );
    };
    check(&token, Status::TokenError);
}

#[test]
fn a_slot_that_belongs_to_software_is_left_alone() {
    let mut it = Machine::up();
    let mut entry = it.prepare(AllocPdIn::new().as_bytes(), 16);
    entry.set_ownership(false);
    assert_eq!(it.ring(&entry), entry);
}

#[test]
fn lengths_opcodes_and_user_contexts_are_checked() {
    let mut it = Machine::up();
    let status = |output: &[u8]| CommandStatus::from_code(output[0]).unwrap();
    assert_eq!(status(&it.raw(&[0x0f, 0xff, 0, 0, 0, 0, 0, 0], 16)), BadOperation);
    assert_eq!(status(&it.raw(&[0; 16], 16)), BadOperation);
    for shape in command_shapes() {
        let opcode = shape.opcode.code().to_be_bytes();
        let mut input = vec![0; shape.input.size];
        input[..2].copy_from_slice(&opcode);
        let (room, name) = (shape.output.size, shape.opcode.label());
        let short = &input[..shape.input.size - 1];
        assert_eq!(status(&it.raw(short, room)), BadInputLength, "{name}");
        assert_eq!(status(&it.raw(&input, room - 1)), BadOutputLength, "{name}");
        input[3] = 1;
        assert_eq!(status(&it.raw(&input, room)), BadParameter, "{name}");
    }
}

#[test]
fn a_command_event_comes_only_for_doorbells_rung_after_its_queue_existed() {
    let mut it = Machine::up();
    let uar = it.command(&AllocUarIn::new(), &[]).uar();
    let mut eq = create_eq(&mut it, uar, 1 << EventType::Command.code());
    assert_eq!(next_event(&it, &mut eq), None, "not for its own creation");
    it.command(&AllocPdIn::new(), &[]);
    let event = next_event(&it, &mut eq).expect("an event");
    assert_eq!(event.event_type, EventType::Command.code());
    let data = CommandEventData::read_from_bytes(&event.event_data).unwrap();
    assert_eq!(data.command_completion_vector.get(), 1);
    // Two slots with one doorbell: one event for both.
    let entry = it.prepare(AllocPdIn::new().as_bytes(), 16);
    it.memory.put(it.queue + 5 * 64, entry.as_bytes());
    it.memory.put(it.queue + 31 * 64, entry.as_bytes());
    it.write32(offset::COMMAND_DOORBELL, 1 << 31 | 1 << 5);
    it.settle();
    let data = next_event(&it, &mut eq).map(|event| event.event_data[..4].to_vec());
    assert_eq!(data, Some((1_u32 << 31 | 1 << 5).to_be_bytes().to_vec()));
    assert_eq!(next_event(&it, &mut eq), None);
    it.command(DestroyEqIn::new().set_eq_number(eq.number as u8), &[]);
    assert_eq!(next_event(&it, &mut eq), None, "not for its own end");
}

#[test]
fn an_event_queue_that_is_full_loses_events() {
    let mut it = Machine::up();
    let uar = it.command(&AllocUarIn::new(), &[]).uar();
    let mut eq = create_eq(&mut it, uar, 1 << EventType::Command.code());
    for _ in 0..70 {
        it.command(&QueryIssiIn::new(), &[]);
    }
    let events = std::iter::from_fn(|| next_event(&it, &mut eq)).count();
    assert_eq!(events, 64);
}
