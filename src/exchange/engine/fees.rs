//! Fee rates, and the arithmetic of totals, fees and reservations.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::exchange::listing::Pair;

/// Parts in a whole.
const MILLION: i64 = 1_000_000;

/// A fee rate in millionths of a trade's total, from 0 to 1,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartsPerMillion(u32);

/// A fee rate above the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fee of {0} millionths is more than the trade itself: give at most 1000000")]
pub struct FeeTooHigh(pub u32);

impl PartsPerMillion {
    /// No fee.
    pub const ZERO: Self = Self(0);

    /// So many millionths.
    ///
    /// # Errors
    /// [`FeeTooHigh`] above 1,000,000.
    pub fn new(millionths: u32) -> Result<Self, FeeTooHigh> {
        if i64::from(millionths) <= MILLION { Ok(Self(millionths)) } else { Err(FeeTooHigh(millionths)) }
    }

    /// The millionths.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The fee rates of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRates {
    /// For the order that was in the book.
    pub maker: PartsPerMillion,
    /// For the order that came.
    pub taker: PartsPerMillion,
}

impl Default for FeeRates {
    /// Nothing for makers and 0.03 % for takers.
    fn default() -> Self {
        Self { maker: PartsPerMillion::ZERO, taker: PartsPerMillion(300) }
    }
}

/// The fee rates of all markets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeeSchedule {
    /// Where nothing else is said.
    pub default: FeeRates,
    /// Of single markets.
    pub markets: BTreeMap<Pair, FeeRates>,
}

impl FeeSchedule {
    /// The rates of a market.
    #[must_use]
    pub fn rates(&self, pair: Pair) -> FeeRates {
        self.markets.get(&pair).copied().unwrap_or(self.default)
    }
}

/// What `quantity` at `price` comes to: whole units and what is beyond them, in parts of `lot`. Exact in 128 bits,
/// which two factors of 63 bits cannot exceed.
fn total(quantity: i64, price: i64, lot: i64) -> (i128, i64) {
    match quantity.checked_mul(price) {
        Some(product) => (i128::from(product / lot), product % lot),
        None => {
            let product = i128::from(quantity) * i128::from(price);
            let lot = i128::from(lot);
            (product / lot, i64::try_from(product % lot).expect("a remainder is less than its divisor"))
        }
    }
}

/// `quantity * price / lot` rounded up, as a bid reserves it; `None` beyond 64 bits. Nothing is negative.
pub(super) fn total_up(quantity: i64, price: i64, lot: i64) -> Option<i64> {
    let (whole, part) = total(quantity, price, lot);
    i64::try_from(whole + i128::from(part > 0)).ok()
}

/// The largest quantity whose total at `price`, rounded up, is at most `funds`; at most `i64::MAX`.
pub(super) fn quantity_for(funds: i64, price: i64, lot: i64) -> i64 {
    i64::try_from(i128::from(funds) * i128::from(lot) / i128::from(price)).unwrap_or(i64::MAX)
}

/// The largest total that `funds` can pay together with its fee, rounded up.
pub(super) fn total_within(funds: i64, rate: PartsPerMillion) -> i64 {
    let total = i128::from(funds) * i128::from(MILLION) / i128::from(MILLION + i64::from(rate.0));
    i64::try_from(total).expect("it is at most the funds")
}

/// Rounds up with the probability of the fraction, down otherwise.
#[derive(Debug)]
pub(super) struct Rounding(ChaCha8Rng);

impl Rounding {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The total of a trade, which must fit 64 bits when rounded up.
    pub(super) fn total(&mut self, quantity: i64, price: i64, lot: i64) -> i64 {
        let (whole, part) = total(quantity, price, lot);
        i64::try_from(whole).expect("orders whose total overflows are refused") + self.round(part, lot)
    }

    /// The fee on a total.
    pub(super) fn fee(&mut self, traded: i64, rate: PartsPerMillion) -> i64 {
        let (whole, part) = total(traded, i64::from(rate.0), MILLION);
        i64::try_from(whole).expect("a fee is at most the total") + self.round(part, MILLION)
    }

    /// 1 with probability `part / whole`, else 0.
    fn round(&mut self, part: i64, whole: i64) -> i64 {
        i64::from(part > 0 && self.0.random_range(0..whole) < part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bid_reserves_the_published_example() {
        assert_eq!(total_up(12_345, 1_234_500, 10_000), Some(1_523_991));
        assert_eq!(total_up(10_000, 7, 10_000), Some(7));
    }

    #[test]
    fn totals_beyond_64_bits_are_none_and_large_ones_exact() {
        assert_eq!(total_up(i64::MAX, 10_001, 10_000), None);
        assert_eq!(total_up(i64::MAX, 10_000, 10_000), Some(i64::MAX));
        assert_eq!(total_up(i64::MAX, 9_999, 10_000), Some(9_222_449_699_651_090_330));
    }

    #[test]
    fn what_funds_can_pay_is_the_most_they_can_pay() {
        let pays = |quantity, funds| total_up(quantity, 1_234_500, 10_000).unwrap() <= funds;
        for funds in [0, 1, 123, 124, 1_371_607, 99_999_999] {
            let quantity = quantity_for(funds, 1_234_500, 10_000);
            assert!(pays(quantity, funds) && !pays(quantity + 1, funds), "{funds}");
        }
        for (funds, rate) in [(0, 300), (1, 300), (10_003, 300), (10_000, 1_000_000), (i64::MAX, 0), (7, 999_999)] {
            let total = total_within(funds, PartsPerMillion(rate));
            let with_fee = |total: i64| {
                i128::from(total) + i128::from(total_up(total, i64::from(rate), MILLION).expect("it is small"))
            };
            assert!(with_fee(total) <= i128::from(funds), "{funds} {rate}");
            assert!(total == i64::MAX || with_fee(total + 1) > i128::from(funds), "{funds} {rate}");
        }
    }

    #[test]
    fn rounding_goes_up_as_often_as_the_fraction_says() {
        let mut rounding = Rounding::new(1);
        let sum: i64 = (0..10_000).map(|_| rounding.total(1, 2_100, 10_000)).sum();
        assert!((1_900..2_300).contains(&sum), "21 % of 10000 tries went up {sum} times");
        assert_eq!((0..1_000).map(|_| rounding.total(20_000, 5, 10_000)).sum::<i64>(), 10_000, "nothing to round");
    }

    #[test]
    fn a_fee_above_the_trade_is_refused() {
        assert_eq!(PartsPerMillion::new(1_000_001), Err(FeeTooHigh(1_000_001)));
        assert_eq!(PartsPerMillion::new(1_000_000).map(PartsPerMillion::get), Ok(1_000_000));
    }
}
