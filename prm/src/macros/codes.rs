//! `codes!`: a set of numbers with names.

/// Defines an enumeration of wire codes: the enum itself, `from_code`, `code`, `label`, and the
/// `TABLE` of (number, name) that field tables use.
macro_rules! codes {
    (
        $(#[$attr:meta])*
        pub enum $name:ident : $repr:ident {
            $( $variant:ident = $value:literal $label:literal ; )*
        }
    ) => {
        $(#[$attr])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr($repr)]
        pub enum $name {
            $(
                #[doc = concat!("`", $label, "`, ", stringify!($value), ".")]
                $variant = $value,
            )*
        }

        impl $name {
            /// Every code with its name.
            pub const TABLE: &'static [(u64, &'static str)] = &[ $( ($value, $label), )* ];

            /// The member that has this number, if there is one.
            #[inline]
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code {
                    $( $value => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// The number.
            #[inline]
            pub const fn code(self) -> $repr {
                self as $repr
            }

            /// The name that the field's documents use.
            pub const fn label(self) -> &'static str {
                match self {
                    $( Self::$variant => $label, )*
                }
            }
        }
    };
}
pub(crate) use codes;
