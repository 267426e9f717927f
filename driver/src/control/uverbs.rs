//! Asking the kernel: what a program does on any machine with the card's driver loaded.
//!
//! The kernel's `mlx5_ib` owns the card and its firmware. A program asks it for a page of
//! registers, for keys, for queues, through the file of the device; the kernel pins the memory,
//! translates its addresses for the card, and gives the firmware the commands that `firmware.rs`
//! gives by itself. Then it steps out of the way: posting and polling ask nobody.
//!
//! Each request is a call in the trace, with the numbers that went with it and the answer's.

mod abi;
mod events;
mod node;
mod pages;
mod query;
mod queue_pairs;
mod requests;
mod shared;
mod sysfs;

pub use sysfs::KernelDoor;

use super::{ControlError, PortAddress, QueueLimits};
use crate::bus::{Bus, MappedPage, Memory};
use abi::Command;
use doorbell_prm::registers::uar::BLUEFLAME_REGISTER_SIZE;
use doorbell_tracer::{Group, Tracer, Value, probe};
use events::Files;
use node::Node;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const PROBE_GROUP: Group = Group::Control;

/// Pages of memory that queues and buffers are taken from: 64 MiB of address space.
const MEMORY_PAGES: usize = 16384;

/// The bus of a card that the kernel drives: nothing but pages that it lets us map.
pub struct KernelBus;

impl Bus for KernelBus {
    type Page = MappedPage;
}

/// An open device of the kernel's.
pub struct Uverbs {
    node: Node,
    memory: Arc<Memory>,
    address: PortAddress,
    limits: QueueLimits,
    /// Pages can be mapped write-combining.
    blueflame: bool,
    /// The device has atomic operations.
    atomics: bool,
    /// The device's folder in sysfs.
    sysfs: PathBuf,
    handles: Mutex<Handles>,
    files: Mutex<Files>,
    tracer: Tracer,
}

/// The kernel's handles, by the card's numbers.
#[derive(Default)]
struct Handles {
    uars: HashMap<u32, u32>,
    pds: HashMap<u32, u32>,
    keys: HashMap<u32, u32>,
    windows: HashMap<u32, u32>,
    cqs: HashMap<u32, u32>,
    qps: HashMap<u32, u32>,
    srqs: HashMap<u32, u32>,
}

/// What uverbs calls a context that has its own UAR pages and names queue pairs in CQEs itself.
const CQE_VERSION: u8 = 1;

/// `IBV_ATOMIC_NONE`
const NO_ATOMICS: u32 = 0;

impl Uverbs {
    // ANCHOR: uverbs_context
    /// Opens a device and asks for a context (`ibv_open_device`, the part below the provider).
    /// `path` is its file, `sysfs` the folder that tells about it.
    pub fn open(
        path: &Path,
        sysfs: &Path,
        address: PortAddress,
        tracer: &Tracer,
    ) -> Result<Self, ControlError> {
        let mut uverbs = Self {
            node: Node::open(path)?,
            memory: Memory::at_own_address(MEMORY_PAGES),
            address,
            limits: QueueLimits::new(0, 0, 0, 0),
            blueflame: false,
            atomics: false,
            sysfs: sysfs.to_owned(),
            handles: Mutex::default(),
            files: Mutex::default(),
            tracer: tracer.clone(),
        };
        let request = |response| abi::GetContext {
            response,
            max_cqe_version: CQE_VERSION,
            lib_caps: abi::LIB_CAPS,
            ..Default::default()
        };
        let answer: abi::GetContextAnswer = uverbs.ask(
            Command::GetContext,
            [("lib_caps", Value::Hex(abi::LIB_CAPS))],
            request,
            |answer: &abi::GetContextAnswer| answer.cqe_version.into(),
        )?;
        uverbs.files().keep_asynchronous(answer.async_fd);
        if answer.cqe_version != CQE_VERSION {
            return Err(ControlError::Unfit {
                what: "CQE version",
                found: answer.cqe_version.into(),
                needed: "version 1, which cards since ConnectX-4 have",
            });
        }
        // 0 where the registers are not mapped write-combining.
        if ![0, BLUEFLAME_REGISTER_SIZE as u32].contains(&answer.bf_reg_size) {
            return Err(ControlError::Unfit {
                what: "size of a BlueFlame register",
                found: answer.bf_reg_size.into(),
                needed: "512 bytes, two buffers of 256",
            });
        }
        uverbs.blueflame = answer.bf_reg_size != 0;
        let (send, receive) = (answer.max_sq_desc_sz, answer.max_rq_desc_sz);
        uverbs.limits = QueueLimits::new(send, receive, answer.max_send_wqebb, answer.max_recv_wr);
        // libmlx5, too, asks once, for what decides about every queue pair. (`mlx5_query_device_ctx`)
        uverbs.atomics = uverbs.ask_device()?.atomic_cap != NO_ATOMICS;
        Ok(uverbs)
    }
    // ANCHOR_END: uverbs_context

    // ANCHOR: uverbs_ask
    /// Gives a request that has an answer, and tells of both: of the request what is in `told`, of
    /// the answer its `number`.
    fn ask<Q: IntoBytes + Immutable, A: FromBytes + IntoBytes, const N: usize>(
        &self,
        command: Command,
        told: [(&'static str, Value); N],
        request: impl FnOnce(u64) -> Q,
        number: impl Fn(&A) -> u32,
    ) -> Result<A, ControlError> {
        probe!(self.tracer, call(command.name(), told));
        let answer = self.node.ask(command, request);
        probe!(
            self.tracer,
            returned(command.name(), outcome(&answer, answer.as_ref().map_or(0, number)))
        );
        answer
    }
    // ANCHOR_END: uverbs_ask

    /// The kernel's handles.
    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of events.
    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handle that the kernel gave, by the card's number.
    fn handle(&self, of: impl Fn(&Handles) -> &HashMap<u32, u32>, number: u32) -> u32 {
        of(&self.handles()).get(&number).copied().unwrap_or(u32::MAX)
    }

    // ANCHOR: uverbs_give_back
    /// Gives something back by its handle. A kernel that refuses has lost the card, and there is
    /// nothing to do about it.
    fn give_back(&self, command: Command, handle: Option<u32>) {
        let Some(handle) = handle else { return };
        probe!(self.tracer, call(command.name(), [("handle", handle.into())]));
        let result = match command {
            Command::DestroyCq | Command::DestroyQp | Command::DestroySrq => {
                let ask = |response| abi::Destroy { response, handle, reserved: 0 };
                self.node.ask::<_, abi::DestroyAnswer>(command, ask).map(|_| ())
            }
            _ => self.node.tell(command, &abi::Handle { handle }),
        };
        probe!(self.tracer, returned(command.name(), outcome(&result, 0)));
    }
    // ANCHOR_END: uverbs_give_back
}

/// The number that a request brought, or the system's number for why not.
fn outcome<T>(result: &Result<T, ControlError>, number: u32) -> Value {
    match result {
        Ok(_) => Value::Hex(number.into()),
        Err(ControlError::Kernel { errno, .. }) => format!("error {errno}").into(),
        Err(error) => error.to_string().into(),
    }
}
