//! `feedtape rebuild`.

use std::fs;
use std::path::Path;

use feedtape::config::Durability;
use feedtape::replay::{RebuildError, Unusable, rebuild};
use feedtape::store::{Settings, Store, StoreError};
use rusqlite::Connection;

use super::recording::{Recording, eventful, feedtape, rows, tables};

/// The names of the files beside a recording.
fn files(recording: &Recording) -> Vec<String> {
    let entries = fs::read_dir(recording.folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with("flex.db"));
    names.sort();
    names
}

#[test]
fn a_rebuild_equals_the_recording_to_the_last_row() {
    for stopped in [true, false] {
        let recording = eventful(stopped);
        let again = recording.folder.path().join("again.db");
        let mut told = Vec::new();
        let rebuilt = rebuild(&recording.path, &again, |done, of| told.push((done, of))).unwrap();
        assert_eq!(told.last(), Some(&(rebuilt.records, rebuilt.records)));
        assert_eq!(rebuilt.sessions, 7);
        let (first, second) = (rows(&recording.path), rows(&again));
        for (recorded, derived) in first.iter().zip(&second) {
            assert_eq!(derived, recorded);
        }
        assert_eq!(second.len(), first.len());
        // What CoinFLEX does not state has rows in the tests of the venues that do.
        let elsewhere = ["book_update", "book_level", "ticker_quantity", "control", "trade_fee"];
        for table in tables(&recording.path).iter().filter(|table| !elsewhere.contains(&table.as_str())) {
            assert!(first.iter().any(|row| row.starts_with(&format!("{table}: "))), "no row of {table} was compared");
        }
        assert_eq!(files(&recording), ["again.db"]);
    }
}

#[test]
fn a_rebuilt_recording_can_be_recorded_into_and_rebuilt_in_turn() {
    let recording = eventful(false);
    let [again, third] = ["again.db", "third.db"].map(|name| recording.folder.path().join(name));
    rebuild(&recording.path, &again, |_, _| ()).unwrap();
    Recording::go_on(&again);
    rebuild(&again, &third, |_, _| ()).unwrap();
    assert_eq!(rows(&third), rows(&again));
    let outcomes = "SELECT group_concat(outcome) FROM run";
    let outcomes: String = Connection::open(&again).unwrap().query_row(outcomes, [], |row| row.get(0)).unwrap();
    assert_eq!(outcomes, "killed,killed,killed,stopped");
}

#[test]
fn a_recording_that_goes_on_is_rebuilt_as_far_as_it_is() {
    let mut recording = Recording::start();
    recording.connect(0);
    recording.answer_all(0);
    recording.settle();
    recording.mark();
    let [first, second] = ["first.db", "second.db"].map(|name| recording.folder.path().join(name));
    rebuild(&recording.path, &first, |_, _| ()).unwrap();
    assert_eq!(rows(&first), rows(&recording.path));
    recording.receive(0, br#"{"notice":"BalanceChanged","asset":63488,"balance":54000}"#);
    recording.settle();
    rebuild(&recording.path, &second, |_, _| ()).unwrap();
    assert_eq!(rows(&second), rows(&recording.path));
    assert_ne!(rows(&second), rows(&first));
}

#[test]
fn an_existing_file_is_not_touched() {
    let recording = eventful(true);
    let taken = recording.folder.path().join("taken.db");
    fs::write(&taken, "mine").unwrap();
    let output = feedtape(&[Path::new("rebuild"), &recording.path, Path::new("--into"), &taken]);
    assert_eq!(output.status.code(), Some(73));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("taken.db cannot be made or opened"), "{message}");
    assert_eq!(fs::read(&taken).unwrap(), b"mine");
    assert_eq!(files(&recording), ["taken.db"]);
}

#[test]
fn what_a_killed_rebuild_left_is_written_over_and_one_that_goes_on_is_left_alone() {
    let recording = eventful(true);
    let again = recording.folder.path().join("again.db");
    fs::write(recording.folder.path().join("again.db.part"), "half").unwrap();
    fs::write(recording.folder.path().join("again.db.part.lock"), "").unwrap();
    let output = feedtape(&[Path::new("rebuild"), &recording.path, Path::new("--into"), &again]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("again.db: ") && printed.contains(" records of 7 sessions, "), "{printed}");
    assert_eq!(files(&recording), ["again.db"]);

    let other = recording.folder.path().join("other.db");
    let part = recording.folder.path().join("other.db.part");
    let settings = Settings { path: part, durability: Durability::ProcessKill, min_free_space: 0 };
    let _working = Store::open(settings).unwrap();
    let busy = rebuild(&recording.path, &other, |_, _| ()).unwrap_err();
    assert!(matches!(busy, RebuildError::Store(StoreError::Locked { .. })), "{busy}");
    assert!(files(&recording).contains(&"other.db.part".to_owned()));
}

#[test]
fn a_damaged_journal_is_refused_with_its_place_and_leaves_no_file() {
    for (damage, expected) in [
        ("UPDATE frame_block SET body = zeroblob(10) WHERE first = 1", "frame_block 1: "),
        (
            "DELETE FROM frame_block WHERE first > 1 AND first = (SELECT min(first) FROM frame_block WHERE first > 1)",
            "are missing",
        ),
        ("DELETE FROM frame_block WHERE first = 1", "the records from 1 on are missing"),
    ] {
        let recording = eventful(true);
        Connection::open(&recording.path).unwrap().execute_batch(damage).unwrap();
        let again = recording.folder.path().join("again.db");
        let output = feedtape(&[Path::new("rebuild"), &recording.path, Path::new("--into"), &again]);
        assert_eq!(output.status.code(), Some(65), "{damage}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(expected) && message.contains("flex.db"), "{message}");
        assert!(files(&recording).is_empty(), "{:?}", files(&recording));
    }
}

#[test]
fn a_journal_of_a_venue_that_nobody_knows_is_refused_by_name() {
    let mut recording = Recording::start();
    recording.venue = "atlantis";
    recording.connect(1);
    recording.stop();
    let error = rebuild(&recording.path, &recording.folder.path().join("again.db"), |_, _| ()).unwrap_err();
    assert!(
        matches!(&error, RebuildError::Record { number: 2, reason: Unusable::UnknownVenue(name), .. } if name == "atlantis"),
        "{error}"
    );
}
