//! What the engine says of its own accord. The server makes notices of it: for one event up to three copies.

use crate::exchange::listing::MarketId;
use crate::model::{AssetCode, Patch, UserId};

use super::{Amount, Balance, Micros, OrderId, Price, Quantity, Side, Tonce};

/// Something that happened. Events come in the order in which they are to reach every recipient:
/// a reservation's balance before the order opens, a match before its balances, a close before what it frees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An available balance changed.
    BalanceChanged {
        /// Whose.
        user: UserId,
        /// What there is now.
        balance: Balance,
    },
    /// Only the reserved part of a balance changed. No notice tells it, nor does version 1 of the event stream.
    ReservationChanged {
        /// Whose.
        user: UserId,
        /// What there is now.
        balance: Balance,
    },
    /// An order entered the book, or is about to match.
    OrderOpened(OpenOrder),
    /// An order's quantity or price was changed by its owner; its time is that of the change.
    OrderModified(OpenOrder),
    /// Two orders matched.
    OrdersMatched(Match),
    /// An order left the book.
    OrderClosed {
        /// As it left: its quantity is what was left of it, 0 if it was filled.
        order: OpenOrder,
        /// When.
        time_closed: Micros,
    },
    /// A ticker changed.
    TickerChanged {
        /// Where.
        market: MarketId,
        /// What changed.
        change: TickerChange,
    },
    /// A user's trailing 30-day trade volume changed.
    TradeVolumeChanged {
        /// Whose.
        user: UserId,
        /// Of what.
        asset: AssetCode,
        /// Traded in the last 30 days.
        volume: Amount,
    },
}

/// An open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its number.
    pub id: OrderId,
    /// Whose; never told to others.
    pub owner: UserId,
    /// The owner's number for it; for the owner's eyes.
    pub tonce: Option<Tonce>,
    /// Where.
    pub market: MarketId,
    /// What is left; positive to buy, negative to sell.
    pub quantity: Quantity,
    /// Its price.
    pub price: Price,
    /// When it was opened; where a modification is told or answered, when it was modified.
    pub time: Micros,
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where.
    pub market: MarketId,
    /// Traded of the base asset, positive.
    pub quantity: Quantity,
    /// The maker's price.
    pub price: Price,
    /// Traded of the counter asset, positive or, for crumbs, 0.
    pub total: Amount,
    /// When; no two trades have the same.
    pub time: Micros,
    /// Who took liquidity.
    pub taker: Side,
    /// The buyer.
    pub bid: MatchSide,
    /// The seller.
    pub ask: MatchSide,
}

/// A side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchSide {
    /// Who; never told to others.
    pub owner: UserId,
    /// The limit order; `None` for a market order (never on both sides).
    pub order: Option<MatchedOrder>,
    /// The owner's number for the order; for the owner's eyes.
    pub tonce: Option<Tonce>,
    /// The fee, in the counter asset; for the owner's eyes. There is none in the base asset.
    pub counter_fee: Amount,
}

/// A limit order in a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchedOrder {
    /// Its number.
    pub id: OrderId,
    /// What is left of it, positive or 0.
    pub remaining: Quantity,
}

impl Match {
    /// The side `user` is on as its owner; the bid's, if both.
    #[must_use]
    pub fn side_of(&self, user: UserId) -> Option<Side> {
        if self.bid.owner == user {
            Some(Side::Bid)
        } else if self.ask.owner == user {
            Some(Side::Ask)
        } else {
            None
        }
    }
}

/// A ticker in full; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticker {
    /// Price of the last trade.
    pub last: Option<Price>,
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
    /// Lowest price of the trailing day.
    pub low: Option<Price>,
    /// Highest price of the trailing day.
    pub high: Option<Price>,
    /// Traded of the base asset in the trailing day.
    pub volume: Quantity,
}

/// What changed in a ticker; at least one field is present. Null: there is none any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickerChange {
    /// Price of the last trade; never null.
    pub last: Patch<Price>,
    /// Best bid.
    pub bid: Patch<Price>,
    /// Best ask.
    pub ask: Patch<Price>,
    /// Lowest price of the trailing day.
    pub low: Patch<Price>,
    /// Highest price of the trailing day.
    pub high: Patch<Price>,
    /// Traded of the base asset in the trailing day; never null.
    pub volume: Patch<Quantity>,
}

/// Who gets the notice of an event. An owner gets one private copy on each connection that is logged in as that user; every watcher
/// who is not an owner gets the public copy, without tonces, fees and `taker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipients {
    /// Users whose own event it is: one, or the two sides of a match. A match with oneself has its user once.
    pub owners: [Option<UserId>; 2],
    /// The public.
    pub watchers: Option<Watchers>,
}

/// A subscription that an event goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watchers {
    /// `WatchOrders` on this market.
    Book(MarketId),
    /// `WatchTicker` on this market.
    Ticker(MarketId),
}

impl Event {
    /// Who gets its notice.
    #[must_use]
    pub fn recipients(&self) -> Recipients {
        let (owners, watchers) = match self {
            Self::BalanceChanged { user, .. } | Self::TradeVolumeChanged { user, .. } => ([Some(*user), None], None),
            Self::OrderOpened(order) | Self::OrderModified(order) | Self::OrderClosed { order, .. } => {
                ([Some(order.owner), None], Some(Watchers::Book(order.market)))
            }
            Self::OrdersMatched(Match { market, bid, ask, .. }) => {
                let second = (ask.owner != bid.owner).then_some(ask.owner);
                ([Some(bid.owner), second], Some(Watchers::Book(*market)))
            }
            Self::ReservationChanged { .. } => ([None, None], None),
            Self::TickerChanged { market, .. } => ([None, None], Some(Watchers::Ticker(*market))),
        };
        Recipients { owners, watchers }
    }
}
