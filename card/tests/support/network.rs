//! Two cards with a link between them that may be bad, and a clock.

use super::data::*;
use super::*;
use crc32fast::Hasher;
use doorbell_card::{Faults, LossyLink};

/// Nanoseconds.
pub const MICROSECOND: u64 = 1_000;
pub const MILLISECOND: u64 = 1_000_000;

/// Queue pair 0 of one card, connected with queue pair 0 of another.
pub struct Network {
    pub sides: [Setup; 2],
    /// From side 0 to side 1, and back.
    pub links: [LossyLink; 2],
    pub now: u64,
    /// Receives of side 1 that messages have taken, as far as the test has seen.
    pub taken: u16,
}

impl Network {
    pub fn new(connection: Connection) -> Self {
        Self::of(QpServiceType::ReliableConnection, connection)
    }

    pub fn of(service: QpServiceType, connection: Connection) -> Self {
        Self::bad(service, connection, 0, Faults::default())
    }

    pub fn bad(service: QpServiceType, connection: Connection, seed: u64, faults: Faults) -> Self {
        let now = 1000 * MILLISECOND;
        let mut sides = [1, 2].map(|lid| {
            let config = CardConfig { has_wire: true, ..CardConfig::infiniband(lid) };
            let machine = Machine::of(config, Tracer::off());
            let mut machine = machine.brought_up_with(|machine| machine.choose_byte_order(1));
            machine.card.tell_time(now);
            let mut it = Setup::with(machine, connection);
            it.pairs[0] = it.create_pair_of(service, 0);
            it
        });
        let numbers = [0, 1].map(|side| sides[side].pairs[0].qpn);
        sides[0].connect_to(0, (numbers[1], 2), connection);
        sides[1].connect_to(0, (numbers[0], 1), connection);
        let links = [0, 1].map(|side| LossyLink::new(seed * 2 + side, faults));
        Self { sides, links, now, taken: 0 }
    }

    /// All packets that a side sends now, which do not go on the link.
    pub fn sent(&mut self, side: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        loop {
            self.sides[side].machine.settle();
            match self.sides[side].machine.card.take_packet() {
                Some(packet) => packets.push(packet),
                None => return packets,
            }
        }
    }

    /// Brings packets to a side, all at once.
    pub fn bring(&mut self, side: usize, packets: impl IntoIterator<Item = Vec<u8>>) {
        let card = &mut self.sides[side].machine.card;
        packets.into_iter().for_each(|packet| card.bring_packet(packet));
        self.sides[side].machine.settle();
    }

    pub fn wait(&mut self, nanoseconds: u64) {
        self.now += nanoseconds;
        for it in &mut self.sides {
            it.machine.card.tell_time(self.now);
            it.machine.settle();
        }
    }

    /// Carries packets over the links until none is sent or under way, and time passes for each.
    pub fn carry(&mut self) {
        for _ in 0..100_000 {
            for side in 0..2 {
                for packet in self.sent(side) {
                    self.links[side].send(self.now, packet);
                }
            }
            let arrivals = self.links.iter().filter_map(LossyLink::next_arrival).min();
            let Some(arrival) = arrivals else {
                return;
            };
            self.wait(arrival.saturating_sub(self.now));
            for side in 0..2 {
                while let Some(packet) = self.links[side].receive(self.now) {
                    self.sides[1 - side].machine.card.bring_packet(packet);
                }
            }
        }
        panic!("the network does not come to rest");
    }
}

impl Setup {
    pub fn create_pair_of(&mut self, service: QpServiceType, cq: usize) -> Pair {
        let (buffer, record) = (self.machine.page(), self.machine.page());
        let mut input = self.qp_input(cq, record);
        input.qpc_mut().set_st(service.code());
        let qpn = self.machine.command(&input, &buffer.to_be_bytes()).qpn();
        Pair { qpn, buffer, record, cq, posted: 0, received: 0 }
    }

    /// Connects a queue pair with one of the card that has this LID.
    pub fn connect_to(&mut self, pair: usize, (remote, lid): (u32, u16), connection: Connection) {
        let qpn = self.pairs[pair].qpn;
        let init = self.to_init(qpn);
        self.machine.command(&init, &[]);
        let mut rtr = self.to_rtr(qpn, remote, connection);
        rtr.qpc_mut().primary_address_path_mut().set_rlid(lid);
        self.machine.command(&rtr, &[]);
        let rts = self.to_rts(qpn, connection);
        self.machine.command(&rts, &[]);
    }
}

/// Where the base transport header begins.
const BTH: usize = 14 + 20 + 8;

/// Gives a packet, from its Ethernet header to its padding, the lengths and checksums that fit it.
pub fn seal(packet: &mut Vec<u8>) {
    const ETHERNET: usize = 14;
    packet.resize(packet.len().max(BTH), 0);
    let total = packet.len() - ETHERNET + 4;
    packet[12..14].copy_from_slice(&[0x08, 0]);
    let ip = &mut packet[ETHERNET..ETHERNET + 20];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&(total as u16).to_be_bytes());
    ip[8] = 64;
    ip[9] = 17;
    ip[10..12].fill(0);
    let sum: u32 = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    ip[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let udp = &mut packet[ETHERNET + 20..BTH];
    udp[2..4].copy_from_slice(&4791_u16.to_be_bytes());
    udp[4..6].copy_from_slice(&((total - 20) as u16).to_be_bytes());
    // Over ones where InfiniBand has its local route header, and in place of what routers may change.
    let mut covered = packet[ETHERNET..].to_vec();
    for at in [1, 8, 10, 11, 26, 27, 32] {
        if let Some(byte) = covered.get_mut(at) {
            *byte = 0xff;
        }
    }
    let mut crc = Hasher::new();
    crc.update(&[0xff; 8]);
    crc.update(&covered);
    packet.extend(crc.finalize().to_le_bytes());
}

/// Opcode and packet sequence number.
pub fn head(packet: &[u8]) -> (BthOpcode, u32) {
    let (bth, _) = BaseTransportHeader::ref_from_prefix(&packet[BTH..]).unwrap();
    (BthOpcode::from_code(bth.opcode).unwrap(), bth.psn())
}

pub fn heads(packets: &[Vec<u8>]) -> Vec<(BthOpcode, u32)> {
    packets.iter().map(|packet| head(packet)).collect()
}

pub fn asks_for_acknowledgement(packet: &[u8]) -> bool {
    let (bth, _) = BaseTransportHeader::ref_from_prefix(&packet[BTH..]).unwrap();
    bth.acknowledge_request() == 1
}

/// Kind, detail and message sequence number of an acknowledgement.
pub fn answer(packet: &[u8]) -> (u32, u32, u32) {
    let at = BTH + BaseTransportHeader::SIZE;
    let (aeth, _) = AcknowledgeHeader::ref_from_prefix(&packet[at..]).unwrap();
    (aeth.kind(), aeth.detail(), aeth.msn())
}

/// Address and length that a read asks for.
pub fn asked(packet: &[u8]) -> (u64, u32) {
    let at = BTH + BaseTransportHeader::SIZE;
    let (reth, _) = RdmaExtendedHeader::ref_from_prefix(&packet[at..]).unwrap();
    (reth.virtual_address.get(), reth.dma_length.get())
}

/// For tests that name packets by their numbers.
pub mod numbered {
    use super::*;
    use doorbell_prm::wqe::SendOpcode;

    /// Packets are numbered from 10; the answer is late after 8.4 ms.
    pub fn connection() -> Connection {
        Connection { first_psn: 10, ack_timeout: 11, ..Connection::default() }
    }

    pub const LATE: u64 = 9 * MILLISECOND;

    pub fn network() -> Network {
        Network::new(connection())
    }

    /// A signalled write or read between the first part of one side's memory and the other's at
    /// `remote`.
    pub fn act(it: &Network, opcode: SendOpcode, remote: u64, length: u32) -> Vec<u8> {
        let keys = [0, 1].map(|side| it.sides[side].key);
        rdma(opcode, (VIRTUAL + remote, keys[1]), (VIRTUAL + remote, length, keys[0]))
    }

    pub fn write(it: &Network, remote: u64, length: u32) -> Vec<u8> {
        act(it, SendOpcode::RdmaWrite, remote, length)
    }

    pub fn read(it: &Network, remote: u64, length: u32) -> Vec<u8> {
        act(it, SendOpcode::RdmaRead, remote, length)
    }
}
