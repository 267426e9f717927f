//! Error CQEs that the software card made, printed as the programs that dump them do.
//!
//! Each printer is written after the print statement that it names; the values are those of the
//! run.
#![allow(dead_code)] // Each test binary uses a part.

use doorbell_driver::verbs::{
    Access, Opcode, ReceiveRequest, RemoteAddress, SendFlags, SendRequest, post_recv, post_send,
};
use doorbell_examples::{
    Device, ExampleError, Pair, Scenario, Settings, Topic, World, record, wait_for,
};
use doorbell_tracer::{Direction, Kind};
use std::fmt::Write;
use std::sync::LazyLock;

/// What the card wrote, and read, in one run.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub errors: Vec<Vec<u8>>,
    pub good: Vec<Vec<u8>>,
    pub wqes: Vec<Vec<u8>>,
    /// Commands: opcode, input, output.
    pub commands: Vec<(u16, Vec<u8>, Vec<u8>)>,
}

/// A program.
pub type Program = fn(&World, &Settings) -> Result<Vec<String>, ExampleError>;

/// Runs a program on the card and collects what crossed the bus.
pub fn made(run: Program) -> Made {
    let scenario = Scenario {
        name: "a-failure",
        title: "A failure",
        topic: Topic::Failures,
        summary: "",
        own: Settings::DEFAULT,
        keys: &[],
        failure: None,
        run,
    };
    let recording = record(&scenario, &Device::Card);
    let mut made = Made::default();
    let mut last: Option<(bool, Vec<u8>)> = None;
    for event in recording.trace.events {
        match event.kind {
            Kind::Dma { direction: Direction::Write, layout, bytes, .. } => {
                // The card writes the last byte of an entry on its own, behind the others.
                match (&*layout, bytes.len()) {
                    ("error_cqe", 63) => last = Some((true, bytes.to_vec())),
                    ("cqe", 63) => last = Some((false, bytes.to_vec())),
                    (_, 1) => {
                        let Some((is_error, mut entry)) = last.take() else { continue };
                        entry.extend_from_slice(&bytes);
                        if is_error { made.errors.push(entry) } else { made.good.push(entry) }
                    }
                    _ => {}
                }
            }
            Kind::RegisterWrite { bytes, layout, .. }
                if &*layout == "wqe_control_segment" && bytes.len() >= 64 =>
            {
                made.wqes.push(bytes.to_vec());
            }
            Kind::Command(command) => {
                let opcode = u16::from_be_bytes([command.input[0], command.input[1]]);
                made.commands.push((opcode, command.input.to_vec(), command.output.to_vec()));
            }
            _ => {}
        }
    }
    made
}

/// A WRITE, then two more behind it, with these changes to the keys.
fn write(world: &World, lkey: u32, rkey: u32) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::new(&context)?;
    let source = pair.memory("source", &[7; 64], Access::empty())?;
    let target = pair.memory("target", &[0; 64], Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;
    let mut element = source.element(0, 64);
    element.lkey ^= lkey;
    let remote = RemoteAddress { address: target.buffer().address(), rkey: target.rkey() ^ rkey };
    for wr_id in 1..=2 {
        post_send(
            &pair.sender,
            &[SendRequest {
                wr_id,
                sg_list: &[element],
                opcode: Opcode::RdmaWrite,
                send_flags: SendFlags::SIGNALED,
                remote,
                ..SendRequest::default()
            }],
        )?;
        // The first is to fail before the second is posted.
        drop(wait_for(&pair.send_cq, &context));
    }
    Ok(Vec::new())
}

/// An SEND that is longer than its receive.
fn long_send(world: &World, _: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::new(&context)?;
    let source = pair.memory("source", &[7; 64], Access::empty())?;
    let target = pair.memory("target", &[0; 16], Access::LOCAL_WRITE)?;
    post_recv(&pair.receiver, &[ReceiveRequest { wr_id: 2, sg_list: &[target.element(0, 16)] }])?;
    post_send(
        &pair.sender,
        &[SendRequest {
            wr_id: 1,
            sg_list: &[source.element(0, 64)],
            opcode: Opcode::Send,
            send_flags: SendFlags::SIGNALED,
            ..SendRequest::default()
        }],
    )?;
    drop(wait_for(&pair.send_cq, &context));
    drop(wait_for(&pair.recv_cq, &context));
    Ok(Vec::new())
}

/// What a wrong lkey made: a protection error, and a flush of what was posted behind.
pub static LKEY: LazyLock<Made> = LazyLock::new(|| made(|world, _| write(world, 0xf00, 0)));
/// What a wrong rkey made.
pub static RKEY: LazyLock<Made> = LazyLock::new(|| made(|world, _| write(world, 0, 0xf00)));
/// What a receive made that is too short: an error on either side.
pub static SHORT: LazyLock<Made> = LazyLock::new(|| made(long_send));

/// Every error CQE of the runs.
pub fn errors() -> Vec<Vec<u8>> {
    let all = [&LKEY.errors, &RKEY.errors, &SHORT.errors];
    all.into_iter().flatten().cloned().collect()
}

/// `print_hex_dump(level, prefix, DUMP_PREFIX_OFFSET, 16, 1, ...)` of the kernel.
pub fn print_hex_dump(bytes: &[u8], prefix: &str) -> String {
    let mut text = String::new();
    for (row, chunk) in (0..).zip(bytes.chunks(16)) {
        let hex: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{prefix}{:08x}: {}", row * 16, hex.join(" ")).expect("a string");
    }
    text
}

/// Words of 32 bits, four a line: `dump_cqe` of libmlx5, and of the kernel's first versions.
pub fn words(bytes: &[u8], prefix: &str) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(16) {
        let word = |word: &[u8]| word.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let words: Vec<_> = chunk.chunks(4).map(word).collect();
        writeln!(text, "{prefix}{}", words.join(" ")).expect("a string");
    }
    text
}

/// `rte_hexdump` of DPDK.
pub fn rte_hexdump(title: &str, bytes: &[u8]) -> String {
    let mut text = format!("{title} at [0x7f6a7d20c000], len={}\n", bytes.len());
    for (row, chunk) in (0..).zip(bytes.chunks(16)) {
        let hex: String = chunk.iter().map(|byte| format!(" {byte:02X}")).collect();
        let shown = |byte: &u8| if (32..127).contains(byte) { char::from(*byte) } else { '.' };
        let ascii: String = chunk.iter().map(shown).collect();
        writeln!(text, "{:08X}:{hex:<48} | {ascii}", row * 16).expect("a string");
    }
    text
}

/// Every way in which the kernel, libmlx5 and DPDK print a CQE: a name, and the text.
pub fn cqe_dumps(cqe: &[u8]) -> Vec<(&'static str, String)> {
    let (syndrome, vendor, opcode) = (cqe[55], cqe[54], cqe[63] >> 4);
    let time = "[  408.380187] ";
    let device = "infiniband mlx5_0: ";
    vec![
        (
            "kernel, words",
            format!("{time}{device}dump_cqe:263:(pid 0): dump error cqe\n{}", words(cqe, time)),
        ),
        (
            "kernel, bytes",
            format!(
                "{time}{device}dump_cqe:272:(pid 0): dump error cqe\n{}",
                print_hex_dump(cqe, time)
            ),
        ),
        (
            "kernel, with a status",
            format!(
                "{time}{device}mlx5_handle_error_cqe:332:(pid 0): WC error: 4, Message: some error\n\
                 {time}{device}dump_cqe:272:(pid 0): dump error cqe\n{}",
                print_hex_dump(cqe, time)
            ),
        ),
        (
            "kernel, with a prefix",
            format!(
                "Jul 10 11:07:44 server kernel: {device}dump_cqe:277:(pid 0): WC error: 6, Message: \
                 some error\n{}",
                print_hex_dump(cqe, "Jul 10 11:07:44 server kernel: cqe_dump: ")
            ),
        ),
        (
            "mlx5e",
            format!(
                "{time}mlx5_core 0000:3b:00.1 eth1: Error cqe on cqn 0x817, ci 0x8, qn 0x1dbb, \
                 opcode {opcode:#x}, syndrome {syndrome:#x}, vendor syndrome {vendor:#x}\n{}\
                 {time}mlx5_core 0000:3b:00.1 eth1: ERR CQE on SQ: 0x1dbb\n",
                print_hex_dump(cqe, time)
            ),
        ),
        ("libmlx5", format!("mlx5: node7: got completion with error:\n{}", words(cqe, ""))),
        (
            "libmlx5 on a page",
            format!("mlx5: node7: got completion with error:\n\n{}", words(cqe, ""))
                .replace('\n', "\n\n"),
        ),
        ("dpdk", rte_hexdump("MLX5 Error CQE:", cqe)),
        (
            "quoted in a mail",
            format!(
                "> > {device}dump_cqe:272:(pid 0): dump error cqe\n{}",
                print_hex_dump(cqe, "> > ")
            ),
        ),
    ]
}
