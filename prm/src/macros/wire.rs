//! `wire!`: structures of the data path, as types with big-endian members.

/// Defines a structure whose members are big-endian integers or byte arrays.
///
/// ```text
/// wire! {
///     /// What it is.
///     pub struct Name [size in bytes] = "layout_name" from "source" {
///         @ offset member: U32 as Content "meaning" => VALUE_NAMES,
///         @ offset word: U32 { field, set_field: first bit, width "meaning" => VALUE_NAMES; },
///         @ offset reserved0: [u8; 4],
///         @tail element: width as Content "meaning",
///     }
/// }
/// ```
///
/// Members are `u8`, `[u8; N]`, or `U16`, `U32`, `U64` of `zerocopy::big_endian`. A word may be
/// split into bit fields, counted from its most significant bit; each gets a getter and a setter.
/// `as Content` is left out where the content is plain, `@tail` where nothing follows behind. A
/// member without a meaning is reserved and has no row in the field table. Size, offsets and the
/// table are checked at compile time.
macro_rules! wire {
    (
        $(#[$attr:meta])*
        pub struct $name:ident [$size:literal] = $label:literal from $source:literal {
            $(
                @ $offset:literal $member:ident : $ty:tt
                $( {
                    $(
                        $sub:ident, $set_sub:ident : $bit:literal, $width:literal
                        $sub_meaning:literal $( => $sub_values:expr )? ;
                    )*
                } )?
                $( $( as $content:ident )? $meaning:literal $( => $values:expr )? )?
            ,)*
            $( @tail $tail:ident : $tail_width:literal as $tail_content:ident $tail_meaning:literal , )?
        }
    ) => {
        $(#[$attr])*
        #[doc = ""]
        #[doc = concat!("Source: ", $source, ".")]
        #[repr(C)]
        #[derive(
            Clone, Copy, PartialEq, Eq,
            ::zerocopy::FromBytes, ::zerocopy::IntoBytes, ::zerocopy::Immutable,
            ::zerocopy::KnownLayout, ::zerocopy::Unaligned,
        )]
        pub struct $name {
            $(
                #[doc = concat!("Byte ", stringify!($offset), ". ", $( $meaning )?)]
                pub $member: $crate::macros::wire!(@type $ty),
            )*
        }

        const _: () = {
            assert!(size_of::<$name>() == $size, "size");
            $( assert!(std::mem::offset_of!($name, $member) == $offset, "offset"); )*
            $crate::layout::assert_sound($name::FIELDS, &[], $size);
        };

        impl $name {
            /// The size in bytes.
            pub const SIZE: usize = $size;

            const FIELDS: &'static [$crate::layout::Field] = &[
                $(
                    $( $crate::layout::Field {
                        name: stringify!($member),
                        bit: $offset * 8,
                        width: $crate::macros::wire!(@bits $ty),
                        meaning: $meaning,
                        content: $crate::macros::content!($( $content )?),
                        values: $crate::macros::wire!(@values $( $values )?),
                    }, )?
                    $( $( $crate::layout::Field {
                        name: stringify!($sub),
                        bit: $offset * 8 + $bit,
                        width: $width,
                        meaning: $sub_meaning,
                        content: $crate::layout::Content::Plain,
                        values: $crate::macros::wire!(@values $( $sub_values )?),
                    }, )* )?
                )*
            ];

            /// Every member with its offset and size in bytes, reserved ones included; what a
            /// comparison with a C structure needs.
            pub const MEMBERS: &'static [(&'static str, usize, usize)] = &[
                $( (
                    stringify!($member),
                    $offset,
                    size_of::<$crate::macros::wire!(@type $ty)>(),
                ), )*
            ];

            /// The structure with every byte zero.
            #[inline]
            pub fn zeroed() -> Self {
                ::zerocopy::FromZeros::new_zeroed()
            }

            $( $( $(
                #[doc = $sub_meaning]
                #[inline]
                pub const fn $sub(&self) -> $crate::macros::wire!(@native $ty) {
                    const BITS: u32 = $crate::macros::wire!(@bits $ty);
                    const MASK: $crate::macros::wire!(@native $ty) =
                        $crate::bits::mask($width) as $crate::macros::wire!(@native $ty);
                    const { assert!($crate::bits::inside($bit, $width, BITS), "a bit field leaves its word") };
                    $crate::macros::wire!(@get $ty, self.$member) >> (BITS - $bit - $width) & MASK
                }

                #[doc = concat!("Sets [`Self::", stringify!($sub), "`]; bits that do not fit are cut off.")]
                #[inline]
                pub const fn $set_sub(&mut self, value: $crate::macros::wire!(@native $ty)) {
                    const SHIFT: u32 = $crate::macros::wire!(@bits $ty) - $bit - $width;
                    const MASK: $crate::macros::wire!(@native $ty) =
                        $crate::bits::mask($width) as $crate::macros::wire!(@native $ty);
                    let rest = $crate::macros::wire!(@get $ty, self.$member) & !(MASK << SHIFT);
                    self.$member =
                        $crate::macros::wire!(@new $ty, rest | (value & MASK) << SHIFT);
                }
            )* )? )*
        }

        impl $crate::layout::Layout for $name {
            const LAYOUT: &'static $crate::layout::LayoutInfo = &$crate::layout::LayoutInfo {
                name: $label,
                size: $size,
                source: $source,
                fields: $name::FIELDS,
                nested: &[],
                tail: $crate::macros::tail!(
                    $( $tail, $tail_width, $tail_content, $tail_meaning )?
                ),
            };
        }

        impl Default for $name {
            fn default() -> Self {
                Self::zeroed()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let bytes = ::zerocopy::IntoBytes::as_bytes(self);
                $crate::layout::debug(<Self as $crate::layout::Layout>::LAYOUT, bytes, to)
            }
        }
    };

    (@type U16) => { ::zerocopy::big_endian::U16 };
    (@type U32) => { ::zerocopy::big_endian::U32 };
    (@type U64) => { ::zerocopy::big_endian::U64 };
    (@type u8) => { u8 };
    (@type [u8; $count:literal]) => { [u8; $count] };

    (@native U16) => { u16 };
    (@native U32) => { u32 };
    (@native U64) => { u64 };
    (@native u8) => { u8 };

    (@bits U16) => { 16 };
    (@bits U32) => { 32 };
    (@bits U64) => { 64 };
    (@bits u8) => { 8 };
    (@bits [u8; $count:literal]) => { 8 * $count };

    (@get u8, $from:expr) => { $from };
    (@get $ty:tt, $from:expr) => { $from.get() };

    (@new u8, $value:expr) => { $value };
    (@new $ty:tt, $value:expr) => { ::zerocopy::big_endian::$ty::new($value) };

    (@values) => { &[] };
    (@values $values:expr) => { $values };
}
pub(crate) use wire;
