//! What storing costs, without socket and decoding: `cargo bench --bench store [-- MESSAGES [FOLDER [NAME]]]`.
//!
//! A seeded stream of public CoinFLEX notices (frames, and the events concluded from them) goes through [`Store`] in
//! batches. Printed: rows/s by the clock and by CPU time of this thread, and bytes per message in the file.

#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use feedtape::config::Durability;
use feedtape::journal::{Batch, RecordKind};
use feedtape::model::{
    AssetCode, Event, Id, Market, MarketRef, OrderEvent, OrderKind, Patch, Price, Quantity, Seq, SessionChange,
    SessionId, Stamp, Ticker, TickerKind, Timestamp, Trade, TradeSide,
};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const START: i64 = 1_580_000_000_000_000_000;
const MARKETS: u32 = 8;

/// An order of the simulated books.
#[derive(Clone, Copy)]
struct Open {
    id: i64,
    market: u32,
    price: i64,
    quantity: i64,
}

/// Notices in plausible proportions: half open or close an order, the rest modify, match, or change the ticker.
struct Feed {
    rng: ChaCha8Rng,
    now: i64,
    step: i64,
    next_id: i64,
    open: Vec<Open>,
    batch: Batch,
}

impl Feed {
    fn new(session: SessionId, step: i64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(1);
        let mut feed =
            Self { rng, now: START, step, next_id: 58_000_000, open: Vec::new(), batch: Batch::new(session, Seq(0)) };
        let connecting = SessionChange::Connecting {
            source: "bench".into(),
            venue: "coinflex".into(),
            url: "wss://localhost/v1".to_owned(),
            user: None,
        };
        feed.push(RecordKind::Connecting, "{}", vec![Event::Session(connecting)]);
        for market in 0..MARKETS {
            let base = 63_488 + i64::from(market);
            let listed = Market {
                name: format!("A{market}:USDT"),
                base: format!("A{market}"),
                counter: "USDT".to_owned(),
                base_code: Some(AssetCode(base)),
                counter_code: Some(AssetCode(65_283)),
                price_places: Some(4),
                quantity_places: Some(4),
                tick: Some(1),
                starts: None,
                expires: None,
            };
            feed.push(RecordKind::Opened, "{}", vec![Event::Market(MarketRef(market), Arc::new(listed))]);
        }
        feed
    }

    fn push(&mut self, kind: RecordKind, body: &str, events: Vec<Event>) {
        let jitter = self.rng.random_range(-40..40);
        let at = Stamp { wall: Timestamp(self.now), mono: self.now - START + jitter };
        self.batch.push(kind, at, body.as_bytes());
        events.into_iter().for_each(|event| self.batch.conclude(event));
    }

    fn notice(&mut self) {
        self.now += self.rng.random_range(self.step / 2..=self.step * 3 / 2);
        let micros = (self.now - self.rng.random_range(300_000..9_000_000)) / 1_000;
        let time = Some(Timestamp(micros * 1_000));
        let (body, event) = match self.rng.random_range(0..100) {
            0..34 => self.opened(micros, time),
            34..64 if !self.open.is_empty() => self.closed(micros, time),
            64..78 if !self.open.is_empty() => self.modified(micros, time),
            78..95 if !self.open.is_empty() => self.matched(micros, time),
            _ => self.ticker(),
        };
        self.push(RecordKind::Received, &body, vec![event]);
    }

    fn opened(&mut self, micros: i64, time: Option<Timestamp>) -> (String, Event) {
        self.next_id += self.rng.random_range(1..4);
        let market = self.rng.random_range(0..MARKETS);
        let side = if self.rng.random() { 1 } else { -1 };
        let price = 94_000_000 - side * self.rng.random_range(0..200) * 2_500;
        let quantity = side * self.rng.random_range(1..4_000) * 25;
        let order = Open { id: self.next_id, market, price, quantity };
        self.open.push(order);
        order_notice("OrderOpened", OrderKind::Opened, order, micros, time)
    }

    fn closed(&mut self, micros: i64, time: Option<Timestamp>) -> (String, Event) {
        let place = self.rng.random_range(0..self.open.len());
        let order = self.open.swap_remove(place);
        order_notice("OrderClosed", OrderKind::Closed, order, micros, time)
    }

    fn modified(&mut self, micros: i64, time: Option<Timestamp>) -> (String, Event) {
        let place = self.rng.random_range(0..self.open.len());
        let order = &mut self.open[place];
        order.quantity = order.quantity.signum() * self.rng.random_range(1..4_000) * 25;
        let order = *order;
        order_notice("OrderModified", OrderKind::Modified, order, micros, time)
    }

    fn matched(&mut self, micros: i64, time: Option<Timestamp>) -> (String, Event) {
        let place = self.rng.random_range(0..self.open.len());
        let Open { id, market, price, quantity: left } = self.open[place];
        self.next_id += 1;
        let taker = self.next_id;
        let quantity = self.rng.random_range(1..=left.abs());
        let total = i64::try_from(i128::from(price) * i128::from(quantity) / 10_000).unwrap_or(i64::MAX);
        let (bid, ask) = if left > 0 { (id, taker) } else { (taker, id) };
        let (bid_rem, ask_rem) = if left > 0 { (left - quantity, 0) } else { (0, -left - quantity) };
        let side = if left > 0 { "ask" } else { "bid" };
        let body = format!(
            r#"{{"notice":"OrdersMatched","bid":{bid},"ask":{ask},"base":{},"counter":65283,"quantity":{quantity},"taker_side":"{side}","price":{price},"total":{total},"bid_rem":{bid_rem},"ask_rem":{ask_rem},"time":{micros}}}"#,
            63_488 + market
        );
        let of = |order, rem| TradeSide {
            order: Some(Id::Int(order)),
            remaining: Some(Quantity::scaled(rem)),
            ..TradeSide::default()
        };
        let trade = Trade {
            market: MarketRef(market),
            id: None,
            quantity: Some(Quantity::scaled(quantity)),
            price: Some(Price::scaled(price)),
            total: Some(Quantity::scaled(total)),
            time,
            bid: of(bid, bid_rem),
            ask: of(ask, ask_rem),
            taker_is_bid: Some(left < 0),
            own_is_taker: None,
            own: false,
        };
        (body, Event::Trade(Box::new(trade)))
    }

    fn ticker(&mut self) -> (String, Event) {
        let market = self.rng.random_range(0..MARKETS);
        let last = 94_000_000 + self.rng.random_range(-200..200) * 2_500;
        let volume = self.rng.random_range(1_000_000..9_000_000);
        let base = 63_488 + market;
        let body = format!(
            r#"{{"notice":"TickerChanged","base":{base},"counter":65283,"last":{last},"bid":{last},"volume":{volume}}}"#
        );
        let ticker = Ticker {
            market: MarketRef(market),
            kind: TickerKind::Partial,
            last: Patch::Value(Price::scaled(last)),
            bid: Patch::Value(Price::scaled(last)),
            ask: Patch::Absent,
            low: Patch::Absent,
            high: Patch::Absent,
            volume: Patch::Value(Quantity::scaled(volume)),
            bid_quantity: Patch::Absent,
            ask_quantity: Patch::Absent,
            time: None,
        };
        (body, Event::Ticker(Box::new(ticker)))
    }

    fn fill(&mut self, messages: usize) {
        for _ in 0..messages {
            self.notice();
        }
    }

    fn next_batch(&mut self) {
        let (session, next) = (self.batch.session(), self.batch.next());
        self.batch.reset(session, next);
    }
}

fn order_notice(notice: &str, kind: OrderKind, order: Open, micros: i64, time: Option<Timestamp>) -> (String, Event) {
    let Open { id, market, price, quantity } = order;
    let time_name = if kind == OrderKind::Closed { "time_closed" } else { "time" };
    let body = format!(
        r#"{{"notice":"{notice}","id":{id},"base":{},"counter":65283,"quantity":{quantity},"price":{price},"{time_name}":{micros}}}"#,
        63_488 + market
    );
    let event = OrderEvent {
        kind,
        market: MarketRef(market),
        id: Id::Int(id),
        quantity: Some(Quantity::scaled(quantity)),
        price: Some(Price::scaled(price)),
        time,
        tonce: Patch::Absent,
        own: false,
    };
    (body, Event::Order(event))
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let ns = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(ns.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn bytes_of(path: &Path, what: &str) -> f64 {
    let connection = rusqlite::Connection::open(path).expect("the file opens");
    let sql = format!("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE {what}");
    connection.query_row(&sql, [], |row| row.get(0)).expect("the file has sizes")
}

struct Load {
    name: &'static str,
    messages: usize,
    /// Messages to a batch, and batches to a commit.
    batch: usize,
    group: usize,
    /// ns between messages.
    step: i64,
    durability: Durability,
}

fn run(folder: &Path, wanted: &str, load: &Load) {
    if !load.name.contains(wanted) {
        return;
    }
    let path = folder.join("bench.db");
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(folder.join(format!("bench.db{end}")));
    }
    let settings = Settings { path: path.clone(), durability: load.durability, min_free_space: 0 };
    let mut store = Store::open(settings).expect("the store opens");
    let info = RunInfo { kind: RunKind::Live, config: "bench".to_owned(), commit_interval: Duration::from_millis(50) };
    let at = Stamp { wall: Timestamp(START), mono: 0 };
    let session = store.begin_run(at, &info).expect("the run begins").first_session;
    let mut feed = Feed::new(session, load.step);
    let (mut clock, mut busy) = (Duration::ZERO, Duration::ZERO);
    let mut text = 0;
    let batches = load.messages / load.batch;
    for batch in 1..=batches {
        feed.fill(load.batch);
        text += feed.batch.bodies().len();
        let (start, start_cpu) = (Instant::now(), cpu());
        store.write(&feed.batch).expect("the batch is written");
        if batch % load.group == 0 {
            store.commit_group().expect("the group is committed");
        }
        busy += cpu() - start_cpu;
        clock += start.elapsed();
        feed.next_batch();
    }
    let (start, start_cpu) = (Instant::now(), cpu());
    store.commit_group().expect("the group is committed");
    while store.merge_step().expect("blocks merge") {}
    let (merge, merge_cpu) = (start.elapsed(), cpu() - start_cpu);
    store.close_file().expect("the store closes");

    let messages = (batches * load.batch) as f64;
    let per = |what: &str| bytes_of(&path, what) / messages;
    println!(
        "{:<22} {:>7.2} M/s clock {:>7.2} M/s CPU  {:>6.1} B/message: {:.1} raw, {:.1} orders, {:.1} trades, {:.1} tickers; \
         file {:.1}; text {:.1}; merging took {:.2} s, {:.2} s CPU",
        load.name,
        messages / clock.as_secs_f64() / 1e6,
        messages / busy.as_secs_f64() / 1e6,
        per("1"),
        per("name LIKE 'frame_block%'"),
        per("name LIKE 'order_event%'"),
        per("name LIKE 'trade%'"),
        per("name LIKE 'ticker%'"),
        std::fs::metadata(&path).map_or(0, |found| found.len()) as f64 / messages,
        text as f64 / messages,
        merge.as_secs_f64(),
        merge_cpu.as_secs_f64(),
    );
}

/// What one would write by hand for the same events: the text of every frame and its typed row, a row at a time,
/// 10,000 messages a transaction. Without decoding.
fn by_hand(folder: &Path, messages: usize, step: i64) {
    let path = folder.join("floor.db");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("floor.db{end}")));
    }
    let connection = rusqlite::Connection::open(&path).expect("the file opens");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE frame (id INTEGER PRIMARY KEY, received_at INTEGER, body TEXT);
             CREATE TABLE orders (id INTEGER PRIMARY KEY, kind INTEGER, base INTEGER, counter INTEGER, order_id INTEGER,
                 price INTEGER, quantity INTEGER, time INTEGER);
             CREATE TABLE match (id INTEGER PRIMARY KEY, base INTEGER, counter INTEGER, bid INTEGER, ask INTEGER,
                 price INTEGER, quantity INTEGER, total INTEGER, bid_rem INTEGER, ask_rem INTEGER, time INTEGER);
             CREATE TABLE ticker (id INTEGER PRIMARY KEY, base INTEGER, counter INTEGER, last INTEGER, bid INTEGER,
                 ask INTEGER, low INTEGER, high INTEGER, volume INTEGER);",
        )
        .expect("the tables are made");
    let mut feed = Feed::new(SessionId(1), step);
    let (mut clock, mut busy) = (Duration::ZERO, Duration::ZERO);
    let price = |price: &Option<Price>| price.as_ref().and_then(Price::as_scaled);
    let amount = |amount: &Option<Quantity>| amount.as_ref().and_then(Quantity::as_scaled);
    for _ in 0..messages / 10_000 {
        feed.next_batch();
        feed.fill(10_000);
        let (start, start_cpu) = (Instant::now(), cpu());
        connection.execute_batch("BEGIN").expect("a transaction begins");
        {
            let frame = "INSERT INTO frame VALUES (?, ?, ?)";
            let mut frame = connection.prepare_cached(frame).expect("a statement");
            let order = "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
            let mut order = connection.prepare_cached(order).expect("a statement");
            let trade = "INSERT INTO match VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let mut trade = connection.prepare_cached(trade).expect("a statement");
            let ticker = "INSERT INTO ticker VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let mut ticker = connection.prepare_cached(ticker).expect("a statement");
            for ((seq, record), (_, event)) in feed.batch.records().zip(feed.batch.events()) {
                let id = seq.0 as i64;
                let body = std::str::from_utf8(record.body).expect("the text is UTF-8");
                frame.execute((id, record.at.wall.0, body)).expect("a row");
                let written = match event {
                    Event::Order(of) => {
                        let (base, number) = (i64::from(of.market.0) + 63_488, of.id.as_int());
                        let time = of.time.map(|time| time.0);
                        let row =
                            (id, of.kind as i64, base, 65_283, number, price(&of.price), amount(&of.quantity), time);
                        order.execute(row)
                    }
                    Event::Trade(of) => {
                        let (base, time) = (i64::from(of.market.0) + 63_488, of.time.map(|time| time.0));
                        let number = |side: &TradeSide| side.order.as_ref().and_then(Id::as_int);
                        let (bid, ask) = (number(&of.bid), number(&of.ask));
                        let left = (amount(&of.bid.remaining), amount(&of.ask.remaining));
                        let sums = (price(&of.price), amount(&of.quantity), amount(&of.total));
                        trade.execute((id, base, 65_283, bid, ask, sums.0, sums.1, sums.2, left.0, left.1, time))
                    }
                    Event::Ticker(of) => {
                        let price = |price: &Patch<Price>| price.value().and_then(Price::as_scaled);
                        let volume = of.volume.value().and_then(Quantity::as_scaled);
                        let base = i64::from(of.market.0) + 63_488;
                        let (low, high) = (price(&of.low), price(&of.high));
                        ticker.execute((
                            id,
                            base,
                            65_283,
                            price(&of.last),
                            price(&of.bid),
                            price(&of.ask),
                            low,
                            high,
                            volume,
                        ))
                    }
                    _ => continue,
                };
                written.expect("a row");
            }
        }
        connection.execute_batch("COMMIT").expect("the transaction ends");
        busy += cpu() - start_cpu;
        clock += start.elapsed();
    }
    connection.close().expect("the file closes");
    let size = std::fs::metadata(&path).map_or(0, |found| found.len());
    println!(
        "{:<22} {:>7.2} M/s clock {:>7.2} M/s CPU  {:>6.1} B/message",
        "by hand, no decoding",
        messages as f64 / clock.as_secs_f64() / 1e6,
        messages as f64 / busy.as_secs_f64() / 1e6,
        size as f64 / messages as f64,
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let messages = arguments.next().and_then(|messages| messages.parse().ok()).unwrap_or(4_000_000);
    let temporary = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the folder is made");
    let folder = arguments.next().map_or(temporary.path().to_owned(), PathBuf::from);
    let wanted = arguments.next().unwrap_or_default();
    let fast = Load {
        name: "full speed, power-loss",
        messages,
        batch: 2_000,
        group: 6,
        step: 700,
        durability: Durability::PowerLoss,
    };
    if "by hand".contains(&wanted) {
        by_hand(&folder, messages, fast.step);
    }
    run(&folder, &wanted, &fast);
    run(&folder, &wanted, &Load { name: "full speed, kill", durability: Durability::ProcessKill, ..fast });
    run(
        &folder,
        &wanted,
        &Load { name: "20 k/s", messages: messages / 4, batch: 1_000, group: 1, step: 50_000, ..fast },
    );
    run(
        &folder,
        &wanted,
        &Load { name: "20/s", messages: messages / 80, batch: 1, group: 1, step: 50_000_000, ..fast },
    );
}
