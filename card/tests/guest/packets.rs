//! What comes by the wire: requests for the card's queue pairs, answers to what they sent, and noise.

use crate::support::network::{head, seal};
use crate::world::*;

/// Bytes of the headers before the base transport header, and that header itself.
const ETHERNET: usize = 14;
const ENVELOPE: usize = ETHERNET + 20 + 8;
const BTH: usize = 12;

/// Opcodes of what is asked for, of reliable and of unreliable connections.
const REQUESTS: [BthOpcode; 13] = {
    use BthOpcode::*;
    [
        SendFirst,
        SendMiddle,
        SendLast,
        SendOnly,
        SendOnlyImmediate,
        SendOnlyInvalidate,
        WriteFirst,
        WriteLast,
        WriteOnly,
        WriteOnlyImmediate,
        ReadRequest,
        CompareSwap,
        FetchAdd,
    ]
};

impl World {
    /// Brings one packet by the wire.
    pub fn bring(&mut self) {
        let packet = match self.random.below(10) {
            0 => self.noise(),
            1..4 if !self.leaving.is_empty() => self.answer(),
            _ => self.request(),
        };
        self.heard().counts.add("brought", "packets");
        let dropped = self.heard().counts.sum("dropped");
        self.it.machine.card.bring_packet(packet);
        if self.random.once_in(2) {
            self.rest();
            if self.heard().counts.sum("dropped") == dropped {
                self.heard().counts.add("taken", "packets");
            }
        }
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.random.below(200) as usize;
        let mut packet = self.random.bytes(length);
        if self.random.once_in(2) {
            seal(&mut packet);
        }
        packet
    }

    /// The envelope of a packet to the card, from a peer on the wire or from the card itself.
    fn envelope(&mut self, from_abroad: bool) -> Vec<u8> {
        let config = self.it.machine.card.config();
        let (mac, ip) =
            if from_abroad { (ABROAD_MAC, ABROAD_IP) } else { (config.mac, config.ipv4) };
        let (mut from, mut to) = (ip, config.ipv4);
        if config.link != Link::Ethernet {
            // A LID stands in the last two bytes.
            (from, to) = ([169, 254, 0, 7], [169, 254, 0, 7]);
            from[3] = if from_abroad { ABROAD_LID as u8 } else { 7 };
        }
        let macs = [&config.mac[..], &mac, &[0x08, 0]].concat();
        [&macs[..], &[0; 12], &from, &to, &[0xc0, 0x40], &[0; 6]].concat()
    }

    /// A request to a queue pair, mostly with the packet sequence number that it expects.
    fn request(&mut self) -> Vec<u8> {
        let at = self.some_pair();
        let (pair, kind) = (self.it.pairs[at], self.kinds[at]);
        let opcode = match kind.service {
            QpServiceType::UnreliableDatagram => BthOpcode::DatagramSendOnly.code(),
            QpServiceType::UnreliableConnection => self.random.pick(&REQUESTS[..10]).code() | 0x20,
            QpServiceType::ExtendedReliableConnection => {
                let opcode = self.random.pick(&REQUESTS);
                opcode.extended().unwrap_or(opcode).code()
            }
            _ => self.random.pick(&REQUESTS).code(),
        };
        let expected = self.expected_psn(pair.qpn);
        let psn = match self.random.below(8) {
            0 => self.random.any() as u32,
            1 => expected.wrapping_add(self.random.below(5) as u32).wrapping_sub(2),
            _ => expected,
        };
        let mut packet = self.envelope(kind.peer.is_none());
        let [_, a, b, c] = psn.to_be_bytes();
        let [_, d, e, f] = pair.qpn.to_be_bytes();
        let asks = self.random.pick(&[0x80, 0]);
        packet.extend([opcode, 0x40, 0xff, 0xff, 0, d, e, f, asks, a, b, c]);
        if let Some(opcode) = BthOpcode::from_code(opcode) {
            self.extended_headers(opcode, &mut packet);
        }
        let mtu = 128_u64 << self.connection.mtu;
        let length = match self.random.below(6) {
            0 => self.random.below(mtu + 40),
            1 => 0,
            2 => self.random.below(40),
            _ => mtu,
        };
        let fetches = [0x0c, 0x13, 0x14].contains(&(opcode & 0x1f));
        if !fetches || self.random.once_in(8) {
            packet.extend(self.random.bytes(length as usize));
        }
        self.finish(packet)
    }

    fn extended_headers(&mut self, opcode: BthOpcode, packet: &mut Vec<u8>) {
        let known =
            if self.random.once_in(2) { self.keys[0] } else { self.random.pick(&self.keys) };
        let address = known.address.wrapping_add(self.random.below(known.length));
        let address = if self.random.once_in(6) { self.random.sized() } else { address };
        if opcode.has_xrceth() {
            packet.extend(self.receiver().to_be_bytes());
        }
        if opcode.has_deth() {
            packet.extend(QUEUE_KEY.to_be_bytes());
            packet.extend([0, 0, 0, 9]);
        }
        if opcode.has_reth() {
            packet.extend(address.to_be_bytes());
            packet.extend(known.key.to_be_bytes());
            let mtu = 128_u32 << self.connection.mtu;
            let length = match self.random.below(5) {
                0 => self.random.any() as u32,
                1 => self.random.below(0x1_0000) as u32,
                _ => mtu,
            };
            packet.extend(length.to_be_bytes());
        }
        if opcode.has_atomic() {
            packet.extend((address & !7).to_be_bytes());
            packet.extend(known.key.to_be_bytes());
            packet.extend(self.random.bytes(16));
        }
        if opcode.has_immediate() {
            packet.extend(self.random.bytes(4));
        }
        if opcode.has_invalidate() {
            let key =
                if self.windows.is_empty() { known.key } else { self.random.pick(&self.windows) };
            packet.extend(key.to_be_bytes());
        }
    }

    /// An answer to something that left by the wire, or the same packet back.
    fn answer(&mut self) -> Vec<u8> {
        let sent = self.random.pick(&(0..self.leaving.len()).collect::<Vec<_>>());
        let sent = self.leaving[sent].clone();
        let (opcode, psn) = head(&sent);
        let number =
            u32::from_be_bytes([0, sent[ENVELOPE + 5], sent[ENVELOPE + 6], sent[ENVELOPE + 7]]);
        let at = number.wrapping_sub(ABROAD) as usize;
        let Some(pair) = self.it.pairs.get(at).copied() else {
            return self.finish(sent[..sent.len() - 4].to_vec());
        };
        let mut packet = self.envelope(true);
        let kind = match opcode {
            BthOpcode::ReadRequest => BthOpcode::ReadResponseOnly,
            BthOpcode::CompareSwap | BthOpcode::FetchAdd => BthOpcode::AtomicAcknowledge,
            _ => BthOpcode::Acknowledge,
        };
        let kind = if self.random.once_in(4) { BthOpcode::Acknowledge } else { kind };
        let [_, a, b, c] = psn.wrapping_add(self.random.pick(&[0, 0, 0, 1, 2])).to_be_bytes();
        let [_, d, e, f] = pair.qpn.to_be_bytes();
        packet.extend([kind.code(), 0x40, 0xff, 0xff, 0, d, e, f, 0, a, b, c]);
        // An acknowledgement, "not ready", or a refusal of some kind.
        let refused = kind == BthOpcode::Acknowledge && self.random.once_in(2);
        let how = match refused {
            true => self.random.pick(&[0x20, 0x60, 0x61, 0x62, 0x63, 0x64]),
            false => 0x1f,
        };
        packet.extend([how, 0, 0, 1]);
        if kind == BthOpcode::AtomicAcknowledge {
            packet.extend(self.random.bytes(8));
        }
        if kind == BthOpcode::ReadResponseOnly {
            let asked = sent.get(ENVELOPE + BTH + 12..ENVELOPE + BTH + 16);
            let asked = asked
                .map_or(0, |bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            let mtu = 128_u32 << self.connection.mtu;
            let length = asked.min(mtu) - u32::from(asked > 0 && self.random.once_in(6));
            packet.extend(self.random.bytes(length as usize));
        }
        self.finish(packet)
    }

    /// Pads and seals a packet, of which some byte may be another one by then.
    fn finish(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let padding = (packet.len() - ENVELOPE).wrapping_neg() % 4;
        packet[ENVELOPE + 1] |= (padding as u8) << 4;
        packet.resize(packet.len() + padding, 0);
        if self.random.once_in(12) {
            self.random.poke(&mut packet[ETHERNET..]);
        }
        seal(&mut packet);
        if self.random.once_in(24) {
            self.random.poke(&mut packet);
        }
        packet
    }

    /// The packet sequence number that a queue pair expects, as it says itself.
    fn expected_psn(&mut self, qpn: u32) -> u32 {
        let mut query = QueryQpIn::new();
        query.set_qpn(qpn);
        let size = size_of::<QueryQpOut>();
        let output = self.command(query.as_bytes(), size).unwrap_or_default();
        QueryQpOut::read_from_prefix(&output).map_or(0, |(output, _)| output.qpc().next_rcv_psn())
    }
}
