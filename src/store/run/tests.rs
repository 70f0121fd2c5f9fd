use tempfile::TempDir;

use super::*;
use crate::journal::Batch;
use crate::model::{Coverage, Event, Seq, SubscriptionChange, Verdict};
use crate::sink::Sink;
use crate::store::script::*;

const TRANSITIONS: &str = "SELECT stream, at - 1580000000000000000, state, reason, coalesce(session, '-'), evidence \
     FROM transition ORDER BY at, id";

/// A session that is covered from step 300 on and received its last frame at step 500.
fn covered(session: i64) -> Script {
    let mut script = Script::opened(session);
    script
        .frame([
            Event::Subscription(SubscriptionChange::Asked(STREAM)),
            transition(300, Coverage::Covered(Verdict::Consistent)),
        ])
        .frame([])
        .frame([Event::Order(order(1))]);
    script
}

#[test]
fn a_killed_run_is_ended_at_the_next_start_where_its_journal_ends() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    store.append(&covered(1).ship()).unwrap();
    store.commit().unwrap();
    drop(store);

    let mut store = Store::open(settings(&folder)).unwrap();
    let begun = begin_at(&mut store, 9_000);
    assert_eq!(begun, Begun { run: RunId(2), first_session: SessionId(2) });
    let runs = "SELECT id, started_at - 1580000000000000000, stopped_at, durable_at - 1580000000000000000, kind, config, \
         durability, commit_interval_ns, outcome FROM run";
    assert_eq!(
        ask(&store, runs),
        "1|0|-|0|live|demo.toml|power-loss|50000000|killed\n2|9000|-|9000|live|demo.toml|power-loss|50000000|-"
    );
    let session = "SELECT closed_at - 1580000000000000000, cause, detail FROM session";
    assert_eq!(ask(&store, session), "500|killed|the recorder was killed");
    assert_eq!(ask(&store, "SELECT ended_at - 1580000000000000000, cause FROM subscription"), "500|not_running");
    assert_eq!(
        ask(&store, TRANSITIONS),
        "1|300|covered|consistent|1|-\n1|500|gap|not_running|-|the recorder was killed"
    );

    // Killed once more, before anything was recorded: nothing is said twice.
    drop(store);
    let mut store = Store::open(settings(&folder)).unwrap();
    begin_at(&mut store, 10_000);
    assert_eq!(ask(&store, "SELECT outcome FROM run"), "killed\nkilled\n-");
    assert_eq!(ask(&store, "SELECT count(*) FROM transition"), "2");
}

#[test]
fn a_quiet_session_is_covered_until_the_last_durable_mark() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    store.append(&covered(1).ship()).unwrap();
    store.commit().unwrap();
    // Its clock was set back meanwhile.
    store.mark(Timestamp(T0 + 8_000)).unwrap();
    store.mark(Timestamp(T0 + 7_000)).unwrap();
    drop(store);
    let mut store = Store::open(settings(&folder)).unwrap();
    begin_at(&mut store, 9_000);
    assert_eq!(ask(&store, "SELECT durable_at - 1580000000000000000 FROM run"), "7000\n9000");
    assert_eq!(ask(&store, "SELECT closed_at - 1580000000000000000 FROM session"), "7000");
    assert_eq!(ask(&store, "SELECT max(at) - 1580000000000000000 FROM transition"), "7000");
}

#[test]
fn a_run_that_ends_in_order_says_so_and_its_streams_stop_there() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    store.append(&covered(1).ship()).unwrap();
    Box::new(store).close(stamp(8_000), false).unwrap();
    let path = settings(&folder).path;
    let run = "SELECT stopped_at - 1580000000000000000, durable_at - 1580000000000000000, outcome FROM run";
    assert_eq!(ask_file(&path, run), "8000|8000|stopped");
    assert_eq!(
        ask_file(&path, TRANSITIONS),
        "1|300|covered|consistent|1|-\n1|8000|gap|not_running|-|the recorder was stopped"
    );

    // The next start has nothing to add, and its first session takes over.
    let mut store = Store::open(settings(&folder)).unwrap();
    let begun = begin_at(&mut store, 9_000);
    store.append(&covered(begun.first_session.0).ship()).unwrap();
    store.commit().unwrap();
    assert_eq!(ask(&store, "SELECT count(*) FROM transition WHERE reason = 'not_running'"), "1");
}

#[test]
fn streams_that_nobody_asks_for_any_more_stay_as_they_are() {
    for cause in [GapCause::Reconfigured, GapCause::Expired] {
        let folder = TempDir::new().unwrap();
        let mut store = recording(&folder);
        let mut script = covered(1);
        script.frame([transition(600, Coverage::Gap(cause))]);
        store.append(&script.ship()).unwrap();
        Box::new(store).close(stamp(8_000), false).unwrap();
        let last = "SELECT reason FROM transition ORDER BY at DESC LIMIT 1";
        assert_eq!(ask_file(&settings(&folder).path, last), cause.as_str());
    }
}

#[test]
fn the_journal_alone_makes_the_same_rows_again() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut batches = vec![covered(1).ship()];
    store.append(&batches[0]).unwrap();
    store.commit().unwrap();
    store.mark(Timestamp(T0 + 6_500)).unwrap();
    drop(store);
    let mut store = Store::open(settings(&folder)).unwrap();
    let begun = begin_at(&mut store, 9_000);
    let mut script = covered(begun.first_session.0);
    batches.push(script.ship());
    store.append(&batches[1]).unwrap();
    store.commit().unwrap();
    batches.push(script.frame([Event::Order(order(2))]).ship());
    store.append(&batches[2]).unwrap();
    Box::new(store).close(stamp(20_000), false).unwrap();

    // What a rebuild does: every record in order, the recorder's own as they are, a session's with what follows from it.
    let rebuilt = TempDir::new().unwrap();
    let mut store = Store::open(settings(&rebuilt)).unwrap();
    let journal = records(&settings(&folder).path);
    for (_, session, seq, kind, at, body) in &journal {
        let mut batch = Batch::new(*session, *seq);
        batch.push(*kind, *at, body);
        let of_session = batches.iter().filter(|batch| batch.session() == *session);
        for (_, event) in of_session.flat_map(|batch| {
            let first = batch.first();
            batch.events().iter().filter(move |(index, _)| Seq(first.0 + u64::from(*index)) == *seq)
        }) {
            batch.conclude(event.clone());
        }
        store.append(&batch).unwrap();
    }
    store.commit().unwrap();
    store.derive_books(i64::MAX).unwrap();
    store.close_file().unwrap();
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'frame_block'";
    let tables = ask_file(&settings(&folder).path, tables);
    assert!(tables.lines().count() > 20);
    for table in tables.lines() {
        let all = format!("SELECT * FROM {table}");
        assert_eq!(ask_file(&settings(&rebuilt).path, &all), ask_file(&settings(&folder).path, &all), "{table}");
    }
    assert_eq!(records(&settings(&rebuilt).path), journal);
}

#[test]
fn an_import_recorded_until_the_last_frame_of_its_capture_and_no_longer() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(settings(&folder)).unwrap();
    let info = RunInfo { kind: RunKind::Import, config: "a.capture".to_owned(), commit_interval: Duration::ZERO };
    store.begin_run(stamp(9_000), &info).unwrap();
    store.append(&covered(1).ship()).unwrap();
    store.end_run(stamp(9_500)).unwrap();
    assert_eq!(
        ask(&store, TRANSITIONS),
        "1|300|covered|consistent|1|-\n1|500|gap|not_running|-|the recorder was stopped"
    );
}
