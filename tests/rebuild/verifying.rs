//! `feedtape verify`: a recording that is whole, and each kind of damage by itself.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use feedtape::replay::verify;
use feedtape::store::{Aspect, Report};
use rusqlite::{Connection, params};

use super::recording::{Recording, eventful, feedtape, rows, tables};

/// The report on a recording after something was done to it.
fn after(damage: impl FnOnce(&Connection)) -> Report {
    let recording = eventful(true);
    let connection = Connection::open(&recording.path).unwrap();
    damage(&connection);
    connection.close().unwrap();
    verify(&recording.path, false, |_, _, _| ()).unwrap()
}

/// The findings, but the contradictions that the recording has anyway.
fn told(report: &Report) -> Vec<String> {
    let others = report.findings.iter().filter(|finding| finding.aspect != Aspect::Contradictions);
    others.map(|finding| format!("{}: {}: {}", finding.aspect.as_str(), finding.place, finding.what)).collect()
}

#[test]
fn a_recording_is_clean_but_for_the_contradictions_that_it_has() {
    for stopped in [true, false] {
        let recording = eventful(stopped);
        let report = verify(&recording.path, false, |_, _, _| ()).unwrap();
        assert_eq!(told(&report), [""; 0]);
        let [unknown, twice] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
        assert_eq!((&*unknown.place, &*twice.place), ("public WatchOrders ETH:USDT", "public WatchOrders XBT:USDT"));
        assert!(unknown.what.starts_with("unknown_order at 2020-01-31T12:00:00."), "{}", unknown.what);
        assert!(twice.what.contains(": order 7 is open already (finding "), "{}", twice.what);
        assert_eq!((report.runs, report.sessions), (3, 7));
        let compared: Vec<_> = report.tables.unwrap().into_iter().map(|table| table.table).collect();
        let mut sorted = compared.clone();
        sorted.sort();
        assert_eq!(sorted, tables(&recording.path), "every table is compared");
    }
}

#[test]
fn a_recording_that_goes_on_is_clean_as_far_as_it_is() {
    let mut recording = Recording::start();
    recording.connect(0);
    recording.answer_all(0);
    recording.settle();
    recording.mark();
    let report = verify(&recording.path, false, |_, _, _| ()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.runs, 1);
}

#[test]
fn a_row_that_was_changed_is_named_with_what_it_should_be() {
    let report = after(|connection| {
        let id: i64 = connection.query_row("SELECT min(id) FROM trade", [], |row| row.get(0)).unwrap();
        connection.execute("UPDATE trade SET price = 1, bid_order = NULL WHERE id = ?", [id]).unwrap();
    });
    let [told] = told(&report).try_into().unwrap();
    assert!(told.starts_with("rows: trade ") && told.contains(" (frame "), "{told}");
    assert!(told.ends_with("price is 1 and should be 31500, bid_order is NULL and should be 7"), "{told}");
    let trade = report.tables.unwrap().into_iter().find(|table| table.table == "trade").unwrap();
    assert_eq!((trade.missing, trade.unexpected, trade.different), (0, 0, 1));
}

#[test]
fn a_row_too_few_and_a_row_too_many_are_told_apart() {
    let report = after(|connection| {
        connection
            .execute_batch(
                "DELETE FROM not_understood WHERE id = (SELECT min(id) FROM not_understood);
                 INSERT INTO trade_volume SELECT id + 1, asset, volume, received_at FROM trade_volume LIMIT 1;
                 DELETE FROM exact WHERE field = 'price' AND id = (SELECT min(id) FROM exact WHERE field = 'price');",
            )
            .unwrap();
    });
    let told = told(&report);
    assert_eq!(told.len(), 3, "{told:?}");
    let said = |table: &str, what: &str| {
        told.iter().any(|told| told.starts_with(&format!("rows: {table} ")) && told.ends_with(what))
    };
    assert!(said("not_understood", "is missing, it follows from the journal"), "{told:?}");
    assert!(said("trade_volume", "does not follow from the journal"), "{told:?}");
    assert!(said("exact", "is missing, it follows from the journal"), "{told:?}");
    let counts = |name: &str| {
        let table = report.tables.iter().flatten().find(|table| table.table == name).unwrap();
        (table.missing, table.unexpected, table.different)
    };
    assert_eq!([counts("not_understood"), counts("trade_volume")], [(1, 0, 0), (0, 1, 0)]);
}

#[test]
fn of_a_row_that_is_another_the_first_columns_are_told_and_the_others_counted() {
    let report = after(|connection| {
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF;
                 UPDATE trade SET price = 1, quantity = 2, bid_order = 4, bid_remaining = 5, ask_order = 6, \
                     ask_remaining = 7 WHERE id = (SELECT min(id) FROM trade);
                 UPDATE stream SET detail = 'x' WHERE id = 1;
                 DELETE FROM stream WHERE id = 2;",
            )
            .unwrap();
    });
    let told = told(&report);
    let of = |table: &str| told.iter().find(|told| told.starts_with(&format!("rows: {table} "))).unwrap();
    assert!(of("trade").ends_with(", 3 more columns differ"), "{told:?}");
    assert_eq!(of("stream"), "rows: stream 1: detail is 'x' and should be ''");
    let counts = report.tables.unwrap().into_iter().find(|table| table.table == "stream").unwrap();
    assert_eq!((counts.missing, counts.unexpected, counts.different), (1, 0, 1));
}

#[test]
fn of_many_findings_the_first_are_told_and_all_are_counted() {
    let report = after(|connection| connection.execute_batch("UPDATE transition SET evidence = 'x'").unwrap());
    let count = report.count(Aspect::Rows);
    assert!(count > 100, "{count}");
    assert_eq!(told(&report).len(), 10);
    let transition = report.tables.unwrap().into_iter().find(|table| table.table == "transition").unwrap();
    assert_eq!(transition.different, count);
}

#[test]
fn a_byte_that_flipped_in_a_block_is_noticed_wherever_it_is() {
    for place in [0, 7, 40, -1] {
        let mut first = 0;
        let report = after(|connection| {
            let select = "SELECT first, body FROM frame_block ORDER BY raw_bytes DESC LIMIT 1";
            let row = connection.query_row(select, [], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
            let (number, mut body): (i64, _) = row.unwrap();
            let at = if place < 0 { body.len() - 1 } else { place as usize };
            body[at] ^= 0x10;
            connection.execute("UPDATE frame_block SET body = ? WHERE first = ?", params![body, number]).unwrap();
            first = number;
        });
        let [told] = told(&report).try_into().unwrap();
        assert!(told.starts_with(&format!("journal: frame_block {first}: ")) && told.contains("damaged"), "{told}");
        assert_eq!(report.tables, None, "there is nothing to compare with");
    }
}

#[test]
fn what_is_said_of_a_block_must_be_so() {
    for (damage, expected) in [
        (
            "UPDATE frame_block SET to_at = to_at + 1 WHERE first = 1",
            "frame_block 1: has other times than its row says",
        ),
        ("UPDATE frame_block SET raw_bytes = raw_bytes + 1 WHERE first = 1", "frame_block 1: the bodies of a block"),
        ("UPDATE frame_block SET codec = 0 WHERE first = 1", "frame_block 1: unknown codec 0"),
        ("DELETE FROM frame_block WHERE first = 1", " before it are missing"),
        ("UPDATE frame_block SET frames = frames + 1 WHERE first = 1", " records, its row says "),
    ] {
        let report = after(|connection| connection.execute_batch(damage).unwrap());
        let told = told(&report);
        assert!(told.iter().any(|told| told.starts_with("journal: ") && told.contains(expected)), "{told:?}");
    }
}

#[test]
fn a_span_that_is_missing_or_leads_astray_is_named() {
    for (damage, expected) in [
        ("DELETE FROM frame_span WHERE session = 3", "frame_span of session 3: no row leads from places 0 to "),
        (
            "UPDATE frame_span SET first_frame = first_frame + 1 WHERE session = 3",
            "frame_span of session 3: no row leads",
        ),
        ("UPDATE frame_span SET frames = frames - 1 WHERE session = 3", "frame_span of session 3: no row leads"),
        ("INSERT INTO frame_span VALUES (99, 0, 5, 1)", "frame_span: leads to "),
    ] {
        let report = after(|connection| connection.execute_batch(damage).unwrap());
        let told = told(&report);
        assert!(told.iter().any(|told| told.contains(expected)), "{damage}: {told:?}");
    }
}

#[test]
fn a_span_in_two_parts_leads_as_well_and_one_that_ends_early_is_told_from_where_on() {
    let mut led_to = 0;
    let mut split = |connection: &Connection| -> i64 {
        let span = "SELECT first_frame, frames FROM frame_span WHERE session = 3 AND first_seq = 0";
        let (first, frames): (i64, i64) = connection.query_row(span, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        connection.execute_batch("UPDATE frame_span SET frames = 3 WHERE session = 3 AND first_seq = 0").unwrap();
        led_to = first;
        frames
    };
    let report = after(|connection| {
        let frames = split(connection);
        let insert = "INSERT INTO frame_span (session, first_seq, first_frame, frames) \
             SELECT 3, 3, first_frame + 3, ? FROM frame_span WHERE session = 3 AND first_seq = 0";
        connection.execute(insert, [frames - 3]).unwrap();
    });
    assert_eq!(report.count(Aspect::Journal), 0, "{:?}", report.findings);
    let report = after(|connection| _ = split(connection));
    let told = told(&report);
    let what = told.iter().find(|told| told.contains("no row leads from places 3 to ")).unwrap();
    assert!(what.contains(&format!(" to records {} to ", led_to + 3)), "{what}");
    let numbers = what.split_once("places ").unwrap().1.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<i64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let [from, to, first, last] = numbers[..] else { panic!("{what}") };
    assert_eq!(to - from, last - first, "as many records as places: {what}");
}

#[test]
fn a_session_with_a_hole_is_named() {
    // Without the first block and numbered anew, the records follow each other, and their sessions do not begin.
    let report = after(|connection| {
        let frames = "SELECT frames FROM frame_block WHERE first = 1";
        let frames: i64 = connection.query_row(frames, [], |row| row.get(0)).unwrap();
        connection.execute_batch("DELETE FROM frame_block WHERE first = 1").unwrap();
        connection.execute("UPDATE frame_block SET first = first - ?1", [frames]).unwrap();
    });
    let told = told(&report);
    assert!(told[0].starts_with("journal: session 1: record 1 has place "), "{told:?}");
    assert!(told[0].ends_with(", and 0 is next"), "{told:?}");
}

#[test]
fn states_that_do_not_follow_each_other_are_named() {
    for (damage, expected) in [
        (
            "UPDATE transition SET at = at - 3600000000000 WHERE id = (SELECT max(id) FROM transition WHERE session IS NULL)",
            "the clock was set back",
        ),
        (
            "DELETE FROM transition WHERE stream = (SELECT id FROM stream WHERE channel = 'GetTradeVolume')",
            "coverage: flex GetTradeVolume: was asked for at 2020-01-31T12:00:0",
        ),
    ] {
        let told = told(&after(|connection| connection.execute_batch(damage).unwrap()));
        assert!(told.iter().any(|told| told.starts_with("coverage: ") && told.contains(expected)), "{told:?}");
    }
}

#[test]
fn references_to_nothing_and_objects_that_are_missing_are_named() {
    let report = after(|connection| {
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection
            .execute_batch(
                "DELETE FROM market WHERE name = 'ETH:USDC'; DROP VIEW trades; DROP INDEX finding_stream;
                 DROP VIEW gaps; CREATE VIEW gaps AS SELECT 1; CREATE TABLE mine (x INTEGER);",
            )
            .unwrap();
    });
    let told = told(&report);
    for expected in [
        "file: instrument ",
        "rows: view trades: is missing",
        "rows: index finding_stream: is missing",
        "rows: view gaps: is another than feedtape makes",
        "rows: market ",
    ] {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}: {told:?}");
    }
    assert!(!told.iter().any(|told| told.contains("mine")), "{told:?}");
}

#[test]
fn a_page_overwritten_with_nonsense_is_found_and_not_fatal() {
    let recording = eventful(true);
    let connection = Connection::open(&recording.path).unwrap();
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'order_event'";
    let page: u64 = connection.query_row(page, [], |row| row.get::<_, i64>(0)).unwrap() as u64;
    let size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).unwrap() as u64;
    connection.close().unwrap();
    let file = OpenOptions::new().write(true).open(&recording.path).unwrap();
    file.write_all_at(&[0xa5; 512], (page - 1) * size).unwrap();
    let report = verify(&recording.path, false, |_, _, _| ()).unwrap();
    assert!(report.count(Aspect::File) > 0, "{report:?}");
    let output = feedtape(&[Path::new("verify"), &recording.path]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_contradiction_that_nobody_saw_while_recording_is_found_now() {
    let report = after(|connection| connection.execute_batch("DELETE FROM finding").unwrap());
    let found = report.findings.iter().find(|finding| finding.aspect == Aspect::Contradictions).unwrap();
    assert!(found.what.ends_with(", found only now)"), "{}", found.what);
}

#[test]
fn the_command_prints_what_it_looked_at_and_what_it_found() {
    let recording = eventful(true);
    let quick = feedtape(&[Path::new("verify"), &recording.path, Path::new("--quick")]);
    assert_eq!(quick.status.code(), Some(1), "there are contradictions");
    let printed = String::from_utf8(quick.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].contains("flex.db: 3 runs, 7 sessions, 15 streams, "), "{printed}");
    assert_eq!(lines[1], "file            good");
    assert_eq!(lines[2], "journal         good");
    assert_eq!(lines[3], "rows            not compared with what the journal makes");
    assert_eq!(lines[4], "coverage        good");
    assert!(lines[5].starts_with("contradictions  2 findings"), "{printed}");
    assert_eq!(lines[7], "contradictions");
    assert!(lines[9].starts_with("  public WatchOrders XBT:USDT: opened_twice"), "{printed}");

    let connection = Connection::open(&recording.path).unwrap();
    connection.execute_batch("DELETE FROM finding; UPDATE trade SET price = price + 1").unwrap();
    connection.close().unwrap();
    let json = feedtape(&[Path::new("verify"), &recording.path, Path::new("--format"), Path::new("json")]);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["is_clean"], false);
    assert_eq!(json["runs"], 3);
    assert!(json["counts"]["rows"].as_u64().unwrap() > 1);
    assert_eq!(json["findings"][0]["aspect"], "rows");
    assert!(json["tables"].as_array().unwrap().iter().any(|table| table["table"] == "trade"));
}

#[test]
fn a_file_that_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    assert_eq!(feedtape(&[Path::new("verify"), &path]).status.code(), Some(66));
    std::fs::write(&path, "not a database at all, but long enough to look like one".repeat(30)).unwrap();
    assert_eq!(feedtape(&[Path::new("verify"), &path]).status.code(), Some(65));
}

#[test]
fn imported_captures_are_as_sound_as_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let [timed, untimed, database, again] =
        ["timed.capture", "untimed.capture", "flex.db", "again.db"].map(|name| folder.path().join(name));
    let snapshot =
        r#"{"error_code":0,"tag":1,"orders":[{"id":1,"quantity":-10000,"price":32000,"time":1580472000000000}]}"#;
    let frames = [
        r#"< {"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#,
        r#"> {"tag":1,"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#,
        &format!("< {snapshot}"),
        r#"< {"notice":"OrderOpened","id":2,"base":63488,"counter":65283,"quantity":5000,"price":31500,"time":1580472000100000}"#,
        r#"< {"notice":"OrdersMatched","ask":1,"base":63488,"counter":65283,"quantity":4000,"price":32000,"total":12800,"ask_rem":6000,"time":1580472000200000}"#,
        r"<\ {\n  \x22notice\x22: \x22Unheard\x22\n}",
        r"<# \x00\xff",
    ];
    let lines = |time: fn(i64) -> String| -> String {
        frames.iter().zip(0..).map(|(frame, n)| format!("{} {frame}\n", time(n))).collect()
    };
    std::fs::write(&timed, lines(|n| (1_580_472_000_000_000_000 + n * 1_000_000).to_string())).unwrap();
    std::fs::write(&untimed, lines(|_| "-".to_owned())).unwrap();
    for (source, files) in [("one", vec![&timed, &untimed]), ("two", vec![&timed]), ("one", vec![&timed])] {
        let mut import = assert_cmd::Command::cargo_bin("feedtape").unwrap();
        import.arg("import").args(files).arg("--into").arg(&database).args(["--source", source]);
        import.args(["--listing", "coinflex"]).assert().success();
    }
    let output = feedtape(&[Path::new("verify"), &database]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("3 runs, 4 sessions, 2 streams, 50 records"), "{printed}");
    feedtape::replay::rebuild(&database, &again, |_, _| ()).unwrap();
    assert_eq!(rows(&again), rows(&database));
}
