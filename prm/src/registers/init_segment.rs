//! The initialisation segment: the first registers of BAR 0, before there is anything else.
//!
//! The driver finds here the firmware's version and the shape of the command queue, writes the
//! queue's address, waits for `initializing` to clear, and from then on only rings
//! `command_doorbell_vector`. (PRM, "Initialization segment"; `struct mlx5_init_seg`.)

use crate::macros::{codes, firmware};

codes! {
    /// Why the firmware has stopped (`mlx5_ifc.h`, `MLX5_INITIAL_SEG_HEALTH_SYNDROME_*`; older
    /// kernels have the same in `health.c`).
    pub enum HealthSyndrome: u8 {
        FirmwareInternal = 0x01 "FW_INTERNAL_ERR";
        ProcessorDead = 0x07 "DEAD_IRISC";
        HardwareFatal = 0x08 "HW_FATAL_ERR";
        FirmwareCrc = 0x09 "FW_CRC_ERR";
        ContextFetchPci = 0x0a "ICM_FETCH_PCI_ERR";
        ContextPage = 0x0b "ICM_PAGE_ERR";
        AsynchronousEqOverrun = 0x0c "ASYNCHRONOUS_EQ_BUF_OVERRUN";
        EqInError = 0x0d "EQ_IN_ERR";
        EqInvalid = 0x0e "EQ_INV";
        FfserError = 0x0f "FFSER_ERR";
        HighTemperature = 0x10 "HIGH_TEMP_ERR";
        ContextPciPoisoned = 0x12 "ICM_PCI_POISONED_ERR";
        TrustLockdown = 0x13 "TRUST_LOCKDOWN_ERR";
    }
}

firmware! {
    /// The registers at the beginning of BAR 0.
    pub struct InitSegment [16396] = "initial_seg" {
        fw_rev_minor, set_fw_rev_minor: u16 @ 0, 16 "Firmware version, second number.";
        fw_rev_major, set_fw_rev_major: u16 @ 16, 16 "Firmware version, first number.";
        cmd_interface_rev, set_cmd_interface_rev: u16 @ 32, 16 "Revision of the command interface: 5.";
        fw_rev_subminor, set_fw_rev_subminor: u16 @ 48, 16 "Firmware version, third number.";
        cmdq_phy_addr_63_32, set_cmdq_phy_addr_63_32: u32 @ 128, 32 as Address "Command queue: upper half of its physical address.";
        cmdq_phy_addr_31_12, set_cmdq_phy_addr_31_12: u32 @ 160, 20 as Address "Command queue: bits 31 to 12 of its physical address.";
        nic_interface, set_nic_interface: u8 @ 182, 2 "Which interface is wanted: 0 full driver.";
        log_cmdq_size, set_log_cmdq_size: u8 @ 184, 4 "log2 of the number of command slots.";
        log_cmdq_stride, set_log_cmdq_stride: u8 @ 188, 4 "log2 of the size of a slot in bytes.";
        command_doorbell_vector, set_command_doorbell_vector: u32 @ 192, 32 "One bit for each slot; writing 1 hands the slot to the card.";
        initializing, set_initializing: bool @ 4064, 1 "The firmware is not ready yet.";
        nic_interface_supported, set_nic_interface_supported: u8 @ 4069, 3 "Which interfaces there are.";
        embedded_cpu, set_embedded_cpu: bool @ 4072, 1 "Seen from an embedded CPU.";
        no_dram_nic_offset, set_no_dram_nic_offset: u32 @ 4608, 32 "Where the interface without memory begins.";
        clear_int, set_clear_int: bool @ 32895, 1 "Clears a legacy interrupt.";
        health_syndrome, set_health_syndrome: u8 @ 32896, 8 "Not 0 when the firmware has stopped." => HealthSyndrome::TABLE;
        health_counter, set_health_counter: u32 @ 32904, 24 "Counts for as long as the firmware lives.";
    }
}

/// Byte offsets of the registers that are read or written on their own.
pub mod offset {
    /// Firmware version: minor number, then major number.
    pub const FIRMWARE_REVISION: u64 = 0x0;
    /// Command interface revision, then the firmware's third number.
    pub const COMMAND_INTERFACE_REVISION: u64 = 0x4;
    /// Upper half of the command queue's physical address.
    pub const COMMAND_QUEUE_ADDRESS_HIGH: u64 = 0x10;
    /// Lower half of the address; its low byte tells the queue's size and stride.
    pub const COMMAND_QUEUE_ADDRESS_LOW: u64 = 0x14;
    /// One bit for each command slot.
    pub const COMMAND_DOORBELL: u64 = 0x18;
    /// Bit 31 is set while the firmware is not ready.
    pub const INITIALIZING: u64 = 0x1fc;
    /// The health buffer: 64 bytes.
    pub const HEALTH_BUFFER: u64 = 0x200;
    /// Upper half of the free-running timer.
    pub const INTERNAL_TIMER_HIGH: u64 = 0x1000;
    /// Lower half of the free-running timer.
    pub const INTERNAL_TIMER_LOW: u64 = 0x1004;
    /// Counter that shows that the firmware lives.
    pub const HEALTH_COUNTER: u64 = 0x1010;
}

/// The command interface revision that this project speaks.
pub const COMMAND_INTERFACE_REVISION: u16 = 5;
