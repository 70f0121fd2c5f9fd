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

/// Longest exact text kept of one number, in digits. A longer one (`1e999999`) is left to the frame.
const DIGITS_MAX: usize = 400;

impl Number {
    /// From the text of a decimal in whole units (`0.00005100`, `1e-7`), to be kept at `places`.
    ///
    /// `None` if it is no decimal number, or too long to be written out.
    #[must_use]
    pub fn of_units(text: &str, places: u8) -> Option<Self> {
        match short(text, places) {
            Some(value) => Some(Self::Scaled(value)),
            None => Decimal::parse(text)?.at(places.into(), 0),
        }
    }

    /// From the text of a decimal in whole units whose scale nobody knows: the exact text, also of an integer.
    ///
    /// `None` as for [`Number::of_units`].
    #[must_use]
    pub fn exactly(text: &str) -> Option<Self> {
        match Decimal::parse(text)?.at(0, 0)? {
            Self::Scaled(value) => Some(Self::Text(Box::new(value.to_string()))),
            exact => Some(exact),
        }
    }

    /// From the text of a number in units of 10^-`places` that need not be an integer or fit 64 bits.
    ///
    /// `None` as for [`Number::of_units`].
    #[must_use]
    pub fn of_scaled(text: &str, places: u8) -> Option<Self> {
        Decimal::parse(text)?.at(0, places.into())
    }
}

/// The same as [`Number::of_units`] for what is usual: few digits, no exponent, and not more places than there are.
fn short(text: &str, places: u8) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    // 18 digits fit 64 bits whatever they are.
    if digits.len() > 18 || !digits.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let (mut value, mut missing, mut is_fraction) = (0_i64, places, false);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                if is_fraction {
                    missing = missing.checked_sub(1)?;
                }
                value = value * 10 + i64::from(byte - b'0');
            }
            b'.' if !is_fraction => is_fraction = true,
            _ => return None,
        }
    }
    let value = value.checked_mul(10_i64.checked_pow(missing.into())?)?;
    Some(if negative { -value } else { value })
}

/// A decimal number as written: digits · 10^exponent.
struct Decimal {
    negative: bool,
    /// Without leading zeros; empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads the number syntax of JSON.
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let valid = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !valid {
            return None;
        }
        let digits = format!("{whole}{fraction}").trim_start_matches('0').to_owned();
        Some(Self { negative, digits, exponent: i64::from(exponent) - fraction.len() as i64 })
    }

    /// As an integer of 10^-`places`, or where that is none as text of the number moved down by `shift` decimal places.
    fn at(self, places: i64, shift: i64) -> Option<Number> {
        let significant = self.digits.trim_end_matches('0');
        let trailing = (self.digits.len() - significant.len()) as i64;
        let exponent = self.exponent + trailing;
        if significant.is_empty() {
            return Some(Number::Scaled(0));
        }
        let zeros = exponent + places;
        if (0..20).contains(&zeros) {
            let sign = if self.negative { "-" } else { "" };
            let scaled = format!("{sign}{significant}{}", "0".repeat(zeros as usize));
            if let Ok(value) = scaled.parse() {
                return Some(Number::Scaled(value));
            }
        }
        let exponent = exponent - shift;
        if significant.len() as u64 + exponent.unsigned_abs() > DIGITS_MAX as u64 {
            return None;
        }
        let mut text = if self.negative { "-".to_owned() } else { String::new() };
        if exponent >= 0 {
            text.push_str(significant);
            text.push_str(&"0".repeat(exponent as usize));
        } else {
            let places = exponent.unsigned_abs() as usize;
            let padded = format!("{significant:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            text.push_str(whole);
            text.push('.');
            text.push_str(fraction);
        }
        Some(Number::Text(Box::new(text)))
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

        impl AsRef<Number> for $name {
            fn as_ref(&self) -> &Number {
                &self.0
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<Number> {
        Some(Number::Text(Box::new(text.to_owned())))
    }

    #[test]
    fn numbers_in_units_become_integers_where_they_are_exact() {
        assert_eq!(Number::of_units("0.00005100", 8), Some(Number::Scaled(5100)));
        assert_eq!(Number::of_units("78871.5", 1), Some(Number::Scaled(788_715)));
        assert_eq!(Number::of_units("6.158e-05", 8), Some(Number::Scaled(6158)));
        assert_eq!(Number::of_units("-0", 3), Some(Number::Scaled(0)));
        assert_eq!(Number::of_units("0.001", 2), text("0.001"));
        assert_eq!(Number::of_units("10581.779418721074588722", 18), text("10581.779418721074588722"));
        assert_eq!(Number::of_units("99999999999999999999", 0), text("99999999999999999999"));
    }

    #[test]
    fn scaled_numbers_that_do_not_fit_become_exact_decimals() {
        assert_eq!(Number::of_scaled("1.0", 4), Some(Number::Scaled(1)));
        assert_eq!(Number::of_scaled("1e3", 4), Some(Number::Scaled(1000)));
        assert_eq!(Number::of_scaled("9223372036854775807", 4), Some(Number::Scaled(i64::MAX)));
        assert_eq!(Number::of_scaled("-9223372036854775808", 4), Some(Number::Scaled(i64::MIN)));
        assert_eq!(Number::of_scaled("9223372036854775808", 4), text("922337203685477.5808"));
        assert_eq!(Number::of_scaled("1e20", 0), text("100000000000000000000"));
        assert_eq!(Number::of_scaled("-1.5", 4), text("-0.00015"));
    }

    #[test]
    fn what_is_no_number_or_too_long_is_none() {
        for bad in ["", "-", "1e", "1e999999999", "1e99999999999", "0x10", "1_0", "NaN", ".5", "\u{663}"] {
            assert_eq!(Number::of_scaled(bad, 4), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_comes_to_what_the_long_one_does(text in "-?[0-9]{1,19}(\\.[0-9]{0,9})?", places in 0u8..=18) {
            if let Some(value) = short(&text, places) {
                let long = Decimal::parse(&text).and_then(|decimal| decimal.at(places.into(), 0));
                proptest::prop_assert_eq!(long, Some(Number::Scaled(value)));
            }
        }

        #[test]
        fn a_number_survives_its_decimal(value: i64, places in 0u8..=18) {
            proptest::prop_assert_eq!(Number::of_units(&decimal_text(value, places), places), Some(Number::Scaled(value)));
        }
    }
}
