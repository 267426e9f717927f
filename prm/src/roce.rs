//! RoCE packets: Ethernet, the headers of a network, and the InfiniBand transport headers inside.
//!
//! A packet of RoCE v2 is: Ethernet header, IPv4 header, UDP header (destination port 4791), base
//! transport header, the extended headers that its opcode demands, payload padded to 4 bytes, and the
//! invariant CRC. (InfiniBand specification volume 1, chapter 9 and annex A17.) One of RoCE v1 has
//! InfiniBand's global route header in the place of IPv4 and UDP (annex A16).

mod parts;

pub use parts::{PacketPart, packet_parts};

use crate::macros::{codes, wire};

codes! {
    /// What a packet is: opcodes of the reliable connection, of the unreliable one and of datagrams
    /// (specification table 38), and of the extended reliable connection (annex A14). The three
    /// highest bits are the service; see [`BthOpcode::operation`] for the rest.
    pub enum BthOpcode: u8 {
        SendFirst = 0x00 "RC_SEND_FIRST";
        SendMiddle = 0x01 "RC_SEND_MIDDLE";
        SendLast = 0x02 "RC_SEND_LAST";
        SendLastImmediate = 0x03 "RC_SEND_LAST_WITH_IMMEDIATE";
        SendOnly = 0x04 "RC_SEND_ONLY";
        SendOnlyImmediate = 0x05 "RC_SEND_ONLY_WITH_IMMEDIATE";
        WriteFirst = 0x06 "RC_RDMA_WRITE_FIRST";
        WriteMiddle = 0x07 "RC_RDMA_WRITE_MIDDLE";
        WriteLast = 0x08 "RC_RDMA_WRITE_LAST";
        WriteLastImmediate = 0x09 "RC_RDMA_WRITE_LAST_WITH_IMMEDIATE";
        WriteOnly = 0x0a "RC_RDMA_WRITE_ONLY";
        WriteOnlyImmediate = 0x0b "RC_RDMA_WRITE_ONLY_WITH_IMMEDIATE";
        ReadRequest = 0x0c "RC_RDMA_READ_REQUEST";
        ReadResponseFirst = 0x0d "RC_RDMA_READ_RESPONSE_FIRST";
        ReadResponseMiddle = 0x0e "RC_RDMA_READ_RESPONSE_MIDDLE";
        ReadResponseLast = 0x0f "RC_RDMA_READ_RESPONSE_LAST";
        ReadResponseOnly = 0x10 "RC_RDMA_READ_RESPONSE_ONLY";
        Acknowledge = 0x11 "RC_ACKNOWLEDGE";
        AtomicAcknowledge = 0x12 "RC_ATOMIC_ACKNOWLEDGE";
        CompareSwap = 0x13 "RC_COMPARE_SWAP";
        FetchAdd = 0x14 "RC_FETCH_ADD";
        SendLastInvalidate = 0x16 "RC_SEND_LAST_WITH_INVALIDATE";
        SendOnlyInvalidate = 0x17 "RC_SEND_ONLY_WITH_INVALIDATE";
        UnreliableSendFirst = 0x20 "UC_SEND_FIRST";
        UnreliableSendMiddle = 0x21 "UC_SEND_MIDDLE";
        UnreliableSendLast = 0x22 "UC_SEND_LAST";
        UnreliableSendLastImmediate = 0x23 "UC_SEND_LAST_WITH_IMMEDIATE";
        UnreliableSendOnly = 0x24 "UC_SEND_ONLY";
        UnreliableSendOnlyImmediate = 0x25 "UC_SEND_ONLY_WITH_IMMEDIATE";
        UnreliableWriteFirst = 0x26 "UC_RDMA_WRITE_FIRST";
        UnreliableWriteMiddle = 0x27 "UC_RDMA_WRITE_MIDDLE";
        UnreliableWriteLast = 0x28 "UC_RDMA_WRITE_LAST";
        UnreliableWriteLastImmediate = 0x29 "UC_RDMA_WRITE_LAST_WITH_IMMEDIATE";
        UnreliableWriteOnly = 0x2a "UC_RDMA_WRITE_ONLY";
        UnreliableWriteOnlyImmediate = 0x2b "UC_RDMA_WRITE_ONLY_WITH_IMMEDIATE";
        DatagramSendOnly = 0x64 "UD_SEND_ONLY";
        DatagramSendOnlyImmediate = 0x65 "UD_SEND_ONLY_WITH_IMMEDIATE";
        ExtendedSendFirst = 0xa0 "XRC_SEND_FIRST";
        ExtendedSendMiddle = 0xa1 "XRC_SEND_MIDDLE";
        ExtendedSendLast = 0xa2 "XRC_SEND_LAST";
        ExtendedSendLastImmediate = 0xa3 "XRC_SEND_LAST_WITH_IMMEDIATE";
        ExtendedSendOnly = 0xa4 "XRC_SEND_ONLY";
        ExtendedSendOnlyImmediate = 0xa5 "XRC_SEND_ONLY_WITH_IMMEDIATE";
        ExtendedWriteFirst = 0xa6 "XRC_RDMA_WRITE_FIRST";
        ExtendedWriteMiddle = 0xa7 "XRC_RDMA_WRITE_MIDDLE";
        ExtendedWriteLast = 0xa8 "XRC_RDMA_WRITE_LAST";
        ExtendedWriteLastImmediate = 0xa9 "XRC_RDMA_WRITE_LAST_WITH_IMMEDIATE";
        ExtendedWriteOnly = 0xaa "XRC_RDMA_WRITE_ONLY";
        ExtendedWriteOnlyImmediate = 0xab "XRC_RDMA_WRITE_ONLY_WITH_IMMEDIATE";
        ExtendedReadRequest = 0xac "XRC_RDMA_READ_REQUEST";
        ExtendedReadResponseFirst = 0xad "XRC_RDMA_READ_RESPONSE_FIRST";
        ExtendedReadResponseMiddle = 0xae "XRC_RDMA_READ_RESPONSE_MIDDLE";
        ExtendedReadResponseLast = 0xaf "XRC_RDMA_READ_RESPONSE_LAST";
        ExtendedReadResponseOnly = 0xb0 "XRC_RDMA_READ_RESPONSE_ONLY";
        ExtendedAcknowledge = 0xb1 "XRC_ACKNOWLEDGE";
        ExtendedAtomicAcknowledge = 0xb2 "XRC_ATOMIC_ACKNOWLEDGE";
        ExtendedCompareSwap = 0xb3 "XRC_COMPARE_SWAP";
        ExtendedFetchAdd = 0xb4 "XRC_FETCH_ADD";
        ExtendedSendLastInvalidate = 0xb6 "XRC_SEND_LAST_WITH_INVALIDATE";
        ExtendedSendOnlyInvalidate = 0xb7 "XRC_SEND_ONLY_WITH_INVALIDATE";
    }
}

/// The three highest bits of an opcode are the service: of an unreliable connection, of an extended
/// reliable one.
const SERVICE_BITS: u8 = 0xe0;
const UNRELIABLE_CONNECTION: u8 = 0x20;
const EXTENDED: u8 = 0xa0;

impl BthOpcode {
    /// What the packet does, whatever its service: of a connection's opcode the one that a reliable
    /// connection would have. A datagram's opcode is its own operation.
    pub const fn operation(self) -> Self {
        match self.is_unreliable() || self.is_extended() {
            true => match Self::from_code(self.code() & !SERVICE_BITS) {
                Some(operation) => operation,
                None => self,
            },
            false => self,
        }
    }

    /// The same operation on an extended reliable connection, when it is one of a reliable
    /// connection.
    pub const fn extended(self) -> Option<Self> {
        match self.code() & SERVICE_BITS {
            0 => Self::from_code(self.code() | EXTENDED),
            _ => None,
        }
    }

    /// Of an extended reliable connection's opcode the one that a reliable connection would have;
    /// every other as it is.
    pub const fn unextended(self) -> Self {
        match self.is_extended() {
            true => self.operation(),
            false => self,
        }
    }

    /// The same operation on an unreliable connection; `None` when there is none: reads, atomics
    /// and their answers need a reliable one.
    pub const fn unreliable(self) -> Option<Self> {
        match self.operation().code() {
            code if code & SERVICE_BITS == 0 => Self::from_code(code | UNRELIABLE_CONNECTION),
            _ => None,
        }
    }

    /// Whether the packet belongs to an extended reliable connection.
    pub const fn is_extended(self) -> bool {
        self.code() & SERVICE_BITS == EXTENDED
    }

    /// Whether the number of a shared receive queue follows: every request of an extended reliable
    /// connection.
    pub const fn has_xrceth(self) -> bool {
        let responses = Self::ReadResponseFirst.code() <= self.operation().code()
            && self.operation().code() <= Self::AtomicAcknowledge.code();
        self.is_extended() && !responses
    }

    /// Whether the packet belongs to an unreliable connection.
    pub const fn is_unreliable(self) -> bool {
        self.code() & SERVICE_BITS == UNRELIABLE_CONNECTION
    }

    /// Whether a RETH follows: the first or only packet of a write, or a read request.
    pub const fn has_reth(self) -> bool {
        use BthOpcode::*;
        matches!(self.operation(), WriteFirst | WriteOnly | WriteOnlyImmediate | ReadRequest)
    }

    /// Whether the operands of an atomic operation follow.
    pub const fn has_atomic(self) -> bool {
        matches!(self.operation(), BthOpcode::CompareSwap | BthOpcode::FetchAdd)
    }

    /// Whether the original value of an atomic operation follows.
    pub const fn has_atomic_acknowledgement(self) -> bool {
        matches!(self.operation(), BthOpcode::AtomicAcknowledge)
    }

    /// Whether immediate data follows.
    pub const fn has_immediate(self) -> bool {
        use BthOpcode::*;
        matches!(
            self.operation(),
            SendLastImmediate
                | SendOnlyImmediate
                | WriteLastImmediate
                | WriteOnlyImmediate
                | DatagramSendOnlyImmediate
        )
    }

    /// Whether the key follows that the receiver is to invalidate.
    pub const fn has_invalidate(self) -> bool {
        matches!(self.operation(), BthOpcode::SendLastInvalidate | BthOpcode::SendOnlyInvalidate)
    }

    /// Whether a DETH follows: datagrams.
    pub const fn has_deth(self) -> bool {
        matches!(
            self.operation(),
            BthOpcode::DatagramSendOnly | BthOpcode::DatagramSendOnlyImmediate
        )
    }

    /// Whether an AETH follows: acknowledgements, and all read responses but the middle ones.
    pub const fn has_aeth(self) -> bool {
        use BthOpcode::*;
        matches!(
            self.operation(),
            ReadResponseFirst
                | ReadResponseLast
                | ReadResponseOnly
                | Acknowledge
                | AtomicAcknowledge
        )
    }
}

wire! {
    /// Ethernet header.
    pub struct EthernetHeader [14] = "ethernet" from "IEEE 802.3" {
        @ 0 destination: [u8; 6] as NetworkAddress "MAC address of the receiver.",
        @ 6 source: [u8; 6] as NetworkAddress "MAC address of the sender.",
        @ 12 ether_type: U16 "What follows." => &[(0x0800, "IPV4"), (0x86dd, "IPV6"), (0x8915, "ROCE_V1")],
    }
}

/// [`EthernetHeader::ether_type`] of a packet of RoCE v1: a global route header follows.
pub const ETHER_TYPE_ROCE_V1: u16 = 0x8915;

wire! {
    /// Global route header: from which port of which subnet a packet comes, and to which it goes.
    pub struct GlobalRouteHeader [40] = "grh" from "InfiniBand specification, 8.3; struct ib_grh of Linux's ib_pack.h" {
        @ 0 version_class_flow: U32 {
            ip_version, set_ip_version: 0, 4 "6: the header has the form of one of IPv6.";
            traffic_class, set_traffic_class: 4, 8 "Traffic class.";
            flow_label, set_flow_label: 12, 20 "Packets of one flow have the same, and keep their order.";
        },
        @ 4 payload_length: U16 "Length of what follows, the invariant CRC included, in bytes.",
        @ 6 next_header: u8 "What follows." => &[(0x1b, "BASE_TRANSPORT_HEADER")],
        @ 7 hop_limit: u8 "Routers that may still be passed.",
        @ 8 source_gid: [u8; 16] as NetworkAddress "GID of the sender's port.",
        @ 24 destination_gid: [u8; 16] as NetworkAddress "GID of the receiver's port.",
    }
}

/// [`GlobalRouteHeader::ip_version`].
pub const GRH_VERSION: u32 = 6;
/// [`GlobalRouteHeader::next_header`] of an InfiniBand packet.
pub const GRH_NEXT_HEADER: u8 = 0x1b;

wire! {
    /// IPv4 header without options.
    pub struct Ipv4Header [20] = "ipv4" from "RFC 791" {
        @ 0 version_ihl: u8 {
            version, set_version: 0, 4 "4.";
            header_words, set_header_words: 4, 4 "Length of the header in 4-byte words.";
        },
        @ 1 dscp_ecn: u8 {
            dscp, set_dscp: 0, 6 "Differentiated services code point.";
            ecn, set_ecn: 6, 2 "Explicit congestion notification.";
        },
        @ 2 total_length: U16 "Length of header and content in bytes.",
        @ 4 identification: U16 "Number of the datagram.",
        @ 6 fragment: U16 {
            dont_fragment, set_dont_fragment: 1, 1 "The datagram must not be cut.";
            more_fragments, set_more_fragments: 2, 1 "It was cut, and more follows.";
            fragment_offset, set_fragment_offset: 3, 13 "Place of this piece in units of 8 bytes.";
        },
        @ 8 time_to_live: u8 "Routers that may still be passed.",
        @ 9 protocol: u8 "What follows." => &[(17, "UDP")],
        @ 10 checksum: U16 "Checksum of the header.",
        @ 12 source: [u8; 4] as NetworkAddress "Address of the sender.",
        @ 16 destination: [u8; 4] as NetworkAddress "Address of the receiver.",
    }
}

wire! {
    /// UDP header.
    pub struct UdpHeader [8] = "udp" from "RFC 768" {
        @ 0 source_port: U16 "Chosen by the sender; spreads flows over paths.",
        @ 2 destination_port: U16 "What follows." => &[(4791, "ROCE_V2")],
        @ 4 length: U16 "Length of header and content in bytes.",
        @ 6 checksum: U16 "0: RoCE v2 relies on the invariant CRC.",
    }
}

wire! {
    /// Base transport header: every InfiniBand packet has one.
    pub struct BaseTransportHeader [12] = "bth" from "InfiniBand specification, 9.2" {
        @ 0 opcode: u8 "What the packet is." => BthOpcode::TABLE,
        @ 1 flags: u8 {
            solicited, set_solicited: 0, 1 "The receiver shall be woken.";
            migration, set_migration: 1, 1 "Path migration state.";
            pad_count, set_pad_count: 2, 2 "Bytes that pad the payload to a multiple of 4.";
            transport_version, set_transport_version: 4, 4 "0.";
        },
        @ 2 pkey: U16 "Partition key.",
        @ 4 destination: U32 {
            fecn, set_fecn: 0, 1 "Congestion was met on the way.";
            becn, set_becn: 1, 1 "Congestion was met on the way back.";
            destination_qpn, set_destination_qpn: 8, 24 "The queue pair of the receiver.";
        },
        @ 8 sequence: U32 {
            acknowledge_request, set_acknowledge_request: 0, 1 "The sender wants an acknowledgement.";
            psn, set_psn: 8, 24 "Packet sequence number.";
        },
    }
}

wire! {
    /// RDMA extended transport header: which memory of the receiver is meant.
    pub struct RdmaExtendedHeader [16] = "reth" from "InfiniBand specification, 9.3.3" {
        @ 0 virtual_address: U64 as Address "Virtual address.",
        @ 8 rkey: U32 as Key "Remote key.",
        @ 12 dma_length: U32 "Length of the whole operation in bytes.",
    }
}

wire! {
    /// Datagram extended transport header: who sends, and that he may.
    pub struct DatagramHeader [8] = "deth" from "InfiniBand specification, 9.3.2" {
        @ 0 queue_key: U32 "Must be the receiver's queue key.",
        @ 4 source: U32 {
            source_qpn, set_source_qpn: 8, 24 "The queue pair of the sender.";
        },
    }
}

codes! {
    /// Why a request was not acknowledged (specification table 46), in the low 5 bits of a NAK.
    pub enum NakCode: u8 {
        PsnSequenceError = 0 "PSN_SEQUENCE_ERROR";
        InvalidRequest = 1 "INVALID_REQUEST";
        RemoteAccessError = 2 "REMOTE_ACCESS_ERROR";
        RemoteOperationalError = 3 "REMOTE_OPERATIONAL_ERROR";
        InvalidRdRequest = 4 "INVALID_RD_REQUEST";
    }
}

wire! {
    /// Acknowledgement extended transport header.
    pub struct AcknowledgeHeader [4] = "aeth" from "InfiniBand specification, 9.3.5" {
        @ 0 syndrome_msn: U32 {
            kind, set_kind: 1, 2 "Whether the request was carried out." => &[(0, "ACK"), (1, "RNR_NAK"), (3, "NAK")];
            detail, set_detail: 3, 5 "Credits of an ACK, timer of an RNR NAK, code of a NAK.";
            msn, set_msn: 8, 24 "Message sequence number: requests carried out so far.";
        },
    }
}

/// [`AcknowledgeHeader::kind`] of an acknowledgement.
pub const AETH_ACK: u32 = 0;
/// [`AcknowledgeHeader::kind`] of "receiver not ready".
pub const AETH_RNR_NAK: u32 = 1;
/// [`AcknowledgeHeader::kind`] of a refusal.
pub const AETH_NAK: u32 = 3;
/// [`AcknowledgeHeader::detail`] of an acknowledgement without credits.
pub const AETH_CREDITS_UNLIMITED: u32 = 31;

wire! {
    /// Atomic extended transport header.
    pub struct AtomicExtendedHeader [28] = "atomic_eth" from "InfiniBand specification, 9.3.4" {
        @ 0 virtual_address: U64 as Address "Virtual address.",
        @ 8 rkey: U32 as Key "Remote key.",
        @ 12 swap_add: U64 as Payload "The value to store, or to add.",
        @ 20 compare: U64 as Payload "The value that must be found.",
    }
}

wire! {
    /// Atomic acknowledgement extended transport header.
    pub struct AtomicAcknowledgeHeader [8] = "atomic_ack_eth" from "InfiniBand specification, 9.3.5.3" {
        @ 0 original: U64 as Payload "The value that was found.",
    }
}

wire! {
    /// Immediate data: four bytes that reach the receiver's completion.
    pub struct ImmediateHeader [4] = "immdt" from "InfiniBand specification, 9.3.6" {
        @ 0 immediate: U32 "The sender's four bytes.",
    }
}

wire! {
    /// Invalidate extended transport header: the key that the receiver is to invalidate.
    pub struct InvalidateHeader [4] = "ieth" from "InfiniBand specification, invalidate extended transport header" {
        @ 0 rkey: U32 as Key "A key that the receiver gave out.",
    }
}

wire! {
    /// XRC extended transport header: the shared receive queue that a request is for.
    pub struct ExtendedReliableHeader [4] = "xrceth" from "InfiniBand specification, annex A14" {
        @ 0 queue: U32 {
            receiver, set_receiver: 8, 24 "The XRC shared receive queue.";
        },
    }
}

/// UDP destination port of RoCE v2.
pub const ROCE_UDP_PORT: u16 = 4791;
/// Length of the invariant CRC at the end of a packet, in bytes.
pub const INVARIANT_CRC_SIZE: usize = 4;
