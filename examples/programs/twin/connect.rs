//! Two queue pairs of one process, with the attributes that the twins in C have.

use crate::Failure;
use doorbell_driver::verbs::{Access, ConnectTo, Context, QueuePair, SendParameters};

/// The first packet sequence numbers of the two sides.
const FIRST_PSN: u32 = 0x1000;
const SECOND_PSN: u32 = 0x2000;

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
    own.init(Access::LOCAL_WRITE | Access::REMOTE_WRITE | Access::REMOTE_READ)?;
    own.connect(&ConnectTo {
        qp_num: other.number(),
        path_mtu: 3,
        first_psn: other_psn,
        max_dest_rd_atomic: 1,
        min_rnr_timer: 12,
        address: context.query_gid()?,
    })?;
    own.start(&SendParameters {
        first_psn: own_psn,
        timeout: 14,
        retry_count: 7,
        rnr_retry: 7,
        max_rd_atomic: 1,
    })?;
    Ok(())
}
