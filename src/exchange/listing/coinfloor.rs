//! Coinfloor's list, as of API version 1: XBT in units of 0.0001, money and prices in units of 0.01.

use crate::exchange::engine::Price;
use crate::model::AssetCode;

use super::{Asset, Listing, Market, Pair};

/// Units to one bitcoin.
const XBT_SCALE: i64 = 10_000;

const XBT: (i64, &str) = (63488, "XBT");
const EUR: (i64, &str) = (64000, "EUR");
const GBP: (i64, &str) = (64032, "GBP");

impl Listing {
    /// Coinfloor's list. Its ticks are not published: every price there is, is one.
    #[must_use]
    pub fn coinfloor() -> Self {
        let asset = |(code, name): (i64, &str), scale| Asset {
            code: AssetCode(code),
            name: name.to_owned(),
            scale,
            spot: None,
        };
        let market = |counter: (i64, &str)| Market {
            pair: Pair { base: AssetCode(XBT.0), counter: AssetCode(counter.0) },
            name: format!("{}:{}", XBT.1, counter.1),
            spot_name: None,
            tick: Price(1),
            lot: XBT_SCALE,
            term: None,
        };
        let assets = vec![asset(XBT, XBT_SCALE), asset(EUR, 100), asset(GBP, 100)];
        Self::new(assets, vec![market(EUR), market(GBP)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_two_decimals_and_bitcoin_four() {
        let list = Listing::coinfloor();
        let scales: Vec<_> = list.assets().iter().map(|asset| (asset.code.0, asset.scale)).collect();
        assert_eq!(scales, [(63488, 10_000), (64000, 100), (64032, 100)]);
        let names: Vec<_> = list.markets().iter().map(|market| market.name.as_str()).collect();
        assert_eq!(names, ["XBT:EUR", "XBT:GBP"]);
    }
}
