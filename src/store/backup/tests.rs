use tempfile::TempDir;

use super::*;
use crate::exit::Exit;
use crate::model::Event;
use crate::sink::Sink;
use crate::store::script::*;
use crate::store::{Settings, Store};

#[test]
fn a_backup_taken_while_recording_holds_what_was_committed_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    store.append(&script.frame([Event::Order(order(1))]).ship()).unwrap();
    store.commit().unwrap();
    store.append(&script.frame([Event::Order(order(2))]).ship()).unwrap();
    let copy = folder.path().join("copy.db");
    backup(&settings(&folder).path, &copy).unwrap();
    store.commit().unwrap();

    assert_eq!(ask_file(&copy, "PRAGMA integrity_check"), "ok");
    assert_eq!(ask_file(&copy, "SELECT order_id FROM order_event"), "1");
    assert_eq!(ask(&store, "SELECT order_id FROM order_event"), "1\n2");
    assert_eq!(records(&copy).len(), records(&settings(&folder).path).len() - 1);
    assert!(!folder.path().join("copy.db-wal").exists(), "a backup is one file");
    // It can be recorded into.
    let mut store = Store::open(Settings { path: copy, ..settings(&folder) }).unwrap();
    begin_at(&mut store, 5_000);
}

#[test]
fn an_existing_file_is_never_written_over() {
    let folder = TempDir::new().unwrap();
    let _store = recording(&folder);
    let copy = folder.path().join("copy.db");
    fs::write(&copy, "precious").unwrap();
    let error = backup(&settings(&folder).path, &copy).unwrap_err();
    assert_eq!(error.exit(), Exit::CannotCreate, "{error}");
    assert_eq!(fs::read_to_string(&copy).unwrap(), "precious");
}

#[test]
fn only_a_recording_is_backed_up_and_a_failed_backup_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let (diary, copy) = (folder.path().join("diary"), folder.path().join("copy.db"));
    assert_eq!(backup(&diary, &copy).unwrap_err().exit(), Exit::NoInput);
    fs::write(&diary, "dear diary, ".repeat(100)).unwrap();
    assert_eq!(backup(&diary, &copy).unwrap_err().exit(), Exit::Data);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["diary"]);
}
