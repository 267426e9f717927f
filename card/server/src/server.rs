//! The socket, and the guests that come to it one after the other.

use crate::bar::{RegisterAccess, register_memory};
use crate::device::{Device, interrupts, regions};
use crate::error::{ServeError, doing};
use crate::fabric::Fabric;
use crate::machine::Machine;
use crate::registers::Registers;
use crate::schedule::ask_for_short_slices;
use crate::worker;
use doorbell_card::{Card, CardConfig};
use doorbell_tracer::Tracer;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is served, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The path of the socket. Its folder is made with mode 0700 when it is not there.
    pub socket: PathBuf,
    /// What kind of card. [`CardConfig::mapped_uars`] and [`CardConfig::has_wire`] are set by
    /// the server.
    pub card: CardConfig,
    /// Who is told what the card does.
    pub tracer: Tracer,
    /// How doorbells reach the card.
    pub registers: RegisterAccess,
    /// The network that the card is on; without one it reaches only itself. No two cards of a network
    /// may have the same address.
    pub fabric: Option<Fabric>,
}

impl Options {
    /// Untraced, with mapped UAR pages, and on no network.
    pub fn new(socket: impl Into<PathBuf>, card: CardConfig) -> Self {
        let (tracer, registers) = (Tracer::off(), RegisterAccess::default());
        Self { socket: socket.into(), card, tracer, registers, fabric: None }
    }
}

/// A card that is being served. Dropping it stops the server as far as [`Serving::stop`] can.
pub struct Serving {
    machine: Arc<Machine>,
    guests: Arc<Guests>,
    socket: PathBuf,
    acceptor: Option<JoinHandle<()>>,
    worker: Option<JoinHandle<()>>,
}

/// How many guests came and went.
#[derive(Default)]
struct Guests {
    gone: Mutex<u64>,
    changed: Condvar,
}

/// How long [`Serving::stop`] waits for the threads.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// Serves a card at a UNIX socket, to one guest after the other, until told to stop.
///
/// Each guest finds the card as after power-on; one that is killed leaves nothing behind.
pub fn serve(options: Options) -> Result<Serving, ServeError> {
    let Options { socket, mut card, tracer, registers, fabric } = options;
    card.has_wire = fabric.is_some();
    card.mapped_uars = registers.mapped_pages(&card);
    let memory = register_memory(&card)?;
    let listener = listen(&socket)?;
    let machine = Arc::new(Machine::new(
        Card::new(card.clone(), tracer.clone()),
        Registers::new(registers, &tracer),
        fabric.as_ref(),
    ));
    let guests = Arc::new(Guests::default());
    let worker = {
        let machine = Arc::clone(&machine);
        let named = thread::Builder::new().name("doorbell-card".into());
        named.spawn(move || worker::work(&machine)).map_err(doing("start the card's thread"))?
    };
    let acceptor = {
        let (machine, guests) = (Arc::clone(&machine), Arc::clone(&guests));
        let named = thread::Builder::new().name("doorbell-vfio-user".into());
        let accept = move || accept(listener, &machine, &guests, &card, &memory);
        named.spawn(accept).map_err(doing("start the server's thread"))?
    };
    Ok(Serving { machine, guests, socket, acceptor: Some(acceptor), worker: Some(worker) })
}

/// A socket for its owner only.
fn listen(socket: &Path) -> Result<UnixListener, ServeError> {
    let folder = socket.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.ok_or_else(|| ServeError::NoFolder(socket.to_owned()))?;
    if !folder.exists() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).map_err(doing("make the socket's folder"))?;
    }
    let mode = fs::metadata(folder).map_err(doing("look at the socket's folder"))?;
    if mode.permissions().mode() & 0o077 != 0 {
        return Err(ServeError::OpenFolder(folder.to_owned()));
    }
    remove_stale(socket)?;
    let listener = UnixListener::bind(socket).map_err(doing("make the socket"))?;
    fs::set_permissions(socket, Permissions::from_mode(0o600))
        .map_err(doing("close the socket to others"))?;
    Ok(listener)
}

/// Removes the socket of a server that is gone.
fn remove_stale(socket: &Path) -> Result<(), ServeError> {
    let Ok(found) = fs::symlink_metadata(socket) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(ServeError::NotASocket(socket.to_owned()));
    }
    match UnixStream::connect(socket) {
        Ok(_) => Err(ServeError::InUse(socket.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(socket).map_err(doing("remove a socket that nobody serves"))
        }
        Err(error) => Err(doing("see whether somebody serves at the socket")(error)),
    }
}

/// Serves guests until the machine is told to stop.
fn accept(
    listener: UnixListener,
    machine: &Arc<Machine>,
    guests: &Guests,
    card: &CardConfig,
    memory: &OwnedFd,
) {
    let resettable = true;
    let server = vfio_user::Server::from_owned_fd(
        listener.into(),
        resettable,
        interrupts(),
        regions(card, memory),
    );
    ask_for_short_slices();
    while !machine.lock().stopped {
        let mut device = Device::new(Arc::clone(machine), card.clone());
        // The protocol's crate panics on some messages that are not well-formed. Such a client is
        // gone then, and the card is reset below.
        let session = catch_unwind(AssertUnwindSafe(|| server.run(&mut device)));
        machine.disconnect();
        *guests.gone.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        guests.changed.notify_all();
        if let Ok(Err(vfio_user::Error::SocketAccept(_))) = session {
            return;
        }
    }
}

impl Serving {
    /// Waits until `count` guests came and went, counted from the start.
    pub fn wait_for_guests(&self, count: u64) {
        let gone = self.guests.gone.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |gone: &mut u64| *gone < count;
        drop(self.guests.changed.wait_while(gone, waiting));
    }

    /// Lets the card stand still, as one whose firmware hangs: registers read as they were, commands
    /// and doorbells are taken and nothing is done. Software that watches its card finds out.
    ///
    /// [`Serving::thaw`], or the end of the guest, lets it go on.
    pub fn freeze(&self) {
        self.machine.lock_first().set_frozen(true);
    }

    /// Lets a card that stood still go on where it was.
    pub fn thaw(&self) {
        self.machine.lock_first().set_frozen(false);
        self.machine.news.notify_all();
    }

    /// Pulls the cable out of the card's port: it goes down, the guest is told by an event, and
    /// packets are lost. The cable stays out when a guest goes and another one comes.
    pub fn unplug(&self) {
        self.machine.lock_first().card.unplug();
        self.machine.news.notify_all();
    }

    /// Puts the cable in again: the port becomes active, and the guest is told.
    pub fn plug(&self) {
        self.machine.lock_first().card.plug();
        self.machine.news.notify_all();
    }

    /// Stops: takes no more guests, and removes the socket.
    ///
    /// A guest that still holds the connection is not cut off: [`ServeError::StillConnected`].
    pub fn stop(mut self) -> Result<(), ServeError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), ServeError> {
        self.machine.lock().stopped = true;
        self.machine.news.notify_all();
        // Wakes the thread that waits for a guest.
        let _ = UnixStream::connect(&self.socket);
        let _ = fs::remove_file(&self.socket);
        let deadline = Instant::now() + STOP_DEADLINE;
        for thread in [self.worker.take(), self.acceptor.take()].into_iter().flatten() {
            while !thread.is_finished() {
                if Instant::now() > deadline {
                    return Err(ServeError::StillConnected);
                }
                thread::sleep(Duration::from_millis(5));
            }
            let _ = thread.join();
        }
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.acceptor.is_some() {
            let _ = self.shut_down();
        }
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Serving").field("socket", &self.socket).finish_non_exhaustive()
    }
}
