//! The lab, for the tests that boot guests.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{self, Write};
use std::process::{Command, Output};

/// Whether guests are to be booted here; says so if not.
pub fn boots_guests() -> bool {
    let boots = std::env::var_os("DOORBELL_LAB").is_some_and(|value| value == "1");
    if !boots {
        let _ = writeln!(io::stderr(), "skipped: guests boot with DOORBELL_LAB=1 only");
    }
    boots
}

/// The command `doorbell lab`, without its words; `None` where guests are not to be booted.
pub fn lab() -> Option<Command> {
    if !boots_guests() {
        return None;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    command.arg("lab");
    if let Some(cache) = std::env::var_os("DOORBELL_LAB_CACHE") {
        command.arg("--cache").arg(cache);
    }
    Some(command)
}

// perftest's -F: it is not to hold a busy machine's clock against its own measurement, and give up.

/// A function of the shell: waits until a server listens at the port that pingpong and perftest take, 18515,
/// which is 0x4853 in these tables; 0A says that it listens.
pub const LISTENING: &str = "listening() {\n\
    for look in $(seq 300); do\n\
    grep -qs ':4853 .* 0A ' /proc/net/tcp /proc/net/tcp6 && break; sleep 0.1; done; }\n";

/// What a script printed; the script must have succeeded.
pub fn printed(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let text = String::from_utf8_lossy(out).into_owned();
    assert!(output.status.success(), "{}\n{text}\n{}", output.status, String::from_utf8_lossy(err));
    text
}
