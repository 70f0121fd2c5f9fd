//! Exact numbers: an integer at a declared scale, or the exact decimal text where 64 bits are too few.

/// A number as a venue meant it, never rounded and never a float.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// Units of 10^-scale, the scale being the instrument's (or asset's) in force when the number arrived.
    Scaled(i64),
    /// The exact decimal in whole units, canonical (`-?digits[.digits]`), where it does not fit [`Number::Scaled`].
    Text(Box<String>),
}

impl Number {
    /// The scaled integer, if it is one.
    #[must_use]
    pub fn as_scaled(&self) -> Option<i64> {
        match self {
            Self::Scaled(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    /// The decimal text, if it does not fit a scaled integer.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Scaled(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub Number);

        impl $name {
            /// From a scaled integer as sent.
            #[must_use]
            pub fn scaled(value: i64) -> Self {
                Self(Number::Scaled(value))
            }

            /// The scaled integer, if it is one.
            #[must_use]
            pub fn as_scaled(&self) -> Option<i64> {
                self.0.as_scaled()
            }
        }
    };
}

amount!(
    /// A price in the counter asset, at the instrument's price scale.
    Price
);
amount!(
    /// An amount of an asset, at that asset's scale (for an order: the base asset's). Its sign is as the table says.
    Quantity
);

/// The exact decimal of `value` units of 10^-`places`: no exponent, no float, trailing zeros kept.
///
/// ```
/// use feedtape::model::decimal_text;
/// assert_eq!(decimal_text(-5, 4), "-0.0005");
/// assert_eq!(decimal_text(32_000, 4), "3.2000");
/// assert_eq!(decimal_text(7, 0), "7");
/// ```
#[must_use]
pub fn decimal_text(value: i64, places: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    let places = usize::from(places);
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{fraction}")
}
