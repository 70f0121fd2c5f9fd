//! The markets and assets a session has met, by code.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::check::MarketCheck;
use super::read::Problems;
use crate::model::{
    Asset, AssetCode, Catalog, Event, Market, MarketPattern, MarketRef, StreamRef, Timestamp, UnknownReason,
};

/// Markets of a session that the catalog does not list; what comes of more is only in the frames.
const UNLISTED_MAX: usize = 1_000;

/// Base and counter codes: what identifies a market on the wire.
pub(super) type Codes = (AssetCode, AssetCode);

/// A market of the session.
pub(super) struct Entry {
    /// As declared last.
    pub(super) market: Arc<Market>,
    /// Whether the catalog lists it.
    pub(super) is_listed: bool,
    /// Decimal places of totals and counter fees.
    pub(super) counter_places: Option<u8>,
    /// The stream of its orders, if there is one.
    pub(super) book: Option<StreamRef>,
    /// The stream of its ticker, if there is one.
    pub(super) ticker: Option<StreamRef>,
    /// What its notices must not contradict.
    pub(super) check: MarketCheck,
}

/// An asset of the session.
#[derive(Clone)]
pub(super) struct KnownAsset {
    /// Its name.
    pub(super) name: Arc<str>,
    /// Decimal places of its amounts.
    pub(super) places: Option<u8>,
}

/// What another catalog changes for a session.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Markets that it lists and the one before did not.
    pub(super) relisted: Vec<MarketRef>,
    /// Markets whose numbers are at another scale from now on.
    pub(super) rescaled: Vec<MarketRef>,
    /// Whether the amounts of some asset are.
    pub(super) has_rescaled_asset: bool,
}

/// The markets and assets of a session.
#[derive(Default)]
pub(super) struct Markets {
    by_codes: HashMap<Codes, MarketRef, RandomState>,
    entries: Vec<Entry>,
    assets: HashMap<AssetCode, KnownAsset, RandomState>,
    catalog: Option<Arc<Catalog>>,
}

impl Markets {
    /// The catalog in force.
    pub(super) fn catalog(&self) -> Option<&Arc<Catalog>> {
        self.catalog.as_ref()
    }

    /// Takes another catalog: declares anew the markets it changes (others are declared when they are met).
    pub(super) fn set_catalog(&mut self, catalog: &Arc<Catalog>, events: &mut Vec<Event>) -> Changes {
        let mut changes = Changes::default();
        let before = std::mem::replace(&mut self.assets, catalog.assets.iter().filter_map(known_asset).collect());
        changes.has_rescaled_asset =
            self.assets.iter().any(|(code, asset)| before.get(code).is_some_and(|known| known.places != asset.places));
        for (n, entry) in self.entries.iter_mut().enumerate() {
            let codes = (entry.market.base_code, entry.market.counter_code);
            let listed = catalog.markets.iter().find(|market| (market.base_code, market.counter_code) == codes);
            let was_listed = std::mem::replace(&mut entry.is_listed, listed.is_some());
            let Some(market) = listed else { continue };
            if !was_listed {
                changes.relisted.push(MarketRef(n as u32));
            }
            let counter_places =
                market.counter_code.and_then(|code| self.assets.get(&code)).and_then(|asset| asset.places);
            let scales = |market: &Market, counter| (market.price_places, market.quantity_places, counter);
            if scales(market, counter_places) != scales(&entry.market, entry.counter_places) {
                changes.rescaled.push(MarketRef(n as u32));
            }
            entry.counter_places = counter_places;
            if *market != *entry.market {
                entry.market = Arc::new(market.clone());
                events.push(Event::Market(MarketRef(n as u32), entry.market.clone()));
            }
        }
        self.catalog = Some(catalog.clone());
        changes
    }

    /// The market of those codes, declared if it is new; one that the catalog does not know gets a name made of what
    /// is known of it.
    pub(super) fn meet(&mut self, codes: Codes, events: &mut Vec<Event>) -> MarketRef {
        if let Some(market) = self.by_codes.get(&codes) {
            return *market;
        }
        let reference = MarketRef(self.entries.len() as u32);
        let listed = self.catalog.as_ref().and_then(|catalog| {
            let is_it = |market: &&Market| (market.base_code, market.counter_code) == (Some(codes.0), Some(codes.1));
            catalog.markets.iter().find(is_it)
        });
        let (base, counter) = (self.asset(codes.0), self.asset(codes.1));
        let market = Arc::new(listed.cloned().unwrap_or_else(|| Market {
            name: format!("{}:{}", base.name, counter.name),
            base: base.name.to_string(),
            counter: counter.name.to_string(),
            base_code: Some(codes.0),
            counter_code: Some(codes.1),
            price_places: None,
            quantity_places: base.places,
            tick: None,
            starts: None,
            expires: None,
        }));
        events.push(Event::Market(reference, market.clone()));
        self.entries.push(Entry {
            market,
            is_listed: listed.is_some(),
            counter_places: counter.places,
            book: None,
            ticker: None,
            check: MarketCheck::default(),
        });
        self.by_codes.insert(codes, reference);
        reference
    }

    /// The market of those codes, which the venue named: none, and a problem, where that makes too many that it does not
    /// list.
    pub(super) fn hear_of(
        &mut self,
        codes: Codes,
        problems: &mut Problems,
        events: &mut Vec<Event>,
    ) -> Option<MarketRef> {
        let is_listed = |market: &Market| (market.base_code, market.counter_code) == (Some(codes.0), Some(codes.1));
        let is_one_too_many = self.entries.len() >= UNLISTED_MAX
            && !self.by_codes.contains_key(&codes)
            && !self.catalog.as_ref().is_some_and(|catalog| catalog.markets.iter().any(is_listed))
            && self.entries.iter().filter(|entry| !entry.is_listed).count() >= UNLISTED_MAX;
        if is_one_too_many {
            problems.add(UnknownReason::UnknownMarket, &format!("more than {UNLISTED_MAX} that are not listed"));
            return None;
        }
        Some(self.meet(codes, events))
    }

    /// The markets that a pattern means now.
    pub(super) fn meant(&self, pattern: &MarketPattern, now: Timestamp) -> Vec<Codes> {
        let is_open = |market: &&Market| market.expires.is_none_or(|expires| expires > now);
        let listed = self.catalog.iter().flat_map(|catalog| &catalog.markets);
        let matching: Vec<&Market> = listed.filter(|market| pattern.matches(market)).collect();
        if matching.is_empty() {
            // A pair of codes can be asked for whoever lists it.
            return pattern.codes().into_iter().collect();
        }
        matching.into_iter().filter(is_open).filter_map(|market| market.base_code.zip(market.counter_code)).collect()
    }

    /// The asset of that code; one that the catalog does not know goes by its number.
    pub(super) fn asset(&self, code: AssetCode) -> KnownAsset {
        let known = self.assets.get(&code).cloned();
        known.unwrap_or_else(|| KnownAsset { name: code.to_string().into(), places: None })
    }

    /// The code of the asset that goes by `name`, a name of the catalog or a number.
    pub(super) fn asset_code(&self, name: &str) -> Option<AssetCode> {
        let listed = self.catalog.as_ref().and_then(|catalog| catalog.asset(name)).and_then(|asset| asset.code);
        listed.or_else(|| name.parse().ok().map(AssetCode))
    }

    /// Every market met.
    pub(super) fn refs(&self) -> impl Iterator<Item = MarketRef> + use<> {
        (0..self.entries.len() as u32).map(MarketRef)
    }

    /// A market met before.
    pub(super) fn entry(&self, market: MarketRef) -> &Entry {
        &self.entries[market.0 as usize]
    }

    /// A market met before.
    pub(super) fn entry_mut(&mut self, market: MarketRef) -> &mut Entry {
        &mut self.entries[market.0 as usize]
    }
}

fn known_asset(asset: &Asset) -> Option<(AssetCode, KnownAsset)> {
    Some((asset.code?, KnownAsset { name: asset.name.as_str().into(), places: asset.places }))
}
