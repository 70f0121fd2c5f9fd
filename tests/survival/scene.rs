//! An exchange, a configuration, and the program recording the one as the other says, as a child process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use feedtape::crypto::Secret;
use feedtape::exchange::{Account, Decimal, Exchange, ExchangeConfig, Faults, ListingChoice, Running, Simulation};
use feedtape::model::{MarketPattern, UserId};
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use tempfile::TempDir;

use crate::machine::Machine;
use crate::rows::rows;

/// Nothing here takes this long unless something hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a stop may take. Five seconds are promised; a machine that builds something else beside takes longer.
pub const STOP_MAX: Duration = Duration::from_secs(15);

/// Events a second: as many as the exchange makes in a test build, and a recorder takes.
const FULL_SPEED: u32 = 5_000;

/// What a recorder reported: the last durable record of each session.
pub type Reported = BTreeMap<i64, i64>;

/// An exchange, and a folder for what is recorded of it.
pub struct Scene {
    pub exchange: Running,
    pub folder: TempDir,
}

impl Scene {
    /// With traders at full speed on XBT:USDT.
    pub fn new() -> Self {
        Self::with(Faults::new(), FULL_SPEED)
    }

    /// With faults, and so many events a second.
    pub fn with(faults: Faults, rate: u32) -> Self {
        Self::at(ExchangeConfig::default().listen, faults, rate)
    }

    /// The same, where the exchange listens there.
    pub fn at(listen: SocketAddr, faults: Faults, rate: u32) -> Self {
        let traders = Simulation {
            markets: vec![MarketPattern::parse("XBT:USDT").unwrap()],
            rate: rate.try_into().unwrap(),
            ..Simulation::default()
        };
        let config = ExchangeConfig {
            listing: ListingChoice::CoinFlex { year: Some(2020) },
            traders: Some(traders),
            faults,
            listen,
            accounts: vec![account()],
            ..ExchangeConfig::default()
        };
        Self { exchange: Exchange::start(config).unwrap(), folder: TempDir::new().unwrap() }
    }

    /// A machine that does as it is told.
    pub fn machine(&self) -> Machine {
        Machine::new(self.folder.path())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Stops a recorder: see [`Recorder::stopped`].
    pub fn stopped(&self, recorder: Recorder, what: &str) -> Recording {
        recorder.stopped(&self.path("test.db"), what)
    }

    /// Writes a configuration that records book and ticker of XBT:USDT into that database, with `more` of the file's
    /// own keys, and returns its path.
    pub fn config(&self, database: &Path, more: &str) -> PathBuf {
        let text = format!(
            "database = {database:?}\nmin_free_space = \"0B\"\n{more}\n{}",
            self.source("test", &["WatchOrders", "WatchTicker"])
        );
        let path = self.path("test.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// A `[[source]]` that subscribes to XBT:USDT by these methods.
    pub fn source(&self, name: &str, methods: &[&str]) -> String {
        let (url, rest_url) = (self.exchange.ws_url(), self.exchange.rest_url());
        let mut text =
            format!("[[source]]\nname = {name:?}\nvenue = \"coinflex\"\nurl = {:?}\nrest_url = {:?}\n", url, rest_url);
        for method in methods {
            text += &format!("[[source.subscribe]]\nmethod = {method:?}\nmarkets = [\"XBT:USDT\"]\n");
        }
        text
    }
}

/// Who can log in.
fn account() -> Account {
    Account {
        id: UserId(9),
        cookie: Secret::new("HGREqcILTz8blHa/jsUTVTNBJlg=".to_owned()),
        passphrase: Secret::new("open sesame".to_owned()),
        balances: [("XBT".to_owned(), Decimal("5".to_owned()))].into(),
    }
}

/// The program, not started yet.
pub fn feedtape() -> Command {
    Command::new(env!("CARGO_BIN_EXE_feedtape"))
}

/// `feedtape record CONFIG --progress json`.
pub fn record(config: &Path) -> Command {
    let mut command = feedtape();
    command.args(["record", "--progress", "json"]).arg(config);
    command
}

/// A recorder that has reported so many records. Its configuration is `test.toml`.
pub fn started(records: i64) -> (Scene, Recorder) {
    let scene = Scene::new();
    let config = scene.config(&scene.path("test.db"), "");
    let mut recorder = Recorder::start(record(&config));
    recorder.until_reported(records);
    (scene, recorder)
}

/// [`started`], on a machine that does as it is told.
pub fn started_on_machine(scene: Scene, records: i64) -> (Scene, Machine, Recorder) {
    let machine = scene.machine();
    let config = scene.config(&scene.path("test.db"), "");
    let mut recorder = Recorder::start(machine.under(record(&config), &scene.path("test.db")));
    recorder.until_reported(records);
    (scene, machine, recorder)
}

/// A recorder at work. Killed when dropped.
pub struct Recorder {
    child: Child,
    lines: Receiver<String>,
    reported: Reported,
    told: Arc<Mutex<String>>,
    telling: Option<JoinHandle<()>>,
}

#[derive(Deserialize)]
struct Line {
    session: i64,
    seq: i64,
}

impl Recorder {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (to, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Ends with the child's output. Half a line that a killed process left is none.
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let told = Arc::new(Mutex::new(String::new()));
        let telling = thread::spawn({
            let told = Arc::clone(&told);
            move || {
                for line in stderr.lines() {
                    *told.lock().unwrap() += &format!("{}\n", line.expect("what it says is UTF-8"));
                }
            }
        });
        Self { child, lines, reported: Reported::new(), told, telling: Some(telling) }
    }

    /// One that tells us nothing, for its streams lead elsewhere.
    pub fn silent(mut command: Command) -> Self {
        let child = command.spawn().expect("it starts");
        Self { child, lines: channel().1, reported: Reported::new(), told: Arc::default(), telling: None }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has reported more than so many records of its live sessions.
    pub fn until_reported(&mut self, records: i64) {
        let deadline = Instant::now() + PATIENCE;
        while self.reported.values().sum::<i64>() <= records {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.take(&line),
                Err(error) => panic!("it reports nothing more ({error}): {}", self.told_at_its_end()),
            }
        }
    }

    /// What it has reported until now.
    pub fn so_far(&mut self) -> Reported {
        while let Ok(line) = self.lines.try_recv() {
            self.take(&line);
        }
        self.reported.clone()
    }

    /// Waits until it reports anything, after having reported what there is.
    pub fn until_it_goes_on(&mut self) {
        let so_far = self.so_far().values().sum();
        self.until_reported(so_far);
    }

    /// Waits until it has reported so much, or has ended before. Whether it has ended.
    pub fn try_until_reported(&mut self, records: i64) -> bool {
        while self.reported.values().sum::<i64>() <= records {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.take(&line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => panic!("it reports nothing more: {}", self.told_at_its_end()),
            }
        }
        false
    }

    fn take(&mut self, line: &str) {
        if let Ok(Line { session, seq }) = serde_json::from_str(line) {
            let last = self.reported.insert(session, seq);
            assert!(last < Some(seq), "session {session}: {seq} after {last:?}");
        }
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for it to end; what it reported, how it ended and what it said on standard error.
    pub fn end(mut self) -> (Reported, ExitStatus, String) {
        let status = self.wait(PATIENCE).expect("it ends");
        while let Ok(line) = self.lines.recv() {
            self.take(&line);
        }
        self.telling.take().unwrap().join().unwrap();
        (std::mem::take(&mut self.reported), status, std::mem::take(&mut self.told.lock().unwrap()))
    }

    /// Stops it: it ends well and has recorded all that it reported into that database, with nothing to be said against it.
    pub fn stopped(self, database: &Path, what: &str) -> Recording {
        self.signal("TERM");
        let (reported, status, told) = self.end();
        assert_eq!(status.code(), Some(0), "{what}: {told}");
        let recording = Recording::open(database);
        recording.has_all(&reported, what);
        verify(database, what);
        recording
    }

    /// Waits for it to end, for so long.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return Some(status),
                None if Instant::now() >= deadline => return None,
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// How often it has said that on standard error.
    pub fn said(&self, what: &str) -> usize {
        self.told.lock().unwrap().matches(what).count()
    }

    fn told_at_its_end(&mut self) -> String {
        let _ = self.child.kill();
        let status = self.child.wait();
        format!("{status:?}: {}", self.told.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A recording, as it lies on the disk. Nothing is written to it, so what a killed recorder left stays as it is.
pub struct Recording {
    connection: Connection,
}

impl Recording {
    pub fn open(path: &Path) -> Self {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        Self { connection }
    }

    /// The rows of a query, columns joined by a space.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.connection, sql)
    }

    /// A number, if the file is as far as having it.
    pub fn try_number(&self, sql: &str) -> Option<i64> {
        self.connection.query_row(sql, [], |row| row.get(0)).ok()
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0].parse().unwrap()
    }

    /// Fails unless the file is sound and has every reported record, each once.
    pub fn has_all(&self, reported: &Reported, what: &str) {
        assert_eq!(self.rows("PRAGMA integrity_check"), ["ok"], "{what}");
        assert_eq!(self.rows("PRAGMA foreign_key_check").len(), 0, "{what}");
        for (session, seq) in reported {
            let spans = format!(
                "SELECT min(first_seq), max(first_seq + frames) - 1, max(first_seq + frames) - sum(frames) \
                 FROM frame_span WHERE session = {session}"
            );
            let spans = self.rows(&spans);
            let spans: Vec<i64> = spans[0].split(' ').filter_map(|n| n.parse().ok()).collect();
            let [0, last, 0] = spans[..] else { panic!("{what}: session {session}, {seq} reported: {spans:?}") };
            assert!(last >= *seq, "{what}: session {session} has {last}, {seq} was reported");
        }
        let blocks = "SELECT count(*) FROM (SELECT first, lag(first + frames) OVER (ORDER BY first) AS next FROM frame_block) \
             WHERE first <> next";
        assert_eq!(self.number(blocks), 0, "{what}: the numbers of the journal have a hole");
    }
}

/// Fails unless `feedtape verify` has nothing to say: file, journal, every row against a rebuild, coverage.
pub fn verify(path: &Path, what: &str) {
    let verified = feedtape().arg("verify").arg(path).output().unwrap();
    let told = [verified.stdout, verified.stderr].concat();
    assert!(verified.status.success(), "{what}: {}", String::from_utf8_lossy(&told));
}

/// Holds the lock of a database, as another program that writes to it.
pub fn lock(database: &Path) -> Connection {
    let foreign = Connection::open(database).unwrap();
    foreign.busy_timeout(PATIENCE).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    foreign
}

/// Waits for something to be so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The wall clock, as recordings have it.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// A number from the environment, for the long variants of tests.
pub fn from_env(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
