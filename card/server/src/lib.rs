//! The software ConnectX as a PCI device of a virtual machine, over vfio-user.
//!
//! `doorbell-card` is a passive state machine: registers in, DMA and interrupts out. This crate
//! puts it at the other end of a UNIX socket at which QEMU's `vfio-user-pci` device (or any other
//! vfio-user client) finds a PCI function: configuration space, BAR 0, MSI-X, reset. The guest's
//! own `mlx5_core` then drives it.
//!
//! ```text
//!   server.rs      the socket, one guest after the other, and the two threads
//!   device.rs      what the client asks of a PCI device        ---+
//!   config_space.rs   configuration space: identity, capabilities |
//!   bar.rs            BAR 0: what is trapped, what is mapped      |
//!   registers.rs      register writes on their way to the card,   |
//!   combining.rs         gathered as in a CPU's buffer            |
//!   worker.rs      the thread that lets the card work, and     ---+--- machine.rs: card and host
//!   schedule.rs       how it asks to be run soon                  |
//!   guest_memory.rs   DMA: the guest's memory, mapped here        |    under one lock
//!   interrupts.rs     MSI-X: one eventfd for each vector       ---+
//!   fabric.rs      the network between the cards of one process
//! ```
//!
//! # Doorbells that tell nobody
//!
//! A write to a trapped register is a message over the socket. The UAR pages are therefore mapped
//! into the guest ([`RegisterAccess::Mapped`]): a doorbell is then a store into memory that costs
//! the guest nothing and tells nobody. The worker lets the card look at its doorbell records over
//! and over, less and less often while nothing happens. The first UAR page stays trapped: it is
//! the one that an operating system takes for its event queues, which have no records. With
//! [`RegisterAccess::Trapped`] every register write is seen as it happens, and a trace shows it.
//!
//! # BlueFlame
//!
//! A WQE that is copied to a BlueFlame register reaches a real card as one burst, because the CPU
//! combines the stores. Trapped stores come one by one, and this crate combines them as the CPU
//! would. Stores into mapped pages are not seen at all: there the card always fetches the WQE, and
//! the kernel, which tries it out, finds that write combining does not work.
//!
//! # Whom it trusts
//!
//! Whoever can connect owns the card: the socket has mode 0600 and must lie in a folder that only
//! its owner can enter. What the client sends never makes the server panic or touch memory that
//! was not mapped for it; but a client that shrinks the files behind its memory while they are
//! mapped ends the server with SIGBUS, as it would end any other process that maps them.
//!
//! ```no_run
//! use doorbell_card::CardConfig;
//! use doorbell_card_server::{Options, serve};
//!
//! let serving = serve(Options::new("/run/user/1000/doorbell/card.sock", CardConfig::infiniband(1)))?;
//! // qemu-system-x86_64 -object memory-backend-memfd,id=m0,size=1G,share=on -M q35,memory-backend=m0 \
//! //   -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/run/user/1000/doorbell/card.sock"}}'
//! serving.wait_for_guests(1);
//! serving.stop()?;
//! # Ok::<(), doorbell_card_server::ServeError>(())
//! ```

mod server;

mod device;

mod config_space;

mod bar;

mod registers;

mod combining;

mod machine;

mod fabric;

mod worker;

mod schedule;

mod guest_memory;

mod interrupts;

mod error;

pub use bar::RegisterAccess;
pub use error::ServeError;
pub use fabric::Fabric;
pub use server::{Options, Serving, serve};
