//! The matching engine: what CoinFLEX's trade engine did, as a pure function of its inputs.
//!
//! It has no clock, no I/O and no randomness but a seeded generator: the same users, commands, times and seed give the
//! same replies and events.
//!
//! What `Engine` will be (lands next):
//!
//! ```text
//! Engine::new(listing: Arc<Listing>, fees: FeeSchedule, seed: u64) -> Engine
//! add_user(&mut self, user: UserId, kind: UserKind, balances: &[(AssetCode, Amount)]) -> Result<(), AccountError>
//! execute(&mut self, now: Micros, user: UserId, command: &Command, events: &mut Vec<Event>) -> Result<Reply, Refusal>
//! disconnect(&mut self, now: Micros, connection: ConnectionId, events: &mut Vec<Event>)
//! advance(&mut self, now: Micros, events: &mut Vec<Event>)     // timers: trailing windows, expiry; about once a second
//! estimate(&self, pair: Pair, size: MarketSize) -> Result<Estimate, Refusal>
//! listing(&self) -> &Arc<Listing>
//! has_user(&self, user: UserId) -> bool
//! balances(&self, user) -> impl Iterator<Item = Balance>         balance(&self, user, asset) -> Option<Balance>
//! orders(&self, user) -> impl Iterator<Item = OpenOrder>         order(&self, user, OrderRef) -> Option<OpenOrder>
//! bids(&self, MarketId) / asks(&self, MarketId) -> impl Iterator<Item = OpenOrder>     // best first, then oldest
//! bid_levels(&self, MarketId) / ask_levels(&self, MarketId) -> impl Iterator<Item = Level>
//! ticker(&self, MarketId) -> Ticker
//! trade_volume(&self, user, asset: AssetCode) -> Option<Amount>  // None: no such asset
//! trades(&self, user) -> impl DoubleEndedIterator<Item = &UserTrade>                   // oldest first
//! positions(&self, user) -> impl Iterator<Item = Position>
//! account_values(&self, user) -> impl Iterator<Item = AccountValue>
//! ```

mod command;
mod event;
mod units;
mod view;

pub use command::{
    Command, Estimate, Lifetime, LimitOrder, MarketOrder, MarketSize, Modification, OrderRef, Refusal, Reply,
};
pub use event::{Event, Match, MatchSide, MatchedOrder, OpenOrder, Recipients, Ticker, TickerChange, Watchers};
pub use units::{Amount, ConnectionId, Micros, OrderId, Price, Quantity, Side, Tonce};
pub use view::{AccountValue, Balance, Level, Position, UserTrade};

/// Most open orders of one user; simulated traders are exempt.
pub const OPEN_ORDERS_MAX: usize = 1_000;
