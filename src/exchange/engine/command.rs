//! What users can ask of the engine, and what it answers.

use thiserror::Error;

use crate::exchange::listing::Pair;

use super::{Amount, ConnectionId, OpenOrder, OrderId, Price, Quantity, Tonce};

/// A command that changes the engine's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `PlaceOrder` with a price.
    PlaceLimit(LimitOrder),
    /// `PlaceOrder` without a price.
    PlaceMarket(MarketOrder),
    /// `ModifyOrder`.
    Modify(Modification),
    /// `CancelOrder`.
    Cancel(OrderRef),
    /// `CancelAllOrders`.
    CancelAll,
}

/// An order with a price, which may rest in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitOrder {
    /// Where.
    pub pair: Pair,
    /// The client's number for it.
    pub tonce: Option<Tonce>,
    /// How much; positive to buy, negative to sell.
    pub quantity: Quantity,
    /// Worst price; is snapped to the tick, down to buy, up to sell.
    pub price: Price,
    /// When it ends at the latest.
    pub lifetime: Lifetime,
    /// Refuse it if it would match at once.
    pub post_only: bool,
}

/// When a limit order ends at the latest (`persist`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Until cancelled or filled (`true`, or absent).
    #[default]
    Persistent,
    /// Until this connection ends (`false`).
    Connection(ConnectionId),
    /// What does not match at once is cancelled (`"fill_or_kill"`).
    FillOrKill,
}

/// What a tonce must be, besides not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TonceRule {
    /// That of none of the user's open orders: CoinFLEX's rule.
    #[default]
    Unique,
    /// Greater than every tonce of the user's orders since its last `CancelAllOrders`, and than zero: Coinfloor's rule.
    Increasing,
}

/// An order without a price, which never rests in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketOrder {
    /// Where.
    pub pair: Pair,
    /// The client's number for it.
    pub tonce: Option<Tonce>,
    /// How much.
    pub size: MarketSize,
}

/// How much a market order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketSize {
    /// So much of the base asset; positive to buy, negative to sell.
    Quantity(Quantity),
    /// So much of the counter asset; positive to spend it, negative to earn it. Fees are not counted.
    Total(Amount),
}

/// An order as its owner names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// By the exchange's number.
    Id(OrderId),
    /// By the client's number.
    Tonce(Tonce),
}

/// A change to an open order. One of the two must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modification {
    /// Which order.
    pub order: OrderRef,
    /// Added to the order's signed quantity; to zero or past it cancels the order, enlarging it costs its place.
    pub quantity_delta: Option<Quantity>,
    /// New price; is snapped as a new order's, and costs its place if it is another.
    pub price: Option<Price>,
    /// Refuse the change if it would match at once.
    pub post_only: bool,
}

/// The answer to a command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A limit order was opened: as it was then, price snapped, before anything matched.
    Placed(OpenOrder),
    /// A market order was executed.
    Executed {
        /// What could not be traded for want of liquidity or balance, of the kind that the order's size was given
        /// in; never negative.
        remaining: MarketSize,
    },
    /// An order was modified: as it was then, before anything matched; its time is that of the modification. Its
    /// quantity is 0 if the modification amounted to cancelling it.
    Modified(OpenOrder),
    /// An order was cancelled: as it was before; its time is when it was opened.
    Cancelled(OpenOrder),
    /// All orders were cancelled: as they were before, oldest first.
    AllCancelled(Vec<OpenOrder>),
}

/// The answer to an estimate of a market order; both positive or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// What would be traded of the base asset.
    pub quantity: Quantity,
    /// What would be traded of the counter asset, fees not counted; rounded up to buy, down to sell.
    pub total: Amount,
}

/// Why a command was refused; nothing has changed then. The text is the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// The user is not known to the engine.
    #[error("There is no such user.")]
    NoSuchUser,
    /// There is no such market, or it is not open (yet, or any more).
    #[error("You specified an invalid asset pair.")]
    InvalidAssetPair,
    /// The user has no such open order.
    #[error("The specified order was not found.")]
    OrderNotFound,
    /// The tonce is not as [`TonceRule`] says.
    #[error("Tonce is out of sequence.")]
    TonceOutOfSequence,
    /// The available balance does not cover the reservation.
    #[error("You have insufficient funds.")]
    InsufficientFunds,
    /// The user has [`super::OPEN_ORDERS_MAX`] open orders.
    #[error("You have too many outstanding orders.")]
    TooManyOrders,
    /// A tonce of zero.
    #[error("Tonce must not be zero.")]
    TonceZero,
    /// A price of zero, or one that snaps to zero.
    #[error("Price must not be zero.")]
    PriceZero,
    /// A price below zero.
    #[error("Price must not be negative.")]
    PriceNegative,
    /// A quantity of zero.
    #[error("Quantity must not be zero.")]
    QuantityZero,
    /// A total of zero.
    #[error("Total must not be zero.")]
    TotalZero,
    /// A quantity delta of zero.
    #[error("Quantity delta must not be zero.")]
    QuantityDeltaZero,
    /// A modification of nothing.
    #[error("You must specify quantity delta and/or price.")]
    NothingToModify,
    /// Quantity times price is beyond 64 bits.
    #[error("Order total would overflow.")]
    TotalOverflow,
    /// A post-only order would match at once.
    #[error("Post-only order with these parameters would result in an immediate match.")]
    WouldMatch,
}

impl Refusal {
    /// The protocol's `error_code`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::NoSuchUser | Self::InvalidAssetPair | Self::OrderNotFound => 1,
            Self::TonceOutOfSequence => 3,
            Self::InsufficientFunds => 4,
            Self::TooManyOrders => 5,
            Self::TonceZero
            | Self::PriceZero
            | Self::PriceNegative
            | Self::QuantityZero
            | Self::TotalZero
            | Self::QuantityDeltaZero
            | Self::NothingToModify
            | Self::TotalOverflow => 8,
            Self::WouldMatch => 9,
        }
    }
}
