//! `rc-window`: a part of a region, shown to the other side for one exchange.

use super::{Scenario, Topic, keys};
use crate::pair::{ACCESS, expect_arrived, wait_for};
use crate::posting::post;
use crate::start::use_blocks_of;
use crate::{Api, ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, Bind, Completed, End, MemoryRegion, MemoryWindow, Opcode, Operands, ReceiveRequest,
    RemoteAddress, SendFlags, SendRequest, WindowKind, WindowPart, post_recv, post_send, wr_start,
};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-window",
    title: "A memory window, opened and closed by the other side",
    topic: Topic::Opcodes,
    summary: "BIND_MW opens a window of type 2 onto a part of a region, the other side writes through its key, \
              and SEND with invalidate closes it again.",
    own: Settings { opcode: Opcode::BindMemoryWindow, ..Settings::DEFAULT },
    keys: keys::WINDOW_TYPE_TWO,
    failure: None,
    run,
};

/// What is in front of the part that the window shows: it stays out of reach.
const OUT_OF_REACH: usize = 64;

// ANCHOR: window_run
/// Opens a window, writes through it, closes it, and opens it once more to close it from this side.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    use_blocks_of((&pair.receiver, &pair.recv_cq), &pair, settings, SendRequest::default())?;
    let message = settings.message();
    let source = pair.memory("source", &message, Access::empty())?;
    let region = pair.memory(
        "region with a window",
        &vec![0; OUT_OF_REACH + message.len()],
        Access::LOCAL_WRITE | Access::MW_BIND,
    )?;
    let window = pair.pd.alloc_mw(WindowKind::Two)?;
    post_recv(&pair.receiver, &[ReceiveRequest { wr_id: 101, sg_list: &[] }])?;

    open(&pair, &region, &window, Rights::Write, settings)?;
    let key = window.rkey();
    write_and_close(&pair, &source, &region, &window, settings)?;
    let shown = region.buffer().read(OUT_OF_REACH, message.len());
    if shown.as_deref() != Some(&message[..]) {
        return Err(ExampleError::NotArrived("the window shows other bytes"));
    }
    expect_arrived(&source, &message, &world.tracer)?;

    open(&pair, &region, &window, Rights::All, settings)?;
    close(&pair, &window, settings)?;
    Ok(vec![format!(
        "{} bytes came through the window with key {key:#x}, which was closed by the other side, and a second \
         one by this side",
        message.len()
    )])
}
// ANCHOR_END: window_run

/// What a window allows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// To be written, at the addresses of its region.
    Write,
    /// Everything; in a list at addresses from zero, which a batch cannot ask for here.
    All,
}

impl Rights {
    fn access(self) -> Access {
        match self {
            Self::Write => Access::REMOTE_WRITE,
            Self::All => ACCESS,
        }
    }
}

// ANCHOR: window_open
/// The receiver opens the window, with a new key.
fn open(
    pair: &Pair,
    region: &MemoryRegion,
    window: &MemoryWindow,
    rights: Rights,
    settings: &Settings,
) -> Result<(), ExampleError> {
    let bind = Bind {
        window: window.kind(),
        key: window.rkey(),
        new_key: window.next_rkey(),
        lkey: region.lkey(),
        address: region.buffer().address() + OUT_OF_REACH as u64,
        length: settings.length.into(),
        access: rights.access(),
        zero_based: rights == Rights::All,
    };
    let number_and_flags = (201, SendFlags::SIGNALED);
    match settings.api {
        Api::List => post_send(
            &pair.receiver,
            &[SendRequest {
                wr_id: number_and_flags.0,
                opcode: Opcode::BindMemoryWindow,
                send_flags: number_and_flags.1,
                operands: Operands::Bind(&bind),
                ..SendRequest::default()
            }],
        )?,
        Api::Batch => wr_start(&pair.receiver, |batch| {
            let Bind { address, length, access, .. } = bind;
            (batch.wr_id, batch.wr_flags) = number_and_flags;
            batch.bind_mw(window, bind.new_key, &WindowPart { region, address, length, access });
            End::Complete
        })?,
    }
    expect(wait_for(&pair.recv_cq, &pair.context)?.opcode, Completed::BindMemoryWindow)?;
    window.bound(bind.new_key);
    Ok(())
}
// ANCHOR_END: window_open

// ANCHOR: window_use
/// The sender writes through the window and closes it: two work requests, one doorbell.
fn write_and_close(
    pair: &Pair,
    source: &MemoryRegion,
    region: &MemoryRegion,
    window: &MemoryWindow,
    settings: &Settings,
) -> Result<(), ExampleError> {
    let address = region.buffer().address() + OUT_OF_REACH as u64;
    let data = [source.element(0, settings.length)];
    let write = SendRequest {
        wr_id: 1,
        sg_list: &data,
        opcode: Opcode::RdmaWrite,
        remote: RemoteAddress { address, rkey: window.rkey() },
        ..SendRequest::default()
    };
    let close = SendRequest {
        wr_id: 2,
        opcode: Opcode::SendWithInvalidate,
        send_flags: SendFlags::SIGNALED,
        immediate: window.rkey(),
        ..SendRequest::default()
    };
    post(&pair.sender, settings, &[write, close])?;
    wait_for(&pair.send_cq, &pair.context)?;
    let received = wait_for(&pair.recv_cq, &pair.context)?;
    match received.arrival.invalidated == Some(window.rkey()) {
        true => Ok(()),
        false => Err(ExampleError::NotArrived("the receive names no invalidated key")),
    }
}

/// The receiver closes the window itself. What is posted right behind an invalidation waits for it: the
/// control segment of the empty RDMA WRITE has the small fence.
fn close(pair: &Pair, window: &MemoryWindow, settings: &Settings) -> Result<(), ExampleError> {
    let invalidate = SendRequest {
        wr_id: 202,
        opcode: Opcode::LocalInvalidate,
        send_flags: SendFlags::SIGNALED,
        immediate: window.rkey(),
        ..SendRequest::default()
    };
    let behind =
        SendRequest { wr_id: 203, send_flags: SendFlags::SIGNALED, ..SendRequest::default() };
    post(&pair.receiver, settings, &[invalidate, behind])?;
    expect(wait_for(&pair.recv_cq, &pair.context)?.opcode, Completed::LocalInvalidate)?;
    expect(wait_for(&pair.recv_cq, &pair.context)?.opcode, Completed::RdmaWrite)
}
// ANCHOR_END: window_use

/// A completion tells of what was asked for.
fn expect(told: Completed, asked: Completed) -> Result<(), ExampleError> {
    match told == asked {
        true => Ok(()),
        false => Err(ExampleError::NotArrived("a completion tells of something else")),
    }
}
