//! A CoinFLEX session under test: given inputs, it says in short lines what it concludes, and keeps what it wants.

use std::sync::Arc;
use std::time::Duration;

use feedtape::crypto::{Nonce, Randomness, Secret, SigningKey};
use feedtape::journal::{Input, Opened, Plan, PollPlan, SubscribePlan};
use feedtape::model::{
    Asset, AssetCode, Catalog, CatalogOrigin, Coverage, Event, Market, MarketPattern, Patch, Seq, SessionChange, Stamp,
    SubscriptionChange, Timestamp, Transition, UserId,
};
use feedtape::venue::{Account, Action, Output, Session, UserAccount, by_name};

pub const WELCOME: &str = r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#;
pub const SECOND: i64 = 1_000_000_000;

/// A session under test, with a clock that a test moves.
pub struct Script {
    pub session: Box<dyn Session>,
    seq: u64,
    pub now: i64,
    pub out: Output,
    /// Whether what it wants sent is sent at once.
    pub obey: bool,
    /// What it sent, in order.
    pub sent: Vec<String>,
    /// Other wishes.
    pub wishes: Vec<Action>,
    /// The last change of a stream's state.
    pub last_transition: Option<Transition>,
    /// The channels of the streams, and the state of each.
    states: Vec<(String, Option<Coverage>)>,
}

impl Script {
    pub fn new(account: Option<Arc<Account>>) -> Self {
        Self::of(by_name("coinflex").unwrap().session(account))
    }

    pub fn of(session: Box<dyn Session>) -> Self {
        let (sent, wishes, last_transition) = (Vec::new(), Vec::new(), None);
        Self {
            session,
            seq: 0,
            now: SECOND,
            out: Output::default(),
            obey: true,
            sent,
            wishes,
            last_transition,
            states: Vec::new(),
        }
    }

    /// Connected, with the catalog, waiting for the greeting.
    pub fn connected(plan: Plan, account: Option<Arc<Account>>) -> Self {
        Self::new(account).connect(plan)
    }

    pub fn connect(self, plan: Plan) -> Self {
        self.connect_with(plan, catalog())
    }

    pub fn connect_with(self, plan: Plan, catalog: Catalog) -> Self {
        let mut script = self;
        script.give(&Input::Connecting(Arc::new(plan)));
        script.give(&Input::Catalog(Arc::new(catalog)));
        script.give(&Input::Opened(Opened { peer: None }));
        script
    }

    /// Gives an input and what comes of it, as short lines.
    pub fn give(&mut self, input: &Input<'_>) -> Vec<String> {
        let at = Stamp { wall: Timestamp(1_000 * SECOND + self.now), mono: self.now };
        self.session.handle(Seq(self.seq), at, input, &mut self.out);
        self.seq += 1;
        for event in &self.out.events {
            match event {
                Event::Stream(_, key, _) => self.states.push((key.channel.clone(), None)),
                Event::Transition(transition) => {
                    self.last_transition = Some(transition.clone());
                    self.states[transition.stream.0 as usize].1 = Some(transition.state);
                }
                _ => {}
            }
        }
        let mut lines: Vec<String> = self.out.events.drain(..).filter_map(|event| line(&event)).collect();
        let actions: Vec<Action> = self.out.actions.drain(..).collect();
        for action in actions {
            match action {
                Action::Send(frame) if self.obey => {
                    self.sent.push(frame.text.expose().to_owned());
                    let journal = frame.journal.clone();
                    lines.extend(self.give(&Input::Sent(journal.as_bytes())));
                }
                other => self.wishes.push(other),
            }
        }
        lines
    }

    /// The state of the first stream of a channel.
    pub fn last_state(&self, channel: &str) -> Option<String> {
        self.states.iter().find(|(name, _)| name == channel)?.1.map(state)
    }

    /// The states of all streams of a channel.
    pub fn states(&self, channel: &str) -> Vec<Option<String>> {
        self.states.iter().filter(|(name, _)| name == channel).map(|(_, coverage)| coverage.map(state)).collect()
    }

    pub fn receive(&mut self, frame: &str) -> Vec<String> {
        self.give(&Input::Received(frame.as_bytes()))
    }

    pub fn receive_all(&mut self, frames: &[&str]) -> Vec<String> {
        frames.iter().flat_map(|frame| self.receive(frame)).collect()
    }

    /// For three seconds the link carries notices that change nothing.
    pub fn settle(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..6 {
            self.now += SECOND / 2;
            lines.extend(self.receive(r#"{"notice":"TickerChanged","base":63488,"counter":65283}"#));
            if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
                lines.extend(self.give(&Input::Timer));
            }
        }
        lines
    }

    /// Moves the clock to the session's deadline and gives it the timer.
    pub fn wait(&mut self) -> Vec<String> {
        self.now = self.session.deadline().expect("it waits for something").max(self.now);
        self.give(&Input::Timer)
    }
}

/// What a sound history fires.
pub const NOTHING: [String; 0] = [];

/// What the checks say of these frames, and then of others that change nothing.
pub fn findings(script: &mut Script, frames: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = frames.iter().flat_map(|frame| script.receive(frame)).collect();
    lines.extend(script.settle());
    lines.retain(|line| line.contains(" in s") || line.contains("unverifiable"));
    lines
}

/// Follows book and ticker of XBT:USDT from an empty book.
pub fn following() -> Script {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"]), ("WatchTicker", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    script.receive_all(&[
        r#"{"error_code":0,"tag":1,"orders":[]}"#,
        r#"{"error_code":0,"tag":2,"last":null,"bid":null,"ask":null,"low":null,"high":null,"volume":0}"#,
    ]);
    script
}

pub fn opened(id: i64, quantity: i64, price: i64) -> String {
    notice("OrderOpened", &format!(r#""id":{id},"quantity":{quantity},"price":{price},"time":1"#))
}

pub fn closed(id: i64, quantity: i64, price: i64) -> String {
    notice("OrderClosed", &format!(r#""id":{id},"quantity":{quantity},"price":{price}"#))
}

pub fn matched(bid: (i64, i64), ask: (i64, i64), quantity: i64, price: i64) -> String {
    let (bid, bid_rem, ask, ask_rem) = (bid.0, bid.1, ask.0, ask.1);
    let rest = format!(r#""quantity":{quantity},"price":{price},"total":1,"time":1"#);
    notice("OrdersMatched", &format!(r#""bid":{bid},"bid_rem":{bid_rem},"ask":{ask},"ask_rem":{ask_rem},{rest}"#))
}

pub fn ticker(fields: &str) -> String {
    notice("TickerChanged", fields)
}

pub fn notice(name: &str, fields: &str) -> String {
    format!(r#"{{"notice":"{name}","base":63488,"counter":65283,{fields}}}"#)
}

/// An event in short; what is declared only so that others can refer to it is left out.
pub fn line(event: &Event) -> Option<String> {
    let text = |number: &Option<feedtape::model::Quantity>| {
        number.as_ref().map_or("-".to_owned(), |number| match &number.0 {
            feedtape::model::Number::Scaled(value) => value.to_string(),
            feedtape::model::Number::Text(text) => format!("\"{text}\""),
        })
    };
    let price =
        |number: &Option<feedtape::model::Price>| text(&number.clone().map(|price| feedtape::model::Quantity(price.0)));
    let patch = |field: &Patch<feedtape::model::Price>| match field {
        Patch::Absent => "absent".to_owned(),
        Patch::Null => "null".to_owned(),
        Patch::Value(value) => price(&Some(value.clone())),
    };
    let id = |id: &Option<feedtape::model::Id>| id.as_ref().map_or("-".to_owned(), ToString::to_string);
    Some(match event {
        Event::Market(..)
        | Event::Stream(..)
        | Event::Catalog(_)
        | Event::Command(_)
        | Event::Levels(_)
        | Event::Control(_) => return None,
        Event::Order(order) => format!(
            "order {:?} m{} {} {}@{} tonce {:?}",
            order.kind,
            order.market.0,
            order.id,
            text(&order.quantity),
            price(&order.price),
            order.tonce
        ),
        Event::Trade(trade) => format!(
            "trade m{} {}@{} total {} bid {}({}) ask {}({})",
            trade.market.0,
            text(&trade.quantity),
            price(&trade.price),
            text(&trade.total),
            id(&trade.bid.order),
            text(&trade.bid.remaining),
            id(&trade.ask.order),
            text(&trade.ask.remaining)
        ),
        Event::Ticker(ticker) => format!(
            "ticker {:?} m{} last {} bid {} ask {} low {} high {}",
            ticker.kind,
            ticker.market.0,
            patch(&ticker.last),
            patch(&ticker.bid),
            patch(&ticker.ask),
            patch(&ticker.low),
            patch(&ticker.high)
        ),
        Event::BookSnapshot(book) if !book.has_orders => {
            let levels = book.orders.iter().map(|level| format!(" {}@{}", text(&level.quantity), price(&level.price)));
            format!("depth m{}:{}", book.market.0, levels.collect::<String>())
        }
        Event::BookSnapshot(book) => {
            format!("book m{} from {:?}: {} orders", book.market.0, book.events_from, book.orders.len())
        }
        Event::Look(book) => format!("look m{}: {} orders", book.market.0, book.orders.len()),
        Event::Estimate(estimate) => format!("estimate {} for {}", text(&estimate.quantity), text(&estimate.total)),
        Event::Balance(balance) => format!(
            "balance {} {} reserved {} snapshot {}",
            balance.asset_name.as_deref().unwrap_or("?"),
            text(&balance.available),
            text(&balance.reserved),
            balance.is_snapshot
        ),
        Event::TradeVolume(volume) => {
            format!("volume {} {}", volume.asset_name.as_deref().unwrap_or("?"), text(&volume.volume))
        }
        Event::OwnOrders(list) => format!("own orders {} cancelled {}", list.orders.len(), list.cancelled),
        Event::Account(reply) => {
            format!("account {} {:?}", reply.method, reply.order.as_ref().map(|order| id(&order.id)))
        }
        Event::Session(change) => match change {
            SessionChange::Connecting { .. } => return None,
            SessionChange::Looking => "looking".to_owned(),
            SessionChange::Opened { .. } => "opened".to_owned(),
            SessionChange::Greeted => "greeted".to_owned(),
            SessionChange::Authenticated { user } => format!("logged in as {user:?}"),
            SessionChange::LoginRefused { code, .. } => format!("login refused {code}"),
            SessionChange::Closed { cause, .. } => format!("closed {cause}"),
        },
        Event::Subscription(change) => match change {
            SubscriptionChange::Asked(stream) => format!("asked s{}", stream.0),
            SubscriptionChange::Acknowledged(stream) => format!("acknowledged s{}", stream.0),
            SubscriptionChange::Refused { stream, code, .. } => format!("refused s{} {code}", stream.0),
            SubscriptionChange::Data { .. } => return None,
            SubscriptionChange::Ended { stream, cause } => format!("ended s{} {cause}", stream.0),
        },
        Event::Transition(transition) => {
            format!("s{} {}", transition.stream.0, state(transition.state))
        }
        Event::Reply(reply) => format!("reply {} {:?}", reply.method.as_deref().unwrap_or("?"), reply.error_code),
        Event::Finding(finding) => {
            format!("{} in s{}: {}", finding.check.as_str(), finding.stream.0, finding.evidence)
        }
        Event::NotUnderstood(not) => format!("not understood {} [{}]", not.reason.as_str(), not.what),
    })
}

fn state(state: Coverage) -> String {
    match state {
        Coverage::Covered(verdict) => verdict.to_string(),
        Coverage::Gap(cause) => format!("gap {cause}"),
    }
}

pub fn catalog() -> Catalog {
    let asset =
        |code, name: &str| Asset { code: Some(AssetCode(code)), name: name.to_owned(), places: Some(4), spot: None };
    let market = |base: (i64, &str), counter: (i64, &str), expires| Market {
        name: format!("{}:{}", base.1, counter.1),
        base: base.1.to_owned(),
        counter: counter.1.to_owned(),
        base_code: Some(AssetCode(base.0)),
        counter_code: Some(AssetCode(counter.0)),
        price_places: Some(4),
        quantity_places: Some(4),
        tick: Some(10_000),
        starts: None,
        expires,
    };
    let (xbt, eth, usdt, usdc) = ((63488, "XBT"), (63520, "ETH"), (65283, "USDT"), (65282, "USDC"));
    Catalog {
        valid_from: Timestamp(0),
        other_until: None,
        origin: CatalogOrigin::Exchange,
        assets: [xbt, eth, usdt, usdc].map(|(code, name)| asset(code, name)).into(),
        markets: vec![
            market(xbt, usdt, None),
            market(eth, usdt, None),
            market(eth, usdc, Some(Timestamp(1_500 * SECOND))),
        ],
    }
}

pub fn plan(subscribe: &[(&str, &[&str])]) -> Plan {
    let subscribe = subscribe.iter().map(|(method, markets)| SubscribePlan {
        method: (*method).to_owned(),
        markets: markets.iter().map(|text| MarketPattern::parse(text).unwrap()).collect(),
        stale_after: None,
        options: Default::default(),
    });
    Plan {
        source: "test".into(),
        venue: "coinflex".into(),
        first: true,
        subscribe: subscribe.collect(),
        ..Plan::default()
    }
}

pub fn poll(method: &str, every: u64) -> PollPlan {
    PollPlan {
        method: method.into(),
        every: Duration::from_secs(every),
        markets: vec![],
        asset: None,
        quantity: None,
        total: None,
    }
}

#[derive(Debug)]
struct FixedNonce;

impl Randomness for FixedNonce {
    fn nonce(&self) -> Nonce {
        Nonce::from_base64("8IyYyvH9gujOqYJdv/BP0A==").unwrap()
    }
}

pub fn account() -> Arc<Account> {
    let user = UserId(1);
    Arc::new(Account::User(UserAccount {
        user,
        cookie: Secret::new("HGREqcILTz8blHa/jsUTVTNBJlg=".into()),
        passphrase: Secret::new("opensesame".into()),
        key: SigningKey::derive(user, "opensesame"),
        randomness: Arc::new(FixedNonce),
    }))
}

pub fn account_plan(subscribe: &[(&str, &[&str])]) -> Plan {
    Plan { user: Some(UserId(1)), ..plan(subscribe) }
}
