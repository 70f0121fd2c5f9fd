//! What the whole path costs: `cargo bench --bench pipeline -- --help`; figures and how they are taken are in
//! benches/README.md.
//!
//! A generator in a process of its own sends frames over loopback to a recorder in another, which runs what `feedtape
//! record` runs and writes into a real file. In the same run is the floor: what one would write by hand, without a
//! socket and without checks.

#![allow(clippy::print_stdout, reason = "the figures are the result")]

mod feed;
mod file;
mod floor;
mod machine;
mod pool;
mod record;
mod stages;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use feedtape::config::Durability;
use serde_json::{Map, Value, json};

use machine::Machine;
use pool::Pool;
use record::{Load, Recorded};
use stages::{Arrivals, Stage};

/// Measures the whole path from the socket to the disk
#[derive(clap::Parser)]
struct Args {
    /// Messages at full speed
    #[arg(long, default_value_t = 20_000_000)]
    messages: u64,
    /// Rows of the large file
    #[arg(long, default_value_t = 50_000_000)]
    rows: u64,
    /// Folder for the files, on the file system to measure; not in memory
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Also write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Few messages and short times: to see that it works, not how fast
    #[arg(long)]
    quick: bool,
    /// Only these parts
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// The processes that this one starts.
#[derive(clap::Subcommand)]
#[command(hide = true)]
enum Role {
    #[command(hide = true)]
    Feed(feed::Args),
    #[command(hide = true)]
    Record(record::Args),
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The floor, and full speed with each durability
    Speed,
    /// Ten connections into one database
    Ten,
    /// Socket, session and sink by themselves
    Stages,
    /// From arrival to being durable, at three rates with each durability
    Lag,
    /// Memory while nothing can be written
    Stall,
    /// Subscriptions on which nothing comes
    Idle,
    /// Bytes at 20 messages a second
    Slow,
    /// A file with many rows: speed, start and queries
    History,
}

/// How much of everything.
struct Sizes {
    lap: usize,
    messages: u64,
    rows: u64,
    /// How long a rate is kept, and nothing happens.
    time: Duration,
    stall: Duration,
    /// Messages at 20 a second.
    slow: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match &args.role {
        Some(Role::Feed(args)) => feed::run(*args),
        Some(Role::Record(args)) => record::main(args),
        None => return measure(&args),
    }
    ExitCode::SUCCESS
}

fn measure(args: &Args) -> ExitCode {
    let folder = match &args.dir {
        Some(parent) => tempfile::TempDir::new_in(parent),
        None => tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")),
    };
    let folder = folder.expect("the folder can be written to");
    let machine = Machine::look(folder.path());
    if machine.file_system.is_memory() {
        println!("{} is no disk: give --dir a folder on one", machine.file_system.kind);
        return ExitCode::FAILURE;
    }
    let sizes = if args.quick {
        let (time, stall) = (Duration::from_secs(1), Duration::from_secs(2));
        Sizes { lap: 50_000, messages: 200_000, rows: 200_000, time, stall, slow: 2_000 }
    } else {
        let (time, stall) = (Duration::from_secs(10), Duration::from_secs(10));
        let lap = usize::try_from(args.messages / 10).unwrap_or(usize::MAX).clamp(10_000, 1_000_000);
        Sizes { lap, messages: args.messages, rows: args.rows, time, stall, slow: 50_000 }
    };
    let pool = Arc::new(Pool::new(sizes.lap));
    println!(
        "{}, {} cores, Linux {}; {} on {}, fsync p50 {} µs; SQLite {}",
        machine.processor,
        machine.cores,
        machine.kernel,
        machine.file_system.kind,
        machine.file_system.device,
        machine.fsync.as_micros(),
        rusqlite::version()
    );
    println!("{:.1} bytes a message, {:?} of {}", pool.text_bytes(), pool.mix, pool.messages());
    let mut bench = Bench { folder: folder.path().to_owned(), sizes, pool, figures: Map::new() };
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    bench.note("machine", machine.json());
    type Measure = fn(&mut Bench);
    let parts: [(Part, Measure); 8] = [
        (Part::Speed, Bench::speed),
        (Part::Ten, Bench::ten),
        (Part::Stages, Bench::stages),
        (Part::Lag, Bench::lag),
        (Part::Stall, Bench::stall),
        (Part::Idle, Bench::idle),
        (Part::Slow, Bench::slow),
        (Part::History, Bench::history),
    ];
    for (_, measure) in parts.into_iter().filter(|(part, _)| wanted(*part)) {
        measure(&mut bench);
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&bench.figures).expect("numbers are JSON");
        fs::write(path, text + "\n").expect("the figures are written");
    }
    ExitCode::SUCCESS
}

/// What has been measured so far.
struct Bench {
    folder: PathBuf,
    sizes: Sizes,
    pool: Arc<Pool>,
    figures: Map<String, Value>,
}

impl Bench {
    fn note(&mut self, name: &str, figures: Value) {
        self.figures.insert(name.to_owned(), figures);
    }

    /// A database that is not there yet.
    fn fresh(&self) -> PathBuf {
        let path = self.folder.join("bench.db");
        for end in ["", "-wal", "-shm", ".lock"] {
            // Most are not there.
            let _ = fs::remove_file(self.folder.join(format!("bench.db{end}")));
        }
        path
    }

    fn load(&self) -> Load {
        Load::new(&self.fresh(), self.sizes.lap, self.sizes.messages)
    }

    fn speed(&mut self) {
        let messages = self.sizes.messages;
        let floor = floor::run(&self.fresh(), &self.pool, messages);
        let floor_rate = floor.messages as f64 / floor.seconds;
        println!(
            "floor: {:.0} messages/s, {:.2} CPU s/M, {:.1} bytes/message",
            floor_rate,
            floor.cpu_s / floor.messages as f64 * 1e6,
            floor.bytes as f64 / floor.messages as f64
        );
        self.note(
            "floor",
            json!({
                "messages": floor.messages, "messages_per_s": floor_rate, "rows_per_s": 2.0 * floor_rate,
                "cpu_s_per_million": floor.cpu_s / floor.messages as f64 * 1e6,
                "bytes_per_message": floor.bytes as f64 / floor.messages as f64,
            }),
        );
        for durability in [Durability::ProcessKill, Durability::PowerLoss] {
            let load = Load { durability, ..self.load() };
            let recorded = record::run(&load);
            let name = format!("full_speed_{}", durability.as_str().replace('-', "_"));
            let mut figures = self.full_speed(&load, &recorded);
            figures["of_floor"] = json!(messages as f64 / recorded.seconds / floor_rate);
            println!("    {:.2} x the floor", messages as f64 / recorded.seconds / floor_rate);
            self.note(&name, figures);
        }
    }

    /// What there is to say of a load at full speed.
    fn full_speed(&self, load: &Load, recorded: &Recorded) -> Value {
        let messages = load.messages / load.connections * load.connections;
        let rows = file::rows(&load.database, messages);
        let (bytes, bytes_by_message) = file::bytes(&load.database).by_message(messages);
        let (rate, cpu) = (messages as f64 / recorded.seconds, recorded.cpu_s / messages as f64 * 1e6);
        println!(
            "full speed, {}, {} connections: {:.0} messages/s, {:.2} CPU s/M ({:.2} of it the main thread), \
             peak RSS {:.1} MiB, lag p50 {} p99 {} max {} ms, of books {} and at most {} ms",
            load.durability.as_str(),
            load.connections,
            rate,
            cpu,
            recorded.main_cpu_s / messages as f64 * 1e6,
            recorded.peak_rss as f64 / f64::from(1 << 20),
            recorded.lag_p50 / 1_000_000,
            recorded.lag_p99 / 1_000_000,
            recorded.lag_max / 1_000_000,
            recorded.books_lag.0 / 1_000_000,
            recorded.books_lag.1 / 1_000_000
        );
        println!("    {bytes}; {} commits", recorded.commits);
        json!({
            "messages": messages, "seconds": recorded.seconds, "messages_per_s": rate,
            "rows_per_s": rows as f64 / recorded.seconds, "cpu_s_per_million": cpu,
            "main_cpu_s_per_million": recorded.main_cpu_s / messages as f64 * 1e6,
            "peak_rss_bytes": recorded.peak_rss, "commits": recorded.commits,
            "lag_ns": {"p50": recorded.lag_p50, "p99": recorded.lag_p99, "max": recorded.lag_max,
                "books_p50": recorded.books_lag.0, "books_max": recorded.books_lag.1},
            "bytes_per_message": bytes_by_message,
            "samples": recorded.samples,
        })
    }

    fn ten(&mut self) {
        let one = Load { connections: 1, ..self.load() };
        let one_recorded = record::run(&one);
        let ten = Load { connections: 10, ..self.load() };
        let recorded = record::run(&ten);
        let mut figures = self.full_speed(&ten, &recorded);
        let of_one = one_recorded.seconds / recorded.seconds;
        println!("    {of_one:.2} x one connection");
        figures["of_one"] = json!(of_one);
        self.note("ten_connections", figures);
    }

    fn stages(&mut self) {
        let messages = self.sizes.messages.min(5_000_000);
        let arrivals = Arrivals { batch: 4_000, group: 4, step: 1 };
        let stages = [
            ("socket only", stages::socket(self.sizes.lap, messages)),
            ("socket and session", stages::session(self.sizes.lap, messages)),
            ("sink only", stages::sink(&self.fresh(), &self.pool, messages, &arrivals)),
        ];
        let mut figures = Map::new();
        for (name, Stage { messages, seconds, cpu_s }) in stages {
            let (rate, cpu) = (messages as f64 / seconds, cpu_s / messages as f64 * 1e6);
            println!("{name}: {rate:.0} messages/s, {cpu:.2} CPU s/M");
            figures.insert(name.replace(' ', "_"), json!({"messages_per_s": rate, "cpu_s_per_million": cpu}));
        }
        self.note("stages", figures.into());
    }

    fn lag(&mut self) {
        let mut figures = Map::new();
        for durability in [Durability::PowerLoss, Durability::ProcessKill] {
            for rate in [1_000, 20_000, 100_000, 200_000] {
                let messages = rate * self.sizes.time.as_secs();
                let load = Load { durability, rate, messages, ..self.load() };
                let recorded = record::run(&load);
                file::rows(&load.database, messages);
                let ms = |ns: u64| ns as f64 / 1e6;
                println!(
                    "{rate} messages/s, {}: lag p50 {:.1} p99 {:.1} max {:.1} ms, of books {:.0} and at most {:.0} ms; \
                     {:.2} CPU s/M",
                    durability.as_str(),
                    ms(recorded.lag_p50),
                    ms(recorded.lag_p99),
                    ms(recorded.lag_max),
                    ms(recorded.books_lag.0),
                    ms(recorded.books_lag.1),
                    recorded.cpu_s / messages as f64 * 1e6
                );
                let (books_p50, books_max) = recorded.books_lag;
                let lag = json!({"p50": recorded.lag_p50, "p99": recorded.lag_p99, "max": recorded.lag_max,
                    "books_p50": books_p50, "books_max": books_max});
                figures.insert(format!("{}_{rate}", durability.as_str()), lag);
            }
        }
        self.note("lag_ns", figures.into());
    }

    fn stall(&mut self) {
        // Long enough for the stall to come in the middle.
        let messages = self.sizes.messages.min(5_000_000);
        let rate = messages / 5;
        let load = Load { stall: self.sizes.stall, messages, rate, ..self.load() };
        let recorded = record::run(&load);
        file::rows(&load.database, messages);
        println!(
            "stalled for {:?}: peak RSS {:.1} MiB",
            self.sizes.stall,
            recorded.peak_rss as f64 / f64::from(1 << 20)
        );
        self.note(
            "stall",
            json!({"stall_s": self.sizes.stall.as_secs_f64(), "peak_rss_bytes": recorded.peak_rss,
            "samples": recorded.samples}),
        );
    }

    fn idle(&mut self) {
        let quiet = 100 - 2 * pool::MARKETS.len();
        let load = Load { messages: 0, quiet, idle: self.sizes.time, ..self.load() };
        let recorded = record::run(&load);
        let share = recorded.idle_cpu_s / self.sizes.time.as_secs_f64();
        println!("100 quiet subscriptions: {:.3} % of a core", share * 100.0);
        self.note("idle", json!({"subscriptions": 100, "share_of_a_core": share}));
    }

    fn slow(&mut self) {
        let path = self.fresh();
        let messages = self.sizes.slow;
        stages::sink(&path, &self.pool, messages, &Arrivals { batch: 1, group: 1, step: 50_000 });
        let (words, mut figures) = file::bytes(&path).by_message(messages);
        println!("20 messages/s, merged: {words}");
        figures["messages"] = json!(messages);
        self.note("slow_bytes_per_message", figures);
    }

    fn history(&mut self) {
        let more = (self.sizes.rows / 20).max(1);
        let young = self.load();
        let young = record::run(&Load { messages: 2 * more, ..young });
        let path = self.fresh();
        // A month at 20 messages a second.
        stages::sink(&path, &self.pool, self.sizes.rows, &Arrivals { batch: 2_000, group: 1, step: 50_000 });
        let old = record::run(&Load { messages: 2 * more, ..Load::new(&path, self.sizes.lap, 0) });
        let rate = |recorded: &Recorded| recorded.rate_between(more / 2, 2 * more).unwrap_or(0.0);
        let ratio = rate(&old) / rate(&young);
        println!(
            "at {} rows: {:.0} messages/s, {ratio:.2} x that of a new file; first message durable after {:.3} s ({:.3} s \
             in a new file)",
            self.sizes.rows,
            rate(&old),
            old.first_s,
            young.first_s
        );
        let mut queries = Map::new();
        for file::Timed { name, cold, warm, rows } in file::queries(&path) {
            println!("    {name}: {:.1} ms, {:.1} ms warm, {rows} rows", ms(cold), ms(warm));
            queries.insert(name.to_owned(), json!({"cold_ms": ms(cold), "warm_ms": ms(warm), "rows": rows}));
        }
        self.note(
            "history",
            json!({"rows": self.sizes.rows, "messages_per_s": rate(&old), "of_new": ratio,
            "first_s": old.first_s, "queries": queries}),
        );
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
