//! `firmware!` and `command!`: structures of the command interface, as bytes with bit fields.

/// Defines a structure whose fields are given by bit offset and width, as `mlx5_ifc.h` has them.
///
/// ```text
/// firmware! {
///     /// What it is.
///     pub struct Name [size in bytes] = "mlx5_ifc name" {
///         field, set_field: u32 @ bit, width as Content "meaning" => VALUE_NAMES;
///         @nested {
///             inner, inner_mut: InnerType @ bit "meaning";
///         }
///         @tail element: width as Content "meaning";
///     }
/// }
/// ```
///
/// `as Content` is left out where the content is plain, `@tail` where nothing follows behind.
///
/// The type is a transparent array of bytes. Each field has a getter and a setter of the type
/// named; a setter cuts off bits that do not fit. An inner structure is reached in place. That
/// every field lies inside, that none overlaps another and that its type is wide enough is
/// checked at compile time.
macro_rules! firmware {
    (
        $(#[$attr:meta])*
        pub struct $name:ident [$size:literal] = $label:literal {
            $(
                $field:ident, $set:ident : $ty:tt @ $bit:literal, $width:literal
                $( as $content:ident )?
                $meaning:literal $( => $values:expr )? ;
            )*
            $( @nested {
                $( $inner:ident, $inner_mut:ident : $inner_ty:ident @ $inner_bit:literal $inner_meaning:literal ; )*
            } )?
            $( @tail $tail:ident : $tail_width:literal as $tail_content:ident $tail_meaning:literal ; )?
        }
    ) => {
        $(#[$attr])*
        #[doc = ""]
        #[doc = concat!("Source: `mlx5_ifc_", $label, "_bits` in `mlx5_ifc.h`.")]
        #[repr(transparent)]
        #[derive(
            Clone, Copy, PartialEq, Eq,
            ::zerocopy::FromBytes, ::zerocopy::IntoBytes, ::zerocopy::Immutable,
            ::zerocopy::KnownLayout, ::zerocopy::Unaligned,
        )]
        pub struct $name([u8; $size]);

        const _: () = {
            $crate::layout::assert_sound($name::FIELDS, $name::NESTED, $size);
            $( assert!($crate::macros::firmware!(@fits $ty, $width), "the type does not fit"); )*
        };

        impl $name {
            /// The size in bytes, without a variable part behind it.
            pub const SIZE: usize = $size;

            const FIELDS: &'static [$crate::layout::Field] = &[
                $( $crate::layout::Field {
                    name: stringify!($field),
                    bit: $bit,
                    width: $width,
                    meaning: $meaning,
                    content: $crate::macros::content!($( $content )?),
                    values: $crate::macros::firmware!(@values $( $values )?),
                }, )*
            ];

            const NESTED: &'static [$crate::layout::Nested] = &[
                $( $( $crate::layout::Nested {
                    name: stringify!($inner),
                    bit: $inner_bit,
                    layout: <$inner_ty as $crate::layout::Layout>::LAYOUT,
                }, )* )?
            ];

            /// The structure with every byte zero.
            pub const fn zeroed() -> Self {
                Self([0; $size])
            }

            $(
                #[doc = $meaning]
                pub const fn $field(&self) -> $crate::macros::firmware!(@type $ty) {
                    $crate::macros::firmware!(@get $ty, self.0, $bit, $width)
                }

                #[doc = concat!("Sets [`Self::", stringify!($field), "`]; bits that do not fit are cut off.")]
                pub const fn $set(&mut self, value: $crate::macros::firmware!(@type $ty)) -> &mut Self {
                    $crate::macros::firmware!(@set $ty, self.0, $bit, $width, value);
                    self
                }
            )*

            $( $(
                #[doc = $inner_meaning]
                pub fn $inner(&self) -> &$inner_ty {
                    $crate::macros::window(&self.0, $inner_bit / 8)
                }

                #[doc = concat!("The same as [`Self::", stringify!($inner), "`], to be changed.")]
                pub fn $inner_mut(&mut self) -> &mut $inner_ty {
                    $crate::macros::window_mut(&mut self.0, $inner_bit / 8)
                }
            )* )?
        }

        impl $crate::layout::Layout for $name {
            const LAYOUT: &'static $crate::layout::LayoutInfo = &$crate::layout::LayoutInfo {
                name: $label,
                size: $size,
                source: concat!("mlx5_ifc.h, mlx5_ifc_", $label, "_bits"),
                fields: $name::FIELDS,
                nested: $name::NESTED,
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
                $crate::layout::debug(<Self as $crate::layout::Layout>::LAYOUT, &self.0, to)
            }
        }
    };

    (@type [$item:ident; $count:literal]) => { [$item; $count] };
    (@type $ty:tt) => { $ty };

    (@fits bool, $width:expr) => { $width == 1 };
    (@fits [$item:ident; $count:literal], $width:expr) => { $width == $item::BITS * $count };
    (@fits $ty:tt, $width:expr) => { $width <= $ty::BITS };

    (@get bool, $from:expr, $bit:expr, $width:expr) => {
        $crate::macros::read(&$from, $bit, $width) != 0
    };
    (@get [u8; $count:literal], $from:expr, $bit:expr, $width:expr) => {{
        const { assert!($bit % 8 == 0, "an array of bytes begins inside a byte") };
        let mut items = [0; $count];
        let mut at = 0;
        while at < $count {
            items[at] = $from[$bit / 8 + at];
            at += 1;
        }
        items
    }};
    (@get [$item:ident; $count:literal], $from:expr, $bit:expr, $width:expr) => {{
        let mut items = [0; $count];
        let mut at = 0;
        while at < $count {
            items[at as usize] =
                $crate::macros::read(&$from, $bit + at * $item::BITS, $item::BITS) as $item;
            at += 1;
        }
        items
    }};
    (@get $ty:tt, $from:expr, $bit:expr, $width:expr) => {
        $crate::macros::read(&$from, $bit, $width) as $ty
    };

    (@set [u8; $count:literal], $into:expr, $bit:expr, $width:expr, $value:expr) => {{
        let mut at = 0;
        while at < $count {
            $into[$bit / 8 + at] = $value[at];
            at += 1;
        }
    }};
    (@set [$item:ident; $count:literal], $into:expr, $bit:expr, $width:expr, $value:expr) => {{
        let mut at = 0;
        while at < $count {
            let item = $value[at as usize] as u64;
            $crate::bits::set_bits(&mut $into, $bit + at * $item::BITS, $item::BITS, item);
            at += 1;
        }
    }};
    (@set $ty:tt, $into:expr, $bit:expr, $width:expr, $value:expr) => {
        $crate::bits::set_bits(&mut $into, $bit, $width, $value as u64)
    };

    (@values) => { &[] };
    (@values $values:expr) => { $values };
}
pub(crate) use firmware;

/// Defines the input and the output of a command.
///
/// The fields that every command has (`opcode` and `op_mod`, `status` and `syndrome`) are added,
/// and the input is tied to its opcode and its output.
macro_rules! command {
    (
        $(#[$attr:meta])*
        $opcode:ident {
            input $input:ident [$input_size:literal] = $input_label:literal { $( $input_fields:tt )* }
            output $output:ident [$output_size:literal] = $output_label:literal { $( $output_fields:tt )* }
        }
    ) => {
        $crate::macros::firmware! {
            $(#[$attr])*
            #[doc = ""]
            #[doc = "This is the command's input; its variable part, if any, follows behind it."]
            pub struct $input [$input_size] = $input_label {
                opcode, set_opcode: u16 @ 0, 16 "Which command this is." => $crate::commands::CommandOpcode::TABLE;
                op_mod, set_op_mod: u16 @ 48, 16 "The command's variant, where it has more than one.";
                $( $input_fields )*
            }
        }

        $crate::macros::firmware! {
            #[doc = concat!("What the card answers to [`", stringify!($input), "`].")]
            pub struct $output [$output_size] = $output_label {
                status, set_status: u8 @ 0, 8 "0 when the command was carried out, else why not." => $crate::commands::CommandStatus::TABLE;
                syndrome, set_syndrome: u32 @ 32, 32 "The firmware's own error number; meaningful to the vendor.";
                $( $output_fields )*
            }
        }

        impl $input {
            /// An input with its opcode filled in and all else zero.
            pub const fn new() -> Self {
                let mut input = Self::zeroed();
                input.set_opcode($crate::commands::CommandOpcode::$opcode.code());
                input
            }
        }

        impl $crate::commands::CommandInput for $input {
            const OPCODE: $crate::commands::CommandOpcode = $crate::commands::CommandOpcode::$opcode;
            type Output = $output;
        }

        impl $crate::commands::CommandOutput for $output {
            fn set_outcome(&mut self, status: u8, syndrome: u32) {
                self.set_status(status).set_syndrome(syndrome);
            }

            fn outcome(&self) -> (u8, u32) {
                (self.status(), self.syndrome())
            }
        }
    };
}
pub(crate) use command;
