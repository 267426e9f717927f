//! A trace of a million events: to open it, to go to its middle, to step there, and the memory
//! that it takes. `cargo bench -p doorbell-tracer --bench timeline [-- EVENTS]`.

use doorbell_tracer::file::{Limits, Loaded, Options, TraceFileError, open_with, write};
use doorbell_tracer::timeline::Cursor;
use doorbell_tracer::{
    Actor, Direction, Event, EventSource, Header, Kind, Region, RegionId, Role, TraceBuilder,
};
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// Events of one post, its card's work and its completion.
const POST: usize = 20;

/// A program that posts again and again on one queue pair.
struct Posts(usize);

impl EventSource for Posts {
    fn len(&self) -> usize {
        self.0
    }

    fn get(&self, index: usize) -> Option<Cow<'_, Event>> {
        let post = index / POST;
        let wqe = post * 64 % 16384;
        let kind = match index {
            0 => region(1, Role::SendQueue, 0x10_0000, 16384),
            1 => region(2, Role::CompletionQueue, 0x20_0000, 16384),
            2 => region(3, Role::DoorbellRecord, 0x30_0000, 64),
            3 => region(4, Role::Buffer, 0x40_0000, 1 << 20),
            4 => region(5, Role::UserAccessRegion, 0xf000_0000, 4096),
            _ => step(index % POST, post, wqe),
        };
        let sequence = index as u64;
        let actor = if (11..17).contains(&(index % POST)) { Actor::Card } else { Actor::Cpu(0) };
        Some(Cow::Owned(Event {
            sequence,
            time: sequence,
            actor,
            depth: 1,
            site: (index % POST) as u32,
            kind,
        }))
    }
}

fn region(number: u32, role: Role, address: u64, length: u64) -> Kind {
    Kind::Map(Box::new(Region {
        region: RegionId(number),
        role,
        name: format!("region {number}").into(),
        address,
        length,
        stride: 64,
        object: 0x41,
    }))
}

/// One event of a post.
fn step(step: usize, post: usize, wqe: usize) -> Kind {
    let queue = RegionId(1);
    let number = (post as u32).to_be_bytes();
    let buffer = 0x40_0000 + (post * 64 % (1 << 20)) as u64;
    match step {
        0 => Kind::call("ibv_post_send", [("qp", 0x41_u32.into())]),
        1 => Kind::dispatch("context.ops", "post_send", "mlx5::post_send"),
        2 => Kind::locked("sq.lock"),
        3 => Kind::store(queue, wqe, "control_segment", &[number; 4].concat()),
        4 => Kind::store(queue, wqe + 16, "remote_address_segment", &[number; 4].concat()),
        5 => Kind::store(queue, wqe + 32, "data_segment", &[number; 4].concat()),
        6 => Kind::index(queue, "sq.cur_post", post as u32),
        7 => Kind::barrier("before the record", ""),
        8 => Kind::store(RegionId(3), 4, "doorbell_record", &number),
        9 => Kind::barrier("before the register", "sfence"),
        10 => Kind::register_write(RegionId(5), 0x800, "BlueFlame", "wqe", &[number; 16].concat()),
        11 => Kind::dma(
            Direction::Read,
            0x10_0000 + wqe as u64,
            "WQE fetch",
            "wqe",
            &[number; 16].concat(),
        ),
        12 => Kind::dma(Direction::Read, buffer, "gather", "", &[number; 16].concat()),
        13 => Kind::packet(0x41, 0x42, "RC RDMA WRITE Only", post as u32, &[number; 30].concat()),
        14 => Kind::dma(Direction::Write, buffer, "scatter", "", &[number; 16].concat()),
        15 => Kind::packet(0x42, 0x41, "RC Acknowledge", post as u32, &[number; 16].concat()),
        16 => Kind::dma(
            Direction::Write,
            0x20_0000 + wqe as u64,
            "CQE",
            "cqe",
            &[number; 16].concat(),
        ),
        17 => Kind::load(RegionId(2), wqe + 63, "cqe", &number[3..]),
        18 => Kind::completion(post as u64, "success", []),
        _ => Kind::returned("ibv_post_send", 0_u32),
    }
}

fn header() -> Header {
    TraceBuilder::new("bench", "card", "posts", "logical", |_| None).finish().header
}

/// How long `run` takes, and what it gives.
fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = run();
    (start.elapsed(), result)
}

/// A line of /proc/self/status in MiB; `None` on other systems.
fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let found = status.lines().find_map(|text| text.strip_prefix(line))?;
    let kibibytes: u64 = found.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok()?;
    Some(kibibytes / 1024)
}

fn row(what: &str, value: impl std::fmt::Display) {
    println!("{what:44} {value}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let events: usize = wanted.unwrap_or(1_000_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("posts.trace");
    let output = File::create(&path)?;
    let (taken, result) = time(|| write(&header(), &Posts(events), output, &Options::default()));
    result?;
    row("events", events);
    row("size of the file, MiB", path.metadata()?.len() >> 20);
    row("to make and write it", format!("{taken:.2?}"));
    measure(&path, Limits::default(), "read again from the file")?;
    if let Some(peak) = memory("VmHWM") {
        row("peak memory until here, MiB", peak);
    }
    let all = Limits { memory: u64::MAX, ..Limits::default() };
    measure(&path, all, "kept in memory")?;
    if let Some(peak) = memory("VmHWM") {
        row("peak memory, MiB", peak);
    }
    Ok(())
}

/// Opens the file and moves in it.
fn measure(path: &Path, limits: Limits, how: &str) -> Result<(), TraceFileError> {
    println!("events {how}:");
    let (taken, opened) = time(|| open_with(path, limits, &mut |_| {}));
    let (loaded, _) = opened?;
    row("  to open", format!("{taken:.2?}"));
    if let Some(now) = memory("VmRSS") {
        row("  memory then, MiB", now);
    }
    let mut cursor = Cursor::new();
    let middle = loaded.len() / 2 + 77;
    jump(&loaded, &mut cursor, middle, "  to jump to the middle");
    jump(&loaded, &mut cursor, middle + 1, "  one step forward");
    jump(&loaded, &mut cursor, middle, "  one step back");
    jump(&loaded, &mut cursor, middle - 1, "  another step back");
    jump(&loaded, &mut cursor, 77, "  to jump to the beginning");
    jump(&loaded, &mut cursor, loaded.len() - 1, "  to jump to the end");
    Ok(())
}

fn jump(loaded: &Loaded, cursor: &mut Cursor, step: usize, what: &str) {
    let (taken, at) = time(|| cursor.go(Some(step), loaded.timeline(), loaded).step());
    assert_eq!(at, Some(step as u64), "the cursor came to its step");
    row(what, format!("{taken:.2?}"));
}
