//! `rc-window-type1` and `uc-window`: windows that are closed by their own side, each in its way.

use super::{Scenario, Topic, keys};
use crate::pair::wait_for;
use crate::start::use_blocks_of;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, MemoryRegion, MemoryWindow, Opcode, Operands, ReceiveRequest, RemoteAddress, SendFlags,
    SendRequest, Transport, WindowKind, WindowPart, bind_mw, post_recv, post_send,
};

/// A window of type 1, on a reliable connection.
pub const TYPE_ONE: Scenario = Scenario {
    name: "rc-window-type1",
    title: "A memory window of type 1",
    topic: Topic::Opcodes,
    summary: "ibv_bind_mw opens a window that serves every queue pair of its protection domain, and closes it by \
              binding nothing.",
    own: Settings { opcode: Opcode::BindMemoryWindow, ..Settings::DEFAULT },
    keys: keys::WINDOW,
    failure: None,
    run,
};

/// One of type 2, on an unreliable connection.
pub const UNRELIABLE: Scenario = Scenario {
    name: "uc-window",
    title: "A memory window on an unreliable connection",
    topic: Topic::Opcodes,
    summary: "BIND_MW and LOCAL_INV concern this side only, and so they need no answer: an unreliable connection \
              has them, too.",
    own: Settings { transport: Transport::UnreliableConnection, ..TYPE_ONE.own },
    keys: TYPE_ONE.keys,
    failure: None,
    run,
};

/// Number of the receive.
const RECEIVE: u64 = 101;

// ANCHOR: window_kinds
/// Opens a window, has the other side write through it, and closes it. The type says how: one of type 1 is
/// bound to nothing, one of type 2 invalidated.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    use_blocks_of((&pair.receiver, &pair.recv_cq), &pair, settings, SendRequest::default())?;
    let message = settings.message();
    let source = pair.memory("source", &message, Access::empty())?;
    let access = Access::LOCAL_WRITE | Access::MW_BIND;
    let region = pair.memory("region with a window", &vec![0; message.len()], access)?;
    let kind = match settings.transport {
        Transport::ReliableConnection => WindowKind::One,
        _ => WindowKind::Two,
    };
    let window = pair.pd.alloc_mw(kind)?;
    post_recv(&pair.receiver, &[ReceiveRequest { wr_id: RECEIVE, sg_list: &[] }])?;

    bind(&pair, &window, &region, settings.length)?;
    let key = window.rkey();
    write(&pair, &source, &region, key)?;
    let shown = region.buffer().read(0, message.len());
    if shown.as_deref() != Some(&message[..]) {
        return Err(ExampleError::NotArrived("the window shows other bytes"));
    }
    match kind {
        WindowKind::One => bind(&pair, &window, &region, 0)?,
        WindowKind::Two => invalidate(&pair, &window)?,
    }
    Ok(vec![format!("{} bytes came through the window with key {key:#x}", message.len())])
}

/// Binds the window to the first bytes of the region; to none of them, and it is closed.
fn bind(
    pair: &Pair,
    window: &MemoryWindow,
    region: &MemoryRegion,
    length: u32,
) -> Result<(), ExampleError> {
    let address = region.buffer().address();
    let part = WindowPart { region, address, length: length.into(), access: Access::REMOTE_WRITE };
    if window.kind() == WindowKind::One {
        bind_mw(&pair.receiver, window, (201, SendFlags::SIGNALED), &part)?;
        wait_for(&pair.recv_cq, &pair.context)?;
        return Ok(());
    }
    let bind = part.bind(window, window.next_rkey());
    post_send(
        &pair.receiver,
        &[SendRequest {
            wr_id: 201,
            opcode: Opcode::BindMemoryWindow,
            send_flags: SendFlags::SIGNALED,
            operands: Operands::Bind(&bind),
            ..SendRequest::default()
        }],
    )?;
    wait_for(&pair.recv_cq, &pair.context)?;
    window.bound(bind.new_key);
    Ok(())
}

/// The other side writes; the immediate data tells the owner of the window when it is done.
fn write(
    pair: &Pair,
    source: &MemoryRegion,
    region: &MemoryRegion,
    rkey: u32,
) -> Result<(), ExampleError> {
    let data = [source.element(0, region.buffer().length() as u32)];
    post_send(
        &pair.sender,
        &[SendRequest {
            wr_id: 1,
            sg_list: &data,
            opcode: Opcode::RdmaWriteWithImmediate,
            send_flags: SendFlags::SIGNALED,
            immediate: rkey,
            remote: RemoteAddress { address: region.buffer().address(), rkey },
            ..SendRequest::default()
        }],
    )?;
    wait_for(&pair.send_cq, &pair.context)?;
    match wait_for(&pair.recv_cq, &pair.context)?.wr_id {
        RECEIVE => Ok(()),
        _ => Err(ExampleError::NotArrived("a completion tells of something else")),
    }
}

/// Closes a window of type 2 from this side.
fn invalidate(pair: &Pair, window: &MemoryWindow) -> Result<(), ExampleError> {
    post_send(
        &pair.receiver,
        &[SendRequest {
            wr_id: 202,
            opcode: Opcode::LocalInvalidate,
            send_flags: SendFlags::SIGNALED,
            immediate: window.rkey(),
            ..SendRequest::default()
        }],
    )?;
    wait_for(&pair.recv_cq, &pair.context)?;
    Ok(())
}
// ANCHOR_END: window_kinds
