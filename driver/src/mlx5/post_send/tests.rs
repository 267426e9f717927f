//! WQEs of each transport's opcodes, byte for byte, at every block of the ring.
//!
//! What a WQE must be is written here from the PRM's tables and libmlx5's `mlx5dv.h`, as offsets and
//! numbers, without the types that the driver writes it with.

use super::super::doors::CardDoor;
use super::super::opcodes::Opcodes;
use super::super::provider::Mlx5;
use super::super::queue_pair::Mlx5QueuePair;
use super::super::settings::BlueFlameSettings;
use crate::bus::CardBus;
use crate::verbs::*;
use doorbell_card::CardConfig;
use doorbell_tracer::Tracer;
use std::sync::Arc;

mod completions;
mod operands;
mod wqes;

/// What rings are filled with before a post.
const BEFORE: u8 = 0xa5;

/// A queue pair whose requests nobody carries out: the card has never been told that it exists in a
/// state that sends.
struct Queue {
    qp: QueuePair,
    cq: Arc<CompletionQueue>,
    handle: AddressHandle,
    memory: MemoryRegion,
    blocks: u32,
}

impl Queue {
    fn new(transport: Transport) -> Self {
        Self::signalling(transport, false)
    }

    /// A queue pair that is given the table of `transport`; the rest of a send queue is the same for
    /// all of them.
    fn signalling(transport: Transport, signal_all: bool) -> Self {
        let tracer = Tracer::off();
        let bus = CardBus::new(CardConfig::default(), &tracer);
        let doors: Vec<Arc<dyn Door>> =
            vec![Arc::new(CardDoor::new(bus, BlueFlameSettings::default()))];
        let mut providers = Providers::new();
        providers.register(&Mlx5, &tracer);
        let devices = get_device_list(&doors, &tracer);
        let context = open_device(&devices[0], &providers, &tracer).expect("the card comes up");
        let pd = context.alloc_pd().expect("a protection domain");
        let cq = context.create_cq(63).expect("a completion queue");
        let capabilities = QueuePairCapabilities {
            max_send_wr: 8,
            max_recv_wr: 1,
            max_send_sge: 20,
            max_recv_sge: 1,
            max_inline_data: 300,
        };
        let request = QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities,
            signal_all,
        };
        let qp = pd.create_qp(&request).expect("a queue pair");
        let gid = *b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03";
        let to = AddressVector {
            gid,
            global: true,
            lid: 0,
            mac: [2, 3, 4, 5, 6, 7],
            hop_limit: 0x40,
            source_gid_index: 5,
            service_level: 3,
        };
        let handle = pd.create_ah(&to).expect("a way");
        let buffer = context.alloc_buffer(4096, "data").expect("room");
        let bytes: Vec<u8> = (0..4096).map(|index| (index * 11 + 5) as u8).collect();
        assert!(buffer.write(0, &bytes));
        let memory = pd.reg_mr(buffer, Access::LOCAL_WRITE).expect("a key");
        let mut send = Mlx5QueuePair::<CardBus>::of(&qp).send.lock();
        send.opcodes = Opcodes::of(transport);
        send.take_requests();
        let mut blocks = 1;
        while send.ring.block_offset(blocks) != 0 {
            blocks *= 2;
        }
        drop(send);
        Self { qp, cq, handle, memory, blocks }
    }

    /// Lets the next WQE begin at this block, with nothing outstanding, in a ring of [`BEFORE`].
    fn stand_at(&self, block: u32) {
        let mut send = Mlx5QueuePair::<CardBus>::of(&self.qp).send.lock();
        send.cur_post = block;
        send.full_at = send.head.wrapping_add(send.limits.max_post);
        for unit in 0..self.blocks * 4 {
            send.ring.store(unit, &[BEFORE; 16]);
        }
        // As if the last request had completed.
        let last = send.head.wrapping_sub(1);
        send.outstanding.remember(block, 0, last);
        send.outstanding.retire(block);
    }

    /// Posts at a block, and holds the ring against what it must be: these WQEs one behind the other,
    /// and nothing else.
    fn expect(&self, block: u32, requests: &[SendRequest<'_>], wqes: &[Vec<u8>]) {
        self.stand_at(block);
        post_send(&self.qp, requests).unwrap_or_else(|error| panic!("{error}"));
        let mut ring = vec![BEFORE; self.blocks as usize * 64];
        let mut at = block;
        for wqe in wqes {
            for (index, byte) in wqe.iter().enumerate() {
                let place = (at as usize * 64 + index) % ring.len();
                // What lies behind inline data in its last unit is anybody's.
                ring[place] = *byte;
            }
            at += wqe.len().div_ceil(64) as u32;
        }
        let send = Mlx5QueuePair::<CardBus>::of(&self.qp).send.lock();
        let found = send.ring.bytes(0, ring.len());
        for (unit, (found, wanted)) in found.chunks(16).zip(ring.chunks(16)).enumerate() {
            assert_eq!(found, wanted, "unit {unit}, posted at block {block}: {requests:?}");
        }
        assert_eq!(send.cur_post, at, "{requests:?}");
    }

    /// The WQE of a request at a block: control segment in front of `rest`.
    fn wqe(&self, block: u32, opcode: u8, flags: u8, immediate: u32, rest: &[u8]) -> Vec<u8> {
        let units = 1 + rest.len().div_ceil(16) as u32;
        let mut wqe = Vec::new();
        wqe.extend(((block & 0xffff) << 8 | u32::from(opcode)).to_be_bytes());
        wqe.extend((self.qp.number() << 8 | units).to_be_bytes());
        wqe.extend([0, 0, 0, flags]);
        wqe.extend(immediate.to_be_bytes());
        wqe.extend(rest);
        wqe
    }

    /// A data segment of some bytes of the memory.
    fn pointer(&self, offset: usize, length: u32) -> Vec<u8> {
        let address = self.memory.buffer().address() + offset as u64;
        [&length.to_be_bytes()[..], &self.memory.lkey().to_be_bytes(), &address.to_be_bytes()]
            .concat()
    }

    /// An inline segment of some bytes of the memory; the last unit's rest is as it was.
    fn inline(&self, pieces: &[(usize, u32)]) -> Vec<u8> {
        let length: u32 = pieces.iter().map(|(_, length)| length).sum();
        if length == 0 {
            return Vec::new();
        }
        let mut bytes = (0x8000_0000 | length).to_be_bytes().to_vec();
        for (offset, length) in pieces {
            bytes.extend(self.memory.buffer().read(*offset, *length as usize).expect("inside"));
        }
        bytes.resize(bytes.len().next_multiple_of(16), BEFORE);
        bytes
    }

    /// The datagram segment of the handle.
    fn destination(&self, qpn: u32, qkey: u32) -> Vec<u8> {
        let mut bytes = qkey.to_be_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend((0x8000_0000 | qpn).to_be_bytes());
        // Service level 3, as the priority of Ethernet one bit to the left; UDP source port.
        bytes.extend([3 << 1, 0, 0xc2, 0x03]);
        bytes.extend([0; 4]);
        bytes.extend(self.handle.address().mac);
        bytes.extend([0, 0x40, 0, 0x50, 0, 0]);
        bytes.extend(self.handle.address().gid);
        bytes
    }

    fn datagram<'a>(&'a self, elements: &'a [ScatterGatherElement]) -> SendRequest<'a> {
        SendRequest {
            sg_list: elements,
            opcode: Opcode::Send,
            operands: Operands::Datagram {
                handle: &self.handle,
                remote_qpn: 0x12_3456,
                remote_qkey: 0x1122_3344,
            },
            ..SendRequest::default()
        }
    }
}

/// A remote address segment.
fn remote(address: u64, rkey: u32) -> Vec<u8> {
    [&address.to_be_bytes()[..], &rkey.to_be_bytes(), &[0; 4]].concat()
}
