//! The floor: what one would write by hand, without a socket. One thread decodes each of the same frames with
//! serde_json and inserts its text and its typed row by prepared statements; no index, no check, no coverage.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde::Deserialize;

use super::machine;
use super::pool::{Cursor, Pool};

/// Messages a transaction, each of which is two rows.
const MESSAGES_PER_TRANSACTION: u64 = 10_000;

/// What came of it.
pub struct Floor {
    pub messages: u64,
    pub seconds: f64,
    pub cpu_s: f64,
    pub bytes: u64,
}

/// The fields of every notice: one flat type is what decodes fastest.
#[derive(Deserialize)]
struct Notice<'a> {
    notice: &'a str,
    id: Option<i64>,
    base: i64,
    counter: i64,
    quantity: Option<i64>,
    price: Option<i64>,
    time: Option<i64>,
    time_closed: Option<i64>,
    total: Option<i64>,
    bid: Option<i64>,
    ask: Option<i64>,
    bid_rem: Option<i64>,
    ask_rem: Option<i64>,
    last: Option<i64>,
    low: Option<i64>,
    high: Option<i64>,
    volume: Option<i64>,
}

const SCHEMA: &str = "
    PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;
    PRAGMA wal_autocheckpoint = 2048; PRAGMA temp_store = MEMORY;
    CREATE TABLE frame (id INTEGER PRIMARY KEY, received_at INTEGER, body TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, kind INTEGER, base INTEGER, counter INTEGER, order_id INTEGER,
        price INTEGER, quantity INTEGER, time INTEGER);
    CREATE TABLE match (id INTEGER PRIMARY KEY, base INTEGER, counter INTEGER, bid INTEGER, ask INTEGER,
        price INTEGER, quantity INTEGER, total INTEGER, bid_rem INTEGER, ask_rem INTEGER, time INTEGER);
    CREATE TABLE ticker (id INTEGER PRIMARY KEY, base INTEGER, counter INTEGER, last INTEGER, bid INTEGER,
        ask INTEGER, low INTEGER, high INTEGER, volume INTEGER);";

/// Writes that many messages of the pool to `path`.
pub fn run(path: &Path, pool: &Arc<Pool>, messages: u64) -> Floor {
    let connection = Connection::open(path).expect("the file opens");
    connection.execute_batch(SCHEMA).expect("the tables are made");
    let mut frame = connection.prepare("INSERT INTO frame VALUES (?, ?, ?)").expect("a statement");
    let order = "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let mut order = connection.prepare(order).expect("a statement");
    let trade = "INSERT INTO match VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let mut trade = connection.prepare(trade).expect("a statement");
    let mut ticker = connection.prepare("INSERT INTO ticker VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)").expect("a statement");

    let mut cursor = Cursor::new(pool.clone());
    let mut chunk = Vec::new();
    let (mut elapsed, mut cpu, mut id) = (Duration::ZERO, Duration::ZERO, 0);
    let start_of_time = 1_700_000_000_000_000;
    while (id as u64) < messages {
        // Not the floor's work.
        chunk.clear();
        cursor.fill(&mut chunk, MESSAGES_PER_TRANSACTION, usize::MAX, start_of_time + id);
        let (start, start_cpu) = (Instant::now(), machine::thread_cpu());
        connection.execute_batch("BEGIN").expect("a transaction begins");
        let mut rest = chunk.as_slice();
        while let Some(text) = next_text(&mut rest) {
            id += 1;
            let received_at = (start_of_time + id) * 1_000;
            let notice: Notice<'_> = serde_json::from_str(text).expect("the pool is JSON");
            frame.execute((id, received_at, text)).expect("a row");
            let Notice { base, counter, price, quantity, .. } = notice;
            let kind = match notice.notice {
                "OrderOpened" => 0,
                "OrderClosed" => 1,
                "OrderModified" => 2,
                "OrdersMatched" => {
                    let Notice { bid, ask, total, bid_rem, ask_rem, time, .. } = notice;
                    let row = (id, base, counter, bid, ask, price, quantity, total, bid_rem, ask_rem, time);
                    trade.execute(row).expect("a row");
                    continue;
                }
                _ => {
                    let Notice { last, bid, ask, low, high, volume, .. } = notice;
                    ticker.execute((id, base, counter, last, bid, ask, low, high, volume)).expect("a row");
                    continue;
                }
            };
            let time = notice.time.or(notice.time_closed);
            order.execute((id, kind, base, counter, notice.id, price, quantity, time)).expect("a row");
        }
        connection.execute_batch("COMMIT").expect("the transaction ends");
        elapsed += start.elapsed();
        cpu += machine::thread_cpu() - start_cpu;
    }
    drop((frame, order, trade, ticker));
    connection.close().expect("the file closes");
    let bytes = std::fs::metadata(path).expect("it is there").len();
    Floor { messages: id as u64, seconds: elapsed.as_secs_f64(), cpu_s: cpu.as_secs_f64(), bytes }
}

/// Takes the text of the next frame of a server.
pub fn next_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (&[_, short], after) = rest.split_first_chunk()?;
    let (length, after) = match short {
        126 => {
            let (length, after) = after.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), after)
        }
        short => (usize::from(short), after),
    };
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}
