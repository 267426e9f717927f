//! `rc-fetch-add` and `rc-compare-swap`: eight bytes of the other side, changed in one step.

use super::{Scenario, Topic};
use crate::pair::wait_for;
use crate::posting::post;
use crate::start::use_blocks;
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{
    Access, MemoryRegion, Opcode, Operands, RemoteAddress, SendFlags, SendRequest,
};

/// Adding.
pub const FETCH_AND_ADD: Scenario = Scenario {
    name: "rc-fetch-add",
    title: "One atomic fetch-and-add",
    topic: Topic::Opcodes,
    summary: "Adds 5 to eight bytes of the other side; what was there before comes back into the local buffer.",
    own: Settings { opcode: Opcode::AtomicFetchAndAdd, length: WORD as u32, ..Settings::DEFAULT },
    keys: &[Key::Fence, Key::BlueFlame, Key::Register, Key::Api, Key::Start, Key::Signature],
    failure: None,
    run,
};

/// Comparing and swapping.
pub const COMPARE_AND_SWAP: Scenario = Scenario {
    name: "rc-compare-swap",
    title: "One atomic compare-and-swap",
    topic: Topic::Opcodes,
    summary: "Stores a number in eight bytes of the other side if they hold what is expected; what was there \
              before comes back.",
    own: Settings { opcode: Opcode::AtomicCompareAndSwap, ..FETCH_AND_ADD.own },
    keys: FETCH_AND_ADD.keys,
    failure: None,
    run,
};

/// Bytes that an atomic operation works on.
const WORD: usize = 8;

/// What lies in the other side's memory at first, what is added, and what is stored instead.
const BEFORE: u64 = 100;
const ADDED: u64 = 5;
const SWAPPED: u64 = 0x5eed;

// ANCHOR: atomics
/// One operation, and a look at both sides.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    use_blocks(&pair, settings, SendRequest::default())?;
    let counter =
        pair.memory("counter", &BEFORE.to_ne_bytes(), Access::LOCAL_WRITE | Access::REMOTE_ATOMIC)?;
    let result = pair.memory("result", &[0; WORD], Access::LOCAL_WRITE)?;

    let (compare_add, after) = match settings.opcode {
        Opcode::AtomicCompareAndSwap => (BEFORE, SWAPPED),
        _ => (ADDED, BEFORE + ADDED),
    };
    post(
        &pair.sender,
        settings,
        &[SendRequest {
            wr_id: 1,
            sg_list: &[result.element(0, WORD as u32)],
            opcode: settings.opcode,
            send_flags: settings.flags(0) | SendFlags::SIGNALED,
            remote: RemoteAddress { address: counter.buffer().address(), rkey: counter.rkey() },
            operands: Operands::Atomic { compare_add, swap: SWAPPED },
            ..SendRequest::default()
        }],
    )?;
    wait_for(&pair.send_cq, &context)?;

    let (there, here) = (number(&counter), number(&result));
    if (there, here) != (after, BEFORE) {
        return Err(ExampleError::NotArrived("the numbers are not those of the operation"));
    }
    Ok(vec![format!("the counter was {here} and is {there}")])
}
// ANCHOR_END: atomics

/// The number in eight bytes of memory, in the order of this machine: the card brings results so.
fn number(memory: &MemoryRegion) -> u64 {
    let bytes = memory.buffer().read(0, WORD).unwrap_or_default();
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}
