//! Which doorbell register a queue pair rings: its own, one that it shares, or one for a thread.
//!
//! Two threads that write one BlueFlame register can mix their WQEs in the write-combining buffers.
//! So either a register belongs to one queue, whose lock is then enough, or it has a lock itself.
//! A card has few registers for each process, and so the first queue pairs get the one kind and the
//! others the other.

use super::settings::BlueFlameSettings;
use super::tables::{Mlx5Context, Uar};
use crate::bus::{Bus, DoorbellRegister, UarPage};
use crate::control::{Control, ControlError, Mapping};
use crate::verbs::{self, Context, VerbsError};
use doorbell_prm::registers::uar::{BLUEFLAME, BLUEFLAME_REGISTER_SIZE};
use doorbell_tracer::{Group, Tracer, probe};
use spin::mutex::SpinMutex as Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, PoisonError};

const PROBE_GROUP: Group = Group::Control;

/// BlueFlame registers of a page that programs use; the other two are for fast paths of the kernel
/// (`MLX5_NUM_NON_FP_BFREGS_PER_UAR`).
const REGISTERS_PER_PAGE: usize = 2;

/// A register of a mapped page of this kind.
pub type RegisterOf<B> = <<B as Bus>::Page as UarPage>::Register;

/// Where a register lies.
pub struct Place<B: Bus> {
    /// The page.
    pub uar: Arc<Uar<B>>,
    /// Offset of the register in the page.
    pub offset: usize,
}

impl<B: Bus> Clone for Place<B> {
    fn clone(&self) -> Self {
        Self { uar: Arc::clone(&self.uar), offset: self.offset }
    }
}

impl<B: Bus> Place<B> {
    /// The register itself, standing at its first buffer.
    pub fn register(&self) -> RegisterOf<B> {
        self.uar.page.register(self.offset, self.uar.buffer_size)
    }
}

/// A register that was given to a queue pair, or to a thread domain.
pub struct Register<B: Bus> {
    /// Where it lies.
    pub place: Place<B>,
    /// Who else rings it.
    pub sharing: Sharing<B>,
}

/// Who rings a register.
pub enum Sharing<B: Bus> {
    /// One queue pair: that queue's lock is enough.
    Dedicated,
    /// Several, one at a time: the register stands behind a lock (`bf->need_lock`).
    Locked(Arc<Mutex<RegisterOf<B>>>),
    /// All, but only with 8 bytes: such a store cannot be mixed with another.
    Plain,
    /// Those of a thread domain, which their protection domain keeps: the program has promised that one
    /// thread uses them all.
    Thread,
}

/// The registers of a context.
pub struct Registers<B: Bus> {
    settings: BlueFlameSettings,
    lists: std::sync::Mutex<Lists<B>>,
}

/// Those that were asked for.
struct Lists<B: Bus> {
    /// Free ones for one queue pair each, and how many there are with those in use.
    dedicated: VecDeque<Place<B>>,
    dedicated_made: u32,
    /// Those with a lock, and by how many queue pairs each is rung.
    locked: Vec<Locked<B>>,
    /// Free ones for thread domains.
    domains: VecDeque<Place<B>>,
}

/// A register with a lock.
struct Locked<B: Bus> {
    place: Place<B>,
    lock: Arc<Mutex<RegisterOf<B>>>,
    users: u32,
}

impl<B: Bus> Registers<B> {
    /// None are asked for yet.
    pub fn new(settings: BlueFlameSettings) -> Self {
        let lists = Lists {
            dedicated: VecDeque::new(),
            dedicated_made: 0,
            locked: Vec::new(),
            domains: VecDeque::new(),
        };
        Self { settings, lists: std::sync::Mutex::new(lists) }
    }

    /// The lists. A thread waits for them by sleeping: whoever holds them may be asking for a page.
    fn lists(&self) -> MutexGuard<'_, Lists<B>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: dedicated_register
    /// A register for a new queue pair (`mlx5_get_qp_uar`): without BlueFlame the context's own page
    /// has one for all; else a free dedicated one, a new dedicated one as long as there may be more,
    /// a new one with a lock, and at last the one with a lock that the fewest ring.
    pub fn take(
        &self,
        plain: &Arc<Uar<B>>,
        control: &Arc<dyn Control<B>>,
        tracer: &Tracer,
    ) -> Result<Register<B>, ControlError> {
        if self.settings.forbidden || !control.has_blueflame() {
            let place = Place { uar: Arc::clone(plain), offset: BLUEFLAME as usize };
            return Ok(Register { place, sharing: Sharing::Plain });
        }
        let mut guard = self.lists();
        let lists = &mut *guard;
        let (dedicated, locked) = self.settings.registers.split();
        if lists.dedicated.is_empty() && lists.dedicated_made < dedicated {
            lists.dedicated.extend(new_page(control, tracer)?);
            lists.dedicated_made += REGISTERS_PER_PAGE as u32;
        }
        if let Some(place) = lists.dedicated.pop_front() {
            return Ok(Register { place, sharing: Sharing::Dedicated });
        }
        if (lists.locked.len() as u32) < locked {
            match new_page(control, tracer) {
                Ok(places) => lists.locked.extend(places.map(Locked::new)),
                // Those that are there will do.
                Err(error) if lists.locked.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        let least = lists.locked.iter_mut().min_by_key(|locked| locked.users);
        let least = least.expect("there may be at least one, and so there is");
        least.users += 1;
        let sharing = Sharing::Locked(Arc::clone(&least.lock));
        Ok(Register { place: least.place.clone(), sharing })
    }
    // ANCHOR_END: dedicated_register

    /// Gives a queue pair's register back. (`mlx5_put_qp_uar`)
    pub fn give_back(&self, register: Register<B>) {
        let mut lists = self.lists();
        match register.sharing {
            Sharing::Dedicated => lists.dedicated.push_back(register.place),
            Sharing::Locked(lock) => {
                let mut all = lists.locked.iter_mut();
                if let Some(own) = all.find(|locked| Arc::ptr_eq(&locked.lock, &lock)) {
                    own.users -= 1;
                }
            }
            Sharing::Plain | Sharing::Thread => {}
        }
    }
}

impl<B: Bus> Locked<B> {
    /// Rung by nobody yet.
    fn new(place: Place<B>) -> Self {
        let lock = Arc::new(Mutex::new(place.register()));
        Self { place, lock, users: 0 }
    }
}

/// The registers of a new page.
fn new_page<B: Bus>(
    control: &Arc<dyn Control<B>>,
    tracer: &Tracer,
) -> Result<impl Iterator<Item = Place<B>> + use<B>, ControlError> {
    let uar = Arc::new(Uar::take(control, Mapping::WriteCombining, tracer)?);
    Ok((0..REGISTERS_PER_PAGE).map(move |number| Place {
        uar: Arc::clone(&uar),
        offset: BLUEFLAME as usize + number * BLUEFLAME_REGISTER_SIZE as usize,
    }))
}

/// libmlx5's part of a thread domain (`struct mlx5_td`): a register for all its queue pairs.
struct Mlx5ThreadDomain<B: Bus> {
    context: Arc<Context>,
    place: Place<B>,
    /// It is one of a page of its own, and goes back to the others.
    own: bool,
}

impl<B: Bus> Drop for Mlx5ThreadDomain<B> {
    fn drop(&mut self) {
        if self.own {
            let registers = &Mlx5Context::<B>::of(&self.context).registers;
            registers.lists().domains.push_back(self.place.clone());
        }
    }
}

// ANCHOR: alloc_td
/// Takes a register for a thread (`mlx5_alloc_td`). These are beside the dedicated ones and not
/// counted with them.
pub fn alloc_td<B: Bus>(context: &Arc<Context>) -> Result<verbs::ThreadDomain, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(context);
    probe!(*context.tracer(), call("ibv_alloc_td", []));
    let own = mlx5.control.has_blueflame();
    let place = if own {
        let mut lists = mlx5.registers.lists();
        if lists.domains.is_empty() {
            lists.domains.extend(new_page(&mlx5.control, context.tracer())?);
        }
        lists.domains.pop_front().expect("a page has registers")
    } else {
        Place { uar: Arc::clone(&mlx5.uar), offset: BLUEFLAME as usize }
    };
    let offset = place.register().offset();
    let (page, context) = (place.uar.index, Arc::clone(context));
    probe!(*context.tracer(), returned("ibv_alloc_td", format!("page {page}, {offset:#x}")));
    let part = Mlx5ThreadDomain::<B> { context: Arc::clone(&context), place, own };
    Ok(verbs::ThreadDomain::new(&context, part))
}
// ANCHOR_END: alloc_td

/// The register of a thread domain, for a queue pair of it. Each queue pair takes turns between the
/// two buffers by itself; that a post ends with a flush keeps those of one thread apart.
pub fn of_thread<B: Bus>(domain: &Arc<verbs::ThreadDomain>) -> Register<B> {
    let own = domain.provider::<Mlx5ThreadDomain<B>>();
    let place = own.expect("a context's table is of its own provider").place.clone();
    Register { place, sharing: Sharing::Thread }
}
