//! A price that walks at random around where it began.

use rand::{Rng, RngExt};

use crate::exchange::listing::{Listing, Market};

/// Prices that markets begin at, in whole units of the counter asset, by the name of the spot base asset.
const BEGINNINGS: [(&str, i64); 8] =
    [("XBT", 9_000), ("BCH", 250), ("ETH", 180), ("USDC", 1), ("FLEX", 1), ("DOTF", 400), ("DFNF", 20), ("LIBF", 5)];

/// The walk of one market's price, in ticks.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    beginning: i64,
    ticks: i64,
}

impl Walk {
    /// A walk from a price that is usual for the market's base asset, or 100 whole units.
    pub(super) fn new(listing: &Listing, market: &Market) -> Self {
        let spot =
            |code| listing.asset(code).map(|asset| asset.spot.and_then(|spot| listing.asset(spot)).unwrap_or(asset));
        let name = spot(market.pair.base).map_or("", |asset| asset.name.as_str());
        let whole = BEGINNINGS.iter().find(|(base, _)| *base == name).map_or(100, |(_, price)| *price);
        let scale = listing.asset(market.pair.counter).map_or(1, |asset| asset.scale);
        let ticks = whole * scale / market.tick.0;
        Self { beginning: ticks, ticks }
    }

    /// Where it is.
    pub(super) fn ticks(&self) -> i64 {
        self.ticks
    }

    /// Goes one tick up or down, the likelier back the farther it has gone: never beyond a tenth of the beginning.
    pub(super) fn step(&mut self, rng: &mut impl Rng) {
        let range = self.beginning / 10;
        let up = rng.random_range(0..2 * range) < range - (self.ticks - self.beginning);
        self.ticks += if up { 1 } else { -1 };
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn every_listed_market_has_room_to_walk_and_never_leaves_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for listing in [Listing::coinflex(2020).unwrap(), Listing::coinfloor()] {
            for market in listing.markets() {
                let mut walk = Walk::new(&listing, market);
                assert!(walk.beginning >= 100, "{}", market.name);
                for _ in 0..1_000 {
                    walk.step(&mut rng);
                    assert!((walk.ticks - walk.beginning).abs() <= walk.beginning / 10, "{}", market.name);
                }
                assert_ne!(walk.ticks, walk.beginning + 1_000);
            }
        }
    }
}
