//! The device's file, `/dev/infiniband/uverbsN`: the system calls that carry requests.
//!
//! There are two. `write` carries a request as a structure, and the kernel writes the answer to an
//! address that stands in it. `ioctl` carries a list of attributes, each with a number, so that
//! either side can be older than the other. Most of what is asked for here is as old as verbs are.

use super::abi::{Attribute, Command, DRIVER, Header, IoctlHeader, MANDATORY};
use crate::control::ControlError;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use std::ffi::c_void;
use std::path::Path;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The open file of a device.
pub struct Node {
    file: OwnedFd,
}

impl Node {
    // ANCHOR: uverbs_open
    /// Opens a device's file. The permissions of the file decide who may: no root is needed.
    pub fn open(path: &Path) -> Result<Self, ControlError> {
        match open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => Ok(Self { file }),
            Err(error) => {
                let path = path.display().to_string();
                Err(ControlError::Node { path, what: hint(error), errno: error.raw_os_error() })
            }
        }
    }
    // ANCHOR_END: uverbs_open

    /// The file, to map pages of it.
    pub fn file(&self) -> &OwnedFd {
        &self.file
    }

    // ANCHOR: uverbs_write
    /// Gives a request that has an answer. `ask` makes the request from the answer's address.
    pub fn ask<Q: IntoBytes + Immutable, A: FromBytes + IntoBytes>(
        &self,
        command: Command,
        ask: impl FnOnce(u64) -> Q,
    ) -> Result<A, ControlError> {
        let mut answer = A::new_zeroed();
        let address = answer.as_mut_bytes().as_mut_ptr().expose_provenance();
        self.write(command, &ask(address as u64), size_of::<A>())?;
        // The kernel has written it through the address; nothing here may be assumed of it before.
        let answer = std::hint::black_box(answer);
        Ok(answer)
    }

    /// Gives a request that has none.
    pub fn tell<Q: IntoBytes + Immutable>(
        &self,
        command: Command,
        request: &Q,
    ) -> Result<(), ControlError> {
        self.write(command, request, 0)
    }

    /// The system call: a header, the request behind it, and the whole of it at once.
    fn write<Q: IntoBytes + Immutable>(
        &self,
        command: Command,
        request: &Q,
        answer: usize,
    ) -> Result<(), ControlError> {
        let header = Header {
            command: command as u32,
            in_words: ((size_of::<Header>() + size_of::<Q>()) / 4) as u16,
            out_words: (answer / 4) as u16,
        };
        let bytes = [header.as_bytes(), request.as_bytes()].concat();
        match rustix::io::write(&self.file, &bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) => Err(refused(command.name(), Errno::IO)),
            Err(error) => Err(refused(command.name(), error)),
        }
    }
    // ANCHOR_END: uverbs_write

    // ANCHOR: uverbs_ioctl
    /// Calls a method of an object. The kernel reads the attributes, and writes to those that are
    /// for it to write.
    pub fn method(
        &self,
        name: &'static str,
        (object_id, method_id): (u16, u16),
        attributes: &mut [Attribute],
    ) -> Result<(), ControlError> {
        let length = size_of::<IoctlHeader>() + size_of_val(attributes);
        let header = IoctlHeader {
            length: length as u16,
            object_id,
            method_id,
            num_attrs: attributes.len() as u16,
            driver_id: DRIVER,
            ..IoctlHeader::default()
        };
        let mut bytes = [header.as_bytes(), attributes.as_bytes()].concat();
        // SAFETY: the request is a header and as many attributes as it says. Addresses in them are
        // those of values that the caller holds until this returns.
        unsafe { ioctl(&self.file, VerbsIoctl(&mut bytes)) }
            .map_err(|error| refused(name, error))?;
        attributes.as_mut_bytes().copy_from_slice(&bytes[size_of::<IoctlHeader>()..]);
        Ok(())
    }
    // ANCHOR_END: uverbs_ioctl
}

/// An attribute with a value of up to 8 bytes.
pub fn value(attr_id: u16, length: usize, data: u64) -> Attribute {
    Attribute { attr_id, len: length as u16, flags: MANDATORY, reserved: 0, data }
}

/// An attribute that the kernel writes to `place`.
pub fn output<T>(attr_id: u16, place: &mut T) -> Attribute {
    let address = std::ptr::from_mut(place).expose_provenance();
    value(attr_id, size_of::<T>(), address as u64)
}

/// `RDMA_VERBS_IOCTL`, with a request of any length.
struct VerbsIoctl<'a>(&'a mut [u8]);

// SAFETY: the opcode is the one of the header that stands at the beginning of the bytes; the kernel
// reads and writes no more of them than the header's length.
unsafe impl Ioctl for VerbsIoctl<'_> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<IoctlHeader>(0x1b, 1)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// A request that the kernel answered with an error.
pub fn refused(request: &'static str, error: Errno) -> ControlError {
    ControlError::Kernel { request, what: hint(error), errno: error.raw_os_error() }
}

/// A page that could not be mapped.
pub fn unmapped(error: Errno) -> ControlError {
    refused("mmap of a UAR page", error)
}

/// What an error number means here, and what helps.
fn hint(error: Errno) -> &'static str {
    match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => "there is no such device: load mlx5_ib",
        Errno::ACCESS | Errno::PERM => {
            "no permission: this user must be in the group of the device's file, and may not have a limit of locked memory (ulimit -l) of 0"
        }
        Errno::NOMEM => {
            "no memory could be pinned: raise the limit of locked memory (ulimit -l), or use smaller queues"
        }
        Errno::INVAL => "the kernel takes an argument for wrong: see the call in the trace",
        Errno::IO => "the card has failed, or its driver is going away: see dmesg",
        Errno::OPNOTSUPP | Errno::PROTONOSUPPORT | Errno::NOTTY => {
            "the kernel is too old for this request: Linux 5.9 or later is needed"
        }
        _ => "see the call in the trace, and dmesg",
    }
}
