//! The markets and assets that a session has met, and the scales of their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::model::{Asset, Catalog, Event, Market, MarketPattern, MarketRef, Number, Price, Quantity};

/// More decimal places than this are kept as exact text.
const PLACES_MAX: u8 = 18;

/// Markets of a session that no catalog has, and assets likewise; what comes of more is only in the frames.
pub(super) const UNLISTED_MAX: usize = 4_096;

/// Markets by the venue's name, each declared when it is first met.
#[derive(Default)]
pub(in crate::venue) struct Markets {
    list: Vec<Entry>,
    names: HashMap<String, MarketRef, FixedState>,
    catalog: Option<Arc<Catalog>>,
    /// Assets that no catalog has: their places grow with what comes.
    met: HashMap<String, u8, FixedState>,
    /// Whether one more than [`UNLISTED_MAX`] was named.
    has_excess: bool,
}

struct Entry {
    market: Market,
    /// Whether the catalog has it, so that its scale is not ours to choose.
    is_listed: bool,
    /// Whether a scale was chosen that is not declared yet.
    is_chosen: bool,
    /// The decimal places that prices and quantities would have needed so far.
    needed: (u8, u8),
}

impl Markets {
    /// The market of that name, declared if it is met for the first time.
    pub(in crate::venue) fn meet(&mut self, name: &str, events: &mut Vec<Event>) -> MarketRef {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let reference = MarketRef(self.list.len() as u32);
        let listed = self.catalog.as_ref().and_then(|catalog| catalog.market(name)).cloned();
        let is_full = listed.is_none() && self.list.len() >= UNLISTED_MAX;
        if is_full && self.list.iter().filter(|entry| !entry.is_listed).count() >= UNLISTED_MAX {
            // Any will do: nothing is kept of the frame.
            self.has_excess = true;
            return MarketRef(0);
        }
        let is_listed = listed.as_ref().is_some_and(has_scale);
        let market = listed.unwrap_or_else(|| unlisted(name));
        events.push(Event::Market(reference, Arc::new(market.clone())));
        self.list.push(Entry { market, is_listed, is_chosen: false, needed: (0, 0) });
        self.names.insert(name.to_owned(), reference);
        reference
    }

    /// Whether a market was named that is one too many, since this was last asked.
    pub(super) fn take_excess(&mut self) -> bool {
        std::mem::take(&mut self.has_excess)
    }

    /// The market as it is known.
    pub(in crate::venue) fn get(&self, market: MarketRef) -> &Market {
        &self.list[market.0 as usize].market
    }

    /// Whether there is a catalog.
    pub(in crate::venue) fn are_listed(&self) -> bool {
        self.catalog.is_some()
    }

    /// The catalog in force.
    pub(in crate::venue) fn catalog(&self) -> Option<&Arc<Catalog>> {
        self.catalog.as_ref()
    }

    /// Puts a catalog in force; what it says otherwise of markets that were met is declared.
    pub(in crate::venue) fn list(&mut self, catalog: &Arc<Catalog>, events: &mut Vec<Event>) {
        self.catalog = Some(catalog.clone());
        for (n, entry) in self.list.iter_mut().enumerate() {
            let Some(listed) = catalog.market(&entry.market.name) else { continue };
            entry.is_listed = has_scale(listed);
            if entry.market != *listed {
                entry.market = listed.clone();
                events.push(Event::Market(MarketRef(n as u32), Arc::new(listed.clone())));
            }
        }
    }

    /// The names that patterns mean: all that the catalog has, and those written out whether it has them or not.
    pub(in crate::venue) fn resolve(&self, patterns: &[MarketPattern]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for pattern in patterns {
            let listed = self.catalog.iter().flat_map(|catalog| &catalog.markets);
            let before = names.len();
            for market in listed.filter(|market| pattern.matches(market)) {
                if !names.contains(&market.name) {
                    names.push(market.name.clone());
                }
            }
            let is_new = names.len() == before && !names.iter().any(|name| name == pattern.as_str());
            if is_new && !pattern.is_wildcard() {
                names.push(pattern.as_str().to_owned());
            }
        }
        names
    }

    /// A price as sent, at the market's scale.
    pub(in crate::venue) fn price(&mut self, market: MarketRef, text: &str) -> Option<Price> {
        let entry = &mut self.list[market.0 as usize];
        let places = entry.scale(text, |entry| (&mut entry.market.price_places, &mut entry.needed.0));
        Number::of_units(text, places).map(Price)
    }

    /// An amount of the base asset as sent, at the market's scale.
    pub(in crate::venue) fn quantity(&mut self, market: MarketRef, text: &str) -> Option<Quantity> {
        let entry = &mut self.list[market.0 as usize];
        let places = entry.scale(text, |entry| (&mut entry.market.quantity_places, &mut entry.needed.1));
        Number::of_units(text, places).map(Quantity)
    }

    /// An amount of an asset as sent, with the places it is kept at.
    pub(in crate::venue) fn amount(&mut self, asset: &str, text: &str) -> Option<(u8, Quantity)> {
        let listed = self.catalog.as_ref().and_then(|catalog| catalog.asset(asset)).and_then(|asset| asset.places);
        let places = match listed {
            Some(places) => places,
            None if self.met.len() >= UNLISTED_MAX && !self.met.contains_key(asset) => places_of(text),
            None => {
                let known = self.met.entry(asset.to_owned()).or_default();
                *known = (*known).max(places_of(text));
                *known
            }
        };
        Some((places, Quantity(Number::of_units(text, places)?)))
    }

    /// An amount of a market's counter asset as sent.
    pub(in crate::venue) fn total(&mut self, market: MarketRef, text: &str) -> Option<Quantity> {
        let counter = &self.list[market.0 as usize].market.counter;
        let asset = self.catalog.as_ref().and_then(|catalog| catalog.asset(counter));
        match asset.and_then(|asset| asset.places) {
            Some(places) => Number::of_units(text, places).map(Quantity),
            None => Number::exactly(text).map(Quantity),
        }
    }

    /// Declares the scales chosen for markets that no catalog has: the first one ahead of the events of the frame that
    /// it was chosen in, which begin at `start`; a finer one behind them, for what comes next.
    pub(in crate::venue) fn declare_scales(&mut self, start: usize, events: &mut Vec<Event>) {
        for (n, entry) in self.list.iter_mut().enumerate().filter(|(_, entry)| !entry.is_listed) {
            let reference = MarketRef(n as u32);
            if std::mem::take(&mut entry.is_chosen) {
                let declared = Event::Market(reference, Arc::new(entry.market.clone()));
                let is_same = |event: &Event| matches!(event, Event::Market(market, _) if *market == reference);
                match events[start..].iter_mut().find(|event| is_same(event)) {
                    Some(event) => *event = declared,
                    None => events.insert(start, declared),
                }
            }
            let (price, quantity) = entry.needed;
            let mut has_grown = false;
            for (places, needed) in
                [(&mut entry.market.price_places, price), (&mut entry.market.quantity_places, quantity)]
            {
                if places.is_some_and(|places| places < needed) {
                    *places = Some(needed);
                    has_grown = true;
                }
            }
            if has_grown {
                events.push(Event::Market(reference, Arc::new(entry.market.clone())));
            }
        }
    }
}

impl Entry {
    /// The scale a number is kept at. A market without a listed one gets that of its first number; a finer number
    /// then is exact text, and those of later frames are integers again.
    fn scale(&mut self, text: &str, field: impl Fn(&mut Self) -> (&mut Option<u8>, &mut u8)) -> u8 {
        let is_listed = self.is_listed;
        let (places, needed) = field(self);
        match *places {
            Some(places) if is_listed => places,
            Some(places) => {
                *needed = (*needed).max(places_of(text));
                places
            }
            None => {
                let first = places_of(text);
                (*places, *needed) = (Some(first), (*needed).max(first));
                self.is_chosen = true;
                first
            }
        }
    }
}

/// How many decimal places a number is written with, as far as they are kept in integers.
fn places_of(text: &str) -> u8 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let written = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let exponent = exponent.parse::<i64>().unwrap_or(0);
    let places = i64::try_from(written).unwrap_or(i64::MAX).saturating_sub(exponent);
    places.clamp(0, PLACES_MAX.into()) as u8
}

/// The decimal places of an increment (`0.01`), and the increment in units of those.
pub(in crate::venue) fn increment(text: &str) -> Option<(u8, Option<i64>)> {
    let places = places_of(text);
    Some((places, Number::of_units(text, places)?.as_scaled()))
}

/// A market that no catalog has: its name says as much of its assets as it does.
fn unlisted(name: &str) -> Market {
    let (base, counter) = name.split_once(['/', '-', '_', ':']).unwrap_or((name, ""));
    Market {
        name: name.to_owned(),
        base: base.to_owned(),
        counter: counter.to_owned(),
        base_code: None,
        counter_code: None,
        price_places: None,
        quantity_places: None,
        tick: None,
        starts: None,
        expires: None,
    }
}

/// A listed asset of so many places.
pub(in crate::venue) fn asset(name: &str, places: Option<u8>) -> Asset {
    Asset { code: None, name: name.to_owned(), places, spot: None }
}

/// Whether a listed market says at which scale its numbers are.
fn has_scale(market: &Market) -> bool {
    market.price_places.is_some() && market.quantity_places.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CatalogOrigin, Timestamp};

    /// A market by its name, price and quantity places.
    fn listed(name: &str, price: Option<u8>, quantity: Option<u8>) -> Market {
        Market { price_places: price, quantity_places: quantity, ..unlisted(name) }
    }

    fn catalog(markets: Vec<Market>) -> Arc<Catalog> {
        let (valid_from, origin) = (Timestamp(0), CatalogOrigin::Exchange);
        Arc::new(Catalog { valid_from, other_until: None, origin, assets: Vec::new(), markets })
    }

    /// The places of the market that each event declares.
    fn declared(events: &mut Vec<Event>) -> Vec<(Option<u8>, Option<u8>)> {
        let places = |event| match event {
            Event::Market(_, market) => (market.price_places, market.quantity_places),
            other => panic!("{other:?}"),
        };
        events.drain(..).map(places).collect()
    }

    fn is_scaled(price: Option<Price>) -> bool {
        price.unwrap().as_scaled().is_some()
    }

    #[test]
    fn a_listed_scale_is_the_venues_and_a_finer_number_is_text() {
        let (mut markets, mut events) = (Markets::default(), Vec::new());
        markets.list(&catalog(vec![listed("A/B", Some(2), Some(3))]), &mut events);
        let market = markets.meet("A/B", &mut events);
        assert!(is_scaled(markets.price(market, "1.25")));
        assert!(!is_scaled(markets.price(market, "1.255")));
        markets.declare_scales(0, &mut events);
        assert_eq!(declared(&mut events), [(Some(2), Some(3))]);
        assert!(!is_scaled(markets.price(market, "1.255")), "also in what comes next");
        // Listed otherwise, that is declared; listed the same, nothing is.
        let finer = catalog(vec![listed("A/B", Some(3), Some(3))]);
        markets.list(&finer, &mut events);
        markets.list(&finer, &mut events);
        assert_eq!(declared(&mut events), [(Some(3), Some(3))]);
        assert!(is_scaled(markets.price(market, "1.255")));
    }

    #[test]
    fn a_scale_that_is_listed_in_part_or_not_at_all_is_that_of_what_comes() {
        for market in [listed("A/B", Some(1), None), listed("A/B", None, Some(1)), listed("A/B", None, None)] {
            let (mut markets, mut events) = (Markets::default(), Vec::new());
            markets.list(&catalog(vec![market.clone()]), &mut events);
            let known = markets.meet("A/B", &mut events);
            events.clear();
            assert_eq!(is_scaled(markets.price(known, "1.25")), market.price_places.is_none(), "{market:?}");
            assert!(markets.quantity(known, "0.5").is_some());
            markets.declare_scales(0, &mut events);
            assert_eq!(declared(&mut events).last(), Some(&(Some(2), Some(1))), "{market:?}");
            // What comes next is kept as finely as that.
            assert!(is_scaled(markets.price(known, "1.25")), "{market:?}");
            markets.declare_scales(0, &mut events);
            assert_eq!(declared(&mut events), [], "{market:?}");
        }
    }

    #[test]
    fn one_market_too_many_that_no_list_has_is_told_and_takes_no_memory() {
        let mut markets = Markets::default();
        let mut events = Vec::new();
        let list = vec![listed("BTC-USD", Some(2), Some(4)), listed("ETH-USD", Some(2), Some(4))];
        markets.list(&catalog(list), &mut events);
        markets.meet("BTC-USD", &mut events);
        for n in 0..UNLISTED_MAX {
            markets.meet(&format!("X{n}"), &mut events);
        }
        assert!(!markets.take_excess());
        assert_eq!(events.len(), UNLISTED_MAX + 1);
        assert_eq!(markets.meet("Y", &mut events), MarketRef(0));
        assert!(markets.take_excess());
        assert!(!markets.take_excess(), "it is told once");
        assert_eq!(events.len(), UNLISTED_MAX + 1);
        // What is known stays known, and a market of the list is met whatever there is beside it.
        assert_eq!(markets.meet("X7", &mut events), MarketRef(8));
        assert_eq!(markets.meet("ETH-USD", &mut events), MarketRef(UNLISTED_MAX as u32 + 1));
        assert!(!markets.take_excess());
    }

    #[test]
    fn an_asset_too_many_has_the_places_it_is_sent_with_and_takes_no_memory() {
        let mut markets = Markets::default();
        for n in 0..UNLISTED_MAX {
            markets.amount(&format!("X{n}"), "1.25");
        }
        let places = |markets: &mut Markets, asset: &str, text| markets.amount(asset, text).map(|(places, _)| places);
        assert_eq!(places(&mut markets, "X0", "1"), Some(2));
        assert_eq!(places(&mut markets, "Y", "1.125"), Some(3));
        assert_eq!(places(&mut markets, "Y", "1"), Some(0));
        assert_eq!(markets.met.len(), UNLISTED_MAX);
    }
}
