//! What an older feedtape recorded, in the hands of a newer one.

use std::sync::Arc;

use feedtape::journal::Input;
use feedtape::model::{Event, NotUnderstood, Seq, Stamp, UnknownReason};
use feedtape::replay::{rebuild, verify};
use feedtape::store::StoreError;
use feedtape::venue::{Account, Output, Session, by_name};
use rusqlite::Connection;

use super::recording::{Recording, eventful, rows};

/// A session of before `TradeVolumeChanged` was known: it keeps the notice as one that it does not understand.
struct Older(Box<dyn Session>);

impl Older {
    fn session(account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Self(by_name("coinflex").unwrap().session(account)))
    }
}

impl Session for Older {
    fn handle(&mut self, seq: Seq, at: Stamp, input: &Input<'_>, out: &mut Output) {
        let notice = b"TradeVolumeChanged";
        match input {
            Input::Received(frame) if frame.windows(notice.len()).any(|part| part == notice) => {
                let what = NotUnderstood {
                    reason: UnknownReason::UnknownNotice,
                    what: "TradeVolumeChanged".to_owned(),
                    body: frame.to_vec(),
                };
                out.events.push(Event::NotUnderstood(Box::new(what)));
            }
            _ => self.0.handle(seq, at, input, out),
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.0.deadline()
    }

    fn summarise(&mut self, out: &mut Output) {
        self.0.summarise(out);
    }
}

#[test]
fn a_notice_that_was_not_understood_becomes_a_row_when_a_newer_feedtape_rebuilds() {
    let mut recording = Recording::start();
    recording.session = Older::session;
    recording.connect(0);
    recording.answer_all(0);
    recording.receive(0, br#"{"notice":"BalanceChanged","asset":63488,"balance":54000}"#);
    recording.receive(0, br#"{"notice":"TradeVolumeChanged","asset":63488,"volume":10000}"#);
    recording.stop();

    let told = |path| -> Vec<String> {
        let findings = verify(path, false, |_, _, _| ()).unwrap().findings;
        findings.iter().map(|finding| format!("{}: {}", finding.place, finding.what)).collect()
    };
    let (before, volumes) = (rows(&recording.path), "SELECT group_concat(volume_raw) FROM trade_volumes");
    let volumes =
        |path| -> Option<String> { Connection::open(path).unwrap().query_row(volumes, [], |row| row.get(0)).unwrap() };
    // The answer to a poll is there; the notice is not.
    assert_eq!(volumes(&recording.path).as_deref(), Some("77"));
    assert!(before.iter().any(|row| row.starts_with("not_understood: ") && row.contains("TradeVolumeChanged")));
    let found = told(&recording.path);
    let says = |table: &str, what: &str| found.iter().any(|told| told.starts_with(table) && told.ends_with(what));
    assert!(says("trade_volume ", "is missing, it follows from the journal"), "{found:?}");
    assert!(says("not_understood ", "does not follow from the journal"), "{found:?}");

    let again = recording.folder.path().join("again.db");
    rebuild(&recording.path, &again, |_, _| ()).unwrap();
    assert_eq!(volumes(&again).as_deref(), Some("77,10000"));
    assert!(!rows(&again).iter().any(|row| row.starts_with("not_understood: ")));
    assert_eq!(told(&again), [""; 0]);
}

#[test]
fn a_recording_of_an_older_schema_is_rebuilt_into_the_newest() {
    let recording = eventful(true);
    let expected = rows(&recording.path);
    let connection = Connection::open(&recording.path).unwrap();
    // As the first schema was: without views, and with a table that is no more.
    let views = "SELECT group_concat('DROP VIEW ' || name, '; ') FROM sqlite_schema WHERE type = 'view'";
    let views: String = connection.query_row(views, [], |row| row.get(0)).unwrap();
    connection.execute_batch(&views).unwrap();
    connection.execute_batch("CREATE TABLE gone (x INTEGER) STRICT; PRAGMA user_version = 1").unwrap();
    connection.close().unwrap();
    assert!(matches!(verify(&recording.path, true, |_, _, _| ()), Err(StoreError::Older { found: 1, .. })));

    let again = recording.folder.path().join("again.db");
    rebuild(&recording.path, &again, |_, _| ()).unwrap();
    assert_eq!(rows(&again), expected);
    assert!(verify(&again, false, |_, _, _| ()).unwrap().tables.is_some());
}
