//! CoinFLEX's list. Every asset and price has a scale of 10000.

use crate::exchange::engine::{Micros, Price};
use crate::model::AssetCode;

use super::calendar::{self, MONTHS};
use super::{Asset, Listing, Market, Pair, Term};

/// Scale of every asset and price.
const SCALE: i64 = 10_000;

/// Assets that are no futures.
const SPOT: [(i64, &str); 12] = [
    (63488, "XBT"),
    (63496, "BCH"),
    (63520, "ETH"),
    (65282, "USDC"),
    (65283, "USDT"),
    (65285, "FLEX"),
    (65287, "DOTF"),
    (65288, "USDTDOT"),
    (65290, "DFNF"),
    (65291, "USDTDFN"),
    (65295, "LIBF"),
    (65296, "USDTLIB"),
];

/// Markets that are no futures: base, counter, tick.
const SPOT_MARKETS: [(i64, i64, i64); 8] = [
    (63488, 65283, 10_000),
    (63496, 65283, 2_500),
    (63520, 65283, 1_000),
    (65282, 65283, 10),
    (65285, 65283, 50),
    (65287, 65288, 20_000),
    (65290, 65291, 500),
    (65295, 65296, 100),
];

/// A spot asset that futures exist of.
struct Underlying {
    /// Its own code.
    spot: i64,
    /// Code of its January contract; the other months follow.
    january: i64,
    /// Code of its contract of June 2020.
    june_2020: i64,
}

const XBT: Underlying = Underlying { spot: 63488, january: 51200, june_2020: 10005 };
const BCH: Underlying = Underlying { spot: 63496, january: 51220, june_2020: 10017 };
const ETH: Underlying = Underlying { spot: 63520, january: 51240, june_2020: 10029 };
const USDC: Underlying = Underlying { spot: 65282, january: 51860, june_2020: 10041 };
const USDT: Underlying = Underlying { spot: 65283, january: 51880, june_2020: 10053 };

/// Month markets: base and tick; the counter asset is always [`USDT`].
const MONTH_MARKETS: [(Underlying, i64); 4] = [(XBT, 5_000), (BCH, 2_500), (ETH, 1_000), (USDC, 10)];

/// The contracts of June 2020, which had codes and names of their own beside the month contracts.
const JUNE_2020_MARKETS: [(Underlying, i64); 4] = [(XBT, 5_000), (BCH, 2_500), (ETH, 1_000), (USDC, 1)];

impl Listing {
    /// CoinFLEX's list with the month contracts of `year`; `None` for a year that the calendar does not have.
    ///
    /// The contracts of June 2020 (`XBTJUN20:USDTJUN20` and so on) are those of 2020 in every year's list.
    #[must_use]
    pub fn coinflex(year: i16) -> Option<Self> {
        Self::with_contracts(|month| calendar::term(year, month))
    }

    /// CoinFLEX's list as it goes on: of every month the contract that expires next after `now`; `None` for times that
    /// the calendar does not have.
    ///
    /// Clients have the codes and names of contracts written in, and those are the same every year.
    #[must_use]
    pub fn coinflex_at(now: Micros) -> Option<Self> {
        Self::with_contracts(|month| calendar::next_term(now, month))
    }

    fn with_contracts(term: impl Fn(usize) -> Option<Term>) -> Option<Self> {
        let mut list = List::default();
        for (code, name) in SPOT {
            list.asset(code, name.to_owned(), None);
        }
        for (base, counter, tick) in SPOT_MARKETS {
            list.market(base, counter, tick, None);
        }
        for (month, code) in (0..).zip(0..12) {
            list.futures(MONTHS[month], term(month)?, &MONTH_MARKETS, |asset| asset.january + code);
        }
        let term = calendar::term(2020, 5)?;
        list.futures("JUN20", term, &JUNE_2020_MARKETS, |asset| asset.june_2020);
        Some(Self::new(list.assets, list.markets))
    }
}

#[derive(Default)]
struct List {
    assets: Vec<Asset>,
    markets: Vec<Market>,
}

impl List {
    fn asset(&mut self, code: i64, name: String, spot: Option<i64>) {
        self.assets.push(Asset { code: AssetCode(code), name, scale: SCALE, spot: spot.map(AssetCode) });
    }

    fn market(&mut self, base: i64, counter: i64, tick: i64, term: Option<Term>) {
        let [base, counter] = [base, counter].map(AssetCode);
        let spot = |code| self.find(code).spot.map(|spot| self.find(spot).name.as_str());
        let market = Market {
            pair: Pair { base, counter },
            name: format!("{}:{}", self.find(base).name, self.find(counter).name),
            spot_name: spot(base).zip(spot(counter)).map(|(base, counter)| format!("{base}:{counter}")),
            tick: Price(tick),
            lot: SCALE,
            term,
        };
        self.markets.push(market);
    }

    fn futures(&mut self, suffix: &str, term: Term, markets: &[(Underlying, i64)], code: impl Fn(&Underlying) -> i64) {
        for asset in [&XBT, &BCH, &ETH, &USDC, &USDT] {
            let name = format!("{}{suffix}", self.find(AssetCode(asset.spot)).name);
            self.asset(code(asset), name, Some(asset.spot));
        }
        for (base, tick) in markets {
            self.market(code(base), code(&USDT), *tick, Some(term));
        }
    }

    /// The asset of that code, which is in the list by now.
    fn find(&self, code: AssetCode) -> &Asset {
        self.assets.iter().find(|asset| asset.code == code).expect("a market's assets are listed before it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_published_code_and_tick() {
        let list = Listing::coinflex(2020).unwrap();
        assert_eq!(list.assets().len(), 12 + 13 * 5);
        assert_eq!(list.markets().len(), 8 + 13 * 4);
        for (name, code, spot) in [
            ("FLEX", 65285, None),
            ("USDTLIB", 65296, None),
            ("XBTJAN", 51200, Some(63488)),
            ("BCHFEB", 51221, Some(63496)),
            ("ETHDEC", 51251, Some(63520)),
            ("USDTMAR", 51882, Some(65283)),
            ("USDCDEC", 51871, Some(65282)),
            ("USDTJUN20", 10053, Some(65283)),
        ] {
            let asset = list.asset_named(name).unwrap();
            assert_eq!((asset.code.0, asset.spot), (code, spot.map(AssetCode)), "{name}");
            assert_eq!(list.asset(asset.code), Some(asset));
        }
        for (name, tick, spot_name, tenor) in [
            ("XBT:USDT", 10_000, None, None),
            ("FLEX:USDT", 50, None, None),
            ("DOTF:USDTDOT", 20_000, None, None),
            ("LIBF:USDTLIB", 100, None, None),
            ("XBTJAN:USDTJAN", 5_000, Some("XBT:USDT"), Some('F')),
            ("USDCNOV:USDTNOV", 10, Some("USDC:USDT"), Some('X')),
            ("USDCJUN20:USDTJUN20", 1, Some("USDC:USDT"), Some('M')),
        ] {
            let id = list.market_named(name).unwrap();
            let market = list.market(id);
            assert_eq!(market.tick, Price(tick), "{name}");
            assert_eq!(market.spot_name.as_deref(), spot_name, "{name}");
            assert_eq!(market.term.map(|term| term.tenor), tenor, "{name}");
            assert_eq!(list.market_id(market.pair), Some(id));
        }
    }

    #[test]
    fn as_it_goes_on_no_month_contract_has_expired() {
        let now = Micros(1_605_960_000_000_000); // 2020-11-21T12:00:00Z
        let list = Listing::coinflex_at(now).unwrap();
        let expired = list.markets().iter().filter(|market| market.has_expired(now));
        assert!(expired.clone().all(|market| market.name.ends_with("JUN20")) && expired.count() == 4);
        let expires = |name| list.market(list.market_named(name).unwrap()).term.map(|term| term.expires);
        let [june, november] =
            [(2021, 5), (2020, 10)].map(|(year, month)| calendar::term(year, month).unwrap().expires);
        assert_eq!(expires("ETHJUN:USDTJUN"), Some(june));
        assert_eq!(expires("ETHNOV:USDTNOV"), Some(november));
    }

    #[test]
    fn a_market_is_the_pair_and_not_the_base() {
        let list = Listing::coinflex(2020).unwrap();
        let [xbt, usdt, flex] = [63488, 65283, 65285].map(AssetCode);
        assert!(list.market_id(Pair { base: xbt, counter: usdt }).is_some());
        assert!(list.market_id(Pair { base: xbt, counter: flex }).is_none());
        assert!(list.market_id(Pair { base: usdt, counter: xbt }).is_none());
    }
}
