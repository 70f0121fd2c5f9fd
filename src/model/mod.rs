//! The nouns every room shares: identifiers, exact numbers, time, catalogs and events.
//!
//! Nothing here knows a socket, a clock, SQL or an exchange's JSON.

mod catalog;
mod coverage;
mod event;
mod id;
mod level;
mod nature;
mod number;
mod patch;
mod pattern;
mod time;

pub use catalog::{Asset, Catalog, CatalogOrigin, Listings, Market};
pub use coverage::{CloseCause, Coverage, GapCause, Verdict};
pub use event::{
    AccountEvent, Balance, BookOrder, BookSnapshot, Check, CommandSent, Control, Estimate, Event, Fee, Finding,
    MarketRef, NotUnderstood, OrderEvent, OrderKind, OwnOrders, ReplyReceived, SessionChange, StreamKey, StreamRef,
    SubscriptionChange, Ticker, TickerField, TickerKind, Trade, TradeSide, TradeVolume, Transition, UnknownReason,
};
pub use id::{AssetCode, Id, RunId, Seq, SessionId, UserId};
pub use level::{BookLevels, Level, Side};
pub use nature::{Nature, TimeUnit};
pub use number::{Number, Price, Quantity, decimal_text};
pub use patch::Patch;
pub use pattern::{MarketPattern, PatternError};
pub use time::{Stamp, Timestamp};
