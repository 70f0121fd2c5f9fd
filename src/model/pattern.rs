//! Which markets are meant: a name, a pair of codes, or a wildcard.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{AssetCode, Market};

/// A pattern is at most this long.
const PATTERN_BYTES_MAX: usize = 128;

/// A pattern for markets: `XBT:USDT`, `63488:65283`, `ETH:*`, `*:USDT`, `*`.
///
/// Either side of the colon is an asset's name or code; without a colon the pattern is for the market's whole name.
/// `*` stands for any run of characters, also within a name (`XBT*:*` is every contract on XBT).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarketPattern(String);

/// Why a text is no pattern for markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Nothing, or nothing on one side of the colon.
    #[error("an empty name; write `BASE:COUNTER`, with `*` for any")]
    Empty,
    /// More than one colon.
    #[error("more than one colon; a market is `BASE:COUNTER`")]
    Colons,
    /// White space or a control character.
    #[error("white space in a market's name")]
    Space,
    /// Absurdly long.
    #[error("more than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
}

impl MarketPattern {
    /// Reads a pattern.
    ///
    /// ```
    /// use feedtape::model::MarketPattern;
    /// assert!(MarketPattern::parse("ETH:*").is_ok());
    /// assert!(MarketPattern::parse("ETH:").is_err());
    /// ```
    ///
    /// # Errors
    /// If it can be no market's name.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.split(':').any(str::is_empty) {
            Err(PatternError::Empty)
        } else if text.split(':').count() > 2 {
            Err(PatternError::Colons)
        } else if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            Err(PatternError::Space)
        } else if text.len() > PATTERN_BYTES_MAX {
            Err(PatternError::TooLong)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Whether it means this market.
    #[must_use]
    pub fn matches(&self, market: &Market) -> bool {
        self.matches_name(&market.name)
            || self.0.split_once(':').is_some_and(|(base, counter)| {
                side(base, &market.base, market.base_code) && side(counter, &market.counter, market.counter_code)
            })
    }

    /// Whether it means the market of this name, by the name alone.
    #[must_use]
    pub fn matches_name(&self, name: &str) -> bool {
        wildcard(&self.0, name)
    }

    /// Whether it may mean several markets, and ones that are listed later.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.contains('*')
    }

    /// Base and counter, where both are given by code: such a market can be asked for without being listed.
    #[must_use]
    pub fn codes(&self) -> Option<(AssetCode, AssetCode)> {
        let (base, counter) = self.0.split_once(':')?;
        Some((code(base)?, code(counter)?))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The code that a text is, if it is nothing but digits.
fn code(text: &str) -> Option<AssetCode> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok().map(AssetCode) } else { None }
}

fn side(pattern: &str, name: &str, number: Option<AssetCode>) -> bool {
    wildcard(pattern, name) || (number.is_some() && code(pattern) == number)
}

/// Whether `text` is `pattern`, in which each `*` stands for any run of characters.
fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut pieces = rest.split('*');
    let end = pieces.next_back().unwrap_or_default();
    for piece in pieces {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(end)
}

impl FromStr for MarketPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for MarketPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl From<MarketPattern> for String {
    fn from(pattern: MarketPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for MarketPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn market(base: &str, base_code: i64, counter: &str, counter_code: i64) -> Market {
        Market {
            name: format!("{base}:{counter}"),
            base: base.to_owned(),
            counter: counter.to_owned(),
            base_code: Some(AssetCode(base_code)),
            counter_code: Some(AssetCode(counter_code)),
            price_places: Some(4),
            quantity_places: Some(4),
            tick: None,
            starts: None,
            expires: None,
        }
    }

    #[test]
    fn names_codes_and_wildcards_mean_the_markets_they_say() {
        let xbt = market("XBT", 63488, "USDT", 65283);
        let jan = market("XBTJAN", 51200, "USDTJAN", 51880);
        let eth = market("ETH", 63520, "USDT", 65283);
        for (pattern, means) in [
            ("XBT:USDT", [true, false, false]),
            ("63488:65283", [true, false, false]),
            ("XBT:65283", [true, false, false]),
            ("63488:*", [true, false, false]),
            ("*:65283", [true, false, true]),
            ("*:USDT", [true, false, true]),
            ("XBT*:*", [true, true, false]),
            ("*JAN:*JAN", [false, true, false]),
            ("X*T*:*", [true, true, false]),
            ("*", [true, true, true]),
            ("*:*", [true, true, true]),
            ("XBT", [false, false, false]),
            ("xbt:usdt", [false, false, false]),
            ("634:65283", [false, false, false]),
        ] {
            let parsed = MarketPattern::parse(pattern).unwrap();
            assert_eq!([&xbt, &jan, &eth].map(|market| parsed.matches(market)), means, "{pattern}");
        }
    }

    #[test]
    fn a_name_without_a_colon_means_the_venues_whole_name() {
        let dashed = Market { name: "BTC-USD".to_owned(), ..market("BTC", 1, "USD", 2) };
        for pattern in ["BTC-USD", "BTC-*", "BTC:USD", "1:2"] {
            assert!(MarketPattern::parse(pattern).unwrap().matches(&dashed), "{pattern}");
        }
    }

    #[test]
    fn only_a_pair_of_codes_can_be_asked_for_without_a_list() {
        let codes = |text: &str| MarketPattern::parse(text).unwrap().codes();
        assert_eq!(codes("63488:65283"), Some((AssetCode(63488), AssetCode(65283))));
        assert_eq!(codes("63488:*"), None);
        assert_eq!(codes("XBT:65283"), None);
        assert_eq!(codes("99999999999999999999:1"), None);
    }

    #[test]
    fn what_can_be_no_market_is_refused() {
        let long = "X".repeat(PATTERN_BYTES_MAX + 1);
        for (text, error) in [
            ("", PatternError::Empty),
            (":USDT", PatternError::Empty),
            ("XBT:", PatternError::Empty),
            ("A:B:C", PatternError::Colons),
            ("XBT: USDT", PatternError::Space),
            ("XBT\u{1b}:USDT", PatternError::Space),
            (long.as_str(), PatternError::TooLong),
        ] {
            assert_eq!(MarketPattern::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_wildcard_matches_what_it_was_cut_from(name in "[a-c]{0,8}", from in 0usize..9, to in 0usize..9) {
            let (from, to) = (from.min(name.len()), to.min(name.len()));
            let (from, to) = (from.min(to), from.max(to));
            let pattern = format!("{}*{}", &name[..from], &name[to..]);
            prop_assert!(wildcard(&pattern, &name), "{pattern} for {name}");
        }

        #[test]
        fn a_wildcard_agrees_with_trying_every_split(pattern in "[ab*]{0,6}", text in "[ab]{0,7}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
                    Some((first, rest)) => text.first() == Some(first) && slow(rest, &text[1..]),
                }
            }
            prop_assert_eq!(wildcard(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
