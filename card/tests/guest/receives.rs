//! What a guest posts to receive into, and the windows that it lends.

use crate::world::*;
use doorbell_prm::wqe::*;

impl World {
    /// One of two peers binds a window, the other one writes through it and has it invalidated.
    pub fn lend(&mut self) {
        if self.windows.is_empty() {
            return;
        }
        self.careful = true;
        let (owner, peer) = self.random.pick(&[(0, 1), (1, 0), (3, 4), (8, 9), (9, 8)]);
        let (window, segments) = self.bind_segments(owner);
        let flags = CONTROL_CQ_UPDATE | CONTROL_INITIATOR_SMALL_FENCE;
        self.post_one(owner, &wqe(SendOpcode::Umr, flags, window, &[&segments]));
        let receive = DataSegment::new(64, self.keys[0].key, VIRTUAL);
        self.post_receive(
            owner,
            &[receive.as_bytes(), DataSegment::end_of_list().as_bytes()].concat(),
        );
        let bound = self.keys.iter().find(|key| key.key >> 8 == window >> 8).copied();
        let Some(bound) = bound else { return };
        let local = (VIRTUAL, bound.length.min(900) as u32, self.keys[0].key);
        self.post_one(peer, &rdma(SendOpcode::RdmaWrite, (bound.address, bound.key), local));
        self.post_one(peer, &wqe(SendOpcode::SendInvalidate, CONTROL_CQ_UPDATE, bound.key, &[]));
    }

    fn post_one(&mut self, at: usize, wqe: &[u8]) {
        let head = self.it.place(at, wqe);
        self.write((u64::from(self.it.uar) << 12) + 0x800, &head);
        self.work();
    }

    pub fn post_receives(&mut self) {
        let all = 0..self.kinds.len();
        let shares: Vec<_> = all.filter(|at| self.kinds[*at].shares).collect();
        let at = if self.random.once_in(4) { self.random.pick(&shares) } else { self.some_pair() };
        self.careful = self.random.below(8) < 6;
        let mut wqe = match self.random.once_in(16) {
            true => self.random.bytes(64),
            false if self.careful => {
                let (address, key) = self.somewhere();
                DataSegment::new(0x4000, key, address).as_bytes().to_vec()
            }
            false => (0..1 + self.random.below(3)).flat_map(|_| self.data_segment()).collect(),
        };
        if !self.careful && self.random.once_in(8) {
            self.random.poke(&mut wqe);
        }
        if wqe.len() < 64 {
            wqe.extend(DataSegment::end_of_list().as_bytes());
        }
        self.post_receive(at, &wqe);
    }

    fn post_receive(&mut self, at: usize, wqe: &[u8]) {
        let mut wqe = wqe.to_vec();
        wqe.resize(64, 0);
        if !self.kinds[at].shares {
            return self.it.raw_receive(at, &wqe);
        }
        let extended = self.kinds[at].service == QpServiceType::ExtendedReliableConnection;
        let Pool { buffer, record, posted, .. } = self.pools[usize::from(extended)];
        let place = buffer + u64::from(posted) % 8 * 64;
        self.it.machine.memory.put(place + 16, &wqe[..48]);
        if self.random.once_in(8) {
            let next = self.random.bytes(16);
            self.it.machine.memory.put(place, &next);
        }
        let posted = posted.wrapping_add(1);
        self.pools[usize::from(extended)].posted = posted;
        let posted = u32::from(posted).to_be_bytes();
        self.it.machine.memory.put(record, &posted);
    }
}
