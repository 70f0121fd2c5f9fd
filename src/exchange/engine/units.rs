//! The engine's numbers. All are integers with an implied scale, as on the wire; none is ever a float.

use std::fmt;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit!(
    /// Price of one lot of the base asset (10000 units on CoinFLEX), in units of the counter asset.
    Price
);
unit!(
    /// Units of a market's base asset. Of an order: positive to buy, negative to sell; of a trade: positive.
    Quantity
);
unit!(
    /// Units of any asset: a balance, a total, a fee.
    Amount
);
unit!(
    /// An instant: µs since the Unix epoch, UTC.
    Micros
);
unit!(
    /// The exchange's number of an order; rises from 1.
    OrderId
);
unit!(
    /// A number the client gives its order; not zero, and as [`super::TonceRule`] says.
    Tonce
);

/// A connection of a client, numbered by the server: what orders of [`super::Lifetime::Connection`] live with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A side of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The buyer.
    Bid,
    /// The seller.
    Ask,
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// The side of a signed amount, positive being to buy; `None` for zero.
    #[must_use]
    pub fn of(signed: i64) -> Option<Self> {
        match signed.signum() {
            1 => Some(Self::Bid),
            -1 => Some(Self::Ask),
            _ => None,
        }
    }

    /// `magnitude` with this side's sign; of a signed amount, how much there is of it towards this side. The magnitude
    /// must not be `i64::MIN`.
    #[must_use]
    pub fn sign(self, magnitude: i64) -> i64 {
        match self {
            Self::Bid => magnitude,
            Self::Ask => -magnitude,
        }
    }
}
