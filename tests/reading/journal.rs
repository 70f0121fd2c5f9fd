//! `feedtape frames`.

use std::fs;
use std::io::BufReader;
use std::time::Duration;

use feedtape::config::Durability;
use feedtape::model::{CloseCause, SessionId, Stamp, Timestamp};
use feedtape::replay::{self, Origin};
use feedtape::sink::Sink;
use feedtape::store::{Frames, RunInfo, RunKind, Selection, Settings, Store, StoreError};
use feedtape::venue::by_name;

use super::recording::{NOON, Recording, SECOND, everything, printed, refused, standard};

#[test]
fn a_capture_written_is_the_one_that_was_imported() {
    let folder = tempfile::tempdir().unwrap();
    let capture = concat!(
        "1580472000000000000 < {\"notice\":\"Welcome\",\"nonce\":\"azRzAi5rm1ry/l0drnz1vw==\"}\n",
        "1580472000000000001 > {\"method\":\"WatchTicker\",\"tag\":1,\"base\":63488,\"counter\":65283,\"watch\":true}\n",
        "1580472000000000002 <\\ {\\n  \"error_code\": 0,\\n\\x09\"tag\": 1,\\n  \"last\": null\\r\\n}\n",
        "1580472000000000002 < {\"a\":\"\\n\\t\\\\ \u{e9}\",\t\"b\":1}\n",
        "1580472000000000003 <\\ \\xff\\xfe\\\\\n",
        "1580472000000000004 <# \\x00a\n",
        "1580472000000000004 < \n",
    );
    let untimed: String = capture.lines().map(|line| format!("- {}\n", line.split_once(' ').unwrap().1)).collect();
    for (name, capture) in [("timed", capture), ("untimed", untimed.as_str())] {
        let [file, database] = ["capture", "db"].map(|kind| folder.path().join(format!("{name}.{kind}")));
        fs::write(&file, capture).unwrap();
        let [file, database] = [&file, &database].map(|path| path.to_str().unwrap());
        import(file, database);
        assert_eq!(printed(&["frames", database, "--format", "import"]), capture);
    }
}

fn import(capture: &str, database: &str) {
    let settings = Settings { path: database.into(), durability: Durability::ProcessKill, min_free_space: 0 };
    let mut store = Store::open(settings).unwrap();
    let info = RunInfo { kind: RunKind::Import, config: capture.to_owned(), commit_interval: Duration::ZERO };
    let begun = store.begin_run(Stamp::default(), &info).unwrap();
    let origin =
        Origin { source: "flex", venue: by_name("coinflex").unwrap(), catalog: None, name: capture, format: None };
    let capture = BufReader::new(fs::File::open(capture).unwrap());
    replay::import(&mut store, begun.first_session, &origin, capture).unwrap();
    Box::new(store).close(Stamp::default(), false).unwrap();
}

#[test]
fn frames_are_selected_by_session_time_and_kind() {
    let mut recording = Recording::start();
    let first = recording.connect(0).close(CloseCause::EndOfStream);
    let second = recording.connect(first + SECOND).close(CloseCause::Stopped);
    let (_folder, path) = recording.stop(second);
    let path = path.to_str().unwrap();

    let all = printed(&["frames", path]);
    assert!(all.starts_with("2020-01-31T12:00:00.000000000Z 0/0 run_started {\"run\":1,"), "{all}");
    let of_second = printed(&["frames", path, "--session", "2"]);
    assert!(of_second.lines().all(|line| line.split(' ').nth(1).unwrap().starts_with("2/")), "{of_second}");
    assert_eq!(of_second.lines().count(), all.lines().filter(|line| line.contains("Z 2/")).count());
    let sent = printed(&["frames", path, "--kind", "sent,closed", "--session", "1"]);
    assert!(sent.lines().all(|line| line.contains(" sent ") || line.contains(" closed ")), "{sent}");
    assert!(sent.lines().last().unwrap().contains("closed {\"cause\":\"end_of_stream\""), "{sent}");
    let times = ["--from", "2020-01-31T12:00:00.004Z", "--to", "2020-01-31T12:00:00.005"];
    let welcome = printed(&[&["frames", path][..], &times].concat());
    assert_eq!(
        welcome,
        "2020-01-31T12:00:00.004000000Z 1/3 received {\"notice\":\"Welcome\",\"nonce\":\"azRzAi5rm1ry/l0drnz1vw==\"}\n"
    );
    let json = printed(&[&["frames", path, "--format", "json"][..], &times].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["session"], &json["seq"], &json["received_at"]),
        (&1.into(), &3.into(), &(NOON + 4_000_000).into())
    );
    assert_eq!(
        (&json["text"], &json["bytes"]),
        (&"{\"notice\":\"Welcome\",\"nonce\":\"azRzAi5rm1ry/l0drnz1vw==\"}".into(), &serde_json::Value::Null)
    );

    let (code, message) = refused(&["frames", path, "--format", "import"]);
    assert_eq!(code, Some(64));
    assert_eq!(
        message,
        "feedtape: a capture is of one session, and there are messages of 1 and 2, choose with --session\n"
    );
    assert_eq!(refused(&["frames", path, "--kind", "unkind"]).0, Some(64));
}

#[test]
fn text_is_harmless_on_a_terminal() {
    let (_folder, path) = everything();
    let text = printed(&["frames", path.to_str().unwrap()]);
    assert!(text.contains("received_binary \\x00\\xff\\n\n"), "{text}");
    assert!(text.lines().any(|line| line.contains("received {\\n  \"notice\": \"Unheard\"")), "{text}");
}

#[test]
fn records_are_found_by_number_in_any_order() {
    let (_folder, path) = standard();
    let mut frames = Frames::open(&path).unwrap();
    let mut all = Vec::new();
    let keep = |frame: feedtape::store::Frame<'_>| {
        all.push((
            frame.number,
            frame.session,
            frame.seq,
            frame.record.kind,
            frame.record.at,
            frame.record.body.to_vec(),
        ));
        Ok::<_, StoreError>(())
    };
    frames.read(&Selection::default(), keep).unwrap();
    assert!(all.len() > 20);
    for (number, session, seq, kind, at, body) in all.iter().rev() {
        let frame = frames.get(*number).unwrap().unwrap();
        assert_eq!((frame.number, frame.session, frame.seq), (*number, *session, *seq));
        assert_eq!((frame.record.kind, frame.record.at, frame.record.body), (*kind, *at, body.as_slice()));
    }
    let after = all.last().unwrap().0 + 1;
    for number in [i64::MIN, -1, after, i64::MAX] {
        assert_eq!(frames.get(number).unwrap(), None);
    }
    let none = Selection { session: Some(SessionId(7)), ..Selection::default() };
    frames.read(&none, |_| Err(StoreError::SqliteTooOld { found: "a record" })).unwrap();
    let later = Selection { from: Some(Timestamp(NOON + 3_600 * SECOND)), ..Selection::default() };
    frames.read(&later, |_| Err(StoreError::SqliteTooOld { found: "a record" })).unwrap();
}
