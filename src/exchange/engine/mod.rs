//! The matching engine: what CoinFLEX's trade engine did, as a pure function of its inputs.
//!
//! It has no clock, no I/O and no randomness but a seeded generator: the same users, commands, times and seed give the
//! same replies and events. Commands go in by [`Engine::execute`], events come out into the caller's list; the state
//! is read by the queries in `query`.
//!
//! Invariants: of every asset, what all accounts and the fees have is what the accounts were opened with; what an
//! account has reserved is what its open orders need; no balance is below zero; between commands no book is crossed.

mod account;
mod book;
mod command;
mod event;
mod fees;
mod lifecycle;
mod matching;
mod modify;
mod order;
mod place;
mod query;
#[cfg(test)]
mod tests;
mod ticker;
mod trade;
mod trailing;
mod units;
mod view;

use std::sync::Arc;

use crate::model::{AssetCode, UserId};

use super::listing::{Listing, MarketId, Pair};

use account::{AccountId, Accounts, AssetPlace, Holding};
use book::Book;
use fees::Rounding;
use order::Orders;
use ticker::TickerKeeper;

pub use account::{AccountError, USER_TRADES_KEPT_MAX, UserKind};
pub use command::{
    Command, Estimate, Lifetime, LimitOrder, MarketOrder, MarketSize, Modification, OrderRef, Refusal, Reply, TonceRule,
};
pub use event::{Event, Match, MatchSide, MatchedOrder, OpenOrder, Recipients, Ticker, TickerChange, Watchers};
pub use fees::{FeeRates, FeeSchedule, FeeTooHigh, PartsPerMillion};
pub use units::{Amount, ConnectionId, Micros, OrderId, Price, Quantity, Side, Tonce};
pub use view::{AccountValue, Balance, Level, Position, UserTrade};

/// Most open orders of one user; simulated traders are exempt.
pub const OPEN_ORDERS_MAX: usize = 1_000;

/// Accounts, books and everything that follows from commands to them.
#[derive(Debug)]
pub struct Engine {
    listing: Arc<Listing>,
    /// By [`MarketId`].
    markets: Vec<Market>,
    accounts: Accounts,
    orders: Orders,
    rounding: Rounding,
    tonces: TonceRule,
    /// The time of what happens next. Never goes back, and steps forward after a trade.
    now: Micros,
    /// When the orders of some market are to be closed.
    next_expiry: Option<Micros>,
    /// Markets whose tickers may have changed since they were told.
    stirred: Vec<MarketId>,
}

/// The state of a market, and what of the listing is needed all the time.
#[derive(Debug)]
struct Market {
    pair: Pair,
    base: AssetPlace,
    counter: AssetPlace,
    tick: i64,
    lot: i64,
    rates: FeeRates,
    book: Book,
    ticker: TickerKeeper,
}

impl Engine {
    /// An engine without users or orders. `seed` decides how totals and fees are rounded.
    #[must_use]
    pub fn new(listing: Arc<Listing>, fees: &FeeSchedule, seed: u64) -> Self {
        let place = |code| listing.asset_place(code).expect("a market's assets are listed");
        let markets = listing.markets().iter().map(|market| Market {
            pair: market.pair,
            base: place(market.pair.base),
            counter: place(market.pair.counter),
            tick: market.tick.0,
            lot: market.lot,
            rates: fees.rates(market.pair),
            book: Book::default(),
            ticker: TickerKeeper::new(),
        });
        Self {
            markets: markets.collect(),
            accounts: Accounts::new(listing.assets().len()),
            orders: Orders::default(),
            rounding: Rounding::new(seed),
            tonces: TonceRule::default(),
            now: Micros::default(),
            next_expiry: listing.next_expiry(Micros::default()),
            stirred: Vec::new(),
            listing,
        }
    }

    /// With another rule for tonces than the usual one.
    #[must_use]
    pub fn with_tonces(self, tonces: TonceRule) -> Self {
        Self { tonces, ..self }
    }

    /// Adds a user with what it starts with.
    ///
    /// # Errors
    /// See [`AccountError`]; nothing has changed then.
    pub fn add_user(
        &mut self,
        user: UserId,
        kind: UserKind,
        balances: &[(AssetCode, Amount)],
    ) -> Result<(), AccountError> {
        self.accounts.add(user, kind, balances, |code| self.listing.asset_place(code))
    }

    /// Carries out a user's command at `now` and appends what happens to `events`.
    ///
    /// Time never goes back: a `now` before that of an earlier call counts as that one.
    ///
    /// # Errors
    /// The protocol's [`Refusal`]; the command has changed nothing then.
    pub fn execute(
        &mut self,
        now: Micros,
        user: UserId,
        command: &Command,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        self.begin(now, events);
        let reply = self.carry_out(user, command, events);
        self.tell_tickers(events);
        reply
    }

    fn carry_out(&mut self, user: UserId, command: &Command, events: &mut Vec<Event>) -> Result<Reply, Refusal> {
        let account = self.accounts.id(user).ok_or(Refusal::NoSuchUser)?;
        match command {
            Command::PlaceLimit(order) => self.place_limit(account, order, events),
            Command::PlaceMarket(order) => self.place_market(account, order, events),
            Command::Modify(modification) => self.modify(account, modification, events),
            Command::Cancel(order) => self.cancel(account, *order, events),
            Command::CancelAll => Ok(self.cancel_all(account, events)),
        }
    }

    /// The market of a pair, if it takes orders now.
    fn open_market(&self, pair: Pair) -> Result<MarketId, Refusal> {
        let id = self.listing.market_id(pair).ok_or(Refusal::InvalidAssetPair)?;
        if self.listing.market(id).is_open(self.now) { Ok(id) } else { Err(Refusal::InvalidAssetPair) }
    }

    fn market(&self, id: MarketId) -> &Market {
        &self.markets[usize::from(id.0)]
    }

    fn market_mut(&mut self, id: MarketId) -> &mut Market {
        &mut self.markets[usize::from(id.0)]
    }

    fn asset_code(&self, asset: AssetPlace) -> AssetCode {
        self.listing.assets()[asset].code
    }

    /// Notes that a market's ticker may have changed.
    fn stir(&mut self, market: MarketId) {
        if !self.stirred.contains(&market) {
            self.stirred.push(market);
        }
    }

    /// Tells what changed in the tickers of the markets that were stirred.
    fn tell_tickers(&mut self, events: &mut Vec<Event>) {
        for id in self.stirred.drain(..) {
            let market = &mut self.markets[usize::from(id.0)];
            let [bid, ask] = [Side::Bid, Side::Ask].map(|side| market.book.best_price(side));
            if let Some(change) = market.ticker.tell(self.now, bid, ask) {
                events.push(Event::TickerChanged { market: id, change });
            }
        }
    }

    /// Tells an account's balance of an asset.
    fn tell_balance(&self, account: AccountId, asset: AssetPlace, events: &mut Vec<Event>) {
        let (user, balance) = self.holding(account, asset);
        events.push(Event::BalanceChanged { user, balance });
    }

    /// Tells what an account has reserved of an asset.
    fn tell_reservation(&self, account: AccountId, asset: AssetPlace, events: &mut Vec<Event>) {
        let (user, balance) = self.holding(account, asset);
        events.push(Event::ReservationChanged { user, balance });
    }

    fn holding(&self, account: AccountId, asset: AssetPlace) -> (UserId, Balance) {
        let account = &self.accounts[account];
        let Holding { available, reserved, .. } = account.holdings[asset];
        let balance =
            Balance { asset: self.asset_code(asset), available: Amount(available), reserved: Amount(reserved) };
        (account.user, balance)
    }
}
