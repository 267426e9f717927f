//! The layout of every structure that crosses the bus of an mlx5 card, and its field table.
//!
//! Software and card speak through bytes: registers, queue entries, command inputs. This crate
//! has a type for each of those structures, and beside the type a table of its fields, so that
//! the code that writes a byte and the page that explains it cannot disagree.
//!
//! There are two kinds of types. Structures of the data path ([`wqe`], [`cqe`], [`eqe`],
//! [`doorbell`], [`roce`]) have plain members whose types are big-endian; building one compiles to
//! shifts and byte swaps. Structures of the command interface ([`commands`], [`registers`]) are
//! arrays of bytes with bit fields, counted as the Linux kernel's `mlx5_ifc.h` counts them: bit 0
//! is the most significant bit of byte 0. Sizes, offsets and overlaps are checked at compile time.
//!
//! ```
//! use doorbell_prm::{wqe::ControlSegment, layout, zerocopy::IntoBytes};
//!
//! let control = ControlSegment::new(0, 7, 0x08, 0x12, 3, 8, 0);
//! assert_eq!(control.as_bytes()[..8], [0, 0, 7, 8, 0, 0, 0x12, 3]);
//!
//! let table = layout("wqe_control_segment").unwrap();
//! let opcode = &table.decode(control.as_bytes())[2];
//! assert_eq!((opcode.field.name, opcode.value_name), ("opcode", Some("RDMA_WRITE")));
//! ```
//!
//! Numbers come from the Programmer's Reference Manual (PRM) of the ConnectX family, from
//! rdma-core's `mlx5dv.h` and from the kernel's `mlx5_ifc.h`; tests compare them.
#![forbid(unsafe_code)]

mod bits;
mod layout;
mod macros;

pub mod registers;

pub mod commands;

pub mod wqe;

pub mod doorbell;

pub mod cqe;

pub mod vendor_syndrome;

pub mod eqe;

pub mod roce;

pub mod management;

mod catalogue;

pub use bits::{get_bits, set_bits};
pub use catalogue::{layout, layouts};
pub use layout::{Content, DecodedField, Field, Layout, LayoutInfo, Nested, Value};
pub use zerocopy;
