//! Notices: what the exchange sends unasked, or because one watches.

use serde::{Deserialize, Serialize};

use crate::model::{AssetCode, Patch};

/// A notice. The owner of an order gets a private copy with tonces and fees, everybody else the public one without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice")]
pub enum Notice {
    /// The greeting.
    Welcome(Welcome),
    /// A balance of the user changed.
    BalanceChanged(BalanceChanged),
    /// An order entered the book.
    OrderOpened(OrderChange),
    /// Quantity or price of an order changed.
    OrderModified(OrderChange),
    /// Two orders traded.
    OrdersMatched(Box<OrdersMatched>),
    /// An order left the book.
    OrderClosed(OrderClosed),
    /// Part of a ticker changed.
    TickerChanged(TickerChanged),
    /// The user's trade volume of the trailing 30 days changed.
    TradeVolumeChanged(TradeVolumeChanged),
}

/// The greeting, first of all frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The server's nonce: base64 of 16 bytes.
    pub nonce: String,
    /// A word to the client; seen, not documented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A balance of the user changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceChanged {
    /// The asset.
    pub asset: AssetCode,
    /// Available.
    pub balance: i64,
}

/// An order was opened or modified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChange {
    /// The exchange's number.
    pub id: i64,
    /// The owner's number, on the owner's copy only: null if there is none.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub tonce: Patch<i64>,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// What there is of it now; negative to sell.
    pub quantity: i64,
    /// Limit price.
    pub price: i64,
    /// When.
    pub time: i64,
}

/// A side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The buyer.
    Bid,
    /// The seller.
    Ask,
}

/// Two orders traded. Id and remainder of a side are absent if it was a market order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersMatched {
    /// The buying order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid: Option<i64>,
    /// Its tonce, on the buyer's copy.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub bid_tonce: Patch<i64>,
    /// The selling order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<i64>,
    /// Its tonce, on the seller's copy.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub ask_tonce: Patch<i64>,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// Traded of the base asset, positive.
    pub quantity: i64,
    /// Which side took; absent in old frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taker_side: Option<Side>,
    /// On an owner's copy: whether the owner took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taker: Option<bool>,
    /// Price.
    pub price: i64,
    /// Traded of the counter asset, positive.
    pub total: i64,
    /// What is left of the buying order, positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid_rem: Option<i64>,
    /// What is left of the selling order, positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_rem: Option<i64>,
    /// When.
    pub time: i64,
    /// The buyer's fee in the base asset, on the buyer's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid_base_fee: Option<i64>,
    /// The buyer's fee in the counter asset, on the buyer's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bid_counter_fee: Option<i64>,
    /// The seller's fee in the base asset, on the seller's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_base_fee: Option<i64>,
    /// The seller's fee in the counter asset, on the seller's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_counter_fee: Option<i64>,
}

/// An order left the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderClosed {
    /// The exchange's number.
    pub id: i64,
    /// The owner's number, on the owner's copy only: null if there is none.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub tonce: Patch<i64>,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// What was left of it, 0 if it was filled; negative to sell.
    pub quantity: i64,
    /// Limit price.
    pub price: i64,
    /// When; absent in old frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_closed: Option<i64>,
}

/// Part of a ticker changed: absent is unchanged, null is "there is none now".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickerChanged {
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// Price of the last trade.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub last: Patch<i64>,
    /// Best bid.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub bid: Patch<i64>,
    /// Best ask.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub ask: Patch<i64>,
    /// Lowest price of the trailing 24 hours.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub low: Patch<i64>,
    /// Highest price of the trailing 24 hours.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub high: Patch<i64>,
    /// Base asset traded in the trailing 24 hours.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub volume: Patch<i64>,
}

/// The user's trade volume of the trailing 30 days changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeVolumeChanged {
    /// The asset.
    pub asset: AssetCode,
    /// The volume.
    pub volume: i64,
}
