//! The views of a recording, on rows put in by hand: exact numbers, exact times, one verdict for every instant, and
//! the indexes that the plain shell depends on.

use std::path::Path;
use std::process::Command;

use feedtape::model::{Timestamp, decimal_text};
use proptest::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

const MINUTE: i64 = 60_000_000_000;
/// 2020-01-31T12:00:00Z.
const NOON: i64 = 1_580_472_000_000_000_000;

/// A database with one source, and the market XBT:USDT with 4 decimal places.
fn recording() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    migrate(&database);
    database
        .execute_batch(
            "INSERT INTO source VALUES (1, 'flex', 'coinflex');
             INSERT INTO run VALUES (1, 1, NULL, 1000, 'live', '0', '3', 1, 'a.toml', 'power-loss', 50000000, NULL);
             INSERT INTO session (id, run, source, url, connecting_at) VALUES
                 (1, 1, 1, 'ws://[::1]/', 1), (2, 1, 1, 'ws://[::1]/', 2);
             INSERT INTO market VALUES (1, 'XBT:USDT', 'XBT', 'USDT'), (2, 'ETH:USDT', 'ETH', 'USDT');",
        )
        .unwrap();
    instrument(&database, 1, 1, Some(4));
    database
}

fn migrate(database: &Connection) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in files {
        database.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
    }
}

fn instrument(database: &Connection, id: i64, market: i64, places: Option<u8>) {
    database
        .execute(
            "INSERT INTO instrument (id, source, market, base, counter, price_places, quantity_places, counter_places,
             valid_from) VALUES (?1, 1, ?2, 'XBT', 'USDT', ?3, ?3, ?3, 0)",
            params![id, market, places],
        )
        .unwrap();
}

fn trade(database: &Connection, id: i64, time: i64, price: impl rusqlite::ToSql, quantity: i64) {
    database
        .execute(
            "INSERT INTO trade (id, market, instrument, price, quantity, received_at, age)
             VALUES (?1, 1, 1, ?2, ?3, ?4 + 7, 7)",
            params![id, price, quantity, time],
        )
        .unwrap();
}

/// The rows of a query as text, columns joined by `|`, NULL as `-`.
fn rows(database: &Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        let cells = (0..columns).map(|n| {
            Ok(match row.get_ref(n)? {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => panic!("no view has a {:?}", other.data_type()),
            })
        });
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    };
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}

fn views(database: &Connection) -> Vec<String> {
    rows(database, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
}

#[test]
fn every_view_answers_in_the_plain_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    let database = Connection::open(&path).unwrap();
    migrate(&database);
    let all = views(&database);
    for expected in [
        "trades",
        "order_events",
        "tickers",
        "balances",
        "trade_volumes",
        "book_snapshots",
        "book_orders",
        "own_orders",
        "order_replies",
        "estimates",
        "sessions",
        "subscriptions",
        "gaps",
        "coverage",
        "commands",
        "replies",
        "findings",
        "frames_not_understood",
        "instruments",
        "assets",
        "runs",
        "fills",
        "my_orders",
        "candles",
        "spread",
        "latency",
    ] {
        assert!(all.iter().any(|view| view == expected), "no view {expected}");
    }
    for view in &all {
        assert!(rows(&database, &format!("SELECT * FROM {view}")).is_empty());
    }
    if Command::new("sqlite3").arg("--version").output().is_err() {
        println!("skipped the shell: no sqlite3 here");
        return;
    }
    for view in all {
        let output = Command::new("sqlite3").arg("-readonly").arg(&path).arg(format!("SELECT * FROM {view}")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{view}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_last_trades_of_a_market_are_read_by_index() {
    let database = recording();
    for n in 0..2_000 {
        trade(&database, n, NOON + n, 1, 1);
    }
    for statistics in ["", "ANALYZE"] {
        database.execute_batch(statistics).unwrap();
        let plan = |sql: &str| -> String {
            let mut statement = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let lines: rusqlite::Result<Vec<String>> = statement.query_map([], |row| row.get(3)).unwrap().collect();
            lines.unwrap().join("\n")
        };
        let of_market = plan("SELECT * FROM trades WHERE market = 'XBT:USDT' ORDER BY time DESC LIMIT 10");
        assert!(of_market.contains("trade_market_time (market=?)"), "{of_market}");
        assert!(!of_market.contains("TEMP B-TREE"), "{of_market}");
        let of_all = plan("SELECT * FROM trades ORDER BY time DESC LIMIT 10");
        assert!(of_all.contains("SCAN t USING INDEX trade_time"), "{of_all}");
        assert!(!of_all.contains("TEMP B-TREE"), "{of_all}");
        let orders = plan("SELECT * FROM order_events WHERE market = 'XBT:USDT' ORDER BY id DESC LIMIT 10");
        assert!(!orders.contains("TEMP B-TREE") && !orders.contains("AUTOMATIC"), "{orders}");
        let account = plan("SELECT * FROM my_orders");
        assert!(account.contains("order_own") && account.contains("trade_own"), "{account}");
        assert!(!account.contains("SCAN e") && !account.contains("SCAN t "), "{account}");
    }
}

#[test]
fn a_trade_shows_names_times_side_and_decimals() {
    let database = recording();
    database
        .execute_batch(
            "INSERT INTO trade VALUES (1 << 22, 1, 1, NULL, 32000, 4768, 15258, 1393861703915700000, 5000, 0, 211183, NULL,
                 0, NULL);
             INSERT INTO trade_detail (id, own, has_bid_tonce, has_ask_tonce, ask_ref) VALUES (1 << 22, 0, 0, 0, 'f00f');",
        )
        .unwrap();
    assert_eq!(
        rows(
            &database,
            "SELECT frame, source, venue, market, base, counter, time_utc, received_utc, side, price, quantity, total,
             bid_order, ask_order, bid_remaining, ask_remaining, price_raw FROM trades"
        ),
        [
            "1|flex|coinflex|XBT:USDT|XBT|USDT|2014-03-03T15:48:23.915695000Z|2014-03-03T15:48:23.915700000Z|sell|3.2000|\
          0.4768|1.5258|211183|f00f|0.0000|-|32000"
        ]
    );
}

#[test]
fn an_unknown_scale_gives_no_decimal_and_a_huge_number_its_exact_text() {
    let database = recording();
    instrument(&database, 2, 2, None);
    database
        .execute_batch(
            "INSERT INTO order_event (id, instrument, kind, order_id, price, quantity, received_at, age) VALUES
                 (1, 2, 0, 7, 32000, -5, 9, 4), (2, 1, 2, 7, NULL, NULL, 0, NULL), (3, 1, 1, NULL, 1, 0, 9, 0);
             INSERT INTO order_detail VALUES (3, 0, 0, NULL, 'beef');
             INSERT INTO exact VALUES (2, 0, 'price', '922337203685477.5808'), (2, 0, 'quantity', '-922337203685477.5');",
        )
        .unwrap();
    assert_eq!(
        rows(
            &database,
            "SELECT kind, order_id, side, price, quantity, price_raw, quantity_raw, time, received_at FROM order_events"
        ),
        [
            "opened|7|sell|-|-|32000|-5|5|9",
            "modified|7|sell|922337203685477.5808|922337203685477.5|-|-|-|-",
            "closed|beef|-|0.0001|0.0000|1|0|9|9"
        ]
    );
}

#[test]
fn a_ticker_keeps_absent_null_and_value_apart_and_the_spread_carries_forward() {
    let database = recording();
    database
        .execute_batch(
            "INSERT INTO ticker (id, instrument, kind, present, last, bid, ask, volume, received_at) VALUES
                 (1, 1, 1, 63, 5, 31000, 32000, 0, 1), (2, 1, 0, 2, NULL, 31500, NULL, NULL, 2),
                 (3, 1, 0, 4, NULL, NULL, NULL, NULL, 3), (4, 1, 0, 5, NULL, NULL, 31499, NULL, 4);
             INSERT INTO exact VALUES (4, 0, 'last', '1e0');",
        )
        .unwrap();
    assert_eq!(
        rows(&database, "SELECT kind, bid, bid_is, ask, ask_is, last_is, volume, volume_is, high_is FROM tickers"),
        [
            "full|3.1000|value|3.2000|value|value|0.0000|value|null",
            "partial|3.1500|value|-|absent|absent|-|absent|absent",
            "partial|-|absent|-|null|absent|-|absent|absent",
            "partial|-|absent|3.1499|value|value|-|absent|absent"
        ]
    );
    assert_eq!(
        rows(&database, "SELECT bid, ask, spread FROM spread WHERE market = 'XBT:USDT' ORDER BY id"),
        ["3.1000|3.2000|0.1000", "3.1500|3.2000|0.0500", "3.1500|-|-", "3.1500|3.1499|-0.0001"]
    );
}

#[test]
fn candles_are_exact_and_open_and_close_by_time_then_by_arrival() {
    let database = recording();
    trade(&database, 5, NOON + 1, 30_000, 10);
    trade(&database, 2, NOON + 2, 20_000, 10);
    trade(&database, 3, NOON + 2, 40_000, 1);
    trade(&database, 1, NOON + 2, 35_000, 10_000);
    trade(&database, 6, NOON + MINUTE, 1, i64::MAX);
    trade(&database, 7, NOON + MINUTE, 1, 2);
    assert_eq!(
        rows(
            &database,
            "SELECT minute_utc, open, high, low, close, volume, trades FROM candles WHERE market = 'XBT:USDT'"
        ),
        [
            "2020-01-31T12:00:00.000000000Z|3.0000|4.0000|2.0000|4.0000|1.0021|4",
            "2020-01-31T12:01:00.000000000Z|0.0001|0.0001|0.0001|0.0001|-|2"
        ]
    );
    trade(&database, 8, NOON + 3, None::<i64>, 1);
    database.execute_batch("INSERT INTO exact VALUES (8, 0, 'price', '922337203685477.5808')").unwrap();
    assert_eq!(
        rows(
            &database,
            "SELECT open, high, low, close FROM candles WHERE market = 'XBT:USDT' ORDER BY minute_at LIMIT 1"
        ),
        ["3.0000|-|-|922337203685477.5808"]
    );
}

#[test]
fn latency_is_told_by_kind_and_minute() {
    let database = recording();
    trade(&database, 1, NOON, 1, 1);
    database
        .execute_batch(&format!(
            "INSERT INTO order_event (id, instrument, kind, received_at, age) VALUES
                 (1, 1, 0, {NOON}, 4), (2, 1, 0, {NOON}, -2), (3, 1, 0, {NOON}, NULL), (4, 1, 0, 0, 5)"
        ))
        .unwrap();
    assert_eq!(
        rows(
            &database,
            "SELECT kind, minute_utc, count, min_ns, mean_ns, max_ns FROM latency WHERE market = 'XBT:USDT'"
        ),
        ["order_event|2020-01-31T12:00:00.000000000Z|2|-2|1|4", "trade|2020-01-31T12:00:00.000000000Z|1|7|7|7"]
    );
}

#[test]
fn fills_are_the_accounts_sides_and_my_orders_follow_them() {
    let database = recording();
    database
        .execute_batch(
            "INSERT INTO order_event (id, instrument, kind, order_id, price, quantity, received_at, age) VALUES
                 (10, 1, 0, 7, 32000, 10000, 1000, 0), (11, 1, 0, 8, 33000, -500, 1000, 0),
                 (12, 1, 0, 9, 33000, -500, 1000, 0), (40, 1, 1, 8, 33000, -500, 1300, 0);
             -- A bid and an ask of ours, the latter without a tonce. 9 is somebody else's.
             INSERT INTO order_detail VALUES (10, 1, 1, 99, NULL), (11, 1, 1, NULL, NULL), (40, 1, 1, NULL, NULL);
             INSERT INTO trade VALUES
                 (20, 1, 1, NULL, 32000, 4000, 12800, 1100, 0, 0, 7, 55, 6000, 0),
                 (21, 1, 1, NULL, 32000, 1, 3, 1100, 0, 0, 1, 2, 6, 7),
                 (30, 1, 1, NULL, 32000, 6000, 19200, 1200, 0, 0, 7, NULL, 0, NULL);
             INSERT INTO trade_detail (id, own, own_is_taker, has_bid_tonce, bid_tonce, has_ask_tonce, bid_base_fee,
                 bid_counter_fee) VALUES (20, 1, 0, 1, 99, 0, 0, 12), (30, 1, 0, 1, 99, 0, 0, 19);
             UPDATE trade_detail SET ask_base_fee = 0, ask_counter_fee = 19 WHERE id = 30; -- with ourselves
             INSERT INTO own_order_list VALUES (50, 1, 0, 1, 1400);
             INSERT INTO own_order VALUES (50, 0, 1, 77, NULL, 1, NULL, 31000, 250, 900);",
        )
        .unwrap();
    assert_eq!(
        rows(
            &database,
            "SELECT id, order_id, side, role, price, quantity, counter_fee, remaining, tonce FROM fills ORDER BY id, side"
        ),
        [
            "20|7|buy|maker|3.2000|0.4000|0.0012|0.6000|99",
            "30|7|buy|maker|3.2000|0.6000|0.0019|0.0000|99",
            "30|-|sell|taker|3.2000|0.6000|0.0019|-|-"
        ]
    );
    assert_eq!(
        rows(
            &database,
            "SELECT order_id, tonce, side, state, price, quantity, filled, remaining, fills, opened_at, changed_at
             FROM my_orders ORDER BY order_id"
        ),
        [
            "7|99|buy|filled|3.2000|1.0000|1.0000|0.0000|2|1000|1200",
            "8|-|sell|cancelled|3.3000|0.0500|0.0000|0.0500|0|1000|1300",
            "77|-|buy|open|3.1000|0.0250|0.0000|0.0250|0|900|900"
        ]
    );
}

fn transition(database: &Connection, id: i64, session: Option<i64>, at: i64, state: &str, reason: &str) {
    database
        .execute(
            "INSERT INTO transition (id, stream, session, at, state, reason, frame) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?1)",
            params![id, session, at, state, reason],
        )
        .unwrap();
}

fn stream(database: &Connection) {
    database.execute_batch("INSERT INTO stream VALUES (1, 1, 'WatchOrders', 'XBT:USDT', '')").unwrap();
}

#[test]
fn equal_states_are_one_interval_and_the_last_one_ends_with_the_durable_mark() {
    let database = recording();
    stream(&database);
    transition(&database, 1, Some(1), 10, "gap", "not_connected");
    transition(&database, 2, Some(1), 20, "gap", "not_connected");
    transition(&database, 3, Some(1), 30, "gap", "not_acknowledged");
    transition(&database, 4, Some(1), 40, "covered", "consistent");
    transition(&database, 5, Some(1), 900, "covered", "consistent");
    let expected = [
        "WatchOrders|XBT:USDT|10|30|gap|not_connected|1",
        "WatchOrders|XBT:USDT|30|40|gap|not_acknowledged|3",
        "WatchOrders|XBT:USDT|40|1000|consistent|-|4",
    ];
    let coverage = "SELECT channel, market, from_at, to_at, verdict, cause, frame FROM coverage";
    assert_eq!(rows(&database, coverage), expected);
    assert_eq!(
        rows(&database, "SELECT from_at, to_at, cause FROM gaps"),
        ["10|30|not_connected", "30|40|not_acknowledged"]
    );
    // Concluded at 950: silent since 50.
    transition(&database, 6, Some(1), 50, "gap", "stale");
    let expected = [
        expected[0],
        expected[1],
        "WatchOrders|XBT:USDT|40|50|consistent|-|4",
        "WatchOrders|XBT:USDT|50|1000|gap|stale|6",
    ];
    assert_eq!(rows(&database, coverage), expected);
}

#[test]
fn an_older_capture_imported_later_takes_nothing_back() {
    let database = recording();
    stream(&database);
    transition(&database, 1, Some(1), 600, "covered", "consistent");
    transition(&database, 2, None, 900, "gap", "not_running");
    transition(&database, 3, Some(2), 100, "covered", "consistent");
    transition(&database, 4, None, 200, "gap", "not_running");
    assert_eq!(
        rows(&database, "SELECT from_at, to_at, verdict, cause FROM coverage"),
        ["100|200|consistent|-", "200|600|gap|not_running", "600|900|consistent|-", "900|1000|gap|not_running"]
    );
}

proptest! {
    #[test]
    fn decimals_are_exact(value: i64, shift in 0u32..64, places in 0u8..=18) {
        let value = value >> shift; // so that small numbers occur, too
        let database = recording();
        instrument(&database, 2, 1, Some(places));
        database
            .execute_batch(&format!(
                "INSERT INTO trade (id, market, instrument, price, received_at) VALUES (1, 1, 2, {value}, 1);
                 INSERT INTO ticker (id, instrument, kind, present, bid, ask, received_at) VALUES (1, 2, 1, 6, 0, {value}, 1);"
            ))
            .unwrap();
        let expected = decimal_text(value, places);
        prop_assert_eq!(rows(&database, "SELECT price FROM trades"), [expected.as_str()]);
        prop_assert_eq!(rows(&database, "SELECT high FROM candles"), [expected.as_str()]);
        prop_assert_eq!(rows(&database, "SELECT spread FROM spread"), [expected.as_str()]);
    }

    #[test]
    fn times_are_exact(time in i64::MIN / 2.., received_at in 1..i64::MAX / 2) {
        let database = recording();
        database
            .execute_batch(&format!(
                "INSERT INTO trade (id, market, instrument, received_at, age)
                 VALUES (1, 1, 1, {received_at}, {received_at} - {time})"
            ))
            .unwrap();
        let expected = format!("{}|{}", Timestamp(time), Timestamp(received_at));
        prop_assert_eq!(rows(&database, "SELECT time_utc, received_utc FROM trades"), [expected]);
    }

    /// The oracle: without what its session took back, the last transition not after an instant holds.
    #[test]
    fn every_instant_has_exactly_one_verdict(
        history in proptest::collection::vec((proptest::option::of(1i64..3), 0i64..60, 0usize..4), 1..25)
    ) {
        let states = [("gap", "stale"), ("gap", "not_connected"), ("covered", "consistent"), ("covered", "unverifiable")];
        let database = recording();
        stream(&database);
        database.execute_batch("UPDATE run SET durable_at = 50").unwrap();
        for (id, (session, at, state)) in (1..).zip(&history) {
            transition(&database, id, *session, *at, states[*state].0, states[*state].1);
        }
        let is_held = |n: usize| {
            let (session, at, _) = history[n];
            let mut later = history[n + 1..].iter();
            session.is_none() || !later.any(|(other, since, _)| *other == session && *since <= at)
        };
        let mut held: Vec<_> = (0..history.len()).filter(|n| is_held(*n)).map(|n| (history[n].1, n)).collect();
        held.sort_unstable();
        for instant in 0..60 {
            let holds = held.iter().rev().find(|(at, _)| *at <= instant).map(|(_, n)| states[history[*n].2]);
            let expected = holds.map(|(state, reason)| if state == "gap" { format!("gap|{reason}") } else { format!("{reason}|-") });
            let found = rows(
                &database,
                &format!("SELECT verdict, cause FROM coverage WHERE from_at <= {instant} AND to_at > {instant}"),
            );
            // The part before the last transition is told even where the durable mark is earlier.
            if instant < 50 {
                prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            } else {
                prop_assert!(found.len() <= 1);
            }
        }
        let split: Option<i64> = database
            .query_row(
                "SELECT a.to_at FROM coverage a JOIN coverage b ON a.to_at = b.from_at AND a.verdict = b.verdict
                 AND a.cause IS b.cause",
                [],
                |row| row.get(0),
            )
            .optional()
            .unwrap();
        prop_assert_eq!(split, None);
    }
}
