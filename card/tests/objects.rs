//! Resources, memory keys and queues: what is created, and what is refused.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use support::data::*;
use support::*;

#[test]
fn resources_are_given_out_and_taken_back() {
    let mut it = Machine::up();
    let pd = it.command(&AllocPdIn::new(), &[]).pd();
    let other = it.command(&AllocPdIn::new(), &[]).pd();
    assert_ne!(pd, other);
    it.command(DeallocPdIn::new().set_pd(pd), &[]);
    assert_eq!(it.refused(DeallocPdIn::new().set_pd(pd), &[]).0, BadResource);
    let uar = it.command(&AllocUarIn::new(), &[]).uar();
    assert_eq!(uar, doorbell_card::FIRST_UAR);
    it.command(DeallocUarIn::new().set_uar(uar), &[]);
    assert_eq!(it.refused(DeallocUarIn::new().set_uar(uar), &[]).0, BadResource);
    for _ in 0..it.card.config().uars {
        it.command(&AllocUarIn::new(), &[]);
    }
    assert_eq!(it.refused(&AllocUarIn::new(), &[]).0, LimitExceeded);
}

#[test]
fn what_is_in_use_is_not_destroyed() {
    let mut it = Setup::new();
    let (pd, uar, eq, cq) = (it.pd, it.uar, it.eq.number, it.cqs[0].number);
    let machine = &mut it.machine;
    assert_eq!(machine.refused(DeallocPdIn::new().set_pd(pd), &[]).0, BadResourceState);
    assert_eq!(machine.refused(DeallocUarIn::new().set_uar(uar), &[]).0, BadResourceState);
    assert_eq!(
        machine.refused(DestroyEqIn::new().set_eq_number(eq as u8), &[]).0,
        BadResourceState
    );
    assert_eq!(machine.refused(DestroyCqIn::new().set_cqn(cq), &[]).0, BadResourceState);
    for pair in it.pairs.clone() {
        it.machine.command(DestroyQpIn::new().set_qpn(pair.qpn), &[]);
        assert_eq!(it.machine.refused(DestroyQpIn::new().set_qpn(pair.qpn), &[]).0, BadResource);
    }
    for queue in it.cqs.clone() {
        it.machine.command(DestroyCqIn::new().set_cqn(queue.number), &[]);
        assert_eq!(
            it.machine.refused(DestroyCqIn::new().set_cqn(queue.number), &[]).0,
            BadResource
        );
    }
    it.machine.command(DestroyEqIn::new().set_eq_number(eq as u8), &[]);
    assert_eq!(it.machine.refused(DestroyEqIn::new().set_eq_number(eq as u8), &[]).0, BadResource);
    let index = it.key >> 8;
    it.machine.command(DestroyMkeyIn::new().set_mkey_index(index), &[]);
    assert_eq!(it.machine.refused(DestroyMkeyIn::new().set_mkey_index(index), &[]).0, BadResource);
    it.machine.command(DeallocPdIn::new().set_pd(pd), &[]);
    it.machine.command(DeallocUarIn::new().set_uar(uar), &[]);
}

#[test]
fn a_memory_key_is_checked() {
    let mut it = Machine::up();
    let pd = it.command(&AllocPdIn::new(), &[]).pd();
    let pages = [it.page(), it.page()];
    let mut check = |change: &dyn Fn(&mut CreateMkeyIn, &mut Vec<u8>), expected: CommandStatus| {
        let (mut input, mut list) = key_input(pd, &pages);
        change(&mut input, &mut list);
        assert_eq!(it.refused(&input, &list).0, expected);
    };
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_access_mode_1_0(2);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_length64(true);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_free(true);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.set_pg_access(true);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_log_page_size(11);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_log_page_size(32);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_start_addr(u64::MAX);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_length(u64::MAX);
        },
        BadParameter,
    );
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_pd(0x999);
        },
        BadResource,
    );
    check(
        &|input, _| {
            input.set_translations_octword_actual_size(0);
        },
        BadParameter,
    );
    check(&|_, list| list.truncate(8), BadInputLength);
    check(&|_, list| list[6] = 8, BadParameter);
    // One byte more than the pages hold.
    check(
        &|input, _| {
            input.memory_key_mkey_entry_mut().set_length(2 * PAGE + 1);
        },
        BadParameter,
    );
}

#[test]
fn queues_are_checked() {
    let mut it = Setup::new();
    let (uar, eqn) = (it.uar, it.eq.number);
    let page = it.machine.page().to_be_bytes();
    let mut eq = CreateEqIn::new();
    eq.eq_context_entry_mut().set_uar_page(uar);
    it.machine.command(&eq, &page);
    let changed = |change: &dyn Fn(&mut EqContext)| {
        let mut input = eq;
        change(input.eq_context_entry_mut());
        input
    };
    let machine = &mut it.machine;
    assert_eq!(machine.refused(&eq, &[]).0, BadInputLength);
    assert_eq!(machine.refused(&eq, &[0, 0, 0, 0, 0, 0, 0, 1]).0, BadParameter);
    let input = changed(&|context| {
        context.set_log_eq_size(17);
    });
    assert_eq!(machine.refused(&input, &page).0, BadParameter);
    let input = changed(&|context| {
        context.set_intr(32);
    });
    assert_eq!(machine.refused(&input, &page).0, BadParameter);
    let input = changed(&|context| {
        context.set_uar_page(0x1ff);
    });
    assert_eq!(machine.refused(&input, &page).0, BadResource);

    let mut cq = CreateCqIn::new();
    cq.cq_context_mut().set_uar_page(uar).set_c_eqn_or_apu_element(eqn);
    machine.command(&cq, &page);
    let changed = |change: &dyn Fn(&mut CqContext)| {
        let mut input = cq;
        change(input.cq_context_mut());
        input
    };
    assert_eq!(machine.refused(&cq, &[]).0, BadInputLength);
    let input = changed(&|context| {
        context.set_log_cq_size(17);
    });
    assert_eq!(machine.refused(&input, &page).0, BadParameter);
    let input = changed(&|context| {
        context.set_cqe_sz(1);
    });
    assert_eq!(machine.refused(&input, &page).0, BadParameter);
    let input = changed(&|context| {
        context.set_dbr_addr(4);
    });
    assert_eq!(machine.refused(&input, &page).0, BadParameter);
    let input = changed(&|context| {
        context.set_c_eqn_or_apu_element(99);
    });
    assert_eq!(machine.refused(&input, &page).0, BadResource);
    let input = changed(&|context| {
        context.set_c_eqn_or_apu_element(0x101);
    });
    assert_eq!(machine.refused(&input, &page).0, BadResource);
    let input = changed(&|context| {
        context.set_uar_page(0x1ff);
    });
    assert_eq!(machine.refused(&input, &page).0, BadResource);
}
