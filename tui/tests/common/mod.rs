//! What the tests share: small traces made by hand, and walks through them.
#![allow(dead_code)] // Each test binary uses a part.

use doorbell::state::app::App;
use doorbell::state::session::{Goal, Session};
use doorbell::state::supply::{Ending, Run, Supply};
use doorbell::view::theme::{Depth, Theme};
use doorbell::view::{Painter, draw};
use doorbell_examples::{Device, LiveRun, record, scenario, start};
use doorbell_tracer::live::Next;
use doorbell_tracer::{
    Actor, Event, FORMAT, Group, Header, Kind, Machine, SCHEMA, SiteInfo, Source, Trace,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

/// The program's only thread.
pub const CPU: Actor = Actor::Cpu(0);

/// A trace of these events: who, how deep, what.
pub fn trace(steps: Vec<(Actor, u16, Kind)>) -> Trace {
    let event = |(number, (actor, depth, kind)): (u64, (Actor, u16, Kind))| Event {
        sequence: number,
        time: number,
        actor,
        depth,
        site: 0,
        kind,
    };
    let text = "// ANCHOR: made_by_hand\nfn post() {}\n// ANCHOR_END: made_by_hand\n".to_owned();
    Trace {
        header: Header {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            tool: "a test".to_owned(),
            machine: Machine { architecture: "x86_64".to_owned(), system: "linux".to_owned() },
            device: "card".to_owned(),
            scenario: "made-by-hand".to_owned(),
            clock: "logical".to_owned(),
            sites: vec![SiteInfo {
                file: "made/by_hand.rs".to_owned(),
                line: 2,
                function: "post".to_owned(),
                group: Group::Program,
                origins: Vec::new(),
            }],
            sources: vec![Source { path: "made/by_hand.rs".to_owned(), text }],
            settings: Default::default(),
            masked: Default::default(),
            ring: None,
        },
        events: (0..).zip(steps).map(event).collect(),
    }
}

/// A call.
pub fn call(function: &'static str) -> Kind {
    Kind::call(function, [])
}

/// The return of a call.
pub fn back(function: &'static str) -> Kind {
    Kind::returned(function, 0_u32)
}

/// A step that is nothing in particular.
pub fn note(text: &'static str) -> Kind {
    Kind::note(text, [])
}

/// Discovery, a post that calls a provider that lets the card work, a poll.
///
/// ```text
/// 0 call discover      5 call provider     10 return ibv_post_send
/// 1   note looked      6   barrier         11 call ibv_poll_cq
/// 2 return discover    7     card: works   12   note polled
/// 3 call ibv_post_send 8     card: writes  13 return ibv_poll_cq
/// 4   note checked     9 return provider
/// ```
pub fn post() -> Trace {
    trace(vec![
        (CPU, 0, call("discover")),
        (CPU, 1, note("looked")),
        (CPU, 0, back("discover")),
        (CPU, 0, call("ibv_post_send")),
        (CPU, 1, note("checked")),
        (CPU, 1, call("provider")),
        (CPU, 2, Kind::barrier("to_device", "sfence")),
        (Actor::Card, 0, note("works")),
        (Actor::Card, 0, note("writes")),
        (CPU, 1, back("provider")),
        (CPU, 0, back("ibv_post_send")),
        (CPU, 0, call("ibv_poll_cq")),
        (CPU, 1, note("polled")),
        (CPU, 0, back("ibv_poll_cq")),
    ])
}

/// A walk through a trace, at the call of `ibv_post_send`.
pub fn opened(trace: Trace) -> Session {
    opened_from(Supply::recorded(trace))
}

/// A walk that has been opened.
pub fn opened_from(supply: Supply) -> Session {
    let mut session = Session::new(supply);
    session.seek(Goal::Opening);
    finish(&mut session);
    session
}

/// Makes the move under way to its end.
pub fn finish(session: &mut Session) {
    while session.is_seeking() {
        session.pursue(100);
    }
}

/// A recorded run of a scenario on the software card.
pub fn recorded(name: &str) -> Trace {
    let scenario = scenario(name).expect("a scenario of the registry");
    record(scenario, &Device::Card).trace
}

/// A scenario that runs beside the test.
pub fn live(name: &str, device: Device) -> Supply {
    let scenario = scenario(name).expect("a scenario of the registry");
    let run = start(scenario, &device);
    let builder = run.builder();
    Supply::live(Box::new(Program(run)), builder)
}

struct Program(LiveRun);

impl Run for Program {
    fn next(&mut self, deadline: Duration) -> Next {
        self.0.stepper.next(deadline)
    }

    fn ending(self: Box<Self>) -> Ending {
        self.0.finish()
    }
}

/// Lets the program of a terminal do all that is under way.
pub fn settle(app: &mut App) {
    while app.tick() {}
}

/// What a terminal of this size shows, as text.
pub fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut painter = Painter::new(Theme::new(Depth::None));
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend");
    terminal
        .draw(|frame| draw(frame, app, &mut painter))
        .expect("a test backend takes every frame");
    terminal.backend().to_string()
}
