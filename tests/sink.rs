//! The sink's actor with a real store.

use std::sync::Arc;
use std::time::Duration;

use feedtape::clock::Clock;
use feedtape::config::Durability;
use feedtape::journal::{Batch, RecordKind};
use feedtape::message::{Stop, Write};
use feedtape::model::{Seq, Stamp};
use feedtape::sink::{Progress, SinkActor};
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use tempfile::TempDir;

#[actix::test]
async fn what_is_answered_is_in_the_file_and_stopping_ends_the_run() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tape.db");
    let settings = Settings { path: path.clone(), durability: Durability::PowerLoss, min_free_space: 0 };
    let mut store = Store::open(settings).unwrap();
    let (clock, interval) = (Clock::start(), Duration::from_millis(1));
    let info = RunInfo { kind: RunKind::Live, config: "demo.toml".to_owned(), commit_interval: interval };
    let session = store.begin_run(clock.now(), &info).unwrap().first_session;
    let progress = Arc::new(Progress::default());
    let sink = SinkActor::start(Box::new(store), interval, clock, Arc::clone(&progress));

    let reader = rusqlite::Connection::open(&path).unwrap();
    let number = |sql: &str| reader.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let frames = "SELECT sum(frames) FROM frame_block";
    let mut spent = Batch::default();
    for first in 0..20 {
        spent.reset(session, Seq(first));
        spent.push(RecordKind::Received, Stamp::default(), b"{}");
        spent = sink.addr.send(Write(spent)).await.unwrap().unwrap().spent;
        // One more than the session has: the start of the run.
        assert_eq!(number(frames), first as i64 + 2);
    }
    assert_eq!(progress.take_durable(), [(session, Seq(19))]);
    assert_eq!(progress.frames(), 20);
    sink.addr.send(Stop).await.unwrap().unwrap();
    sink.join().unwrap();
    assert_eq!(number(frames), 22);
    assert_eq!(number("SELECT count(*) FROM run WHERE outcome = 'stopped'"), 1);
}
