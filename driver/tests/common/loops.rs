//! Queue pairs that are connected to themselves.

use super::{ALL, SIZES, connect, write};
use doorbell_driver::mlx5::{BlueFlameSettings, RegisterCounts};
use doorbell_driver::verbs::*;
use std::sync::Arc;

/// A context with so many registers, so many of them dedicated.
pub fn settings(total: u32, dedicated: u32) -> BlueFlameSettings {
    let registers = RegisterCounts::new(total, dedicated).expect("numbers that go together");
    BlueFlameSettings { registers, ..Default::default() }
}

/// A queue pair that is connected to itself, with memory to write to.
pub struct Loop {
    /// It.
    pub qp: QueuePair,
    cq: Arc<CompletionQueue>,
    memory: MemoryRegion,
    context: Arc<Context>,
}

impl Loop {
    /// A new one.
    pub fn new(pd: &Arc<ProtectionDomain>) -> Self {
        let context = Arc::clone(pd.context());
        let cq = context.create_cq(7).expect("a completion queue");
        let request = QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: SIZES,
            signal_all: true,
        };
        let qp = pd.create_qp(&request).expect("a queue pair");
        connect(&context, &qp, qp.number());
        let buffer = context.alloc_buffer(16, "data").expect("room");
        let memory = pd.reg_mr(buffer, ALL).expect("a key");
        Self { qp, cq, memory, context }
    }

    /// Writes 8 bytes of its memory to the 8 behind them, and waits for the completion.
    pub fn post(&self, wr_id: u64) {
        assert!(self.memory.buffer().write(0, &wr_id.to_be_bytes()));
        let elements = [self.memory.element(0, 8)];
        let mut request = write(wr_id, &elements, &self.memory);
        request.remote.address += 8;
        post_send(&self.qp, &[request]).expect("posted");
        let mut done = [WorkCompletion::default()];
        for _ in 0..100_000 {
            if poll_cq(&self.cq, &mut done).expect("it can be polled") == 1 {
                assert_eq!((done[0].wr_id, done[0].status), (wr_id, WorkStatus::Success));
                assert_eq!(self.memory.buffer().read(8, 8), Some(wr_id.to_be_bytes().to_vec()));
                return;
            }
            self.context.relax();
        }
        panic!("work request {wr_id} was lost");
    }
}
