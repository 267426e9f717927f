//! What each transition of a queue pair needs: no more and no less than its transport has.
//!
//! C has one `struct ibv_qp_attr` for all of them, and a mask that says which of its fields are
//! given; a field too many or too few is EINVAL. Here each transport has types of its own, so that
//! there is no field too many or too few.

use super::{Access, QueuePairState, Transport, VerbsError};

/// Way to the other side (`struct ibv_ah_attr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressVector {
    /// GID of the other side; with RoCE v2 over IPv4 the mapped address `::ffff:a.b.c.d`.
    pub gid: [u8; 16],
    /// A GRH with that GID is sent: always with RoCE, beyond the subnet with InfiniBand.
    pub global: bool,
    /// LID of the other side; 0 with RoCE.
    pub lid: u16,
    /// MAC address of the next hop. The kernel finds it by itself.
    pub mac: [u8; 6],
    /// Hop limit of the packets.
    pub hop_limit: u8,
    /// Which of our own GIDs the packets come from.
    pub source_gid_index: u8,
    /// Service level of the packets.
    pub service_level: u8,
}

/// Queue key of a datagram queue pair: datagrams with another one are dropped. A key with its
/// highest bit set is a controlled one, which the kernel lets only privileged programs set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueueKey(pub u32);

/// Sequence number of a queue pair's first packet: all that a transport without acknowledgements
/// needs to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FirstPsn(pub u32);

/// What RESET to INIT needs, beside port and partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitParameters {
    /// RC and UC: what the other side may do with our memory (`IBV_QP_ACCESS_FLAGS`).
    Connected(Access),
    /// UD: whose datagrams are taken (`IBV_QP_QKEY`).
    Datagram(QueueKey),
}

/// What INIT to RTR needs of a reliable connection (`IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | ...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectTo {
    /// QPN of the other side.
    pub qp_num: u32,
    /// Largest payload of a packet: 1 is 256 bytes, 5 is 4096 (`enum ibv_mtu`).
    pub path_mtu: u8,
    /// Sequence number that the other side's first packet will have.
    pub first_psn: u32,
    /// RDMA reads and atomics of the other side served at a time.
    pub max_dest_rd_atomic: u8,
    /// Code of the time that the other side waits when no receive is posted.
    pub min_rnr_timer: u8,
    /// The way.
    pub address: AddressVector,
}

/// What INIT to RTR needs of an unreliable connection: nobody waits, and nothing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectUnreliably {
    /// QPN of the other side.
    pub qp_num: u32,
    /// Largest payload of a packet: 1 is 256 bytes, 5 is 4096 (`enum ibv_mtu`).
    pub path_mtu: u8,
    /// Sequence number that the other side's first packet will have.
    pub first_psn: u32,
    /// The way.
    pub address: AddressVector,
}

/// What INIT to RTR needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// RC: the other side, and how it is served.
    Reliable(ConnectTo),
    /// UC: the other side.
    Unreliable(ConnectUnreliably),
    /// UD: nothing, since each datagram says whom it is for.
    Anyone,
}

/// What RTR to RTS needs of a reliable connection (`IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | ...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendParameters {
    /// Sequence number of our first packet.
    pub first_psn: u32,
    /// Code of the time to wait for an acknowledgement: 4.096 us times 2 to its power.
    pub timeout: u8,
    /// Times to send again without an answer.
    pub retry_count: u8,
    /// Times to send again when the other side is not ready; 7 is without end.
    pub rnr_retry: u8,
    /// Our RDMA reads and atomics outstanding at a time.
    pub max_rd_atomic: u8,
}

/// What RTR to RTS needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// RC: first sequence number, and what to do when no answer comes.
    Reliable(SendParameters),
    /// UC and UD: the first sequence number. No answer is waited for.
    Unreliable(FirstPsn),
}

/// Why a queue pair's sends have stopped while it still receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stopped {
    /// In SQE: a send of an unreliable transport failed.
    Failed,
    /// In SQD: all that was begun is done, and nothing more is begun.
    Drained,
}

/// A transition of a queue pair (`ibv_modify_qp` with `IBV_QP_STATE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// RESET to INIT.
    Init(InitParameters),
    /// INIT to RTR.
    Connect(Peer),
    /// RTR to RTS.
    Start(Start),
    /// SQE or SQD to RTS.
    Resume(Stopped),
    /// Any state to ERR.
    Fail,
    /// Any state to RESET.
    Reset,
}

impl Transition {
    /// The state that it leads to.
    pub fn target(&self) -> QueuePairState {
        match self {
            Self::Init(_) => QueuePairState::Init,
            Self::Connect(_) => QueuePairState::ReadyToReceive,
            Self::Start(_) | Self::Resume(_) => QueuePairState::ReadyToSend,
            Self::Fail => QueuePairState::Error,
            Self::Reset => QueuePairState::Reset,
        }
    }

    // ANCHOR: transition_transport
    /// Refuses what is for another transport: the kernel's table of attributes by transition and
    /// transport (`qp_state_table`), which answers EINVAL there.
    pub(super) fn check(&self, transport: Transport) -> Result<(), VerbsError> {
        use Transport::*;
        let (given, takers): (_, &[Transport]) = match self {
            Self::Init(InitParameters::Connected(_)) => {
                ("access flags", &[ReliableConnection, UnreliableConnection])
            }
            Self::Init(InitParameters::Datagram(_)) => ("a queue key", &[UnreliableDatagram]),
            Self::Connect(Peer::Reliable(_)) => {
                ("a peer with retries and reads", &[ReliableConnection])
            }
            Self::Connect(Peer::Unreliable(_)) => {
                ("a peer without retries and reads", &[UnreliableConnection])
            }
            Self::Connect(Peer::Anyone) => ("no peer", &[UnreliableDatagram]),
            Self::Start(Start::Reliable(_)) => ("timeout and retries", &[ReliableConnection]),
            Self::Start(Start::Unreliable(_)) => {
                ("a first sequence number alone", &[UnreliableConnection, UnreliableDatagram])
            }
            Self::Resume(_) | Self::Fail | Self::Reset => return Ok(()),
        };
        match takers.contains(&transport) {
            true => Ok(()),
            false => Err(VerbsError::WrongParameters { state: self.target(), transport, given }),
        }
    }
    // ANCHOR_END: transition_transport

    /// The way to the other side, if it needs one.
    pub fn address(&self) -> Option<&AddressVector> {
        match self {
            Self::Connect(Peer::Reliable(to)) => Some(&to.address),
            Self::Connect(Peer::Unreliable(to)) => Some(&to.address),
            _ => None,
        }
    }
}

impl From<Access> for InitParameters {
    fn from(access: Access) -> Self {
        Self::Connected(access)
    }
}

impl From<QueueKey> for InitParameters {
    fn from(key: QueueKey) -> Self {
        Self::Datagram(key)
    }
}

impl From<&ConnectTo> for Peer {
    fn from(to: &ConnectTo) -> Self {
        Self::Reliable(*to)
    }
}

impl From<&ConnectUnreliably> for Peer {
    fn from(to: &ConnectUnreliably) -> Self {
        Self::Unreliable(*to)
    }
}

impl From<&SendParameters> for Start {
    fn from(parameters: &SendParameters) -> Self {
        Self::Reliable(*parameters)
    }
}

impl From<FirstPsn> for Start {
    fn from(psn: FirstPsn) -> Self {
        Self::Unreliable(psn)
    }
}
