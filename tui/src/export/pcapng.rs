//! The packets of a trace as a capture file, which Wireshark opens.
//!
//! Each host of the trace, known by its MAC and IP address, is an interface; a packet belongs to
//! that of its sender. A comment at each packet names its step. Under the logical clock a step lasts
//! a microsecond.

use super::{ExportError, LOGICAL, Unit, unit};
use doorbell_prm::roce::{ETHER_TYPE_ROCE_V1, EthernetHeader, Ipv4Header};
use doorbell_prm::zerocopy::FromBytes;
use doorbell_tracer::file::Stream;
use doorbell_tracer::{Kind, Packet};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

/// `if_tsresol` of timestamps in nanoseconds: 10 to the power of minus 9.
const NANOSECONDS: u8 = 9;

/// What is said of a packet of a masked trace.
const MASKED: &str = "payload and invariant CRC are masked: zeros stand in their place";

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) events: u64,
    pub(super) packets: u64,
}

/// Writes the packets of a trace.
pub(super) fn write(trace: &mut Stream, out: &mut dyn Write) -> Result<Written, ExportError> {
    let header = trace.header().clone();
    let unit = unit(&header);
    let mut about = vec![format!("{} on {}", header.title(), header.device)];
    about.extend((unit == Unit::Steps).then(|| LOGICAL.to_owned()));
    about.extend(header.masked.payload.then(|| MASKED.to_owned()));
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![
            SectionHeaderOption::Comment(Cow::Owned(fitting(about.join("; ")))),
            SectionHeaderOption::UserApplication(Cow::Owned(fitting(header.tool.clone()))),
        ],
        ..SectionHeaderBlock::default()
    };
    let mut capture = Capture {
        to: PcapNgWriter::with_section_header(out, section).map_err(told)?,
        interfaces: HashMap::new(),
    };
    let mut written = Written::default();
    while let Some(event) = trace.next_event() {
        written.events += 1;
        if let Kind::Packet(packet) = &event.kind {
            let mut comment = format!("step {}: {}", event.sequence, packet.name);
            if header.masked.payload {
                comment = format!("{comment}; {MASKED}");
            }
            let time = Duration::from_nanos(unit.nanoseconds(event.time));
            capture.packet(packet, time, fitting(comment))?;
            written.packets += 1;
        }
    }
    Ok(written)
}

/// A capture file that is being written.
struct Capture<W: Write> {
    to: PcapNgWriter<W>,
    /// The number of each host's interface.
    interfaces: HashMap<Host, u32>,
}

/// A host, as its packets show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Host {
    mac: [u8; 6],
    /// None of a packet that has a global route header in the place of IP's.
    ip: Option<[u8; 4]>,
}

impl<W: Write> Capture<W> {
    fn packet(
        &mut self,
        packet: &Packet,
        timestamp: Duration,
        comment: String,
    ) -> Result<(), ExportError> {
        let interface_id = self.interface(sender(&packet.bytes))?;
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp,
            original_len: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(&packet.bytes),
            options: vec![EnhancedPacketOption::Comment(Cow::Owned(comment))],
        };
        self.to.write_pcapng_block(block).map(drop).map_err(told)
    }

    /// The number of a host's interface, which is described before its first packet.
    fn interface(&mut self, host: Host) -> Result<u32, ExportError> {
        if let Some(number) = self.interfaces.get(&host) {
            return Ok(*number);
        }
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let mac = host.mac.map(|byte| format!("{byte:02x}")).join(":");
        let description = match host.ip {
            Some(ip) => format!("{mac}, {}", Ipv4Addr::from(ip)),
            None => format!("{mac}, with a global route header"),
        };
        let block = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(format!("port {number}"))),
                InterfaceDescriptionOption::IfDescription(Cow::Owned(description)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.to.write_pcapng_block(block).map_err(told)?;
        self.interfaces.insert(host, number);
        Ok(number)
    }
}

/// Who sent a packet.
fn sender(bytes: &[u8]) -> Host {
    let read = || {
        let (ethernet, rest) = EthernetHeader::ref_from_prefix(bytes).ok()?;
        let (ip, _) = Ipv4Header::ref_from_prefix(rest).ok()?;
        let has_ip = ethernet.ether_type.get() != ETHER_TYPE_ROCE_V1;
        Some(Host { mac: ethernet.source, ip: has_ip.then_some(ip.source) })
    };
    read().unwrap_or(Host { mac: [0; 6], ip: None })
}

/// A text that fits the 16-bit length of an option.
fn fitting(mut text: String) -> String {
    let end = text.floor_char_boundary(60_000);
    text.truncate(end);
    text
}

fn told(error: PcapError) -> ExportError {
    match error {
        PcapError::IoError(error) => ExportError::Output(error),
        other => super::told_by(other),
    }
}
