//! What two processes send to each other, captured from the loopback interface: RoCE v2, from the IP
//! header that the system made to the CRC that the card has worked out.

mod processes;

use pcap_file::pcap::PcapReader;
use processes::{Sides, address};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// dumpcap, listening on the loopback interface until it has so many packets of this test.
struct Capture {
    child: Child,
    file: PathBuf,
}

/// The line of a test that is skipped; in CI that is an error.
fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing can be captured: {why}");
    println!("skipped: nothing can be captured: {why}; install tshark, and run as root");
}

impl Capture {
    /// `None`, and a line that says so, where nothing can be captured.
    fn of(packets: usize) -> Option<Self> {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = file.join(format!("wire-{}.pcap", std::process::id()));
        let filter = format!("udp port 4791 and host {}", address(1));
        let mut command = Command::new("dumpcap");
        command.args(["-q", "-P", "-i", "lo", "-f", &filter, "-a", "duration:100"]);
        command.args(["-c", &packets.to_string(), "-w"]).arg(&file);
        let mut child = match command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) => {
                skipped(&format!("dumpcap does not run: {error}"));
                return None;
            }
        };
        // It says which file it writes once it is listening.
        let mut words = String::new();
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        for line in lines.map_while(Result::ok) {
            if line.starts_with("File: ") {
                return Some(Self { child, file });
            }
            words.push_str(&line);
        }
        let _ = child.wait();
        skipped(&words);
        None
    }

    /// Every packet, from its Ethernet header on.
    fn packets(mut self) -> (PathBuf, Vec<Vec<u8>>) {
        self.child.wait().expect("it ends when it has them all");
        let file = std::fs::File::open(&self.file).expect("it has written");
        let mut reader = PcapReader::new(BufReader::new(file)).expect("a capture file");
        let mut packets = Vec::new();
        while let Some(packet) = reader.next_packet() {
            packets.push(packet.expect("a whole packet").data.into_owned());
        }
        (self.file.clone(), packets)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The invariant CRC of a packet, given from its IP header to what stands before the CRC.
/// (InfiniBand specification 7.8.1 and annex A17)
fn invariant_crc(packet: &[u8]) -> u32 {
    let mut masked = [&[0xff; 8], packet].concat();
    // Type of service, time to live, both checksums, and the congestion bits.
    for at in [1, 8, 10, 11, 26, 27, 32] {
        masked[8 + at] = 0xff;
    }
    crc32fast::hash(&masked)
}

/// Opcodes of SEND ONLY and of an acknowledgement.
const SEND_ONLY: u8 = 4;
const ACKNOWLEDGE: u8 = 17;

#[test]
fn the_wire_carries_roce_with_the_right_invariant_crc() {
    const MESSAGES: usize = 5;
    let Some(capture) = Capture::of(MESSAGES * 4) else { return };
    let device = |number| format!("card,address={}", address(number));
    let options = ["-n", &MESSAGES.to_string(), "-s", "1021"];
    for side in Sides::of("rc_pingpong", &options, (&device(1), &device(2))) {
        assert!(side.success, "{}", side.err);
    }
    let (file, packets) = capture.packets();
    assert_eq!(packets.len(), MESSAGES * 4, "each way a message and its acknowledgement");
    for packet in &packets {
        let ip = &packet[14..];
        assert_eq!((ip[0], ip[9]), (0x45, 17), "UDP over IPv4");
        assert_eq!(ip[4..8], [0, 0, 0x40, 0], "no number, and not to be cut");
        assert_eq!(u16::from_be_bytes([ip[22], ip[23]]), 4791);
        assert!(u16::from_be_bytes([ip[20], ip[21]]) >= 0xc000, "a source port of RoCE v2");
        let (covered, crc) = ip.split_last_chunk().expect("longer than a CRC");
        assert_eq!(invariant_crc(covered), u32::from_le_bytes(*crc));
    }
    for number in [1, 2] {
        let from = address(number).octets();
        let sent = packets.iter().filter(|packet| packet[26..30] == from);
        let mut opcodes: Vec<u8> = sent.map(|packet| packet[42]).collect();
        opcodes.sort_unstable();
        assert_eq!(opcodes, [[SEND_ONLY; MESSAGES], [ACKNOWLEDGE; MESSAGES]].concat());
    }
    dissected(&file, packets.len());
    std::fs::remove_file(&file).expect("it is there");
}

/// tshark has nothing to complain about either.
fn dissected(file: &Path, count: usize) {
    let mut command = Command::new("tshark");
    command.args(["-o", "ip.check_checksum:TRUE", "-T", "fields", "-e", "frame.protocols"]);
    command.args(["-e", "infiniband.bth.opcode", "-e", "_ws.malformed", "-r"]).arg(file);
    let output = match command.output() {
        Ok(output) if output.status.success() => output.stdout,
        other => return skipped(&format!("tshark does not run: {other:?}")),
    };
    let text = String::from_utf8(output).expect("text");
    assert_eq!(text.lines().count(), count);
    for line in text.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(cells[0].contains("ip:udp:infiniband"), "{line}");
        assert!(["4", "17"].contains(&cells[1]) && cells[2].is_empty(), "{line}");
    }
}
