//! What sort of value a difference is in: numbers that two runs may well not share, and the rest.
//!
//! A value is known by the field of its layout (`doorbell_prm` says which fields hold keys and
//! addresses), by the region that it lies in, or by the name that it has in the source.

use clap::ValueEnum;
use doorbell_prm::{Content, Field};

/// Values that may differ between two runs that do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Class {
    /// Numbers of objects: QP, CQ, EQ, SRQ, PD, UAR page
    Qpn,
    /// Memory keys and queue keys
    Keys,
    /// Addresses of memory and of the network, and wr_id, which often is one
    Addresses,
    /// Times of steps, where the clock is a real one, and timestamps
    Times,
    /// Packet sequence numbers, and places in rings
    Counters,
    /// The bytes of buffers and packets
    Payload,
    /// What follows from other bytes: checksums, and commands on their way through memory
    Derived,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Qpn,
        Self::Keys,
        Self::Addresses,
        Self::Times,
        Self::Counters,
        Self::Payload,
        Self::Derived,
    ];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qpn => "qpn",
            Self::Keys => "keys",
            Self::Addresses => "addresses",
            Self::Times => "times",
            Self::Counters => "counters",
            Self::Payload => "payload",
            Self::Derived => "derived",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes(u8);

impl Classes {
    /// These. Whoever leaves out values leaves out what is computed from them: checksums, and the
    /// commands that carry them.
    pub fn ignored(classes: impl IntoIterator<Item = Class>) -> Self {
        let mut all = Self::default();
        classes.into_iter().for_each(|class| all.insert(class));
        let values = all.iter().any(|class| !matches!(class, Class::Times));
        if values {
            all.insert(Class::Derived);
        }
        all
    }

    /// Adds one.
    pub fn insert(&mut self, class: Class) {
        self.0 |= class.bit();
    }

    /// Whether it is one of them.
    pub fn contains(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in their order.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

/// A class, and where its values are names of things: the space of these names. Two runs that do
/// the same use each name of theirs for one of the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The class.
    pub class: Class,
    /// The space; `None` where values run on by themselves.
    pub space: Option<&'static str>,
}

impl Mark {
    /// Names of things.
    pub const fn named(class: Class, space: &'static str) -> Self {
        Self { class, space: Some(space) }
    }

    /// Values that are no names.
    pub const fn running(class: Class) -> Self {
        Self { class, space: None }
    }
}

/// What a field of a layout is.
pub fn of_field(field: &'static Field) -> Option<Mark> {
    match field.content {
        Content::Address if field.width == 64 => Some(Mark::named(Class::Addresses, ADDRESS)),
        // A half of an address is none: the name of the field keeps halves apart.
        Content::Address => Some(Mark::named(Class::Addresses, field.name)),
        Content::NetworkAddress => Some(Mark::named(Class::Addresses, "network address")),
        Content::Key if field.name.contains("key") && !field.name.starts_with("q_") => {
            Some(Mark::named(Class::Keys, KEY))
        }
        Content::Key => Some(Mark::named(Class::Keys, "queue key")),
        Content::Payload => Some(Mark::running(Class::Payload)),
        Content::Plain => of_name(field.name),
    }
}

/// The space of addresses of memory.
pub const ADDRESS: &str = "address";

/// The space of memory keys.
const KEY: &str = "key";

/// What a value of this name is: of a plain field, of an argument, of a note.
pub fn of_name(name: &str) -> Option<Mark> {
    let last = name.rsplit(['.', '>']).next().unwrap_or(name).replace(' ', "_");
    let numbers = |space| Some(Mark::named(Class::Qpn, space));
    let keys = |space| Some(Mark::named(Class::Keys, space));
    match last.as_str() {
        "qp" | "qpn" | "qp_num" | "qp_number" | "destination_qpn" | "source_qpn" | "remote_qpn"
        | "rqpn" | "input_qpn" | "deth_sqpn" | "qpn_rqn_sqn" | "dest_qp_num" | "src_qp"
        | "remote_qp" => numbers("QPN"),
        "cq" | "cqn" | "send_cq" | "recv_cq" | "cq_number" | "cqn_snd" | "cqn_rcv"
        | "ts_cqe_to_dest_cqn" => numbers("CQN"),
        "eq" | "eqn" | "eq_number" | "c_eqn_or_apu_element" => numbers("EQN"),
        "srq" | "srqn" | "xrc_srqn" | "srqn_rmpn_xrqn" | "rmpn" => numbers("SRQN"),
        "sqn" => numbers("SQN"),
        "rqn" => numbers("RQN"),
        "tisn" | "tis_num_0" => numbers("TISN"),
        "tirn" => numbers("TIRN"),
        "transport_domain" => numbers("transport domain"),
        "pd" | "pdn" => numbers("PD"),
        "uar" | "uar_page" => numbers("UAR page"),
        "xrcd" => numbers("XRCD"),
        "user_index" => numbers("user index"),
        "counter_set_id" => numbers("counter set"),
        "uid" => numbers("user context"),
        "vhca_id" => numbers("function"),
        "wq_umem_id" | "dbr_umem_id" | "umem_id" => numbers("umem"),
        "lkey" | "rkey" | "mkey" | "key" => keys(KEY),
        "mkey_index" => keys("key index"),
        "mkey_7_0" => keys("key variant"),
        "queue_key" | "qkey" | "q_key" => keys("queue key"),
        "management_key" => keys("management key"),
        "wr_id" => Some(Mark::named(Class::Addresses, "wr_id")),
        "addr" | "address" | "remote_addr" | "raddr" | "laddr" => {
            Some(Mark::named(Class::Addresses, ADDRESS))
        }
        "lid" | "rlid" | "slid" | "dlid" | "sm_lid" => Some(Mark::named(Class::Addresses, "LID")),
        "ml_path" | "fl_mlid" | "mlid" | "rmac" | "rmac_47_32" | "rmac_31_0" | "rgid" | "gid"
        | "source_mac_47_32" | "source_mac_31_0" | "udp_sport" | "source_port" | "gid_prefix" => {
            Some(Mark::running(Class::Addresses))
        }
        "timestamp" | "frequency" | "device_frequency_mhz" | "device_frequency_khz" => {
            Some(Mark::running(Class::Times))
        }
        "psn"
        | "msn"
        | "rmsn"
        | "ssn"
        | "next_send_psn"
        | "next_rcv_psn"
        | "last_acked_psn"
        | "wqe_index"
        | "wqe_counter"
        | "wqe_id"
        | "next_wqe_index"
        | "consumer_index"
        | "arm_consumer_index"
        | "consumer_counter"
        | "producer_counter"
        | "receive_counter"
        | "send_counter"
        | "last_notified_index"
        | "last_solicit_index"
        | "hw_counter"
        | "sw_counter"
        | "hw_rq_counter"
        | "sw_rq_counter"
        | "hw_sq_wqebb_counter"
        | "sw_sq_wqebb_counter"
        | "owner"
        | "owner_bit"
        | "turn,_from_cq"
        | "identification"
        | "health_counter"
        | "head_-_tail"
        | "head_-_tail_+_built"
        | "sq_psn"
        | "rq_psn"
        | "send_doorbell_seen_in_the_record"
        | "arm_command_sequence" => Some(Mark::running(Class::Counters)),
        "signature"
        | "ctrl_signature"
        | "checksum"
        | "token"
        | "mailbox_data"
        | "command_input_inline_data"
        | "command_output_inline_data" => Some(Mark::running(Class::Derived)),
        _ if last.contains("addr_") || last.contains("pointer_") => {
            Some(Mark::running(Class::Addresses))
        }
        _ => None,
    }
}

/// What a function returns, where that is such a value.
pub fn of_result(function: &str) -> Option<Mark> {
    match function {
        "ibv_reg_mr" => of_name("lkey"),
        "ibv_alloc_pd" => of_name("pd"),
        "ibv_create_cq" => of_name("cqn"),
        "ibv_create_qp" => of_name("qpn"),
        "ibv_create_srq" => of_name("srqn"),
        _ => None,
    }
}
