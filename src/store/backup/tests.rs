use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::exit::Exit;
use crate::model::Event;
use crate::sink::Sink;
use crate::store::script::*;
use crate::store::{Draft, Settings, Store};

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
fn a_new_file_is_made_where_it_is_wanted_and_not_where_a_link_leads() {
    let folder = TempDir::new().unwrap();
    let _store = recording(&folder);
    let at = |name: &str| folder.path().join(name);
    symlink("tape.db", at("link.db")).unwrap();
    type Make<'a> = &'a dyn Fn(&Path) -> Result<(), StoreError>;
    let makes: [(&str, Make<'_>); 2] =
        [("backup", &|to| backup(&at("link.db"), to)), ("rebuild", &|to| Draft::create(to)?.finish())];
    for (what, make) in makes {
        let to = at(what);
        fs::write(at("precious"), what).unwrap();
        for link in [what.to_owned(), format!("{what}.part.lock")] {
            symlink("precious", at(&link)).unwrap();
            assert_eq!(make(&to).unwrap_err().exit(), Exit::CannotCreate, "{link}");
            fs::remove_file(at(&link)).unwrap();
        }
        // What may be left of one that was given up makes room.
        symlink("precious", at(&format!("{what}.part"))).unwrap();
        make(&to).unwrap();
        assert_eq!(ask_file(&to, "PRAGMA integrity_check"), "ok");
        assert!(fs::symlink_metadata(&to).unwrap().is_file());
        assert_eq!(fs::read_to_string(at("precious")).unwrap(), what, "what the links lead to is as it was");
    }
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
