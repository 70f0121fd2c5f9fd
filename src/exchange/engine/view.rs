//! What the engine can be asked about its state.

use crate::exchange::listing::MarketId;
use crate::model::AssetCode;

use super::{Amount, Micros, OrderId, Price, Quantity};

/// What a user has of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The asset.
    pub asset: AssetCode,
    /// Free to use.
    pub available: Amount,
    /// Set aside for open orders.
    pub reserved: Amount,
}

impl Balance {
    /// Available and reserved together.
    #[must_use]
    pub fn total(&self) -> Amount {
        Amount(self.available.0 + self.reserved.0)
    }
}

/// The orders of one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// All their quantities, positive; at most `i64::MAX`.
    pub quantity: Quantity,
}

/// A past trade as one of its sides sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserTrade {
    /// When. A trade with oneself is two of these with one time.
    pub time: Micros,
    /// Where.
    pub market: MarketId,
    /// Traded of the base asset; positive if bought, negative if sold.
    pub quantity: Quantity,
    /// The price.
    pub price: Price,
    /// Traded of the counter asset; signed as the quantity.
    pub total: Amount,
    /// The fee, in the counter asset. There is none in the base asset.
    pub counter_fee: Amount,
    /// The user's limit order; `None` if it was a market order.
    pub order: Option<OrderId>,
}

/// What a user has gained or lost of an asset by trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The asset.
    pub asset: AssetCode,
    /// Bought less sold, fees left out.
    pub position: Amount,
    /// When it last changed.
    pub through: Micros,
}

/// What a user has of a spot asset, as itself and as futures on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountValue {
    /// The spot asset.
    pub asset: AssetCode,
    /// Held as itself.
    pub spot: Amount,
    /// How much that has changed since the account was opened.
    pub spot_change: Amount,
    /// Held as futures that settle in it.
    pub futures: Amount,
    /// How much that has changed since the account was opened.
    pub futures_change: Amount,
}
