//! Files that are moved, replaced or deleted while they are recorded into.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::machine::{Machine, Switch};
use crate::scene::{Recorder, Recording, Reported, Scene, lock, record, started, started_on_machine, until};

const ENOSPC: i64 = 28;

/// Says that it ended because of that file, and what it had reported.
fn ended(recorder: Recorder, file: &str) -> Reported {
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(74), "{told}");
    assert!(told.contains(&format!("{file} was moved, replaced or deleted while")), "{told}");
    reported
}

/// The next recorder makes another file, or goes on with what there is.
fn goes_on(scene: &Scene, what: &str) -> Recording {
    let mut recorder = Recorder::start(record(&scene.path("test.toml")));
    recorder.until_reported(0);
    scene.stopped(recorder, what)
}

#[test]
fn a_file_that_is_moved_is_noticed_and_has_everything() {
    let (scene, recorder) = started(300);
    fs::rename(scene.path("test.db"), scene.path("moved.db")).unwrap();
    let reported = ended(recorder, "test.db");
    // Its -wal, if there is anything left in it, kept its name.
    assert_eq!(fs::metadata(scene.path("test.db-wal")).map_or(0, |wal| wal.len()), 0, "all is in the file");
    Recording::open(&scene.path("moved.db")).has_all(&reported, "moved");
}

#[test]
fn nothing_is_reported_into_a_file_that_is_deleted_or_replaced() {
    for is_replaced in [false, true] {
        let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
        machine.set(Switch::SyncDelayMs, 1_000);
        recorder.until_it_goes_on();
        // In the middle of a commit, after which nothing is reported any more.
        let syncs = machine.get(Switch::Syncs);
        until("it commits", || machine.get(Switch::Syncs) > syncs);
        let before = recorder.so_far();
        if is_replaced {
            fs::write(scene.path("other"), "").unwrap();
            fs::rename(scene.path("other"), scene.path("test.db")).unwrap();
        } else {
            fs::remove_file(scene.path("test.db")).unwrap();
        }
        assert_eq!(ended(recorder, "test.db"), before, "replaced: {is_replaced}");
        goes_on(&scene, "the next file");
    }
}

#[test]
fn a_deleted_file_is_noticed_while_nothing_can_be_written() {
    type Trouble = fn(&Scene, &Machine) -> Option<Connection>;
    let troubles: [(&str, Trouble); 2] = [
        ("no space is left for", |_, machine| {
            machine.set(Switch::WriteError, ENOSPC);
            None
        }),
        ("another program is writing to", |scene, _| Some(lock(&scene.path("test.db")))),
    ];
    for (told, begin) in troubles {
        let (scene, machine, recorder) = started_on_machine(Scene::new(), 300);
        let trouble = begin(&scene, &machine);
        until("it says so", || recorder.said(told) > 0);
        fs::remove_file(scene.path("test.db")).unwrap();
        // Which does not pass.
        ended(recorder, "test.db");
        drop(trouble);
    }
}

#[test]
fn what_is_deleted_or_replaced_beside_the_file_costs_nothing_that_was_reported() {
    // Another file in its place: none, an empty one, and what it was at some time, which SQLite would take for its own.
    type Other = fn(&Path) -> Option<Vec<u8>>;
    let fates: [(&str, &str, Other); 4] = [
        ("test.db-shm", "deleted", |_| None),
        ("test.db-wal", "deleted", |_| None),
        ("test.db-wal", "replaced", |_| Some(Vec::new())),
        ("test.db-wal", "set back", |wal| Some(fs::read(wal).unwrap())),
    ];
    for (name, fate, other) in fates {
        let (scene, recorder) = started(300);
        let path = scene.path(name);
        match other(&path) {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => {
                fs::write(scene.path("other"), bytes).unwrap();
                fs::rename(scene.path("other"), &path).unwrap();
            }
        }
        let reported = ended(recorder, name);
        let what = format!("{name} {fate}");
        Recording::open(&scene.path("test.db")).has_all(&reported, &what);
        let recording = goes_on(&scene, &what);
        recording.has_all(&reported, &what);
        assert_eq!(recording.rows("SELECT outcome FROM run"), ["killed", "stopped"], "{what}");
    }
}

#[test]
fn what_was_saved_from_a_deleted_wal_does_not_need_the_end_of_the_process() {
    let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
    machine.set(Switch::SyncDelayMs, 300);
    recorder.until_it_goes_on();
    fs::remove_file(scene.path("test.db-wal")).unwrap();
    until("it has saved", || recorder.said("cannot write any more") > 0);
    recorder.signal("KILL");
    let (reported, ..) = recorder.end();
    Recording::open(&scene.path("test.db")).has_all(&reported, "killed");
    goes_on(&scene, "killed");
}

#[test]
fn told_to_stop_after_its_wal_was_deleted_it_saves_what_was_reported() {
    // With a slow disk a stop leaves the WAL as it is.
    for delay in [0, 600] {
        let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
        machine.set(Switch::SyncDelayMs, delay);
        recorder.until_it_goes_on();
        recorder.until_it_goes_on();
        fs::remove_file(scene.path("test.db-wal")).unwrap();
        recorder.signal("TERM");
        let reported = ended(recorder, "test.db-wal");
        Recording::open(&scene.path("test.db")).has_all(&reported, "stopped");
    }
}
