//! Replies: one to each command, matched by its tag.

use serde::{Deserialize, Serialize};

use super::{Refusal, echoed};
use crate::model::{AssetCode, Patch};

/// A reply with the body of its method, or [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<T> {
    /// The command's tag, if it had one other than 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<i64>,
    /// 0 for success.
    pub error_code: i64,
    /// The rest.
    #[serde(flatten)]
    pub body: T,
}

impl<T> Reply<T> {
    /// A successful reply.
    #[must_use]
    pub fn success(tag: Option<i64>, body: T) -> Self {
        Self { tag: echoed(tag), error_code: 0, body }
    }
}

impl Reply<Failure> {
    /// The reply to a command that was refused.
    #[must_use]
    pub fn refused(tag: Option<i64>, refusal: &Refusal) -> Self {
        Self { tag: echoed(tag), error_code: refusal.code(), body: Failure { error_msg: refusal.to_string() } }
    }
}

/// Body of every error reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What is wrong, for people.
    pub error_msg: String,
}

/// Body of the replies that say no more than that it is done: `Authenticate`, and the end of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Reply to `GetBalances`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    /// One for each asset.
    pub balances: Vec<Balance>,
}

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The asset.
    pub asset: AssetCode,
    /// Available.
    pub balance: i64,
    /// Reserved by open orders; Coinfloor does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_balance: Option<i64>,
    /// Available and reserved; Coinfloor does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_balance: Option<i64>,
}

/// Reply to `GetOrders` (open orders) and `CancelAllOrders` (orders just cancelled).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The orders.
    pub orders: Vec<OwnOrder>,
}

/// An order of the user; alone, the reply to `ModifyOrder` and `CancelOrder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOrder {
    /// The exchange's number.
    pub id: i64,
    /// The client's number: null if it gave none, absent in old frames.
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    pub tonce: Patch<i64>,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// What is left of it; negative to sell.
    pub quantity: i64,
    /// Limit price.
    pub price: i64,
    /// When it was opened; in the reply to `ModifyOrder`, when it was modified.
    pub time: i64,
}

/// Reply to `EstimateMarketOrder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// What would be traded of the base asset, positive.
    pub quantity: i64,
    /// What would be traded of the counter asset, positive.
    pub total: i64,
}

/// Reply to `PlaceOrder` for a limit order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The exchange's number for it.
    pub id: i64,
    /// When it was opened.
    pub time: i64,
}

/// Reply to `PlaceOrder` for a market order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remaining {
    /// What could not be traded, in the asset in which the order was given.
    pub remaining: i64,
}

/// Reply to `GetTradeVolume`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Traded in the trailing 30 days.
    pub volume: i64,
}

/// Reply to `WatchOrders`: at most the best 1000 of each side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// The orders.
    pub orders: Vec<BookOrder>,
}

/// An order of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookOrder {
    /// The exchange's number.
    pub id: i64,
    /// What is left of it; negative to sell.
    pub quantity: i64,
    /// Limit price.
    pub price: i64,
    /// When it was opened or last modified.
    pub time: i64,
}

/// Reply to `WatchTicker`; what there is not is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticker {
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
}
