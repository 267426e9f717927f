//! The failure gallery through Debian's libmlx5: each scenario that ends in an error number or in a
//! completion is provoked once more by a program in C, on the same card in the same guest. The program gets
//! the same number, the same status and the same vendor syndrome there.

#[path = "peer/mod.rs"]
mod peer;

use doorbell_driver::verbs::WorkStatus;
use doorbell_examples::scenarios;
use std::collections::BTreeMap;

/// Where the two differ, by design: this driver looks at the opcode itself, and libmlx5 leaves one that it
/// knows to the card.
const LEFT_TO_THE_CARD: &str = "einval-opcode";

/// What is not in the lab: a card without atomic operations, and a bus on which threads can be held.
const ELSEWHERE: [&str; 2] = ["eopnotsupp-atomics", "shared-blueflame"];

/// What libmlx5 refuses itself: an opcode beyond its table. Ours has no such opcode.
const BEYOND: &str = "einval-opcode-beyond";

/// `EINVAL`.
const EINVAL: i32 = 22;

#[test]
fn failures_are_told_by_the_same_numbers_through_libmlx5_and_through_this_driver() {
    let Some((theirs, ours)) = peer::both("failures", "fail") else { return };

    let (mut theirs, mut ours) = (told(&theirs), told(&ours));
    println!("libmlx5: {theirs:#?}\nours: {ours:#?}");
    // The card refuses what libmlx5 posts, and says so in a completion.
    let [left] = theirs.remove(LEFT_TO_THE_CARD).expect("told")[..] else {
        panic!("one line of {LEFT_TO_THE_CARD}")
    };
    let status = WorkStatus::LocalQueuePairOperation as u8;
    assert!(left.starts_with(&format!("sender 1 {status} ")), "{left}");
    assert_eq!(theirs.remove(BEYOND), Some(vec![&*format!("post {EINVAL}")]));
    assert_eq!(ours.remove(LEFT_TO_THE_CARD), Some(vec![&*format!("post {EINVAL}")]));

    for name in ELSEWHERE {
        assert_eq!(ours.remove(name), Some(vec!["elsewhere"]), "{name}");
    }

    for scenario in scenarios().iter().filter(|scenario| scenario.failure.is_some()) {
        let name = scenario.name;
        if ELSEWHERE.contains(&name) {
            continue;
        }
        assert!(
            name == LEFT_TO_THE_CARD || theirs.contains_key(name),
            "{name} is not in failures.c"
        );
    }
    for (name, lines) in &theirs {
        assert!(!lines.contains(&"nothing"), "{name} did not fail");
    }
    assert_eq!(theirs, ours, "libmlx5 left, ours right");
}

/// What a program told of each case: the lines without the case's name.
fn told(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut told = BTreeMap::<_, Vec<_>>::new();
    for line in text.lines().filter(|line| !line.starts_with("library ")) {
        let (name, what) = line.split_once(' ').expect("a name and what came of it");
        told.entry(name).or_default().push(what);
    }
    told
}
