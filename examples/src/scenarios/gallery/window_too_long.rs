//! `eopnotsupp-window`: EOPNOTSUPP, because a memory window would be too long.

use super::super::{Failure, Scenario, Topic};
use crate::{Api, ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, End, Opcode, PostCause, SendFlags, WindowKind, WindowPart, bind_mw, wr_start,
};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "EOPNOTSUPP: a window of more than 2 GiB",
    topic: Topic::Failures,
    summary: "A memory window shall show one byte more than 2 GiB. Its translation entry has 32 bits for the length.",
    own: Settings { opcode: Opcode::BindMemoryWindow, ..Settings::DEFAULT },
    keys: &[Key::Transport, Key::List, Key::Api, Key::Mtu],
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "eopnotsupp-window",
    ends: "EOPNOTSUPP of ibv_post_send (the window is too long)",
    is: |error| matches!(error.post_cause(), Some(PostCause::WindowTooLong)),
    see: "ibv_bind_mw, or ibv_post_send with IBV_WR_BIND_MW, returns EOPNOTSUPP (95) at once, whatever the region is. With api=batch it is ibv_wr_complete that returns it, and nothing of the batch is posted.",
    why: "The WQE carries one translation entry for the window, whose byte count can say 2 GiB and no more. libmlx5 looks at the length before it writes the segments; whether the region is that long it does not know.",
    check: "mw_bind.bind_info.length: at most 2147483648. A longer region needs several windows, each with a key of its own. And that the length is not the negative result of a subtraction.",
};

/// One byte too many.
const TOO_LONG: u64 = (1 << 31) + 1;

// ANCHOR: eopnotsupp_window
/// Binds a window that is too long. That its region is shorter does not matter any more.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let access = Access::LOCAL_WRITE | Access::MW_BIND;
    let region = pair.memory("region with a window", &settings.message(), access)?;
    let kind = if settings.api == Api::Batch { WindowKind::Two } else { WindowKind::One };
    let window = pair.pd.alloc_mw(kind)?;
    let part = WindowPart {
        region: &region,
        address: region.buffer().address(),
        length: TOO_LONG,
        access: Access::REMOTE_WRITE,
    };
    match settings.api {
        Api::List => bind_mw(&pair.sender, &window, (1, SendFlags::SIGNALED), &part)?,
        Api::Batch => wr_start(&pair.sender, |batch| {
            (0..settings.list).for_each(|_| batch.bind_mw(&window, window.next_rkey(), &part));
            End::Complete
        })?,
    }
    Ok(vec!["the window was bound".to_owned()])
}
// ANCHOR_END: eopnotsupp_window
