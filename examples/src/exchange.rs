//! The program of most scenarios: work requests from one queue pair to the other, as the settings say.

use crate::pair::{expect_arrived, expect_same, wait_for};
use crate::posting::post;
use crate::start::use_blocks;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, MemoryRegion, Opcode, Operands, ReceiveRequest, RemoteAddress, ScatterGatherElement,
    SendFlags, SendRequest, Transport, WorkCompletion, post_recv, post_send,
};
use doorbell_tracer::Tracer;

/// Receives are numbered from here, so that they are not taken for sends.
const FIRST_RECEIVE: u64 = 101;

/// Immediate data of a work request: this, and its number.
const IMMEDIATE: u32 = 0x1000;

/// Bytes in front of the data of a datagram: the GRH, or with RoCE v2 over IPv4 that header in their end.
pub const ROUTE_HEADER: usize = 40;

/// What an atomic operation adds, and what it stores instead.
const ADDED: u64 = 5;
const SWAPPED: u64 = 0x5eed;

// ANCHOR: exchange
/// Moves a message from one queue pair's buffer to the other's, in one call of `ibv_post_send`, and
/// waits until it is there.
pub fn exchange(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    use_blocks(&pair, settings, SendRequest::default())?;
    Exchange::new(&pair, *settings)?.run(&world.tracer)
}
// ANCHOR_END: exchange

/// A message on its way between the two buffers of a pair.
pub struct Exchange<'a> {
    pair: &'a Pair,
    settings: Settings,
    message: Vec<u8>,
    source: MemoryRegion,
    target: MemoryRegion,
    /// Whom datagrams are for.
    way: Operands<'a>,
}

impl<'a> Exchange<'a> {
    // ANCHOR: exchange_run
    /// Posts all receives, then all work requests in one call, and waits until they are done.
    pub fn run(&self, tracer: &Tracer) -> Result<Vec<String>, ExampleError> {
        self.post_receives()?;
        let elements = self.elements();
        self.post(&elements)?;
        self.finish(tracer)
    }

    /// Posts all work requests, with these elements.
    pub fn post(&self, elements: &[Vec<ScatterGatherElement>]) -> Result<(), ExampleError> {
        let requests: Vec<_> =
            (0..).zip(elements).map(|(request, list)| self.request(request, list)).collect();
        post(&self.pair.sender, &self.settings, &requests)
    }
    // ANCHOR_END: exchange_run

    // ANCHOR: exchange_memory
    /// Takes two buffers. Which of them is the sender's own depends on the opcode: an RDMA READ brings the
    /// message, and so do atomic operations, eight bytes each; all others take it away.
    pub fn new(pair: &'a Pair, settings: Settings) -> Result<Self, ExampleError> {
        Self::of(pair, settings, settings.message())
    }

    /// The same with a message of one's own, as long as the settings say.
    pub fn of(pair: &'a Pair, settings: Settings, message: Vec<u8>) -> Result<Self, ExampleError> {
        let (from, to) = match settings.opcode {
            Opcode::RdmaRead => (Access::REMOTE_READ, Access::LOCAL_WRITE),
            Opcode::AtomicFetchAndAdd | Opcode::AtomicCompareAndSwap => {
                (Access::LOCAL_WRITE | Access::REMOTE_ATOMIC, Access::LOCAL_WRITE)
            }
            Opcode::Send | Opcode::SendWithImmediate => (Access::empty(), Access::LOCAL_WRITE),
            _ => (Access::empty(), Access::LOCAL_WRITE | Access::REMOTE_WRITE),
        };
        let source = pair.memory("source", &message, from)?;
        let room = message.len() + settings.list as usize * front(&settings);
        let target = pair.memory("target", &vec![0; room], to)?;
        Ok(Self { pair, settings, message, source, target, way: Operands::None })
    }

    /// The same with datagrams, all of which go one way.
    pub fn of_datagrams(
        pair: &'a Pair,
        settings: Settings,
        way: Operands<'a>,
    ) -> Result<Self, ExampleError> {
        Ok(Self { way, ..Self::new(pair, settings)? })
    }
    // ANCHOR_END: exchange_memory

    /// The sender's own buffer, and that of the other side.
    fn local_and_remote(&self) -> (&MemoryRegion, &MemoryRegion) {
        match self.settings.is_read() {
            true => (&self.target, &self.source),
            false => (&self.source, &self.target),
        }
    }

    // ANCHOR: exchange_request
    /// The elements of each work request: they share its bytes.
    pub fn elements(&self) -> Vec<Vec<ScatterGatherElement>> {
        let (local, _) = self.local_and_remote();
        let (length, sges) = (self.settings.length, self.settings.sges);
        let cut = |place: u32| (u64::from(length) * u64::from(place) / u64::from(sges)) as u32;
        let of = |request: u32| {
            let begin = self.settings.piece(request).start;
            let element = |place: u32| {
                let (from, to) = (cut(place), cut(place + 1));
                local.element(begin + from as usize, to - from)
            };
            (0..sges).map(element).collect()
        };
        (0..self.settings.list).map(of).collect()
    }

    /// A work request, counted from 0, for the next piece of the message. Only the last one is signalled: it
    /// speaks for all before it.
    pub fn request<'e>(&self, request: u32, elements: &'e [ScatterGatherElement]) -> SendRequest<'e>
    where
        'a: 'e,
    {
        let (_, remote) = self.local_and_remote();
        let begin = self.settings.piece(request).start as u64;
        SendRequest {
            wr_id: u64::from(request) + 1,
            sg_list: elements,
            opcode: self.settings.opcode,
            send_flags: self.settings.flags(request),
            immediate: IMMEDIATE + request + 1,
            remote: RemoteAddress {
                address: remote.buffer().address() + begin,
                rkey: remote.rkey(),
            },
            operands: self.operands(request),
        }
    }

    /// What an atomic operation works with. It expects what is there, and so each swap succeeds. Of a
    /// datagram, whom it is for.
    fn operands(&self, request: u32) -> Operands<'a> {
        match self.settings.opcode {
            Opcode::AtomicFetchAndAdd => Operands::Atomic { compare_add: ADDED, swap: 0 },
            Opcode::AtomicCompareAndSwap => {
                Operands::Atomic { compare_add: self.word(request), swap: SWAPPED }
            }
            _ => self.way,
        }
    }

    /// The eight bytes of a piece of the message, as this machine's CPU reads them.
    fn word(&self, request: u32) -> u64 {
        let piece = &self.message[self.settings.piece(request)];
        piece.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
    }
    // ANCHOR_END: exchange_request

    // ANCHOR: exchange_receives
    /// Posts as many receives as there will be messages, if they need any. An RDMA WRITE with immediate data
    /// consumes one too, but puts nothing into its buffer. That of a datagram has room in front of the data.
    pub fn post_receives(&self) -> Result<(), ExampleError> {
        if !self.settings.needs_receives() {
            return Ok(());
        }
        for request in 0..self.settings.list {
            let list = [self.target.element(self.arrival(request), self.room())];
            let wr_id = FIRST_RECEIVE + u64::from(request);
            post_recv(&self.pair.receiver, &[ReceiveRequest { wr_id, sg_list: &list }])?;
        }
        Ok(())
    }
    // ANCHOR_END: exchange_receives

    /// Bytes of a receive.
    fn room(&self) -> u32 {
        front(&self.settings) as u32 + self.settings.length
    }

    /// Where a message is received.
    fn arrival(&self, request: u32) -> usize {
        request as usize * self.room() as usize
    }

    /// Looks whether all of the message lies in the target, each piece of it behind what is in front of it.
    fn expect_message(&self, tracer: &Tracer) -> Result<(), ExampleError> {
        let front = front(&self.settings);
        if front == 0 {
            return expect_arrived(&self.target, &self.message, tracer);
        }
        let length = self.settings.length as usize;
        let piece = |request| self.target.buffer().read(self.arrival(request) + front, length);
        let pieces: Option<Vec<Vec<u8>>> = (0..self.settings.list).map(piece).collect();
        expect_same(pieces.map(|pieces| pieces.concat()), &self.message, tracer)
    }

    /// Waits for all completions, compares the buffers, and says what happened.
    pub fn finish(&self, tracer: &Tracer) -> Result<Vec<String>, ExampleError> {
        let sent = self.wait_for_sends()?;
        let received = self.wait_for_receives()?;
        self.expect_message(tracer)?;
        if self.settings.is_atomic() {
            self.expect_changed()?;
        }
        Ok(vec![format!("{sent}{}", self.outcome(&received))])
    }

    /// Looks after atomic operations whether the other side's numbers have changed.
    fn expect_changed(&self) -> Result<(), ExampleError> {
        let changed = |request| match self.settings.opcode {
            Opcode::AtomicCompareAndSwap => SWAPPED,
            _ => self.word(request).wrapping_add(ADDED),
        };
        let requests = 0..self.settings.list;
        let expected: Vec<u8> =
            requests.flat_map(|request| changed(request).to_ne_bytes()).collect();
        match self.source.buffer().read(0, expected.len()) == Some(expected) {
            true => Ok(()),
            false => Err(ExampleError::NotArrived("the other side's numbers are not changed")),
        }
    }

    /// Compares the buffers after work request 1 has completed.
    pub fn arrived(&self, tracer: &Tracer) -> Result<Vec<String>, ExampleError> {
        expect_arrived(&self.target, &self.message, tracer)?;
        Ok(vec![format!("work request 1 completed{}", self.outcome(&[]))])
    }

    // ANCHOR: exchange_wait
    /// Waits until the work is done, and says which completions told it.
    fn wait_for_sends(&self) -> Result<String, ExampleError> {
        let last = u64::from(self.settings.list);
        if self.settings.signal_all {
            (1..=last).try_for_each(|wr_id| self.wait_for_send(wr_id))?;
            return Ok(match last {
                1 => "work request 1 completed".to_owned(),
                last => format!("work requests 1 to {last} completed, each by itself"),
            });
        }
        if self.settings.is_silent() {
            self.post_behind(last + 1)?;
            self.wait_for_send(last + 1)?;
            let empty = match self.settings.transport {
                Transport::UnreliableDatagram => "an empty datagram",
                _ => "an empty RDMA WRITE",
            };
            return Ok(format!(
                "no work request up to {last} was signalled: {empty} behind them completed and speaks for \
                 them"
            ));
        }
        self.wait_for_send(last)?;
        Ok(match last {
            1 => "work request 1 completed".to_owned(),
            last => {
                format!("work request {last} completed, and with it the {} before it", last - 1)
            }
        })
    }

    /// Waits for the completion of one work request.
    fn wait_for_send(&self, wr_id: u64) -> Result<(), ExampleError> {
        let completion = wait_for(&self.pair.send_cq, &self.pair.context)?;
        expect_number(&completion, wr_id)
    }

    /// What is not signalled never says that it is done. Something signalled behind it does: work of one
    /// queue completes in its order. A datagram for which no receive is left is lost, and so done.
    fn post_behind(&self, wr_id: u64) -> Result<(), ExampleError> {
        let opcode = match self.settings.transport {
            Transport::UnreliableDatagram => Opcode::Send,
            _ => Opcode::RdmaWrite,
        };
        Ok(post_send(
            &self.pair.sender,
            &[SendRequest {
                wr_id,
                sg_list: &[],
                opcode,
                send_flags: SendFlags::SIGNALED,
                operands: self.way,
                ..SendRequest::default()
            }],
        )?)
    }
    // ANCHOR_END: exchange_wait

    /// Waits for the receives that were posted, and looks what they say.
    fn wait_for_receives(&self) -> Result<Vec<WorkCompletion>, ExampleError> {
        if !self.settings.needs_receives() {
            return Ok(Vec::new());
        }
        let mut received = Vec::new();
        for request in 0..self.settings.list {
            let completion = wait_for(&self.pair.recv_cq, &self.pair.context)?;
            expect_number(&completion, FIRST_RECEIVE + u64::from(request))?;
            let immediate = self.settings.has_immediate().then_some(IMMEDIATE + request + 1);
            let datagram = self.settings.transport == Transport::UnreliableDatagram;
            let stranger = datagram && completion.arrival.src_qp != self.pair.sender.number();
            if completion.immediate != immediate || completion.byte_len != self.room() || stranger {
                return Err(ExampleError::NotArrived(
                    "a receive says something else than was sent",
                ));
            }
            received.push(completion);
        }
        Ok(received)
    }

    /// What the other side got.
    fn outcome(&self, received: &[WorkCompletion]) -> String {
        let bytes = self.message.len();
        let Some(last) = received.last() else {
            return match self.settings.is_read() {
                true => format!(": {bytes} bytes were brought from the other queue pair's buffer"),
                false => format!(": {bytes} bytes lie in the other queue pair's buffer"),
            };
        };
        let which = match received.len() {
            1 => format!("receive {} received", last.wr_id),
            count => format!("{count} receives, the last of them {}, received", last.wr_id),
        };
        let immediate = last.immediate.map(|data| format!(", with immediate data {data:#x}"));
        let from = match front(&self.settings) {
            0 => String::new(),
            header => format!(
                " from queue pair {:#x}, behind {header} bytes for a header",
                last.arrival.src_qp
            ),
        };
        format!("; {which} {bytes} bytes{from}{}", immediate.unwrap_or_default())
    }
}

/// Bytes in front of the data of each message.
fn front(settings: &Settings) -> usize {
    match settings.transport {
        Transport::UnreliableDatagram => ROUTE_HEADER,
        _ => 0,
    }
}

/// Completions come in the order of the work.
fn expect_number(completion: &WorkCompletion, wr_id: u64) -> Result<(), ExampleError> {
    match completion.wr_id == wr_id {
        true => Ok(()),
        false => Err(ExampleError::NotArrived("the completions came in another order")),
    }
}
