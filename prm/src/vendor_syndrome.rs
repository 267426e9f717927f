//! Vendor syndromes: the finer reason in an error CQE, as far as public sources give one.
//!
//! The PRM does not list them. What is here was seen in public reports, each named, by the status that
//! stood beside it; or it is in a header or a text of the vendor's. Nothing was measured for this table.

use crate::cqe::CqeSyndrome::{self, *};

/// A vendor syndrome, and what is publicly known of it beside that syndrome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VendorSyndrome {
    /// The documented syndrome of the same CQE.
    pub syndrome: CqeSyndrome,
    /// `vendor_err_synd`.
    pub code: u8,
    /// What it was seen for.
    pub meaning: &'static str,
    /// How much that is worth.
    pub standing: Standing,
    /// Where it is public.
    pub sources: &'static [&'static str],
}

/// How much is known of a vendor syndrome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The vendor says so, in a header or a text.
    Stated,
    /// Independent reports of ConnectX-4 or later agree, in the same situation, and none contradicts them.
    Agreed,
    /// One report, or several whose situation is not the same.
    Reported,
}

/// What is known of a vendor syndrome; `None` if nothing is.
pub fn vendor_syndrome(syndrome: CqeSyndrome, code: u8) -> Option<&'static VendorSyndrome> {
    VENDOR_SYNDROMES.iter().find(|known| (known.syndrome, known.code) == (syndrome, code))
}

/// Measured on ConnectX-5 and ConnectX-6, one fault at a time. The text has no lasting address that is
/// known here, but a line by which GitHub's search finds it.
const MEASURED: &str = "faults measured on ConnectX-5 and ConnectX-6 (GitHub, by its line \
                        \"vendor_err=0x52 (invalid lkey)\")";

/// All of which something is known.
pub const VENDOR_SYNDROMES: &[VendorSyndrome] = &[
    VendorSyndrome {
        syndrome: TransportRetryExceeded,
        code: 0x81,
        meaning: "no answer came, and the retries are used up",
        standing: Standing::Agreed,
        sources: &[
            "openucx/ucx issue 6000",
            "openucx/ucx issue 7416",
            "NVIDIA/nccl issue 1664",
            "ruihong123/dLSM issue 7",
            MEASURED,
        ],
    },
    VendorSyndrome {
        syndrome: RnrRetryExceeded,
        code: 0x87,
        meaning: "no receive was posted there, and the retries are used up",
        standing: Standing::Agreed,
        sources: &[
            MEASURED,
            "a send to a receiver that posts nothing, mlx5_0 (GitHub, by its line \
             \"00008716 0a001f8e 000027d2\")",
            "the same number on an older card: Open MPI users, 2011-12-12, \"Error launching w/ 1.5.3 \
             on IB mthca nodes\"",
        ],
    },
    VendorSyndrome {
        syndrome: RemoteAccessError,
        code: 0x88,
        meaning: "the other side refused the rkey, the range or the right (a NAK)",
        standing: Standing::Agreed,
        sources: &[
            "spdk/spdk issue 964",
            "openucx/ucx issue 1569",
            "ofiwg/libfabric issue 4283",
            MEASURED,
        ],
    },
    VendorSyndrome {
        syndrome: RemoteInvalidRequest,
        code: 0x8a,
        meaning: "the other side refused the request as invalid (a NAK)",
        standing: Standing::Agreed,
        sources: &[
            "charmplusplus/charm issue 2532",
            "Open MPI users, 2013-01-23, \"IBV_EVENT_QP_ACCESS_ERR\"",
            MEASURED,
        ],
    },
    VendorSyndrome {
        syndrome: WorkRequestFlushed,
        code: 0xf9,
        meaning: "flushed behind other work that failed or was flushed",
        standing: Standing::Agreed,
        sources: &[
            "ruihong123/dLSM issue 7",
            "NVIDIA/nccl issue 1814",
            "linux-nvme/nvme-cli issue 3268 (receives)",
            "errors of NCCL on ConnectX-6 (GitHub, by its line \"flush 5/0xf9 of the next WQE\")",
        ],
    },
    VendorSyndrome {
        syndrome: WorkRequestFlushed,
        code: 0xf5,
        meaning: "the first to be flushed after software itself moved the queue pair to the error state",
        standing: Standing::Reported,
        sources: &[MEASURED],
    },
    VendorSyndrome {
        syndrome: RemoteOperationError,
        code: 0x89,
        meaning: "the other side could not carry the request out (a NAK)",
        standing: Standing::Reported,
        sources: &["openucx/ucx issue 5472"],
    },
    VendorSyndrome {
        syndrome: LocalProtectionError,
        code: 0x32,
        meaning: "a violation of the protection domain, in one documented case",
        standing: Standing::Stated,
        sources: &["the text of Linux commit fab058356885"],
    },
    VendorSyndrome {
        syndrome: LocalProtectionError,
        code: 0x33,
        meaning: "an RDMA READ into a region without IBV_ACCESS_LOCAL_WRITE",
        standing: Standing::Reported,
        sources: &[MEASURED],
    },
    VendorSyndrome {
        syndrome: LocalProtectionError,
        code: 0x51,
        meaning: "seen with memory of a GPU that the card could not reach: ACS, the IOMMU, the PCIe path",
        standing: Standing::Reported,
        sources: &[
            "NVIDIA/nccl issues 523 and 928 (81 in decimal)",
            "openucx/ucx issue 9515",
            "linux-rdma/perftest issue 173",
        ],
    },
    VendorSyndrome {
        syndrome: LocalProtectionError,
        code: 0x52,
        meaning: "an lkey that is none, in one measurement; other reports do not know their cause",
        standing: Standing::Reported,
        sources: &[
            MEASURED,
            "openucx/ucx issue 6414",
            "spdk/spdk issue 961",
            "FDio/csit issue 3988",
        ],
    },
    VendorSyndrome {
        syndrome: LocalProtectionError,
        code: 0x53,
        meaning: "an element longer than its region, in one measurement",
        standing: Standing::Reported,
        sources: &[MEASURED, "Juniper/warp17 issue 81 (cause not known)"],
    },
    VendorSyndrome {
        syndrome: LocalLengthError,
        code: 0x8e,
        meaning: "packets of another length than the path MTU says: the two sides differ in it",
        standing: Standing::Reported,
        sources: &["kvcache-ai/Mooncake issue 3299"],
    },
    VendorSyndrome {
        syndrome: LocalQpOperationError,
        code: 0xd6,
        meaning: "a malformed receive WQE (RDE_MAL_WQE)",
        standing: Standing::Stated,
        sources: &["a reviewer of the vendor's in openucx/ucx pull request 11444"],
    },
    VendorSyndrome {
        syndrome: RemoteAborted,
        code: 0x93,
        meaning: "a page fault of on-demand paging: the receive was given back, the message comes again",
        standing: Standing::Stated,
        sources: &[
            "rdma-core, mlx5dv.h, MLX5_CQE_VENDOR_SYNDROME_ODP_PFAULT",
            "is_odp_pfault_err in cq.c",
        ],
    },
    VendorSyndrome {
        syndrome: RemoteAborted,
        code: 0x99,
        meaning: "has to do with a packet sequence number; UCX gives the receive back and goes on",
        standing: Standing::Stated,
        sources: &["UCX, ib_mlx5.h, UCT_IB_MLX5_CQE_VENDOR_SYND_PSN", "rc_mlx5_iface.c"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_has_its_sources() {
        for (place, one) in VENDOR_SYNDROMES.iter().enumerate() {
            let first = VENDOR_SYNDROMES
                .iter()
                .position(|other| (other.syndrome, other.code) == (one.syndrome, one.code));
            assert_eq!(first, Some(place), "{one:?}");
            let least = if one.standing == Standing::Agreed { 2 } else { 1 };
            assert!(one.sources.len() >= least && one.code != 0, "{one:?}");
            assert_eq!(vendor_syndrome(one.syndrome, one.code), Some(one));
        }
        assert_eq!(vendor_syndrome(RemoteAccessError, 0x81), None);
    }
}
