//! What a venue lists: assets and markets, with the scales in force. A value; the registry actor makes it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{AssetCode, Timestamp};

/// Where a catalog came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogOrigin {
    /// Loaded from the exchange.
    Exchange,
    /// The last one stored in the database, the exchange's being out of reach.
    Stored,
    /// Codes and scales of the configuration file, there being no other.
    Config,
}

/// An asset as the venue lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// The venue's number for it; `None` for venues that use names only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<AssetCode>,
    /// The venue's name, such as `XBT`.
    pub name: String,
    /// Decimal places of its amounts (4 for a scale of 10000); `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<u8>,
    /// For a future: the asset it settles in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<String>,
}

/// A market: the pair of base and counter. One base may have several counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// The name people and tables use: `BASE:COUNTER` on CoinFLEX, the venue's own spelling elsewhere.
    pub name: String,
    /// Base asset's name.
    pub base: String,
    /// Counter asset's name.
    pub counter: String,
    /// Base asset's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_code: Option<AssetCode>,
    /// Counter asset's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter_code: Option<AssetCode>,
    /// Decimal places of prices; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_places: Option<u8>,
    /// Decimal places of quantities; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity_places: Option<u8>,
    /// Smallest price step, in units of 10^-`price_places`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<i64>,
    /// Start of trading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// End of trading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// Everything a venue lists, as known at one time. Immutable; a refresh makes a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// From when it is known to hold (when it was fetched).
    pub valid_from: Timestamp,
    /// When one that says something else was last fetched: from then to `valid_from` either may have held. `None`: not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_until: Option<Timestamp>,
    /// Where it came from.
    pub origin: CatalogOrigin,
    /// The assets.
    pub assets: Vec<Asset>,
    /// The markets.
    pub markets: Vec<Market>,
}

/// What a recording knows of the assets and markets that a source lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listings {
    /// The list in force; `None` if there never was one.
    pub last: Option<Catalog>,
    /// The names of all markets that were listed at some time.
    pub markets_ever: HashSet<String>,
    /// The names of all assets that were listed at some time.
    pub assets_ever: HashSet<String>,
}

impl Catalog {
    /// The market of that name.
    #[must_use]
    pub fn market(&self, name: &str) -> Option<&Market> {
        self.markets.iter().find(|market| market.name == name)
    }

    /// The asset of that name.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }

    /// The asset of that code.
    #[must_use]
    pub fn asset_by_code(&self, code: AssetCode) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.code == Some(code))
    }
}
