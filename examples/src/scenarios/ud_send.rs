//! `ud-send`: one datagram.

use super::{Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::pair::QUEUE_KEY;
use crate::start::use_blocks;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{Opcode, Operands, SendRequest, Transport};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "ud-send",
    title: "One datagram",
    topic: Topic::Opcodes,
    summary: "The WQE says whom it is for: the address handle's vector, a queue pair number and a queue key. \
              The receiver finds 40 bytes for the network header in front of the data.",
    own: Settings {
        transport: Transport::UnreliableDatagram,
        opcode: Opcode::Send,
        ..Settings::DEFAULT
    },
    keys: keys::DATAGRAMS,
    failure: None,
    run,
};

// ANCHOR: ud_send
/// Addresses the receiver, sends, and looks who it came from.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let handle = pair.pd.create_ah(&context.query_gid()?)?;
    let way = Operands::Datagram {
        handle: &handle,
        remote_qpn: pair.receiver.number(),
        remote_qkey: QUEUE_KEY.0,
    };
    // Nobody has posted a receive: these are lost, and only their blocks count.
    let lost = SendRequest { opcode: Opcode::Send, operands: way, ..SendRequest::default() };
    use_blocks(&pair, settings, lost)?;
    Exchange::of_datagrams(&pair, *settings, way)?.run(&world.tracer)
}
// ANCHOR_END: ud_send
