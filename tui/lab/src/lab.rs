//! The lab, set up: runs commands and shells in guests.

mod pair;
mod task;

use crate::accelerator::{Accelerator, Choice, find};
use crate::cache::Cache;
use crate::error::LabError;
use crate::guest::boot::{CONSOLE, Guest};
use crate::guest::cards::Watch;
use crate::guest::control::Message;
use crate::guest::folder::Folder;
use crate::guest::qemu::{Machine, Share, Wire};
use crate::guest::streams::{Pumps, Streams};
use crate::guest::terminal::{self, Raw};
use crate::image::layer;
use crate::process::Stop;
use crate::progress::Progress;
use crate::setup::{self, Sets, set_up};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use task::{Task, ports, settings};

/// The lab's packages, ready to boot.
#[derive(Debug)]
pub struct Lab {
    cache: Cache,
    sets: Sets,
    accelerator: Accelerator,
}

/// What a guest is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its memory, in MiB.
    pub memory: u32,
    /// How many processors it has.
    pub processors: u32,
    /// The vfio-user sockets of its cards; their servers must listen already.
    pub cards: Vec<PathBuf>,
    /// Whether the drivers are loaded.
    pub has_drivers: bool,
    /// Whether it has an IOMMU.
    pub has_iommu: bool,
    /// A folder of the host, at `/mnt/share`.
    pub share: Option<Share>,
    /// Programs of the host that its PATH gets.
    pub programs: Vec<PathBuf>,
    /// How long its command may take, once its drivers are loaded.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory: 1024,
            processors: 2,
            cards: Vec::new(),
            has_drivers: true,
            has_iommu: false,
            share: None,
            programs: Vec::new(),
            timeout: Duration::from_secs(600),
        }
    }
}

/// How long a guest may take to user space, translated on a busy machine.
const BOOT: Duration = Duration::from_secs(120);

/// How long with KVM, where it is only being tried.
const TRIAL: Duration = Duration::from_secs(12);

/// How long the drivers may take for all cards, in seconds: longer than the kernel waits for one
/// firmware command.
const DRIVERS: u64 = 90;

/// How long a guest whose command has ended may take to power off.
const POWER_OFF: Duration = Duration::from_secs(10);

impl Lab {
    /// Opens the lab; sets it up if it is not.
    pub fn open(
        cache: Cache,
        setup: &setup::Options,
        again: bool,
        choice: Choice,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<Self, LabError> {
        let sets = set_up(&cache, setup, again, stop, progress)?;
        let mut lab = Self { cache, sets, accelerator: Accelerator::Kvm };
        let base = lab.sets.stamp.hash.clone();
        let trial = || {
            progress.say("trying once whether KVM works here");
            lab.trial(stop)
        };
        lab.accelerator = find(choice, &lab.cache, &base, trial)?;
        Ok(lab)
    }

    /// How its guests run.
    pub fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// The release of its kernel.
    pub fn kernel(&self) -> &str {
        &self.sets.stamp.kernel
    }

    /// Boots a guest to user space and no further.
    fn trial(&self, stop: &Stop) -> Result<(), LabError> {
        let options = Options { has_drivers: false, ..Options::default() };
        let mut guest = self.start(&options, &Task::Serve, None, stop)?;
        guest.wait("boot", TRIAL, &mut || Ok(())).map(drop)
    }

    /// Runs a command in a guest; gives its exit code.
    pub fn run(
        &self,
        options: &Options,
        command: &[OsString],
        streams: Streams,
        stop: &Stop,
    ) -> Result<u8, LabError> {
        self.task(options, Task::Command(command, streams), None, stop)
    }

    /// A shell in a guest, on this terminal; gives its exit code.
    pub fn shell(&self, options: &Options, stop: &Stop) -> Result<u8, LabError> {
        self.task(options, Task::Shell, None, stop)
    }

    /// One guest, from its start to its end.
    fn task(
        &self,
        options: &Options,
        task: Task,
        wire: Option<&Wire>,
        stop: &Stop,
    ) -> Result<u8, LabError> {
        // Asked before the guest boots: the terminal is the first thing to fail.
        let raw = if matches!(task, Task::Shell) { Some(Raw::take()?) } else { None };
        let mut guest = self.start(options, &task, wire, stop)?;
        let mut pumps = Pumps::default();
        let deadline = match task {
            Task::Command(_, streams) => {
                pass_on(&mut guest, streams, &mut pumps);
                options.timeout
            }
            Task::Shell => {
                if let Some(stream) = guest.stream("console") {
                    if let Ok(keys) = stream.try_clone() {
                        terminal::keys(keys, stop.clone());
                    }
                    pumps.output(stream, Box::new(io::stdout()));
                }
                FOR_EVER
            }
            Task::Serve => FOR_EVER,
        };
        let mut watch = Watch::new(&options.cards);
        let mut check = || {
            watch.check()?;
            pumps.failure().map_or(Ok(()), |error| Err(LabError::Output(error)))
        };
        self.come_up(&mut guest, &mut check)?;
        let until = Instant::now() + deadline;
        let code = loop {
            let left = until.saturating_duration_since(Instant::now());
            match guest.wait("end its command", left, &mut check) {
                Ok(Message::Exit(code)) => break code,
                // A program in the guest may write to the port, too; only the end counts.
                Ok(_) => {}
                Err(LabError::Hang { .. }) => return Err(LabError::Timeout(deadline)),
                Err(error) => return Err(error),
            }
        };
        guest.finish(POWER_OFF);
        pumps.finish(stop)?;
        drop(raw);
        Ok(code)
    }

    /// Waits for user space and the drivers.
    fn come_up(
        &self,
        guest: &mut Guest,
        check: &mut dyn FnMut() -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        guest.wait("boot", BOOT, check)?;
        // mlx5_core itself gives a card that does not answer 120 s; the agent waits after that.
        let patience = Duration::from_secs(150 + DRIVERS);
        match guest.wait("load its drivers", patience, check)? {
            Message::DriversFailed(why) => Err(guest.drivers_failed(&why)),
            _ => Ok(()),
        }
    }

    fn start(
        &self,
        options: &Options,
        task: &Task,
        wire: Option<&Wire>,
        stop: &Stop,
    ) -> Result<Guest, LabError> {
        if let Some(share) = &options.share
            && !share.folder.is_dir()
        {
            return Err(LabError::BadShare(share.folder.clone()));
        }
        let folder = Folder::make(&self.cache)?;
        let command = if let Task::Command(command, _) = task { *command } else { &[] };
        layer::write(
            &folder.layer(),
            &settings(options, task, wire),
            command,
            &options.programs,
            stop,
        )?;
        let mut layers = vec![("run", folder.layer())];
        layers.extend(self.sets.with.clone().map(|with| ("with", with)));
        layers.push(("base", self.sets.tree.root().to_path_buf()));
        let (sockets, console) = (folder.sockets().to_path_buf(), folder.logs.join(CONSOLE));
        let machine = Machine {
            tree: &self.sets.tree,
            initramfs: &self.sets.initramfs,
            accelerator: self.accelerator,
            memory: options.memory,
            processors: options.processors,
            layers: &layers,
            cards: &options.cards,
            has_iommu: options.has_iommu,
            share: options.share.as_ref(),
            wire,
            sockets: &sockets,
            ports: ports(task),
            console: &console,
        };
        Guest::start(&machine, folder, stop)
    }
}

/// A deadline that does not come: a reader's shell ends when the reader says so.
const FOR_EVER: Duration = Duration::from_secs(1 << 40);

fn pass_on(guest: &mut Guest, streams: Streams, pumps: &mut Pumps) {
    let taken = (guest.stream("out"), guest.stream("err"), guest.stream("in"));
    if let (Some(out), Some(err), Some(input)) = taken {
        pumps.output(out, streams.out);
        pumps.output(err, streams.err);
        if let Some(from) = streams.input {
            pumps.input(from, input);
        }
    }
}
