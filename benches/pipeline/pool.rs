//! Frames to send, encoded before anything is timed.
//!
//! The built-in exchange's engine and traders make one lap of notices, which ends with every order closed. So laps can
//! follow each other for ever and contradict nothing, if every lap has order numbers of its own. Numbers and times are
//! written into the frames as they are sent: orders count on from lap to lap, and times are those of sending.

use std::sync::Arc;

use feedtape::exchange::engine::{Command, Engine, Event, FeeSchedule, Micros};
use feedtape::exchange::listing::{Listing, MarketId};
use feedtape::exchange::notice;
use feedtape::exchange::traders::{Traders, TradersConfig};
use feedtape::venue::coinflex::wire::Notice;

/// When the simulated day begins: 2020-03-02 12:00 UTC, when all these markets are open.
const NOON: i64 = 1_583_150_400_000_000;

/// Simulated µs from command to command.
const STEP: i64 = 2;

/// Number of the first order. All up to a thousand million have as many digits.
const FIRST_ORDER: i64 = 100_000_001;
const ORDER_DIGITS: usize = 9;

/// A time in µs, until 2286.
const TIME_DIGITS: usize = 16;

/// The markets, and the seed of everything.
pub const MARKETS: [&str; 6] = ["XBT:USDT", "ETH:USDT", "BCH:USDT", "FLEX:USDT", "XBTMAR:USDTMAR", "ETHMAR:USDTMAR"];
const SEED: u64 = 5;

/// A number to be written into a frame.
#[derive(Clone, Copy)]
enum Mark {
    /// The number of the n-th order of the lap.
    Order(u32),
    /// The time, this many µs after the one before it in the lap.
    Time(u32),
}

/// One lap.
pub struct Pool {
    /// The frames, one after the other.
    bytes: Vec<u8>,
    /// Per message, where it ends in `bytes`, and how many marks there are up to there.
    ends: Vec<(usize, usize)>,
    /// Where in `bytes` each goes.
    marks: Vec<(usize, Mark)>,
    orders: u32,
    /// How many messages there are of each kind.
    pub mix: Mix,
}

/// How many messages there are of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix {
    pub opened: u64,
    pub modified: u64,
    pub matched: u64,
    pub closed: u64,
    pub tickers: u64,
}

/// The listing that the frames are from.
pub fn listing() -> Listing {
    Listing::coinflex(2020).expect("2020 is in the calendar")
}

/// The markets that the frames are about.
pub fn markets(listing: &Listing) -> Vec<MarketId> {
    MARKETS.iter().map(|name| listing.market_named(name).expect("it is listed")).collect()
}

impl Pool {
    /// Makes a lap of about that many messages.
    pub fn new(messages: usize) -> Self {
        let listing = Arc::new(listing());
        let mut engine = Engine::new(listing.clone(), &FeeSchedule::default(), SEED);
        let mut traders = Traders::new(&listing, &TradersConfig::new(markets(&listing)), SEED);
        traders.enlist(&mut engine).expect("there is room");
        let mut pool = Self {
            bytes: Vec::with_capacity(messages * 160),
            ends: Vec::with_capacity(messages),
            marks: Vec::with_capacity(messages * 5 / 2),
            orders: 0,
            mix: Mix::default(),
        };
        let mut users = std::collections::BTreeSet::new();
        let (mut now, mut before) = (NOON, NOON);
        let mut events = Vec::new();
        engine.advance(Micros(now), &mut events);
        while pool.ends.len() < messages {
            let (user, command) = traders.next(&engine).expect("markets are open");
            users.insert(user);
            // A refusal is part of a trader's life.
            let _ = engine.execute(Micros(now), user, &command, &mut events);
            events.drain(..).for_each(|event| pool.push(&event, &listing, &mut before));
            now += STEP;
        }
        for user in users {
            let _ = engine.execute(Micros(now), user, &Command::CancelAll, &mut events);
            events.drain(..).for_each(|event| pool.push(&event, &listing, &mut before));
            now += STEP;
        }
        pool
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of a message on average, without its head.
    pub fn text_bytes(&self) -> f64 {
        self.bytes.len() as f64 / self.ends.len() as f64 - 4.0
    }

    /// Appends the public copy of an event, if there is one.
    fn push(&mut self, event: &Event, listing: &Listing, before: &mut i64) {
        let mut order = |id: &mut i64| {
            self.orders = self.orders.max(u32::try_from(*id).expect("a lap has fewer orders"));
            *id += FIRST_ORDER - 1;
        };
        let mut message = notice(event, listing, None);
        let mut time = None;
        let names: &[&str] = match &mut message {
            Notice::OrderOpened(change) => {
                self.mix.opened += 1;
                order(&mut change.id);
                time = Some(change.time);
                &["id"]
            }
            Notice::OrderModified(change) => {
                self.mix.modified += 1;
                order(&mut change.id);
                time = Some(change.time);
                &["id"]
            }
            Notice::OrderClosed(closed) => {
                self.mix.closed += 1;
                order(&mut closed.id);
                time = closed.time_closed;
                &["id"]
            }
            Notice::OrdersMatched(matched) => {
                self.mix.matched += 1;
                [&mut matched.bid, &mut matched.ask].into_iter().flatten().for_each(order);
                time = Some(matched.time);
                &["bid", "ask"]
            }
            Notice::TickerChanged(_) => {
                self.mix.tickers += 1;
                &[]
            }
            _ => return,
        };
        let text = serde_json::to_string(&message).expect("notices are JSON");
        head(text.len(), &mut self.bytes);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        let place = |name: &str| text.find(&format!("\"{name}\":")).map(|at| at + name.len() + 3);
        let mut marks = Vec::new();
        for at in names.iter().filter_map(|name| place(name)) {
            let number: i64 = text[at..at + ORDER_DIGITS].parse().expect("an order's number");
            marks.push((start + at, Mark::Order(u32::try_from(number - FIRST_ORDER).expect("a lap has fewer orders"))));
        }
        if let Some(time) = time {
            let at = place("time").or_else(|| place("time_closed")).expect("it has a time");
            marks.push((start + at, Mark::Time(u32::try_from(time - *before).unwrap_or(0))));
            *before = time.max(*before);
        }
        marks.sort_by_key(|(at, _)| *at);
        self.marks.append(&mut marks);
        self.ends.push((self.bytes.len(), self.marks.len()));
    }
}

/// The head of a text frame of a server.
pub fn head(length: usize, out: &mut Vec<u8>) {
    out.push(0x81);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..126), _) => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// Where a connection is in its laps.
pub struct Cursor {
    pool: Arc<Pool>,
    /// The next message of the lap.
    next: usize,
    /// Number of the lap's first order.
    first_order: i64,
    /// The last time written, in µs.
    time: i64,
}

impl Cursor {
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { pool, next: 0, first_order: FIRST_ORDER, time: 0 }
    }

    /// Appends the next messages, at least one, at most `messages`, and no more once there are `bytes`; sent `now` (µs
    /// since 1970). Returns how many.
    pub fn fill(&mut self, out: &mut Vec<u8>, messages: u64, bytes: usize, now: i64) -> u64 {
        self.time = self.time.max(now);
        let mut count = 0;
        while count == 0 || (count < messages && out.len() < bytes) {
            self.take(out);
            count += 1;
        }
        count
    }

    /// Appends one message.
    fn take(&mut self, out: &mut Vec<u8>) {
        let pool = &*self.pool;
        if self.next == pool.ends.len() {
            self.next = 0;
            self.first_order += i64::from(pool.orders);
        }
        let (start, first_mark) = self.next.checked_sub(1).map_or((0, 0), |before| pool.ends[before]);
        let (end, last_mark) = pool.ends[self.next];
        let shift = out.len();
        out.extend_from_slice(&pool.bytes[start..end]);
        for (at, mark) in &pool.marks[first_mark..last_mark] {
            let at = at - start + shift;
            match mark {
                Mark::Order(n) => digits(&mut out[at..at + ORDER_DIGITS], self.first_order + i64::from(*n)),
                Mark::Time(step) => {
                    self.time += i64::from(*step);
                    digits(&mut out[at..at + TIME_DIGITS], self.time);
                }
            }
        }
        self.next += 1;
    }
}

fn digits(out: &mut [u8], mut number: i64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
