//! What is fuzzed: each target takes any bytes and must not panic, and must hold what it says. The fuzzer runs them, and
//! `cargo test` over the corpora.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use feedtape::config::{Config, Durability, Limits};
use feedtape::connection::{Guard, Message, Unit};
use feedtape::journal::{Batch, Closed, Input, Opened, Plan, RestAnswer, SubscribePlan, Tape};
use feedtape::model::{
    Asset, AssetCode, Catalog, CatalogOrigin, CloseCause, Market, MarketPattern, SessionId, Stamp, Timestamp,
};
use feedtape::replay::{Origin, import as import_capture};
use feedtape::sink::{Sink, SinkError, Tidied};
use feedtape::store::{Query, RunInfo, RunKind, Settings, Store};
use feedtape::venue::coinflex::wire::Request;
use feedtape::venue::{Action, RestRequest, VENUES, Venue, by_name};
use tempfile::TempDir;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 6] = [
    ("command", command),
    ("config", config),
    ("guard", guard),
    ("import", import),
    ("query", query),
    ("session", session),
];

const SECOND: i64 = 1_000_000_000;
/// 2020-01-31T12:00:00Z.
const NOON: i64 = 1_580_472_000 * SECOND;

/// The exchange's decoder of commands: whatever a client sends, it answers, and what it accepts it reads the same way
/// again.
pub fn command(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Request::decode(text) {
        Ok(request) => assert_eq!(Request::decode(&request.to_json()).as_ref(), Ok(&request)),
        Err(error) => assert_eq!(error.refusal.code(), 8),
    }
}

/// A configuration: taken or refused with a reason, each at its place, and twice the same way.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let file = Path::new("fuzz.toml");
    match Config::parse(file, text) {
        Ok(config) => assert!(!config.sources.is_empty()),
        Err(errors) => {
            let told = errors.to_string();
            assert!(told.lines().count() > 0 && told.starts_with("fuzz.toml"), "{told}");
            assert_eq!(Config::parse(file, text).map(drop).unwrap_err().to_string(), told);
        }
    }
}

/// What the socket takes: the same units however the bytes are cut, up to the same end (what is wrong in two ways may be
/// refused for either), and no message over its limit.
pub fn guard(bytes: &[u8]) {
    let limits = Limits { frame_bytes_max: 1_000, message_bytes_max: 3_000 };
    let take = |chunk: usize| -> (Vec<Unit>, bool) {
        let (mut guard, mut buffer, mut units) = (Guard::new(limits), BytesMut::new(), Vec::new());
        for chunk in bytes.chunks(chunk.max(1)) {
            buffer.extend_from_slice(chunk);
            loop {
                match guard.decode(&mut buffer) {
                    Ok(Some(unit)) => units.push(unit),
                    Ok(None) => break,
                    Err(_) => return (units, true),
                }
            }
        }
        (units, false)
    };
    let whole = take(bytes.len());
    for unit in &whole.0 {
        if let Unit::Message(Message::Text(body) | Message::Binary(body)) = unit {
            assert!(body.len() <= limits.message_bytes_max);
        }
    }
    assert_eq!(take(1), whole);
    assert_eq!(take(7), whole);
}

/// A sink that keeps what it is given.
#[derive(Default)]
struct Kept(Vec<Batch>);

impl Sink for Kept {
    fn append(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.0.push(batch.clone());
        Ok(())
    }
    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
    fn check(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
    fn mark(&mut self, _: Timestamp) -> Result<(), SinkError> {
        Ok(())
    }
    fn tidy(&mut self) -> Result<Tidied, SinkError> {
        Ok(Tidied::default())
    }
    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
    fn close(self: Box<Self>, _: Stamp, _: bool) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The venue that the first line names, or else its length; and the rest.
fn venue_of(bytes: &[u8]) -> (&'static dyn Venue, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let named = str::from_utf8(&bytes[..end]).ok().and_then(by_name);
    (named.unwrap_or(VENUES[end % VENUES.len()]), bytes.get(end + 1..).unwrap_or_default())
}

/// The journal makes the same again.
fn follows_from_its_journal(venue: &dyn Venue, batches: &[Batch]) {
    let mut tape: Option<Tape> = None;
    for batch in batches {
        if tape.as_ref().is_none_or(|tape| tape.batch().session() != batch.session()) {
            tape = Some(Tape::new(batch.session(), venue.session(None)));
        }
        let Some(tape) = &mut tape else { return };
        for (_, record) in batch.records() {
            tape.replay(record).expect("a record of a session");
            tape.actions().for_each(drop);
        }
        assert_eq!(&tape.ship(Batch::default()), batch);
    }
}

/// A capture: imported or refused, and what is kept of it follows from its journal.
pub fn import(bytes: &[u8]) {
    let (venue, capture) = venue_of(bytes);
    let mut kept = Kept::default();
    let origin = Origin { source: "fuzz", venue, catalog: Some(Arc::new(catalog())), name: "fuzz", format: None };
    // Refused is refused.
    let _ = import_capture(&mut kept, SessionId(1), &origin, capture);
    follows_from_its_journal(venue, &kept.0);
}

/// What a connection of a venue brings, a line a message; `!rest TEXT` answers the oldest request, `!timer` waits for
/// the session's deadline, `!back` sets the clock back.
pub fn session(bytes: &[u8]) {
    let (venue, script) = venue_of(bytes);
    let mut live = Live::open(venue);
    for line in script.split(|byte| *byte == b'\n') {
        live.mono += SECOND / 10;
        match line.strip_prefix(b"!") {
            None => live.give(&Input::Received(line)),
            Some(b"timer") => {
                live.mono = live.tape.deadline().unwrap_or(live.mono).clamp(live.mono, live.mono + 3_600 * SECOND);
                live.give(&Input::Timer);
            }
            Some(b"back") => live.ahead -= 3_600 * SECOND,
            Some(rest) => {
                let Some((number, request)) = live.requests.pop() else { continue };
                let answer = RestAnswer { request: number, path: request.path, status: Some(200), error: None };
                live.give(&Input::Rest(answer, rest.strip_prefix(b"rest ").unwrap_or(rest).into()));
            }
        }
    }
    live.give(&Input::Closed(Closed::new(CloseCause::EndOfStream, "")));
    live.ship();
    follows_from_its_journal(venue, &live.batches);
}

struct Live {
    tape: Tape,
    batches: Vec<Batch>,
    requests: Vec<(u64, RestRequest)>,
    requested: u64,
    mono: i64,
    /// By how much the wall clock is ahead of the monotonic one.
    ahead: i64,
}

impl Live {
    fn open(venue: &'static dyn Venue) -> Self {
        let tape = Tape::new(SessionId(1), venue.session(None));
        let mut live = Self { tape, batches: Vec::new(), requests: Vec::new(), requested: 0, mono: 0, ahead: NOON };
        live.give(&Input::Connecting(Arc::new(plan(venue.name()))));
        live.give(&Input::Catalog(Arc::new(catalog())));
        live.give(&Input::Opened(Opened { peer: None }));
        live
    }

    fn give(&mut self, input: &Input<'_>) {
        let at = Stamp { wall: Timestamp(self.ahead + self.mono), mono: self.mono };
        self.tape.feed(at, input);
        // What it wants sent is sent, and what it wants then as well, for a while.
        for _ in 0..16 {
            let actions: Vec<Action> = self.tape.actions().collect();
            for action in actions {
                match action {
                    Action::Send(frame) => drop(self.tape.feed(at, &Input::Sent(frame.journal.as_bytes()))),
                    Action::Rest(request) => {
                        self.requests.insert(0, (self.requested, request));
                        self.requested += 1;
                    }
                    _ => {}
                }
            }
        }
        if self.tape.batch().len() > 20 {
            self.ship();
        }
    }

    fn ship(&mut self) {
        let batch = self.tape.ship(Batch::default());
        self.batches.push(batch);
    }
}

/// Something of each kind that a venue has.
fn plan(venue: &str) -> Plan {
    let wanted: &[(&str, &str)] = match venue {
        "coinflex" => &[("WatchOrders", "XBT:USDT"), ("WatchTicker", "XBT:USDT")],
        "binance" | "binance_us" => &[("depth", "BTCUSDT"), ("trade", "BTCUSDT"), ("bookTicker", "BTCUSDT")],
        "bitstamp" => &[("live_orders", "btcusd"), ("live_trades", "btcusd"), ("diff_order_book", "btcusd")],
        "coinbase" => &[("level2", "BTC-USD"), ("market_trades", "BTC-USD"), ("ticker", "BTC-USD")],
        "derive" => &[("orderbook", "ETH-PERP"), ("trades", "ETH-PERP"), ("ticker_slim", "ETH-PERP")],
        "kraken" => &[("book", "BTC/USD"), ("trade", "BTC/USD"), ("ticker", "BTC/USD")],
        "okx" => &[("books", "BTC-USDT"), ("trades", "BTC-USDT"), ("tickers", "BTC-USDT")],
        _ => &[],
    };
    let subscribe = wanted.iter().map(|(method, market)| SubscribePlan {
        method: (*method).to_owned(),
        markets: MarketPattern::parse(market).into_iter().collect(),
        stale_after: Some(Duration::from_secs(60)),
        options: Default::default(),
    });
    Plan { source: "fuzz".into(), venue: venue.into(), first: true, subscribe: subscribe.collect(), ..Plan::default() }
}

fn catalog() -> Catalog {
    let asset =
        |code, name: &str| Asset { code: Some(AssetCode(code)), name: name.into(), places: Some(4), spot: None };
    let market = Market {
        name: "XBT:USDT".into(),
        base: "XBT".into(),
        counter: "USDT".into(),
        base_code: Some(AssetCode(63_488)),
        counter_code: Some(AssetCode(65_283)),
        price_places: Some(4),
        quantity_places: Some(4),
        tick: Some(10_000),
        starts: None,
        expires: None,
    };
    Catalog {
        valid_from: Timestamp(NOON),
        other_until: None,
        origin: CatalogOrigin::Exchange,
        assets: vec![asset(63_488, "XBT"), asset(65_283, "USDT")],
        markets: vec![market],
    }
}

/// How long a query may take.
const QUERY_MAX: Duration = Duration::from_millis(200);

/// A statement: answered, refused or ended in time, and the file is what it was.
pub fn query(bytes: &[u8]) {
    let Ok(sql) = str::from_utf8(bytes) else { return };
    let (folder, path, before) = recording();
    let mut query = Query::open(path, QUERY_MAX).expect("the recording");
    if let Ok(mut answer) = query.prepare(sql) {
        let mut rows = 0;
        // Failing is an answer as well.
        let _ = answer.rows(|_| {
            rows += 1;
            if rows < 1_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
    drop(query);
    assert!(fs::read(path).expect("the file") == *before, "the file was written to");
    let files: Vec<_> = fs::read_dir(folder.path()).expect("the folder").map(|entry| entry.expect("a file")).collect();
    assert!(files.iter().all(|file| file.file_name().to_string_lossy().starts_with("fuzz.db")), "{files:?}");
}

/// A small recording, made once, and its bytes.
fn recording() -> &'static (TempDir, PathBuf, Vec<u8>) {
    static RECORDING: OnceLock<(TempDir, PathBuf, Vec<u8>)> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("fuzz.db");
        let settings = Settings { path: path.clone(), durability: Durability::ProcessKill, min_free_space: 0 };
        let mut store = Store::open(settings).expect("a new file");
        let at = Stamp { wall: Timestamp(NOON), mono: 0 };
        let info = RunInfo { kind: RunKind::Import, config: "fuzz".into(), commit_interval: Duration::ZERO };
        let session = store.begin_run(at, &info).expect("a run").first_session;
        let venue = by_name("coinflex").expect("a venue");
        let origin = Origin { source: "fuzz", venue, catalog: Some(Arc::new(catalog())), name: "fuzz", format: None };
        import_capture(&mut store, session, &origin, include_bytes!("recorded.capture").as_slice()).expect("a capture");
        store.end_run(at).expect("its end");
        store.close_file().expect("its close");
        let bytes = fs::read(&path).expect("the file");
        (folder, path, bytes)
    })
}
