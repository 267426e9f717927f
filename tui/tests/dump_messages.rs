//! Messages that tell an error in words, and what is made of broken ones.

use doorbell::dump::causes::{meaning, of_status};
use doorbell::dump::meaning::explain;
use doorbell::dump::{Failure, Found, ScanError, Seen, What, scan};
use doorbell_examples::scenarios;
use doorbell_prm::cqe::CqeSyndrome;

/// What is found in bytes.
fn found_in(text: &[u8]) -> (Vec<Found>, Seen) {
    let mut all = Vec::new();
    let mut give = |found| {
        all.push(found);
        Ok(())
    };
    let seen = scan(text, None, &mut give).expect("text");
    (all, seen)
}

/// The failure that a message tells of.
#[track_caller]
fn failure(text: &str) -> (Failure, Found) {
    let (all, _) = found_in(text.as_bytes());
    let [found] = all.as_slice() else { panic!("{text}: {all:#?}") };
    match &found.what {
        What::Completion(failure) => (failure.clone(), found.clone()),
        other => panic!("{other:#?}"),
    }
}

#[test]
fn ucx_tells_the_error_in_two_lines() {
    // ib_mlx5_log.c: the sentence and what it is printed with have changed, the form has not.
    for first in [
        "Remote access error on mlx5_0:1/IB (synd 0x13 vend 0x88 hw_synd 0/0)",
        "Remote access on mlx5_0:1/RoCE (synd 0x13 vend 0x88 hw_synd 0/0)",
        "Remote access error on mlx5_0:1/IB (synd 0x13 vend 0x88)",
    ] {
        let (told, found) = failure(&format!(
            "[node7:14791:0:14791] ib_mlx5_log.c:177  {first}\n[node7:14791:0:14791] \
             ib_mlx5_log.c:177  RC QP 0x1ca1 wqe[6]: RDMA_WRITE s-- [rva 0x7f00 rkey 0x6029] [va \
             0x8000 len 632 lkey 0x41e6] [rqpn 0x20fc dlid=12 sl=0 port=1 src_path_bits=0]\n"
        ));
        assert_eq!((told.syndrome, told.vendor), (Some(0x13), Some(0x88)), "{first}");
        assert_eq!((told.queue, told.wqe_counter), (Some(0x1ca1), Some(6)), "{first}");
        assert_eq!((found.first, found.last), (1, 2));
        assert!(explain(&found).causes[0].0.contains("rkey"));
    }
    let (told, _) = failure(
        "Local protection error on mlx5_0:1/IB (synd 0x4 vend 0x32 hw_synd 0/146)\nSRQ QP 0x12639 \
         wqe[1]: next_wqe 2 desc 0x7f1b495faade - [byte_count 8256 lkey 0x179d5d addr 0x7f1b]\n",
    );
    assert_eq!((told.receive, told.wqe_counter), (Some(true), Some(1)));
    let (told, _) = failure(
        "[n:1:0:1] rc_verbs_iface.c:124  send completion with error: local protection error [qpn \
         0xf9db wrid 0x149vendor_err 0x51]\n",
    );
    assert_eq!((told.queue, told.vendor, told.syndrome), (Some(0xf9db), Some(0x51), None));
}

#[test]
fn perftest_and_the_examples_give_a_status() {
    for text in [
        " Completion with error at client\n Failed status 12: wr_id 0 syndrom 0x81\n scnt=128, ccnt=0\n",
        " Failed status-transport retry counter exceeded (12): wr_id 0 syndrom 0x81\n",
        "Failed status transport retry counter exceeded (12) for wr_id 2\n",
    ] {
        let (told, found) = failure(text);
        assert_eq!(told.status, Some(12), "{text}");
        let said = explain(&found);
        assert!(said.happened.contains("TRANSPORT_RETRY_EXC_ERR"), "{}", said.happened);
    }
}

#[test]
fn debug_messages_of_the_kernel_are_put_together_and_counted() {
    let two = "infiniband mlx5_1: mlx5_poll_one:527:(pid 0): Responder error cqe on cqn 0x406:\n\
               infiniband mlx5_1: mlx5_poll_one:530:(pid 0): syndrome 0x5, vendor syndrome 0xf9\n";
    let (told, found) = failure(&two.repeat(1000));
    assert_eq!((told.syndrome, told.vendor, told.cqn), (Some(5), Some(0xf9), Some(0x406)));
    assert_eq!((found.last, found.repeats, found.repeated_to), (2, 999, 2000));
}

#[test]
fn dpdk_and_the_network_interface_name_their_queues() {
    let (told, _) = failure(
        "Unexpected CQE error syndrome 0x04 CQN = 128 SQN = 14688 wqe_counter = 1 wq_ci = 2 cq_ci \
         = 0",
    );
    assert_eq!((told.queue_is, told.queue, told.wqe_counter), ("SQ", Some(14688), Some(1)));
    let (told, _) = failure(
        "Unexpected CQE error syndrome 0x01 CQN = 128 RQN = 17 wqe_counter = 1 rq_ci = 2 cq_ci = 0",
    );
    assert_eq!((told.queue_is, told.receive), ("RQ", Some(true)));
    for name in ["sqn", "qn"] {
        let (told, found) = failure(&format!(
            "mlx5_core 0000:3b:00.1 eth1: Error cqe on cqn 0x817, ci 0x8, {name} 0x1dbb, opcode 0xd, \
             syndrome 0x1, vendor syndrome 0x68"
        ));
        assert_eq!((told.queue_is, told.queue, told.cqn), ("SQ", Some(0x1dbb), Some(0x817)));
        assert!(found.notes[0].contains("not there"), "the dump was cut off: {:?}", found.notes);
    }
}

#[test]
fn failed_commands_of_all_versions() {
    for (text, syndrome) in [
        (
            "mlx5_core 0000:81:00.0: mlx5_cmd_check:753:(pid 29458): INIT2RTR_QP(0x503) op_mod(0x0) \
             failed, status bad parameter(0x3), syndrome (0x144b7a)",
            0x14_4b7a,
        ),
        (
            "mlx5_core 0000:08:00.0: mlx5_cmd_out_err:778:(pid 2): CREATE_LAG(0x840) op_mod(0x0) \
             failed, status bad parameter(0x3), syndrome (0x7d49cb), err(-22)",
            0x7d_49cb,
        ),
        ("mlx5_core: command failed, status bad parameter(0x3), syndrome 0x7d49cb", 0x7d_49cb),
    ] {
        let (all, _) = found_in(text.as_bytes());
        let What::Command(failure) = &all[0].what else { panic!("{all:#?}") };
        assert_eq!((failure.status, failure.syndrome), (3, syndrome));
        let said = explain(&all[0]);
        assert!(said.happened.contains("BAD_PARAM_ERR"), "{}", said.happened);
        assert!(said.vendor[0].contains("not publicly documented"));
    }
}

#[test]
fn the_health_buffer_is_one_finding() {
    let mut text = String::new();
    for index in 0..6 {
        text += &format!(
            "[ 1.5] mlx5_core 0000:3b:00.0: print_health_info:416:(pid 0): assert_var[{index}] 0xfc3fc043\n"
        );
    }
    text += "mlx5_core 0000:3b:00.0: assert_exit_ptr 0x0090f4a8\n\
             mlx5_core 0000:3b:00.0: fw_ver 16.28.2006\nmlx5_core 0000:3b:00.0: time 1690000000\n\
             mlx5_core 0000:3b:00.0: synd 0x10: High temperature\n\
             mlx5_core 0000:3b:00.0: ext_synd 0x0021\nmlx5_core 0000:3b:00.0: raw fw_ver 0x101c07d6\n";
    let (all, _) = found_in(text.as_bytes());
    let [found] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!(found.what, What::Firmware(Some(0x10)));
    assert_eq!((found.first, found.last, found.facts.len()), (1, 12, 12));
    assert!(explain(found).causes[0].0.contains("hot"));
    let (none, _) = found_in(b"ping: time 23\nkernel: severity 3\n");
    assert!(none.is_empty(), "ordinary words: {none:#?}");
}

#[test]
fn a_queue_that_overflowed() {
    let (all, _) = found_in(b"mlx5_core 0000:33:00.1: cq_err_event_notifier:505:(pid 0): CQ error on CQN 0x954, syndrome 0x1\n");
    assert_eq!(all[0].what, What::CompletionQueue(0x954, 1));
    assert!(explain(&all[0]).happened.contains("overflowed"));
}

#[test]
fn every_syndrome_has_a_meaning_and_causes_with_checks() {
    for (code, name) in CqeSyndrome::TABLE {
        let known = u8::try_from(*code).ok().and_then(CqeSyndrome::from_code).expect(name);
        let said = meaning(known);
        assert!(!said.causes.is_empty(), "{name}");
        assert!(said.causes.iter().all(|cause| cause.check.ends_with('.')), "{name}");
        assert_eq!(of_status(said.status), Some(known), "{name}");
    }
}

/// Each link leads to a scenario of the gallery that ends in this very status, and no such scenario is left out.
#[test]
fn the_gallery_is_linked_from_the_causes_that_it_shows() {
    let mut linked = Vec::new();
    for (code, _) in CqeSyndrome::TABLE {
        let known = u8::try_from(*code).ok().and_then(CqeSyndrome::from_code).expect("a syndrome");
        let said = meaning(known);
        for cause in said.causes {
            let Some(name) = cause.scenario else { continue };
            let shown = doorbell_examples::failure(name)
                .unwrap_or_else(|| panic!("{name} is none of the gallery"));
            assert_eq!(shown.ends, said.status_name, "{name}");
            assert_eq!((shown.why, shown.check), (cause.why, cause.check), "{name}");
            linked.push(name);
        }
    }
    let ends_in_a_completion = scenarios().iter().filter(|scenario| {
        scenario.failure.is_some_and(|failure| failure.ends.starts_with("IBV_WC_"))
    });
    for scenario in ends_in_a_completion {
        assert!(linked.contains(&scenario.name), "{} is linked from nowhere", scenario.name);
    }
}

#[test]
fn what_nobody_documents_is_said_to_be_so() {
    let error = |syndrome: u8, vendor: u8| {
        let mut row = format!("00 00 00 00 00 00 {vendor:02x} {syndrome:02x} ");
        row += "0a 00 00 42 00 01 00 d2";
        let zeros = "00 ".repeat(16);
        failure(&format!("dump error cqe\n{zeros}\n{zeros}\n{zeros}\n{row}\n")).1
    };
    assert!(explain(&error(0x13, 0x77)).vendor[0].contains("not publicly documented"));
    assert!(explain(&error(0x22, 0x93)).vendor[0].contains("on-demand paging"));
    for (syndrome, code, standing) in [(0x13, 0x88, "agree"), (0x04, 0x52, "not confirmed")] {
        let said = &explain(&error(syndrome, code)).vendor[0];
        assert!(said.contains(standing) && said.contains("spdk/spdk issue"), "{said}");
    }
    let unknown = explain(&error(0x77, 0x88));
    assert!(unknown.happened.contains("0x77") && unknown.causes.is_empty(), "{unknown:#?}");
}

#[test]
fn broken_dumps_are_told_not_guessed() {
    let zeros = "00 ".repeat(16);
    let row = "00 00 00 00 00 00 88 13 0a 00 00 42 00 01 00 d2";
    // A row with a byte too many, as some copies of a log have.
    let wide = format!(
        "dump error cqe\n00000000: {zeros}00\n00000010: {zeros}\n00000020: {zeros}\n00000030: {row}\n"
    );
    let (told, found) = failure(&wide);
    assert_eq!(told.syndrome, Some(0x13));
    assert!(found.notes[0].contains("line 2 has 1 bytes more"), "{:?}", found.notes);
    // Cut short.
    let (all, _) = found_in(format!("dump error cqe\n00000000: {zeros}\nend\n").as_bytes());
    let dump = all[0].dump.as_ref().expect("bytes");
    assert!(!dump.readings[0].fits() && all[0].notes[0].contains("16 of 64"), "{all:#?}");
    assert_eq!(all[0].what, What::Structure, "nothing is said to have failed");
    // Wrapped by a mail.
    let wrapped = format!(
        "dump error cqe\n00000000: {}\n      00 00 00\n00000010: {zeros}\n00000020: {zeros}\n00000030: {row}\n",
        "00 ".repeat(13)
    );
    assert_eq!(failure(&wrapped).0.syndrome, Some(0x13));
    // Message and bytes that differ.
    let differ = format!(
        "Error cqe on cqn 0x1, ci 0x8, qn 0x42, opcode 0xd, syndrome 0x4, vendor syndrome 0x88\n\
         00000000: {zeros}\n00000010: {zeros}\n00000020: {zeros}\n00000030: {row}\n"
    );
    let (told, found) = failure(&differ);
    assert_eq!(told.syndrome, Some(0x13), "the bytes are believed");
    assert!(found.notes[0].contains("0x4") && found.notes[0].contains("0x13"), "{:?}", found.notes);
    // A title alone, and hex of something else.
    let (all, seen) = found_in(b"dump error cqe\nnothing\n");
    assert_eq!((all.len(), seen.lonely, seen.lonely_at), (0, 1, vec![1]));
    let (all, seen) =
        found_in(b"skb linear: 00000000: cb 2c 14 67 03 d0 97 eb ad 35 2f 92 80 10 08 00\n");
    assert_eq!((all.len(), seen.unknown, seen.unknown_at), (0, 1, vec![(1, 16)]));
}

#[test]
fn files_of_other_kinds_are_named() {
    let fails = |bytes: &[u8]| match scan(bytes, None, &mut |_| Ok(())) {
        Err(ScanError::Foreign(_)) => true,
        other => panic!("{other:?}"),
    };
    assert!(fails(b"{\"format\":\"doorbell-trace\",\"schema\":1}"));
    assert!(
        fails(b"\x1f\x8b\x08\0") && fails(b"\xff\xfed\0u\0m\0p\0") && fails(b"\x0a\x0d\x0d\x0a")
    );
    let (_, seen) = found_in(&[0; 64]);
    assert!(seen.binary);
}
