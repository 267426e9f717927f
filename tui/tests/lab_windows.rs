//! Memory windows through Debian's libmlx5: bound, used and closed in every way, on the software card with the
//! unmodified kernel driver, and once more through this driver, with the same completions.

#[path = "peer/mod.rs"]
mod peer;

/// What comes of each case, without vendor syndromes: who completes which request with which status
/// (`IBV_WC_SUCCESS` 0, `IBV_WC_MW_BIND_ERR` 6, `IBV_WC_REM_ACCESS_ERR` 10), and how much was written.
const COMES: [&str; 26] = [
    "one-used receiver 201 0",
    "one-used sender 1 0",
    "one-used wrote 64",
    "one-outside receiver 201 0",
    "one-outside sender 2 10",
    "one-outside wrote 0",
    "one-no-right receiver 201 0",
    "one-no-right sender 3 10",
    "one-no-right wrote 0",
    "one-unbound receiver 201 0",
    "one-unbound receiver 203 0",
    "one-unbound sender 4 10",
    "one-unbound wrote 0",
    "two-used receiver 201 0",
    "two-used sender 5 0",
    "two-used wrote 64",
    "two-invalidated receiver 202 0",
    "two-invalidated sender 6 10",
    "two-outside receiver 201 0",
    "two-outside sender 7 10",
    "two-outside wrote 0",
    "two-invalidated-by-send receiver 201 0",
    "two-invalidated-by-send sender 301 0",
    "two-invalidated-by-send invalidated 1",
    "two-invalidated-by-send sender 8 10",
    "two-refused receiver 201 6",
];

#[test]
fn windows_of_both_types_open_and_close_through_libmlx5_and_through_this_driver() {
    let Some((theirs, ours)) = peer::both("windows", "windows") else { return };

    let theirs: Vec<&str> = theirs.lines().filter(|line| !line.starts_with("library ")).collect();
    let ours: Vec<&str> = ours.lines().collect();
    let without_syndrome: Vec<&str> = theirs
        .iter()
        .map(|line| line.split_once(" 0x").map_or(*line, |(front, _)| front))
        .collect();
    assert_eq!(without_syndrome, COMES, "libmlx5");
    assert_eq!(theirs, ours, "libmlx5 left, ours right");
}
