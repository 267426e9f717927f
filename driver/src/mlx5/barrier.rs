//! The barriers, by name. Each name says what must be seen before what, and by whom.
//!
//! The parties are the CPU and the card. The card sees memory by DMA reads and registers by the
//! writes that reach it over PCIe; the CPU sees what the card's DMA wrote. Rust's own
//! `std::sync::atomic::fence` orders CPUs among each other and says nothing of a device, so each
//! barrier is one instruction, or, where the machine orders by itself, a wall to the compiler.
//!
//! | barrier | x86-64 | arm64 |
//! |---|---|---|
//! | [`TO_DEVICE`] | compiler only | `dmb oshst` |
//! | [`WRITE_COMBINING_START`] | `sfence` | `dsb st` |
//! | [`WRITE_COMBINING_LOCKED`] | none: the lock's own instruction | `dsb st` |
//! | [`FLUSH_WRITES`] | `sfence` | `dsb st` |
//! | [`FROM_DEVICE`] | `lfence` | `dmb oshld` |
//!
//! On other machines each is a full fence: enough for the software card, which is driven by the
//! thread that posts.

/// A barrier: its name, the instruction that it is on this machine, and the act.
#[derive(Clone, Copy)]
pub struct Barrier {
    /// The name that says its purpose.
    pub name: &'static str,
    /// The instruction, empty if the barrier only holds the compiler.
    pub instruction: &'static str,
    /// Passes it.
    pub pass: fn(),
}

/// Defines a barrier from its instruction on each machine.
macro_rules! barrier {
    ($(#[$meta:meta])* $name:ident, $label:literal, x86_64: $x86:literal, aarch64: $arm:literal) => {
        $(#[$meta])*
        pub const $name: Barrier = Barrier {
            name: $label,
            instruction: if cfg!(target_arch = "x86_64") {
                $x86
            } else if cfg!(target_arch = "aarch64") {
                $arm
            } else {
                "fence"
            },
            pass: {
                #[inline(always)]
                fn pass() {
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: a fence, or nothing; without `nomem` the compiler may not move
                    // memory accesses across it, and it touches neither stack nor flags.
                    unsafe {
                        std::arch::asm!($x86, options(nostack, preserves_flags));
                    }
                    #[cfg(target_arch = "aarch64")]
                    // SAFETY: as above.
                    unsafe {
                        std::arch::asm!($arm, options(nostack, preserves_flags));
                    }
                    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
                    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
                }
                pass
            },
        };
    };
}

// ANCHOR: barrier_to_device
barrier! {
    /// Between filling memory and telling the card of it through memory: a card that sees the
    /// later store also sees the earlier ones. x86-64 keeps stores in order by itself, so only the
    /// compiler has to be held. (`udma_to_device_barrier`)
    TO_DEVICE, "to_device", x86_64: "", aarch64: "dmb oshst"
}
// ANCHOR_END: barrier_to_device

// ANCHOR: barrier_write_combining_start
barrier! {
    /// Between stores to memory and a store to a write-combining register: the register's write
    /// must not leave before the memory can be seen. Write-combining stores are outside of
    /// x86-64's store order, so here even x86-64 needs an instruction. (`mmio_wc_start`)
    WRITE_COMBINING_START, "write_combining_start", x86_64: "sfence", aarch64: "dsb st"
}
// ANCHOR_END: barrier_write_combining_start

// ANCHOR: barrier_write_combining_locked
barrier! {
    /// The same where the lock of a register has just been taken. On x86-64 the locked instruction that
    /// took it has already ordered everything. (`mmio_wc_spinlock`)
    WRITE_COMBINING_LOCKED, "write_combining_locked", x86_64: "", aarch64: "dsb st"
}
// ANCHOR_END: barrier_write_combining_locked

// ANCHOR: barrier_flush_writes
barrier! {
    /// After a store to a write-combining register: push it out now. Without it the write may sit
    /// in the CPU's write-combining buffer until something else needs the place; and two writes to
    /// one register may leave as one, or in the wrong order. (`mmio_flush_writes`)
    FLUSH_WRITES, "flush_writes", x86_64: "sfence", aarch64: "dsb st"
}
// ANCHOR_END: barrier_flush_writes

// ANCHOR: barrier_from_device
barrier! {
    /// Between seeing that the card has written an entry and reading the rest of it: the rest must
    /// not have been read before the owner bit was. (`udma_from_device_barrier`)
    FROM_DEVICE, "from_device", x86_64: "lfence", aarch64: "dmb oshld"
}
// ANCHOR_END: barrier_from_device
