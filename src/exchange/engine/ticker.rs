//! Tickers: what was last said of a market, so that only changes are told.

use crate::model::Patch;

use super::trailing::{Span, Sum, Trailing};
use super::{Micros, Price, Quantity, Ticker, TickerChange};

/// The span of low, high and volume: a day, in steps of a minute.
const SPAN: Span = Span { step: Micros(60_000_000), steps: 24 * 60 };

/// Keeps the ticker of a market.
#[derive(Debug)]
pub(super) struct TickerKeeper {
    last: Option<Price>,
    day: Trailing<Day>,
    told: Ticker,
}

impl TickerKeeper {
    pub(super) fn new() -> Self {
        Self { last: None, day: Trailing::new(SPAN), told: Ticker::default() }
    }

    /// Notes a trade. A trade with oneself has a price, but no volume.
    pub(super) fn trade(&mut self, now: Micros, price: Price, volume: i64) {
        self.last = Some(price);
        self.day.add(now, Day { range: Some((price, price)), volume });
    }

    /// The ticker as it was last told.
    pub(super) fn told(&self) -> Ticker {
        self.told
    }

    /// What changed since it was last told, if anything, given the best prices of the book.
    pub(super) fn tell(&mut self, now: Micros, bid: Option<Price>, ask: Option<Price>) -> Option<TickerChange> {
        self.day.roll(now);
        let Day { range, volume } = self.day.sum();
        let ticker = Ticker {
            last: self.last,
            bid,
            ask,
            low: range.map(|(low, _)| low),
            high: range.map(|(_, high)| high),
            volume: Quantity(volume),
        };
        let told = std::mem::replace(&mut self.told, ticker);
        (ticker != told).then(|| TickerChange {
            last: patch(told.last, ticker.last),
            bid: patch(told.bid, ticker.bid),
            ask: patch(told.ask, ticker.ask),
            low: patch(told.low, ticker.low),
            high: patch(told.high, ticker.high),
            volume: patch(Some(told.volume), Some(ticker.volume)),
        })
    }
}

/// What there is to say of a field that was `old` and is `new`.
fn patch<T: PartialEq>(old: Option<T>, new: Option<T>) -> Patch<T> {
    match new {
        same if same == old => Patch::Absent,
        None => Patch::Null,
        Some(value) => Patch::Value(value),
    }
}

/// The trades of some time.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    /// Lowest and highest price.
    range: Option<(Price, Price)>,
    volume: i64,
}

impl Sum for Day {
    fn add(&mut self, later: Self) {
        self.volume = self.volume.saturating_add(later.volume);
        self.range = match (self.range, later.range) {
            (Some((low, high)), Some((later_low, later_high))) => Some((low.min(later_low), high.max(later_high))),
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn only_what_changed_is_told_and_null_where_there_is_none_any_more() {
        let mut ticker = TickerKeeper::new();
        assert_eq!(ticker.tell(Micros(0), None, None), None);
        let change = ticker.tell(Micros(0), Some(Price(5)), Some(Price(7))).unwrap();
        let bid_and_ask =
            TickerChange { bid: Patch::Value(Price(5)), ask: Patch::Value(Price(7)), ..Default::default() };
        assert_eq!(change, bid_and_ask);
        assert_eq!(ticker.tell(Micros(0), Some(Price(5)), Some(Price(7))), None);

        ticker.trade(Micros(1), Price(7), 100);
        let price = || Patch::Value(Price(7));
        let volume = Patch::Value(Quantity(100));
        let trade =
            TickerChange { last: price(), ask: Patch::Null, low: price(), high: price(), volume, ..Default::default() };
        assert_eq!(ticker.tell(Micros(1), Some(Price(5)), None), Some(trade));
    }

    #[test]
    fn a_day_later_low_high_and_volume_are_gone_and_the_last_price_stays() {
        let mut ticker = TickerKeeper::new();
        ticker.trade(Micros(0), Price(7), 100);
        ticker.trade(Micros(1), Price(4), 100);
        ticker.tell(Micros(1), None, None);
        assert_eq!((ticker.told().low, ticker.told().high), (Some(Price(4)), Some(Price(7))));
        assert_eq!(ticker.tell(Micros(DAY - 1), None, None), None);
        let change = ticker.tell(Micros(DAY), None, None).unwrap();
        let gone = TickerChange {
            low: Patch::Null,
            high: Patch::Null,
            volume: Patch::Value(Quantity(0)),
            ..Default::default()
        };
        assert_eq!(change, gone);
        assert_eq!(ticker.told().last, Some(Price(4)));
    }
}
