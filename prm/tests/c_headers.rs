//! Sizes, offsets and constants of the data path compared with Debian's `<infiniband/mlx5dv.h>`.
//!
//! The test writes a small C program, compiles it with `cc`, and compares what it prints. Where
//! there is no compiler or no header it says so and passes, unless `CI=true` or
//! `DOORBELL_REQUIRE=c-headers` demand that it runs.

use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome, ErrorCqe};
use doorbell_prm::doorbell::{RECEIVE_RECORD_OFFSET, SEND_RECORD_OFFSET};
use doorbell_prm::registers::uar;
use doorbell_prm::wqe::*;
use std::collections::BTreeMap;
use std::process::Command;

/// A structure: its name in C, its size here, and each member: name in C, name here.
struct Pair {
    c: &'static str,
    size: usize,
    members: &'static [(&'static str, usize, usize)],
    names: &'static [(&'static str, &'static str)],
}

const PAIRS: &[Pair] = &[
    Pair {
        c: "mlx5_wqe_ctrl_seg",
        size: ControlSegment::SIZE,
        members: ControlSegment::MEMBERS,
        names: &[
            ("opmod_idx_opcode", "opmod_idx_opcode"),
            ("qpn_ds", "qpn_ds"),
            ("signature", "signature"),
            ("fm_ce_se", "fm_ce_se"),
            ("imm", "immediate"),
        ],
    },
    Pair {
        c: "mlx5_wqe_raddr_seg",
        size: RemoteAddressSegment::SIZE,
        members: RemoteAddressSegment::MEMBERS,
        names: &[("raddr", "remote_address"), ("rkey", "rkey"), ("reserved", "reserved0")],
    },
    Pair {
        c: "mlx5_wqe_data_seg",
        size: DataSegment::SIZE,
        members: DataSegment::MEMBERS,
        names: &[("byte_count", "byte_count"), ("lkey", "lkey"), ("addr", "address")],
    },
    Pair {
        c: "mlx5_wqe_inl_data_seg",
        size: InlineHeader::SIZE,
        members: InlineHeader::MEMBERS,
        names: &[("byte_count", "inline_byte_count")],
    },
    Pair {
        c: "mlx5_wqe_atomic_seg",
        size: AtomicSegment::SIZE,
        members: AtomicSegment::MEMBERS,
        names: &[("swap_add", "swap_add"), ("compare", "compare")],
    },
    Pair {
        c: "mlx5_wqe_umr_ctrl_seg",
        size: UmrControlSegment::SIZE,
        members: UmrControlSegment::MEMBERS,
        names: &[
            ("flags", "flags"),
            ("klm_octowords", "klm_octowords"),
            ("translation_offset", "translation_offset"),
            ("mkey_mask", "mkey_mask"),
        ],
    },
    Pair {
        c: "mlx5_wqe_mkey_context_seg",
        size: MkeyContextSegment::SIZE,
        members: MkeyContextSegment::MEMBERS,
        names: &[
            ("free", "state"),
            ("access_flags", "access_flags"),
            ("qpn_mkey", "qpn_mkey"),
            ("flags_pd", "flags_pd"),
            ("start_addr", "start_address"),
            ("len", "length"),
            ("bsf_octword_size", "bsf_octoword_size"),
            ("translations_octword_size", "translations_octoword_size"),
            ("log_page_size", "log_page_size"),
        ],
    },
    Pair {
        c: "mlx5_wqe_umr_klm_seg",
        size: KlmSegment::SIZE,
        members: KlmSegment::MEMBERS,
        names: &[("byte_count", "byte_count"), ("mkey", "mkey"), ("address", "address")],
    },
    Pair {
        c: "mlx5_cqe64",
        size: Cqe::SIZE,
        members: Cqe::MEMBERS,
        names: &[
            ("wqe_id", "wqe_id"),
            ("ml_path", "ml_path"),
            ("slid", "slid"),
            ("flags_rqpn", "flags_rqpn"),
            ("hds_ip_ext", "hds_ip_ext"),
            ("l4_hdr_type_etc", "l4_hdr_type_etc"),
            ("vlan_info", "vlan_info"),
            ("srqn_uidx", "srqn_uidx"),
            ("imm_inval_pkey", "imm_inval_pkey"),
            ("app", "app"),
            ("app_op", "app_op"),
            ("app_info", "app_info"),
            ("byte_cnt", "byte_cnt"),
            ("timestamp", "timestamp"),
            ("sop_drop_qpn", "sop_drop_qpn"),
            ("wqe_counter", "wqe_counter"),
            ("signature", "signature"),
            ("op_own", "op_own"),
        ],
    },
    Pair {
        c: "mlx5_err_cqe",
        size: ErrorCqe::SIZE,
        members: ErrorCqe::MEMBERS,
        names: &[
            ("srqn", "srqn"),
            ("vendor_err_synd", "vendor_err_synd"),
            ("syndrome", "syndrome"),
            ("s_wqe_opcode_qpn", "s_wqe_opcode_qpn"),
            ("wqe_counter", "wqe_counter"),
            ("signature", "signature"),
            ("op_own", "op_own"),
        ],
    },
];

/// Constants: the name in C and the number here.
fn constants() -> Vec<(String, u64)> {
    let flag = |set: fn(&mut UmrControlSegment, u8)| {
        let mut segment = UmrControlSegment::zeroed();
        set(&mut segment, 1);
        u64::from(segment.flags)
    };
    let mask = |set: fn(&mut UmrControlSegment, u64)| {
        let mut segment = UmrControlSegment::zeroed();
        set(&mut segment, 1);
        segment.mkey_mask.get()
    };
    let right = |set: fn(&mut MkeyContextSegment, u8)| {
        let mut segment = MkeyContextSegment::zeroed();
        set(&mut segment, 1);
        u64::from(segment.access_flags | segment.state)
    };
    let mut all: Vec<(String, u64)> = vec![
        ("MLX5_RCV_DBR * 4".into(), RECEIVE_RECORD_OFFSET as u64),
        ("MLX5_SND_DBR * 4".into(), SEND_RECORD_OFFSET as u64),
        ("MLX5_CQ_DOORBELL".into(), uar::CQ_DOORBELL),
        ("MLX5_WQE_CTRL_CQ_UPDATE".into(), CONTROL_CQ_UPDATE.into()),
        ("MLX5_WQE_CTRL_SOLICITED".into(), CONTROL_SOLICITED.into()),
        ("MLX5_WQE_CTRL_FENCE".into(), CONTROL_FENCE.into()),
        ("MLX5_WQE_CTRL_INITIATOR_SMALL_FENCE".into(), CONTROL_INITIATOR_SMALL_FENCE.into()),
        ("MLX5_INVALID_LKEY".into(), INVALID_LKEY.into()),
        ("MLX5_INLINE_SEG".into(), INLINE_SEGMENT.into()),
        ("MLX5_SEND_WQE_BB".into(), SEND_BLOCK as u64),
        // In C the header goes on behind the segment.
        ("offsetof(struct mlx5_wqe_eth_seg, cs_flags)".into(), 4),
        ("offsetof(struct mlx5_wqe_eth_seg, mss)".into(), 6),
        ("offsetof(struct mlx5_wqe_eth_seg, inline_hdr_sz)".into(), 12),
        ("offsetof(struct mlx5_wqe_eth_seg, inline_hdr)".into(), EthernetSegment::SIZE as u64),
    ];
    type Umr = UmrControlSegment;
    let flags = [
        ("INLINE", flag(Umr::set_is_inline)),
        ("CHECK_FREE", flag(Umr::set_check_free)),
        ("TRNSLATION_OFFSET", flag(Umr::set_translation_in_octowords)),
        ("CHECK_QPN", flag(Umr::set_check_qpn)),
    ];
    all.extend(flags.map(|(name, bit)| (format!("MLX5_WQE_UMR_CTRL_FLAG_{name}"), bit)));
    let masks = [
        ("LEN", mask(Umr::set_changes_length)),
        ("START_ADDR", mask(Umr::set_changes_start)),
        ("MKEY", mask(Umr::set_changes_mkey)),
        ("QPN", mask(Umr::set_changes_qpn)),
        ("ACCESS_LOCAL_WRITE", mask(Umr::set_changes_local_write)),
        ("ACCESS_REMOTE_READ", mask(Umr::set_changes_remote_read)),
        ("ACCESS_REMOTE_WRITE", mask(Umr::set_changes_remote_write)),
        ("ACCESS_ATOMIC", mask(Umr::set_changes_atomic)),
        ("FREE", mask(Umr::set_changes_free)),
    ];
    all.extend(masks.map(|(name, bit)| (format!("MLX5_WQE_UMR_CTRL_MKEY_MASK_{name}"), bit)));
    type Mkey = MkeyContextSegment;
    let rights = [
        ("FREE", right(Mkey::set_free)),
        ("ACCESS_FLAGS_ATOMIC", right(Mkey::set_atomic)),
        ("ACCESS_FLAGS_REMOTE_WRITE", right(Mkey::set_remote_write)),
        ("ACCESS_FLAGS_REMOTE_READ", right(Mkey::set_remote_read)),
        ("ACCESS_FLAGS_LOCAL_WRITE", right(Mkey::set_local_write)),
        ("ACCESS_FLAGS_LOCAL_READ", right(Mkey::set_local_read)),
    ];
    all.extend(rights.map(|(name, bit)| (format!("MLX5_WQE_MKEY_CONTEXT_{name}"), bit)));
    let tables = [
        ("MLX5_OPCODE_", SendOpcode::TABLE),
        ("MLX5_CQE_", CqeOpcode::TABLE),
        ("MLX5_CQE_SYNDROME_", CqeSyndrome::TABLE),
    ];
    for (prefix, table) in tables {
        all.extend(table.iter().map(|(number, name)| (format!("{prefix}{name}"), *number)));
    }
    all
}

fn program() -> String {
    let mut text = String::from(
        "#include <stdio.h>\n#include <stddef.h>\n#include <infiniband/mlx5dv.h>\nint main(void) {\n",
    );
    for pair in PAIRS {
        let c = pair.c;
        text += &format!("  printf(\"%s=%zu\\n\", \"{c}\", sizeof(struct {c}));\n");
        for (member, _) in pair.names {
            text += &format!(
                "  printf(\"%s=%zu\\n\", \"{c}.{member}\", offsetof(struct {c}, {member}));\n  \
                 printf(\"%s=%zu\\n\", \"sizeof {c}.{member}\", sizeof(((struct {c} *)0)->{member}));\n"
            );
        }
    }
    for (name, _) in constants() {
        text += &format!("  printf(\"%s=%llu\\n\", \"{name}\", (unsigned long long)({name}));\n");
    }
    text + "  return 0;\n}\n"
}

/// Whether a missing compiler or header is a failure.
fn required() -> bool {
    let names = |wanted: &str, list: String| list.split(',').any(|name| name.trim() == wanted);
    std::env::var("CI").is_ok_and(|value| value == "true")
        || std::env::var("DOORBELL_REQUIRE").is_ok_and(|list| names("c-headers", list))
}

fn skip(why: &str) {
    assert!(!required(), "{why}; install gcc and libibverbs-dev");
    println!("skipped: {why}; install gcc and libibverbs-dev to compare with the C headers");
}

/// Whether the compiler finds the header at all.
fn header_is_there(directory: &std::path::Path) -> Result<(), String> {
    let source = directory.join("probe.c");
    std::fs::write(&source, "#include <infiniband/mlx5dv.h>\n").map_err(|e| e.to_string())?;
    match Command::new("cc").arg("-fsyntax-only").arg(&source).output() {
        Err(error) => Err(format!("no C compiler ({error})")),
        Ok(output) if !output.status.success() => Err("no <infiniband/mlx5dv.h>".into()),
        Ok(_) => Ok(()),
    }
}

#[test]
fn layouts_and_constants_are_those_of_mlx5dv_h() {
    let directory = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    if let Err(why) = header_is_there(&directory) {
        return skip(&why);
    }
    let (source, binary) = (directory.join("layouts.c"), directory.join("layouts"));
    std::fs::write(&source, program()).expect("the target directory can be written");
    let compiled = Command::new("cc").arg("-o").arg(&binary).arg(&source).output();
    let compiled = compiled.expect("cc ran a moment ago");
    let complaint = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "the C program does not compile:\n{complaint}");
    let printed = Command::new(&binary).output().expect("the program runs").stdout;
    let printed = String::from_utf8(printed).expect("the program prints ASCII");
    let there: BTreeMap<&str, u64> = printed
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, number)| (name, number.parse().expect("a number")))
        .collect();
    compare_structures(&there);
    for (name, here) in constants() {
        assert_eq!(there[name.as_str()], here, "{name}");
    }
}

fn compare_structures(there: &BTreeMap<&str, u64>) {
    for pair in PAIRS {
        let c = pair.c;
        assert_eq!(there[c], pair.size as u64, "size of {c}");
        for (member, here) in pair.names {
            let found = pair.members.iter().find(|known| known.0 == *here);
            let (_, offset, size) = found.unwrap_or_else(|| panic!("{c} has no {here}"));
            assert_eq!(there[format!("{c}.{member}").as_str()], *offset as u64, "{c}.{member}");
            let name = format!("sizeof {c}.{member}");
            assert_eq!(there[name.as_str()], *size as u64, "{name}");
        }
    }
}
