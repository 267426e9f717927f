//! Runnable programs, and the registry of scenarios that the terminal and the book share.
//!
//! A scenario is an ordinary program that uses the verbs: it finds a device, opens it, connects two
//! queue pairs, posts, polls. It is written to be read. What makes it a scenario is that it can be
//! run in three ways: by itself, recorded into a trace, or live, one event at a time.

mod device;
mod guest;
mod world;

mod settings;

mod pair;

mod start;

pub mod posting;

mod exchange;

mod scenarios;

mod run;
mod sources;
mod switches;
mod trace_options;
mod turns;

#[cfg(target_os = "linux")]
pub mod attach;

pub mod program;

pub mod devinfo;

pub mod atomics;

pub mod peer;

pub mod pingpong;

pub mod rdma;

pub mod nvmf;

pub mod words;

pub use device::{Device, UnknownDevice, WireOptionError, WiredCard};
pub use exchange::{Exchange, exchange};
pub use guest::{Guest, MachineError, NotTheLab};
pub use pair::{ExampleError, Pair, wait_for};
pub use run::{
    LiveRun, Outcome, Recording, record, record_in_lab, record_with, run, start, start_in_lab,
    start_with,
};
pub use scenarios::{
    Failure, IN_ACTS, LabScenario, NO_RECEIVE, Named, SILENT_PEER, Scenario, Topic,
    UnknownScenario, WRONG_LKEY, WRONG_RKEY, failure, lab_scenarios, named, scenario, scenarios,
};
pub use settings::{
    Api, BlueFlame, Form, Key, MAX_INLINE, Machine, Register, Settings, SettingsError, Value,
    WhatIf,
};
pub use sources::{source, sources};
pub use start::WORK_BEFORE;
pub use switches::{Switches, UnknownGroup};
pub use trace_options::{TraceOptions, Traced};
pub use world::World;

/// The tool and its version, as traces name it.
pub const TOOL: &str = concat!("doorbell ", env!("CARGO_PKG_VERSION"));
