//! Price levels of a book (L2), for venues that state those instead of orders.

use super::{MarketRef, Price, Quantity, Seq, Timestamp};

/// A side of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who buys.
    Bid,
    /// Who sells.
    Ask,
}

/// A price level.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its side.
    pub side: Side,
    /// Its price.
    pub price: Option<Price>,
    /// All that is offered there, positive; 0: the level is gone.
    pub quantity: Option<Quantity>,
}

/// Levels of a book: all of them, or those that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct BookLevels {
    /// Where.
    pub market: MarketRef,
    /// Whether these are all there are, as deep as the subscription goes.
    pub is_snapshot: bool,
    /// For a snapshot that came aside (by REST): from where in the session's journal changes are to be applied on top
    /// of it, those up to its own number left out. `None`: from here on.
    pub events_from: Option<Seq>,
    /// The venue's number of the first change in it, where changes are numbered.
    pub first: Option<i64>,
    /// The venue's number of the last change in it; of a snapshot, the last one that it contains.
    pub last: Option<i64>,
    /// The venue's time.
    pub time: Option<Timestamp>,
    /// The levels, as sent.
    pub levels: Vec<Level>,
}
