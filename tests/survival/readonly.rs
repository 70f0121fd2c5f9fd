//! Where nothing may be written, really: a file system that is read-only, or turns so, as it does when its disk fails.
//!
//! As root, where there are loop devices: `cargo test --test survival readonly -- --ignored --nocapture`.

use std::path::PathBuf;

use feedtape::exchange::{Action, Faults};

use crate::disk::{EROFS, MEMORY_BYTES_MAX, memory};
use crate::machine::{Machine, Switch};
use crate::mounted::Mounted;
use crate::scene::{Recorder, Recording, Scene, record, until, verify};

/// A recorder that has reported some records into a file system of its own; `None` if this machine can have none.
fn started(scene: &Scene, machine: &Machine) -> Option<(Mounted, PathBuf, Recorder)> {
    let mounted = Mounted::new(&scene.path("image"), scene.path("mounted"))?;
    let database = mounted.at.join("test.db");
    let mut recorder = Recorder::start(machine.under(record(&scene.config(&database, "")), &database));
    recorder.until_reported(500);
    Some((mounted, database, recorder))
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn a_file_system_that_turns_read_only_is_told_and_has_all_that_was_reported_when_it_is_mended() {
    let scene = Scene::new();
    let machine = scene.machine();
    let Some((mounted, database, recorder)) = started(&scene, &machine) else {
        return println!("SKIPPED: no file system can be made and mounted here");
    };
    // What ext4 does to itself when its disk fails, whoever has files open. Nothing but to mount it anew mends that.
    mounted.remount("abort");
    until("it says so", || recorder.said("cannot write, trying again") == 1);
    until("it says that nothing is recorded", || recorder.said("nothing is being recorded") == 1);
    assert!(memory(&recorder) < MEMORY_BYTES_MAX);
    recorder.signal("TERM");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(74), "{told}");
    assert!(told.contains("bytes that were received since are lost"), "{told}");
    Recording::open(&database).has_all(&reported, "read-only");
    verify(&database, "read-only");
    drop(mounted);

    let _mounted = Mounted::mount(&scene.path("image"), scene.path("mounted")).expect("a journalled file system");
    Recording::open(&database).has_all(&reported, "mended");
    let mut recorder = Recorder::start(record(&scene.path("test.toml")));
    recorder.until_reported(0);
    let recording = recorder.stopped(&database, "after it was mended");
    assert_eq!(recording.rows("SELECT outcome FROM run ORDER BY id"), ["killed", "stopped"]);
    // It said that nothing is recorded after ten seconds of that.
    let gap = "SELECT count(*) FROM gaps \
         WHERE channel = 'WatchOrders' AND cause = 'not_running' AND to_at - from_at > 10000000000";
    assert_eq!(recording.number(gap), 1);
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn where_files_cannot_be_opened_again_it_goes_on_by_itself_once_they_can_and_what_is_missed_meanwhile_is_a_gap() {
    // The connection is lost meanwhile.
    let scene = Scene::with(Faults::new().on(1, 4_000, Action::Drop), 2_000);
    let machine = scene.machine();
    let Some((mounted, database, mut recorder)) = started(&scene, &machine) else {
        return println!("SKIPPED: no file system can be made and mounted here");
    };
    // A mount with files open for writing cannot be made read-only, so what is open fails by the machine.
    let again = mounted.again();
    again.remount("bind,ro");
    machine.set(Switch::WriteError, EROFS);
    until("it says so", || recorder.said("cannot write, trying again") == 1);
    until("the connection is lost", || recorder.said("disconnected") > 0);
    until("there is another", || recorder.said(" connected source") > 1);
    assert!(memory(&recorder) < MEMORY_BYTES_MAX);
    machine.reset();
    again.remount("bind,rw");
    recorder.until_it_goes_on();
    until("it says that too", || recorder.said("writing again, nothing was lost") == 1);
    let recording = recorder.stopped(&database, "read-only for a while");
    let gap =
        "SELECT count(*) FROM gaps WHERE channel = 'WatchOrders' AND cause = 'not_connected' AND evidence IS NOT NULL";
    assert_eq!(recording.number(gap), 1);
    assert_eq!(recording.number("SELECT count(*) FROM session"), 2);
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn on_a_read_only_file_system_nothing_is_begun_and_what_is_there_can_be_read() {
    let scene = Scene::new();
    let machine = scene.machine();
    let Some((mounted, database, recorder)) = started(&scene, &machine) else {
        return println!("SKIPPED: no file system can be made and mounted here");
    };
    recorder.stopped(&database, "at first");
    mounted.remount("ro");
    verify(&database, "read-only");
    for name in ["new.db", "test.db"] {
        let config = scene.config(&database.with_file_name(name), "");
        let (_, status, told) = Recorder::start(record(&config)).end();
        assert_eq!(status.code(), Some(73), "{name}: {told}");
        assert!(told.contains(name) && told.contains("cannot be made or opened: Read-only file system"), "{told}");
    }
    mounted.remount("rw");
    let mut recorder = Recorder::start(record(&scene.config(&database, "")));
    recorder.until_reported(0);
    recorder.stopped(&database, "at last");
}
