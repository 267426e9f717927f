//! What reaches the page, and where.

use super::*;
use crate::bus::Memory;

#[test]
fn writes_reach_the_buffer_that_is_next_and_no_other_byte() {
    let region = Memory::new(1, 0).allocate(PAGE_SIZE).expect("a page is there");
    // SAFETY: the region is a whole aligned page, and outlives the page and its register.
    let page = Arc::new(unsafe { MappedPage::new(region.pointer(0, PAGE_SIZE)) });
    let mut register = page.register(0xa00, BUFFER);
    let mut expected = vec![0; PAGE_SIZE];

    register.write_8([1; 8]);
    expected[0xa00..0xa08].fill(1);
    register.toggle();
    assert_eq!((register.offset(), register.buffer()), (0xb00, BUFFER));
    register.write_64(192, |unit| [unit as u8 + 2; 16]);
    for unit in 0..4 {
        expected[0xbc0 + unit * 16..][..16].fill(unit as u8 + 2);
    }
    register.toggle();
    assert_eq!((register.offset(), register.buffer()), (0xa00, 0));
    // An offset behind the buffer stays in it.
    register.write_64(BUFFER + 64, |_| [7; 16]);
    expected[0xa40..0xa80].fill(7);

    let mut bytes = vec![0; PAGE_SIZE];
    region.read_bytes(0, &mut bytes);
    assert_eq!(bytes, expected);
}

#[test]
fn a_register_without_blueflame_has_one_buffer() {
    let region = Memory::new(1, 0).allocate(PAGE_SIZE).expect("a page is there");
    // SAFETY: as above.
    let page = Arc::new(unsafe { MappedPage::new(region.pointer(0, PAGE_SIZE)) });
    let mut register = page.register(0x800, 0);
    register.toggle();
    assert_eq!(register.offset(), 0x800);
}

#[test]
#[should_panic(expected = "is_multiple_of")]
fn a_register_that_crosses_the_page_is_refused() {
    let region = Memory::new(1, 0).allocate(PAGE_SIZE).expect("a page is there");
    // SAFETY: as above.
    let page = Arc::new(unsafe { MappedPage::new(region.pointer(0, PAGE_SIZE)) });
    page.register(PAGE_SIZE - 8, BUFFER);
}

#[test]
fn doorbells_of_the_first_half_reach_their_place_and_no_other_byte() {
    let region = Memory::new(1, 0).allocate(PAGE_SIZE).expect("a page is there");
    // SAFETY: as above.
    let page = Arc::new(unsafe { MappedPage::new(region.pointer(0, PAGE_SIZE)) });
    page.write_8(0x20, [1; 8]);
    page.write_4(0x40, [2; 4]);
    let mut expected = vec![0; PAGE_SIZE];
    expected[0x20..0x28].fill(1);
    expected[0x40..0x44].fill(2);
    let mut bytes = vec![0; PAGE_SIZE];
    region.read_bytes(0, &mut bytes);
    assert_eq!(bytes, expected);
}
