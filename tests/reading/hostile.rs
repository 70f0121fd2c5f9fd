//! A venue that means harm: what its names and texts say is text, whichever command shows or stores it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::escapes::{EVIL, on_terminal};
use crate::peer::{CLOSE, frame};
use crate::server::{Server, Talk};

/// A CoinFLEX that lists two assets of these names, and says that wherever it may say what it likes.
fn venue(names: [&'static str; 2], says: &'static str) -> Server {
    let answer = move |request: &crate::server::Request| {
        let assets = json!([{"id": 1, "name": names[0], "scale": 100}, {"id": 2, "name": names[1], "scale": 100}]);
        let markets = json!([{"base": 1, "counter": 2, "name": format!("{}/{}", names[0], names[1]), "tick": 1}]);
        match request.line.split('?').next() {
            Some("GET /assets/") => (200, assets.to_string()),
            Some("GET /markets/") => (200, markets.to_string()),
            _ => (404, says.to_owned()),
        }
    };
    Server::start(move |talk| converse(talk, says), answer)
}

fn converse(talk: &mut Talk, says: &str) {
    talk.say(&json!({"notice": "Welcome", "nonce": "azRzAi5rm1ry/l0drnz1vw==", "motd": says}).to_string());
    while let Some(asked) = talk.hear_json() {
        let tag = &asked["tag"];
        let order = json!({"id": 7, "quantity": 500, "price": 300, "time": 1_580_472_000_000_000_i64});
        let reply = match asked["method"].as_str() {
            Some("WatchOrders") => json!({"tag": tag, "error_code": 0, "orders": [order]}),
            _ => json!({"tag": tag, "error_code": 8, "error_msg": says}),
        };
        talk.say(&reply.to_string());
        if asked["method"] == "WatchOrders" {
            let time = 1_580_472_000_700_000_i64;
            talk.say(
                &json!({"notice": "OrdersMatched", "bid": 7, "ask": 8, "base": 1, "counter": 2, "quantity": 400,
                "price": 300, "total": 1200, "bid_rem": 100, "ask_rem": 0, "time": time})
                .to_string(),
            );
            talk.say(&json!({"notice": says, "what": says}).to_string());
            talk.say(says);
        }
        if asked["method"] == "GetBalances" {
            talk.write(&frame(CLOSE, &[&[0x03, 0xe8], says.as_bytes()].concat()));
            return;
        }
    }
}

/// A configuration that records all it lists.
fn config(folder: &TempDir, server: &Server) -> PathBuf {
    for name in ["cookie", "passphrase"] {
        fs::write(folder.path().join(name), "a secret").unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let (url, rest_url) = (server.url(), server.rest_url());
    let account =
        "[source.account]\nuser_id = 1\ncookie = { file = \"cookie\" }\npassphrase = { file = \"passphrase\" }\n";
    let text = format!(
        "database = \"test.db\"\nmin_free_space = \"0B\"\n[[source]]\nname = \"harm\"\nvenue = \"coinflex\"\n\
         url = {url:?}\nrest_url = {rest_url:?}\n[[source.subscribe]]\nmethod = \"WatchOrders\"\nmarkets = [\"*\"]\n\
         [[source.poll]]\nmethod = \"GetBalances\"\nevery = \"1s\"\n{account}"
    );
    let path = folder.path().join("test.toml");
    fs::write(&path, text).unwrap();
    path
}

fn feedtape(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_feedtape")).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn names_that_are_sql_are_stored_listed_and_asked_for_and_nothing_else_happens() {
    const NAMES: [&str; 2] = ["\"; DROP TABLE frame_block; --", "'); DROP VIEW trades; --"];
    let server = venue(NAMES, "'; DELETE FROM trade; --");
    let folder = TempDir::new().unwrap();
    let config = config(&folder, &server);
    let (config, database) = (config.to_str().unwrap(), folder.path().join("test.db"));
    let db = database.to_str().unwrap();
    let (_, told) = feedtape(&["record", "--for", "2s", config]);
    let schema = || -> Vec<String> {
        let connection = Connection::open(&database).unwrap();
        let mut statement = connection.prepare("SELECT type || name FROM sqlite_schema ORDER BY 1").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let before = schema();
    assert!(before.iter().any(|name| name == "tableframe_block"), "{told}");
    assert!(before.iter().any(|name| name == "viewtrades"));
    let market = NAMES.join(":");
    let asked = |sql: &str| -> Vec<Value> {
        let (code, told) = feedtape(&["query", db, sql, "--format", "jsonl"]);
        assert_eq!(code, Some(0), "{told}");
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let trades = asked("SELECT DISTINCT market, price, quantity FROM trades");
    assert_eq!(trades, [json!({"market": market, "price": "3.00", "quantity": "4.00"})]);
    assert_eq!(asked("SELECT asset FROM assets ORDER BY code"), NAMES.map(|name| json!({"asset": name})));
    for (arguments, expected) in [
        (&["status", db][..], NAMES[0]),
        (&["coverage", db, "--market", &market], NAMES[0]),
        (&["book", db, &market, "--at", "2020-01-31T12:00:00Z"], NAMES[0]),
        (&["assets", config], NAMES[1]),
        (&["markets", config], NAMES[1]),
        (&["frames", db], "DELETE FROM trade"),
        (&["verify", db], "good"),
    ] {
        let (_, told) = feedtape(arguments);
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    assert_eq!(feedtape(&["rebuild", db, "--into", copy]).0, Some(0));
    let (_, told) = feedtape(&["verify", copy]);
    assert!(told.contains("file            good") && told.contains("rows            good"), "{told}");
    assert_eq!(schema(), before);
}

#[test]
fn nothing_that_a_venue_says_steers_the_terminal_of_who_asks_or_records() {
    let server = venue([EVIL, "pwned"], EVIL);
    let folder = TempDir::new().unwrap();
    let config = config(&folder, &server);
    let config = config.to_str().unwrap();
    let trace = ["--log-level", "trace"];
    let mut escaped = 0;
    for arguments in [
        &["request", config, "GetBalances"][..],
        &["request", config, "WatchOrders", "base=1", "counter=2"],
        &["assets", config],
        &["markets", config],
        &["markets", config, "--format", "csv"],
        &["check", config],
        &["check", config, "--online"],
        &["record", config, "--for", "3s"],
        &["--log-format", "json", "record", config, "--for", "3s"],
    ] {
        let Some(printed) = on_terminal(&[&trace[..], arguments].concat()) else {
            return println!("SKIPPED: there is no script(1), which has a terminal");
        };
        let steers = ["\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}"].map(|evil| printed.contains(evil));
        assert_eq!(steers, [false; 4], "{arguments:?}: {printed:?}");
        escaped += usize::from(printed.contains("]0;pwned"));
    }
    assert!(escaped >= 5, "{escaped} printed what was said");
}
