//! Recordings to rebuild: sessions of several sources side by side, runs that are killed, blocks that are merged.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use feedtape::config::Durability;
use feedtape::crypto::{Nonce, Randomness, Secret, SigningKey};
use feedtape::journal::{
    Batch, Closed, Input, Look, LookStage, LookTaken, Opened, Plan, PollPlan, RestAnswer, SubscribePlan, Tape,
};
use feedtape::model::{
    Asset, AssetCode, Catalog, CatalogOrigin, CloseCause, Market, MarketPattern, SessionId, Stamp, Timestamp, UserId,
};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use feedtape::venue::{Account, Action, Session, UserAccount, by_name};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

pub const NOON: i64 = 1_580_472_000_000_000_000;
pub const MILLISECOND: i64 = 1_000_000;

/// Every kind of notice, public and the owner's, and what is none.
pub const FRAMES: &[&[u8]] = &[
    br#"{"notice":"OrderOpened","id":7,"tonce":99,"base":63488,"counter":65283,"quantity":10000,"price":31500,"time":1580472000100000}"#,
    br#"{"notice":"OrderOpened","id":8,"base":63488,"counter":65283,"quantity":-4000,"price":31600,"time":1580472000100001}"#,
    br#"{"notice":"OrderModified","id":8,"base":63488,"counter":65283,"quantity":-3000,"price":31700,"time":1580472000200000}"#,
    br#"{"notice":"OrdersMatched","bid":7,"bid_tonce":99,"ask":8,"base":63488,"counter":65283,"quantity":3000,"price":31500,"total":9450,"bid_rem":7000,"ask_rem":0,"taker_side":"ask","taker":false,"time":1580472000300000,"bid_base_fee":0,"bid_counter_fee":12}"#,
    br#"{"notice":"OrdersMatched","bid":70,"ask":80,"base":63520,"counter":65283,"quantity":1,"price":2,"total":99999999999999999999,"bid_rem":0,"ask_rem":5,"time":1580472000300001}"#,
    br#"{"notice":"OrderClosed","id":8,"base":63488,"counter":65283,"quantity":0,"price":31700,"time_closed":1580472000300000}"#,
    br#"{"notice":"OrderClosed","id":1234567890123456789012,"base":63488,"counter":65283,"quantity":-1,"price":9}"#,
    br#"{"notice":"TickerChanged","base":63488,"counter":65283,"last":31500,"bid":null,"volume":10000}"#,
    br#"{"notice":"TickerChanged","base":63520,"counter":65283,"ask":1,"low":1,"high":2}"#,
    br#"{"notice":"BalanceChanged","asset":63488,"balance":54000}"#,
    br#"{"notice":"BalanceChanged","asset":777,"balance":5,"cause":"gift"}"#,
    br#"{"notice":"TradeVolumeChanged","asset":63488,"volume":10000}"#,
    br#"{"notice":"OrderModified","id":1,"base":9,"counter":10,"quantity":-9000,"price":32000,"time":1580472000300000}"#,
    br#"{"notice":"OrderModified","id":1,"base":63488,"counter":65283,"price":32000}"#,
    br#"{"notice":"Unheard","what":1}"#,
    br#"{"notice":"OrderOp"#,
    b"\xff\xfe",
    br#"{"error_code":0,"tag":4711}"#,
    br#"[]"#,
    br#"{"hello":"world"}"#,
];

/// A database being recorded.
pub struct Recording {
    pub folder: TempDir,
    pub path: PathBuf,
    store: Option<Store>,
    next_session: i64,
    now: i64,
    /// The live session of each source.
    live: BTreeMap<usize, Live>,
    /// Sources that had a session in this run.
    begun: Vec<usize>,
    /// Makes the sessions; tests that need others put theirs in its place.
    pub session: fn(Option<Arc<Account>>) -> Box<dyn Session>,
    /// What plans call the venue.
    pub venue: &'static str,
}

struct Live {
    tape: Tape,
    /// What was sent and is not answered yet.
    unanswered: VecDeque<String>,
    rest: VecDeque<(u64, String)>,
}

impl Recording {
    /// Starts a run, in a new file.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flex.db");
        Self::record_into(folder, path)
    }

    /// Starts a run in a file that there is, records a bit, and ends the run in order.
    pub fn go_on(path: &Path) {
        let mut recording = Self::record_into(tempfile::tempdir().unwrap(), path.to_owned());
        recording.wait(60_000);
        recording.connect(1);
        recording.answer_all(1);
        recording.receive(1, FRAMES[0]);
        recording.stop();
    }

    fn record_into(folder: TempDir, path: PathBuf) -> Self {
        let session = |account| by_name("coinflex").unwrap().session(account);
        let mut recording = Self {
            folder,
            path,
            store: None,
            next_session: 0,
            now: 0,
            live: BTreeMap::new(),
            begun: Vec::new(),
            session,
            venue: "coinflex",
        };
        recording.begin();
        recording
    }

    /// Starts a run.
    fn begin(&mut self) {
        let settings = Settings { path: self.path.clone(), durability: Durability::ProcessKill, min_free_space: 0 };
        let mut store = Store::open(settings).unwrap();
        let info =
            RunInfo { kind: RunKind::Live, config: "flex.toml".to_owned(), commit_interval: Duration::from_millis(50) };
        self.next_session = store.begin_run(self.stamp(), &info).unwrap().first_session.0;
        self.store = Some(store);
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("a run has begun")
    }

    fn stamp(&self) -> Stamp {
        Stamp { wall: Timestamp(NOON + self.now), mono: self.now }
    }

    /// Time passes.
    pub fn wait(&mut self, milliseconds: i64) {
        self.now += milliseconds * MILLISECOND;
    }

    /// The process is killed: what is not committed is gone. Another starts.
    pub fn kill(&mut self) {
        self.vanish();
        self.wait(1_000);
        self.begin();
    }

    /// The process is killed, and that's that.
    pub fn vanish(&mut self) {
        self.live.clear();
        self.begun.clear();
        self.store = None;
    }

    /// All sessions end, the run ends in order.
    pub fn stop(&mut self) {
        for source in [0, 1, 2] {
            self.close(source, CloseCause::Stopped);
        }
        let at = self.stamp();
        let mut store = self.store.take().unwrap();
        store.commit_group().unwrap();
        store.end_run(at).unwrap();
        store.derive_books(i64::MAX).unwrap();
        store.close_file().unwrap();
        self.begun.clear();
    }

    /// As [`Recording::stop`]; then another run begins.
    pub fn restart(&mut self) {
        self.stop();
        self.wait(1_000);
        self.begin();
    }

    /// A source connects, unless it is connected. The first has an account.
    pub fn connect(&mut self, source: usize) {
        if self.live.contains_key(&source) {
            return;
        }
        let account = (source == 0).then(account);
        let tape = Tape::new(SessionId(self.next_session), (self.session)(account));
        self.next_session += 1;
        self.live.insert(source, Live { tape, unanswered: VecDeque::new(), rest: VecDeque::new() });
        let first = !self.begun.contains(&source);
        self.begun.push(source);
        self.give(source, &Input::Connecting(Arc::new(self.plan(source, first, false))));
        if source != 2 {
            self.give(source, &Input::Catalog(Arc::new(catalog(0))));
        }
        self.give(source, &Input::Opened(Opened { peer: Some("[::1]:443".to_owned()) }));
        self.give(source, &Input::Received(br#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#));
    }

    /// An input for a source's session, if it has one.
    pub fn give(&mut self, source: usize, input: &Input<'_>) {
        self.now += MILLISECOND;
        let at = self.stamp();
        let Some(Live { tape, unanswered, rest }) = self.live.get_mut(&source) else { return };
        tape.feed(at, input);
        let actions: Vec<_> = tape.actions().collect();
        for action in actions {
            match action {
                Action::Send(frame) => {
                    unanswered.push_back(frame.journal.clone());
                    tape.feed(at, &Input::Sent(frame.journal.as_bytes()));
                    tape.actions().for_each(drop);
                }
                Action::Rest(request) => rest.push_back((request.request, request.path)),
                _ => {}
            }
        }
    }

    /// A frame arrives.
    pub fn receive(&mut self, source: usize, frame: &[u8]) {
        self.give(source, &Input::Received(frame));
    }

    /// The oldest command is answered, with success or not.
    pub fn answer(&mut self, source: usize, accept: bool) {
        let command = self.live.get_mut(&source).and_then(|live| live.unanswered.pop_front());
        let Some(command) = command else { return };
        let command: serde_json::Value = serde_json::from_str(&command).unwrap();
        let tag = &command["tag"];
        if !accept {
            let refusal = format!(r#"{{"error_code":5,"error_msg":"No such market.","tag":{tag}}}"#);
            return self.receive(source, refusal.as_bytes());
        }
        let content = match command["method"].as_str().unwrap() {
            // A price that no integer holds keeps the first source's book from being checked.
            "WatchOrders" if command["watch"] == true && source == 0 => {
                r#","orders":[{"id":1,"quantity":-10000,"price":32000,"time":1580472000000000},{"id":2,"quantity":5,"price":1e30,"time":1}]"#
            }
            "WatchOrders" if command["watch"] == true => {
                r#","orders":[{"id":1,"quantity":-10000,"price":32000,"time":1580472000000000}]"#
            }
            "WatchTicker" if command["watch"] == true => {
                r#","last":null,"bid":31000,"ask":32000,"low":null,"high":null,"volume":0"#
            }
            "GetBalances" => {
                r#","balances":[{"asset":63488,"balance":50000,"reserved_balance":0,"total_balance":50000},{"asset":4,"balance":1}]"#
            }
            "GetOrders" => {
                r#","orders":[{"id":7,"tonce":null,"base":63488,"counter":65283,"quantity":1,"price":2,"time":3}]"#
            }
            "GetTradeVolume" => r#","volume":77"#,
            "EstimateMarketOrder" => r#","quantity":10000,"total":31000"#,
            _ => "",
        };
        self.receive(source, format!(r#"{{"error_code":0,"tag":{tag}{content}}}"#).as_bytes());
    }

    /// Every command so far is answered with success, and those that come of it.
    pub fn answer_all(&mut self, source: usize) {
        while self.live.get(&source).is_some_and(|live| !live.unanswered.is_empty()) {
            self.answer(source, true);
        }
    }

    /// The oldest REST request is answered, with success or not.
    pub fn answer_rest(&mut self, source: usize, accept: bool) {
        let request = self.live.get_mut(&source).and_then(|live| live.rest.pop_front());
        let Some((request, path)) = request else { return };
        let body: &[u8] = match (accept, path.starts_with("depth")) {
            (false, _) => b"",
            (true, true) => br#"{"bids":[[31000,5]],"asks":[[32000,7],[32001,8]]}"#,
            (true, false) => {
                br#"[{"base":63488,"counter":65283,"last":5,"bid":4,"ask":6,"low":null,"high":null,"volume":0}]"#
            }
        };
        let status = Some(if accept { 200 } else { 502 });
        self.give(source, &Input::Rest(RestAnswer { request, path, status, error: None }, body.into()));
    }

    /// The time that a session waits for comes.
    pub fn timer(&mut self, source: usize) {
        let Some(deadline) = self.live.get(&source).and_then(|live| live.tape.deadline()) else { return };
        // No further than a minute: polls go on for ever.
        self.now = self.now.max(deadline.min(self.now + 60_000 * MILLISECOND));
        self.give(source, &Input::Timer);
    }

    /// Another connection took a second look, too early to be compared.
    pub fn look(&mut self, source: usize) {
        let command = r#"{"tag":1,"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#.to_owned();
        let answer = br#"{"error_code":0,"tag":1,"orders":[{"id":9,"quantity":5,"price":6,"time":1580472000000000}]}"#;
        let taken = LookStage::Taken(LookTaken { command, asked_mono: 0 });
        for (stage, answer) in [(LookStage::Begun, &b""[..]), (taken, answer), (LookStage::Ended, b"")] {
            self.give(source, &Input::Look(Look { session: SessionId(99), stage }, answer.into()));
        }
    }

    /// Another catalog is in force.
    pub fn relist(&mut self, source: usize, variant: usize) {
        let at = Timestamp(NOON + self.now);
        self.give(source, &Input::Catalog(Arc::new(Catalog { valid_from: at, ..catalog(variant) })));
    }

    /// The configuration wants less, or all again.
    pub fn replan(&mut self, source: usize, less: bool) {
        self.give(source, &Input::Replanned(Arc::new(self.plan(source, false, less))));
    }

    fn plan(&self, source: usize, first: bool, less: bool) -> Plan {
        Plan { venue: self.venue.to_owned(), ..plan(source, first, less) }
    }

    /// The socket was not read for a while.
    pub fn stall(&mut self, source: usize) {
        let from = self.stamp().wall;
        self.wait(300);
        self.give(source, &Input::Stalled(from, self.stamp().wall));
    }

    /// What a source's session has so far goes to the store.
    pub fn ship(&mut self, source: usize) {
        let Some(live) = self.live.get_mut(&source) else { return };
        let batch = live.tape.ship(Batch::default());
        self.store().write(&batch).unwrap();
    }

    /// As [`Recording::ship`], and once more after a commit whose answer did not come: the file is opened anew.
    pub fn ship_again(&mut self, source: usize) {
        let Some(live) = self.live.get_mut(&source) else { return };
        let batch = live.tape.ship(Batch::default());
        let store = self.store();
        store.write(&batch).unwrap();
        store.commit_group().unwrap();
        store.reopen_file().unwrap();
        store.write(&batch).unwrap();
    }

    /// What the store has becomes durable.
    pub fn commit(&mut self) {
        self.store().commit_group().unwrap();
    }

    /// Everything becomes durable.
    pub fn settle(&mut self) {
        for source in [0, 1, 2] {
            self.ship(source);
        }
        self.commit();
    }

    /// Everything received so far is in the file.
    pub fn mark(&mut self) {
        let at = self.stamp().wall;
        self.store().mark_durable(at).unwrap();
    }

    /// Small blocks are merged: those before a large one, which a source receives.
    pub fn merge(&mut self, source: usize) {
        let frame = format!(r#"{{"notice":"Unheard","what":"{}"}}"#, "x".repeat(140 << 10));
        self.receive(source, frame.as_bytes());
        self.settle();
        while self.store().merge_step().unwrap() {}
        self.store().books_step().unwrap();
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> i64 {
        let count = "SELECT count(*) FROM frame_block";
        Connection::open(&self.path).unwrap().query_row(count, [], |row| row.get(0)).unwrap()
    }

    /// A source's connection ends.
    pub fn close(&mut self, source: usize, cause: CloseCause) {
        self.give(source, &Input::Closed(Closed { code: Some(1001), ..Closed::new(cause, "going away") }));
        self.ship(source);
        self.live.remove(&source);
    }
}

/// Runs the program, and gives back what it printed.
pub fn feedtape(args: &[&Path]) -> Output {
    assert_cmd::Command::cargo_bin("feedtape").unwrap().args(args).output().unwrap()
}

/// The tables but those that say how the journal lies on disk.
pub fn tables(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'frame_*' ORDER BY name";
    let mut tables = connection.prepare(tables).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > 20, "{tables:?}");
    tables
}

/// All their rows.
pub fn rows(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for table in tables(path) {
        let mut all = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = all.column_names().map(str::to_owned).collect();
        let of_table = all.query_map([], |row| {
            let values =
                columns.iter().enumerate().map(|(n, name)| Ok(format!("{name} {:?}", row.get::<_, Value>(n)?)));
            Ok(format!("{table}: {}", values.collect::<rusqlite::Result<Vec<_>>>()?.join(", ")))
        });
        let mut of_table: Vec<String> = of_table.unwrap().map(Result::unwrap).collect();
        of_table.sort();
        rows.extend(of_table);
    }
    rows
}

fn plan(source: usize, first: bool, less: bool) -> Plan {
    let pattern = |text: &&str| MarketPattern::parse(text).unwrap();
    let subscribe = |method: &str, markets: &[&str], stale_after: Option<u64>| SubscribePlan {
        method: method.to_owned(),
        markets: markets.iter().map(pattern).collect(),
        stale_after: stale_after.map(Duration::from_secs),
        options: Default::default(),
    };
    let poll = |method: &str, markets: &[&str]| PollPlan {
        method: method.to_owned(),
        every: Duration::from_secs(2),
        markets: markets.iter().map(pattern).collect(),
        asset: None,
        quantity: None,
        total: None,
    };
    let (mut wanted, mut polls) = match source {
        0 => (
            vec![subscribe("WatchTicker", &["*"], None), subscribe("WatchOrders", &["XBT:USDT", "XBT:UDST"], Some(5))],
            vec![
                poll("GetBalances", &[]),
                PollPlan { asset: Some("XBT".to_owned()), ..poll("GetTradeVolume", &[]) },
                PollPlan { quantity: Some("1".to_owned()), ..poll("EstimateMarketOrder", &["XBT:USDT"]) },
                poll("tickers", &[]),
                poll("depth", &["XBT:USDT"]),
            ],
        ),
        1 => (vec![subscribe("WatchOrders", &["XBT:USDT", "ETH:*"], None)], vec![]),
        // Without a catalog, by code.
        _ => (vec![subscribe("WatchOrders", &["63488:65283"], None)], vec![]),
    };
    if less {
        wanted.pop();
        polls.pop();
    }
    Plan {
        source: ["flex", "public", "bare"][source].to_owned(),
        url: "ws://localhost/v1".to_owned(),
        user: (source == 0).then_some(UserId(1)),
        first,
        subscribe: wanted,
        poll: polls,
        ..Plan::default()
    }
}

/// What the exchange lists: at first, with finer prices, with one market less, with one market more.
fn catalog(variant: usize) -> Catalog {
    let asset =
        |code, name: &str| Asset { code: Some(AssetCode(code)), name: name.to_owned(), places: Some(4), spot: None };
    let market = |base: &Asset, counter: &Asset, places, expires| Market {
        name: format!("{}:{}", base.name, counter.name),
        base: base.name.clone(),
        counter: counter.name.clone(),
        base_code: base.code,
        counter_code: counter.code,
        price_places: Some(places),
        quantity_places: Some(4),
        tick: Some(10_000),
        starts: None,
        expires,
    };
    let assets = vec![asset(63488, "XBT"), asset(63520, "ETH"), asset(65283, "USDT"), asset(65282, "USDC")];
    let expires = Some(Timestamp(NOON + 30_000 * MILLISECOND));
    let mut markets = vec![
        market(&assets[0], &assets[2], if variant == 1 { 5 } else { 4 }, None),
        market(&assets[1], &assets[2], 4, None),
        market(&assets[1], &assets[3], 4, expires),
    ];
    match variant {
        2 => drop(markets.remove(1)),
        3 => markets.push(market(&assets[0], &assets[3], 2, None)),
        _ => {}
    }
    Catalog { valid_from: Timestamp(NOON), other_until: None, origin: CatalogOrigin::Exchange, assets, markets }
}

fn account() -> Arc<Account> {
    let user = UserId(1);
    Arc::new(Account::User(UserAccount {
        user,
        cookie: Secret::new("cookie".into()),
        passphrase: Secret::new("opensesame".into()),
        key: SigningKey::derive(user, "opensesame"),
        randomness: Arc::new(NoNonce),
    }))
}

#[derive(Debug)]
struct NoNonce;

impl Randomness for NoNonce {
    fn nonce(&self) -> Nonce {
        Nonce::from_base64("8IyYyvH9gujOqYJdv/BP0A==").unwrap()
    }
}

/// A bit of everything: three sources side by side, two kills, merged blocks, ended in order or going on.
pub fn eventful(stopped: bool) -> Recording {
    let mut recording = Recording::start();
    for source in [0, 1, 2] {
        recording.connect(source);
        recording.ship(source);
    }
    for frame in FRAMES {
        for source in [0, 1] {
            recording.receive(source, frame);
        }
        recording.answer(0, true);
        recording.settle();
    }
    let blocks = recording.blocks();
    recording.merge(0);
    assert!(recording.blocks() < blocks / 2, "there are merged blocks");
    recording.answer_all(0);
    recording.answer_all(1);
    recording.answer(2, false);
    recording.give(1, &Input::ReceivedBinary(b"\0\xff\n"));
    recording.settle();
    for _ in 0..6 {
        recording.timer(0);
        recording.answer_rest(0, true);
        recording.answer(0, true);
    }
    recording.mark();
    recording.kill();

    recording.connect(1);
    recording.answer_all(1);
    recording.relist(1, 1);
    recording.answer_all(1);
    // The second contradicts the first.
    recording.receive(1, FRAMES[0]);
    recording.receive(1, FRAMES[0]);
    recording.settle();
    // Lost with the process.
    recording.receive(1, FRAMES[1]);
    recording.ship(1);
    recording.kill();

    recording.connect(0);
    recording.connect(1);
    recording.answer_all(0);
    recording.answer_all(1);
    // Enough for a checkpoint of the book.
    for n in 0..4_200 {
        let price = 32_000 + n % 7;
        let rest = format!(r#""base":63488,"counter":65283,"quantity":-10000,"price":{price},"time":1580472000000000"#);
        recording.receive(1, format!(r#"{{"notice":"OrderModified","id":1,{rest}}}"#).as_bytes());
    }
    recording.ship(1);
    recording.give(0, &Input::Sent(br#"{"tag":9001,"method":"CancelOrder","id":7}"#));
    recording.receive(0, br#"{"error_code":0,"tag":9001,"id":7,"base":63488,"counter":65283,"quantity":5,"price":6}"#);
    recording.look(1);
    recording.stall(0);
    recording.replan(0, true);
    recording.relist(1, 2);
    recording.relist(1, 3);
    for frame in FRAMES {
        recording.receive(0, frame);
        recording.ship(0);
    }
    recording.answer_rest(0, false);
    recording.close(1, CloseCause::ClosedByPeer);
    recording.connect(1);
    recording.settle();
    recording.wait(700);
    recording.mark();
    if stopped {
        recording.stop();
    } else {
        recording.settle();
        recording.store().books_step().unwrap();
        recording.receive(0, FRAMES[1]);
        recording.settle();
        recording.vanish();
    }
    recording
}
