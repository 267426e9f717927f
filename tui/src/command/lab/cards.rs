//! The cards of a lab's guests: software cards, each served on a socket that only this user may
//! connect to, for as long as the lab runs.

use super::options::Shared;
use doorbell_card::CardConfig;
use doorbell_card_server::{Fabric, Options as ServerOptions, Serving, serve};
use doorbell_lab::guest::folder::{self, Held};
use doorbell_lab::guest::qemu::Share;
use doorbell_lab::{LabError, Options};
use doorbell_tracer::Tracer;
use std::path::PathBuf;
use std::time::Duration;

/// The cards, served until this is dropped.
pub(super) struct Cards {
    /// The sockets of each guest's cards.
    sockets: Vec<Vec<PathBuf>>,
    /// Dropped before the folder of their sockets.
    _servers: Vec<Serving>,
    _folder: Option<Held>,
}

impl Cards {
    /// Serves a card for each guest, on one network; or takes those that are served already, of which each guest
    /// gets every `guests`-th.
    ///
    /// With a tracer every card tells what it sees and does.
    pub(super) fn start(options: &Shared, tracer: Option<&Tracer>) -> Result<Self, LabError> {
        let guests = usize::from(options.guests);
        if !options.card_socket.is_empty() {
            let of =
                |guest| options.card_socket.iter().skip(guest).step_by(guests).cloned().collect();
            return Ok(Self {
                sockets: (0..guests).map(of).collect(),
                _servers: Vec::new(),
                _folder: None,
            });
        }
        let folder = folder::sockets()?;
        let fabric = (guests > 1).then(Fabric::default);
        let sockets = |guest| folder.path().join(format!("card{guest}.sock"));
        let start = |guest: u8| {
            let mut server = ServerOptions::new(sockets(guest), card(guest));
            server.fabric = fabric.clone();
            server.registers = options.access(tracer.is_some());
            if let Some(tracer) = tracer {
                server.tracer = tracer.clone();
            }
            serve(server).map_err(|error| LabError::Card(Box::new(error)))
        };
        let servers = (0..options.guests).map(start).collect::<Result<_, _>>()?;
        let sockets = (0..options.guests).map(|guest| vec![sockets(guest)]).collect();
        Ok(Self { sockets, _servers: servers, _folder: Some(folder) })
    }

    /// What one guest is to be.
    pub(super) fn guest(
        &self,
        options: &Shared,
        guest: usize,
        timeout: u64,
    ) -> Result<Options, LabError> {
        let mut programs = options.program.clone();
        let this = std::env::current_exe();
        programs.extend(this.ok().filter(|this| this.file_name().is_some_and(|n| n == "doorbell")));
        Ok(Options {
            memory: options.memory,
            processors: options.processors,
            cards: self.sockets.get(guest).cloned().unwrap_or_default(),
            has_drivers: !options.no_drivers,
            has_iommu: options.iommu,
            share: share(options)?,
            programs,
            timeout: Duration::from_secs(timeout),
        })
    }
}

/// The card of a guest: no two have the same address.
fn card(guest: u8) -> CardConfig {
    let plain = CardConfig::infiniband(u16::from(guest) + 1);
    let apart = u64::from(guest) << 8;
    CardConfig { node_guid: plain.node_guid + apart, port_guid: plain.port_guid + apart, ..plain }
}

/// The folder to share; QEMU takes no relative names.
fn share(options: &Shared) -> Result<Option<Share>, LabError> {
    let (folder, is_writable) = match (&options.share, &options.share_rw) {
        (Some(folder), _) => (folder, false),
        (None, Some(folder)) => (folder, true),
        (None, None) => return Ok(None),
    };
    let whole = folder.canonicalize().map_err(|_| LabError::BadShare(folder.clone()))?;
    Ok(Some(Share { folder: whole, is_writable }))
}
