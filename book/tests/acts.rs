//! The chapter on `mlx5_ib` is made from the kept recording: what it says in words holds in the steps,
//! and its table of system calls and firmware commands comes from them.

use doorbell_book::Scenarios;
use doorbell_book::preprocess::{Preprocessor, Runs};
use doorbell_book::walk::Walk;
use doorbell_tracer::{Event, Group, Kind};
use std::ops::Range;

/// The recording, ready to be shown.
fn walk() -> Walk {
    Walk::new(Scenarios.record("why-mlx5-ib").expect("the recording"))
}

/// The steps of one act.
fn act(walk: &Walk, name: &str) -> Range<usize> {
    let place = |wanted: fn(&Kind, &str) -> bool| {
        let mut events = walk.trace.events.iter();
        events.position(|event| wanted(&event.kind, name)).unwrap_or_else(|| panic!("no {name}"))
    };
    let call = place(|kind, name| matches!(kind, Kind::Call { function, .. } if function == name));
    let end = place(|kind, name| matches!(kind, Kind::Return { function, .. } if function == name));
    call..end + 1
}

/// The events of one act.
fn events<'w>(walk: &'w Walk, name: &str) -> &'w [Event] {
    &walk.trace.events[act(walk, name)]
}

/// The functions that are called, and at what place.
fn calls(events: &[Event]) -> impl Iterator<Item = (usize, &str)> {
    events.iter().enumerate().filter_map(|(place, event)| match &event.kind {
        Kind::Call { function, .. } => Some((place, function.as_ref())),
        _ => None,
    })
}

/// The steps from the call of the post to the completion.
fn data_path(events: &[Event]) -> &[Event] {
    let post = calls(events).find(|(_, function)| *function == "ibv_post_send").expect("a post").0;
    let done = |event: &Event| matches!(event.kind, Kind::Completion { .. });
    let completion = events.iter().position(done).expect("a completion");
    &events[post..=completion]
}

/// Whether a function is a system call.
fn is_system_call(function: &str) -> bool {
    ["write ", "ioctl ", "mmap"].iter().any(|call| function.starts_with(call))
}

#[test]
fn without_the_module_no_provider_is_asked() {
    let walk = walk();
    let events = events(&walk, "act_1_mlx5_ib_absent");
    let asked = |event: &&Event| matches!(&event.kind, Kind::Discovery { subject, .. } if subject.starts_with("provider"));
    assert_eq!(events.iter().filter(asked).count(), 0);
    let called: Vec<&str> = calls(events).map(|(_, function)| function).collect();
    assert_eq!(called, ["act_1_mlx5_ib_absent", "ibv_get_device_list"]);
}

#[test]
fn with_the_module_there_are_system_calls_before_the_post_and_none_behind_it() {
    let walk = walk();
    let events = events(&walk, "act_2_mlx5_ib_present");
    let post = calls(events).find(|(_, function)| *function == "ibv_post_send").expect("a post").0;
    let before = calls(&events[..post]).filter(|(_, function)| is_system_call(function)).count();
    assert!(before > 15, "only {before}");
    let path = data_path(events);
    assert!(path.len() > 25, "only {} steps", path.len());
    assert_eq!(calls(path).filter(|(_, function)| is_system_call(function)).count(), 0);
    let is_control =
        |event: &&Event| walk.trace.site(event).is_some_and(|site| site.group == Group::Control);
    assert_eq!(path.iter().filter(is_control).count(), 0, "nobody is asked for anything");
}

/// Who created the queues makes no difference to the data path, but for polls that came too early.
#[test]
fn the_data_path_is_the_same_through_both_doors() {
    let walk = walk();
    let path = |name| {
        let path = data_path(events(&walk, name));
        let poll = calls(path).filter(|(_, function)| *function == "ibv_poll_cq");
        let first = calls(path).find(|(_, function)| *function == "ibv_poll_cq").expect("a poll").0;
        let last = poll.last().expect("a poll").0;
        let kept = path[..first].iter().chain(&path[last..]);
        let words = |event: &Event| {
            let site = walk.trace.site(event).expect("a site");
            format!("{} {}:{}", event.kind.name(), site.file, site.line)
        };
        kept.map(words).collect::<Vec<_>>()
    };
    let (kernel, vfio) = (path("act_2_mlx5_ib_present"), path("act_3_vfio"));
    assert!(kernel.len() > 25, "only {} steps", kernel.len());
    assert_eq!(kernel, vfio);
}

/// A page with the chapter's table and what it links to.
fn page(left: &str, right: &str) -> Result<String, String> {
    let text = format!(
        "{{{{#trace why-mlx5-ib}}}}\n\n<!-- table -->{{{{#beside why-mlx5-ib left=\"call \
         function={left}\" right=\"call function={right}\" head=\"A, B, C\"}}}}<!-- end -->"
    );
    let page = Preprocessor::new(&Scenarios).chapter("page.md", &text);
    let page = page.map_err(|error| error.to_string())?;
    let table = page.split("<!-- table -->").nth(1).and_then(|rest| rest.split("<!-- end").next());
    Ok(table.expect("a table").to_owned())
}

/// A row without its links.
fn plain(row: &str) -> String {
    let mut parts = row.split("](#");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.replace(['[', '`'], "")
}

#[test]
fn system_calls_stand_beside_the_commands_that_they_became() {
    let table = page("act_2_mlx5_ib_present", "act_3_vfio").expect("a page");
    let rows: Vec<String> = table.lines().map(plain).collect();
    for wanted in [
        "| ibv_alloc_pd | write IB_USER_VERBS_CMD_ALLOC_PD | ALLOC_PD |",
        "| ibv_create_cq | write IB_USER_VERBS_CMD_CREATE_CQ | CREATE_CQ |",
        "| ibv_create_qp | write IB_USER_VERBS_CMD_CREATE_QP | CREATE_QP |",
        "| ibv_modify_qp (INIT) | write IB_USER_VERBS_CMD_MODIFY_QP | RST2INIT_QP |",
        "| ibv_modify_qp (RTR) | write IB_USER_VERBS_CMD_MODIFY_QP | INIT2RTR_QP |",
        "| ibv_modify_qp (RTS) | write IB_USER_VERBS_CMD_MODIFY_QP | RTR2RTS_QP |",
        "| ibv_reg_mr | write IB_USER_VERBS_CMD_REG_MR | CREATE_MKEY |",
        "| ibv_post_send | nothing | nothing |",
        "| ibv_poll_cq | nothing | nothing |",
    ] {
        assert_eq!(rows.iter().filter(|row| *row == wanted).count(), 1, "{wanted}\n{table}");
    }
    let open = rows.iter().find(|row| row.starts_with("| ibv_open_device")).expect("a row");
    for part in ["GET_CONTEXT", "mmap", "ENABLE_HCA", "INIT_HCA", "CREATE_EQ"] {
        assert!(open.contains(part), "{part} in {open}");
    }
    let back = rows.iter().find(|row| row.starts_with("| giving back")).expect("a row");
    for part in ["DEREG_MR ×2,", "DESTROY_MKEY ×2,", "DEALLOC_PD,", "TEARDOWN_HCA"] {
        assert!(back.contains(part), "{part} in {back}");
    }
}

#[test]
fn what_did_not_do_the_same_does_not_stand_beside_it() {
    let error = page("act_1_mlx5_ib_absent", "act_3_vfio").expect_err("different programs");
    assert!(error.contains("page.md:3") && error.contains("the end"), "{error}");
    let error = page("no_such_act", "act_3_vfio").expect_err("no such call");
    assert!(error.contains("function=no_such_act"), "{error}");
}

#[test]
fn every_step_of_the_recording_has_a_note() {
    let walk = walk();
    for step in &walk.steps {
        let note = step.anchor.as_deref().and_then(doorbell_book::note);
        let place = format!("{}:{}", step.file, step.line);
        assert!(note.is_some(), "step {} at {place}; remake the recording", step.number);
    }
}
