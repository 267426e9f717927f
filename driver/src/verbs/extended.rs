//! The extended way to post: one call for each step, and one for the whole batch.
//!
//! `ibv_post_send` takes a list of structs with a field for everything. `struct ibv_qp_ex` has a call
//! for each opcode instead, and setters for its data, between `ibv_wr_start` and `ibv_wr_complete`.

use super::{
    AddressHandle, BatchError, MemoryWindow, Opcode, Operands, PostCause, QueuePair, RemoteAddress,
    ScatterGatherElement, SendFlags, SendRequest, WindowKind, WindowPart,
};
use doorbell_tracer::{Group, Site, site};

const PROBE_GROUP: Group = Group::PostSend;

/// How a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it is posted, or nothing (`ibv_wr_complete`).
    Complete,
    /// Nothing of it is posted (`ibv_wr_abort`).
    Abort,
}

/// What fills a batch, as the provider sees it.
pub type Fill<'a> = &'a mut dyn FnMut(&mut dyn Builder) -> End;

/// The provider's side of a batch. What it refuses it remembers: the first refusal is the batch's.
pub trait Builder {
    /// Builds the WQE of one request behind those of the batch.
    fn add(&mut self, request: &SendRequest<'_>);

    /// The batch was not used as it must be.
    fn refuse(&mut self, cause: PostCause);
}

// ANCHOR: ibv_wr_start
/// Starts a batch of requests, lets `fill` build them, and posts them all or none.
///
/// The send queue is locked from the beginning of `fill` to its end, as it is between `ibv_wr_start`
/// and `ibv_wr_complete`: do not post to the same queue in it.
#[inline]
pub fn wr_start(
    qp: &QueuePair,
    mut fill: impl FnMut(&mut Batch<'_>) -> End,
) -> Result<(), BatchError> {
    (qp.context().ops().wr_start)(qp, &mut |builder| {
        let mut batch = Batch { wr_id: 0, wr_flags: SendFlags::empty(), builder, begun: false };
        let end = fill(&mut batch);
        batch.expect_finished();
        end
    })
}

/// Where the call goes through the table.
pub(crate) static CALL: Site = site!(of wr_start at "(qp.context().ops().wr_start)(");
// ANCHOR_END: ibv_wr_start

/// A batch that has been started (`struct ibv_qp_ex`).
pub struct Batch<'b> {
    /// Comes back in the completion of the requests that are begun from here on.
    pub wr_id: u64,
    /// How they are done. [`SendFlags::INLINE`] is not looked at: a setter says so.
    pub wr_flags: SendFlags,
    builder: &'b mut dyn Builder,
    /// A request was begun, and its data is still to come.
    begun: bool,
}

/// A request that was begun, and waits for its data.
#[must_use = "a request without its data makes the batch fail: call one of the setters"]
pub struct Request<'q, 'b> {
    batch: &'q mut Batch<'b>,
    request: SendRequest<'q>,
}

// ANCHOR: wr_builders
/// The requests. Each but the last two wants its data, if only an empty list of it.
impl<'b> Batch<'b> {
    /// `ibv_wr_send`.
    pub fn send(&mut self) -> Request<'_, 'b> {
        self.begin(Opcode::Send, 0, RemoteAddress::default(), Operands::None)
    }

    /// `ibv_wr_send_imm`.
    pub fn send_imm(&mut self, immediate: u32) -> Request<'_, 'b> {
        let nowhere = RemoteAddress::default();
        self.begin(Opcode::SendWithImmediate, immediate, nowhere, Operands::None)
    }

    /// `ibv_wr_send_inv`.
    pub fn send_inv(&mut self, rkey: u32) -> Request<'_, 'b> {
        let nowhere = RemoteAddress::default();
        self.begin(Opcode::SendWithInvalidate, rkey, nowhere, Operands::None)
    }

    /// `ibv_wr_rdma_write`.
    #[inline]
    pub fn rdma_write(&mut self, remote: RemoteAddress) -> Request<'_, 'b> {
        self.begin(Opcode::RdmaWrite, 0, remote, Operands::None)
    }

    /// `ibv_wr_rdma_write_imm`.
    pub fn rdma_write_imm(&mut self, remote: RemoteAddress, immediate: u32) -> Request<'_, 'b> {
        self.begin(Opcode::RdmaWriteWithImmediate, immediate, remote, Operands::None)
    }

    /// `ibv_wr_rdma_read`.
    pub fn rdma_read(&mut self, remote: RemoteAddress) -> Request<'_, 'b> {
        self.begin(Opcode::RdmaRead, 0, remote, Operands::None)
    }

    /// `ibv_wr_atomic_cmp_swp`.
    pub fn atomic_cmp_swp(
        &mut self,
        remote: RemoteAddress,
        compare: u64,
        swap: u64,
    ) -> Request<'_, 'b> {
        let operands = Operands::Atomic { compare_add: compare, swap };
        self.begin(Opcode::AtomicCompareAndSwap, 0, remote, operands)
    }

    /// `ibv_wr_atomic_fetch_add`.
    pub fn atomic_fetch_add(&mut self, remote: RemoteAddress, add: u64) -> Request<'_, 'b> {
        let operands = Operands::Atomic { compare_add: add, swap: 0 };
        self.begin(Opcode::AtomicFetchAndAdd, 0, remote, operands)
    }

    /// `ibv_wr_bind_mw`: always as a window of type 2, as libmlx5 does it.
    pub fn bind_mw(&mut self, window: &MemoryWindow, new_key: u32, part: &WindowPart<'_>) {
        self.expect_finished();
        let mut bind = part.bind(window, new_key);
        bind.window = WindowKind::Two;
        let (wr_id, send_flags) = (self.wr_id, self.wr_flags.difference(SendFlags::INLINE));
        let (opcode, operands) = (Opcode::BindMemoryWindow, Operands::Bind(&bind));
        let request = SendRequest { wr_id, send_flags, opcode, operands, ..Default::default() };
        self.builder.add(&request);
    }

    /// `ibv_wr_local_inv`.
    pub fn local_inv(&mut self, rkey: u32) {
        let nowhere = RemoteAddress::default();
        self.begin(Opcode::LocalInvalidate, rkey, nowhere, Operands::None).set_sge_list(&[]);
    }

    /// Begins a request.
    #[inline(always)]
    fn begin<'q>(
        &'q mut self,
        opcode: Opcode,
        immediate: u32,
        remote: RemoteAddress,
        operands: Operands<'q>,
    ) -> Request<'q, 'b> {
        self.expect_finished();
        self.begun = true;
        let (wr_id, send_flags) = (self.wr_id, self.wr_flags.difference(SendFlags::INLINE));
        let request =
            SendRequest { wr_id, sg_list: &[], opcode, send_flags, immediate, remote, operands };
        Request { batch: self, request }
    }

    /// A request whose data is still to come was forgotten.
    #[inline(always)]
    fn expect_finished(&mut self) {
        if self.begun {
            self.builder.refuse(PostCause::Unfinished);
        }
    }
}
// ANCHOR_END: wr_builders

// ANCHOR: wr_setters
/// The setters. With the data the request is whole, and its WQE is built.
impl<'q> Request<'q, '_> {
    /// `ibv_wr_set_ud_addr`: to whom a datagram goes. In C it may also come behind the data.
    pub fn set_ud_addr(
        mut self,
        handle: &'q AddressHandle,
        remote_qpn: u32,
        remote_qkey: u32,
    ) -> Self {
        self.request.operands = Operands::Datagram { handle, remote_qpn, remote_qkey };
        self
    }

    /// `ibv_wr_set_sge`.
    #[inline]
    pub fn set_sge(self, element: ScatterGatherElement) {
        self.finish(&[element], SendFlags::empty());
    }

    /// `ibv_wr_set_sge_list`.
    pub fn set_sge_list(self, elements: &[ScatterGatherElement]) {
        self.finish(elements, SendFlags::empty());
    }

    /// `ibv_wr_set_inline_data`. The key is not looked at.
    pub fn set_inline_data(self, element: ScatterGatherElement) {
        self.finish(&[element], SendFlags::INLINE);
    }

    /// `ibv_wr_set_inline_data_list`.
    pub fn set_inline_data_list(self, elements: &[ScatterGatherElement]) {
        self.finish(elements, SendFlags::INLINE);
    }

    #[inline(always)]
    fn finish(self, elements: &[ScatterGatherElement], inline: SendFlags) {
        let send_flags = self.request.send_flags | inline;
        self.batch.begun = false;
        self.batch.builder.add(&SendRequest { sg_list: elements, send_flags, ..self.request });
    }
}
// ANCHOR_END: wr_setters
