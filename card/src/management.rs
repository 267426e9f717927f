//! MAD_IFC: the card's own management agents, for subnet and performance management.
//!
//! They answer what is asked about the port, and let nobody change it.

use crate::administration::{Answer, Given, plain};
use crate::card::Card;
use crate::infiniband::*;
use crate::reason::Reason;
use doorbell_prm::commands::*;
use doorbell_prm::management::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};

/// What went over the wire since power-on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(bytes as u64);
    }

    fn words(self) -> u64 {
        self.bytes / 4
    }
}

/// Attributes of subnet management, and of performance management.
const NODE_DESCRIPTION: u16 = 0x10;
const NODE_INFO: u16 = 0x11;
const GUID_INFO: u16 = 0x14;
const PORT_INFO: u16 = 0x15;
const PARTITION_KEY_TABLE: u16 = 0x16;
const CLASS_PORT_INFO: u16 = 0x01;
const PORT_COUNTERS: u16 = 0x12;
const PORT_COUNTERS_EXTENDED: u16 = 0x1d;
/// ClassPortInfo: base version, class version, and that 64-bit counters are kept.
const PERFORMANCE_CLASS: [u8; 4] = [1, 1, 0x02, 0x00];
/// Partition keys in a block of the table; only the first block is not empty.
const KEYS_IN_A_BLOCK: u32 = 32;

impl Card {
    pub(crate) fn mad_ifc(&mut self, given: Given<'_, MadIfcIn>) -> Answer<MadIfcOut> {
        if self.lid().is_none() {
            return Err(Reason::UnknownOpcode);
        }
        if given.input.port() > 1 {
            return Err(Reason::PortNumber);
        }
        let mut datagram = given.input.mad();
        let (header, _) =
            MadHeader::read_from_prefix(&datagram).map_err(|_| Reason::BadDatagram)?;
        let class = ManagementClass::from_code(header.management_class);
        let class = class.ok_or(Reason::BadDatagram)?;
        let mut answer = header;
        answer.method = METHOD_GET_RESPONSE;
        let attribute = match header.method {
            METHOD_GET => self.attribute(class, &header),
            _ => None,
        };
        match attribute {
            Some(bytes) => {
                datagram[MAD_DATA_OFFSET..].fill(0);
                datagram[MAD_DATA_OFFSET..MAD_DATA_OFFSET + bytes.len()].copy_from_slice(&bytes);
            }
            None => answer.status = STATUS_NO_SUCH_ATTRIBUTE.into(),
        }
        datagram[..MadHeader::SIZE].copy_from_slice(answer.as_bytes());
        let mut output = MadIfcOut::zeroed();
        output.set_response_mad_packet(datagram);
        plain(output)
    }

    fn attribute(&self, class: ManagementClass, header: &MadHeader) -> Option<Vec<u8>> {
        let block = header.modifier.get();
        match (class, header.attribute.get()) {
            (ManagementClass::Performance, CLASS_PORT_INFO) => Some(PERFORMANCE_CLASS.to_vec()),
            (ManagementClass::Performance, PORT_COUNTERS) => Some(self.port_counters()),
            (ManagementClass::Performance, PORT_COUNTERS_EXTENDED) => {
                Some(self.port_counters_extended())
            }
            (ManagementClass::Performance, _) => None,
            (_, NODE_DESCRIPTION) => Some(self.port_registers.node_description.to_vec()),
            (_, NODE_INFO) => Some(self.node_info()),
            (_, PORT_INFO) => Some(self.port_info()),
            (_, GUID_INFO) if block == 0 => Some(self.config.port_guid.to_be_bytes().to_vec()),
            (_, PARTITION_KEY_TABLE) if block == 0 => Some(DEFAULT_PKEY.to_be_bytes().to_vec()),
            (_, PARTITION_KEY_TABLE) if block < PARTITION_KEYS as u32 / KEYS_IN_A_BLOCK => {
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn node_info(&self) -> Vec<u8> {
        let mut info = NodeInfo::zeroed();
        (info.base_version, info.class_version, info.node_type, info.ports) = (1, 1, 1, 1);
        info.system_guid = self.config.node_guid.into();
        info.node_guid = self.config.node_guid.into();
        info.port_guid = self.config.port_guid.into();
        info.partition_capacity = (PARTITION_KEYS as u16).into();
        info.device = self.config.device_id.into();
        info.local_port = 1;
        info.vendor = VENDOR;
        info.as_bytes().to_vec()
    }

    fn port_info(&self) -> Vec<u8> {
        let mut info = PortInfo::zeroed();
        info.gid_prefix = DEFAULT_GID_PREFIX.into();
        info.lid = self.lid().unwrap_or(0).into();
        info.capabilities = self.port_registers.capabilities.into();
        info.local_port = 1;
        // Widths have the same bits here as in PTYS; speeds below FDR have numbers of their own.
        (info.width_enabled, info.width_supported) = (INFO_WIDTHS, INFO_WIDTHS);
        info.width_active = INFO_WIDTH_4X;
        info.set_speed_supported(INFO_SPEEDS);
        info.set_speed_enabled(INFO_SPEEDS);
        info.set_speed_active(INFO_SPEED_QDR);
        info.set_port_state(self.cable.state.code());
        info.set_physical_state(self.physical_state());
        info.set_neighbor_mtu(PathMtu::Mtu4096.code());
        info.set_mtu_capability(PathMtu::Mtu4096.code());
        info.set_lane_capability(LANE_0);
        info.set_operational_lanes(LANE_0);
        info.guid_capacity = 1;
        info.set_subnet_timeout(SUBNET_TIMEOUT);
        info.set_extended_supported(INFO_EXTENDED_SPEEDS);
        info.extended_enabled = INFO_EXTENDED_SPEEDS;
        info.set_extended_active(INFO_EXTENDED_HDR);
        info.as_bytes().to_vec()
    }

    fn port_counters(&self) -> Vec<u8> {
        // These counters stay at their end; the extended ones go on.
        let clamped = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let mut counters = PortCounters::zeroed();
        counters.port = 1;
        counters.transmitted_words = clamped(self.transmitted.words()).into();
        counters.received_words = clamped(self.received.words()).into();
        counters.transmitted_packets = clamped(self.transmitted.packets).into();
        counters.received_packets = clamped(self.received.packets).into();
        counters.as_bytes().to_vec()
    }

    fn port_counters_extended(&self) -> Vec<u8> {
        let mut counters = PortCountersExtended::zeroed();
        counters.port = 1;
        counters.transmitted_words = self.transmitted.words().into();
        counters.received_words = self.received.words().into();
        counters.transmitted_packets = self.transmitted.packets.into();
        counters.received_packets = self.received.packets.into();
        counters.transmitted_unicast = self.transmitted.packets.into();
        counters.received_unicast = self.received.packets.into();
        counters.as_bytes().to_vec()
    }

    /// QUERY_VPORT_COUNTER: the same counters, in bytes.
    pub(crate) fn query_vport_counter(
        &mut self,
        given: Given<'_, QueryVportCounterIn>,
    ) -> Answer<QueryVportCounterOut> {
        if given.input.other_vport() {
            return Err(Reason::OtherFunction);
        }
        let mut output = QueryVportCounterOut::zeroed();
        let (sent, received) = (self.transmitted, self.received);
        let (to, from) = match self.lid() {
            Some(_) => (
                QueryVportCounterOut::transmitted_ib_unicast_mut as Counter,
                QueryVportCounterOut::received_ib_unicast_mut as Counter,
            ),
            None => (
                QueryVportCounterOut::transmitted_eth_unicast_mut as Counter,
                QueryVportCounterOut::received_eth_unicast_mut as Counter,
            ),
        };
        to(&mut output).set_packets(sent.packets).set_octets(sent.bytes);
        from(&mut output).set_packets(received.packets).set_octets(received.bytes);
        if given.input.clear() {
            (self.transmitted, self.received) = (Traffic::default(), Traffic::default());
        }
        plain(output)
    }
}

/// One kind of traffic in the answer to QUERY_VPORT_COUNTER.
type Counter = fn(&mut QueryVportCounterOut) -> &mut TrafficCounter;
