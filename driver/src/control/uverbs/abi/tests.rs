//! The structures, compared with the C headers of the kernel's interface.

mod numbers;

use super::*;
use numbers::numbers;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::process::Command as Process;

/// The core part of a request or an answer, and the provider's behind it: the C structures, our
/// size, and some of our offsets with the C fields that they are of.
struct Pair {
    core: &'static str,
    provider: Option<&'static str>,
    size: usize,
    fields: Vec<(usize, &'static str, &'static str)>,
}

/// All of them.
fn pairs() -> Vec<Pair> {
    let pair = |core, provider, size, fields| Pair { core, provider, size, fields };
    let (cq, qp) = ("struct mlx5_ib_create_cq", "struct mlx5_ib_create_qp");
    vec![
        pair("struct ib_uverbs_cmd_hdr", None, size_of::<Header>(), vec![]),
        pair(
            "struct ib_uverbs_get_context",
            Some("struct mlx5_ib_alloc_ucontext_req_v2"),
            size_of::<GetContext>(),
            vec![
                (offset_of!(GetContext, max_cqe_version), "provider", "max_cqe_version"),
                (offset_of!(GetContext, lib_caps), "provider", "lib_caps"),
            ],
        ),
        pair(
            "struct ib_uverbs_get_context_resp",
            Some("struct mlx5_ib_alloc_ucontext_resp"),
            size_of::<GetContextAnswer>(),
            vec![
                (offset_of!(GetContextAnswer, cqe_version), "provider", "cqe_version"),
                (offset_of!(GetContextAnswer, log_uar_size), "provider", "log_uar_size"),
            ],
        ),
        pair("struct ib_uverbs_alloc_pd", None, size_of::<AllocPd>(), vec![]),
        pair(
            "struct ib_uverbs_alloc_pd_resp",
            Some("struct mlx5_ib_alloc_pd_resp"),
            size_of::<AllocPdAnswer>(),
            vec![(offset_of!(AllocPdAnswer, pdn), "provider", "pdn")],
        ),
        pair(
            "struct ib_uverbs_reg_mr",
            None,
            size_of::<RegMr>(),
            vec![
                (offset_of!(RegMr, hca_va), "core", "hca_va"),
                (offset_of!(RegMr, access_flags), "core", "access_flags"),
            ],
        ),
        pair(
            "struct ib_uverbs_reg_mr_resp",
            None,
            size_of::<RegMrAnswer>(),
            vec![(offset_of!(RegMrAnswer, rkey), "core", "rkey")],
        ),
        pair(
            "struct ib_uverbs_create_cq",
            Some(cq),
            size_of::<CreateCq>(),
            vec![
                (offset_of!(CreateCq, comp_channel), "core", "comp_channel"),
                (offset_of!(CreateCq, flags), "provider", "flags"),
                (offset_of!(CreateCq, uar_page_index), "provider", "uar_page_index"),
            ],
        ),
        pair(
            "struct ib_uverbs_create_cq_resp",
            Some("struct mlx5_ib_create_cq_resp"),
            size_of::<CreateCqAnswer>(),
            vec![(offset_of!(CreateCqAnswer, cqn), "provider", "cqn")],
        ),
        pair(
            "struct ib_uverbs_create_qp",
            Some(qp),
            size_of::<CreateQp>(),
            vec![
                (offset_of!(CreateQp, qp_type), "core", "qp_type"),
                (offset_of!(CreateQp, rq_wqe_shift), "provider", "rq_wqe_shift"),
                (offset_of!(CreateQp, uidx), "provider", "uidx"),
                (offset_of!(CreateQp, bfreg_index), "provider", "bfreg_index"),
            ],
        ),
        pair(
            "struct ib_uverbs_create_qp_resp",
            Some("struct mlx5_ib_create_qp_resp"),
            size_of::<CreateQpAnswer>(),
            vec![(offset_of!(CreateQpAnswer, qpn), "core", "qpn")],
        ),
        pair(
            "struct ib_uverbs_modify_qp",
            None,
            size_of::<ModifyQp>(),
            vec![
                (offset_of!(ModifyQp, qp_handle), "core", "qp_handle"),
                (offset_of!(ModifyQp, qp_state), "core", "qp_state"),
                (offset_of!(ModifyQp, rnr_retry), "core", "rnr_retry"),
            ],
        ),
        pair(
            "struct ib_uverbs_qp_dest",
            None,
            size_of::<Destination>(),
            vec![
                (offset_of!(Destination, dlid), "core", "dlid"),
                (offset_of!(Destination, port_num), "core", "port_num"),
            ],
        ),
        pair("struct ib_uverbs_query_qp", None, size_of::<QueryQp>(), vec![]),
        pair(
            "struct ib_uverbs_query_qp_resp",
            None,
            size_of::<QueryQpAnswer>(),
            vec![
                (offset_of!(QueryQpAnswer, qkey), "core", "qkey"),
                (offset_of!(QueryQpAnswer, qp_access_flags), "core", "qp_access_flags"),
                (offset_of!(QueryQpAnswer, qp_state), "core", "qp_state"),
                (offset_of!(QueryQpAnswer, sq_draining), "core", "sq_draining"),
                (offset_of!(QueryQpAnswer, rnr_retry), "core", "rnr_retry"),
                (offset_of!(QueryQpAnswer, sq_sig_all), "core", "sq_sig_all"),
            ],
        ),
        pair(
            "struct ib_uverbs_alloc_mw",
            None,
            size_of::<AllocMw>(),
            vec![(offset_of!(AllocMw, mw_type), "core", "mw_type")],
        ),
        pair(
            "struct ib_uverbs_alloc_mw_resp",
            None,
            size_of::<AllocMwAnswer>(),
            vec![(offset_of!(AllocMwAnswer, rkey), "core", "rkey")],
        ),
        pair("struct ib_uverbs_dealloc_mw", None, size_of::<Handle>(), vec![]),
        pair("struct ib_uverbs_create_comp_channel", None, size_of::<CreateCompChannel>(), vec![]),
        pair(
            "struct ib_uverbs_create_comp_channel_resp",
            None,
            size_of::<CreateCompChannelAnswer>(),
            vec![],
        ),
        pair("struct ib_uverbs_comp_event_desc", None, size_of::<CompletionEvent>(), vec![]),
        pair(
            "struct ib_uverbs_async_event_desc",
            None,
            size_of::<AsyncEventDescription>(),
            vec![(offset_of!(AsyncEventDescription, event_type), "core", "event_type")],
        ),
        pair("struct ib_uverbs_query_device", None, size_of::<QueryDevice>(), vec![]),
        pair(
            "struct ib_uverbs_query_device_resp",
            None,
            size_of::<QueryDeviceAnswer>(),
            vec![
                (offset_of!(QueryDeviceAnswer, max_sge), "core", "max_sge"),
                (offset_of!(QueryDeviceAnswer, max_srq), "core", "max_srq"),
                (offset_of!(QueryDeviceAnswer, phys_port_cnt), "core", "phys_port_cnt"),
            ],
        ),
        pair(
            "struct ib_uverbs_query_port",
            None,
            size_of::<QueryPort>(),
            vec![(offset_of!(QueryPort, port_num), "core", "port_num")],
        ),
        pair(
            "struct ib_uverbs_query_port_resp",
            None,
            size_of::<QueryPortAnswer>(),
            vec![
                (offset_of!(QueryPortAnswer, state), "core", "state"),
                (offset_of!(QueryPortAnswer, phys_state), "core", "phys_state"),
                (offset_of!(QueryPortAnswer, link_layer), "core", "link_layer"),
            ],
        ),
        pair(
            "struct ib_uverbs_create_srq",
            Some("struct mlx5_ib_create_srq"),
            size_of::<CreateSrq>(),
            vec![
                (offset_of!(CreateSrq, max_sge), "core", "max_sge"),
                (offset_of!(CreateSrq, buf_addr), "provider", "buf_addr"),
                (offset_of!(CreateSrq, uidx), "provider", "uidx"),
            ],
        ),
        pair(
            "struct ib_uverbs_create_srq_resp",
            Some("struct mlx5_ib_create_srq_resp"),
            size_of::<CreateSrqAnswer>(),
            vec![(offset_of!(CreateSrqAnswer, srqn), "provider", "srqn")],
        ),
        pair(
            "struct ib_uverbs_modify_srq",
            None,
            size_of::<ModifySrq>(),
            vec![(offset_of!(ModifySrq, srq_limit), "core", "srq_limit")],
        ),
        pair("struct ib_uverbs_query_srq", None, size_of::<QuerySrq>(), vec![]),
        pair(
            "struct ib_uverbs_query_srq_resp",
            None,
            size_of::<QuerySrqAnswer>(),
            vec![(offset_of!(QuerySrqAnswer, srq_limit), "core", "srq_limit")],
        ),
        pair("struct ib_uverbs_destroy_srq", None, size_of::<Destroy>(), vec![]),
        pair(
            "struct ib_uverbs_create_ah",
            None,
            size_of::<CreateAh>(),
            vec![
                (offset_of!(CreateAh, dgid), "core", "attr.grh.dgid"),
                (offset_of!(CreateAh, hop_limit), "core", "attr.grh.hop_limit"),
                (offset_of!(CreateAh, dlid), "core", "attr.dlid"),
                (offset_of!(CreateAh, port_num), "core", "attr.port_num"),
            ],
        ),
        pair(
            "struct ib_uverbs_create_ah_resp",
            Some("struct mlx5_ib_create_ah_resp"),
            size_of::<CreateAhAnswer>(),
            vec![(offset_of!(CreateAhAnswer, dmac), "provider", "dmac")],
        ),
        pair("struct ib_uverbs_destroy_ah", None, size_of::<Handle>(), vec![]),
        pair("struct ib_uverbs_dereg_mr", None, size_of::<Handle>(), vec![]),
        pair("struct ib_uverbs_destroy_cq", None, size_of::<Destroy>(), vec![]),
        pair("struct ib_uverbs_destroy_cq_resp", None, size_of::<DestroyAnswer>(), vec![]),
        pair("struct ib_uverbs_ioctl_hdr", None, size_of::<IoctlHeader>(), vec![]),
        pair(
            "struct ib_uverbs_attr",
            None,
            size_of::<Attribute>(),
            vec![(offset_of!(Attribute, data), "core", "data")],
        ),
    ]
}

/// A C program that compiles only if all of it is true.
fn program() -> String {
    let mut text = String::new();
    for header in [
        "stddef.h",
        "rdma/ib_user_verbs.h",
        "rdma/mlx5-abi.h",
        "rdma/mlx5_user_ioctl_cmds.h",
        "rdma/mlx5_user_ioctl_verbs.h",
        "rdma/rdma_user_ioctl_cmds.h",
        "infiniband/verbs.h",
    ] {
        let _ = writeln!(text, "#include <{header}>");
    }
    for Pair { core, provider, size, fields } in pairs() {
        let own = provider.map_or_else(String::new, |provider| format!(" + sizeof({provider})"));
        let _ = writeln!(text, "_Static_assert(sizeof({core}){own} == {size}, \"{core}\");");
        for (offset, part, field) in fields {
            let place = match (part, provider) {
                ("provider", Some(provider)) => {
                    format!("sizeof({core}) + offsetof({provider}, {field})")
                }
                _ => format!("offsetof({core}, {field})"),
            };
            let _ = writeln!(text, "_Static_assert({place} == {offset}, \"{core} {field}\");");
        }
    }
    for (number, name) in numbers() {
        let _ = writeln!(text, "_Static_assert(({name}) == {number}, \"{name}\");");
    }
    text
}

#[test]
fn sizes_offsets_and_numbers_are_those_of_the_kernels_headers() {
    let folder = std::env::temp_dir().join(format!("doorbell-abi-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the program");
    let source = folder.join("abi.c");
    std::fs::write(&source, program()).expect("the program is written");
    let compiled = Process::new("cc").args(["-std=c11", "-fsyntax-only"]).arg(&source).output();
    let _ = std::fs::remove_dir_all(&folder);
    let in_ci = std::env::var_os("CI").is_some();
    let Ok(compiled) = compiled else {
        assert!(!in_ci, "there is no C compiler");
        return println!("skipped: there is no C compiler (cc) to compare with the C headers");
    };
    let said = String::from_utf8_lossy(&compiled.stderr);
    if said.contains("No such file") && !in_ci {
        return println!("skipped: the kernel's headers (linux-libc-dev) are not installed");
    }
    assert!(compiled.status.success(), "{said}");
}
