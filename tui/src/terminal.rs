//! The terminal while the program has it: taken, drawn on, listened to, and always given back.
//!
//! It is given back when the guard is dropped, when the program panics, and when a signal asks
//! the program to end.

use crate::input;
use crate::state::app::App;
use crate::view::{Painter, draw};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event as Input};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, Stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How long one round listens for keys when nothing else is going on.
const IDLE: Duration = Duration::from_millis(200);

/// How long while the syntax thread works.
const BUSY: Duration = Duration::from_millis(20);

/// How long a signal waits for the program to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// The terminal, taken. Dropping it gives it back.
pub struct Guard {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// Set by a signal that asks the program to end.
    asked: Arc<AtomicBool>,
}

impl Guard {
    /// Takes the terminal.
    pub fn take() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        end_on_signal(Arc::clone(&asked))?;
        give_back_on_panic(thread::current().id());
        TAKEN.store(true, Ordering::Relaxed);
        enable_raw_mode()?;
        let taken = execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal, asked }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws and listens until the reader leaves or a signal asks to end.
    pub fn run(&mut self, app: &mut App, painter: &mut Painter) -> io::Result<()> {
        let mut changed = true;
        while !app.quit && !self.asked.load(Ordering::Relaxed) {
            let moving = app.tick();
            if changed || moving {
                self.terminal.draw(|frame| draw(frame, app, painter))?;
            }
            let patience = match (moving, painter.highlighter.is_waiting()) {
                (true, _) => Duration::ZERO,
                (false, true) => BUSY,
                (false, false) => IDLE,
            };
            changed = moving | listen(app, painter, patience)? | painter.highlighter.take_in();
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Waits for input and acts on all of it. Whether there was any.
fn listen(app: &mut App, painter: &Painter, patience: Duration) -> io::Result<bool> {
    let mut any = false;
    let mut patience = patience;
    loop {
        match event::poll(patience) {
            Ok(true) => {}
            Ok(false) => return Ok(any),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(any),
            Err(error) => return Err(error),
        }
        any = true;
        act(app, painter, &event::read()?);
        if app.quit {
            return Ok(any);
        }
        // A move that a key began is made before the next key counts.
        if app.tick() {
            return Ok(any);
        }
        patience = Duration::ZERO;
    }
}

/// Acts on one input.
fn act(app: &mut App, painter: &Painter, input: &Input) {
    match input {
        Input::Key(key) => {
            if let Some(action) = input::key(*key, &app.overlay) {
                app.act(action);
            }
        }
        Input::Mouse(mouse) => {
            for action in input::mouse(*mouse, app, &painter.areas) {
                app.act(action);
            }
        }
        _ => {}
    }
}

/// Lets a signal ask the program to end, and ends it if it does not: when the terminal itself has
/// gone away, listening for keys may never return.
fn end_on_signal(asked: Arc<AtomicBool>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            asked.store(true, Ordering::Relaxed);
            thread::sleep(GRACE);
            give_back();
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

/// Whether the terminal is taken now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back, once: doing it again would put the cursor back over what has been
/// printed since. Errors are of no use any more: there may be no terminal left.
fn give_back() {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
}

/// Lets a panic of the thread `owner` give the terminal back before it speaks. Panics of other
/// threads, as of the program that is being stepped, do not speak into the picture.
fn give_back_on_panic(owner: ThreadId) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().id() == owner {
            give_back();
            before(panic);
        }
    }));
}
