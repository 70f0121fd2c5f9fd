//! What sessions conclude from their inputs. Each event becomes rows of one table, and names the frame it came from
//! by its place in the batch (see [`crate::journal::Batch`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    AssetCode, BookLevels, Catalog, CloseCause, Coverage, Id, Nature, Patch, Price, Quantity, Seq, Timestamp, UserId,
};

/// A market as one session numbers it: an index into the markets it has declared by [`Event::Market`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarketRef(pub u32);

/// A stream as one session numbers it: an index into the streams it has declared by [`Event::Stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamRef(pub u32);

/// What identifies a stream across sessions and runs, within its source: what coverage is kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamKey {
    /// The venue's name of the subscription: `WatchOrders`, `WatchTicker`, `GetBalances`; `account` for the notices
    /// that come unasked to whoever is logged in.
    pub channel: String,
    /// The market's name, where the stream belongs to one.
    pub market: Option<String>,
    /// Further arguments that tell two streams apart, as text (`asset=XBT`), else empty.
    pub detail: String,
}

/// Everything a session can say.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    // What the following refer to.
    /// Declares the next [`MarketRef`], or, repeated for one, a new version of it.
    Market(MarketRef, Arc<crate::model::Market>),
    /// Declares the next [`StreamRef`].
    Stream(StreamRef, Arc<StreamKey>, Arc<Nature>),
    /// The catalog in force from here on; its assets and markets become versioned rows where they changed.
    Catalog(Arc<Catalog>),

    // The market.
    /// An order appeared in, changed in or left the book.
    Order(OrderEvent),
    /// A trade.
    Trade(Box<Trade>),
    /// The ticker, whole or in part.
    Ticker(Box<Ticker>),
    /// The whole book of a market.
    BookSnapshot(Box<BookSnapshot>),
    /// The same as a second look saw it: no book begins with it.
    Look(Box<BookSnapshot>),
    /// Price levels of a book.
    Levels(Box<BookLevels>),
    /// The answer to an estimate.
    Estimate(Box<Estimate>),

    // The account.
    /// A balance.
    Balance(Balance),
    /// A trailing trade volume.
    TradeVolume(TradeVolume),
    /// All open orders of the account.
    OwnOrders(Box<OwnOrders>),
    /// A change to an order of the account that came as a reply to our own command.
    Account(Box<AccountEvent>),

    // The recording itself.
    /// A change of the session's state.
    Session(SessionChange),
    /// A change of a subscription's state.
    Subscription(SubscriptionChange),
    /// A stream is in another state from here on.
    Transition(Transition),
    /// A command went out.
    Command(Box<CommandSent>),
    /// A reply came.
    Reply(Box<ReplyReceived>),
    /// A contradiction was found, or what changed unseen.
    Finding(Box<Finding>),
    /// What a venue says of itself: its state, a restart, a maintenance.
    Control(Box<Control>),
    /// Something was not understood, wholly or in part.
    NotUnderstood(Box<NotUnderstood>),
}

impl Event {
    /// Whether it sums up what came since the last such event. It changes a row and has none of its own.
    #[must_use]
    pub fn is_sum(&self) -> bool {
        matches!(self, Self::Subscription(SubscriptionChange::Data { .. }))
    }
}

/// What happened to an order in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// It entered the book.
    Opened,
    /// Its quantity or price changed, by its owner.
    Modified,
    /// It left the book.
    Closed,
}

/// An order entered, changed in or left a book.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderEvent {
    /// What happened.
    pub kind: OrderKind,
    /// Where.
    pub market: MarketRef,
    /// Which order.
    pub id: Id,
    /// What is (opened, modified) or was (closed) left; positive to buy, negative to sell, 0 if filled.
    pub quantity: Option<Quantity>,
    /// Limit price.
    pub price: Option<Price>,
    /// The venue's time of it; for CoinFLEX's closed, `time_closed`.
    pub time: Option<Timestamp>,
    /// The owner's tonce: absent on public copies, null when the order had none.
    pub tonce: Patch<i64>,
    /// Whether this is the owner's private copy.
    pub own: bool,
}

/// What a trade says of one of its sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TradeSide {
    /// The order; `None` for a market order.
    pub order: Option<Id>,
    /// What is left of the order, positive.
    pub remaining: Option<Quantity>,
    /// The order's tonce, on its owner's copy only.
    pub tonce: Patch<i64>,
    /// Fee in the base asset, on the owner's copy (zero on old public ones).
    pub base_fee: Option<Quantity>,
    /// Fee in the counter asset, likewise.
    pub counter_fee: Option<Quantity>,
    /// Fees in other assets, likewise.
    pub other_fees: Vec<Fee>,
}

/// A fee in an asset that is neither of its market's.
#[derive(Clone, Debug, PartialEq)]
pub struct Fee {
    /// The asset's name.
    pub asset: Arc<str>,
    /// Decimal places of the amount.
    pub places: u8,
    /// How much; negative for a rebate.
    pub amount: Quantity,
}

/// A trade (a match of two orders).
#[derive(Clone, Debug, PartialEq)]
pub struct Trade {
    /// Where.
    pub market: MarketRef,
    /// The venue's identifier; `None` where it gives none (CoinFLEX).
    pub id: Option<Id>,
    /// Amount of the base asset, positive.
    pub quantity: Option<Quantity>,
    /// Price.
    pub price: Option<Price>,
    /// Amount of the counter asset, positive.
    pub total: Option<Quantity>,
    /// The venue's time.
    pub time: Option<Timestamp>,
    /// The buyer.
    pub bid: TradeSide,
    /// The seller.
    pub ask: TradeSide,
    /// Whether the taker was the buyer; `None` if not said.
    pub taker_is_bid: Option<bool>,
    /// On an owner's copy: whether the owner was the taker.
    pub own_is_taker: Option<bool>,
    /// Whether this is an owner's private copy.
    pub own: bool,
}

impl Trade {
    /// A public copy, of which nothing is said but where it was.
    #[must_use]
    pub fn public(market: MarketRef) -> Self {
        Self {
            market,
            id: None,
            quantity: None,
            price: None,
            total: None,
            time: None,
            bid: TradeSide::default(),
            ask: TradeSide::default(),
            taker_is_bid: None,
            own_is_taker: None,
            own: false,
        }
    }

    /// The same as the owner of one of its sides is told of it; `is_bid`: which of them, if that is known.
    #[must_use]
    pub fn owned(mut self, is_bid: Option<bool>, side: TradeSide, own_is_taker: Option<bool>) -> Self {
        match is_bid {
            Some(true) => self.bid = side,
            Some(false) => self.ask = side,
            None => {}
        }
        let taker = is_bid.zip(own_is_taker).map(|(is_bid, is_taker)| is_bid == is_taker);
        self.taker_is_bid = taker.or(self.taker_is_bid);
        Self { own: true, own_is_taker, ..self }
    }
}

/// Whether a ticker states everything or only what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TickerKind {
    /// All fields, as an answer.
    Full,
    /// Changed fields only: absent is unchanged.
    Partial,
}

/// A field of a ticker.
pub type TickerField<T> = Patch<T>;

/// A ticker.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticker {
    /// Where.
    pub market: MarketRef,
    /// Whole or in part.
    pub kind: TickerKind,
    /// Price of the last trade.
    pub last: TickerField<Price>,
    /// Best bid.
    pub bid: TickerField<Price>,
    /// Best ask.
    pub ask: TickerField<Price>,
    /// Lowest price of the trailing day.
    pub low: TickerField<Price>,
    /// Highest price of the trailing day.
    pub high: TickerField<Price>,
    /// Base asset traded in the trailing day.
    pub volume: TickerField<Quantity>,
    /// What is offered at the best bid.
    pub bid_quantity: TickerField<Quantity>,
    /// What is offered at the best ask.
    pub ask_quantity: TickerField<Quantity>,
    /// The venue's time, where it gives one.
    pub time: Option<Timestamp>,
}

/// An order of a snapshot, or a price level of one that has no orders.
#[derive(Clone, Debug, PartialEq)]
pub struct BookOrder {
    /// Which; `None` for a price level.
    pub id: Option<Id>,
    /// Remaining; positive to buy, negative to sell.
    pub quantity: Option<Quantity>,
    /// Limit price.
    pub price: Option<Price>,
    /// When it was opened or last modified, by the venue.
    pub time: Option<Timestamp>,
    /// The owner's tonce (own orders only).
    pub tonce: Patch<i64>,
}

/// The whole book of a market (on CoinFLEX at most the best 1000 of each side).
#[derive(Clone, Debug, PartialEq)]
pub struct BookSnapshot {
    /// Where.
    pub market: MarketRef,
    /// From where in the session's journal notices of this book are to be applied on top of it: the command that asked
    /// for it, since notices may overtake the reply. `None`: from here on.
    pub events_from: Option<Seq>,
    /// Whether the entries are orders, or price levels without orders (the REST depth).
    pub has_orders: bool,
    /// How many entries of a side the venue tells at most: a side with as many may have more. `None`: a side is whole.
    pub side_orders_max: Option<usize>,
    /// The entries, as sent.
    pub orders: Vec<BookOrder>,
}

/// An answer to `EstimateMarketOrder`.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Where.
    pub market: MarketRef,
    /// The quantity asked for, if it was the quantity; negative to sell.
    pub asked_quantity: Option<Quantity>,
    /// The total asked for, if it was the total; negative to sell.
    pub asked_total: Option<Quantity>,
    /// What would be traded of the base asset, positive.
    pub quantity: Option<Quantity>,
    /// What would be traded of the counter asset, positive.
    pub total: Option<Quantity>,
}

/// A balance of the account.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    /// The asset's code, on venues that have codes.
    pub asset: Option<AssetCode>,
    /// The asset's name if the catalog knows it.
    pub asset_name: Option<Arc<str>>,
    /// Decimal places of the amounts, if known.
    pub places: Option<u8>,
    /// Available.
    pub available: Option<Quantity>,
    /// Reserved by open orders, where said.
    pub reserved: Option<Quantity>,
    /// Available and reserved, where said.
    pub total: Option<Quantity>,
    /// Whether it is part of a whole list (a reply) or a single change (a notice).
    pub is_snapshot: bool,
}

impl Balance {
    /// Of an asset that has a name and no code, without amounts.
    #[must_use]
    pub fn named(name: Arc<str>, places: u8, is_snapshot: bool) -> Self {
        Self {
            asset: None,
            asset_name: Some(name),
            places: Some(places),
            available: None,
            reserved: None,
            total: None,
            is_snapshot,
        }
    }
}

/// The account's trailing trade volume in an asset.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeVolume {
    /// The asset's code.
    pub asset: Option<AssetCode>,
    /// The asset's name if the catalog knows it.
    pub asset_name: Option<Arc<str>>,
    /// Decimal places of the volume, if known.
    pub places: Option<u8>,
    /// The volume.
    pub volume: Option<Quantity>,
}

/// All open orders of the account at once.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnOrders {
    /// Each with its market.
    pub orders: Vec<(MarketRef, BookOrder)>,
    /// Whether they were just cancelled by `CancelAllOrders` instead of being open.
    pub cancelled: bool,
}

/// The reply to an order command of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountEvent {
    /// The method that was answered (`PlaceOrder`, `ModifyOrder`, `CancelOrder`).
    pub method: String,
    /// Where; `None` if neither command nor reply says.
    pub market: Option<MarketRef>,
    /// The order as the reply states it; `None` for a market order.
    pub order: Option<BookOrder>,
    /// What a market order could not trade.
    pub remaining: Option<Quantity>,
}

/// A change of a session's state.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionChange {
    /// Dialling begins: the session's first event.
    Connecting {
        /// Name of the source.
        source: Arc<str>,
        /// Name of the venue.
        venue: Arc<str>,
        /// Where to.
        url: String,
        /// Who is to log in, on venues that number users.
        user: Option<UserId>,
    },
    /// It only takes a second look at what another session records.
    Looking,
    /// The socket is open, the upgrade done.
    Opened {
        /// The peer's address.
        peer: Option<String>,
    },
    /// The venue greeted.
    Greeted,
    /// The venue accepted the login.
    Authenticated {
        /// As whom.
        user: Option<UserId>,
    },
    /// The venue refused the login.
    LoginRefused {
        /// Its code.
        code: i64,
        /// What it said.
        message: String,
    },
    /// The session ended.
    Closed {
        /// Why.
        cause: CloseCause,
        /// Close code, HTTP status or the like.
        code: Option<i64>,
        /// What is known beyond, one clause, without secrets.
        detail: String,
    },
}

/// A change of one session's subscription to a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum SubscriptionChange {
    /// The command went out. The subscription's first event.
    Asked(StreamRef),
    /// The venue agreed (with the snapshot, where there is one).
    Acknowledged(StreamRef),
    /// The venue refused.
    Refused {
        /// Which.
        stream: StreamRef,
        /// Its code.
        code: i64,
        /// What it said.
        message: String,
    },
    /// Data came since the last event of this kind.
    Data {
        /// Which.
        stream: StreamRef,
        /// Arrival of the first.
        first: Timestamp,
        /// Arrival of the last.
        last: Timestamp,
        /// How many frames.
        frames: u64,
    },
    /// It is over.
    Ended {
        /// Which.
        stream: StreamRef,
        /// Why.
        cause: GapCause,
    },
}

pub use super::coverage::GapCause;

/// A stream is in another state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Which stream.
    pub stream: StreamRef,
    /// Since when: not after the input that showed it, and before it where the loss began earlier.
    pub at: Timestamp,
    /// The state from then on.
    pub state: Coverage,
    /// What shows it beyond the frame (close code, error text), one clause.
    pub evidence: Option<String>,
}

/// What a contradiction check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// An order is opened that is open already.
    OpenedTwice,
    /// A notice is about an order that must have been seen before.
    UnknownOrder,
    /// What is left of an order does not follow from what was left before.
    WrongRemaining,
    /// The best bid stays at or above the best ask.
    CrossedBook,
    /// The ticker's bid stays another than the book's.
    TickerBid,
    /// The ticker's ask stays another than the book's.
    TickerAsk,
    /// The ticker's last price stays another than the last match's.
    TickerLast,
    /// A fresh snapshot differs from the book kept so far, and nothing was missed in between.
    SnapshotDiffers,
    /// A second look, over another connection, saw another book than the one kept.
    SecondLook,
    /// What is available and what is reserved of a balance do not add up to its total.
    BalanceSum,
    /// Less of a balance is reserved than the account's open orders need.
    ReservedBalance,
    /// An order of the account sets something aside or frees it, and no balance tells.
    ReservationBalance,
    /// A match of the account, with its fee, changes a balance, and no balance tells.
    FillBalance,
    /// A fresh snapshot differs from the book kept before a hole: what changed unseen. No contradiction.
    ChangedWhileBlind,
    /// A message came that had come before, by its number. Nothing is missing. No contradiction.
    CameTwice,
}

impl Check {
    /// The text that tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenedTwice => "opened_twice",
            Self::UnknownOrder => "unknown_order",
            Self::WrongRemaining => "wrong_remaining",
            Self::CrossedBook => "crossed_book",
            Self::TickerBid => "ticker_bid",
            Self::TickerAsk => "ticker_ask",
            Self::TickerLast => "ticker_last",
            Self::SnapshotDiffers => "snapshot_differs",
            Self::SecondLook => "second_look",
            Self::BalanceSum => "balance_sum",
            Self::ReservedBalance => "reserved_balance",
            Self::ReservationBalance => "reservation_balance",
            Self::FillBalance => "fill_balance",
            Self::ChangedWhileBlind => "changed_while_blind",
            Self::CameTwice => "came_twice",
        }
    }

    /// Whether it compares the ticker with something else, so that either may be wrong.
    #[must_use]
    pub fn is_about_ticker(self) -> bool {
        matches!(self, Self::TickerBid | Self::TickerAsk | Self::TickerLast)
    }

    /// Whether it puts the stream in doubt.
    #[must_use]
    pub fn is_contradiction(self) -> bool {
        !matches!(self, Self::ChangedWhileBlind | Self::CameTwice)
    }
}

/// What a contradiction check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The stream it puts in doubt.
    pub stream: StreamRef,
    /// Since when.
    pub since: Timestamp,
    /// What contradicts what, one clause.
    pub evidence: String,
}

/// A command that went out.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSent {
    /// Its method.
    pub method: String,
    /// Its tag, if any.
    pub tag: Option<i64>,
    /// The stream it asks for, if any.
    pub stream: Option<StreamRef>,
}

/// A reply that came.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplyReceived {
    /// Its tag, if any.
    pub tag: Option<i64>,
    /// The command it answers, if the tag told.
    pub command: Option<Seq>,
    /// That command's method.
    pub method: Option<String>,
    /// 0 for success; `None` if it is not a 64-bit integer.
    pub error_code: Option<i64>,
    /// The venue's text.
    pub error_message: Option<String>,
}

/// What a venue says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The venue's word for it: `status`, `notice`, `serverShutdown`.
    pub kind: String,
    /// What it says, as sent.
    pub detail: String,
}

/// Why a frame, or part of it, was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnknownReason {
    /// Not UTF-8.
    InvalidUtf8,
    /// Not JSON.
    InvalidJson,
    /// JSON, but not an object of the protocol.
    UnknownShape,
    /// A notice nobody knows.
    UnknownNotice,
    /// A known message lacks a field it must have.
    MissingField,
    /// A field of a known message has another type.
    WrongType,
    /// A field nobody knows; told once for each message kind and field in a session.
    UnknownField,
    /// A number that does not fit its column exactly.
    NumberOutOfRange,
    /// A field occurs twice.
    DuplicateField,
    /// A reply whose tag no command of the session had.
    UnknownTag,
    /// A binary message.
    Binary,
    /// An asset or market the catalog does not have.
    UnknownMarket,
}

impl UnknownReason {
    /// The text that tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidJson => "invalid_json",
            Self::UnknownShape => "unknown_shape",
            Self::UnknownNotice => "unknown_notice",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::UnknownField => "unknown_field",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::DuplicateField => "duplicate_field",
            Self::UnknownTag => "unknown_tag",
            Self::Binary => "binary",
            Self::UnknownMarket => "unknown_market",
        }
    }
}

/// A frame, or part of one, that was not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct NotUnderstood {
    /// Why.
    pub reason: UnknownReason,
    /// Which part: a field's or notice's name, a position; else empty.
    pub what: String,
    /// The whole frame, as received.
    pub body: Vec<u8>,
}
