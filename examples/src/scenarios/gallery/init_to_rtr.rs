//! `init-to-rtr`: a transition that the card refuses.

use super::super::{Failure, Scenario, Topic};
use crate::pair::ACCESS;
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::VerbsError;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "INIT to RTR refused",
    topic: Topic::Failures,
    summary: "The way to the other side names an entry of our own GID table that is empty. Packets would have no sender, and the queue pair stays in INIT.",
    own: Settings::DEFAULT,
    keys: &[Key::Mtu],
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "init-to-rtr",
    ends: "INIT to RTR refused by ibv_modify_qp",
    is: |error| matches!(error, ExampleError::Verbs(VerbsError::Control(_))),
    see: "ibv_modify_qp to IBV_QPS_RTR fails: with EINVAL or ENODATA from the kernel, with a bad parameter from the card. The queue pair stays in INIT, and nothing can be sent.",
    why: "RoCE knows its sides by their GIDs, and sgid_index says which of our own is the sender. An entry is there for each address and RoCE version of the network interface; a number that fits one machine may be empty on the next.",
    check: "ah_attr of the transition: sgid_index against /sys/class/infiniband/*/ports/*/gids and gid_attrs/types; dgid, of the same version and address family; is_global, which is 1 over Ethernet; port_num. And that the mask names every attribute that RTR needs.",
};

/// An entry of the GID table that is empty, unless a port has very many addresses.
const EMPTY: u8 = 15;

// ANCHOR: init_to_rtr
/// Asks for RTR with a source that is not there.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::unconnected(&context, settings)?;
    pair.sender.init(ACCESS)?;
    let mut way = pair.way_to_receiver(settings)?;
    (way.address.global, way.address.source_gid_index) = (true, EMPTY);
    pair.sender.connect(&way)?;
    Ok(vec!["the queue pair is ready to receive".to_owned()])
}
// ANCHOR_END: init_to_rtr
