//! A pen writes what the chunks themselves would write. Here no lock is in the way, so that Miri can
//! look at it, too.

use super::Pen;
use crate::recorder::{ActorCode, Chunks, Clock, Head};
use crate::report::{Fixed, Report, call, returned, store};
use crate::{Actor, Form, Kind, Point, RegionId, Site};

const PROBE_GROUP: crate::Group = crate::Group::Program;

static SITE: Site = crate::site!();
static STORE: Point = Point::new(Some(&SITE), Form::Store { layout: Some("unit") });
static CALL: Point = Point::new(Some(&SITE), Form::Call { function: None, names: None });
static RETURN: Point = Point::new(Some(&SITE), Form::Return { function: Some("f") });
static WHOLE: Point = Point::new(None, Form::Whole);

/// Keeps an event: its point, its place if the point has none, what it says.
trait Keep {
    fn keep(&mut self, point: &'static Point, site: Option<&'static Site>, report: impl Report);
}

fn head(point: &'static Point) -> Head {
    Head::of(point.number(), ActorCode::of(Actor::Cpu(3)))
}

impl Keep for Chunks {
    fn keep(&mut self, point: &'static Point, site: Option<&'static Site>, report: impl Report) {
        self.write(head(point), site, report);
    }
}

impl Keep for Pen<&mut Chunks> {
    fn keep(&mut self, point: &'static Point, site: Option<&'static Site>, report: impl Report) {
        Pen::keep(self, head(point), site, report);
    }
}

/// Events of all sorts of lengths, with texts beside them, and some that are kept as they are.
fn tell(to: &mut impl Keep, events: std::ops::Range<usize>) {
    for at in events {
        let bytes = vec![at as u8; at * 7 % 90];
        match at % 5 {
            0 => to.keep(&CALL, None, call("f", [("made", at.to_string().into())])),
            1 => to.keep(&RETURN, None, returned(Fixed, "text")),
            2 => to.keep(&WHOLE, Some(&SITE), Kind::note(at.to_string(), [])),
            _ => to.keep(&STORE, None, store(RegionId(1), at, Fixed, &bytes)),
        }
    }
}

#[test]
fn a_pen_writes_what_the_chunks_would() {
    for clock in [Clock::Logical, Clock::Nanoseconds(|| 77)] {
        for new in [|| Chunks::of_all(0), || Chunks::of_all(40), || Chunks::of_last(90)] {
            let (mut alone, mut in_rows) = (new(), new());
            alone.restart(clock);
            in_rows.restart(clock);
            // Rows of all lengths, with single events between them, over several chunks.
            let mut from = 0;
            for length in 0..60 {
                tell(&mut alone, from..from + length + 1);
                tell(&mut Pen::new(Some(&mut in_rows)), from..from + length);
                tell(&mut in_rows, from + length..from + length + 1);
                from += length + 1;
            }
            let (alone, in_rows) = (alone.take().into_records(), in_rows.take().into_records());
            assert!(alone.len() >= 90);
            assert_eq!(format!("{in_rows:?}"), format!("{alone:?}"));
        }
    }
}

/// Whoever has such a pen records each event by itself.
#[test]
fn a_pen_without_a_recorder_says_so() {
    assert!(!Pen::<&mut Chunks>::new(None).is_open());
    assert!(Pen::new(Some(&mut Chunks::of_all(0))).is_open());
}
