//! Captures through the code the socket uses, into tables and back.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use rusqlite::Connection;
use tempfile::TempDir;

use captures::captures;

#[path = "support/captures.rs"]
mod captures;
#[path = "support/rows.rs"]
mod rows;

fn feedtape() -> Command {
    Command::cargo_bin("feedtape").unwrap()
}

/// A pretty-printed frame as a line of a capture.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\r', "\\r").replace('\n', "\\n")
}

fn rows(db: &Path, sql: &str) -> Vec<String> {
    rows::rows(&Connection::open(db).unwrap(), sql)
}

#[test]
fn the_frames_of_2014_give_the_rows_one_reads_off_them() {
    let Some(folder) = captures("coinfloor-2014") else { return };
    let mut capture = String::new();
    // The capture has no commands; these are what the replies' tags answer.
    for command in [
        r#"{"tag":101,"method":"GetBalances"}"#,
        r#"{"tag":102,"method":"GetTradeVolume","asset":63488}"#,
        r#"{"tag":201,"method":"WatchOrders","base":63488,"counter":64032,"watch":true}"#,
        r#"{"tag":202,"method":"WatchTicker","base":63488,"counter":64032,"watch":true}"#,
        r#"{"tag":301,"method":"GetOrders"}"#,
        r#"{"tag":302,"method":"PlaceOrder","base":63488,"counter":64032,"quantity":10000,"price":10000}"#,
        r#"{"tag":303,"method":"CancelOrder","id":211120}"#,
        r#"{"tag":304,"method":"EstimateMarketOrder","base":63488,"counter":64032,"quantity":10000}"#,
    ] {
        writeln!(capture, "- > {command}").unwrap();
    }
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 13);
    for file in files {
        writeln!(capture, "- <\\ {}", escaped(&fs::read_to_string(file).unwrap())).unwrap();
    }
    let temp = TempDir::new().unwrap();
    let (input, db) = (temp.path().join("2014.txt"), temp.path().join("old.db"));
    fs::write(&input, &capture).unwrap();
    let run =
        feedtape().arg("import").arg(&input).arg("--into").arg(&db).args(["--listing", "coinfloor"]).assert().success();
    let said = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert!(said.contains("13 frames received, 8 sent"), "{said}");

    for (sql, expected) in [
        (
            "SELECT market, price, quantity, total, time_utc, bid_order, ask_order, bid_remaining, ask_remaining FROM trades",
            vec!["XBT:GBP 320.00 0.4768 152.58 2014-03-03T15:48:23.915695000Z 211183 211184 0.0000 1.0464"],
        ),
        (
            "SELECT market, kind, order_id, side, price, quantity, time, received_at FROM order_events ORDER BY id",
            vec![
                "XBT:GBP closed 211118 buy 100.00 1.0000 - -",
                "XBT:GBP opened 211183 buy 320.00 1.0000 1393861703539756000 -",
            ],
        ),
        (
            "SELECT kind, last, bid, ask, low, high, volume, low_is, bid_is FROM tickers ORDER BY id",
            vec!["full 320.00 320.00 330.00 - - 0.0000 null value", "partial - - 318.99 - - - absent null"],
        ),
        (
            "SELECT asset, available, is_snapshot FROM balances ORDER BY id",
            vec!["XBT 10001.4718 1", "GBP 9319.13 1", "GBP 9900.00 0"],
        ),
        ("SELECT asset, volume FROM trade_volumes", vec!["XBT 4.0070"]),
        ("SELECT orders FROM book_snapshots", vec!["14"]),
        (
            "SELECT order_id, side, price, quantity FROM book_orders WHERE n IN (0, 5, 13)",
            vec!["211077 buy 320.00 0.9983", "211118 buy 100.00 1.0000", "211095 sell 340.00 4.0000"],
        ),
        (
            "SELECT order_id, side, price, quantity FROM own_orders",
            vec!["211118 buy 100.00 1.0000", "211119 buy 100.00 1.0000"],
        ),
        ("SELECT quantity, total FROM estimates", vec!["1.0000 330.00"]),
        (
            "SELECT method, order_id, price, quantity, time FROM order_replies",
            vec!["CancelOrder - 50.00 1.0000 -", "PlaceOrder 211120 - - 1393762153711925000"],
        ),
        ("SELECT count(*) FROM not_understood", vec!["0"]),
        ("SELECT count(*) FROM reply WHERE error_code = 0", vec!["8"]),
    ] {
        assert_eq!(rows(&db, sql), expected, "{sql}");
    }

    let frames = feedtape().arg("frames").arg(&db).args(["--format", "import"]).assert().success();
    assert_eq!(String::from_utf8(frames.get_output().stdout.clone()).unwrap(), capture);
}

#[test]
fn a_capture_imported_exported_and_imported_again_is_the_same() {
    let temp = TempDir::new().unwrap();
    let capture = concat!(
        "1580472000000000000 < {\"nonce\":\"azRzAi5rm1ry/l0drnz1vw==\",\"notice\":\"Welcome\"}\n",
        "1580472000000350000 > {\"method\":\"WatchOrders\",\"tag\":1,\"base\":63488,\"counter\":65283,\"watch\":true}\n",
        "1580472000000700001 < {\"error_code\":0,\"orders\":[],\"tag\":1}\n",
        "1580472000000900000 < {\"notice\":\"OrderOpened\",\"id\":1,\"base\":63488,\"counter\":65283,\"quantity\":-5,\"price\":9,\"time\":1580472000000100}\n",
        "1580472000001000000 <\\ {\"notice\":\\n\\x00\\xff\n",
        "1580472000001000000 <# \\x00\\x01\\xff\n",
        "- < garbage\n",
    );
    let input = temp.path().join("a.txt");
    fs::write(&input, capture).unwrap();
    let mut files = Vec::new();
    for name in ["a", "b"] {
        let db = temp.path().join(format!("{name}.db"));
        let from = temp.path().join(format!("{name}.txt"));
        feedtape().arg("import").arg(&from).arg("--into").arg(&db).args(["--listing", "coinflex"]).assert().success();
        let frames = feedtape().arg("frames").arg(&db).args(["--format", "import"]).assert().success();
        let text = frames.get_output().stdout.clone();
        fs::write(temp.path().join("b.txt"), &text).unwrap();
        files.push(text);
        assert_eq!(
            rows(&db, "SELECT reason FROM not_understood ORDER BY id"),
            ["invalid_utf8", "binary", "invalid_json"]
        );
        let order = "SELECT time_utc, received_at - time, side, quantity, price FROM order_events";
        assert_eq!(rows(&db, order), ["2020-01-31T12:00:00.000100000Z 800000 sell 0.0005 0.0009"]);
    }
    assert_eq!(String::from_utf8_lossy(&files[0]), capture);
    assert_eq!(files[0], files[1]);
}

#[test]
fn a_captured_login_leaves_no_secret_in_the_database() {
    let temp = TempDir::new().unwrap();
    let (input, db) = (temp.path().join("a.txt"), temp.path().join("a.db"));
    let login = r#"1 > {"method":"Authenticate","tag":1,"user_id":1,"cookie":"CANARYCOOKIE","nonce":"n","signature":["CANARYR","CANARYS"]}"#;
    fs::write(&input, format!("{login}\n2 < {{\"error_code\":0,\"tag\":1}}\n")).unwrap();
    feedtape().arg("import").arg(&input).arg("--into").arg(&db).assert().success();
    let frames = feedtape().arg("frames").arg(&db).args(["--format", "import"]).assert().success();
    let text = String::from_utf8(frames.get_output().stdout.clone()).unwrap();
    assert!(text.contains("Authenticate") && !text.contains("CANARY"), "{text}");
    assert!(!String::from_utf8_lossy(&fs::read(&db).unwrap()).contains("CANARY"));
    assert_eq!(rows(&db, "SELECT authenticated_at FROM session"), ["2"]);
}

#[test]
fn a_damaged_capture_says_where_and_keeps_what_came_before() {
    let temp = TempDir::new().unwrap();
    let (input, db) = (temp.path().join("a.txt"), temp.path().join("a.db"));
    fs::write(&input, "5 < {\"notice\":\"Welcome\"}\nyesterday < {}\n").unwrap();
    let run = feedtape().arg("import").arg(&input).arg("--into").arg(&db).assert().code(65);
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(said.contains("line 2") && said.contains("yesterday"), "{said}");
    assert_eq!(rows(&db, "SELECT greeted_at, cause FROM session"), ["5 end_of_capture"]);
    feedtape().arg("import").arg("absent.txt").arg("--into").arg(&db).assert().code(66);
}

#[test]
fn a_new_database_appears_when_all_is_imported_and_takes_further_captures() {
    let temp = TempDir::new().unwrap();
    let (input, folder) = (temp.path().join("a.txt"), temp.path().join("new"));
    fs::write(&input, "5 < {\"notice\":\"Welcome\"}\n").unwrap();
    fs::create_dir(&folder).unwrap();
    let db = folder.join("a.db");
    // What an import that was killed left.
    fs::write(folder.join("a.db.part"), "half").unwrap();
    for runs in ["1", "2"] {
        feedtape().arg("import").arg(&input).arg("--into").arg(&db).assert().success();
        assert_eq!(rows(&db, "SELECT count(*) FROM run WHERE durability = 'power-loss'"), [runs]);
        assert!(!folder.join("a.db.part").exists());
    }
}

/// Writes a text compressed with gzip.
fn gzip(path: &Path, text: &str) {
    let mut file = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file.finish().unwrap();
}

/// What a capture's rows come to, whichever way it is written.
const SUMMARY: &str = "SELECT (SELECT count(*) FROM book_levels), (SELECT group_concat(DISTINCT reason) FROM transition), \
     (SELECT count(*) FROM session), (SELECT count(DISTINCT received_at) FROM book_levels)";

#[test]
fn a_capture_gives_the_same_rows_in_every_format_and_none_invents_times() {
    let Some(folder) = captures("live-2026-08") else { return };
    let frames = fs::read_to_string(folder.join("kraken_book.jsonl")).unwrap();
    let folder = TempDir::new().unwrap();
    let import = |name: &str, text: &str| {
        let (path, db) = (folder.path().join(name), folder.path().join(format!("{name}.db")));
        if name.ends_with(".gz") {
            gzip(&path, text)
        } else {
            fs::write(&path, text).unwrap()
        }
        let mut command = feedtape();
        command.arg("import").arg(&path).arg("--into").arg(&db).args(["--venue", "kraken"]).assert().success();
        rows(&db, SUMMARY)
    };
    let timed = |line: &mut dyn FnMut(i64, &str) -> String| -> String {
        (1_787_612_000..).zip(frames.lines()).map(|(second, frame)| line(second, frame)).collect()
    };
    // Times are unknown: they are told so, not made up.
    assert_eq!(import("lines.jsonl", &frames), ["25 checked,not_running 1 0"]);
    let states = ["25 checked,not_running 1 4"];
    assert_eq!(import("own.txt", &timed(&mut |second, frame| format!("{second}000000000 < {frame}\n"))), states);
    assert_eq!(import("hft.gz", &timed(&mut |second, frame| format!("{second}000000000 {frame}\n"))), states);
    let raw = timed(&mut |second, frame| format!("{second}.25: {frame}\n"));
    let raw = format!("wss://ws.kraken.com/v2 <-> 1787611999.5\n{raw}configuration: {{'l2_book': ['BTC-USD']}}\n");
    assert_eq!(import("KRAKEN.ws.1.0", &raw), states);
    // A second connection in one capture is another session.
    assert_eq!(import("twice.txt", &format!("{raw}{raw}")), ["50 checked,not_connected,not_running 2 4"]);
}

#[test]
fn a_source_has_one_venue_in_a_file() {
    let temp = TempDir::new().unwrap();
    let (input, db) = (temp.path().join("frames.jsonl"), temp.path().join("v.db"));
    fs::write(&input, "{\"event\":\"pong\"}\n").unwrap();
    let import = |venue: &str, source: &str| {
        let mut command = feedtape();
        command.arg("import").arg(&input).arg("--into").arg(&db).args(["--format", "lines"]);
        command.args(["--venue", venue, "--source", source]).assert()
    };
    import("kraken", "one").success();
    let refused = import("okx", "one").failure().code(78);
    let said = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(said.contains("has source `one` as one of venue kraken, give that of venue okx another name"), "{said}");
    assert_eq!(rows(&db, "SELECT count(*) FROM run"), ["1"], "nothing was begun");
    import("kraken", "one").success();
    import("okx", "other").success();
    assert_eq!(rows(&db, "SELECT name, venue FROM source ORDER BY name"), ["one kraken", "other okx"]);
}
