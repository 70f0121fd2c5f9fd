use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::journal::RecordKind;
use crate::sink::{Sink, SinkError};
use crate::store::script::*;

const LIMIT: u64 = 4 << 20;

/// A store whose WAL may have [`LIMIT`] bytes.
struct Limited {
    folder: TempDir,
    store: Store,
    script: Script,
}

impl Limited {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut store = recording(&folder);
        store.limit_wal(LIMIT);
        Self { folder, store, script: Script::opened(1) }
    }

    fn path(&self) -> PathBuf {
        settings(&self.folder).path
    }

    /// The size of the -wal file, asked of the file system.
    fn wal(&self) -> u64 {
        fs::metadata(self.folder.path().join("tape.db-wal")).unwrap().len()
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        self.store.append(&self.script.record(RecordKind::Received, "{}", []).ship())?;
        self.store.commit()
    }

    fn commit_until(&mut self, bytes: u64) {
        while self.wal() <= bytes {
            self.commit().unwrap();
        }
    }

    /// Somebody who reads what there is now, and goes on with that.
    fn reader(&self) -> Connection {
        let reader = Connection::open(self.path()).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM frame_block").unwrap();
        reader
    }
}

#[test]
fn a_wal_is_left_while_it_is_short_and_emptied_once_it_is_long() {
    let mut limited = Limited::new();
    limited.commit_until(LIMIT / 4);
    let short = limited.wal();
    assert_eq!(limited.store.tidy().unwrap().wal_bytes, short);
    assert_eq!(limited.wal(), short);
    limited.commit_until(LIMIT / 2);
    assert_eq!(limited.store.tidy().unwrap().wal_bytes, 0);
    assert_eq!(limited.wal(), 0);
}

#[test]
fn the_next_group_empties_a_wal_that_is_long_before_it_begins() {
    let mut limited = Limited::new();
    limited.commit_until(LIMIT / 2);
    limited.commit().unwrap();
    assert!(limited.wal() < LIMIT / 8);
}

#[test]
fn a_wal_that_a_reader_keeps_grows_up_to_its_limit_and_no_further() {
    let mut limited = Limited::new();
    let reader = limited.reader();
    limited.commit_until(LIMIT);
    let long = limited.wal();
    let batch = limited.script.record(RecordKind::Received, "{}", []).ship();
    let refused = limited.store.append(&batch).unwrap_err();
    assert!(matches!(&refused, SinkError::Later(why) if why.contains("reader")), "{refused:?}");
    assert!(matches!(limited.store.tidy(), Err(SinkError::Later(_))));
    assert_eq!(limited.wal(), long);
    drop(reader);
    assert!(limited.store.watch.wal_is_long);
    limited.store.append(&batch).unwrap();
    limited.store.commit().unwrap();
    assert!(limited.wal() < LIMIT / 8);
    limited.store.tidy().unwrap();
    assert!(!limited.store.watch.wal_is_long);
}

#[test]
fn without_a_limit_a_wal_of_usual_length_is_left() {
    let folder = TempDir::new().unwrap();
    let store = recording(&folder);
    assert_eq!(store.usual_wal_bytes_max(), WAL_BYTES_USUAL_MAX);
    let mut store = store;
    store.limit_wal(LIMIT);
    assert_eq!(store.usual_wal_bytes_max(), LIMIT / 2);
}

#[test]
fn low_space_is_noticed_and_forgotten_when_there_is_some() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    store.settings.min_free_space = u64::MAX;
    store.tidy_up().unwrap();
    assert!(store.watch.space_is_low);
    store.settings.min_free_space = 0;
    store.tidy_up().unwrap();
    assert!(!store.watch.space_is_low);
}
