//! Packets from the wire: with right checksums, or as they come, for queue pairs that have posted
//! something and wait for answers.

use crate::support::Machine;
use crate::support::data::{Connection, Setup, VIRTUAL, rdma, send_inline};
use crate::support::network::seal;
use crate::tools::{run, tracer};
use arbitrary::Arbitrary;
use doorbell_card::CardConfig;
use doorbell_prm::wqe::SendOpcode;

#[derive(Arbitrary, Debug)]
pub enum Act<'a> {
    /// From the base transport header on, to one of the queue pairs; number and key of headers are put
    /// in, and `psn` counts from what is expected.
    Transport {
        pair: bool,
        opcode: u8,
        flags: u8,
        psn: i8,
        reth: Option<(u16, u32)>,
        rest: &'a [u8],
    },
    /// From the Ethernet header on, made right.
    Sealed(&'a [u8]),
    /// As it is.
    Raw(&'a [u8]),
    /// The card has something on its way out.
    Write(u16),
    Read(u16),
    Send,
    Receive,
    /// What leaves comes back, and `change` flips a byte of it.
    Echo {
        change: Option<(u16, u8)>,
    },
    Time(u64),
}

/// The envelope of a packet from the card to itself.
fn envelope(config: &CardConfig) -> Vec<u8> {
    let mut bytes =
        [&config.mac[..], &config.mac, &[0x08, 0], &[0; 20], &[0xc0, 0x40], &[0; 6]].concat();
    bytes[26..30].copy_from_slice(&config.ipv4);
    bytes[30..34].copy_from_slice(&config.ipv4);
    bytes
}

/// What the fuzzer makes.
pub type Input<'a> = Vec<Act<'a>>;

/// Does it to a card.
pub fn ill_treat(acts: Input<'_>) {
    let config = CardConfig { has_wire: true, ..CardConfig::default() };
    let outer = envelope(&config);
    let machine = Machine::of(config, tracer()).brought_up();
    let mut it = Setup::with(machine, Connection::default());
    let first_psn = Connection::default().first_psn;
    let key = it.key;
    for act in acts.iter().take(40) {
        match act {
            Act::Transport { pair, opcode, flags, psn, reth, rest } => {
                let qpn = it.pairs[usize::from(*pair)].qpn.to_be_bytes();
                let psn = first_psn.wrapping_add_signed((*psn).into()).to_be_bytes();
                let mut packet = outer.clone();
                packet.extend([*opcode, *flags, 0xff, 0xff, 0, qpn[1], qpn[2], qpn[3]]);
                packet.extend([*flags & 0x80, psn[1], psn[2], psn[3]]);
                if let Some((at, length)) = reth {
                    packet.extend((VIRTUAL + u64::from(*at)).to_be_bytes());
                    packet.extend(key.to_be_bytes());
                    packet.extend(length.to_be_bytes());
                }
                packet.extend(&rest[..rest.len().min(5000)]);
                seal(&mut packet);
                it.machine.card.bring_packet(packet);
            }
            Act::Sealed(bytes) => {
                let mut packet = bytes[..bytes.len().min(9000)].to_vec();
                seal(&mut packet);
                it.machine.card.bring_packet(packet);
            }
            Act::Raw(bytes) => it.machine.card.bring_packet(bytes.to_vec()),
            Act::Write(length) => {
                let wqe =
                    rdma(SendOpcode::RdmaWrite, (VIRTUAL, key), (VIRTUAL, (*length).into(), key));
                post(&mut it, &wqe);
            }
            Act::Read(length) => {
                let wqe =
                    rdma(SendOpcode::RdmaRead, (VIRTUAL, key), (VIRTUAL, (*length).into(), key));
                post(&mut it, &wqe);
            }
            Act::Send => post(&mut it, &send_inline(b"hello")),
            Act::Receive => it.receive(1, &[(VIRTUAL, 256)]),
            Act::Echo { change } => {
                while let Some(mut packet) = it.machine.card.take_packet() {
                    if let Some((at, bits)) = change {
                        let at = usize::from(*at) % packet.len();
                        packet[at] ^= bits;
                        packet.truncate(packet.len() - 4);
                        seal(&mut packet);
                    }
                    it.machine.card.bring_packet(packet);
                }
            }
            Act::Time(now) => it.machine.card.tell_time(*now),
        }
        run(&mut it.machine);
    }
}

fn post(it: &mut Setup, wqe: &[u8]) {
    let head = it.place(0, wqe);
    it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
}
