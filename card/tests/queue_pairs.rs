//! Queue pairs and their way from RESET to RTS: the right states and the right parameters.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use support::data::*;
use support::*;

#[test]
fn a_queue_pair_is_checked() {
    let mut it = Setup::new();
    let page = it.machine.page().to_be_bytes();
    let good = it.qp_input(0, 0x8000);
    let mut check = |change: &dyn Fn(&mut QpContext), expected: CommandStatus| {
        let mut input = good;
        change(input.qpc_mut());
        assert_eq!(it.machine.refused(&input, &page).0, expected);
    };
    check(
        &|context| {
            context.set_st(5);
        },
        BadParameter,
    );
    check(
        &|context| {
            context.set_rq_type(2);
        },
        BadParameter,
    );
    check(
        &|context| {
            context.set_rq_type(1).set_srqn_rmpn_xrqn(0x999);
        },
        BadResource,
    );
    check(
        &|context| {
            context.set_dbr_addr(0x8004);
        },
        BadParameter,
    );
    check(
        &|context| {
            context.set_pd(0x999);
        },
        BadResource,
    );
    check(
        &|context| {
            context.set_cqn_snd(0x999);
        },
        BadResource,
    );
    check(
        &|context| {
            context.set_cqn_rcv(0x999);
        },
        BadResource,
    );
    check(
        &|context| {
            context.set_uar_page(0x999);
        },
        BadResource,
    );
    // More blocks than the one page holds.
    check(
        &|context| {
            context.set_log_sq_size(6);
        },
        BadInputLength,
    );
}

#[test]
fn transitions_go_one_way_and_want_their_parameters() {
    let mut it = Setup::new();
    let pair = it.create_pair(0);
    let (qpn, remote) = (pair.qpn, it.pairs[1].qpn);
    let connection = Connection::default();
    let (init, rtr, rts) =
        (it.to_init(qpn), it.to_rtr(qpn, remote, connection), it.to_rts(qpn, connection));
    let machine = &mut it.machine;
    let state = |machine: &mut Machine| {
        let context = *machine.command(QueryQpIn::new().set_qpn(qpn), &[]).qpc();
        QpState::from_code(context.state()).unwrap()
    };
    // From RESET only to INIT.
    assert_eq!(machine.refused(&rtr, &[]).0, BadQpState);
    assert_eq!(machine.refused(&rts, &[]).0, BadQpState);
    let mut bad = init;
    bad.qpc_mut().primary_address_path_mut().set_vhca_port_num(2);
    assert_eq!(machine.refused(&bad, &[]).0, BadParameter);
    let mut bad = init;
    bad.qpc_mut().primary_address_path_mut().set_pkey_index(1);
    assert_eq!(machine.refused(&bad, &[]).0, BadIndex);
    assert_eq!(state(machine), QpState::Reset, "a refused transition changes nothing");
    machine.command(&init, &[]);
    assert_eq!(state(machine), QpState::Init);
    // From INIT only to RTR.
    assert_eq!(machine.refused(&init, &[]).0, BadQpState);
    assert_eq!(machine.refused(&rts, &[]).0, BadQpState);
    let mut check = |change: &dyn Fn(&mut QpContext)| {
        let mut bad = rtr;
        change(bad.qpc_mut());
        assert_eq!(machine.refused(&bad, &[]).0, BadParameter);
    };
    check(&|context| {
        context.set_mtu(0);
    });
    check(&|context| {
        context.set_mtu(6);
    });
    check(&|context| {
        context.set_log_msg_max(31);
    });
    check(&|context| {
        context.set_log_rra_max(5);
    });
    check(&|context| {
        context.primary_address_path_mut().set_rgid_rip([0xfe; 16]);
    });
    check(&|context| {
        context.primary_address_path_mut().set_src_addr_index(1);
    });
    check(&|context| {
        context.primary_address_path_mut().set_src_addr_index(200);
    });
    check(&|context| {
        context.primary_address_path_mut().set_rmac_47_32(0).set_rmac_31_0(0);
    });
    machine.command(&rtr, &[]);
    assert_eq!(state(machine), QpState::ReadyToReceive);
    // From RTR only to RTS.
    assert_eq!(machine.refused(&init, &[]).0, BadQpState);
    assert_eq!(machine.refused(&rtr, &[]).0, BadQpState);
    let mut bad = rts;
    bad.qpc_mut().set_log_sra_max(5);
    assert_eq!(machine.refused(&bad, &[]).0, BadParameter);
    machine.command(&rts, &[]);
    assert_eq!(state(machine), QpState::ReadyToSend);
    assert_eq!(machine.refused(&rts, &[]).0, BadQpState);
    // From anywhere to ERR and RESET.
    machine.command(ToErrQpIn::new().set_qpn(qpn), &[]);
    assert_eq!(state(machine), QpState::Error);
    machine.command(ToRstQpIn::new().set_qpn(qpn), &[]);
    assert_eq!(state(machine), QpState::Reset);
    machine.command(&init, &[]);
    for refused in [
        machine.refused(ToErrQpIn::new().set_qpn(9), &[]).0,
        machine.refused(ToRstQpIn::new().set_qpn(9), &[]).0,
        machine.refused(QueryQpIn::new().set_qpn(9), &[]).0,
        machine.refused(Rst2initQpIn::new().set_qpn(9), &[]).0,
    ] {
        assert_eq!(refused, BadResource);
    }
}

#[test]
fn a_queried_queue_pair_tells_its_counters() {
    let mut it = Setup::new();
    it.post(0, &[send_inline(b""), send_inline(b"")]);
    let context = *it.machine.command(QueryQpIn::new().set_qpn(it.pairs[0].qpn), &[]).qpc();
    assert_eq!(context.sw_sq_wqebb_counter(), 2);
    assert_eq!(context.remote_qpn(), it.pairs[1].qpn);
    assert_eq!(context.pd(), it.pd);
}

#[test]
fn optional_parameters_are_applied_when_they_are_named() {
    let mut it = Setup::new();
    let pair = it.create_pair(0);
    it.machine.command(&it.to_init(pair.qpn), &[]);
    let mut rtr = it.to_rtr(pair.qpn, pair.qpn, Connection::default());
    rtr.qpc_mut().set_rwe(false).set_rre(false);
    rtr.set_opt_param_mask(1 << 3);
    it.machine.command(&rtr, &[]);
    let context = *it.machine.command(QueryQpIn::new().set_qpn(pair.qpn), &[]).qpc();
    assert!(context.rre() && !context.rwe());
}
