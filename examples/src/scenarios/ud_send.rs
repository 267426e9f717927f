//! `ud-send`: one datagram.

use super::{Scenario, Topic};
use crate::pair::{QUEUE_KEY, wait_for};
use crate::start::use_blocks;
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, Opcode, Operands, ReceiveRequest, SendRequest, Transport, post_recv, post_send,
};

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
    keys: &[Key::Inline, Key::BlueFlame, Key::Register, Key::Start, Key::Signature],
    failure: None,
    run,
};

/// Bytes in front of the data of a datagram: the GRH, or with RoCE v2 over IPv4 that header in their end.
const HEADER: usize = 40;

// ANCHOR: ud_send
/// Addresses the receiver, sends, and looks who it came from.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let message = settings.message();
    let source = pair.memory("source", &message, Access::empty())?;
    let target = pair.memory("target", &vec![0; HEADER + message.len()], Access::LOCAL_WRITE)?;
    let handle = pair.pd.create_ah(&context.query_gid()?)?;
    let operands = Operands::Datagram {
        handle: &handle,
        remote_qpn: pair.receiver.number(),
        remote_qkey: QUEUE_KEY.0,
    };
    // Nobody has posted a receive: these are lost, and only their blocks count.
    let opcode = Opcode::Send;
    use_blocks(&pair, settings, SendRequest { opcode, operands, ..SendRequest::default() })?;

    let room = [target.element(0, (HEADER + message.len()) as u32)];
    post_recv(&pair.receiver, &[ReceiveRequest { wr_id: 101, sg_list: &room }])?;
    post_send(
        &pair.sender,
        &[SendRequest {
            wr_id: 1,
            sg_list: &[source.element(0, settings.length)],
            opcode: settings.opcode,
            send_flags: settings.flags(0),
            immediate: 0x1001,
            operands,
            ..SendRequest::default()
        }],
    )?;
    wait_for(&pair.send_cq, &context)?;

    let received = wait_for(&pair.recv_cq, &context)?;
    let from = received.arrival.src_qp;
    let arrived = target.buffer().read(HEADER, message.len());
    if from != pair.sender.number() || arrived.as_deref() != Some(&message[..]) {
        return Err(ExampleError::NotArrived("the datagram is not the one that was sent"));
    }
    Ok(vec![format!(
        "{} bytes came from queue pair {from:#x}, behind {HEADER} bytes of header",
        message.len()
    )])
}
// ANCHOR_END: ud_send
