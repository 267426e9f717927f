//! Every layout of the crate, by name.

use crate::commands::{
    AdapterParameters, AddressPath, AtomicCapabilities, CommandInputHeader, CommandMailbox,
    CommandOutputHeader, CommandQueueEntry, CqContext, EqContext, GeneralCapabilities,
    HcaVportContext, MkeyContext, PmtuRegister, PtysRegister, PvlcRegister, QpContext, RmpBitmask,
    RmpContext, RoceAddress, RoceCapabilities, SqContext, TrafficCounter, UserContext,
    WorkQueueContext, XrcSrqContext, command_shapes,
};
use crate::cqe::{Cqe, ErrorCqe};
use crate::doorbell::{CqArmDoorbell, CqDoorbellRecord, EqDoorbell, QpDoorbellRecord};
use crate::eqe::{
    CommandEventData, CompletionEventData, CqErrorEventData, Eqe, PortChangeEventData, QpEventData,
};
use crate::layout::{Layout, LayoutInfo};
use crate::management::{MadHeader, NodeInfo, PortCounters, PortCountersExtended, PortInfo};
use crate::registers::init_segment::InitSegment;
use crate::roce::{
    AcknowledgeHeader, AtomicAcknowledgeHeader, AtomicExtendedHeader, BaseTransportHeader,
    DatagramHeader, EthernetHeader, ExtendedReliableHeader, GlobalRouteHeader, ImmediateHeader,
    InvalidateHeader, Ipv4Header, RdmaExtendedHeader, UdpHeader,
};
use crate::wqe::{
    AtomicSegment, ControlSegment, DataSegment, DatagramSegment, EthernetSegment, InlineHeader,
    KlmSegment, MkeyContextSegment, NextSegment, ReceiveSignature, RemoteAddressSegment,
    UmrControlSegment, XrcSegment,
};

/// Every layout: first those of the data path, then packets, then the firmware's.
pub const fn layouts() -> &'static [&'static LayoutInfo] {
    &ALL
}

/// The layout with this name.
pub fn layout(name: &str) -> Option<&'static LayoutInfo> {
    ALL.iter().find(|layout| layout.name == name).copied()
}

const SINGLE: &[&LayoutInfo] = &[
    ControlSegment::LAYOUT,
    RemoteAddressSegment::LAYOUT,
    DatagramSegment::LAYOUT,
    EthernetSegment::LAYOUT,
    DataSegment::LAYOUT,
    NextSegment::LAYOUT,
    ReceiveSignature::LAYOUT,
    InlineHeader::LAYOUT,
    AtomicSegment::LAYOUT,
    UmrControlSegment::LAYOUT,
    MkeyContextSegment::LAYOUT,
    KlmSegment::LAYOUT,
    XrcSegment::LAYOUT,
    Cqe::LAYOUT,
    ErrorCqe::LAYOUT,
    QpDoorbellRecord::LAYOUT,
    CqDoorbellRecord::LAYOUT,
    CqArmDoorbell::LAYOUT,
    EqDoorbell::LAYOUT,
    Eqe::LAYOUT,
    CompletionEventData::LAYOUT,
    CommandEventData::LAYOUT,
    CqErrorEventData::LAYOUT,
    QpEventData::LAYOUT,
    PortChangeEventData::LAYOUT,
    EthernetHeader::LAYOUT,
    GlobalRouteHeader::LAYOUT,
    Ipv4Header::LAYOUT,
    UdpHeader::LAYOUT,
    BaseTransportHeader::LAYOUT,
    DatagramHeader::LAYOUT,
    RdmaExtendedHeader::LAYOUT,
    AcknowledgeHeader::LAYOUT,
    AtomicExtendedHeader::LAYOUT,
    AtomicAcknowledgeHeader::LAYOUT,
    ImmediateHeader::LAYOUT,
    InvalidateHeader::LAYOUT,
    ExtendedReliableHeader::LAYOUT,
    MadHeader::LAYOUT,
    NodeInfo::LAYOUT,
    PortInfo::LAYOUT,
    PortCounters::LAYOUT,
    PortCountersExtended::LAYOUT,
    InitSegment::LAYOUT,
    CommandQueueEntry::LAYOUT,
    CommandMailbox::LAYOUT,
    CommandInputHeader::LAYOUT,
    CommandOutputHeader::LAYOUT,
    EqContext::LAYOUT,
    CqContext::LAYOUT,
    QpContext::LAYOUT,
    AddressPath::LAYOUT,
    MkeyContext::LAYOUT,
    GeneralCapabilities::LAYOUT,
    RoceCapabilities::LAYOUT,
    AtomicCapabilities::LAYOUT,
    AdapterParameters::LAYOUT,
    HcaVportContext::LAYOUT,
    RoceAddress::LAYOUT,
    PtysRegister::LAYOUT,
    PmtuRegister::LAYOUT,
    PvlcRegister::LAYOUT,
    TrafficCounter::LAYOUT,
    UserContext::LAYOUT,
    XrcSrqContext::LAYOUT,
    RmpContext::LAYOUT,
    RmpBitmask::LAYOUT,
    SqContext::LAYOUT,
    WorkQueueContext::LAYOUT,
];

const COUNT: usize = SINGLE.len() + 2 * command_shapes().len();

static ALL: [&LayoutInfo; COUNT] = {
    let mut all = [ControlSegment::LAYOUT; COUNT];
    let mut at = 0;
    while at < SINGLE.len() {
        all[at] = SINGLE[at];
        at += 1;
    }
    let shapes = command_shapes();
    let mut next = 0;
    while next < shapes.len() {
        all[at] = shapes[next].input;
        all[at + 1] = shapes[next].output;
        at += 2;
        next += 1;
    }
    all
};
