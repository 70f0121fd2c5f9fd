//! SIGKILL while a database is made, or brought to the present schema.
//!
//! `FEEDTAPE_MIGRATION_KILLS=50` for many of each file, `FEEDTAPE_SEED` for others.

use std::fs::{self, File};
use std::path::Path;

use feedtape::store::SCHEMA_VERSION;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::Connection;

use crate::machine::Switch;
use crate::scene::{Recorder, Recording, Scene, feedtape, from_env, record, verify};

/// As an error of a write: the process is killed instead of it.
const KILL: i64 = -1;

/// All that a database may consist of.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// The version, and all that the schema says.
fn schema(recording: &Recording) -> (i64, Vec<String>) {
    let said = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
    (recording.number("PRAGMA user_version"), recording.rows(said))
}

/// How many rows each of the tables has.
fn counts(recording: &Recording) -> Vec<(String, i64)> {
    let tables = recording.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let count = |table: String| {
        let rows = recording.number(&format!("SELECT count(*) FROM {table}"));
        (table, rows)
    };
    tables.into_iter().map(count).collect()
}

/// Makes the file as it is before a start: that of an old schema, or none.
fn place(fixture: Option<i64>, path: &Path) {
    for suffix in FILES {
        // There may be none.
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    if let Some(version) = fixture {
        let name = format!("{}/tests/fixtures/schema-{version}.db.zst", env!("CARGO_MANIFEST_DIR"));
        zstd::stream::copy_decode(File::open(name).unwrap(), File::create(path).unwrap()).unwrap();
    }
}

/// What is found in the file: in a copy of it, for who looks may have to roll back, which is left to the next start.
fn found(path: &Path) -> Recording {
    let copy = path.with_file_name("copy.db");
    place(None, &copy);
    for suffix in FILES.iter().filter(|suffix| **suffix != "-shm") {
        // There may be none.
        let _ = fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copy.display()));
    }
    let recovered = Connection::open(&copy).unwrap();
    recovered.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    Recording::open(&copy)
}

#[test]
fn killed_while_it_makes_or_upgrades_a_file_it_leaves_the_old_or_the_new_schema() {
    let (kills, seed) = (from_env("FEEDTAPE_MIGRATION_KILLS", 1), from_env("FEEDTAPE_SEED", 7));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scene = Scene::new();
    let machine = scene.machine();
    let database = scene.path("test.db");
    let config = scene.config(&database, "");
    let start = || Recorder::start(machine.under(record(&config), &database));
    for fixture in [None, Some(3), Some(5), Some(6)] {
        // As it is before, as it is after, and how many writes there are in between.
        machine.reset();
        place(fixture, &database);
        let before = fixture.map(|_| Recording::open(&database));
        let before = before.map(|before| (schema(&before), counts(&before)));
        let mut recorder = start();
        recorder.until_reported(0);
        let writes = machine.get(Switch::Writes).cast_unsigned();
        let after = stopped_with(&scene, recorder);
        assert_eq!(after.0, SCHEMA_VERSION);

        let mut left_old = 0;
        for kill in 0..kills {
            let at = 1 + u64::from(random.next_u32()) % writes;
            let what = format!("schema {fixture:?}, seed {seed}, kill {kill}, at write {at}");
            machine.reset();
            place(fixture, &database);
            machine.set(Switch::WriteAt, at.cast_signed());
            machine.set(Switch::WriteError, KILL);
            let (reported, status, told) = start().end();
            assert_eq!(status.code(), None, "{what}: {told}");
            machine.reset();

            let left = found(&database);
            assert_eq!(left.rows("PRAGMA integrity_check"), ["ok"], "{what}");
            let found = schema(&left);
            let is_old = before.as_ref().map_or(found.1.is_empty(), |(schema, _)| found == *schema);
            assert!(is_old || found == after, "{what}: between the schemas");
            if is_old {
                left_old += 1;
            } else {
                left.has_all(&reported, &what);
            }
            for (table, rows) in before.iter().flat_map(|(_, counts)| counts) {
                let kept = left.number(&format!("SELECT count(*) FROM {table}"));
                assert!(if is_old { kept == *rows } else { kept >= *rows }, "{what}: {table} had {rows}, has {kept}");
            }
            drop(left);

            let mut recorder = start();
            recorder.until_reported(0);
            assert_eq!(stopped_with(&scene, recorder), after, "{what}: the next start");
            is_good(&database, fixture, &what);
        }
        println!("schema {fixture:?}: {kills} of {writes} writes, {left_old} left it as it was");
    }
}

/// Stops a recorder, and says which schema it leaves.
fn stopped_with(scene: &Scene, recorder: Recorder) -> (i64, Vec<String>) {
    recorder.signal("TERM");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let recording = Recording::open(&scene.path("test.db"));
    recording.has_all(&reported, "stopped");
    schema(&recording)
}

/// What a new feedtape understands better in the rows of an old one is not what this is about.
fn is_good(database: &Path, fixture: Option<i64>, what: &str) {
    if fixture.is_none() {
        return verify(database, what);
    }
    let verified = feedtape().arg("verify").arg(database).output().unwrap();
    let told = String::from_utf8(verified.stdout).unwrap();
    for aspect in ["file ", "journal ", "coverage "] {
        let is_good = |line: &str| line.starts_with(aspect) && line.split_whitespace().nth(1) == Some("good");
        assert!(told.lines().any(is_good), "{what}: {told}");
    }
}
