//! Bodies of the REST API.

use serde::{Deserialize, Serialize};

use crate::model::AssetCode;

/// An element of `GET /assets/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestAsset {
    /// The asset's code.
    pub id: AssetCode,
    /// For a future: the code of the asset it settles in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_id: Option<AssetCode>,
    /// For a future: the name of the asset it settles in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_name: Option<String>,
    /// The asset's name.
    pub name: String,
    /// Units to one of the asset.
    pub scale: i64,
}

/// An element of `GET /markets/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestMarket {
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// The market's name. How the documents separate its halves is not known.
    pub name: String,
    /// For a future: the name of the market of the assets it settles in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_name: Option<String>,
    /// For a future: start of trading, ms since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// For a future: end of trading, ms since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// For a future: its tenor, such as `H`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenor: Option<String>,
    /// Smallest price step, scaled.
    pub tick: i64,
}

/// `GET /tickers/<base>:<counter>`, and an element of `GET /tickers/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestTicker {
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// The market's name.
    pub name: String,
    /// For a future: the name of the market of the assets it settles in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_name: Option<String>,
    /// Price of the last trade.
    pub last: Option<i64>,
    /// Best bid.
    pub bid: Option<i64>,
    /// Best ask.
    pub ask: Option<i64>,
    /// Lowest price of the trailing 24 hours.
    pub low: Option<i64>,
    /// Highest price of the trailing 24 hours.
    pub high: Option<i64>,
    /// Base asset traded in the trailing 24 hours.
    pub volume: i64,
    /// When this held, µs.
    pub time: i64,
}

/// `GET /depth/<base>:<counter>`: price and quantity of the best 20 levels of each side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestDepth {
    /// Highest first.
    pub bids: Vec<(i64, i64)>,
    /// Lowest first.
    pub asks: Vec<(i64, i64)>,
}

/// `GET /balances/<id>`, and an element of `GET /balances/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestBalance {
    /// The asset's code.
    pub id: AssetCode,
    /// Available.
    pub available: i64,
    /// Reserved by open orders.
    pub reserved: i64,
}

/// `GET /orders/<id>`, an element of `GET /orders/`, and what placing and cancelling answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestOrder {
    /// The exchange's number.
    pub id: i64,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// What is left of it; negative to sell.
    pub quantity: i64,
    /// Limit price.
    pub price: i64,
    /// When it was opened, µs.
    pub time: i64,
}

/// An element of `GET /positions/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestPosition {
    /// The asset.
    pub asset: AssetCode,
    /// Net amount traded; negative if sold.
    pub position: i64,
    /// When it changed last, µs.
    pub through: i64,
}

/// `GET /trades/<time>`, and an element of `GET /trades/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestTrade {
    /// When, µs.
    pub time: i64,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// Of the base asset; negative if sold.
    pub quantity: i64,
    /// Price.
    pub price: i64,
    /// Of the counter asset; negative if sold.
    pub total: i64,
    /// The user's fee in the base asset.
    pub base_fee: i64,
    /// The user's fee in the counter asset.
    pub counter_fee: i64,
    /// The user's order; null for a market order.
    pub order_id: Option<i64>,
}

/// An element of `GET /account_value/`: what the account is worth in an asset, and how that changed in 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as they are")]
pub struct AccountValue {
    pub asset: AssetCode,
    pub spot_value: i64,
    pub change_in_spot_value: i64,
    pub futures_value: i64,
    pub change_in_futures_value: i64,
    pub total_value: i64,
    pub change_in_total_value: i64,
}
