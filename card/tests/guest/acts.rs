//! What a guest does, one act after the other.

use crate::world::*;
use doorbell_prm::wqe::SendOpcode;

/// Acts of one program.
const ACTS: u64 = 100;

impl World {
    /// One program: acts, and at its end a card that rests, and that works once it was reset.
    pub fn program(&mut self) {
        for _ in 0..1 + self.random.below(ACTS) {
            self.heard().counts.add("acts", "all");
            self.act();
            self.work();
            if self.random.below(8) > 0 {
                self.poll();
            }
        }
        self.rest();
        match self.random.below(4) {
            0 => self.nothing_after_a_reset(),
            1 => self.works_after_a_reset(),
            _ => {}
        }
    }

    fn act(&mut self) {
        if self.rules.is_none() && self.random.once_in(3) {
            return self.wild_act();
        }
        match self.random.below(100) {
            0..37 => self.post_sends(),
            37..40 => self.lend(),
            40..55 => self.post_receives(),
            55..59 => self.spoil_record(),
            59..65 => self.any_register(),
            65..78 => self.bring(),
            78..86 => self.any_command(),
            86..93 => {
                let at = self.some_pair();
                self.revive(at);
            }
            93..97 => self.pass_time(),
            _ => self.jolt(),
        }
    }

    /// What needs addresses: commands and slots with any of them, and stores anywhere.
    fn wild_act(&mut self) {
        match self.random.below(8) {
            0..3 => self.any_command(),
            3 => {
                let at = offset::COMMAND_QUEUE_ADDRESS_HIGH + 4 * self.random.below(2);
                let value =
                    if self.random.once_in(4) { self.random.any() } else { self.it.machine.queue };
                let value =
                    if at == offset::COMMAND_QUEUE_ADDRESS_HIGH { value >> 32 } else { value };
                self.write(at, &(value as u32).to_be_bytes());
            }
            4 => {
                let slot = self.random.below(32);
                let mut entry = self.it.machine.prepare(&[0; 64], 64);
                self.random.poke(entry.as_mut_bytes());
                let pointer = self.address() & !0x1ff;
                entry.set_input_mailbox(pointer);
                entry.set_input_length(self.random.below(4000) as u32);
                let at = self.it.machine.queue + slot * 64;
                self.it.machine.memory.put(at, entry.as_bytes());
                self.write(offset::COMMAND_DOORBELL, &(1_u32 << slot).to_be_bytes());
            }
            _ => {
                let value = self.address().to_be_bytes();
                let bytes =
                    if self.random.once_in(2) { value.to_vec() } else { self.random.bytes(16) };
                let room = self.it.machine.memory.bytes.len() as u64 - 16;
                let at = self.random.below(room) & !3;
                self.it.machine.memory.put(BASE + at, &bytes);
            }
        }
    }

    fn pass_time(&mut self) {
        if let Some(now) = &mut self.now {
            *now += self.random.pick(&[1, 1_000, 1_000_000, 10_000_000, 10_000_000_000]);
            self.it.machine.card.tell_time(*now);
        }
    }

    /// The cable, and a look at records that no register told of.
    fn jolt(&mut self) {
        match self.random.below(8) {
            0 => self.it.machine.card.unplug(),
            1..5 => self.it.machine.card.plug(),
            _ => self.it.machine.card.look(),
        }
    }

    /// After a reset of the function the card knows of no memory: whatever it is told, it touches none.
    fn nothing_after_a_reset(&mut self) {
        self.it.machine.card.reset();
        let Some(rules) = &mut self.rules else { return };
        rules.revoke_all(|_| true);
        let before = (self.seen.reads, self.seen.writes);
        self.post_sends();
        self.write(offset::COMMAND_DOORBELL, &u32::MAX.to_be_bytes());
        self.it.machine.card.look();
        let noise = self.random.bytes(100);
        self.it.machine.card.bring_packet(noise);
        self.rest();
        assert_eq!((self.seen.reads, self.seen.writes), before, "memory was touched after a reset");
        self.heard().counts.add("end", "reset, and nothing is touched");
    }

    /// However it was treated: after a reset the card is brought up again, and does an RDMA WRITE.
    fn works_after_a_reset(&mut self) {
        let mut machine = std::mem::replace(&mut self.it.machine, Machine::new());
        machine.card.plug();
        machine.card.reset();
        let more = machine.memory.bytes.len() + 320 * PAGE as usize;
        machine.memory.bytes.resize(more, 0);
        let queue = machine.queue;
        machine.write32(offset::COMMAND_QUEUE_ADDRESS_HIGH, (queue >> 32) as u32);
        machine.write32(offset::COMMAND_QUEUE_ADDRESS_LOW, queue as u32);
        let mut it = Setup::with(machine.brought_up(), Connection::default());
        it.put(VIRTUAL, b"still alive");
        let local = (VIRTUAL, 11, it.key);
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, it.key), local)]);
        assert_eq!(it.get(VIRTUAL + 0x8000, 11), b"still alive", "after a reset the card works");
        assert_eq!(it.outcomes(0).len(), 1);
        self.heard().counts.add("end", "reset, and it works");
    }
}
