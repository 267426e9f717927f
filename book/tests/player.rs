//! The player in a real browser: at every step it shows what the trace says.

mod common;

use common::browser::{Browser, END, HOME, LEFT, RIGHT};
use common::{Fixture, book, with_server};
use doorbell_book::preprocess::Runs;
use doorbell_book::walk::Walk;
use doorbell_book::{Scenarios, build, build_from};
use doorbell_tracer::timeline::Timeline;
use doorbell_tracer::{Kind, Role};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Collects what the player of number `arguments[0]` on the page shows.
const SHOWN: &str = r#"
    const live = document.querySelectorAll(".db-live")[arguments[0]];
    const current = live.querySelector(".db-source .db-current");
    const wqe = live.querySelector(".db-wqe");
    const all = (selector, pick) => [...live.querySelectorAll(selector)].map(pick);
    return {
        step: Number(live.dataset.step),
        status: live.querySelector(".db-status").textContent,
        place: live.querySelector(".db-place").textContent,
        line: current && Number(current.dataset.line),
        code: current && current.textContent,
        marked: live.querySelectorAll(".db-list [aria-current]").length,
        listed: Number(live.querySelector(".db-list [aria-current] .db-number").textContent),
        slider: Number(live.querySelector(".db-slider").value),
        link: live.querySelector(".db-link").getAttribute("href"),
        bytes: live.querySelector(".db-event").hidden ? "" : live.querySelector(".db-event").dataset.hex,
        wqe: wqe.hidden ? null : wqe.dataset.hex,
        records: all(".db-record", (record) => [Number(record.dataset.region), record.dataset.hex]),
        registers: all(".db-register", (register) => [register.dataset.register, register.dataset.hex]),
        counters: all(".db-counter", (counter) => [counter.dataset.counter, Number(counter.dataset.value)]),
        hash: location.hash,
    };"#;

/// A run, and the state of everything at each of its steps as the tracer's timeline folds it.
struct Truth {
    walk: Walk,
    timeline: Timeline,
}

impl Truth {
    fn new(runs: &dyn Runs, scenario: &str) -> Self {
        let trace = runs.record(scenario).expect("a run");
        let timeline = Timeline::of(&trace);
        Self { walk: Walk::new(trace), timeline }
    }

    /// Compares all that a player shows with the step at `place`.
    fn check(&self, place: usize, shown: &Value) {
        let trace = &self.walk.trace;
        let event = &trace.events[place];
        let step = &self.walk.steps[place];
        let name = format!("step {}: {shown}", event.sequence);
        assert_eq!(shown["step"], event.sequence, "{name}");
        assert_eq!(shown["listed"], event.sequence, "{name}");
        assert_eq!(shown["marked"], 1, "{name}");
        assert_eq!(shown["slider"], place as u64, "{name}");
        let link = format!("#{}-step-{}", trace.header.scenario, event.sequence);
        assert_eq!(shown["link"], link, "{name}");
        assert!(shown["status"].as_str().is_some_and(|text| text.contains(&step.what)), "{name}");

        let site = trace.site(event).expect("a site");
        assert_eq!(shown["place"], format!("{}:{}", site.file, site.line), "{name}");
        assert_eq!(shown["line"], site.line, "{name}");
        let text = self.walk.source(&site.file).expect("a source");
        let code = text.lines().nth(site.line as usize - 1).expect("a line");
        assert_eq!(shown["code"], code, "{name}");
        assert_eq!(shown["bytes"], bytes(&event.kind), "{name}");
        self.check_state(place, shown, &name);
    }

    /// Compares WQE, records, registers and counters.
    fn check_state(&self, place: usize, shown: &Value, name: &str) {
        let trace = &self.walk.trace;
        let state = self.timeline.state_at(place, trace);
        for record in shown["records"].as_array().expect("records") {
            let number = record[0].as_u64().expect("a number");
            let region = state.regions().find(|region| u64::from(region.info().region.0) == number);
            let region = region.expect("a region");
            assert_eq!(record[1], hex(&region.bytes(0..region.info().length)), "{name}");
        }
        let written = state.regions().filter(|region| {
            region.info().role == Role::DoorbellRecord
                && region.writers(0..region.info().length).iter().any(Option::is_some)
        });
        let shown_records = shown["records"].as_array().map_or(0, Vec::len);
        assert!(shown_records >= written.count(), "{name}");
        let mut registers = self.registers(place);
        registers.sort();
        let mut given: Vec<_> = shown["registers"].as_array().expect("registers").clone();
        given.sort_by_key(ToString::to_string);
        assert_eq!(json!(given), json!(registers), "{name}");
        let rings = [Role::SendQueue, Role::ReceiveQueue, Role::CompletionQueue];
        let mut counters: Vec<_> = state
            .indexes()
            .filter(|(region, _, _)| {
                state.region(*region).is_some_and(|region| rings.contains(&region.info().role))
            })
            .map(|(_, name, value)| json!([name, value]))
            .collect();
        counters.sort_by_key(ToString::to_string);
        let mut given: Vec<_> = shown["counters"].as_array().expect("counters").clone();
        given.sort_by_key(ToString::to_string);
        assert_eq!(given, counters, "{name}");
        assert_eq!(shown["wqe"], self.wqe(place), "{name}");
    }

    /// Doorbell registers written so far, with what was last written; if none was, the register
    /// that was written last of all.
    fn registers(&self, place: usize) -> Vec<(String, String)> {
        let mut doorbells = Vec::new();
        let mut last = Vec::new();
        for event in &self.walk.trace.events[..=place] {
            let Kind::RegisterWrite { region, register, bytes, .. } = &event.kind else {
                continue;
            };
            let written = (register.to_string(), hex(bytes));
            if self.walk.role(*region) == Some(Role::UserAccessRegion) {
                doorbells.retain(|(known, _)| *known != written.0);
                doorbells.push(written);
            } else {
                last = vec![written];
            }
        }
        if doorbells.is_empty() { last } else { doorbells }
    }

    /// The WQE in the foreground, as far as its own stores have written it.
    fn wqe(&self, place: usize) -> Value {
        let Some(wqe) = self.walk.steps[place].wqe.map(|wqe| &self.walk.wqes[wqe]) else {
            return Value::Null;
        };
        let state = self.timeline.state_at(place, &self.walk.trace);
        let ring = state.region(wqe.region).expect("a ring");
        let byte = |at| {
            let offset = (wqe.start + at) % ring.info().length;
            let own = ring.writer(offset).is_some_and(|step| wqe.stores.contains(&(step as usize)));
            if own { hex(&ring.bytes(offset..offset + 1)) } else { "··".to_owned() }
        };
        json!((0..wqe.length).map(byte).collect::<String>())
    }
}

/// The bytes that an event carries; a command's input and output.
fn bytes(kind: &Kind) -> String {
    match kind {
        Kind::Store { bytes, .. }
        | Kind::Load { bytes, .. }
        | Kind::RegisterWrite { bytes, .. }
        | Kind::RegisterRead { bytes, .. }
        | Kind::Dma { bytes, .. } => hex(bytes),
        Kind::Command(command) => hex(&command.input) + &hex(&command.output),
        Kind::Packet(packet) => hex(&packet.bytes),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn threads_have_numbers_where_there_are_several() {
    let actors = |scenario: &str| -> BTreeSet<String> {
        let trace = Scenarios.record(scenario).expect("a run");
        Walk::new(trace).steps.into_iter().map(|step| step.actor).collect()
    };
    assert_eq!(actors("rc-write"), ["CPU", "card"].map(str::to_owned).into());
    assert_eq!(actors("shared-blueflame"), ["CPU 0", "CPU 1", "card"].map(str::to_owned).into());
}

#[test]
fn every_way_of_stepping_shows_every_step() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("book");
    let chapters = book("# Page\n\nText.\n\n{{#trace fixture}}\n");
    build_from(&chapters, &Fixture, &out, &mut |_| {}).expect("a book");
    let truth = Truth::new(&Fixture, "fixture");
    let last = truth.walk.steps.len() - 1;
    with_server(&out, |server| {
        let base = format!("http://{}", server.address());
        browser.open(&format!("{base}/page.html"));
        let check = |place: usize| truth.check(place, &browser.run(SHOWN, &[json!(0)]));
        check(0);
        buttons(&browser, last, &check);
        keys(&browser, last, &check);
        slider(&browser, last, &check);
        links(&browser, last, &check, &base);
    });
}

/// The chapter on `rc-write`: every player of it, by key, against the run that it was made from.
#[test]
fn every_step_of_the_chapter_is_what_the_run_says() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let report = build(&folder.path().join("book"), &mut |_| {}).expect("the book");
    let truth = Truth::new(&Scenarios, "rc-write");
    let mut seen = 0;
    with_server(&report.folder, |server| {
        browser.open(&format!("http://{}/rc-write.html", server.address()));
        let players = browser.run("return document.querySelectorAll('.db-live').length;", &[]);
        for player in 0..players.as_u64().expect("a number") {
            let focus = "const live = document.querySelectorAll('.db-live')[arguments[0]]; live.focus(); const { first, end } = live.parentElement.dataset; return [Number(first), Number(end)];";
            let bounds = browser.run(focus, &[json!(player)]);
            let (first, end) =
                (bounds[0].as_u64().expect("first"), bounds[1].as_u64().expect("end"));
            for place in first..end {
                truth.check(place as usize, &browser.run(SHOWN, &[json!(player)]));
                browser.press(RIGHT);
                seen += 1;
            }
        }
    });
    assert_eq!(seen, truth.walk.steps.len());
}

/// First, back, step, last; and over, which skips what is called.
fn buttons(browser: &Browser, last: usize, check: &dyn Fn(usize)) {
    for place in 1..=last {
        browser.click(".db-forward");
        check(place);
    }
    browser.click(".db-forward");
    check(last);
    for place in (0..last).rev() {
        browser.click(".db-back");
        check(place);
    }
    browser.click(".db-back");
    check(0);
    browser.click(".db-last");
    check(last);
    browser.click(".db-first");
    check(0);
    // Step 4 is the call of ibv_post_send; behind what it does comes its return.
    for _ in 0..4 {
        browser.click(".db-forward");
    }
    browser.click(".db-over");
    check(last - 1);
}

/// The arrows, Home, End and `o`, on the player and on its slider; the page does not turn.
fn keys(browser: &Browser, last: usize, check: &dyn Fn(usize)) {
    for focus in [".db-live", ".db-slider"] {
        browser.run("document.querySelector(arguments[0]).focus();", &[json!(focus)]);
        browser.press(HOME);
        check(0);
        for place in 1..=last {
            browser.press(RIGHT);
            check(place);
        }
        browser.press(RIGHT);
        check(last);
        for place in (0..last).rev() {
            browser.press(LEFT);
            check(place);
        }
        browser.press(LEFT);
        browser.press(END);
        check(last);
    }
    browser.press(HOME);
    for _ in 0..4 {
        browser.press(RIGHT);
    }
    browser.press("o");
    check(last - 1);
}

/// The slider, moved to every step in an order that goes both ways.
fn slider(browser: &Browser, last: usize, check: &dyn Fn(usize)) {
    for place in (0..=last).map(|number| number * 7 % (last + 1)) {
        let script = "const slider = document.querySelector('.db-slider'); slider.value = arguments[0]; slider.dispatchEvent(new Event('input'));";
        browser.run(script, &[json!(place)]);
        check(place);
    }
}

/// A link to every step, in the open page and in a fresh one; and the address follows stepping.
fn links(browser: &Browser, last: usize, check: &dyn Fn(usize), base: &str) {
    for place in (0..=last).rev() {
        browser.run("location.hash = arguments[0];", &[json!(format!("fixture-step-{place}"))]);
        // The event that follows comes with the next turn of the page's loop.
        browser.run("return new Promise((done) => setTimeout(done, 0));", &[]);
        check(place);
    }
    browser.open("about:blank");
    browser.open(&format!("{base}/page.html#fixture-step-9"));
    check(9);
    browser.press(RIGHT);
    check(10);
    assert_eq!(browser.run(SHOWN, &[json!(0)])["hash"], "#fixture-step-10");
    browser.open("about:blank");
    browser.open(&format!("{base}/page.html#fixture-step-nowhere"));
    check(0);
}
