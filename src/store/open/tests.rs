use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::exit::Exit;
use crate::sink::{Sink, SinkError};
use crate::store::script::*;
use crate::store::{SCHEMA_VERSION, Store};

fn refused(folder: &TempDir) -> StoreError {
    match Store::open(settings(folder)) {
        Ok(_) => panic!("the file was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_new_file_is_ours_durable_and_private() {
    let folder = TempDir::new().unwrap();
    let store = recording(&folder);
    let pragma = |name: &str| ask_connection(&store.connection, &format!("PRAGMA {name}"));
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2");
    assert_eq!(pragma("application_id"), migrate::APPLICATION_ID.to_string());
    assert_eq!(pragma("user_version"), SCHEMA_VERSION.to_string());
    assert_eq!(pragma("mmap_size"), "0");
    for file in ["tape.db", "tape.db-wal", "tape.db-shm", "tape.db.lock"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{file} has mode {mode:o}");
    }
}

#[test]
fn the_weaker_durability_does_not_wait_for_the_disk() {
    let folder = TempDir::new().unwrap();
    let weaker = Settings { durability: Durability::ProcessKill, ..settings(&folder) };
    let store = Store::open(weaker).unwrap();
    assert_eq!(ask_connection(&store.connection, "PRAGMA synchronous"), "1");
}

#[test]
fn the_bundled_sqlite_does_not_have_the_wal_reset_defect() {
    assert!(rusqlite::version_number() >= SQLITE_VERSION_MIN);
}

#[test]
fn after_closing_the_file_alone_holds_everything_and_readers_need_no_rights_to_write() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    store.append(&Script::opened(1).ship()).unwrap();
    Box::new(store).close(stamp(9_000), false).unwrap();
    // Kept for readers, and empty.
    assert_eq!(fs::metadata(folder.path().join("tape.db-wal")).unwrap().len(), 0);
    let copy = folder.path().join("copy.db");
    fs::copy(settings(&folder).path, &copy).unwrap();
    assert_eq!(ask_file(&copy, "SELECT count(*) FROM session"), "1");
}

#[test]
fn a_second_recorder_is_kept_out() {
    let folder = TempDir::new().unwrap();
    let store = recording(&folder);
    let error = refused(&folder);
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Locked);
    drop(store);
    Store::open(settings(&folder)).unwrap();
}

#[test]
fn a_recording_with_another_name_is_refused_by_either_and_a_link_leads_nowhere() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |name: &str| match Store::open(Settings { path: at(name), ..settings(&folder) }) {
        Ok(_) => panic!("{name} was opened"),
        Err(error) => (error.exit(), error.to_string()),
    };
    let says = |(exit, told): (Exit, String), what: &str| {
        assert_eq!(exit, Exit::CannotCreate, "{told}");
        assert!(told.contains(what), "{told}");
    };
    let store = recording(&folder);
    symlink("tape.db", at("link.db")).unwrap();
    says(refused("link.db"), "is a symbolic link");
    fs::hard_link(at("tape.db"), at("other.db")).unwrap();
    says(refused("other.db"), "has 2 names");
    assert!(Lock::is_held(&at("link.db")).unwrap(), "who only reads is led there");
    drop(store);
    says(refused("tape.db"), "has 2 names");
    fs::remove_file(at("other.db")).unwrap();
    Store::open(settings(&folder)).unwrap();

    for link in ["new.db", "new.db.lock"] {
        symlink("precious", at(link)).unwrap();
        says(refused("new.db"), "is a symbolic link");
        fs::remove_file(at(link)).unwrap();
    }
    assert!(!at("precious").exists(), "no link is followed");
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let text = b"a diary, not a database; ".repeat(50);
    type Make<'a> = &'a dyn Fn(&Path);
    let make: [(&str, Make<'_>); 3] = [
        ("a text", &|path| fs::write(path, &text).unwrap()),
        ("another's database", &|path| {
            Connection::open(path).unwrap().execute_batch("CREATE TABLE diary (entry TEXT)").unwrap();
        }),
        ("another's empty database", &|path| {
            Connection::open(path).unwrap().execute_batch("PRAGMA application_id = 7").unwrap();
        }),
    ];
    for (what, make) in make {
        let folder = TempDir::new().unwrap();
        let path = settings(&folder).path;
        make(&path);
        let before = fs::read(&path).unwrap();
        let error = refused(&folder);
        assert!(matches!(error, StoreError::Foreign { .. }), "{what}: {error}");
        assert_eq!(error.exit(), Exit::Data);
        assert_eq!(fs::read(&path).unwrap(), before, "{what}");
    }
}

#[test]
fn a_newer_schema_is_refused_with_both_versions_named() {
    let folder = TempDir::new().unwrap();
    let store = recording(&folder);
    store.connection.pragma_update(None, "user_version", SCHEMA_VERSION + 2).unwrap();
    drop(store);
    let error = refused(&folder);
    let (found, known) = (SCHEMA_VERSION + 2, SCHEMA_VERSION);
    assert!(
        error.to_string().contains(&format!("version {found}, this feedtape knows versions up to {known}")),
        "{error}"
    );
    assert_eq!(error.exit(), Exit::Data);
}

#[test]
fn a_damaged_file_is_told_apart_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let store = recording(&folder);
    store.close_file().unwrap();
    let path = settings(&folder).path;
    let mut bytes = fs::read(&path).unwrap();
    // The first page of the schema's B-tree.
    bytes[100..2_000].fill(0xee);
    fs::write(&path, &bytes).unwrap();
    let error = refused(&folder);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn too_little_space_is_refused_before_anything_is_made() {
    let folder = TempDir::new().unwrap();
    let wanting = Settings { min_free_space: u64::MAX, ..settings(&folder) };
    let Err(error) = Store::open(wanting) else { panic!("the file was opened") };
    assert!(matches!(error, StoreError::LowSpace { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Locked);
    assert!(!settings(&folder).path.exists());
}

#[test]
fn a_folder_that_does_not_exist_is_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nowhere").join("tape.db");
    let Err(error) = Store::open(Settings { path, ..settings(&folder) }) else { panic!("the file was opened") };
    assert_eq!(error.exit(), Exit::CannotCreate, "{error}");
}

#[test]
fn a_file_that_is_moved_or_replaced_while_recording_is_noticed() {
    for replace in [false, true] {
        let folder = TempDir::new().unwrap();
        let mut store = recording(&folder);
        store.check().unwrap();
        let path = settings(&folder).path;
        fs::rename(&path, folder.path().join("elsewhere.db")).unwrap();
        if replace {
            fs::write(&path, "").unwrap();
        }
        let moved =
            |result: Result<(), SinkError>| matches!(result, Err(SinkError::Fatal(text)) if text.contains("moved"));
        assert!(moved(store.check()), "replaced: {replace}");
        assert!(moved(store.reopen()), "replaced: {replace}");
        assert!(moved(store.commit()), "replaced: {replace}");
    }
}

#[test]
fn where_nobody_ever_recorded_no_lock_is_held_and_where_nothing_can_be_asked_that_is_said() {
    let folder = TempDir::new().unwrap();
    assert!(!Lock::is_held(&folder.path().join("tape.db")).unwrap());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let within = file.join("tape.db");
    assert!(matches!(Lock::is_held(&within), Err(StoreError::CannotOpen { path, .. }) if path.starts_with(&file)));
}
