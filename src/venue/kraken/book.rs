//! The book as its checksum needs it: the text of each number, at most as deep as subscribed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::Side;

/// The checksum is over this many levels of each side.
pub(super) const CHECKED_LEVELS: usize = 10;

/// Decimal places of the keys that levels are sorted by.
const KEY_PLACES: usize = 18;

/// A book of price levels.
#[derive(Debug, Default)]
pub(super) struct Book {
    depth: Option<usize>,
    asks: BTreeMap<i128, Text>,
    bids: BTreeMap<Reverse<i128>, Text>,
}

/// Price and quantity as sent.
#[derive(Debug)]
struct Text {
    price: String,
    quantity: String,
}

impl Book {
    /// An empty book that keeps so many levels of a side.
    pub(super) fn of_depth(depth: usize) -> Self {
        Self { depth: Some(depth), ..Self::default() }
    }

    /// Sets a level; a quantity of 0 removes it. `None`: the price cannot be sorted.
    pub(super) fn set(&mut self, side: Side, price: &str, quantity: &str) -> Option<()> {
        let key = key(price)?;
        let is_gone = quantity.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let text = Text { price: price.to_owned(), quantity: quantity.to_owned() };
        match (side, is_gone) {
            (Side::Ask, true) => drop(self.asks.remove(&key)),
            (Side::Ask, false) => drop(self.asks.insert(key, text)),
            (Side::Bid, true) => drop(self.bids.remove(&Reverse(key))),
            (Side::Bid, false) => drop(self.bids.insert(Reverse(key), text)),
        }
        Some(())
    }

    /// Drops what lies deeper than subscribed, which the venue no longer speaks of.
    pub(super) fn truncate(&mut self) {
        let Some(depth) = self.depth else { return };
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
        while self.bids.len() > depth {
            self.bids.pop_last();
        }
    }

    /// The checksum: CRC32 over the best levels, asks from the lowest and then bids from the highest, each as the
    /// digits of price and quantity without the point and without leading zeros.
    pub(super) fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let asks = self.asks.values().take(CHECKED_LEVELS);
        for Text { price, quantity } in asks.chain(self.bids.values().take(CHECKED_LEVELS)) {
            hash_digits(&mut hasher, price);
            hash_digits(&mut hasher, quantity);
        }
        hasher.finalize()
    }
}

/// Adds the digits of a number to a checksum, as Kraken does.
pub(super) fn hash_digits(hasher: &mut crc32fast::Hasher, number: &str) {
    let digits = number.trim_start_matches(['0', '.']);
    for part in digits.split('.') {
        hasher.update(part.as_bytes());
    }
}

/// A number to sort by. `None` for what Kraken does not send: exponents, signs, and more digits than it has.
pub(super) fn key(number: &str) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(whole) || !is_plain(fraction) || whole.is_empty() || whole.len() > 20 || fraction.len() > KEY_PLACES {
        return None;
    }
    format!("{whole}{fraction:0<KEY_PLACES$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the guide "Spot WebSockets (v2): book checksum" in Kraken's documentation.
    #[test]
    fn the_documented_example_gives_the_documented_checksum() {
        let asks = [
            ("45285.2", "0.00100000"),
            ("45286.4", "1.54571953"),
            ("45286.6", "1.54571109"),
            ("45289.6", "1.54560911"),
            ("45290.2", "0.15890660"),
            ("45291.8", "1.54553491"),
            ("45294.7", "0.04454749"),
            ("45296.1", "0.35380000"),
            ("45297.5", "0.09945542"),
            ("45299.5", "0.18772827"),
        ];
        let bids = [
            ("45283.5", "0.10000000"),
            ("45283.4", "1.54582015"),
            ("45282.1", "0.10000000"),
            ("45281.0", "0.10000000"),
            ("45280.3", "1.54592586"),
            ("45279.0", "0.07990000"),
            ("45277.6", "0.03310103"),
            ("45277.5", "0.30000000"),
            ("45277.3", "1.54602737"),
            ("45276.6", "0.15445238"),
        ];
        let mut book = Book::of_depth(10);
        asks.iter().for_each(|(price, quantity)| book.set(Side::Ask, price, quantity).unwrap());
        bids.iter().for_each(|(price, quantity)| book.set(Side::Bid, price, quantity).unwrap());
        assert_eq!(book.checksum(), 3_310_070_434);
    }
}
