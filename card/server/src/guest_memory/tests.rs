//! Mapping, unmapping, and copying across mappings.

use super::*;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

fn file(length: u64) -> File {
    let file = memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, length).unwrap();
    File::from(file)
}

#[test]
fn bytes_go_in_and_out_across_two_mappings() {
    let (first, second) = (file(0x2000), file(0x1000));
    let mut memory = GuestMemory::default();
    memory.map_file(&first, 0x1000, (0x8000, 0x1000), true).unwrap();
    memory.map_file(&second, 0, (0x9000, 0x1000), true).unwrap();
    memory.write(0x8ffe, &[1, 2, 3, 4, 5]).unwrap();
    let mut back = [0; 5];
    memory.read(0x8ffe, &mut back).unwrap();
    assert_eq!(back, [1, 2, 3, 4, 5]);
    let mut in_file = [0; 2];
    std::os::unix::fs::FileExt::read_exact_at(&first, &mut in_file, 0x1ffe).unwrap();
    assert_eq!(in_file, [1, 2]);
}

#[test]
fn what_is_not_mapped_is_refused_whole() {
    let backing = file(0x1000);
    let mut memory = GuestMemory::default();
    memory.map_file(&backing, 0, (0x4000, 0x1000), true).unwrap();
    assert_eq!(memory.write(0x4ffe, &[9; 4]), Err(DmaFault));
    let mut tail = [7; 2];
    memory.read(0x4ffe, &mut tail).unwrap();
    assert_eq!(tail, [0; 2], "nothing of it was written");
    assert_eq!(memory.read(u64::MAX, &mut [0; 4]), Err(DmaFault));
    assert_eq!(memory.read(0x3fff, &mut [0; 1]), Err(DmaFault));
    memory.unmap(0, u64::MAX);
    assert_eq!(memory.read(0x4000, &mut tail), Err(DmaFault));
}

#[test]
fn memory_that_may_only_be_read_is_not_written() {
    let backing = file(0x1000);
    let mut memory = GuestMemory::default();
    memory.map_file(&backing, 0, (0, 0x1000), false).unwrap();
    assert_eq!(memory.write(0, &[1]), Err(DmaFault));
    memory.read(0, &mut [0; 1]).unwrap();
}

#[test]
fn mappings_that_make_no_sense_are_refused() {
    let backing = file(0x1000);
    let mut memory = GuestMemory::default();
    memory.map_file(&backing, 0, (0x1000, 0x1000), true).unwrap();
    let mut refused = |offset, range| {
        assert!(memory.map_file(&backing, offset, range, true).is_err(), "{offset:#x} {range:x?}");
    };
    refused(0, (0x1000, 0x1000));
    refused(0, (0, 0x2000));
    refused(0, (0x1fff, 1));
    refused(0, (0x3000, 0x2000));
    refused(0x1000, (0x3000, 0x1000));
    refused(0, (0x3000, 0));
    refused(0, (u64::MAX, 2));
    refused(u64::MAX, (0x3000, 0x1000));
}
