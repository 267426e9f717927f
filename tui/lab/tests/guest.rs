//! Guests that really boot. They need the network once, half a minute for the set-up and seconds
//! for each boot, so they run where `DOORBELL_LAB=1` says so and say that they were skipped where
//! it does not.

use doorbell_lab::accelerator::Choice;
use doorbell_lab::cache::Cache;
use doorbell_lab::guest::qemu::Share;
use doorbell_lab::guest::streams::Streams;
use doorbell_lab::{Lab, LabError, Options, Progress, Stop, setup};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many tests were skipped.
static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// The lab, or nothing where guests are not to be booted.
fn lab(with: &[&str]) -> Option<Lab> {
    if std::env::var_os("DOORBELL_LAB").is_none_or(|value| value != "1") {
        assert!(
            std::env::var_os("DOORBELL_LAB_REQUIRED").is_none(),
            "DOORBELL_LAB=1 is required here"
        );
        let skipped = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        let line = format!("skipped ({skipped} so far): guests boot with DOORBELL_LAB=1 only");
        let _ = writeln!(io::stderr(), "{line}");
        return None;
    }
    let place = std::env::var_os("DOORBELL_LAB_CACHE").map(PathBuf::from);
    let cache = Cache::at(place.as_deref()).expect("a cache");
    let with = with.iter().map(|name| name.parse().expect("a name")).collect();
    let setup = setup::Options { with, ..setup::Options::default() };
    let mut progress = Progress::on_stderr();
    let lab = Lab::open(cache, &setup, false, Choice::Try, &Stop::default(), &mut progress);
    Some(lab.unwrap_or_else(|error| panic!("{error}")))
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no panic").clone()
    }
    fn text(&self) -> String {
        String::from_utf8(self.bytes()).expect("text")
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

/// What a command did.
struct Did {
    code: Result<u8, LabError>,
    out: Kept,
    err: Kept,
}

fn run(lab: &Lab, options: &Options, command: &[&str], input: Option<Vec<u8>>) -> Did {
    let (out, err) = (Kept::default(), Kept::default());
    let input = input.map(|bytes| Box::new(io::Cursor::new(bytes)) as Box<dyn io::Read + Send>);
    let streams = Streams { out: Box::new(out.clone()), err: Box::new(err.clone()), input };
    let command: Vec<OsString> = command.iter().map(OsString::from).collect();
    let code = lab.run(options, &command, streams, &Stop::default());
    Did { code, out, err }
}

/// A guest without cards and drivers.
fn bare() -> Options {
    Options { has_drivers: false, ..Options::default() }
}

#[test]
fn the_kernel_is_the_packages_one() {
    let Some(lab) = lab(&[]) else { return };
    let did = run(&lab, &bare(), &["uname", "-r"], None);
    assert_eq!(did.code.expect("it ran"), 0);
    assert_eq!(did.out.text().trim(), lab.kernel());
    assert_eq!(did.err.text(), "");
}

#[test]
fn streams_are_apart_and_codes_pass() {
    let Some(lab) = lab(&[]) else { return };
    let script = "echo one; echo two >&2; echo three >/dev/stdout; echo four >/dev/stderr; exit 41";
    let did = run(&lab, &bare(), &["sh", "-c", script], None);
    assert_eq!(did.code.expect("it ran"), 41);
    assert_eq!((did.out.text().as_str(), did.err.text().as_str()), ("one\nthree\n", "two\nfour\n"));
    let did = run(&lab, &bare(), &["sh", "-c", "kill -9 $$"], None);
    assert_eq!(did.code.expect("it ran"), 128 + 9);
    let did = run(&lab, &bare(), &["no-such-program"], None);
    assert_eq!(did.code.expect("it ran"), 127);
    assert!(did.err.text().contains("no-such-program"));
}

#[test]
fn bytes_pass_both_ways_unchanged_and_whole() {
    let Some(lab) = lab(&[]) else { return };
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    let did = run(&lab, &bare(), &["tee", "/dev/stderr"], Some(bytes.clone()));
    assert_eq!(did.code.expect("it ran"), 0);
    assert!(did.out.bytes() == bytes, "standard output differs");
    assert!(did.err.bytes() == bytes, "standard error differs");
}

#[test]
fn words_pass_as_they_are() {
    let Some(lab) = lab(&[]) else { return };
    let did = run(&lab, &bare(), &["printf", "%s|", "", "a b", "'\"$HOME`", "\u{4e2d}\n"], None);
    assert_eq!(did.code.expect("it ran"), 0);
    assert_eq!(did.out.text(), "|a b|'\"$HOME`|\u{4e2d}\n|");
}

#[test]
fn a_command_that_takes_too_long_is_ended() {
    let Some(lab) = lab(&[]) else { return };
    let options = Options { timeout: Duration::from_secs(2), ..bare() };
    let start = Instant::now();
    let did = run(&lab, &options, &["sh", "-c", "echo begun; sleep 1000"], None);
    assert!(matches!(did.code, Err(LabError::Timeout(_))), "{:?}", did.code);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(did.out.text(), "begun\n");
}

#[test]
fn a_panic_and_a_power_off_are_told_apart() {
    let Some(lab) = lab(&[]) else { return };
    let panic = "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 100";
    let did = run(&lab, &bare(), &["sh", "-c", panic], None);
    let Err(LabError::Panic { said, logs }) = did.code else { panic!("{:?}", did.code) };
    assert!(said.contains("Kernel panic"), "{said}");
    assert!(logs.join("console.log").is_file());
    let did = run(&lab, &bare(), &["poweroff", "-f"], None);
    assert!(matches!(did.code, Err(LabError::PoweredOff { .. })), "{:?}", did.code);
}

#[test]
fn a_stop_ends_the_guest_at_once() {
    let Some(lab) = lab(&[]) else { return };
    let stop = Stop::default();
    let asked = stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        asked.ask();
    });
    let streams = Streams { out: Box::new(io::sink()), err: Box::new(io::sink()), input: None };
    let start = Instant::now();
    let ended = lab.run(&bare(), &["sleep".into(), "1000".into()], streams, &stop);
    assert!(matches!(ended, Err(LabError::Stopped)), "{ended:?}");
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_card_that_is_not_there_is_an_error_of_qemu() {
    let Some(lab) = lab(&[]) else { return };
    let options = Options { cards: vec!["/nonexistent/card.sock".into()], ..Options::default() };
    let did = run(&lab, &options, &["true"], None);
    let Err(LabError::QemuEnded { said, .. }) = did.code else { panic!("{:?}", did.code) };
    assert!(said.contains("/nonexistent/card.sock"), "{said}");
}

#[test]
fn a_folder_is_shared_to_read_or_to_write() {
    let Some(lab) = lab(&[]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("from"), "the host").expect("written");
    let share = |is_writable| Share { folder: folder.path().to_path_buf(), is_writable };
    let script = "cat /mnt/share/from; echo the guest > /mnt/share/to";
    let options = Options { share: Some(share(false)), ..bare() };
    let did = run(&lab, &options, &["sh", "-c", script], None);
    assert_eq!(did.out.text(), "the host");
    assert_ne!(did.code.expect("it ran"), 0);
    assert!(!folder.path().join("to").exists());
    let options = Options { share: Some(share(true)), ..bare() };
    let did = run(&lab, &options, &["sh", "-c", script], None);
    assert_eq!(did.code.expect("it ran"), 0, "{}", did.err.text());
    let written = std::fs::read_to_string(folder.path().join("to")).expect("written by the guest");
    assert_eq!(written, "the guest\n");
}

#[test]
fn two_guests_reach_each_other_and_begin_together() {
    let Some(lab) = lab(&[]) else { return };
    let kept = [Kept::default(), Kept::default()];
    let streams = kept.clone().map(|out| Streams {
        out: Box::new(out),
        err: Box::new(io::sink()),
        input: None,
    });
    let server: Vec<OsString> = ["nc", "-l", "-p", "99"].map(OsString::from).to_vec();
    let script = "until echo from guest$LAB_GUEST | nc $LAB_PEER 99; do sleep 0.1; done; exit 4";
    let client: Vec<OsString> = ["sh", "-c", script].map(OsString::from).to_vec();
    let options = bare();
    let stop = Stop::default();
    let codes = lab.run_pair([&options, &options], [&server, &client], streams, &stop);
    assert!(matches!(codes, [Ok(0), Ok(4)]), "{codes:?}");
    assert_eq!(kept[0].text(), "from guest1\n");
}

#[test]
fn any_module_of_the_kernel_can_be_loaded() {
    let Some(lab) = lab(&[]) else { return };
    let script = "modprobe nvme_rdma && modprobe vfio_pci && modprobe rdma_rxe && lsmod";
    let did = run(&lab, &bare(), &["sh", "-c", script], None);
    assert_eq!(did.code.expect("it ran"), 0, "{}", did.err.text());
    for module in ["nvme_rdma", "vfio_pci", "rdma_rxe", "ib_core"] {
        assert!(did.out.text().contains(module), "{module} in {}", did.out.text());
    }
}

#[test]
fn packages_can_be_added() {
    let Some(lab) = lab(&["strace"]) else { return };
    let did = run(&lab, &bare(), &["strace", "-e", "trace=write", "echo", "hello"], None);
    assert_eq!(did.code.expect("it ran"), 0, "{}", did.err.text());
    assert_eq!(did.out.text(), "hello\n");
    assert!(did.err.text().contains("write(1, \"hello\\n\", 6)"), "{}", did.err.text());
}

#[test]
fn a_program_of_the_host_runs_in_the_guest() {
    let Some(lab) = lab(&[]) else { return };
    let this = std::env::current_exe().expect("a path");
    let name = this.file_name().expect("a name").to_string_lossy().into_owned();
    let options = Options { programs: vec![this], ..bare() };
    let did = run(&lab, &options, &[&name, "--list"], None);
    assert_eq!(did.code.expect("it ran"), 0, "{}", did.err.text());
    assert!(did.out.text().contains("a_program_of_the_host_runs_in_the_guest"));
}
