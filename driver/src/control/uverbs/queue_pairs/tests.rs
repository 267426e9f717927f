//! The attributes of each transition, by transport, held against the kernel's table.

use super::*;
use mask::{
    ACCESS_FLAGS, AV, CURRENT_STATE, DEST_QPN, MAX_DEST_RD_ATOMIC, MAX_QP_RD_ATOMIC, MIN_RNR_TIMER,
    PATH_MTU, PKEY_INDEX, QKEY, RETRY_CNT, RNR_RETRY, RQ_PSN, SQ_PSN, TIMEOUT,
};

const WAY: AddressVector = AddressVector {
    gid: [7; 16],
    global: true,
    lid: 3,
    mac: [0; 6],
    hop_limit: 64,
    source_gid_index: 2,
    service_level: 5,
};

const RELIABLE: ConnectTo = ConnectTo {
    qp_num: 0x11,
    path_mtu: 4,
    first_psn: 0x22,
    max_dest_rd_atomic: 3,
    min_rnr_timer: 12,
    address: WAY,
};

const UNRELIABLE: ConnectUnreliably =
    ConnectUnreliably { qp_num: 0x11, path_mtu: 4, first_psn: 0x22, address: WAY };

const SEND: SendParameters =
    SendParameters { first_psn: 0x33, timeout: 14, retry_count: 6, rnr_retry: 5, max_rd_atomic: 4 };

#[test]
fn each_transport_gives_what_it_must_and_nothing_else() {
    // `qp_state_table` of Linux, drivers/infiniband/core/verbs.c: `req_param`.
    let connected = AV | PATH_MTU | DEST_QPN | RQ_PSN;
    let table = [
        (Transition::Init(Access::REMOTE_READ.into()), PKEY_INDEX | mask::PORT | ACCESS_FLAGS),
        (Transition::Init(QueueKey(1).into()), PKEY_INDEX | mask::PORT | QKEY),
        (Transition::Connect((&RELIABLE).into()), connected | MAX_DEST_RD_ATOMIC | MIN_RNR_TIMER),
        (Transition::Connect((&UNRELIABLE).into()), connected),
        (Transition::Connect(Peer::Anyone), 0),
        (
            Transition::Start((&SEND).into()),
            TIMEOUT | RETRY_CNT | RNR_RETRY | SQ_PSN | MAX_QP_RD_ATOMIC,
        ),
        (Transition::Start(FirstPsn(9).into()), SQ_PSN),
        (Transition::Resume(Stopped::Failed), CURRENT_STATE),
        (Transition::Fail, 0),
        (Transition::Reset, 0),
    ];
    for (transition, mask) in table {
        assert_eq!(attributes(&transition).attr_mask, mask, "{transition:?}");
    }
}

#[test]
fn the_values_are_those_that_were_given() {
    let init = attributes(&Transition::Init((Access::REMOTE_WRITE | Access::REMOTE_ATOMIC).into()));
    assert_eq!((init.qp_access_flags, init.port_num), (10, 1));
    assert_eq!(attributes(&Transition::Init(QueueKey(0x8765_4321).into())).qkey, 0x8765_4321);
    for transition in
        [Transition::Connect((&RELIABLE).into()), Transition::Connect((&UNRELIABLE).into())]
    {
        let given = attributes(&transition);
        assert_eq!((given.dest_qp_num, given.path_mtu, given.rq_psn), (0x11, 4, 0x22));
        let to = given.dest;
        assert_eq!((to.dgid, to.dlid, to.is_global, to.sgid_index), ([7; 16], 3, 1, 2));
        assert_eq!((to.hop_limit, to.sl, to.port_num), (64, 5, 1));
    }
    let reliable = attributes(&Transition::Connect((&RELIABLE).into()));
    assert_eq!((reliable.max_dest_rd_atomic, reliable.min_rnr_timer), (3, 12));
    let start = attributes(&Transition::Start((&SEND).into()));
    assert_eq!((start.sq_psn, start.timeout, start.retry_cnt), (0x33, 14, 6));
    assert_eq!((start.rnr_retry, start.max_rd_atomic), (5, 4));
    assert_eq!(attributes(&Transition::Start(FirstPsn(9).into())).sq_psn, 9);
    let states = [Stopped::Failed, Stopped::Drained]
        .map(|stopped| attributes(&Transition::Resume(stopped)).cur_qp_state);
    assert_eq!(states, [5, 4]);
}

#[test]
fn an_answer_comes_back_field_by_field() {
    let answer = abi::QueryQpAnswer {
        dest: destination(&WAY),
        qp_state: 5,
        sq_draining: 1,
        path_mtu: 3,
        qkey: 0x44,
        rq_psn: 0x55,
        sq_psn: 0x66,
        dest_qp_num: 0x77,
        qp_access_flags: 6,
        pkey_index: 8,
        port_num: 1,
        max_rd_atomic: 2,
        max_dest_rd_atomic: 4,
        min_rnr_timer: 13,
        timeout: 14,
        retry_cnt: 6,
        rnr_retry: 7,
        ..Default::default()
    };
    let expected = QueuePairAttributes {
        state: QueuePairState::SendQueueError,
        draining: true,
        path_mtu: 3,
        qkey: 0x44,
        rq_psn: 0x55,
        sq_psn: 0x66,
        dest_qp_num: 0x77,
        access: Access::REMOTE_WRITE | Access::REMOTE_READ,
        capabilities: QueuePairCapabilities::default(),
        pkey_index: 8,
        port_num: 1,
        max_rd_atomic: 2,
        max_dest_rd_atomic: 4,
        min_rnr_timer: 13,
        timeout: 14,
        retry_count: 6,
        rnr_retry: 7,
        address: Some(WAY),
    };
    assert_eq!(answered(&answer), expected);
}
