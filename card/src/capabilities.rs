//! What the card says it can do. The same numbers are what it checks against.

use crate::administration::{Answer, Given, plain};
use crate::card::Card;
use crate::config::{CardConfig, Link};
use crate::fabric::{LOWEST_SOURCE_PORT, ROCE_ADDRESSES, ROCE_V2};
use crate::reason::Reason;
use crate::work_request::ATOMIC_SIZE;
use doorbell_prm::commands::*;
use doorbell_prm::roce::ROCE_UDP_PORT;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};

/// log2 of the largest work queue in WQEs or blocks.
pub(crate) const LOG_MAX_QP_SIZE: u8 = 15;
/// log2 of the largest completion queue.
pub(crate) const LOG_MAX_CQ_SIZE: u8 = 16;
/// log2 of the largest event queue.
pub(crate) const LOG_MAX_EQ_SIZE: u8 = 16;
/// log2 of how many there can be of each. `mlx5_core` takes as many queue pairs as a card has, up to
/// 2^18 (`handle_hca_cap`).
pub(crate) const LOG_MAX_QP: u8 = 14;
pub(crate) const LOG_MAX_CQ: u8 = 14;
pub(crate) const LOG_MAX_EQ: u8 = 7;
pub(crate) const LOG_MAX_MKEY: u8 = 14;
pub(crate) const LOG_MAX_PD: u8 = 10;
/// log2 of the longest message.
pub(crate) const LOG_MAX_MESSAGE: u8 = 30;
/// log2 of outstanding reads, either way.
pub(crate) const LOG_MAX_READS: u8 = 4;
/// log2 of the largest shared receive queue, and of how many there can be of either kind.
pub(crate) const LOG_MAX_SRQ_SIZE: u8 = 15;
pub(crate) const LOG_MAX_SRQ: u8 = 10;
/// log2 of how many domains there can be of each kind.
pub(crate) const LOG_MAX_XRCD: u8 = 10;
pub(crate) const LOG_MAX_TRANSPORT_DOMAIN: u8 = 10;
/// log2 of how many user contexts there can be.
pub(crate) const LOG_MAX_USER_CONTEXT: u8 = 10;
/// How many counter sets there can be.
pub(crate) const MAX_COUNTER_SETS: u16 = 64;

/// `cmdif_checksum`: signatures are used both ways.
const SIGNATURES_ON: u8 = 3;
/// `port_type`: Ethernet.
const PORT_ETHERNET: u8 = 1;
/// `port_type`: InfiniBand.
const PORT_INFINIBAND: u8 = 0;
/// `local_ca_ack_delay`: 4.096 us times 2 to this power.
const ACK_DELAY: u8 = 16;
/// In `l3_type` of the RoCE group: IPv4 is supported.
const L3_IPV4_SUPPORTED: u8 = 1 << 1;

/// `atomic_operations`: compare-and-swap and fetch-and-add.
const ATOMIC_OPERATIONS: u16 = 1 | 2;
/// `atomic_req_8b_endianness_mode`: what an atomic found is handed over in the host's byte order.
const HOST_ENDIANNESS: u8 = 1;

/// The capabilities in force, and the most that is possible.
#[derive(Debug, Clone)]
pub(crate) struct Capabilities {
    current: GeneralCapabilities,
    most: GeneralCapabilities,
    /// `atomic_req_8b_endianness_mode`.
    atomic_mode: u8,
}

impl Capabilities {
    // ANCHOR: card_capabilities
    pub(crate) fn new(config: &CardConfig) -> Self {
        let mut most = GeneralCapabilities::zeroed();
        most.set_log_max_qp_sz(LOG_MAX_QP_SIZE)
            .set_log_max_qp(LOG_MAX_QP)
            .set_log_max_cq_sz(LOG_MAX_CQ_SIZE)
            .set_log_max_cq(LOG_MAX_CQ)
            .set_log_max_eq_sz(LOG_MAX_EQ_SIZE)
            .set_log_max_eq(LOG_MAX_EQ)
            .set_log_max_mkey(LOG_MAX_MKEY)
            .set_log_max_pd(LOG_MAX_PD)
            .set_log_max_msg(LOG_MAX_MESSAGE)
            .set_log_max_mrw_sz(64)
            .set_log_max_ra_req_qp(LOG_MAX_READS)
            .set_log_max_ra_res_qp(LOG_MAX_READS)
            .set_log_pg_sz(12)
            .set_max_wqe_sz_sq(1008)
            .set_max_wqe_sz_rq(2048)
            .set_num_ports(1)
            .set_native_port_num(1)
            .set_rc(true)
            .set_ud(true)
            .set_uc(true)
            .set_atomic(config.atomics)
            .set_imaicl(true)
            .set_cqe_version(1)
            .set_cq_oi(true)
            .set_driver_version(true)
            .set_cmdif_checksum(SIGNATURES_ON)
            .set_umr_modify_entity_size_disabled(true)
            .set_bf(true)
            .set_log_bf_reg_size(9)
            .set_uar_4k(true)
            .set_uar_sz((config.bar_size() >> 20).max(1).ilog2() as u8)
            .set_num_of_uars_per_page(1);
        match config.link {
            Link::Ethernet => most.set_port_type(PORT_ETHERNET).set_roce(true),
            Link::InfiniBand { .. } => set_infiniband(&mut most),
        };
        // Signatures are possible, and off until a driver asks for them.
        let mut current = most;
        current.set_cmdif_checksum(0);
        Self { current, most, atomic_mode: 0 }
    }
    // ANCHOR_END: card_capabilities

    /// Forgets what a driver chose.
    pub(crate) fn reset(&mut self) {
        self.current = self.most;
        self.current.set_cmdif_checksum(0);
        self.atomic_mode = 0;
    }

    /// Whether a requester hands over what an atomic found in the host's byte order.
    pub(crate) fn hands_atomics_as_host(&self) -> bool {
        self.atomic_mode == HOST_ENDIANNESS
    }
}

impl Card {
    /// Whether commands and mailboxes must be signed.
    pub(crate) fn checks_signatures(&self) -> bool {
        self.capabilities.current.cmdif_checksum() == SIGNATURES_ON
    }

    /// Whether it has atomic operations.
    pub(crate) fn has_atomics(&self) -> bool {
        self.capabilities.most.atomic()
    }

    pub(crate) fn query_hca_cap(
        &mut self,
        given: Given<'_, QueryHcaCapIn>,
    ) -> Answer<QueryHcaCapOut> {
        let (group, current) = (given.input.op_mod() >> 1, given.input.op_mod() & 1 == 1);
        let mut output = QueryHcaCapOut::zeroed();
        match CapabilityGroup::from_code(group) {
            Some(CapabilityGroup::General) => {
                let general = &self.capabilities;
                *output.capability_mut() = match current {
                    true => general.current,
                    false => general.most,
                };
            }
            Some(CapabilityGroup::Roce) => {
                let bytes = output.capability_mut().as_mut_bytes();
                if let Ok((roce, _)) = RoceCapabilities::mut_from_prefix(bytes) {
                    *roce = roce_capabilities();
                }
            }
            Some(CapabilityGroup::Atomic) if self.has_atomics() => {
                let mode = if current { self.capabilities.atomic_mode } else { HOST_ENDIANNESS };
                let bytes = output.capability_mut().as_mut_bytes();
                if let Ok((atomic, _)) = AtomicCapabilities::mut_from_prefix(bytes) {
                    *atomic = atomic_capabilities(mode);
                }
            }
            // Nothing of these groups is supported: all their fields are 0.
            Some(CapabilityGroup::Atomic | CapabilityGroup::Odp) => {}
            None => return Err(Reason::UnknownCapabilityGroup),
        }
        plain(output)
    }

    /// What a driver may choose: whether signatures are used, and the byte order of what atomics
    /// found. Everything else is as it is, and may be set back to what the card said.
    pub(crate) fn set_hca_cap(&mut self, given: Given<'_, SetHcaCapIn>) -> Answer<SetHcaCapOut> {
        if given.input.op_mod() == CapabilityGroup::Atomic.code() << 1 && self.has_atomics() {
            let bytes = given.input.capability().as_bytes();
            let chosen = AtomicCapabilities::ref_from_prefix(bytes);
            let mode = chosen.map_or(0, |(chosen, _)| chosen.atomic_req_8b_endianness_mode());
            if mode > HOST_ENDIANNESS {
                return Err(Reason::CapabilityTooLarge);
            }
            self.capabilities.atomic_mode = mode;
            return plain(SetHcaCapOut::zeroed());
        }
        if given.input.op_mod() != CapabilityGroup::General.code() << 1 {
            return Err(Reason::UnknownCapabilityGroup);
        }
        let mut chosen = *given.input.capability();
        let most = self.capabilities.most;
        let checksum = chosen.cmdif_checksum();
        if ![0, SIGNATURES_ON].contains(&checksum) {
            return Err(Reason::CapabilityTooLarge);
        }
        chosen.set_cmdif_checksum(most.cmdif_checksum());
        if exceeds(&chosen, &most) {
            return Err(Reason::CapabilityTooLarge);
        }
        self.capabilities.current.set_cmdif_checksum(checksum);
        plain(SetHcaCapOut::zeroed())
    }
}

/// Whether any field of the table is larger in `chosen` than in `most`.
fn exceeds(chosen: &GeneralCapabilities, most: &GeneralCapabilities) -> bool {
    use doorbell_prm::{Layout, Value};
    let numbers = |from: &GeneralCapabilities| {
        let decoded = GeneralCapabilities::LAYOUT.decode(from.as_bytes());
        let numbers = decoded.into_iter().map(|field| match field.value {
            Value::Number(number) => number,
            Value::Bytes(_) => 0,
        });
        numbers.collect::<Vec<_>>()
    };
    numbers(chosen).iter().zip(numbers(most)).any(|(chosen, most)| *chosen > most)
}

/// What an operating system finds on a card with an InfiniBand port.
fn set_infiniband(most: &mut GeneralCapabilities) -> &mut GeneralCapabilities {
    // A table of 8 GIDs and one of 128 partition keys have the number 0.
    most.set_port_type(PORT_INFINIBAND)
        .set_ib_virt(true)
        .set_gid_table_size(0)
        .set_pkey_table_size(0)
        .set_log_max_srq(LOG_MAX_SRQ)
        .set_log_max_srq_sz(LOG_MAX_SRQ_SIZE)
        .set_log_max_rmp(LOG_MAX_SRQ)
        .set_log_max_sq(LOG_MAX_QP)
        .set_log_max_wq_sz(LOG_MAX_QP_SIZE)
        .set_xrc(true)
        .set_log_max_xrcd(LOG_MAX_XRCD)
        .set_log_max_transport_domain(LOG_MAX_TRANSPORT_DOMAIN)
        .set_log_max_uctx(LOG_MAX_USER_CONTEXT)
        .set_max_qp_cnt(MAX_COUNTER_SETS)
        .set_local_ca_ack_delay(ACK_DELAY)
        .set_device_frequency_mhz(1000)
        .set_device_frequency_khz(1_000_000)
}

fn roce_capabilities() -> RoceCapabilities {
    let mut roce = RoceCapabilities::zeroed();
    roce.set_roce_version(1 << ROCE_V2)
        .set_l3_type(L3_IPV4_SUPPORTED)
        .set_r_roce_dest_udp_port(ROCE_UDP_PORT)
        .set_r_roce_min_src_udp_port(LOWEST_SOURCE_PORT)
        .set_r_roce_max_src_udp_port(u16::MAX)
        .set_roce_address_table_size(ROCE_ADDRESSES as u16);
    roce
}

fn atomic_capabilities(mode: u8) -> AtomicCapabilities {
    let mut atomic = AtomicCapabilities::zeroed();
    atomic
        .set_atomic_req_8b_endianness_mode(mode)
        .set_supported_atomic_req_8b_endianness_mode_1(true)
        .set_atomic_operations(ATOMIC_OPERATIONS)
        .set_atomic_size_qp(ATOMIC_SIZE as u16);
    atomic
}
