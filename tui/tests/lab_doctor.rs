//! `doorbell doctor` in the lab, where a real kernel answers: what it says is missing is missing, what
//! it says helps does help, and what it says works does work. The outputs in the book's chapter on
//! real cards are compared with fresh ones. Guests boot where `DOORBELL_LAB=1` says so; where it does
//! not, the tests say that they were skipped.

#![cfg(target_os = "linux")]

#[path = "common/lab.rs"]
mod common_lab;

use common_lab::{lab, printed};
use doorbell::command::doctor::PINNED;
use doorbell_driver::bus::VfioCard;
use std::process::Output;

/// The chapter whose outputs are compared.
const CHAPTER: &str = include_str!("../../book/chapters/real-cards.md");

/// `follow DOOR` does what the doctor says, one command at a time, until the door is open, and
/// prints each report. What is under way when a command returns gets time to come up.
const FOLLOW: &str = r#"
follow() {
    steps=0
    until doorbell doctor --door "$1" > /tmp/report; do
        code=$?; cat /tmp/report; echo "==== exit $code"
        steps=$((steps + 1))
        test $steps -le 40 || exit 3
        next=$(sed -n 's/^next: //p' /tmp/report)
        if test -z "$next"; then sleep 1; continue; fi
        echo "++++ $next"
        sh -c "$next" || exit 4
    done
    cat /tmp/report; echo "==== open"
}
"#;

/// Runs a shell script in a guest; `None` where guests are not to be booted.
fn guest(options: &[&str], script: &str) -> Option<Output> {
    let mut command = lab()?;
    command.arg("run").args(options).args(["--timeout", "400", "--", "bash", "-c"]);
    Some(command.arg(format!("{FOLLOW}{script}")).output().expect("doorbell starts"))
}

/// The outputs in the chapter, by the name in the comment before each.
fn shown(name: &str) -> &'static str {
    let mark = format!("<!-- lab: {name} -->");
    let (_, rest) = CHAPTER.split_once(&mark).expect("the chapter shows it");
    let (_, rest) = rest.split_once("```text\n").expect("as text");
    rest.split_once("```").expect("to its end").0
}

/// The script in the chapter, by the name in the comment before it.
fn script(name: &str) -> &'static str {
    let mark = format!("<!-- lab-run: {name} -->");
    let (_, rest) = CHAPTER.split_once(&mark).expect("the chapter has it");
    let (_, rest) = rest.split_once("```sh\n").expect("for a shell");
    rest.split_once("```").expect("to its end").0
}

/// Holds an output of the chapter against a fresh one. A line `...` stands for any lines.
#[track_caller]
fn compare(name: &str, fresh: &str) {
    let mut rest = fresh;
    for part in shown(name).split("...\n").filter(|part| !part.is_empty()) {
        let place = rest.find(part);
        assert!(place.is_some(), "the chapter's output `{name}` has\n{part}\nand the lab\n{rest}");
        rest = &rest[place.unwrap_or_default() + part.len()..];
    }
}

/// The chapter for owners of cards names both limits.
#[test]
fn the_book_names_the_limits_that_are_asked_for() {
    let (kernel, vfio) = (PINNED >> 10, VfioCard::LOCKED_BYTES >> 20);
    assert!(CHAPTER.contains(&format!("`{kernel}` KiB are enough")), "{kernel}");
    assert!(CHAPTER.contains(&format!("a limit of `{vfio}` MiB")), "{vfio}");
}

/// Without drivers, through what the doctor says, to an open door, also for a normal user.
#[test]
fn what_the_doctor_says_opens_the_kernels_door() {
    let mut script = String::from(
        r#"
        follow kernel
        step=$(su user -c 'doorbell doctor' | sed -n 's/^next: //p')
        su user -c "doorbell doctor" > /tmp/user || exit 5
        cat /tmp/user; echo "@@@@ $step"
        "#,
    );
    // With no more than the memory that the doctor asks for, every scenario ends as it does without
    // a limit; numbers of queues and keys are new each time.
    let limit = PINNED >> 10;
    for scenario in doorbell_examples::scenarios() {
        let step = format!(
            "doorbell step {} --device mlx5_0 --text | tail -n 1 | sed s/0x[0-9a-f]*/N/g",
            scenario.name
        );
        script += &format!(
            "free=$({step}); bound=$(su user -c 'ulimit -l {limit}; {step}'); echo \"$bound\"\n\
             test \"$free\" = \"$bound\" || exit 7\n"
        );
    }
    script += r#"
        chmod 600 /dev/infiniband/uverbs0
        su user -c 'doorbell doctor --door kernel' && exit 6
        exit 0
        "#;
    let Some(output) = guest(&["--no-drivers"], &script) else { return };
    let text = printed(&output);
    let (closed, rest) = text.split_once("==== exit 1").expect("a closed door first");
    assert!(closed.contains("to do  module mlx5_ib: not loaded, but there to be"), "{closed}");
    assert!(closed.contains("next: modprobe mlx5_core"), "{closed}");
    compare("no driver", closed);
    assert!(rest.contains("++++ modprobe mlx5_ib"), "{rest}");
    let (_, rest) = rest.split_once("==== open").expect("an open door");
    let (user, rest) = rest.split_once("@@@@ ").expect("a user's report");
    assert!(user.contains("works now: --device card, --device mlx5_0\n"), "{user}");
    compare("the kernel's door is open", user);
    assert!(rest.starts_with("doorbell step rc-write --device mlx5_0\n"), "{rest}");
    for last in ["64 bytes lie in the other", "and with it the 3 before it", "received 32 bytes"] {
        assert!(rest.contains(last), "{last}: {rest}");
    }
    assert!(rest.contains("to do  file of mlx5_0: this user may not open"), "{rest}");
    assert!(rest.contains("works now: --device card\n"), "{rest}");
}

/// A card that the kernel drives is bound to VFIO by what the doctor says, used by root and by a
/// normal user, and given back by what it says.
#[test]
fn what_the_doctor_says_opens_vfios_door_and_gives_the_card_back() {
    let script = r#"
        follow vfio
        step=$(doorbell doctor --door vfio | sed -n 's/^next: //p')
        echo "@@@@ $step"
        $step --text | tail -n 1
        su user -c 'doorbell doctor --door vfio' > /tmp/user && exit 5
        cat /tmp/user
        chown user /dev/vfio/[0-9]*
        ulimit -l unlimited
        su user -c 'doorbell doctor --door vfio' || exit 6
        su user -c "$step --text" | tail -n 1
        echo "@@@@ back"
        follow kernel
        doorbell step rc-write --device mlx5_0 --text | tail -n 1
        dmesg | grep -E 'WARNING|BUG' && exit 7
        exit 0
        "#;
    let Some(output) = guest(&["--iommu"], script) else { return };
    let text = printed(&output);
    let (bound, rest) = text.split_once("==== open").expect("an open door");
    compare("taking the card", bound);
    assert!(bound.contains("++++ echo 0000:01:00.0 > /sys/bus/pci/drivers/mlx5_core/unbind"));
    assert!(rest.contains("@@@@ doorbell step rc-write --device vfio:0000:01:00.0\n"), "{rest}");
    let (vfio, back) = rest.split_once("@@@@ back").expect("the way back");
    assert!(vfio.contains("this user may not open /dev/vfio/"), "{vfio}");
    assert!(vfio.contains("to do  locked memory: the limit is 8192 KiB, needed are 16384 KiB"));
    assert_eq!(vfio.matches("64 bytes lie in the other queue pair's buffer").count(), 2, "{vfio}");
    compare("giving the card back", back);
    assert!(back.contains("64 bytes lie in the other queue pair's buffer"), "{back}");
}

/// The chapter's way to compare a trace of a real card with the book's: what it says of the result is
/// so. The trace is recorded by a normal user, and once more masked.
#[test]
fn the_chapters_comparison_finds_what_it_says() {
    let lines = script("comparing");
    let script = format!(
        "cd /tmp\ncat > compare.sh <<'END'\n{lines}END\n\
         su user -c 'mkdir own; cd own; bash ../compare.sh' > diff.txt\n\
         cat own/book.txt; echo @@@@; cat own/mine.txt; echo @@@@; cat diff.txt; echo @@@@\n\
         su user -c 'cd own; doorbell record rc-write --device mlx5_0 -o masked.jsonl --mask'\n\
         head -c 400 own/mine.jsonl"
    );
    let Some(output) = guest(&[], &script) else { return };
    let text = printed(&output);
    let parts: Vec<&str> = text.split("@@@@\n").collect();
    let [book, mine, diff, rest] = parts.as_slice() else { panic!("four parts: {text}") };
    let (book, mine) = (post(book), post(mine));
    let place = |steps: &[&str]| {
        let check = |step: &&str| step.contains("the register takes BlueFlame");
        steps.iter().position(check).expect("the check is made")
    };
    assert_eq!(book[..place(&book)], mine[..place(&mine)], "the same until then");
    let (book, mine) = (&book[place(&book)..], &mine[place(&mine)..]);
    assert!(book[0].ends_with("yes") && mine[0].ends_with("no"), "{book:#?} {mine:#?}");
    assert!(book[4].contains("to register BlueFlame") && mine[1].contains("to register doorbell"));
    assert_eq!(book[5..], mine[2..], "the same afterwards");
    assert!(diff.contains("register doorbell"), "the lines of the chapter show it: {diff}");
    assert!(rest.contains("masked.jsonl: ") && rest.contains("masked"), "{rest}");
    assert!(rest.contains("\"clock\":\"logical\""), "{rest}");
}

/// The lines between the call of `ibv_post_send` and its return.
fn post(steps: &str) -> Vec<&str> {
    let lines = steps.lines().skip_while(|line| !line.contains("call ibv_post_send"));
    lines.take_while(|line| !line.contains("ibv_post_send returns")).collect()
}
