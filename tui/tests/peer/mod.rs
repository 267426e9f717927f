//! Two programs that do the same in one guest: one in C on Debian's libibverbs and libmlx5, one on
//! this repository's driver.

#[path = "../common/lab.rs"]
mod common_lab;

pub use common_lab::boots_guests;
use doorbell_card::CardConfig;
use doorbell_card_server::{Options as ServerOptions, RegisterAccess, serve};
use doorbell_lab::accelerator::Choice;
use doorbell_lab::cache::Cache;
use doorbell_lab::guest::qemu::Share;
use doorbell_lab::guest::streams::Streams;
use doorbell_lab::{Lab, Options, Progress, Stop, setup};
use doorbell_tracer::Tracer;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The release of rdma-core that Debian trixie has, as the names of its libraries end.
const RDMA_CORE: &str = ".56.";

/// The libraries are those of Debian trixie's rdma-core, and nothing else.
pub fn are_debians<'a>(libraries: impl Iterator<Item = &'a str>) {
    let libraries: BTreeSet<&str> = libraries.collect();
    for name in
        ["/usr/lib/x86_64-linux-gnu/libibverbs.so.1.", "/usr/lib/x86_64-linux-gnu/libmlx5.so.1."]
    {
        let fits = |library: &&&str| library.starts_with(name) && library.contains(RDMA_CORE);
        assert_eq!(libraries.iter().filter(fits).count(), 1, "{name}: {libraries:?}");
    }
    assert_eq!(libraries.len(), 2, "{libraries:?}");
}

/// Compiles a program of this folder for the guest, where its own libraries are. `None`, and a line
/// that says so, on a machine without a C compiler or libibverbs' headers; in CI that is an error.
pub fn compile(name: &str, folder: &Path) -> Option<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer").join(format!("{name}.c"));
    let output = Command::new("gcc")
        .args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(folder.join(name))
        .arg(source)
        .args(["-libverbs", "-lmlx5"])
        .output();
    let why = match &output {
        Ok(output) if output.status.success() => return Some(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let is_missing = output.is_err() || why.contains("infiniband/");
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(is_missing && !is_ci, "gcc {name}.c: {why}");
    let _ = writeln!(io::stderr(), "skipped: needs gcc and libibverbs-dev: {why}");
    None
}

/// Builds an example of `doorbell-examples` and says where it is.
pub fn build(name: &str, arguments: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "-p", "doorbell-examples", "--example", name])
        .args(["--message-format", "json"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let (messages, said) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "cargo build --example {name}: {said}");
    let messages = String::from_utf8_lossy(messages);
    let of = |line: &str| Some(line.split("\"executable\":\"").nth(1)?.split('"').next()?.into());
    messages.lines().filter_map(of).next_back().expect("cargo names what it has built")
}

/// What a guest's script printed.
pub struct Said {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// Runs a script in a guest, with a folder at `/mnt/share` and programs of the host in its PATH. A
/// tracer sees every register write.
pub fn guest(
    with: &[&str],
    share: &Path,
    programs: &[PathBuf],
    tracer: &Tracer,
    script: &str,
) -> Said {
    let place = std::env::var_os("DOORBELL_LAB_CACHE").map(PathBuf::from);
    let cache = Cache::at(place.as_deref()).expect("a cache");
    let with = with.iter().map(|name| name.parse().expect("a name")).collect();
    let setup = setup::Options { with, ..setup::Options::default() };
    let stop = Stop::default();
    let mut progress = Progress::on_stderr();
    let lab = Lab::open(cache, &setup, false, Choice::Try, &stop, &mut progress);
    let lab = lab.unwrap_or_else(|error| panic!("{error}"));

    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("cards").join("card.sock");
    let mut card = ServerOptions::new(&socket, CardConfig::infiniband(1));
    card.tracer = tracer.clone();
    card.registers = RegisterAccess::Trapped;
    let _card = serve(card).expect("the card is served");
    let options = Options {
        cards: vec![socket],
        share: Some(Share { folder: share.to_path_buf(), is_writable: true }),
        programs: programs.to_vec(),
        timeout: Duration::from_secs(540),
        ..Options::default()
    };
    let (out, err) = (Kept::default(), Kept::default());
    let streams = Streams { out: Box::new(out.clone()), err: Box::new(err.clone()), input: None };
    let command: Vec<OsString> = ["sh", "-c", script].map(OsString::from).into();
    let code = lab.run(&options, &command, streams, &stop);
    let code = code.unwrap_or_else(|error| panic!("{error}\n{}\n{}", out.text(), err.text()));
    Said { code, out: out.text(), err: err.text() }
}

/// An output that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the C program of this name says through libmlx5, and what the twin's part says through this driver, in
/// one guest; nothing where guests are not booted, or there is no compiler.
#[allow(dead_code, reason = "some of the tests that take this module look closer")]
pub fn both(program: &str, part: &str) -> Option<(String, String)> {
    if !boots_guests() {
        return None;
    }
    let share = tempfile::tempdir().expect("a folder");
    compile(program, share.path())?;
    let ours = build("twin", &["--release"]);
    let script = format!(
        "set -e; cd /mnt/share\n\
         ./{program} mlx5_0 > /tmp/theirs; cp /tmp/theirs theirs\n\
         twin {part} mlx5_0 > /tmp/ours; cp /tmp/ours ours\n\
         ! dmesg | grep -E 'WARNING|BUG|refcount'"
    );
    let said = guest(&[], share.path(), &[ours], &Tracer::off(), &script);
    let read = |name: &str| std::fs::read_to_string(share.path().join(name)).unwrap_or_default();
    let (theirs, ours) = (read("theirs"), read("ours"));
    assert_eq!(said.code, 0, "{}\n{}\n{theirs}\n{ours}", said.out, said.err);
    are_debians(theirs.lines().filter_map(|line| line.strip_prefix("library ")));
    Some((theirs, ours))
}
