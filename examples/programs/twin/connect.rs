//! Two queue pairs of one process, with the attributes that the twins in C have.

use crate::Failure;
use doorbell_driver::verbs::{
    Access, ConnectTo, ConnectUnreliably, Context, FirstPsn, Peer, QueueKey, QueuePair,
    SendParameters, Transport,
};

/// The first packet sequence numbers of the two sides.
const FIRST_PSN: u32 = 0x1000;
const SECOND_PSN: u32 = 0x2000;

/// The queue key of both sides, if they speak by datagrams.
pub const QKEY: u32 = 0x1111_1111;

/// Brings both from RESET to RTS, each connected to the other.
pub fn connect(context: &Context, first: &QueuePair, second: &QueuePair) -> Result<(), Failure> {
    one_side(context, first, second, FIRST_PSN, SECOND_PSN)?;
    one_side(context, second, first, SECOND_PSN, FIRST_PSN)
}

fn one_side(
    context: &Context,
    own: &QueuePair,
    other: &QueuePair,
    own_psn: u32,
    other_psn: u32,
) -> Result<(), Failure> {
    let access = Access::LOCAL_WRITE | Access::REMOTE_WRITE | Access::REMOTE_READ;
    let (qp_num, path_mtu, address) = (other.number(), 3, context.query_gid()?);
    match own.transport() {
        Transport::ReliableConnection => {
            own.init(access)?;
            own.connect(&ConnectTo {
                qp_num,
                path_mtu,
                first_psn: other_psn,
                max_dest_rd_atomic: 1,
                min_rnr_timer: 12,
                address,
            })?;
            own.start(&SendParameters {
                first_psn: own_psn,
                timeout: 14,
                retry_count: 7,
                rnr_retry: 7,
                max_rd_atomic: 1,
            })?;
        }
        Transport::UnreliableConnection => {
            own.init(access)?;
            own.connect(&ConnectUnreliably { qp_num, path_mtu, first_psn: other_psn, address })?;
            own.start(FirstPsn(own_psn))?;
        }
        Transport::UnreliableDatagram => {
            own.init(QueueKey(QKEY))?;
            own.connect(Peer::Anyone)?;
            own.start(FirstPsn(own_psn))?;
        }
    }
    Ok(())
}
