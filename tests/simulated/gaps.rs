//! Every cause of a gap, in the file: from when to when, and what shows it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use feedtape::config::Durability;
use feedtape::exchange::listing::Listing;
use feedtape::journal::{Batch, Closed, Input, Opened, Plan, SubscribePlan, Tape};
use feedtape::model::{Catalog, CloseCause, MarketPattern, SessionId, Stamp, Timestamp, UserId};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use feedtape::venue::{Action, by_name};
use rusqlite::Connection;
use tempfile::TempDir;

use super::world::account;

const MILLISECOND: i64 = 1_000_000;
const NOON: i64 = 1_580_472_000_000;

/// A recorder whose times the test says, in ms after noon.
struct Recorder {
    _folder: TempDir,
    path: PathBuf,
    store: Option<Store>,
    tape: Option<Tape>,
    session: i64,
    now: i64,
    catalog: Option<Catalog>,
    /// Tags of what waits for an answer, with the method.
    asked: Vec<(String, i64)>,
}

impl Recorder {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("flex.db");
        let catalog = Listing::coinflex(2020).unwrap().catalog(Timestamp(0));
        let (store, tape, asked) = (None, None, Vec::new());
        let catalog = Some(catalog);
        let mut recorder = Self { _folder: folder, path, store, tape, session: 0, now: 0, catalog, asked };
        recorder.start();
        recorder
    }

    fn stamp(&self) -> Stamp {
        let now = (NOON + self.now) * MILLISECOND;
        Stamp { wall: Timestamp(now), mono: now }
    }

    fn at(&mut self, now: i64) -> &mut Self {
        self.now = now;
        self
    }

    fn start(&mut self) {
        let settings = Settings { path: self.path.clone(), durability: Durability::ProcessKill, min_free_space: 0 };
        let mut store = Store::open(settings).unwrap();
        let info = RunInfo { kind: RunKind::Live, config: "test".into(), commit_interval: Duration::from_millis(50) };
        self.session = store.begin_run(self.stamp(), &info).unwrap().first_session.0;
        self.store = Some(store);
    }

    fn plan(markets: &[&str], first: bool) -> Arc<Plan> {
        let subscribe = SubscribePlan {
            method: "WatchOrders".into(),
            markets: markets.iter().map(|market| MarketPattern::parse(market).unwrap()).collect(),
            stale_after: Some(Duration::from_secs(1)),
            options: Default::default(),
        };
        let (source, venue, user) = ("flex".into(), "coinflex".into(), Some(UserId(1)));
        Arc::new(Plan { source, venue, user, first, subscribe: vec![subscribe], ..Plan::default() })
    }

    fn connecting(&mut self, market: &str, first: bool) {
        let account = account(UserId(1));
        self.asked.clear();
        self.tape = Some(Tape::new(SessionId(self.session), by_name("coinflex").unwrap().session(Some(account))));
        self.session += 1;
        self.feed(&Input::Connecting(Self::plan(&[market], first)));
        if let Some(catalog) = self.catalog.clone() {
            self.feed(&Input::Catalog(Arc::new(catalog)));
        }
    }

    /// Connects all at once, up to the last answer.
    fn connect(&mut self, market: &str, first: bool) {
        self.connecting(market, first);
        self.feed(&Input::Opened(Opened { peer: None }));
        self.receive(r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#);
        self.answer_all();
    }

    fn feed(&mut self, input: &Input<'_>) {
        let at = self.stamp();
        let tape = self.tape.as_mut().unwrap();
        tape.feed(at, input);
        let wishes: Vec<Action> = tape.actions().collect();
        for wish in wishes {
            if let Action::Send(frame) = wish {
                let command: serde_json::Value = serde_json::from_str(&frame.journal).unwrap();
                let method = command["method"].as_str().unwrap().to_owned();
                self.asked.push((method, command["tag"].as_i64().unwrap()));
                self.feed(&Input::Sent(frame.journal.as_bytes()));
            }
        }
    }

    fn receive(&mut self, frame: &str) {
        self.feed(&Input::Received(frame.as_bytes()));
    }

    /// Answers the oldest command of a method.
    fn answer(&mut self, method: &str, content: &str) {
        let found = self.asked.iter().position(|(asked, _)| asked == method).unwrap();
        let (_, tag) = self.asked.remove(found);
        self.receive(&format!(r#"{{"tag":{tag},{content}}}"#));
    }

    /// Agrees to whatever waits for it, and to what comes of that.
    fn answer_all(&mut self) {
        while let Some((method, _)) = self.asked.first().cloned() {
            let content = if method == "GetBalances" { r#""balances":[]"# } else { r#""orders":[]"# };
            self.answer(&method, &format!(r#""error_code":0,{content}"#));
        }
    }

    fn notice(&mut self) {
        let rest = r#""base":63488,"counter":65283,"quantity":5,"price":10000,"time":1580472000000000"#;
        self.receive(&format!(r#"{{"notice":"OrderOpened","id":{},{rest}}}"#, self.now));
    }

    fn close(&mut self, cause: CloseCause, code: Option<i64>) {
        self.feed(&Input::Closed(Closed { code, ..Closed::new(cause, "") }));
        self.commit();
        self.tape = None;
    }

    fn commit(&mut self) {
        let batch = self.tape.as_mut().unwrap().ship(Batch::default());
        let until = self.stamp().wall;
        let store = self.store.as_mut().unwrap();
        store.write(&batch).unwrap();
        store.mark_durable(until).unwrap();
        store.commit_group().unwrap();
    }

    /// What is said of a stream: verdict or cause, from, to, evidence.
    fn said(&self, channel: &str) -> Vec<String> {
        let connection = Connection::open(&self.path).unwrap();
        let select = "SELECT coalesce(cause, verdict), from_at, to_at, coalesce(evidence, '-'), frame IS NOT NULL \
             FROM coverage WHERE channel = ? ORDER BY from_at";
        let mut select = connection.prepare(select).unwrap();
        let said = select.query_map([channel], |row| {
            let [from, to] = [1, 2].map(|column| row.get::<_, i64>(column).unwrap() / MILLISECOND - NOON);
            assert!(row.get::<_, bool>(4)?, "a record shows each");
            Ok(format!("{} {from} {to} {}", row.get::<_, String>(0)?, row.get::<_, String>(3)?))
        });
        said.unwrap().map(Result::unwrap).collect()
    }
}

#[test]
fn every_cause_of_a_gap_is_told_from_when_to_when_and_by_what() {
    let mut recorder = Recorder::new();
    recorder.at(10).connecting("XBT:USDT", true);
    recorder.at(20).feed(&Input::Opened(Opened { peer: None }));
    recorder.at(30).receive(r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#);
    recorder.at(40).answer("Authenticate", r#""error_code":0"#);
    recorder.at(50).answer("WatchOrders", r#""error_code":1,"error_msg":"You specified an invalid asset pair.""#);
    recorder.at(60).answer_all();
    recorder.at(70).close(CloseCause::ClosedByPeer, Some(1001));
    recorder.at(100).connect("XBT:USDT", false);
    recorder.at(110).notice();
    // Silence, and then it is taken up anew.
    recorder.at(1_200).feed(&Input::Timer);
    recorder.at(1_220).answer_all();
    recorder
        .at(1_300)
        .feed(&Input::Stalled(Timestamp((NOON + 1_230) * MILLISECOND), Timestamp((NOON + 1_290) * MILLISECOND)));
    recorder.at(1_310).receive(r#"{"notice":"OrderOp"#);
    for half_second in 4..40 {
        recorder.at(half_second * 500).notice();
        recorder.feed(&Input::Timer);
        recorder.answer_all();
    }
    recorder.at(20_000).feed(&Input::Replanned(Recorder::plan(&[], false)));
    recorder.answer_all();
    recorder.at(20_500).feed(&Input::Replanned(Recorder::plan(&["XBT:USDT"], false)));
    recorder.at(20_510).answer_all();
    recorder.commit();
    // Killed; what is known to be stored is what the last mark says.
    (recorder.tape, recorder.store) = (None, None);
    recorder.at(30_000).start();
    recorder.at(30_010).connect("XBT:USDT", true);
    // The market ends.
    let mut catalog = recorder.catalog.clone().unwrap();
    let market = catalog.markets.iter_mut().find(|market| market.name == "XBT:USDT").unwrap();
    market.expires = Some(Timestamp((NOON + 30_100) * MILLISECOND));
    recorder.at(30_020).feed(&Input::Catalog(Arc::new(catalog)));
    recorder.at(30_100).feed(&Input::Timer);
    recorder.answer_all();
    recorder.at(30_200).commit();
    let said = recorder.said("WatchOrders");
    let expected = [
        "not_connected 10 20 -",
        "not_greeted 20 30 -",
        "not_acknowledged 30 50 -",
        "refused 50 70 error 1: You specified an invalid asset pair.",
        "not_connected 70 100 closed_by_peer 1001",
        "consistent 100 110 -",
        "stale 110 1220 -",
        "consistent 1220 1230 -",
        "sink_stalled 1230 1290 -",
        "consistent 1290 1310 -",
        "not_understood 1310 11500 invalid_json",
        "consistent 11500 20000 -",
        "reconfigured 20000 20500 -",
        "not_acknowledged 20500 20510 -",
        "not_running 20510 30010 the recorder was killed",
        "consistent 30010 30100 -",
        "expired 30100 30200 -",
    ];
    assert_eq!(said, expected);
    let expected = [
        "not_connected 10 20 -",
        "not_greeted 20 30 -",
        "not_authenticated 30 40 -",
        "not_acknowledged 40 60 -",
        "consistent 60 70 -",
        "not_connected 70 100 closed_by_peer 1001",
        "consistent 100 1230 -",
        "sink_stalled 1230 1290 -",
        "consistent 1290 1310 -",
        "not_understood 1310 11500 invalid_json",
        "consistent 11500 20510 -",
        "not_running 20510 30010 the recorder was killed",
        "consistent 30010 30200 -",
    ];
    assert_eq!(recorder.said("account"), expected);
}

#[test]
fn numbers_of_unknown_scale_are_in_doubt_until_it_is_known() {
    let mut recorder = Recorder::new();
    let known = recorder.catalog.clone();
    for market in recorder.catalog.iter_mut().flat_map(|catalog| &mut catalog.markets) {
        market.price_places = None;
    }
    recorder.at(10).connect("XBT:USDT", true);
    recorder.at(50).close(CloseCause::Transport, None);
    recorder.catalog = known;
    recorder.at(60).connect("XBT:USDT", false);
    recorder.at(90).commit();
    let expected = ["unverifiable 10 50 scale unknown", "not_connected 50 60 transport", "consistent 60 90 -"];
    assert_eq!(recorder.said("WatchOrders"), expected);
}

#[test]
fn a_scale_that_changes_while_it_is_watched_is_in_doubt_since_the_old_one_was_last_seen() {
    let mut recorder = Recorder::new();
    recorder.at(10).connect("XBT:USDT", true);
    recorder.at(20).notice();
    let mut changed = recorder.catalog.clone().unwrap();
    changed.other_until = Some(Timestamp((NOON + 300) * MILLISECOND));
    changed.valid_from = Timestamp((NOON + 600) * MILLISECOND);
    let market = changed.markets.iter_mut().find(|market| market.name == "XBT:USDT").unwrap();
    market.price_places = market.price_places.map(|places| places - 1);
    recorder.at(610).feed(&Input::Catalog(Arc::new(changed)));
    recorder.at(620).notice();
    recorder.at(640).answer_all();
    recorder.at(650).notice();
    recorder.at(900).commit();
    let expected = ["consistent 10 300 -", "unverifiable 300 640 the scale changed", "consistent 640 900 -"];
    assert_eq!(recorder.said("WatchOrders"), expected);
    assert_eq!(recorder.said("account"), expected);
    let connection = Connection::open(&recorder.path).unwrap();
    let mut prices =
        connection.prepare("SELECT price FROM order_events WHERE market = 'XBT:USDT' ORDER BY id").unwrap();
    let prices: Vec<String> = prices.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(prices, ["1.0000", "10.000", "10.000"], "each at the scale that was in force");
    // The book is of one scale only, and nothing contradicts.
    let book = "SELECT group_concat(DISTINCT price) FROM book WHERE market = 'XBT:USDT' AND at = ?";
    let at = (NOON + 700) * MILLISECOND;
    let book: String = connection.query_row(book, [at], |row| row.get(0)).unwrap();
    assert_eq!(book, "10.000");
    assert_eq!(
        connection.query_row("SELECT count(*) FROM finding WHERE is_contradiction", [], |row| row.get::<_, i64>(0)),
        Ok(0)
    );
}
