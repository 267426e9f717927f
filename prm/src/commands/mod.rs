//! The command interface: how software asks the firmware for anything that is not data path.
//!
//! Every command has an input and an output of its own shape. Inputs begin with the opcode and a
//! variant (`op_mod`), outputs with a status and a syndrome. What follows differs, and is
//! described in the modules below, in the order in which a driver meets it.

mod header;
mod queue;

mod capabilities;
mod life;
mod pages;

mod completion_queue;
mod counters;
mod domains;
mod event_queue;
mod mad;
mod memory_key;
mod port;
mod port_registers;
mod qp_context;
mod queue_pair;
mod resources;
mod send_queue;
mod shared_receive;

mod catalogue;

pub use capabilities::*;
pub use catalogue::{CommandShape, command_shape, command_shapes};
pub use completion_queue::*;
pub use counters::*;
pub use domains::*;
pub use event_queue::*;
pub use header::*;
pub use life::*;
pub use mad::*;
pub use memory_key::*;
pub use pages::*;
pub use port::*;
pub use port_registers::*;
pub use qp_context::*;
pub use queue::*;
pub use queue_pair::*;
pub use resources::*;
pub use send_queue::*;
pub use shared_receive::*;

use crate::layout::Layout;
use crate::macros::codes;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The input of a command; behind it may follow a variable part.
pub trait CommandInput:
    Layout + FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned
{
    /// Which command.
    const OPCODE: CommandOpcode;
    /// What the card answers.
    type Output: CommandOutput;
}

/// The output of a command; behind it may follow a variable part.
pub trait CommandOutput:
    Layout + FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned
{
    /// Sets status and syndrome.
    fn set_outcome(&mut self, status: u8, syndrome: u32);

    /// Status and syndrome.
    fn outcome(&self) -> (u8, u32);
}

codes! {
    /// The commands, by their numbers (`mlx5_ifc.h`, `MLX5_CMD_OP_*`).
    pub enum CommandOpcode: u16 {
        QueryHcaCap = 0x100 "QUERY_HCA_CAP";
        QueryAdapter = 0x101 "QUERY_ADAPTER";
        InitHca = 0x102 "INIT_HCA";
        TeardownHca = 0x103 "TEARDOWN_HCA";
        EnableHca = 0x104 "ENABLE_HCA";
        DisableHca = 0x105 "DISABLE_HCA";
        QueryPages = 0x107 "QUERY_PAGES";
        ManagePages = 0x108 "MANAGE_PAGES";
        SetHcaCap = 0x109 "SET_HCA_CAP";
        QueryIssi = 0x10a "QUERY_ISSI";
        SetIssi = 0x10b "SET_ISSI";
        SetDriverVersion = 0x10d "SET_DRIVER_VERSION";
        CreateMkey = 0x200 "CREATE_MKEY";
        DestroyMkey = 0x202 "DESTROY_MKEY";
        QuerySpecialContexts = 0x203 "QUERY_SPECIAL_CONTEXTS";
        CreateEq = 0x301 "CREATE_EQ";
        DestroyEq = 0x302 "DESTROY_EQ";
        CreateCq = 0x400 "CREATE_CQ";
        DestroyCq = 0x401 "DESTROY_CQ";
        CreateQp = 0x500 "CREATE_QP";
        DestroyQp = 0x501 "DESTROY_QP";
        Rst2initQp = 0x502 "RST2INIT_QP";
        Init2rtrQp = 0x503 "INIT2RTR_QP";
        Rtr2rtsQp = 0x504 "RTR2RTS_QP";
        Rts2rtsQp = 0x505 "RTS2RTS_QP";
        Sqerr2rtsQp = 0x506 "SQERR2RTS_QP";
        ToErrQp = 0x507 "2ERR_QP";
        ToRstQp = 0x50a "2RST_QP";
        QueryQp = 0x50b "QUERY_QP";
        MadIfc = 0x50d "MAD_IFC";
        Init2initQp = 0x50e "INIT2INIT_QP";
        CreateXrcSrq = 0x705 "CREATE_XRC_SRQ";
        DestroyXrcSrq = 0x706 "DESTROY_XRC_SRQ";
        QueryXrcSrq = 0x707 "QUERY_XRC_SRQ";
        ArmXrcSrq = 0x708 "ARM_XRC_SRQ";
        QueryRoceAddress = 0x760 "QUERY_ROCE_ADDRESS";
        SetRoceAddress = 0x761 "SET_ROCE_ADDRESS";
        QueryHcaVportContext = 0x762 "QUERY_HCA_VPORT_CONTEXT";
        ModifyHcaVportContext = 0x763 "MODIFY_HCA_VPORT_CONTEXT";
        QueryHcaVportGid = 0x764 "QUERY_HCA_VPORT_GID";
        QueryHcaVportPkey = 0x765 "QUERY_HCA_VPORT_PKEY";
        QueryVportCounter = 0x770 "QUERY_VPORT_COUNTER";
        AllocQCounter = 0x771 "ALLOC_Q_COUNTER";
        DeallocQCounter = 0x772 "DEALLOC_Q_COUNTER";
        QueryQCounter = 0x773 "QUERY_Q_COUNTER";
        AllocPd = 0x800 "ALLOC_PD";
        DeallocPd = 0x801 "DEALLOC_PD";
        AllocUar = 0x802 "ALLOC_UAR";
        DeallocUar = 0x803 "DEALLOC_UAR";
        AccessReg = 0x805 "ACCESS_REG";
        AllocXrcd = 0x80e "ALLOC_XRCD";
        DeallocXrcd = 0x80f "DEALLOC_XRCD";
        AllocTransportDomain = 0x816 "ALLOC_TRANSPORT_DOMAIN";
        DeallocTransportDomain = 0x817 "DEALLOC_TRANSPORT_DOMAIN";
        CreateSq = 0x904 "CREATE_SQ";
        ModifySq = 0x905 "MODIFY_SQ";
        DestroySq = 0x906 "DESTROY_SQ";
        QuerySq = 0x907 "QUERY_SQ";
        CreateRmp = 0x90c "CREATE_RMP";
        ModifyRmp = 0x90d "MODIFY_RMP";
        DestroyRmp = 0x90e "DESTROY_RMP";
        QueryRmp = 0x90f "QUERY_RMP";
        CreateUctx = 0xa04 "CREATE_UCTX";
        DestroyUctx = 0xa06 "DESTROY_UCTX";
    }
}

codes! {
    /// How a command went (`mlx5_ifc.h`, `MLX5_CMD_STAT_*`).
    pub enum CommandStatus: u8 {
        Ok = 0x00 "OK";
        InternalError = 0x01 "INT_ERR";
        BadOperation = 0x02 "BAD_OP_ERR";
        BadParameter = 0x03 "BAD_PARAM_ERR";
        BadSystemState = 0x04 "BAD_SYS_STATE_ERR";
        BadResource = 0x05 "BAD_RES_ERR";
        ResourceBusy = 0x06 "RES_BUSY";
        LimitExceeded = 0x08 "LIM_ERR";
        BadResourceState = 0x09 "BAD_RES_STATE_ERR";
        BadIndex = 0x0a "IX_ERR";
        NoResources = 0x0f "NO_RES_ERR";
        BadQpState = 0x10 "BAD_QP_STATE_ERR";
        BadPacket = 0x30 "BAD_PKT_ERR";
        BadSizeOutstandingCqes = 0x40 "BAD_SIZE_OUTS_CQES_ERR";
        BadInputLength = 0x50 "BAD_INP_LEN_ERR";
        BadOutputLength = 0x51 "BAD_OUTP_LEN_ERR";
    }
}

codes! {
    /// Whether a command could be taken at all (`mlx5_core`, `MLX5_CMD_DELIVERY_STAT_*`).
    pub enum CommandDeliveryStatus: u8 {
        Ok = 0x00 "OK";
        SignatureError = 0x01 "SIGNAT_ERR";
        TokenError = 0x02 "TOK_ERR";
        BadBlockNumber = 0x03 "BAD_BLK_NUM_ERR";
        OutputPointerAlignment = 0x04 "OUT_PTR_ALIGN_ERR";
        InputPointerAlignment = 0x05 "IN_PTR_ALIGN_ERR";
        FirmwareError = 0x06 "FW_ERR";
        InputLengthError = 0x07 "IN_LENGTH_ERR";
        OutputLengthError = 0x08 "OUT_LENGTH_ERR";
        ReservedFieldNotClear = 0x09 "RES_FLD_NOT_CLR_ERR";
        DescriptorError = 0x10 "CMD_DESCR_ERR";
    }
}

codes! {
    /// How TEARDOWN_HCA is to close (`MLX5_TEARDOWN_HCA_IN_PROFILE_*`).
    pub enum TeardownProfile: u16 {
        GracefulClose = 0 "GRACEFUL_CLOSE";
        ForceClose = 1 "FORCE_CLOSE";
        PrepareFastTeardown = 2 "PREPARE_FAST_TEARDOWN";
    }
}
