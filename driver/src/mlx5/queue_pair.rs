//! The queue pair: how large its queues become, where they lie, and how it is created.

use super::completion_queue::{CqState, Member, Mlx5CompletionQueue, Receives};
use super::doorbell::BlueFlame;
use super::extended::Batch;
use super::inline::ShortLengths;
use super::kinds::Way;
use super::opcodes::Opcodes;
use super::outstanding::Outstanding;
use super::receive_queue::ReceiveQueue;
use super::records::Record;
use super::registers::{self, Register, Sharing};
use super::ring::{BLOCK, Ring, UNIT};
use super::segments::{common_control, second_halves};
use super::send_queue::{Limits, SendQueue};
use super::shared_receive::Mlx5SharedReceiveQueue;
use super::sizes::Sizes;
use super::tables::Mlx5Context;
use crate::bus::{Bus, DmaRegion, Purpose};
use crate::control::{Control, QpRequest};
use crate::verbs::{
    self, ProtectionDomain, QueuePairCapabilities, QueuePairRequest, SharedReceiveQueue, Transport,
    VerbsError,
};
use doorbell_tracer::{Group, RegionId, Role, Site, Tracer, Value, probe, site};
use spin::mutex::SpinMutex as Mutex;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Control;

/// libmlx5's part of a queue pair (`struct mlx5_qp`).
pub struct Mlx5QueuePair<B: Bus> {
    /// The send queue.
    pub send: Mutex<SendQueue<B::Page>>,
    /// The receive queue.
    pub receive: Mutex<ReceiveQueue>,
    /// Where events of this queue pair go.
    pub tracer: Tracer,
    /// Where those of its posts go: the same place, told as the thread's that posts.
    pub user: Tracer,
    /// Which way its posts go.
    pub way: Way,
    /// How large the queues have become.
    pub capabilities: QueuePairCapabilities,
    keeper: Keeper<B>,
}

/// What keeps the queue pair alive on the card. When it goes, the queue pair is destroyed there,
/// then leaves its completion queues, and only then its memory goes.
struct Keeper<B: Bus> {
    context: Arc<verbs::Context>,
    control: Arc<dyn Control<B>>,
    number: u32,
    user_index: u32,
    register: Option<Register<B>>,
    completion_queues: [Arc<Mutex<CqState>>; 2],
    _buffer: DmaRegion,
    _record: Record,
}

impl<B: Bus> Drop for Keeper<B> {
    fn drop(&mut self) {
        self.control.destroy_qp(self.number);
        for queue in &self.completion_queues {
            queue.lock().leave(self.user_index, self.context.tracer());
        }
        let mlx5 = Mlx5Context::<B>::of(&self.context);
        mlx5.give_user_index(self.user_index);
        if let Some(register) = self.register.take() {
            mlx5.registers.give_back(register);
        }
    }
}

impl<B: Bus> Mlx5QueuePair<B> {
    /// libmlx5's part of a queue pair of the verbs (`to_mqp`). In C a cast from the struct inside
    /// to the one around it; here the verbs' queue pair owns the provider's, and the type is checked.
    #[inline(always)]
    pub fn of(qp: &verbs::QueuePair) -> &Self {
        qp.provider().expect("a context's table is of its own provider")
    }

    /// What completions name it by.
    pub fn user_index(&self) -> u32 {
        self.keeper.user_index
    }
}

/// Which way the posts of a queue pair go.
fn way<B: Bus>(mlx5: &Mlx5Context<B>, register: &Register<B>, transport: Transport) -> Way {
    match (&register.sharing, transport) {
        (Sharing::Locked(_), _) => Way::Shared,
        // The short way of datagrams knows no signatures.
        (_, Transport::UnreliableDatagram) if !mlx5.signatures => Way::Datagrams,
        _ => Way::Plain,
    }
}

/// The numbers in the trace of the parts of a new queue pair.
struct Regions {
    receive: RegionId,
    send: RegionId,
    record: RegionId,
}

// ANCHOR: create_qp
/// Creates a queue pair (`mlx5_create_qp`): one buffer for both queues, a
/// doorbell record, a register; then the card is told where they are.
pub fn create_qp<B: Bus>(
    pd: &Arc<ProtectionDomain>,
    request: &QueuePairRequest<'_>,
    srq: Option<&Arc<SharedReceiveQueue>>,
) -> Result<verbs::QueuePair, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(pd.context());
    let tracer = pd.context().tracer();
    probe!(
        *tracer,
        call(
            "ibv_create_qp",
            [
                ("send_cq", Value::Hex(request.send_cq.number().into())),
                ("max_send_wr", request.capabilities.max_send_wr.into())
            ]
        )
    );
    let limits = mlx5.control.limits();
    let mut sizes = match mlx5.signatures {
        true => Sizes::signed(&request.capabilities, request.transport, &limits)?,
        false => Sizes::of(&request.capabilities, request.transport, &limits)?,
    };
    if srq.is_some() {
        sizes = sizes.without_receives();
    }
    let buffer = mlx5.memory.allocate(sizes.receive_bytes() + sizes.send_bytes())?;
    let record = mlx5.records.take(&mlx5.memory)?;
    let register = match pd.thread_domain() {
        Some(domain) => registers::of_thread(domain),
        None => mlx5.registers.take(&mlx5.uar, &mlx5.control, tracer)?,
    };
    let user_index = mlx5.take_user_index();
    let number = mlx5.control.create_qp(&QpRequest {
        transport: request.transport,
        pd: pd.number(),
        send_cq: request.send_cq.number(),
        recv_cq: request.recv_cq.number(),
        buffer: buffer.address(),
        pages: buffer.pages().collect(),
        log_rq_size: sizes.log_receive_wqes,
        log_rq_stride: sizes.log_receive_units,
        log_sq_size: sizes.log_send_blocks,
        record: record.address(),
        uar: register.place.uar.index,
        srq: srq.map(|srq| srq.number()),
        user_index,
        capabilities: request.capabilities,
        signatures: mlx5.signatures,
    })?;
    let regions = announce(&buffer, &record, &sizes, number, tracer);
    let send = send_queue(mlx5, &buffer, &record, &sizes, &register, number, request, &regions);
    let receive = receive_queue(&buffer, &record, &sizes, number, &regions);
    let receives = match srq {
        Some(srq) => Receives::Shared(Arc::clone(&Mlx5SharedReceiveQueue::<B>::of(srq).list)),
        None => Receives::Own(Arc::clone(&receive.outstanding)),
    };
    let completion_queues = join::<B>(request, user_index, &send, receives);
    let queue_pair = Mlx5QueuePair::<B> {
        send: Mutex::new(send),
        receive: Mutex::new(receive),
        tracer: tracer.clone(),
        user: pd.user().clone(),
        way: way(mlx5, &register, request.transport),
        capabilities: sizes.capabilities(),
        keeper: Keeper {
            context: Arc::clone(pd.context()),
            control: Arc::clone(&mlx5.control),
            number,
            user_index,
            register: Some(register),
            completion_queues,
            _buffer: buffer,
            _record: record,
        },
    };
    probe!(*tracer, returned("ibv_create_qp", Value::Hex(number.into())));
    Ok(verbs::QueuePair::new(pd, request, srq, number, queue_pair))
}
// ANCHOR_END: create_qp

// ANCHOR: qp_regions
/// Tells the trace where the queues lie: the receive queue first, the send queue behind it.
fn announce(
    buffer: &DmaRegion,
    record: &Record,
    sizes: &Sizes,
    object: u32,
    tracer: &Tracer,
) -> Regions {
    static RECEIVE: Site = site!();
    static SEND: Site = site!();
    let receive = Purpose {
        role: Role::ReceiveQueue,
        name: "receive queue",
        stride: (UNIT << sizes.log_receive_units) as u32,
        object,
    };
    let send = Purpose { role: Role::SendQueue, name: "send queue", stride: 64, object };
    let (first, second) = (sizes.receive_bytes(), sizes.send_bytes());
    let receive = match sizes.shared {
        true => RegionId::default(),
        false => tracer.map(&RECEIVE, buffer.request(0, first, receive)),
    };
    let regions = Regions {
        receive,
        send: tracer.map(&SEND, buffer.request(first, second, send)),
        record: record.announce("doorbell record of a QP", tracer),
    };
    record.name(regions.record, object, "doorbell record of QP", tracer);
    regions
}
// ANCHOR_END: qp_regions

/// The send queue of a new queue pair.
#[expect(clippy::too_many_arguments, reason = "the parts that create_qp has just taken")]
fn send_queue<B: Bus>(
    mlx5: &Mlx5Context<B>,
    buffer: &DmaRegion,
    record: &Record,
    sizes: &Sizes,
    register: &Register<B>,
    number: u32,
    request: &QueuePairRequest<'_>,
    regions: &Regions,
) -> SendQueue<B::Page> {
    let Register { place, sharing } = register;
    let blueflame = mlx5.settings.blueflame;
    let signed_or_shared = mlx5.signatures || matches!(sharing, Sharing::Locked(_));
    let buffer_units = (place.uar.buffer_size / UNIT) as u32;
    let shared = match sharing {
        Sharing::Locked(lock) => Some(Arc::clone(lock)),
        Sharing::Dedicated | Sharing::Plain | Sharing::Thread => None,
    };
    // SAFETY: the keeper holds the buffer for as long as the queue pair lives.
    let ring = unsafe { Ring::new(buffer, sizes.receive_bytes(), sizes.send_bytes()) };
    let outstanding = Arc::new(Outstanding::new(1 << sizes.log_send_blocks));
    SendQueue {
        ring,
        cur_post: 0,
        head: 0,
        full_at: 0,
        slots: outstanding.kept_slots(),
        outstanding,
        record: record.word(doorbell_prm::doorbell::SEND_RECORD_OFFSET, regions.record),
        register: BlueFlame {
            register: place.register(),
            buffer_units,
            most_units_inline: if blueflame.forbidden { 0 } else { buffer_units },
            most_units: if blueflame.forbidden || !blueflame.preferred { 0 } else { buffer_units },
            region: place.uar.region,
            shared,
        },
        control: common_control(number),
        number,
        opcodes: match mlx5.signatures {
            true => Opcodes::signed(request.transport),
            false => Opcodes::of(request.transport),
        },
        completions: Arc::clone(&Mlx5CompletionQueue::<B>::of(request.send_cq).queue),
        second_halves: second_halves(request.signal_all),
        limits: Limits {
            max_post: sizes.max_post,
            max_sge: sizes.max_send_sge as usize,
            max_inline: sizes.max_inline,
            short: ShortLengths::new(sizes.max_inline),
        },
        elements_below: 0,
        atomics_enabled: mlx5.control.has_atomics(),
        settings: mlx5.settings.clone(),
        region: regions.send,
        batch: Batch::new::<B>(request.transport, &ring, signed_or_shared),
    }
}

/// The receive queue of a new queue pair. One that shares another's takes no posts, and its ring is
/// never written: that of the send queue will do.
fn receive_queue(
    buffer: &DmaRegion,
    record: &Record,
    sizes: &Sizes,
    number: u32,
    regions: &Regions,
) -> ReceiveQueue {
    ReceiveQueue {
        // SAFETY: the keeper holds the buffer for as long as the queue pair lives.
        ring: unsafe { Ring::new(buffer, 0, sizes.receive_bytes().max(BLOCK)) },
        head: 0,
        outstanding: Arc::new(Outstanding::new(1 << sizes.log_receive_wqes)),
        record: record.word(doorbell_prm::doorbell::RECEIVE_RECORD_OFFSET, regions.record),
        max_sge: sizes.receive_elements(),
        stride: 1 << sizes.log_receive_units,
        signed: sizes.signed,
        number,
        max_post: if sizes.shared { 0 } else { 1 << sizes.log_receive_wqes },
        region: regions.receive,
    }
}

/// Makes the queue pair known to the completion queues where it will complete.
fn join<B: Bus>(
    request: &QueuePairRequest<'_>,
    user_index: u32,
    send: &SendQueue<B::Page>,
    receives: Receives,
) -> [Arc<Mutex<CqState>>; 2] {
    let queues = [request.send_cq, request.recv_cq]
        .map(|cq| Arc::clone(&Mlx5CompletionQueue::<B>::of(cq).queue));
    queues[0]
        .lock()
        .join(user_index, Member { send: Some(Arc::clone(&send.outstanding)), receive: None });
    queues[1].lock().join(user_index, Member { send: None, receive: Some(receives) });
    queues
}
