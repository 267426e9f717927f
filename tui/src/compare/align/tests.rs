use super::*;
use proptest::prelude::*;

/// A sequence of signatures, each with its nesting.
fn sequence(steps: &[(u32, u16)]) -> Sequence {
    Sequence {
        tokens: steps.iter().map(|(token, _)| Token(*token)).collect(),
        nesting: steps.iter().map(|(_, nesting)| *nesting).collect(),
    }
}

/// Whether hunks turn `a` into `b`: all outside them is the same, in the same order.
fn assert_aligned(hunks: &[Hunk], a: &[Token], b: &[Token]) {
    let (mut at_a, mut at_b) = (0, 0);
    for hunk in hunks {
        assert!(hunk.a.start >= at_a && !(hunk.a.is_empty() && hunk.b.is_empty()), "{hunks:?}");
        assert_eq!(a[at_a..hunk.a.start], b[at_b..hunk.b.start]);
        (at_a, at_b) = (hunk.a.end, hunk.b.end);
    }
    assert_eq!(a[at_a..], b[at_b..]);
}

/// An empty poll: call, lock, load, check, store, unlock, return.
const EMPTY: [(u32, u16); 7] = [(1, 0), (2, 3), (3, 3), (4, 3), (8, 3), (9, 3), (10, 1)];
/// A poll that finds a completion.
const FULL: [(u32, u16); 9] =
    [(1, 0), (2, 3), (3, 3), (4, 3), (5, 3), (6, 3), (8, 3), (9, 3), (10, 1)];
/// A post, and the card's work on it.
const POST: [(u32, u16); 24] = {
    let mut steps = [(0, 3); 24];
    let mut at = 0;
    while at < steps.len() {
        steps[at].0 = 20 + at as u32;
        at += 1;
    }
    steps
};

#[test]
fn an_inserted_poll_is_one_hunk_that_begins_at_its_call() {
    let (a, b) = (sequence(&FULL), sequence(&[&EMPTY[..], &FULL[..]].concat()));
    let (hunks, how) = align(&a, &b);
    assert_eq!((hunks, how), (vec![Hunk { a: 0..0, b: 0..7 }], Alignment::Shortest));
    let (hunks, _) = align(&b, &a);
    assert_eq!(hunks, [Hunk { a: 0..7, b: 0..0 }]);
}

#[test]
fn polls_inserted_in_a_long_trace_are_found_each_and_nothing_else() {
    let mut a = Vec::new();
    let mut b = Vec::new();
    for round in 0..3000 {
        // Without a post an empty poll is a full one with two steps left out.
        a.extend(POST);
        b.extend(POST);
        a.extend(FULL);
        if round % 250 == 249 {
            b.extend(EMPTY);
        }
        b.extend(FULL);
    }
    let (hunks, how) = align(&sequence(&a), &sequence(&b));
    assert_eq!(how, Alignment::Quick);
    assert_eq!(hunks.len(), 12, "{hunks:?}");
    for hunk in &hunks {
        assert_eq!((hunk.a.len(), hunk.b.len()), (0, 7));
        assert_eq!(b[hunk.b.start], EMPTY[0], "begins at a call");
    }
}

#[test]
fn long_traces_that_share_nothing_are_one_hunk() {
    let a = sequence(&vec![(1, 0); 100_000]);
    let b = sequence(&vec![(2, 0); 120_000]);
    let (hunks, _) = align(&a, &b);
    assert_eq!(hunks, [Hunk { a: 0..100_000, b: 0..120_000 }]);
    let nothing = sequence(&[]);
    assert_eq!(align(&a, &nothing).0, [Hunk { a: 0..100_000, b: 0..0 }]);
    assert_eq!(align(&nothing, &nothing).0, []);
}

proptest! {
    #[test]
    fn every_alignment_is_one(
        a in proptest::collection::vec((0_u32..6, 0_u16..4), 0..60),
        b in proptest::collection::vec((0_u32..6, 0_u16..4), 0..60),
        times in 1_usize..4,
    ) {
        let (a, b) = (sequence(&a.repeat(times)), sequence(&b));
        let (found, _) = align(&a, &b);
        assert_aligned(&found, &a.tokens, &b.tokens);
        assert_aligned(&in_windows(&a.tokens, &b.tokens), &a.tokens, &b.tokens);
    }
}
