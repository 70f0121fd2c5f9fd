//! Disks that are full, slow, broken or somebody else's.
//!
//! `FEEDTAPE_DISK_FAULTS=1000000` fails every write and every sync of a recording in turn.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use feedtape::exchange::{Action, Faults};
use rusqlite::Connection;

use crate::machine::{Machine, Switch};
use crate::scene::{
    PATIENCE, Recorder, Recording, Scene, feedtape, from_env, lock, record, started, started_on_machine, until, verify,
};

/// "Input/output error", "no space left on device" and "read-only file system".
const EIO: i64 = 5;
pub const ENOSPC: i64 = 28;
pub const EROFS: i64 = 30;

/// What a recorder may have in memory, whatever its disk does: one window of 8 MiB, caches, and a test build.
pub const MEMORY_BYTES_MAX: u64 = 128 << 20;

pub fn memory(recorder: &Recorder) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", recorder.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_full_disk_stops_nothing_and_what_is_missed_meanwhile_is_a_gap() {
    // The connection is lost while nothing can be written.
    let scene = Scene::with(Faults::new().on(1, 4_000, Action::Drop), 2_000);
    let (scene, machine, mut recorder) = started_on_machine(scene, 500);
    machine.set(Switch::WriteError, ENOSPC);
    until("it says so", || recorder.said("no space is left for") > 0);
    until("the connection is lost", || recorder.said("disconnected") > 0);
    until("there is another", || recorder.said(" connected source") > 1);
    machine.set(Switch::WriteError, 0);
    recorder.until_it_goes_on();
    until("it says that too", || recorder.said("writing again, nothing was lost") == 1);
    assert!(memory(&recorder) < MEMORY_BYTES_MAX);
    scene.stopped(recorder, "full");
    let recording = Recording::open(&scene.path("test.db"));
    let gap =
        "SELECT count(*) FROM gaps WHERE channel = 'WatchOrders' AND cause = 'not_connected' AND evidence IS NOT NULL";
    assert_eq!(recording.number(gap), 1);
    assert_eq!(recording.number("SELECT count(*) FROM session"), 2);
}

#[test]
fn told_to_stop_while_the_disk_is_full_it_says_what_is_lost() {
    let (scene, machine, recorder) = started_on_machine(Scene::new(), 500);
    machine.set(Switch::WriteError, ENOSPC);
    until("it says so", || recorder.said("no space is left for") > 0);
    recorder.signal("TERM");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(74), "{told}");
    assert!(told.contains("bytes that were received since are lost"), "{told}");
    Recording::open(&scene.path("test.db")).has_all(&reported, "full at the end");
    machine.reset();
    let mut recorder = Recorder::start(machine.under(record(&scene.path("test.toml")), &scene.path("test.db")));
    recorder.until_reported(0);
    scene.stopped(recorder, "after it was full");
}

#[test]
fn a_slow_disk_costs_time_and_nothing_else() {
    for delay in [50, 2_000] {
        let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 100);
        machine.set(Switch::SyncDelayMs, delay);
        recorder.until_it_goes_on();
        recorder.until_it_goes_on();
        recorder.until_it_goes_on();
        assert!(memory(&recorder) < MEMORY_BYTES_MAX, "{delay} ms");
        let (told_at, before) = (Instant::now(), machine.get(Switch::Syncs));
        recorder.signal("TERM");
        assert!(recorder.wait(PATIENCE).is_some());
        let syncs = machine.get(Switch::Syncs) - before;
        println!("{delay} ms a sync: a stop took {:?} and {syncs} syncs", told_at.elapsed());
        // The one that goes on and the last group; a disk that is not slow has time to tidy.
        let most = if delay > 500 { 2 } else { 20 };
        assert!(syncs <= most, "{delay} ms: {syncs} syncs");
        let (reported, status, told) = recorder.end();
        assert_eq!(status.code(), Some(0), "{delay} ms: {told}");
        let recording = Recording::open(&scene.path("test.db"));
        recording.has_all(&reported, "slow");
        assert_eq!(recording.rows("SELECT id, cause FROM session"), ["1 stopped"], "{delay} ms: no other connection");
        verify(&scene.path("test.db"), "slow");
    }
}

/// Records with one fault: fails unless what was reported is there, and the next recorder goes on.
fn records_with_a_fault(scene: &Scene, machine: &Machine, what: &str) -> bool {
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        // There may be none.
        let _ = fs::remove_file(scene.path(name));
    }
    let config = scene.path("test.toml");
    let mut recorder = Recorder::start(machine.under(record(&config), &scene.path("test.db")));
    let ended = recorder.try_until_reported(300);
    if !ended {
        recorder.signal("TERM");
    }
    let (reported, status, told) = recorder.end();
    let fired = machine.get(Switch::Fired) > 0;
    assert!(matches!(status.code(), Some(0 | 74)), "{what}: {status} {told}");
    assert!(fired || status.success(), "{what}: nothing failed, and it says: {told}");
    if !reported.is_empty() {
        Recording::open(&scene.path("test.db")).has_all(&reported, what);
    }
    machine.reset();
    let mut recorder = Recorder::start(machine.under(record(&config), &scene.path("test.db")));
    recorder.until_reported(0);
    recorder.signal("TERM");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{what}: the next: {told}");
    Recording::open(&scene.path("test.db")).has_all(&reported, what);
    verify(&scene.path("test.db"), what);
    fired
}

/// Fails each call in turn, or so many of them: the first ones all, the later ones ever more rarely.
fn each_call_fails_once(error: Switch, at: Switch, calls: Switch, errno: i64) {
    let most = from_env("FEEDTAPE_DISK_FAULTS", 25);
    let scene = Scene::new();
    let machine = scene.machine();
    scene.config(&scene.path("test.db"), "");
    let (mut n, mut tried) = (1, 0);
    loop {
        machine.reset();
        machine.set(at, n);
        machine.set(error, errno);
        let fired = records_with_a_fault(&scene, &machine, &format!("call {n} of {}", calls as u64));
        tried += 1;
        if !fired || tried == most {
            break;
        }
        n += if most > 1000 { 1 } else { 1 + n / 6 };
    }
    println!("{tried} of the calls until number {n} failed");
}

#[test]
fn whichever_write_fails_nothing_that_was_reported_is_lost() {
    each_call_fails_once(Switch::WriteError, Switch::WriteAt, Switch::Writes, EIO);
}

#[test]
fn whichever_sync_fails_nothing_that_was_reported_is_lost() {
    each_call_fails_once(Switch::SyncError, Switch::SyncAt, Switch::Syncs, EIO);
}

#[test]
fn what_is_no_recording_of_ours_is_refused_and_left_as_it_is() {
    let (scene, recorder) = started(0);
    scene.stopped(recorder, "at first");
    let good = fs::read(scene.path("test.db")).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let wrong = [
        ("a header that is no SQLite header", with(0, b"not SQLite at all")),
        ("the number of another application", with(68, &[0, 0, 0, 1])),
        ("a newer schema", with(60, &[0, 0, 1, 0])),
        ("a damaged schema", with(100, &[0xff; 64])),
        ("half a page", good[..4_000].to_vec()),
        ("a text", b"dear diary\n".repeat(100)),
    ];
    for (what, bytes) in wrong {
        for name in ["test.db-wal", "test.db-shm"] {
            let _ = fs::remove_file(scene.path(name));
        }
        fs::write(scene.path("test.db"), &bytes).unwrap();
        let (_, status, told) = Recorder::start(record(&scene.path("test.toml"))).end();
        assert_eq!(status.code(), Some(65), "{what}: {told}");
        assert!(told.contains("test.db"), "{what}: {told}");
        assert!(fs::read(scene.path("test.db")).unwrap() == bytes, "{what}: it is not touched");
    }
}

#[test]
fn where_no_file_can_be_made_it_says_so() {
    let scene = Scene::new();
    for (folder, code) in [("/proc", 73), ("/nowhere/at/all", 73)] {
        let config = scene.config(&PathBuf::from(folder).join("test.db"), "");
        let (_, status, told) = Recorder::start(record(&config)).end();
        assert_eq!(status.code(), Some(code), "{told}");
        assert!(told.contains("cannot be made"), "{told}");
    }
}

#[test]
fn somebody_elses_lock_is_named_and_costs_nothing() {
    let (scene, mut recorder) = started(300);
    let foreign = lock(&scene.path("test.db"));
    until("it says so", || recorder.said("another program is writing to") > 0);
    drop(foreign);
    recorder.until_it_goes_on();
    scene.stopped(recorder, "locked");
    let recording = Recording::open(&scene.path("test.db"));
    assert_eq!(recording.rows("SELECT id, cause FROM session"), ["1 stopped"]);
}

#[test]
fn a_second_recorder_is_refused_by_whatever_name_and_the_first_goes_on() {
    let (scene, mut recorder) = started(100);
    symlink(scene.path("test.db"), scene.path("link.db")).unwrap();
    for (name, code) in [("test.db", 75), ("link.db", 73), ("other.db", 73)] {
        if name == "other.db" {
            fs::hard_link(scene.path("test.db"), scene.path(name)).unwrap();
        }
        let config = scene.config(&scene.path(name), "");
        let (reported, status, told) = Recorder::start(record(&config)).end();
        assert_eq!((status.code(), reported.len()), (Some(code), 0), "{name}: {told}");
        recorder.until_it_goes_on();
    }
    scene.stopped(recorder, "two");
}

#[test]
fn a_wal_that_a_reader_makes_too_long_stops_the_writing_until_the_reader_leaves() {
    const WAL_BYTES_MAX: u64 = 4 << 20;
    let scene = Scene::new();
    let config = scene.config(&scene.path("test.db"), "max_wal_size = \"4MiB\"");
    let mut recorder = Recorder::start(record(&config));
    recorder.until_reported(300);
    let reader = Connection::open(scene.path("test.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM frame_block").unwrap();
    until("it says so", || recorder.said("a reader keeps it from being emptied") > 0);
    let wal_bytes = || fs::metadata(scene.path("test.db-wal")).unwrap().len();
    let bytes = wal_bytes();
    until("it says that nothing is recorded", || recorder.said("nothing is being recorded") > 0);
    // A group may have made it longer than that, and none has since.
    assert!((WAL_BYTES_MAX..2 * WAL_BYTES_MAX).contains(&bytes), "{bytes}");
    assert_eq!(wal_bytes(), bytes);
    assert!(memory(&recorder) < MEMORY_BYTES_MAX);
    drop(reader);
    until("it goes on", || recorder.said("writing again, nothing was lost") == 1);
    recorder.until_it_goes_on();
    scene.stopped(recorder, "a long WAL");
}

#[test]
fn a_reader_that_stays_makes_the_wal_grow_which_is_told_and_it_is_cut_when_the_reader_leaves() {
    const TOLD_BYTES: u64 = 8 << 20;
    let scene = Scene::new();
    let config = scene.config(&scene.path("test.db"), "max_wal_size = \"16MiB\"");
    let mut recorder = Recorder::start(record(&config));
    recorder.until_reported(300);
    let reader = Connection::open(scene.path("test.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = || reader.query_row("SELECT count(*) FROM frame_block", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = count();
    let wal_bytes = || fs::metadata(scene.path("test.db-wal")).unwrap().len();
    until("it is told", || recorder.said("the WAL cannot be emptied, a reader holds an old snapshot") == 1);
    assert!(wal_bytes() > TOLD_BYTES);
    assert_eq!(count(), before, "it reads what was there when it began");
    drop(reader);
    until("it is cut", || wal_bytes() < TOLD_BYTES);
    recorder.until_it_goes_on();
    scene.stopped(recorder, "a reader");
    assert_eq!(wal_bytes(), 0);
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_costs_nothing_once_it_is_mended() {
    let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
    machine.set(Switch::WriteError, EROFS);
    until("it says so", || recorder.said("cannot write, trying again") == 1);
    machine.reset();
    recorder.until_it_goes_on();
    until("it says that too", || recorder.said("writing again, nothing was lost") == 1);
    scene.stopped(recorder, "read-only");
}

#[test]
fn where_nothing_may_be_written_nothing_is_begun() {
    let scene = Scene::new();
    let shut = scene.path("shut");
    fs::create_dir(&shut).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(scene.folder.path(), 0o755);
    let as_nobody = |mut command: Command| {
        // Root may write anywhere.
        if fs::metadata(&shut).unwrap().uid() == 0 {
            command.uid(65534);
        }
        command
    };
    let mut program = feedtape();
    program.arg("--version");
    if !as_nobody(program).output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: the program cannot be run as somebody else here");
    }
    let config = scene.config(&shut.join("test.db"), "");
    let refused = |code: i32, what: &str| {
        let (_, status, told) = Recorder::start(as_nobody(record(&config))).end();
        assert_eq!(status.code(), Some(code), "{what}: {told}");
        assert!(told.contains("test.db") && told.contains(what), "{told}");
    };
    mode(&shut, 0o555);
    refused(73, "cannot be made or opened: Permission denied");
    // Nor where there is a recording, of somebody else.
    mode(&shut, 0o755);
    let mut recorder = Recorder::start(record(&config));
    recorder.until_reported(0);
    recorder.signal("TERM");
    assert_eq!(recorder.end().1.code(), Some(0));
    mode(&shut.join("test.db"), 0o444);
    refused(73, "cannot be made or opened: Permission denied");
    mode(&shut.join("test.db.lock"), 0o666);
    refused(74, "readonly database");
}
