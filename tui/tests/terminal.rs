//! On a real terminal, which tmux plays: the program starts, shows itself, and gives the terminal
//! back however it ends.

use doorbell::state::app::App;
use doorbell::state::session::Session;
use doorbell::state::supply::Supply;
use doorbell::terminal::Guard;
use doorbell::view::Painter;
use doorbell::view::theme::{Depth, Theme};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

mod common;

/// How long something may take to show on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Says that it is there while the program runs below.
const PROMPT: &str = "the shell waits";

/// A terminal with a shell in it.
struct Tmux(String);

impl Tmux {
    /// A terminal of this size that runs a command, and then says how that ended and how the
    /// terminal is set. `None` where there is no tmux, except in CI.
    fn new(name: &str, width: u16, height: u16, command: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(std::env::var("CI").is_err(), "CI needs tmux: apt-get install tmux");
            println!("skipped: there is no tmux here");
            return None;
        }
        let tmux = Self(format!("doorbell-{name}-{}", std::process::id()));
        let script = format!(
            "stty -g > /dev/null; before=$(stty -g); {command}; code=$?; \
             after=$(stty -g); [ \"$before\" = \"$after\" ] && same=yes || same=no; \
             echo \"code $code, same settings: $same, {PROMPT}\"; sleep 100"
        );
        let size = [width.to_string(), height.to_string()];
        tmux.run(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            &script,
        ]);
        Some(tmux)
    }

    /// Runs a command of tmux and answers its output.
    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.0])
            .args(arguments)
            .output()
            .expect("tmux starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses a key, as tmux names it.
    fn press(&self, key: &str) {
        self.run(&["send-keys", key]);
    }

    /// What the terminal shows, as soon as it holds `text`.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let shown = self.run(&["capture-pane", "-p"]);
            if shown.contains(text) {
                return shown;
            }
            assert!(start.elapsed() < DEADLINE, "no {text:?} in:\n{shown}");
            sleep(Duration::from_millis(30));
        }
    }

    /// Checks that the program has gone and left the terminal as it was.
    #[track_caller]
    fn assert_given_back(&self, code: &str) {
        let shown = self.wait_for(PROMPT);
        assert!(shown.contains(&format!("code {code}, same settings: yes")), "{shown}");
        assert!(!shown.contains("ibv_post_send("), "the other screen is gone:\n{shown}");
        let flags = "#{alternate_on} #{mouse_any_flag} #{cursor_flag}";
        assert_eq!(self.run(&["display-message", "-p", flags]).trim(), "0 0 1");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// The command, in a terminal of this size.
fn doorbell(name: &str, width: u16, height: u16) -> Option<Tmux> {
    Tmux::new(name, width, height, env!("CARGO_BIN_EXE_doorbell"))
}

#[test]
fn it_steps_and_q_gives_the_terminal_back() {
    let Some(tmux) = doorbell("quit", 80, 24) else {
        return;
    };
    tmux.wait_for("call ibv_post_send(");
    tmux.press("s");
    tmux.wait_for("call through the table");
    tmux.press("b");
    tmux.wait_for("call ibv_post_send(");
    tmux.press("q");
    tmux.assert_given_back("0");
}

#[test]
fn control_c_gives_the_terminal_back() {
    let Some(tmux) = doorbell("interrupt", 120, 40) else {
        return;
    };
    tmux.wait_for("call ibv_post_send(");
    tmux.press("C-c");
    tmux.assert_given_back("0");
}

/// The child of a process, as `/proc` tells.
#[cfg(target_os = "linux")]
fn child_of(parent: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).find(
        |process| {
            // Behind the name in parentheses: the state, and the parent.
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let behind = stat.rsplit(')').next().unwrap_or_default();
            behind.split_whitespace().nth(1) == Some(&parent.to_string())
        },
    )
}

#[cfg(target_os = "linux")]
#[test]
fn signals_give_the_terminal_back() {
    for signal in ["TERM", "HUP", "INT"] {
        let Some(tmux) = doorbell(&format!("signal-{signal}"), 80, 24) else {
            return;
        };
        tmux.wait_for("call ibv_post_send(");
        let shell = tmux.run(&["display-message", "-p", "#{pane_pid}"]);
        let shell: u32 = shell.trim().parse().expect("the number of a process");
        let program = child_of(shell).expect("the program is the shell's child");
        let kill = format!("kill -s {signal} {program}");
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.is_ok_and(|status| status.success()), "{kill}");
        tmux.assert_given_back("0");
    }
}

#[test]
fn a_small_terminal_is_told_and_goes_on_when_enlarged() {
    let Some(tmux) = doorbell("small", 60, 20) else {
        return;
    };
    let shown = tmux.wait_for("too small");
    assert!(shown.contains("80 x 24"), "{shown}");
    tmux.run(&["resize-window", "-x", "100", "-y", "30"]);
    tmux.wait_for("call ibv_post_send(");
    tmux.run(&["resize-window", "-x", "40", "-y", "10"]);
    tmux.wait_for("too small");
    tmux.press("q");
    tmux.wait_for("code 0");
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told() {
    let own = std::env::current_exe().expect("this test has a path");
    let command = format!(
        "RUST_BACKTRACE=0 {} --ignored --exact --nocapture the_program_panics",
        own.to_str().expect("the path of a test is text")
    );
    let Some(tmux) = Tmux::new("panic", 100, 30, &command) else {
        return;
    };
    let shown = tmux.wait_for(PROMPT);
    assert!(shown.contains("on purpose"), "{shown}");
    tmux.assert_given_back("101");
}

/// Not a test of its own: what the test above runs in a terminal.
#[test]
#[ignore = "run by a_panic_gives_the_terminal_back_and_is_told"]
fn the_program_panics() {
    let mut guard = Guard::take().expect("the test gives it a terminal");
    let mut app = App::new(Session::new(Supply::recorded(common::post())));
    let mut painter = Painter::new(Theme::new(Depth::None));
    app.quit = true;
    guard.run(&mut app, &mut painter).expect("it ends at once");
    panic!("on purpose");
}

#[test]
fn a_dumb_terminal_gets_text() {
    let command = format!("TERM=dumb {} --device none", env!("CARGO_BIN_EXE_doorbell"));
    let Some(tmux) = Tmux::new("dumb", 100, 30, &command) else {
        return;
    };
    let shown = tmux.wait_for(PROMPT);
    assert!(shown.contains("rc-write on none"), "{shown}");
}

#[test]
fn no_color_is_honoured() {
    for (setting, coloured) in [("NO_COLOR=1", false), ("NO_COLOR=", true)] {
        let command = format!("TERM=xterm-256color {setting} {}", env!("CARGO_BIN_EXE_doorbell"));
        let name = format!("colour-{coloured}");
        let Some(tmux) = Tmux::new(&name, 80, 24, &command) else {
            return;
        };
        tmux.wait_for("call ibv_post_send(");
        let shown = tmux.run(&["capture-pane", "-p", "-e"]);
        assert_eq!(has_colours(&shown), coloured, "{shown:?}");
        tmux.press("q");
        tmux.wait_for(PROMPT);
    }
}

/// Whether a text sets a foreground: 39 goes back to the terminal's own.
fn has_colours(text: &str) -> bool {
    let codes = text.split("\u{1b}[").skip(1);
    codes
        .filter_map(|code| code.split(['m', ';']).next())
        .filter_map(|code| code.parse::<u8>().ok())
        .any(|code| matches!(code, 30..=38 | 90..=97))
}
