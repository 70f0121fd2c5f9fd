//! The recorder: a process of its own that runs what `feedtape record` runs, and measures itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use feedtape::config::{Config, Durability};
use feedtape::recorder::{Recorder, View};
use feedtape::sink::EventKind;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::feed::{self, Feed};
use super::machine;
use super::pool::{self, MARKETS};

/// How often the recorder is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// How often what it looks like is noted.
const SAMPLE: Duration = Duration::from_millis(100);

/// What to record.
pub struct Load {
    /// The database; goes on with what is there.
    pub database: PathBuf,
    pub durability: Durability,
    /// Messages of a lap.
    pub lap: usize,
    /// Messages in all.
    pub messages: u64,
    /// Messages a second in all; 0: as fast as possible.
    pub rate: u64,
    pub connections: u64,
    /// How long to keep a lock on the database once recording is well under way.
    pub stall: Duration,
    /// How long to go on when all is stored.
    pub idle: Duration,
    /// Subscriptions beside those to the pool's markets.
    pub quiet: usize,
}

impl Load {
    /// As fast as possible into that file.
    pub fn new(database: &Path, lap: usize, messages: u64) -> Self {
        Self {
            database: database.to_owned(),
            durability: Durability::PowerLoss,
            lap,
            messages,
            rate: 0,
            connections: 1,
            stall: Duration::ZERO,
            idle: Duration::ZERO,
            quiet: 0,
        }
    }

    fn config(&self, url: &str) -> String {
        let listing = pool::listing();
        let mut text = format!(
            "database = {:?}\ndurability = \"{}\"\ncommit_interval = \"50ms\"\nmin_free_space = \"1MiB\"\n",
            self.database,
            self.durability.as_str()
        );
        let quiet: Vec<_> = (0..self.quiet / 2).map(|n| (format!("Q{n}"), 10_000 + n)).collect();
        for connection in 0..self.connections {
            text += &format!("[[source]]\nname = \"feed{connection}\"\nvenue = \"coinflex\"\nurl = \"{url}\"\n");
            let quiet_names = quiet.iter().map(|(name, _)| format!("{name}:USDT"));
            let names: Vec<_> = MARKETS.iter().map(|name| (*name).to_owned()).chain(quiet_names).collect();
            for method in ["WatchOrders", "WatchTicker"] {
                text += &format!("[[source.subscribe]]\nmethod = \"{method}\"\nmarkets = {names:?}\n");
            }
            let mut assets: Vec<_> = MARKETS.iter().flat_map(|name| name.split(':')).collect();
            assets.sort_unstable();
            assets.dedup();
            for asset in assets.into_iter().map(|name| listing.asset_named(name).expect("it is listed")) {
                let feedtape::exchange::listing::Asset { name, code, scale, .. } = asset;
                text += &format!("[[source.asset]]\nname = \"{name}\"\ncode = {code}\nscale = {scale}\n");
            }
            for (name, code) in &quiet {
                text += &format!("[[source.asset]]\nname = \"{name}\"\ncode = {code}\nscale = 10000\n");
            }
            for (base, counter) in names.iter().map(|name| name.split_once(':').expect("BASE:COUNTER")) {
                text += &format!("[[source.market]]\nbase = \"{base}\"\ncounter = \"{counter}\"\n");
            }
        }
        text
    }
}

/// What came of it. Times are of the messages alone, from when the first arrived to when the last was durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// From the start of the process to when the first message was durable.
    pub first_s: f64,
    pub seconds: f64,
    pub cpu_s: f64,
    /// Of the main thread: sockets, sessions, checks.
    pub main_cpu_s: f64,
    pub peak_rss: u64,
    /// From arrival to being durable, in ns.
    pub lag_p50: u64,
    pub lag_p99: u64,
    pub lag_max: u64,
    /// CPU time used while idling, in seconds.
    pub idle_cpu_s: f64,
    pub stop_s: f64,
    pub commits: u64,
    /// Seconds, messages durable, bytes in memory.
    pub samples: Vec<(f64, u64, u64)>,
    /// How much older the newest event in checkpoints of books is than the newest one stored, in ns: the median and the
    /// largest of what was seen.
    pub books_lag: (u64, u64),
}

impl Recorded {
    /// Messages a second between two points of the run, given in messages durable.
    pub fn rate_between(&self, from: u64, to: u64) -> Option<f64> {
        let after = |messages: u64| self.samples.iter().find(|(_, durable, _)| *durable >= messages);
        let ((start, first, _), (end, last, _)) = (after(from)?, after(to)?);
        (end > start).then(|| (last - first) as f64 / (end - start))
    }
}

/// Records a load in processes of their own.
pub fn run(load: &Load) -> Recorded {
    let commands = 2 * MARKETS.len() + load.quiet / 2 * 2;
    let feed = Feed::start(&feed::Args {
        lap: load.lap,
        messages: load.messages / load.connections,
        rate: load.rate / load.connections,
        commands,
    });
    let config = load.database.with_extension("toml");
    fs::write(&config, load.config(&feed.url)).expect("the configuration is written");
    let messages = load.messages / load.connections * load.connections;
    let mut process = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["record", "--messages", &messages.to_string(), "--since", &since_1970().as_nanos().to_string()])
        .args(["--answers", &(load.connections * commands as u64 / 2).to_string()])
        .args(["--idle", &load.idle.as_secs_f64().to_string()])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the recorder starts");
    if !load.stall.is_zero() {
        stall(&load.database, load.stall);
    }
    let books = Books::watch(&load.database);
    let answer = std::io::read_to_string(process.stdout.take().expect("its output is piped")).expect("it answers");
    let status = process.wait().expect("it ends");
    assert!(status.success(), "the recorder failed: {status}");
    drop(feed);
    fs::remove_file(config).expect("it is there");
    let recorded: Recorded = serde_json::from_str(&answer).expect("the recorder answers in JSON");
    Recorded { books_lag: books.lag(), ..recorded }
}

/// Asks the file, as any reader would, how far what is derived is behind.
struct Books {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u64>>,
}

impl Books {
    fn watch(database: &Path) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (path, until) = (database.to_owned(), ended.clone());
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !until.load(Ordering::Relaxed) {
                std::thread::sleep(SAMPLE);
                // Not there yet, or locked for the moment.
                seen.extend(Self::ask(&path).ok().flatten());
            }
            seen
        });
        Self { ended, thread }
    }

    fn ask(path: &Path) -> rusqlite::Result<Option<u64>> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let lag = "SELECT max((SELECT received_at FROM order_event ORDER BY id DESC LIMIT 1) - at, 0) \
            FROM book_progress WHERE at > 0";
        let lag: Option<Option<i64>> = connection.query_row(lag, [], |row| row.get(0)).optional()?;
        Ok(lag.flatten().map(i64::unsigned_abs))
    }

    fn lag(self) -> (u64, u64) {
        self.ended.store(true, Ordering::Relaxed);
        let mut seen = self.thread.join().expect("the watching thread ends");
        seen.sort_unstable();
        (seen.get(seen.len() / 2).copied().unwrap_or(0), seen.last().copied().unwrap_or(0))
    }
}

/// Keeps the recorder from writing for a while, as another program that has the file's lock would.
fn stall(database: &Path, time: Duration) {
    std::thread::sleep(Duration::from_secs(2));
    let connection = Connection::open(database).expect("the database is there");
    connection.busy_timeout(Duration::from_secs(10)).expect("it has a time-out");
    connection.execute_batch("BEGIN IMMEDIATE").expect("the lock is to be had between two groups");
    std::thread::sleep(time);
    connection.execute_batch("ROLLBACK").expect("nothing was done");
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970")
}

/// What the process is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages to wait for
    #[arg(long)]
    messages: u64,
    /// Tickers that come as answers and are no messages
    #[arg(long)]
    answers: u64,
    /// When the process was started, in ns since 1970
    #[arg(long)]
    since: u64,
    /// Seconds to go on when all is stored
    #[arg(long)]
    idle: f64,
    /// The configuration
    config: PathBuf,
}

/// The recorder's own main.
pub fn main(args: &Args) {
    let config = Config::load(std::slice::from_ref(&args.config)).unwrap_or_else(|error| panic!("{error}"));
    let system = actix_rt::System::new();
    let recorded = system.block_on(record(args, &config));
    println!("{}", serde_json::to_string(&recorded).expect("numbers are JSON"));
}

async fn record(args: &Args, config: &Config) -> Recorded {
    let recorder = Recorder::start(config).await.unwrap_or_else(|error| panic!("{error}"));
    let view = recorder.view();
    let durable = |view: &View| {
        let events = [EventKind::Orders, EventKind::Trades, EventKind::Tickers].map(|kind| view.sink.events(kind));
        events.iter().sum::<u64>().saturating_sub(args.answers)
    };
    // Each connection is greeted, and has as many book answers as tickers.
    let connections = config.sources.len() as u64;
    let handshake = connections + 2 * args.answers;
    let received = |view: &View| view.sources().iter().map(|(_, progress)| progress.frames()).sum::<u64>();
    while args.messages > 0 && received(&view) <= handshake {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (start, cpu, main_cpu) = (Instant::now(), machine::process_cpu(), machine::thread_cpu());
    let mut samples = vec![(0.0, 0, machine::memory().1)];
    let mut sampled = start;
    let mut first = None;
    while durable(&view) < args.messages {
        tokio::select! {
            () = view.sink.committed() => {}
            () = tokio::time::sleep(GLANCE) => {}
        }
        if first.is_none() && durable(&view) > 0 {
            first = Some(since_1970().saturating_sub(Duration::from_nanos(args.since)));
        }
        if sampled.elapsed() >= SAMPLE {
            sampled = Instant::now();
            samples.push((start.elapsed().as_secs_f64(), durable(&view), machine::memory().1));
        }
    }
    let seconds = start.elapsed();
    let (cpu, main_cpu) = (machine::process_cpu() - cpu, machine::thread_cpu() - main_cpu);
    samples.push((seconds.as_secs_f64(), durable(&view), machine::memory().1));
    let idle = machine::process_cpu();
    tokio::time::sleep(Duration::from_secs_f64(args.idle)).await;
    let idle = machine::process_cpu() - idle;
    let stopping = Instant::now();
    recorder.stop().await.unwrap_or_else(|error| panic!("{error}"));
    let sessions: u64 = view.sources().iter().map(|(_, progress)| progress.sessions()).sum();
    assert_eq!(sessions, connections, "a connection was lost, so the figures are of something else");
    let lag = view.sink.lag();
    Recorded {
        first_s: first.unwrap_or_default().as_secs_f64(),
        seconds: seconds.as_secs_f64(),
        cpu_s: cpu.as_secs_f64(),
        main_cpu_s: main_cpu.as_secs_f64(),
        peak_rss: machine::memory().0,
        lag_p50: lag.quantile(0.5).unwrap_or(0),
        lag_p99: lag.quantile(0.99).unwrap_or(0),
        lag_max: lag.max(),
        idle_cpu_s: idle.as_secs_f64(),
        stop_s: stopping.elapsed().as_secs_f64(),
        commits: view.sink.commits(),
        samples,
        books_lag: (0, 0),
    }
}
