//! Bit fields of big-endian structures, counted as `mlx5_ifc.h` counts them.
//!
//! Bit 0 is the most significant bit of byte 0, bit 8 the most significant bit of byte 1, and so
//! on. A field that spans several bytes therefore reads as one big-endian number, whatever its
//! alignment.

/// Reads the `width` bits (1 to 64) that start at bit `bit`.
///
/// Answers `None` when the field is wider than 64 bits or does not lie wholly inside `bytes`.
pub const fn get_bits(bytes: &[u8], bit: u32, width: u32) -> Option<u64> {
    let Some((first, last)) = span(bytes.len(), bit, width) else {
        return None;
    };
    // At most nine bytes: 64 bits that do not start on a byte boundary.
    let mut window: u128 = 0;
    let mut at = first;
    while at <= last {
        window = window << 8 | bytes[at] as u128;
        at += 1;
    }
    Some((window >> trailing(bit, width)) as u64 & mask(width))
}

/// Writes the low `width` bits of `value` at bit `bit`, and leaves every other bit as it was.
///
/// Higher bits of `value` are cut off, as they are by the `MLX5_SET` macro. Answers `false`, and
/// changes nothing, when the field is wider than 64 bits or does not lie wholly inside `bytes`.
pub const fn set_bits(bytes: &mut [u8], bit: u32, width: u32, value: u64) -> bool {
    let Some((first, last)) = span(bytes.len(), bit, width) else {
        return false;
    };
    let shift = trailing(bit, width);
    let mut clear = (mask(width) as u128) << shift;
    let mut put = ((value & mask(width)) as u128) << shift;
    let mut at = last;
    loop {
        bytes[at] = bytes[at] & !(clear as u8) | put as u8;
        if at == first {
            return true;
        }
        clear >>= 8;
        put >>= 8;
        at -= 1;
    }
}

/// The bytes, first and last, that hold a field; `None` if that is not possible.
const fn span(len: usize, bit: u32, width: u32) -> Option<(usize, usize)> {
    if width == 0 || width > 64 {
        return None;
    }
    let first = bit as usize / 8;
    let last = (bit as usize + width as usize - 1) / 8;
    if last < len { Some((first, last)) } else { None }
}

/// How many bits of the last byte lie behind the field.
const fn trailing(bit: u32, width: u32) -> u32 {
    7 - ((bit % 8) + (width - 1)) % 8
}

/// A number with its low `width` bits set.
pub const fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

/// Whether `width` bits from bit `bit` on lie within `bits` bits.
pub(crate) const fn inside(bit: u32, width: u32, bits: u32) -> bool {
    bit + width <= bits
}
