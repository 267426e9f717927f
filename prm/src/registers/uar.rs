//! The user access region: pages of doorbell registers that programs may map.
//!
//! UAR page *n* lies at byte `n << 12` of BAR 0. Its first half has doorbells for queues of
//! events and completions; its second half has BlueFlame registers, each with two buffers that
//! are used in turn, so that one can fill while the other is on its way.
//! (PRM, "UAR page format".)

/// The size of a UAR page in bytes, and the distance between two of them.
pub const UAR_PAGE_SIZE: u64 = 4096;

/// Offset of the completion queue doorbell (`MLX5_CQ_DOORBELL`).
pub const CQ_DOORBELL: u64 = 0x20;

/// Offset of the event queue doorbell that updates the consumer index and arms the queue
/// (`MLX5_EQ_DOORBEL_OFFSET`).
pub const EQ_DOORBELL_ARM: u64 = 0x40;

/// Offset of the event queue doorbell that only updates the consumer index.
pub const EQ_DOORBELL_CONSUMER_INDEX: u64 = 0x48;

/// Offset of the first BlueFlame register (`MLX5_BF_OFFSET`).
pub const BLUEFLAME: u64 = 0x800;

/// The size of one of the two buffers of a BlueFlame register
/// (`MLX5_DB_BLUEFLAME_BUFFER_SIZE`).
pub const BLUEFLAME_BUFFER_SIZE: u64 = 0x100;

/// The size of a BlueFlame register: both of its buffers.
pub const BLUEFLAME_REGISTER_SIZE: u64 = 2 * BLUEFLAME_BUFFER_SIZE;

/// BlueFlame registers in one page.
pub const BLUEFLAME_REGISTERS: u64 = 4;

/// What a place in a UAR page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UarRegister {
    /// Arms a completion queue.
    CqDoorbell,
    /// Updates an event queue's consumer index and arms it.
    EqDoorbellArm,
    /// Updates an event queue's consumer index.
    EqDoorbellConsumerIndex,
    /// A send doorbell or BlueFlame buffer.
    SendDoorbell {
        /// Which of the page's registers.
        register: u64,
        /// Which of its two buffers.
        buffer: u64,
        /// How far into that buffer.
        offset: u64,
    },
    /// Nothing that is known.
    Reserved,
}

impl UarRegister {
    /// The register at a byte offset into its page; bits above the page are ignored.
    pub const fn at(offset: u64) -> Self {
        let offset = offset % UAR_PAGE_SIZE;
        match offset {
            0x20..0x28 => Self::CqDoorbell,
            0x40..0x44 => Self::EqDoorbellArm,
            0x48..0x4c => Self::EqDoorbellConsumerIndex,
            BLUEFLAME.. => {
                let offset = offset - BLUEFLAME;
                Self::SendDoorbell {
                    register: offset / BLUEFLAME_REGISTER_SIZE,
                    buffer: offset % BLUEFLAME_REGISTER_SIZE / BLUEFLAME_BUFFER_SIZE,
                    offset: offset % BLUEFLAME_BUFFER_SIZE,
                }
            }
            _ => Self::Reserved,
        }
    }
}
