//! `feedtape query`: SQL that reads, and SQL that tries more.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use feedtape::store::{Query, QueryError, Value};

use super::recording::{everything, feedtape, printed, refused, standard};

/// The rows as text, columns joined by `|`.
fn ask(path: &Path, sql: &str, timeout: Duration) -> Result<Vec<String>, QueryError> {
    let mut query = Query::open(path, timeout)?;
    let mut answer = query.prepare(sql)?;
    let mut rows = Vec::new();
    answer.rows(|values| {
        let cells = values.iter().map(|value| match value {
            Value::Null => "-".to_owned(),
            Value::Integer(integer) => integer.to_string(),
            Value::Real(real) => real.to_string(),
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Value::Blob(bytes) => format!("{bytes:?}"),
        });
        rows.push(cells.collect::<Vec<_>>().join("|"));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn answered(path: &Path, sql: &str) -> Vec<String> {
    ask(path, sql, Duration::from_secs(60)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Every file beside the database, with its size.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
    };
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(entry).collect();
    files.sort();
    files
}

#[test]
fn what_only_reads_is_answered() {
    let (_folder, path) = standard();
    for sql in [
        "SELECT 1",
        "SELECT * FROM trades;",
        "-- a comment\nSELECT count(*) FROM sqlite_schema; -- and another",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT sum(i) FROM n",
        "EXPLAIN QUERY PLAN SELECT * FROM trades",
        "PRAGMA table_info(trade)",
        "PRAGMA user_version",
        "SELECT name FROM pragma_table_info('trade')",
        "SELECT value FROM generate_series(1, 3)",
        "SELECT json_extract(frame_text(frame), '$.notice') FROM trades",
    ] {
        assert!(!answered(&path, sql).is_empty(), "{sql}");
    }
}

#[test]
fn what_would_do_more_than_read_is_refused_and_leaves_no_trace() {
    let (folder, path) = standard();
    let elsewhere = folder.path().join("elsewhere.db");
    let elsewhere = elsewhere.display();
    let before = (files(folder.path()), fs::read(&path).unwrap());
    for sql in [
        format!("ATTACH '{elsewhere}' AS other"),
        format!("VACUUM INTO '{elsewhere}'"),
        "VACUUM".to_owned(),
        "CREATE TEMP TABLE mine (a)".to_owned(),
        "CREATE TABLE mine (a)".to_owned(),
        "CREATE TEMP VIEW mine AS SELECT 1".to_owned(),
        "CREATE VIRTUAL TABLE mine USING fts5(a)".to_owned(),
        "INSERT INTO source VALUES (9, 'x', 'y')".to_owned(),
        "UPDATE run SET outcome = 'x' RETURNING id".to_owned(),
        "DELETE FROM trade".to_owned(),
        "DROP VIEW trades".to_owned(),
        "ALTER TABLE trade RENAME TO mine".to_owned(),
        "REINDEX".to_owned(),
        "ANALYZE".to_owned(),
        "PRAGMA user_version = 3".to_owned(),
        "PRAGMA user_version(3)".to_owned(),
        "PRAGMA page_size = 512".to_owned(),
        "PRAGMA encoding = 'UTF-16'".to_owned(),
        "PRAGMA writable_schema = 1".to_owned(),
        "PRAGMA query_only = 0".to_owned(),
        "PRAGMA journal_mode = DELETE".to_owned(),
        "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
        format!("PRAGMA temp_store_directory = '{}'", folder.path().display()),
        "PRAGMA hard_heap_limit = 0".to_owned(),
        "BEGIN IMMEDIATE".to_owned(),
        "SAVEPOINT a".to_owned(),
        "SELECT fts3_tokenizer('simple')".to_owned(),
        "SELECT load_extension('x')".to_owned(),
        "SELECT LOAD_EXTENSION('x', 'y')".to_owned(),
    ] {
        match ask(&path, &sql, Duration::from_secs(10)) {
            Err(QueryError::Denied(_) | QueryError::Statement(_)) => {}
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!((files(folder.path()), fs::read(&path).unwrap()), before);
}

#[test]
fn one_statement_at_a_time() {
    let (_folder, path) = standard();
    let several = ask(&path, "SELECT 1; SELECT 2", Duration::from_secs(1));
    assert!(matches!(several, Err(QueryError::Several)), "{several:?}");
    for sql in ["", ";", "-- nothing"] {
        let nothing = ask(&path, sql, Duration::from_secs(1));
        assert!(matches!(nothing, Err(QueryError::Nothing)), "{nothing:?}");
    }
}

#[test]
fn what_never_ends_is_ended() {
    let (_folder, path) = standard();
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b",
        "SELECT value FROM generate_series(1, 1000000000000) WHERE value < 0",
    ] {
        let endless = ask(&path, sql, Duration::from_millis(100));
        assert!(matches!(endless, Err(QueryError::TimedOut(_))), "{sql}: {endless:?}");
    }
}

#[test]
fn what_would_take_all_memory_is_refused() {
    let (_folder, path) = standard();
    for sql in [
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT length(zeroblob(1000000000))",
        "SELECT length(group_concat(printf('%.*c', 1000000, 'x'))) FROM generate_series(1, 1000)",
        "SELECT 'a' LIKE printf('%.*c', 2000, '%')",
    ] {
        let huge = ask(&path, sql, Duration::from_secs(60));
        assert!(matches!(huge, Err(QueryError::Statement(_))), "{sql}: {huge:?}");
    }
}

#[test]
fn every_frame_is_readable_by_its_place_and_by_the_rows_made_of_it() {
    let (_folder, path) = standard();
    let of_trade = "SELECT t.frame = f.frame AND t.received_at = f.received_at AND f.text LIKE '%OrdersMatched%'
        AND f.text = frame_text(t.frame) AND f.session = frame_session(t.frame) AND f.seq = frame_seq(t.frame)
        AND f.mono = frame_mono(t.frame) AND f.kind = 'received'
        FROM trades t JOIN frames f ON f.frame = t.frame";
    assert_eq!(answered(&path, of_trade), ["1", "1"]);
    let welcome = "SELECT session, seq, kind, received_utc, mono, text, length(bytes) FROM frames
        WHERE session = 1 AND seq = 3";
    assert_eq!(
        answered(&path, welcome),
        [
            r#"1|3|received|2020-01-31T12:00:00.004000000Z|4000000|{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}|55"#
        ]
    );
    let (_folder, odd) = everything();
    let binary = "SELECT text, bytes FROM frames WHERE kind = 'received_binary'";
    assert_eq!(answered(&odd, binary), ["-|[0, 255, 10]"]);
    let whole = "SELECT count(*), count(DISTINCT frame), min(session), max(session) FROM frames";
    let journal = answered(&path, "SELECT sum(frames), sum(frames), 0, 1 FROM frame_block");
    assert_eq!(answered(&path, whole), journal);
    assert_eq!(answered(&path, "SELECT frame_text(-1), frame_text(1000000), frame_kind(NULL)"), ["-|-|-"]);
    let order = "SELECT seq FROM frames WHERE session = 1 ORDER BY seq";
    let expected: Vec<_> = (0..answered(&path, order).len()).map(|seq| seq.to_string()).collect();
    assert_eq!(answered(&path, order), expected);
}

#[test]
fn no_secret_is_in_the_journal() {
    let (_folder, path) = standard();
    let sent = answered(&path, "SELECT text FROM frames WHERE kind = 'sent' AND text LIKE '%Authenticate%'");
    assert_eq!(sent.len(), 1);
    assert!(!sent[0].contains("cookie\":\"cookie") && !sent[0].contains("opensesame"), "{}", sent[0]);
}

#[test]
fn a_damaged_block_is_told_and_the_others_stay_readable() {
    let (_folder, path) = standard();
    let database = rusqlite::Connection::open(&path).unwrap();
    let (first, codec): (i64, i64) = database
        .query_row("SELECT first, codec FROM frame_block ORDER BY raw_bytes DESC", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    database
        .execute("UPDATE frame_block SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE first = ?", [first])
        .unwrap();
    assert_eq!(codec, 1);
    drop(database);
    let damaged = ask(&path, "SELECT text FROM frames WHERE session = 1", Duration::from_secs(10));
    let message = damaged.unwrap_err().to_string();
    assert!(message.contains(&format!("frame_block {first}")) && message.contains("damaged"), "{message}");
    assert_eq!(answered(&path, "SELECT kind FROM frames WHERE session = 0"), ["run_started", "run_ended"]);
}

#[test]
fn the_command_prints_rows_in_every_format() {
    let (_folder, path) = standard();
    let path = path.to_str().unwrap();
    let sql = "SELECT price, total, side FROM trades ORDER BY time LIMIT 1";
    let format = |format| printed(&["query", path, sql, "--format", format]);
    assert_eq!(format("csv"), "price,total,side\n3.1500,1.2600,sell\n");
    assert_eq!(format("json"), "[\n{\"price\":\"3.1500\",\"total\":\"1.2600\",\"side\":\"sell\"}\n]\n");
    assert_eq!(format("jsonl"), "{\"price\":\"3.1500\",\"total\":\"1.2600\",\"side\":\"sell\"}\n");
    assert_eq!(format("markdown"), "| price | total | side |\n| --- | --- | --- |\n| 3.1500 | 1.2600 | sell |\n");
    let table = printed(&["query", path, sql]);
    assert!(table.contains("│ 3.1500 ┆ 1.2600 ┆ sell │"), "{table}");
    let (_folder, odd) = everything();
    let escape =
        printed(&["query", odd.to_str().unwrap(), "SELECT json_extract(text, '$.what') FROM frames_not_understood"]);
    assert!(escape.contains("\\x1b]0;pwned\\x07") && !escape.contains('\x1b'), "{escape}");
}

#[test]
fn the_command_says_what_is_wrong_with_a_statement() {
    let (_folder, path) = standard();
    let path = path.to_str().unwrap();
    for (sql, expected) in [
        ("SELECT prize FROM trades", "feedtape: no such column: prize (at byte 7)\n"),
        ("SELECT 1; SELECT 2", "feedtape: one statement at a time, give each to a query of its own\n"),
        ("DELETE FROM trade", "feedtape: a query only reads this one file: not authorized\n"),
    ] {
        assert_eq!(refused(&["query", path, sql]), (Some(64), expected.to_owned()));
    }
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let expected = "feedtape: no answer within 50ms, narrow it or give it more time with --timeout\n";
    assert_eq!(refused(&["query", path, endless, "--timeout", "50ms"]), (Some(64), expected.to_owned()));
    let stopped = feedtape(&["query", path, "SELECT value FROM generate_series(1, 100000)"]);
    let stopped = String::from_utf8(stopped.stdout).unwrap();
    assert!(
        stopped
            .ends_with("The first 10000 rows; there are more rows; add LIMIT, or print them all with --format csv.\n")
    );
}
