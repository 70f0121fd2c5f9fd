//! What the exchange lists: assets and markets. Data only; the server turns it into JSON, the engine into books.

mod calendar;
mod catalog;
mod coinflex;
mod coinfloor;

use foldhash::HashMap;

use crate::model::AssetCode;

use super::engine::{Micros, Price};

/// A market's place in [`Listing::markets`]; what events name markets by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarketId(pub u16);

/// A market as commands name it: by its base and counter asset. One base may have several counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// What is bought and sold.
    pub base: AssetCode,
    /// What is paid in.
    pub counter: AssetCode,
}

/// A listed asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its number on the wire.
    pub code: AssetCode,
    /// Its name, such as `XBTJAN`.
    pub name: String,
    /// Units to one whole of it, such as 10000.
    pub scale: i64,
    /// For a future: the asset it settles in.
    pub spot: Option<AssetCode>,
}

/// A listed market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// Its assets.
    pub pair: Pair,
    /// Its name, `BASE:COUNTER`.
    pub name: String,
    /// For a future: the name of the spot market.
    pub spot_name: Option<String>,
    /// Smallest price step, positive.
    pub tick: Price,
    /// Units of the base asset that one price buys: one whole of it.
    pub lot: i64,
    /// For a future: when it runs.
    pub term: Option<Term>,
}

impl Market {
    /// Whether trading has ended at `now`; never on spot.
    #[must_use]
    pub fn has_expired(&self, now: Micros) -> bool {
        self.term.is_some_and(|term| now >= term.expires)
    }

    /// Whether orders are taken at `now`: from the start of the term to before its end; always on spot.
    #[must_use]
    pub fn is_open(&self, now: Micros) -> bool {
        self.term.is_none_or(|term| term.start <= now && now < term.expires)
    }
}

/// The life of a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// First instant of trading. On the wire in ms.
    pub start: Micros,
    /// Last instant of trading, exclusive. On the wire in ms.
    pub expires: Micros,
    /// Month code: one of `FGHJKMNQUVXZ` for January to December.
    pub tenor: char,
}

/// All assets and markets. Immutable.
#[derive(Clone, Debug)]
pub struct Listing {
    assets: Vec<Asset>,
    markets: Vec<Market>,
    asset_places: HashMap<AssetCode, usize>,
    market_places: HashMap<Pair, MarketId>,
}

impl Listing {
    /// A listing of these. Codes and pairs are taken to be unique, and every market's assets to be among `assets`.
    fn new(assets: Vec<Asset>, markets: Vec<Market>) -> Self {
        let asset_places = assets.iter().enumerate().map(|(place, asset)| (asset.code, place)).collect();
        let market_places = (0..).map(MarketId).zip(&markets).map(|(id, market)| (market.pair, id)).collect();
        Self { assets, markets, asset_places, market_places }
    }

    /// All assets, those of expired futures too.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// All markets, expired ones too, in the order of their [`MarketId`]s.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// The asset of that code.
    #[must_use]
    pub fn asset(&self, code: AssetCode) -> Option<&Asset> {
        self.asset_place(code).map(|place| &self.assets[place])
    }

    /// The asset of that name.
    #[must_use]
    pub fn asset_named(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }

    /// The market with that number, which must come from this listing.
    #[must_use]
    pub fn market(&self, id: MarketId) -> &Market {
        &self.markets[usize::from(id.0)]
    }

    /// The number of the market of that pair.
    #[must_use]
    pub fn market_id(&self, pair: Pair) -> Option<MarketId> {
        self.market_places.get(&pair).copied()
    }

    /// The number of the market of that name.
    #[must_use]
    pub fn market_named(&self, name: &str) -> Option<MarketId> {
        (0..).map(MarketId).zip(&self.markets).find(|(_, market)| market.name == name).map(|(id, _)| id)
    }

    /// The numbers of all markets.
    pub fn market_ids(&self) -> impl Iterator<Item = MarketId> + use<> {
        (0..).map(MarketId).take(self.markets.len())
    }

    /// When the next market expires after `now`.
    #[must_use]
    pub fn next_expiry(&self, now: Micros) -> Option<Micros> {
        self.markets.iter().filter_map(|market| market.term).map(|term| term.expires).filter(|time| *time > now).min()
    }

    /// The asset's place in [`Listing::assets`].
    pub(super) fn asset_place(&self, code: AssetCode) -> Option<usize> {
        self.asset_places.get(&code).copied()
    }
}
