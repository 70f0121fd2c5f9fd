//! What a recorded file contains, and how quickly it answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// Bytes of a file by what they are for.
#[derive(Clone, Debug, Default)]
pub struct Bytes {
    /// The journal: compressed blocks of frames, and where each session's are.
    pub raw: u64,
    /// Rows of orders, trades, tickers and books.
    pub typed: u64,
    /// Indexes of these tables.
    pub indexes: u64,
    /// Everything else that ships: derived tables, runs, sessions, coverage.
    pub other: u64,
    pub file: u64,
    /// Indexes of these tables, and what is derived of books, each by itself.
    pub each: BTreeMap<String, u64>,
}

impl Bytes {
    /// The same by message: in words, and in JSON.
    pub fn by_message(&self, messages: u64) -> (String, Value) {
        let per = |bytes: u64| bytes as f64 / messages as f64;
        let Self { raw, typed, indexes, other, file, each } = self;
        let all = raw + typed + indexes + other;
        let each: BTreeMap<_, _> = each.iter().map(|(name, bytes)| (name, per(*bytes))).collect();
        let named: Vec<_> = each.iter().map(|(name, bytes)| format!("{name} {bytes:.1}")).collect();
        let words = format!(
            "{:.1} bytes/message: {:.1} raw, {:.1} typed, {:.1} indexes, {:.1} other; file {:.1} ({})",
            per(all),
            per(*raw),
            per(*typed),
            per(*indexes),
            per(*other),
            per(*file),
            named.join(", ")
        );
        let figures = json!({"raw": per(*raw), "typed": per(*typed), "indexes": per(*indexes), "other": per(*other),
            "file": per(*file), "each": each});
        (words, figures)
    }
}

const TYPED: [&str; 8] =
    ["order_event", "order_detail", "trade", "trade_detail", "ticker", "book_snapshot", "book_order", "estimate"];

fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the file opens");
    connection.pragma_update(None, "cache_size", -65_536).expect("a pragma");
    connection
}

/// Counts the pages of each table.
pub fn bytes(path: &Path) -> Bytes {
    let connection = open(path);
    let sizes = "SELECT s.name, s.pgsize, m.type, m.tbl_name FROM dbstat AS s LEFT JOIN sqlite_schema AS m \
        ON m.name = s.name WHERE s.aggregate = TRUE";
    let mut sizes = connection.prepare(sizes).expect("SQLite has dbstat");
    let mut rows = sizes.query([]).expect("it answers");
    let mut found = Bytes { file: std::fs::metadata(path).expect("it is there").len(), ..Bytes::default() };
    while let Some(row) = rows.next().expect("it answers") {
        let (name, bytes): (String, i64) = (row.get(0).expect("a name"), row.get(1).expect("a size"));
        let kind: Option<String> = row.get(2).expect("a type");
        let table: Option<String> = row.get(3).expect("a table");
        let table = table.unwrap_or_default();
        let bytes = bytes as u64;
        let is_index = kind.as_deref() == Some("index") && name != table;
        if table.starts_with("book_") && !TYPED.contains(&table.as_str()) {
            *found.each.entry(table.clone()).or_default() += bytes;
        } else if is_index && TYPED.contains(&table.as_str()) {
            *found.each.entry(name).or_default() += bytes;
        }
        if table.starts_with("frame_") {
            found.raw += bytes;
        } else if !TYPED.contains(&table.as_str()) {
            found.other += bytes;
        } else if is_index {
            found.indexes += bytes;
        } else {
            found.typed += bytes;
        }
    }
    found
}

/// Rows of the market, and whether everything that should be there is, and nothing else.
pub fn rows(path: &Path, messages: u64) -> u64 {
    let connection = open(path);
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("it answers") as u64;
    let rows = ["order_event", "trade", "ticker"].map(|table| count(&format!("SELECT count(*) FROM {table}")));
    let answers = count("SELECT count(*) FROM ticker WHERE kind = 1");
    assert_eq!(rows.iter().sum::<u64>() - answers, messages, "each message is a row");
    assert_eq!(count("SELECT count(*) FROM finding"), 0, "the feed contradicts itself nowhere");
    assert_eq!(count("SELECT count(*) FROM not_understood"), 0, "all of the feed is understood");
    let frames = count("SELECT sum(frames) FROM frame_block");
    assert!(frames >= messages, "{frames} frames are kept of {messages}");
    rows.iter().sum()
}

/// A query and how long it took: the first time, and the median of later ones.
pub struct Timed {
    pub name: &'static str,
    pub cold: Duration,
    pub warm: Duration,
    pub rows: usize,
}

/// What users ask most. The hour is one in the middle of the file.
const QUERIES: [(&str, &str); 7] = [
    ("newest 100 trades of a market", "SELECT * FROM trades WHERE market = 'XBT:USDT' ORDER BY time DESC LIMIT 100"),
    (
        "newest 100 order events of a market",
        "SELECT * FROM order_events WHERE market = 'XBT:USDT' ORDER BY id DESC LIMIT 100",
    ),
    (
        "trades of a market in an hour",
        "WITH hour AS (SELECT from_at AS at FROM frame_block WHERE first > (SELECT max(first) / 2 FROM frame_block) \
            ORDER BY first LIMIT 1) \
        SELECT * FROM trade WHERE market = (SELECT id FROM market WHERE name = 'XBT:USDT') \
            AND time BETWEEN (SELECT at FROM hour) AND (SELECT at FROM hour) + 3600000000000",
    ),
    (
        "order events of a market in an hour",
        "WITH hour AS (SELECT from_at AS at FROM frame_block WHERE first > (SELECT max(first) / 2 FROM frame_block) \
            ORDER BY first LIMIT 1) \
        SELECT * FROM order_event \
        WHERE id >= (SELECT first << 22 FROM frame_block WHERE to_at >= (SELECT at FROM hour) ORDER BY to_at LIMIT 1) \
            AND id < (SELECT first << 22 FROM frame_block WHERE to_at >= (SELECT at FROM hour) + 3600000000000 \
            ORDER BY to_at LIMIT 1) \
            AND instrument IN (SELECT i.id FROM instrument i JOIN market m ON m.id = i.market WHERE m.name = 'XBT:USDT')",
    ),
    (
        "the book of a market at a time",
        "SELECT * FROM book WHERE market = 'XBT:USDT' \
            AND at = (SELECT from_at FROM frame_block WHERE first > (SELECT max(first) / 2 FROM frame_block) \
            ORDER BY first LIMIT 1)",
    ),
    ("coverage", "SELECT * FROM coverage LIMIT 100"),
    ("all order events (a full scan)", "SELECT count(*), sum(quantity) FROM order_event"),
];

/// How often each is asked.
const TIMES: usize = 5;

/// Times them.
pub fn queries(path: &Path) -> Vec<Timed> {
    let connection = open(path);
    let ask = |sql: &str| {
        let start = Instant::now();
        let mut statement = connection.prepare(sql).expect("the query is right");
        let mut rows = statement.query([]).expect("it answers");
        let mut count = 0;
        while rows.next().expect("it answers").is_some() {
            count += 1;
        }
        (start.elapsed(), count)
    };
    let time = |(name, sql): &(&'static str, &str)| {
        let (cold, rows) = ask(sql);
        let mut times: Vec<_> = (0..TIMES).map(|_| ask(sql).0).collect();
        times.sort();
        Timed { name, cold, warm: times[TIMES / 2], rows }
    };
    QUERIES.iter().map(time).collect()
}
