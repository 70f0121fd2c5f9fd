//! Commands that come by WebSocket, and their replies.

use serde::Serialize;

use super::Floor;
use super::session::forget;
use crate::exchange::engine::{
    self, Amount, Balance as Holding, ConnectionId, MarketSize, Price, Quantity, Reply as EngineReply, Side, Watchers,
};
use crate::exchange::listing::{MarketId, Pair};
use crate::exchange::orders;
use crate::model::{AssetCode, Stamp, UserId};
use crate::venue::coinflex::wire::{
    Balance, Balances, Book, BookOrder, Command, Done, Estimate, EstimateMarketOrder, Opened, Orders, OwnOrder,
    Refusal, Remaining, Reply, Request, Ticker, Volume, Watch,
};

/// Most orders of a side in the reply to `WatchOrders`.
const SNAPSHOT_ORDERS_MAX: usize = 1_000;

/// The body of a successful reply.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Done(Done),
    Balances(Balances),
    Orders(Orders),
    Order(OwnOrder),
    Estimate(Estimate),
    Opened(Opened),
    Remaining(Remaining),
    Volume(Volume),
    Book(Book),
    Ticker(Ticker),
}

impl Floor {
    /// Carries out a command other than `Authenticate`, replies, and tells whom it concerns.
    pub(in crate::exchange) fn receive(&mut self, id: ConnectionId, request: Request, now: Stamp) {
        let Request { tag, command } = request;
        let answer = self.answer(id, command, now);
        match answer {
            Ok(answer) => self.send(id, &Reply::success(tag, answer)),
            Err(refusal) => self.refuse(id, tag, &refusal),
        }
        self.publish();
    }

    /// Replies to a command that is none.
    pub(in crate::exchange) fn refuse(&mut self, id: ConnectionId, tag: Option<i64>, refusal: &Refusal) {
        self.send(id, &Reply::refused(tag, refusal));
    }

    fn answer(&mut self, id: ConnectionId, command: Command, now: Stamp) -> Result<Answer, Refusal> {
        match command {
            Command::Authenticate(_) => Err(Refusal::NotACommand),
            Command::GetBalances => {
                let user = self.informed(id, now)?;
                let balances = self.engine.balances(user).map(|holding| self.balance(&holding)).collect();
                Ok(Answer::Balances(Balances { balances }))
            }
            Command::GetOrders => {
                let user = self.informed(id, now)?;
                let orders = self.engine.orders(user).map(|order| orders::own(&order, self.listing())).collect();
                Ok(Answer::Orders(Orders { orders }))
            }
            Command::GetTradeVolume(query) => {
                let user = self.informed(id, now)?;
                let volume = self.engine.trade_volume(user, query.asset).ok_or(Refusal::InvalidField("asset"))?;
                Ok(Answer::Volume(Volume { volume: volume.0 }))
            }
            Command::EstimateMarketOrder(estimate) => self.estimate(id, &estimate, now),
            Command::PlaceOrder(order) => {
                let user = self.user(id)?;
                self.execute_order(user, &orders::place(&order, Some(id))?, now)
            }
            Command::ModifyOrder(modify) => {
                let user = self.user(id)?;
                self.execute_order(user, &orders::modify(&modify)?, now)
            }
            Command::CancelOrder(cancel) => {
                let user = self.user(id)?;
                self.execute_order(user, &orders::cancel(&cancel)?, now)
            }
            Command::CancelAllOrders => {
                let user = self.user(id)?;
                self.execute_order(user, &engine::Command::CancelAll, now)
            }
            Command::WatchOrders(watch) => self.watch_orders(id, &watch),
            Command::WatchTicker(watch) => self.watch_ticker(id, &watch),
        }
    }

    fn user(&self, id: ConnectionId) -> Result<UserId, Refusal> {
        self.connections.get(&id).and_then(|connection| connection.user).ok_or(Refusal::NotAuthenticated)
    }

    /// The user of an information request, if the session may make another.
    fn informed(&mut self, id: ConnectionId, now: Stamp) -> Result<UserId, Refusal> {
        let user = self.user(id)?;
        let admitted = self
            .connections
            .get_mut(&id)
            .is_some_and(|connection| connection.information.admit(self.limits.information, now));
        if admitted { Ok(user) } else { Err(Refusal::AskingTooRapidly) }
    }

    /// Whether the user may send another order command.
    fn admit_order(&mut self, user: UserId, now: Stamp) -> Result<(), Refusal> {
        let admitted = self.paces.entry(user).or_default().orders.admit(self.limits.orders, now);
        if admitted { Ok(()) } else { Err(Refusal::OrderingTooRapidly) }
    }

    fn balance(&self, holding: &Holding) -> Balance {
        let (reserved_balance, total_balance) =
            if self.tells_reserved { (Some(holding.reserved.0), Some(holding.total().0)) } else { (None, None) };
        Balance { asset: holding.asset, balance: holding.available.0, reserved_balance, total_balance }
    }

    fn estimate(&mut self, id: ConnectionId, estimate: &EstimateMarketOrder, now: Stamp) -> Result<Answer, Refusal> {
        match self.connections.get_mut(&id) {
            Some(connection) => match connection.user {
                Some(user) => self.admit_order(user, now)?,
                None if connection.estimates.admit(self.limits.orders, now) => {}
                None => return Err(Refusal::OrderingTooRapidly),
            },
            None => return Err(Refusal::NotAuthenticated),
        }
        let (pair, size) = orders::estimate(estimate)?;
        let estimate = self.engine.estimate(pair, size)?;
        Ok(Answer::Estimate(Estimate { quantity: estimate.quantity.0, total: estimate.total.0 }))
    }

    fn execute_order(&mut self, user: UserId, command: &engine::Command, now: Stamp) -> Result<Answer, Refusal> {
        self.admit_order(user, now)?;
        Ok(match self.execute(user, command, now)? {
            EngineReply::Placed(order) => Answer::Opened(Opened { id: order.id.0, time: order.time.0 }),
            EngineReply::Executed {
                remaining: MarketSize::Quantity(Quantity(remaining)) | MarketSize::Total(Amount(remaining)),
            } => Answer::Remaining(Remaining { remaining }),
            EngineReply::Modified(order) | EngineReply::Cancelled(order) => {
                Answer::Order(orders::own(&order, self.listing()))
            }
            EngineReply::AllCancelled(cancelled) => Answer::Orders(Orders {
                orders: cancelled.iter().map(|order| orders::own(order, self.listing())).collect(),
            }),
        })
    }

    fn watch_orders(&mut self, id: ConnectionId, watch: &Watch) -> Result<Answer, Refusal> {
        let market = self.watchable(watch.base, watch.counter)?;
        if !self.set_watch(id, Watchers::Book(market), watch.watch) {
            return Err(if watch.watch { Refusal::AlreadyWatchingOrders } else { Refusal::NotWatchingOrders });
        }
        if !watch.watch {
            return Ok(Answer::Done(Done {}));
        }
        let orders = [Side::Bid, Side::Ask]
            .into_iter()
            .flat_map(|side| self.engine.book(market, side).take(SNAPSHOT_ORDERS_MAX))
            .map(|order| BookOrder {
                id: order.id.0,
                quantity: order.quantity.0,
                price: order.price.0,
                time: order.time.0,
            })
            .collect();
        Ok(Answer::Book(Book { orders }))
    }

    fn watch_ticker(&mut self, id: ConnectionId, watch: &Watch) -> Result<Answer, Refusal> {
        let market = self.watchable(watch.base, watch.counter)?;
        if !self.set_watch(id, Watchers::Ticker(market), watch.watch) {
            return Err(if watch.watch { Refusal::AlreadyWatchingTicker } else { Refusal::NotWatchingTicker });
        }
        if !watch.watch {
            return Ok(Answer::Done(Done {}));
        }
        let ticker = self.engine.ticker(market);
        let price = |price: Option<Price>| price.map(|price| price.0);
        Ok(Answer::Ticker(Ticker {
            last: price(ticker.last),
            bid: price(ticker.bid),
            ask: price(ticker.ask),
            low: price(ticker.low),
            high: price(ticker.high),
            volume: ticker.volume.0,
        }))
    }

    /// The market of a pair, unless it has expired; one that has not begun can be waited for.
    fn watchable(&self, base: AssetCode, counter: AssetCode) -> Result<MarketId, Refusal> {
        let listing = self.listing();
        let market = listing.market_id(Pair { base, counter }).ok_or(Refusal::InvalidAssetPair)?;
        if listing.market(market).has_expired(self.engine.now()) { Err(Refusal::InvalidAssetPair) } else { Ok(market) }
    }

    /// Starts or stops a watch; `false` if there was nothing to start or stop.
    fn set_watch(&mut self, id: ConnectionId, watched: Watchers, watch: bool) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        if watch {
            let new = connection.watching.insert(watched);
            if new {
                self.watching.entry(watched).or_default().push(id);
            }
            new
        } else {
            forget(&mut self.watching, &watched, id);
            connection.watching.remove(&watched)
        }
    }
}
