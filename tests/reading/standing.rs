//! `feedtape coverage` and `feedtape status`.

use std::time::{Duration, SystemTime};

use feedtape::model::CloseCause;
use serde_json::Value;

use super::recording::{Recording, SECOND, feedtape, printed, refused, standard};

/// Covered for 10 s, not connected for 10 s, covered for 20 s.
fn with_a_gap() -> Recording {
    let mut recording = Recording::start();
    let mut session = recording.connect(0);
    session.wait(10 * SECOND);
    let closed = session.close(CloseCause::EndOfStream);
    let mut session = recording.connect(closed + 10 * SECOND);
    session.wait(20 * SECOND);
    session.commit();
    recording
}

fn json(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_recording_without_a_gap_is_whole() {
    let (_folder, path) = standard();
    let text = printed(&["coverage", path.to_str().unwrap()]);
    assert!(text.contains("flex WatchOrders XBT:USDT "), "{text}");
    assert_eq!(text.matches("100.00 %").count(), 3, "{text}");
}

#[test]
fn the_time_that_a_recorder_takes_to_stop_is_not_missing() {
    let mut recording = Recording::start();
    let mut session = recording.connect(0);
    session.wait(10 * SECOND);
    let closed = session.close(CloseCause::Stopped);
    let (_folder, path) = recording.stop(closed + SECOND);
    let text = printed(&["coverage", path.to_str().unwrap(), "--channel", "WatchOrders"]);
    assert!(text.contains(" 100.00 %\n") && text.contains("not_running"), "{text}");
}

#[test]
fn what_is_missing_is_shown_and_ends_with_1() {
    let recording = with_a_gap();
    let path = recording.path.to_str().unwrap();
    let output = feedtape(&["coverage", path, "--channel", "WatchOrders"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let bar: String = text.lines().nth(1).unwrap().chars().filter(|mark| "▒·".contains(*mark)).collect();
    assert_eq!(bar.chars().count(), 60, "{text}");
    let runs: Vec<_> = bar.split('▒').filter(|gap| !gap.is_empty()).collect();
    assert_eq!(runs, ["·", "················"], "{text}");
    assert!(text.contains(" 74.99 %\n"), "{text}");
    assert!(text.contains("not_connected"), "{text}");

    let csv = feedtape(&["coverage", path, "--market", "XBT:USDT", "--channel", "WatchTicker", "--format", "jsonl"]);
    let states: Vec<_> = json(&String::from_utf8(csv.stdout).unwrap())
        .iter()
        .map(|row| format!("{} {}", row["verdict"].as_str().unwrap(), row["cause"].as_str().unwrap_or("-")))
        .collect();
    let connecting = ["gap not_connected", "gap not_greeted", "gap not_acknowledged", "consistent -"];
    let expected = [connecting, connecting].concat();
    assert_eq!(states, expected);
}

#[test]
fn only_the_asked_for_time_and_streams_are_judged() {
    let recording = with_a_gap();
    let path = recording.path.to_str().unwrap();
    let code = |args: &[&str]| feedtape(&[&["coverage", path][..], args].concat()).status.code();
    let covered = ["--from", "2020-01-31T12:00:02Z", "--to", "2020-01-31T12:00:09Z"];
    assert_eq!(code(&covered), Some(0));
    assert_eq!(code(&["--from", "2020-01-31T12:00:02Z", "--to", "2020-01-31T12:00:12Z"]), Some(1));
    assert_eq!(code(&["--from", "2020-01-31T11:00:00Z", "--to", "2020-01-31T12:00:09Z"]), Some(1), "before it began");
    assert_eq!(code(&["--from", "2020-01-31T12:00:25Z", "--to", "2020-01-31T13:00:00Z"]), Some(1), "after it ended");
    assert_eq!(code(&["--from", "2020-01-31T12:00:25Z"]), Some(0));
    assert_eq!(code(&["--from", "2021-01-01"]), Some(64));
    let (none, message) = refused(&["coverage", path, "--market", "XBT:UDST"]);
    assert_eq!(none, Some(1));
    assert_eq!(message, "feedtape: there is no such stream in it; `feedtape status` lists them\n");
}

#[test]
fn what_is_said_of_an_asked_for_time_leaves_nothing_over() {
    let recording = with_a_gap();
    let path = recording.path.to_str().unwrap();
    let times = ["2020-01-31T11:00:00Z", "2020-01-31T11:30:00Z", "2020-01-31T12:00:05Z", "2020-01-31T13:00:00Z"];
    for (n, from) in times.iter().enumerate() {
        for to in &times[n + 1..] {
            let arguments = ["coverage", path, "--from", from, "--to", to, "--format", "jsonl"];
            let rows = json(&String::from_utf8(feedtape(&arguments).stdout).unwrap());
            for channel in ["WatchOrders", "WatchTicker"] {
                let spans: Vec<_> = rows.iter().filter(|row| row["channel"] == channel).collect();
                let utc = |time: &str| time.replace('Z', ".000000000Z");
                assert_eq!(spans[0]["from_utc"], utc(from));
                assert_eq!(spans.last().unwrap()["to_utc"], utc(to));
                assert!(spans.windows(2).all(|pair| pair[0]["to_at"] == pair[1]["from_at"]), "{spans:?}");
            }
        }
    }
}

#[test]
fn a_recorder_that_runs_is_told_by_its_lock() {
    let recording = with_a_gap();
    let path = recording.path.to_str().unwrap().to_owned();
    // The recorder of this test runs, and its last mark is of 2020.
    let output = feedtape(&["status", &path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("a recorder is running (process {}), but it has stored nothing for ", std::process::id());
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains("consistent") && text.contains("WatchOrders"), "{text}");

    let (_folder, path) = recording.stop(60 * SECOND);
    let output = feedtape(&["status", path.to_str().unwrap(), "--format", "jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let rows = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(
            (&row["state"], &row["cause"], &row["is_running"]),
            (&"gap".into(), &"not_running".into(), &0.into())
        );
        assert_eq!(row["since_utc"], "2020-01-31T12:01:00.000000000Z");
    }
    let text = String::from_utf8(feedtape(&["status", path.to_str().unwrap()]).stdout).unwrap();
    assert!(text.starts_with("no recorder is running; the last one stopped at 2020-01-31 12:01:00 UTC, "), "{text}");
}

#[test]
fn a_recorder_that_records_everything_is_good() {
    let mut recording = Recording::start_at(SystemTime::now() - Duration::from_secs(1));
    let path = recording.path.to_str().unwrap().to_owned();
    let mut session = recording.connect(0);
    session.receive(r#"{"notice":"TickerChanged","base":63488,"counter":65283,"bid":31500}"#);
    session.commit();
    let output = printed(&["status", &path, "--format", "jsonl"]);
    for row in json(&output) {
        assert_eq!(
            (&row["state"], &row["gaps_today"], &row["is_stalled"]),
            (&"consistent".into(), &0.into(), &0.into())
        );
        assert!(row["lag_ns"].as_i64().unwrap() > 0, "{row}");
    }
    session.close(CloseCause::EndOfStream);
    assert_eq!(feedtape(&["status", &path]).status.code(), Some(1));
}
