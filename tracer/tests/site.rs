//! Sites are taken from where the macro stands: file, line, function, group, origins.
#![cfg(not(feature = "without-probes"))]

use doorbell_tracer::{
    Clock, Full, Group, Kind, Off, Probe, Record, Site, SiteInfo, Tracer, find_line, probe, site,
};

const PROBE_GROUP: Group = Group::Control;

/// A generic function with a probe.
fn generic<T: Copy, P: Probe>(probe: &P, _: T) -> u32 {
    probe!(*probe, note("generic", []));
    line!() - 1
}

struct Queue<T>(T);

impl<T> Queue<T> {
    /// A method with a probe.
    fn post<P: Probe>(&self, probe: &P) -> u32 {
        probe!(*probe, note("method", []));
        line!() - 1
    }
}

trait Ring {
    fn ring(&self, tracer: &Tracer);
}

impl Ring for Queue<u8> {
    fn ring(&self, tracer: &Tracer) {
        probe!(tracer, note("trait method", []));
    }
}

mod inner {
    use super::{Group, Site, Tracer, probe, site};

    const PROBE_GROUP: Group = Group::PostSend;

    /// A closure with a probe, in a module with a group of its own.
    pub(super) fn closure(tracer: &Tracer) {
        let act = || probe!(tracer, note("closure", []));
        act();
    }

    /// A call without a probe: its site is found by its text.
    pub(super) fn plain() -> u32 {
        let answer = 42;
        answer + line!() - line!()
    }

    pub(super) static PLAIN: Site = site!(of plain at "let answer = 42;");
}

/// What `run` records.
fn recorded(run: impl FnOnce(&Tracer)) -> Vec<Record> {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    run(&tracer);
    tracer.take()
}

/// The one site that `run` records at.
fn place(run: impl FnOnce(&Tracer)) -> SiteInfo {
    let records = recorded(run);
    assert_eq!(records.len(), 1);
    records[0].site.into()
}

#[test]
fn a_generic_function_has_its_file_line_and_name() {
    let mut line = 0;
    let site = place(|tracer| line = generic(tracer, 7_u64));
    assert_eq!(site.file, "tracer/tests/site.rs");
    assert_eq!(site.line, line);
    assert_eq!(site.function, "generic");
    assert_eq!(site.group, Group::Control);
    assert!(site.origins.is_empty());
}

#[test]
fn instances_of_a_generic_function_share_the_place() {
    let first = place(|tracer| _ = generic(tracer, 7_u64));
    let second = place(|tracer| _ = generic(tracer, 'x'));
    assert_eq!(first, second);
}

#[test]
fn a_method_is_named_with_its_type() {
    let mut line = 0;
    let site = place(|tracer| line = Queue('x').post(tracer));
    assert_eq!((site.function.as_str(), site.line), ("Queue::post", line));
    let site = place(|tracer| Queue(1_u8).ring(tracer));
    assert_eq!(site.function, "Queue::ring");
}

#[test]
fn a_closure_bears_the_name_of_its_function() {
    let site = place(inner::closure);
    assert_eq!(site.function, "inner::closure");
    assert_eq!(site.group, Group::PostSend);
}

#[test]
fn a_place_without_a_probe_is_found_by_its_text() {
    assert_eq!(inner::plain(), 42);
    let site = SiteInfo::from(&inner::PLAIN);
    let source = include_str!("site.rs").lines().nth(site.line as usize - 1);
    assert_eq!(source.map(str::trim), Some("let answer = 42;"));
    assert_eq!(site.function, "inner::plain");
    assert_eq!(site.file, "tracer/tests/site.rs");
}

#[test]
fn a_site_tells_what_fields_come_from() {
    let site = place(|tracer| {
        probe!(
            tracer,
            store(Default::default(), 0, "data_segment", &[0; 16]);
            from "lkey" = "sge.lkey", "address" = "sge.addr"
        );
    });
    let origins = [("lkey", "sge.lkey"), ("address", "sge.addr")];
    let origins = origins.map(|(field, origin)| (field.to_owned(), origin.to_owned()));
    assert_eq!(site.origins, origins);
}

#[test]
fn a_probe_may_stand_at_a_given_site() {
    let site = place(|tracer| probe!(at & inner::PLAIN, tracer, note("given", [])));
    assert_eq!(site, SiteInfo::from(&inner::PLAIN));
}

#[test]
fn lines_are_found_by_their_first_match() {
    assert_eq!(find_line("a\nb\nc b", "b"), 2);
    assert_eq!(find_line("a\nb\nc b", "c b"), 3);
    assert_eq!(find_line("whole", "whole"), 1);
}

#[test]
#[should_panic(expected = "the source has no such line")]
fn text_that_is_not_there_is_refused() {
    find_line("a\nb", "z");
}

#[test]
fn probes_that_are_off_build_nothing() {
    let built = std::cell::Cell::new(false);
    let kind = || {
        built.set(true);
        Kind::note("built", [])
    };
    static SITE: Site = site!();
    Off.emit(&SITE, kind);
    assert!(!built.get());
    Tracer::off().emit(&SITE, kind);
    assert!(!built.get());
    Tracer::new(Full::new(), Clock::Logical).emit(&SITE, kind);
    assert!(built.get());
    assert_eq!(size_of::<Off>(), 0);
}
