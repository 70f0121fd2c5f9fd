//! A recording to read: a conversation with an exchange, written by the real session and the real store.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use feedtape::config::Durability;
use feedtape::crypto::{Nonce, Randomness, Secret, SigningKey};
use feedtape::journal::{Batch, Closed, Input, Opened, Plan, SubscribePlan, Tape};
use feedtape::model::{
    Asset, AssetCode, Catalog, CatalogOrigin, CloseCause, Market, MarketPattern, SessionId, Stamp, Timestamp, UserId,
};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use feedtape::venue::{Account, Action, UserAccount, by_name};
use tempfile::TempDir;

/// 2020-01-31T12:00:00Z, when the recording starts.
pub const NOON: i64 = 1_580_472_000_000_000_000;
pub const SECOND: i64 = 1_000_000_000;

/// A database being recorded.
pub struct Recording {
    pub folder: TempDir,
    pub path: PathBuf,
    store: Store,
    next_session: i64,
    start: i64,
}

/// A session of it.
pub struct Session<'r> {
    recording: &'r mut Recording,
    tape: Tape,
    now: i64,
}

impl Recording {
    /// Starts a run at noon, in a new file.
    pub fn start() -> Self {
        Self::start_at(UNIX_EPOCH + Duration::from_nanos(NOON as u64))
    }

    /// Starts a run at that time.
    pub fn start_at(start: SystemTime) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flex.db");
        let start = start.duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let mut recording = Self { store: open(&path), folder, path, next_session: 0, start };
        let commit_interval = Duration::from_millis(50);
        let info = RunInfo { kind: RunKind::Live, config: "flex.toml".to_owned(), commit_interval };
        recording.next_session = recording.store.begin_run(recording.stamp(0), &info).unwrap().first_session.0;
        recording
    }

    fn stamp(&self, now: i64) -> Stamp {
        Stamp { wall: Timestamp(self.start + now), mono: now }
    }

    /// Connects, logs in and subscribes to orders and ticker of XBT:USDT, which all takes some milliseconds.
    pub fn connect(&mut self, now: i64) -> Session<'_> {
        let user = UserId(1);
        let account = Account::User(UserAccount {
            user,
            cookie: Secret::new("cookie".into()),
            passphrase: Secret::new("opensesame".into()),
            key: SigningKey::derive(user, "opensesame"),
            randomness: Arc::new(NoNonce),
        });
        let tape = Tape::new(SessionId(self.next_session), by_name("coinflex").unwrap().session(Some(account.into())));
        self.next_session += 1;
        let mut session = Session { recording: self, tape, now };
        session.give(&Input::Connecting(Arc::new(plan())));
        session.give(&Input::Catalog(Arc::new(catalog())));
        session.give(&Input::Opened(Opened { peer: Some("[::1]:443".to_owned()) }));
        session.receive(r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#);
        session
    }

    /// Ends the run in order and closes the file.
    pub fn stop(mut self, now: i64) -> (TempDir, PathBuf) {
        self.store.end_run(self.stamp(now)).unwrap();
        self.store.close_file().unwrap();
        (self.folder, self.path)
    }
}

impl Session<'_> {
    fn give(&mut self, input: &Input<'_>) {
        self.now += SECOND / 1_000;
        self.tape.feed(self.recording.stamp(self.now), input);
        let sent: Vec<_> = self
            .tape
            .actions()
            .filter_map(|action| match action {
                Action::Send(frame) => Some(frame.journal),
                _ => None,
            })
            .collect();
        for frame in sent {
            self.give(&Input::Sent(frame.as_bytes()));
            self.answer(&frame);
        }
    }

    /// What the exchange says to a command.
    fn answer(&mut self, frame: &str) {
        let command: serde_json::Value = serde_json::from_str(frame).unwrap();
        let content = match command["method"].as_str().unwrap() {
            "WatchOrders" => r#","orders":[{"id":1,"quantity":-10000,"price":32000,"time":1580472000000000}]"#,
            "WatchTicker" => r#","last":null,"bid":31000,"ask":32000,"low":null,"high":null,"volume":0"#,
            "GetBalances" => {
                r#","balances":[{"asset":63488,"balance":50000,"reserved_balance":0,"total_balance":50000}]"#
            }
            "GetOrders" => r#","orders":[]"#,
            _ => "",
        };
        self.receive(&format!(r#"{{"error_code":0,"tag":{}{content}}}"#, command["tag"]));
    }

    /// A frame arrives.
    pub fn receive(&mut self, frame: &str) {
        self.give(&Input::Received(frame.as_bytes()));
    }

    /// A binary frame arrives.
    pub fn receive_binary(&mut self, frame: &[u8]) {
        self.give(&Input::ReceivedBinary(frame));
    }

    /// Time passes.
    pub fn wait(&mut self, time: i64) {
        self.now += time;
    }

    /// What came so far becomes durable.
    pub fn commit(&mut self) {
        let batch = self.tape.ship(Batch::default());
        self.recording.store.write(&batch).unwrap();
        self.recording.store.mark_durable(self.recording.stamp(self.now).wall).unwrap();
        self.recording.store.commit_group().unwrap();
    }

    /// The connection ends, and all of it becomes durable. Says when.
    pub fn close(mut self, cause: CloseCause) -> i64 {
        self.give(&Input::Closed(Closed::new(cause, "")));
        self.commit();
        self.now
    }
}

/// A recording of one session, ended in order.
pub fn standard() -> (TempDir, PathBuf) {
    session_of(|session| MARKET.iter().for_each(|frame| session.receive(frame)))
}

/// The same, followed by frames that nobody understands.
pub fn everything() -> (TempDir, PathBuf) {
    session_of(|session| {
        MARKET.iter().for_each(|frame| session.receive(frame));
        session.receive("{\n  \"notice\": \"Unheard\",\n  \"what\": \"\\u001b]0;pwned\\u0007\"\n}");
        session.receive_binary(b"\0\xff\n");
    })
}

fn session_of(content: impl FnOnce(&mut Session<'_>)) -> (TempDir, PathBuf) {
    let mut recording = Recording::start();
    let mut session = recording.connect(0);
    content(&mut session);
    session.commit();
    session.wait(30 * SECOND);
    let now = session.close(CloseCause::Stopped);
    recording.stop(now)
}

/// An order of ours is placed, filled in two parts, and closed; somebody else's is modified.
const MARKET: &[&str] = &[
    r#"{"notice":"OrderOpened","id":7,"tonce":99,"base":63488,"counter":65283,"quantity":10000,"price":31500,"time":1580472000100000}"#,
    r#"{"notice":"TickerChanged","base":63488,"counter":65283,"bid":31500}"#,
    r#"{"notice":"OrderOpened","id":8,"base":63488,"counter":65283,"quantity":-4000,"price":31500,"time":1580472000200000}"#,
    r#"{"notice":"OrdersMatched","bid":7,"bid_tonce":99,"ask":8,"base":63488,"counter":65283,"quantity":4000,"price":31500,"total":12600,"bid_rem":6000,"ask_rem":0,"taker_side":"ask","taker":false,"time":1580472000200000,"bid_base_fee":0,"bid_counter_fee":12}"#,
    r#"{"notice":"OrderClosed","id":8,"base":63488,"counter":65283,"quantity":0,"price":31500}"#,
    r#"{"notice":"BalanceChanged","asset":63488,"balance":54000}"#,
    r#"{"notice":"OrderModified","id":1,"base":63488,"counter":65283,"quantity":-9000,"price":32000,"time":1580472000300000}"#,
    r#"{"notice":"OrdersMatched","bid":7,"bid_tonce":99,"base":63488,"counter":65283,"quantity":6000,"price":31500,"total":18900,"bid_rem":0,"taker_side":"ask","taker":false,"time":1580472061000000,"bid_base_fee":0,"bid_counter_fee":19}"#,
    r#"{"notice":"OrderClosed","id":7,"tonce":99,"base":63488,"counter":65283,"quantity":0,"price":31500,"time_closed":1580472061000000}"#,
    r#"{"notice":"TickerChanged","base":63488,"counter":65283,"last":31500,"bid":null,"volume":10000}"#,
    r#"{"notice":"TradeVolumeChanged","asset":63488,"volume":10000}"#,
];

/// Runs the program, and gives back what it printed.
pub fn feedtape(args: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("feedtape").unwrap().args(args).output().unwrap()
}

/// Standard output of a command that must succeed.
pub fn printed(args: &[&str]) -> String {
    let output = feedtape(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a command.
pub fn refused(args: &[&str]) -> (Option<i32>, String) {
    let output = feedtape(args);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn open(path: &Path) -> Store {
    let settings = Settings { path: path.to_owned(), durability: Durability::ProcessKill, min_free_space: 0 };
    Store::open(settings).unwrap()
}

fn plan() -> Plan {
    let subscribe = |method: &str| SubscribePlan {
        method: method.to_owned(),
        markets: vec![MarketPattern::parse("XBT:USDT").unwrap()],
        stale_after: None,
        options: Default::default(),
    };
    Plan {
        source: "flex".into(),
        venue: "coinflex".into(),
        url: "ws://localhost/v1".into(),
        user: Some(UserId(1)),
        first: true,
        subscribe: vec![subscribe("WatchOrders"), subscribe("WatchTicker")],
        ..Plan::default()
    }
}

fn catalog() -> Catalog {
    let asset =
        |code, name: &str| Asset { code: Some(AssetCode(code)), name: name.to_owned(), places: Some(4), spot: None };
    Catalog {
        valid_from: Timestamp(NOON),
        other_until: None,
        origin: CatalogOrigin::Exchange,
        assets: vec![asset(63488, "XBT"), asset(65283, "USDT")],
        markets: vec![Market {
            name: "XBT:USDT".to_owned(),
            base: "XBT".to_owned(),
            counter: "USDT".to_owned(),
            base_code: Some(AssetCode(63488)),
            counter_code: Some(AssetCode(65283)),
            price_places: Some(4),
            quantity_places: Some(4),
            tick: Some(10_000),
            starts: None,
            expires: None,
        }],
    }
}

#[derive(Debug)]
struct NoNonce;

impl Randomness for NoNonce {
    fn nonce(&self) -> Nonce {
        Nonce::from_base64("8IyYyvH9gujOqYJdv/BP0A==").unwrap()
    }
}
