//! The built-in engine with its traders, and a session and a store that record it. Time passes as the test says.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use feedtape::config::Durability;
use feedtape::crypto::{Nonce, Randomness, Secret, SigningKey};
use feedtape::exchange::engine::{
    Amount, Command, Engine, Event, FeeRates, FeeSchedule, Micros, OpenOrder, PartsPerMillion, Reply, Side, UserKind,
    Watchers,
};
use feedtape::exchange::listing::{Listing, MarketId, Pair};
use feedtape::exchange::notice;
use feedtape::exchange::traders::{Traders, TradersConfig};
use feedtape::journal::{Batch, Closed, Input, Look, LookStage, LookTaken, Opened, Plan, SubscribePlan, Tape};
use feedtape::model::{AssetCode, CloseCause, MarketPattern, SessionId, Stamp, Timestamp, UserId};
use feedtape::sink::{Sink, SinkError};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use feedtape::venue::{Account, Action, UserAccount, by_name};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::told::{Best, Mangle, News, Orders, Place, Told};

/// Noon of 2020-01-31, in µs.
const START: i64 = 1_580_472_000_000_000;

/// Orders of a side that a snapshot has at most.
const SNAPSHOT_SIDE_MAX: usize = 1_000;

pub struct World {
    pub folder: TempDir,
    pub path: PathBuf,
    pub engine: Engine,
    traders: Traders,
    listing: Arc<Listing>,
    pub markets: Vec<MarketId>,
    /// Who logs in.
    account: Option<UserId>,
    pub store: Option<Store>,
    tape: Option<Tape>,
    session: i64,
    is_first: bool,
    /// Ours, in µs.
    pub now: i64,
    watched: HashSet<Watchers>,
    /// What the exchange has answered and the recorder not received yet.
    replies: VecDeque<Value>,
    is_logged_in: bool,
    /// Kinds of notices that were received.
    pub seen: HashSet<String>,
    pub durability: Durability,
    /// By how much the wall clock is wrong, in µs.
    pub ahead: i64,
    /// What happens to a notice on its way, after so many others.
    pub mangle: Option<(Mangle, u32)>,
    /// What the exchange told, and what became of it, if somebody wants to know.
    pub told: Option<Vec<Told>>,
    /// Since when nothing comes through, though nobody has noticed yet.
    dead_since: Option<Timestamp>,
    /// What was handed to the store since it last committed.
    group: Vec<Batch>,
    /// Why that is to be handed to it again.
    trouble: Option<SinkError>,
    /// The records of each session, in order, and how many of them were said to be durable.
    pub given: BTreeMap<i64, (Vec<Vec<u8>>, u64)>,
}

impl World {
    /// An exchange, and a recorder that is connected to it. `found` sees the exchange before that.
    pub fn new(seed: u64, markets: &[&str], account: Option<UserId>, found: impl FnOnce(&mut Self)) -> Self {
        let listing = Arc::new(Listing::coinflex(2020).unwrap());
        let markets: Vec<MarketId> = markets.iter().map(|name| listing.market_named(name).unwrap()).collect();
        let [maker, taker] = [500, 1_500].map(|rate| PartsPerMillion::new(rate).unwrap());
        let fees = FeeSchedule { default: FeeRates { maker, taker }, ..FeeSchedule::default() };
        let mut engine = Engine::new(listing.clone(), &fees, seed);
        let traders = Traders::new(&listing, &TradersConfig::new(markets.clone()), seed);
        traders.enlist(&mut engine).unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("world.db");
        let mut world = Self {
            folder,
            path,
            engine,
            traders,
            listing,
            markets,
            account,
            store: None,
            tape: None,
            session: 0,
            is_first: true,
            now: START,
            watched: HashSet::new(),
            replies: VecDeque::new(),
            is_logged_in: false,
            seen: HashSet::new(),
            durability: Durability::ProcessKill,
            ahead: 0,
            mangle: None,
            told: None,
            dead_since: None,
            group: Vec::new(),
            trouble: None,
            given: BTreeMap::new(),
        };
        found(&mut world);
        world.start();
        world
    }

    pub fn pair(&self, market: MarketId) -> Pair {
        self.listing.market(market).pair
    }

    /// Time passes, in µs. What the session waits for comes.
    pub fn wait(&mut self, time: i64) {
        let end = self.now + time;
        while let Some(deadline) = self.tape.as_ref().and_then(Tape::deadline).filter(|at| *at <= end * 1_000) {
            self.now = self.now.max(deadline / 1_000);
            self.feed(&Input::Timer);
            self.answer();
            let next = self.tape.as_ref().and_then(Tape::deadline);
            assert!(next.is_none_or(|next| next > deadline), "the session waits for what has come");
        }
        self.now = self.now.max(end);
        self.answer();
    }

    /// A command of ours goes out and is answered.
    pub fn send(&mut self, command: &Value) {
        self.feed(&Input::Sent(command.to_string().as_bytes()));
        let reply = self.reply(command);
        self.receive(&reply);
    }

    /// What the exchange does from time to time by itself.
    pub fn advance(&mut self) {
        let mut events = Vec::new();
        self.engine.advance(Micros(self.now), &mut events);
        for event in events {
            self.tell(&event);
        }
    }

    /// Commands of the session that wait for it are answered.
    pub fn answer(&mut self) {
        while self.answer_next() {}
    }

    /// The command that has waited longest is answered, if there is one.
    pub fn answer_next(&mut self) -> bool {
        let Some(reply) = self.replies.pop_front() else { return false };
        if reply["orders"].is_array() {
            self.note(|| News::BookAnswered);
        }
        self.receive(&reply);
        true
    }

    /// Sets down what a recorder can know, and where that is in its journal.
    pub fn note(&mut self, news: impl FnOnce() -> News) {
        let (place, at) = (self.place(), self.wall());
        if let (Some(told), Some(place)) = (&mut self.told, place) {
            told.push(Told { place, at, news: news() });
        }
    }

    /// Where the next record will be.
    pub fn place(&self) -> Option<Place> {
        let session = self.tape.as_ref()?.batch().session().0;
        Some((session, self.given[&session].0.len() as i64))
    }

    pub fn name(&self, market: MarketId) -> String {
        self.listing.market(market).name.clone()
    }

    pub fn is_connected(&self) -> bool {
        self.tape.is_some()
    }

    /// Whether what the exchange says arrives.
    pub fn hears(&self) -> bool {
        self.is_connected() && self.dead_since.is_none()
    }

    /// From here on nothing comes through.
    pub fn cut(&mut self) {
        self.dead_since = Some(self.stamp().wall);
    }

    /// A user of the exchange beside the traders, with what it starts with.
    pub fn enrol(&mut self, user: UserId, funds: &[(AssetCode, i64)]) {
        let funds: Vec<_> = funds.iter().map(|(asset, amount)| (*asset, Amount(*amount))).collect();
        self.engine.add_user(user, UserKind::Customer, &funds).unwrap();
    }

    /// What the recorder's wall clock says.
    pub fn wall(&self) -> Timestamp {
        Timestamp((self.now + self.ahead) * 1_000)
    }

    fn stamp(&mut self) -> Stamp {
        self.now += 1;
        Stamp { wall: self.wall(), mono: self.now * 1_000 }
    }

    /// A recorder starts, and is connected.
    pub fn start(&mut self) {
        let settings = Settings { path: self.path.clone(), durability: self.durability, min_free_space: 0 };
        let mut store = Store::open(settings).unwrap();
        let info = RunInfo { kind: RunKind::Live, config: "test".into(), commit_interval: Duration::from_millis(50) };
        let at = self.stamp();
        self.session = store.begin_run(at, &info).unwrap().first_session.0;
        self.store = Some(store);
        self.is_first = true;
        self.connect();
    }

    /// The recorder stops in order.
    pub fn stop(&mut self) {
        self.disconnect(CloseCause::Stopped);
        self.commit();
        let at = self.stamp();
        Box::new(self.store.take().unwrap()).close(at, false).unwrap();
    }

    /// The recorder is gone, with what was not committed.
    pub fn kill(&mut self) {
        self.tape = None;
        self.store = None;
        self.group.clear();
        self.trouble = None;
        self.forget_connection();
    }

    /// A connection is made, up to the last answer, while the traders go on.
    pub fn connect(&mut self) {
        self.connect_while(3);
    }

    /// A connection is made while nobody trades.
    pub fn reconnect_in_peace(&mut self) {
        self.connect_while(0);
    }

    fn connect_while(&mut self, trades: usize) {
        let account = self.account.map(account);
        self.tape = Some(Tape::new(SessionId(self.session), by_name("coinflex").unwrap().session(account)));
        self.given.insert(self.session, Default::default());
        // Where nothing of a session was stored, its number is given again.
        self.told.iter_mut().for_each(|told| told.retain(|told| told.place.0 < self.session));
        self.session += 1;
        let names: Vec<_> = self.markets.iter().map(|id| MarketPattern::parse(&self.name(*id)).unwrap()).collect();
        let subscribe = ["WatchOrders", "WatchTicker"].map(|method| SubscribePlan {
            method: method.into(),
            markets: names.clone(),
            stale_after: None,
            options: Default::default(),
        });
        let plan = Plan {
            source: "flex".into(),
            venue: "coinflex".into(),
            user: self.account,
            first: std::mem::take(&mut self.is_first),
            subscribe: subscribe.into(),
            ..Plan::default()
        };
        self.feed(&Input::Connecting(Arc::new(plan)));
        let catalog = Arc::new(self.listing.catalog(Timestamp(START * 1_000)));
        self.feed(&Input::Catalog(catalog));
        self.feed(&Input::Opened(Opened { peer: None }));
        self.seen.insert("Welcome".to_owned());
        self.receive(&json!({"notice": "Welcome", "nonce": "azRzAi5rm1ry/l0drnz1vw=="}));
        // Notices overtake each answer.
        while !self.replies.is_empty() {
            for _ in 0..trades {
                self.trade();
            }
            self.answer_next();
        }
    }

    pub fn disconnect(&mut self, cause: CloseCause) {
        if self.tape.is_some() {
            // A link that is alive until the end was heard just then.
            let at = self.stamp().wall;
            let heard_at = cause.gave_out().then(|| self.dead_since.unwrap_or(at));
            self.feed(&Input::Closed(Closed { cause, code: None, detail: String::new(), heard_at }));
            self.ship();
            self.tape = None;
        }
        self.forget_connection();
    }

    fn forget_connection(&mut self) {
        self.watched.clear();
        self.replies.clear();
        self.dead_since = None;
        self.is_logged_in = false;
    }

    /// Some trader does something.
    pub fn trade(&mut self) {
        let Some((user, command)) = self.traders.next(&self.engine) else { return };
        // A refusal is part of a trader's life.
        let _ = self.execute(user, &command);
    }

    /// A user does something.
    pub fn execute(&mut self, user: UserId, command: &Command) -> Option<Reply> {
        self.now += 50;
        let mut events = Vec::new();
        let reply = self.engine.execute(Micros(self.now), user, command, &mut events);
        for event in events {
            self.tell(&event);
        }
        reply.ok()
    }

    fn tell(&mut self, event: &Event) {
        let recipients = event.recipients();
        let reader = self.account.filter(|user| self.is_logged_in && recipients.owners.contains(&Some(*user)));
        let is_watched = recipients.watchers.is_some_and(|watchers| self.watched.contains(&watchers));
        if self.hears() && (reader.is_some() || is_watched) {
            let notice = serde_json::to_value(notice(event, &self.listing, reader)).unwrap();
            self.seen.insert(notice["notice"].as_str().unwrap().to_owned());
            let mangle = match &mut self.mangle {
                Some((_, others @ 1..)) => {
                    *others -= 1;
                    None
                }
                _ => self.mangle.take().map(|(mangle, _)| mangle),
            };
            self.note(|| News::Notice(event.clone(), mangle));
            match mangle {
                None => self.receive(&notice),
                Some(Mangle::Lost) => {}
                Some(Mangle::Twice) => {
                    self.receive(&notice);
                    self.receive(&notice);
                }
                Some(Mangle::Garbage) => {
                    let text = notice.to_string();
                    self.receive_text(&text[..text.len() / 2]);
                }
            }
        }
    }

    pub fn receive(&mut self, frame: &Value) {
        self.receive_text(&frame.to_string());
    }

    fn receive_text(&mut self, frame: &str) {
        self.feed(&Input::Received(frame.as_bytes()));
    }

    /// Gives an input; what the session wants sent reaches the exchange at once.
    pub fn feed(&mut self, input: &Input<'_>) {
        let at = self.stamp();
        let tape = self.tape.as_mut().unwrap();
        tape.feed(at, input);
        if let Some((records, _)) = self.given.get_mut(&tape.batch().session().0) {
            records.push(input.to_record().1.into_owned());
        }
        let wishes: Vec<Action> = tape.actions().collect();
        for wish in wishes {
            if let Action::Send(frame) = wish {
                let command: Value = serde_json::from_str(&frame.journal).unwrap();
                self.feed(&Input::Sent(frame.journal.as_bytes()));
                let reply = self.reply(&command);
                self.replies.push_back(reply);
            }
        }
    }

    fn reply(&mut self, command: &Value) -> Value {
        let mut reply = json!({"error_code": 0, "tag": command["tag"]});
        let pair = Pair {
            base: AssetCode(command["base"].as_i64().unwrap_or(0)),
            counter: AssetCode(command["counter"].as_i64().unwrap_or(0)),
        };
        let market = self.listing.market_id(pair);
        let is_watch = command["watch"] == true;
        match (command["method"].as_str().unwrap(), market) {
            ("WatchOrders", Some(market)) if is_watch => {
                self.watched.insert(Watchers::Book(market));
                let sides = [Side::Bid, Side::Ask].map(|side| self.engine.book(market, side).take(SNAPSHOT_SIDE_MAX));
                let orders: Vec<OpenOrder> = sides.into_iter().flatten().collect();
                let order = |order: &OpenOrder| json!({"id": order.id.0, "quantity": order.quantity.0, "price": order.price.0, "time": order.time.0});
                reply["orders"] = orders.iter().map(order).collect();
                let plain = |order: &OpenOrder| (order.id.0, (order.quantity.0, order.price.0));
                self.note(|| News::BookAsked(Orders(orders.iter().map(plain).collect())));
            }
            ("WatchOrders", Some(market)) => {
                self.watched.remove(&Watchers::Book(market));
                self.note(|| News::BookLeft);
            }
            ("WatchTicker", Some(market)) if is_watch => {
                self.watched.insert(Watchers::Ticker(market));
                let ticker = self.engine.ticker(market);
                for (name, price) in [
                    ("last", ticker.last),
                    ("bid", ticker.bid),
                    ("ask", ticker.ask),
                    ("low", ticker.low),
                    ("high", ticker.high),
                ] {
                    reply[name] = price.map(|price| price.0).into();
                }
                reply["volume"] = ticker.volume.0.into();
                self.note(|| News::TickerAsked(Best::of(&ticker)));
            }
            ("WatchTicker", Some(market)) => {
                self.watched.remove(&Watchers::Ticker(market));
                self.note(|| News::TickerLeft);
            }
            ("Authenticate", _) => self.is_logged_in = true,
            ("GetBalances", _) => {
                let balances = self.engine.balances(self.account.unwrap()).map(|balance| {
                    json!({"asset": balance.asset, "balance": balance.available.0,
                        "reserved_balance": balance.reserved.0, "total_balance": balance.total().0})
                });
                reply["balances"] = balances.collect();
            }
            ("GetOrders", _) => {
                let orders = self.engine.orders(self.account.unwrap()).map(|order| {
                    let pair = self.listing.market(order.market).pair;
                    json!({"id": order.id.0, "tonce": order.tonce.map(|tonce| tonce.0), "base": pair.base,
                        "counter": pair.counter, "quantity": order.quantity.0, "price": order.price.0,
                        "time": order.time.0})
                });
                reply["orders"] = orders.collect();
            }
            (method, _) => panic!("{method}"),
        }
        reply
    }

    /// Another connection takes a second look at each book, while the traders go on.
    pub fn look(&mut self) {
        let session = SessionId(1_000_000);
        let news = |stage| Look { session, stage };
        self.feed(&Input::Look(news(LookStage::Begun), b"".into()));
        for market in self.markets.clone() {
            self.trade();
            let Pair { base, counter } = self.pair(market);
            let command = json!({"method": "WatchOrders", "base": base, "counter": counter, "watch": true});
            let asked_mono = self.stamp().mono;
            self.trade();
            let answer = self.reply(&command).to_string();
            self.trade();
            let taken = LookTaken { command: command.to_string(), asked_mono };
            self.feed(&Input::Look(news(LookStage::Taken(taken)), answer.as_bytes().into()));
        }
        self.feed(&Input::Look(news(LookStage::Ended), b"".into()));
    }

    /// Hands what was received to the store.
    pub fn ship(&mut self) {
        let Some(tape) = &mut self.tape else { return };
        let batch = tape.ship(Batch::default());
        if batch.is_empty() {
            return;
        }
        if self.trouble.is_none() {
            self.trouble = self.store.as_mut().unwrap().append(&batch).err();
        }
        self.group.push(batch);
    }

    /// What was received is in the file.
    pub fn commit(&mut self) {
        assert!(self.try_commit(), "{:?}", self.trouble);
    }

    /// Makes durable what was received, as the sink does it: a group that failed is kept and written again, by a store
    /// that is opened anew where that is asked for. Whether it is done.
    pub fn try_commit(&mut self) -> bool {
        self.ship();
        let done = self.write_group();
        self.trouble = done.err();
        match &self.trouble {
            None => {
                for batch in self.group.drain(..) {
                    if let Some((_, durable)) = self.given.get_mut(&batch.session().0) {
                        *durable = batch.next().0;
                    }
                }
                true
            }
            Some(SinkError::Fatal(cause) | SinkError::Damaged(cause)) => panic!("{cause}"),
            Some(_) => false,
        }
    }

    fn write_group(&mut self) -> Result<(), SinkError> {
        let until = self.wall();
        let store = self.store.as_mut().unwrap();
        if let Some(trouble) = &self.trouble {
            if let SinkError::Reopen(_) = trouble {
                store.reopen().map_err(|error| match error {
                    SinkError::Later(cause) => SinkError::Reopen(cause),
                    error => error,
                })?;
            }
            for batch in &self.group {
                store.append(batch)?;
            }
        }
        store.mark(until)?;
        store.commit()
    }

    /// What the sink does while it has time.
    pub fn tidy(&mut self) {
        if self.group.is_empty() && self.trouble.is_none() {
            match self.store.as_mut().unwrap().tidy() {
                Ok(_) | Err(SinkError::Later(_)) => {}
                Err(trouble) => self.trouble = Some(trouble),
            }
        }
    }
}

pub fn account(user: UserId) -> Arc<Account> {
    Arc::new(Account::User(UserAccount {
        user,
        cookie: Secret::new("cookie".into()),
        passphrase: Secret::new("opensesame".into()),
        key: SigningKey::derive(user, "opensesame"),
        randomness: Arc::new(SameNonce),
    }))
}

#[derive(Debug)]
struct SameNonce;

impl Randomness for SameNonce {
    fn nonce(&self) -> Nonce {
        Nonce::from_base64("8IyYyvH9gujOqYJdv/BP0A==").unwrap()
    }
}
