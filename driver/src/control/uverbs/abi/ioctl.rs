//! The form of `ioctl` requests, and the one object that is asked for by them.

abi! {
    /// `struct ib_uverbs_ioctl_hdr`.
    IoctlHeader [24] {
        /// Bytes of the request, attributes included.
        length: u16,
        object_id: u16,
        method_id: u16,
        num_attrs: u16,
        reserved1: u64,
        /// `enum rdma_driver_id`: 1 is mlx5.
        driver_id: u32,
        reserved2: u32,
    }

    /// `struct ib_uverbs_attr`.
    Attribute [16] {
        attr_id: u16,
        /// Bytes at `data`.
        len: u16,
        /// `UVERBS_ATTR_F_*`.
        flags: u16,
        reserved: u16,
        /// The value itself if it is short, else its address.
        data: u64,
    }
}

/// The object "a page of doorbell registers", and what is done with it (`MLX5_IB_OBJECT_UAR`).
pub mod uar {
    /// Ids that belong to a provider begin here (`UVERBS_ID_NS_SHIFT`).
    const OWN: u16 = 1 << 12;
    /// The object.
    pub const OBJECT: u16 = OWN + 8;
    /// Allocate; its attributes follow.
    pub const ALLOC: u16 = OWN;
    /// The handle, written by the kernel.
    pub const HANDLE: u16 = OWN;
    /// What kind of page; 0 is one for BlueFlame.
    pub const KIND: u16 = OWN + 1;
    /// Where to map it from the device's file.
    pub const MMAP_OFFSET: u16 = OWN + 2;
    /// How many bytes to map.
    pub const MMAP_LENGTH: u16 = OWN + 3;
    /// Its index on the card.
    pub const PAGE_ID: u16 = OWN + 4;
    /// Give back; its attribute follows.
    pub const DESTROY: u16 = OWN + 1;
    /// The handle.
    pub const DESTROY_HANDLE: u16 = OWN;
}

/// An attribute must be understood (`UVERBS_ATTR_F_MANDATORY`).
pub const MANDATORY: u16 = 1;

/// `RDMA_DRIVER_MLX5`.
pub const DRIVER: u32 = 1;
