//! Files that are missing, foreign, newer, or where nothing may be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use super::recording::{Recording, printed, refused, standard};

/// The commands that read, with what they need beside the database.
const COMMANDS: &[&[&str]] = &[&["query", "SELECT 1"], &["frames"], &["coverage"], &["status"]];

fn arguments<'a>(command: &[&'a str], database: &'a str) -> Vec<&'a str> {
    [&command[..1], &[database], &command[1..]].concat()
}

#[test]
fn a_missing_foreign_newer_or_empty_file_is_told_apart() {
    let (folder, path) = standard();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let copy = |name: &str, change: &str| {
        fs::copy(&path, at(name)).unwrap();
        rusqlite::Connection::open(at(name)).unwrap().execute_batch(change).unwrap();
    };
    copy("newer", "PRAGMA user_version = 999");
    copy("older", "PRAGMA user_version = 1");
    copy("foreign", "PRAGMA application_id = 7");
    fs::write(at("text"), "this is no database, although it is long enough to be one: ".repeat(100)).unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::create_dir(at("folder")).unwrap();
    for command in COMMANDS {
        for (name, code, clue) in [
            ("missing", 66, "cannot be found"),
            ("newer", 65, "has schema version 999"),
            ("older", 65, "has schema version 1"),
            ("foreign", 65, "is not a feedtape database"),
            ("text", 65, "is not a feedtape database (no SQLite file)"),
            ("empty", 65, "is not a feedtape database (an empty database)"),
            ("folder", 65, "is not a feedtape database (a folder)"),
        ] {
            let (found, message) = refused(&arguments(command, &at(name)));
            assert_eq!(found, Some(code), "{command:?} {name}: {message}");
            assert!(message.starts_with(&format!("feedtape: {}", at(name))) && message.contains(clue), "{message}");
        }
        assert!(!Path::new(&at("missing")).exists());
    }
}

#[test]
fn a_recording_is_read_while_it_is_recorded() {
    let mut recording = Recording::start();
    let path = recording.path.to_str().unwrap().to_owned();
    let count = || printed(&["query", &path, "SELECT count(*) FROM order_events", "--format", "csv"]);
    let mut session = recording.connect(0);
    session.commit();
    assert_eq!(count(), "count(*)\n0\n");
    session.receive(r#"{"notice":"OrderOpened","id":2,"base":63488,"counter":65283,"quantity":1,"price":2,"time":3}"#);
    session.commit();
    assert_eq!(count(), "count(*)\n1\n");
}

/// Runs the program as somebody who may not write where we may.
fn as_reader(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("feedtape"));
    if fs::metadata(folder).unwrap().uid() == 0 {
        command.uid(65534); // root may write anywhere, nobody may not
    }
    command.args(args).output().unwrap()
}

#[test]
fn a_file_is_read_where_nothing_may_be_written() {
    let (folder, path) = standard();
    let outside = folder.path().join("archive #1 100%?");
    fs::create_dir(&outside).unwrap();
    let archived = outside.join("tape.db");
    fs::copy(&path, &archived).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(folder.path(), 0o755);
    mode(&archived, 0o444);
    mode(&outside, 0o555);
    let name = archived.to_str().unwrap();
    let program = as_reader(folder.path(), &["--version"]);
    if !program.status.success() {
        println!("skipped: the program cannot be run as somebody else here");
        mode(&outside, 0o755);
        return;
    }
    let output = as_reader(folder.path(), &["query", name, "SELECT count(*) FROM trades", "--format", "csv"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "count(*)\n2\n", "{}", String::from_utf8_lossy(&output.stderr));

    // What is in a -wal cannot be left out, and cannot be read either.
    mode(&outside, 0o755);
    fs::write(outside.join("tape.db-wal"), "x").unwrap();
    mode(&outside, 0o555);
    let output = as_reader(folder.path(), &["query", name, "SELECT 1"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("has a -wal, and its folder cannot be written to"), "{message}");
    assert_eq!(output.status.code(), Some(74));
    mode(&outside, 0o755);
}

#[test]
fn a_backup_is_a_whole_recording_and_never_overwrites() {
    let (folder, path) = standard();
    let [path, copy] = [path, folder.path().join("copy.db")].map(|path| path.to_str().unwrap().to_owned());
    printed(&["backup", &path, &copy]);
    let ask = |path: &str| printed(&["query", path, "SELECT frame_text(frame), * FROM trades", "--format", "csv"]);
    assert_eq!(ask(&copy), ask(&path));
    let (code, message) = refused(&["backup", &path, &copy]);
    assert_eq!(code, Some(73), "{message}");
    assert_eq!(refused(&["backup", "missing.db", "other.db"]).0, Some(66));
}
