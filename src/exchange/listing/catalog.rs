//! A listing as the recorder's catalog, for captures of an exchange that nobody can ask any more.

use crate::model::{self, Catalog, CatalogOrigin, Timestamp};

use super::{Listing, Term};

impl Listing {
    /// Everything listed, expired futures too, as a catalog in force from `valid_from` on.
    #[must_use]
    pub fn catalog(&self, valid_from: Timestamp) -> Catalog {
        let name = |code| self.asset(code).map(|asset| asset.name.clone());
        let places = |code| self.asset(code).and_then(|asset| places(asset.scale));
        let time = |instant: fn(&Term) -> i64, term: &Option<Term>| {
            term.as_ref().map(instant).and_then(Timestamp::from_micros)
        };
        let assets = self.assets().iter().map(|asset| model::Asset {
            code: Some(asset.code),
            name: asset.name.clone(),
            places: places(asset.code),
            spot: asset.spot.and_then(name),
        });
        let markets = self.markets().iter().map(|market| model::Market {
            name: market.name.clone(),
            base: name(market.pair.base).unwrap_or_else(|| market.pair.base.to_string()),
            counter: name(market.pair.counter).unwrap_or_else(|| market.pair.counter.to_string()),
            base_code: Some(market.pair.base),
            counter_code: Some(market.pair.counter),
            // A price is in the counter asset's units.
            price_places: places(market.pair.counter),
            quantity_places: places(market.pair.base),
            tick: Some(market.tick.0),
            starts: time(|term| term.start.0, &market.term),
            expires: time(|term| term.expires.0, &market.term),
        });
        Catalog {
            valid_from,
            other_until: None,
            origin: CatalogOrigin::Config,
            assets: assets.collect(),
            markets: markets.collect(),
        }
    }
}

/// The decimal places of a scale, which every listed asset has as a power of ten.
fn places(scale: i64) -> Option<u8> {
    (0..=18).find(|places| 10_i64.checked_pow(u32::from(*places)) == Some(scale))
}
