//! How the program ends, and what it tells systemd.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use feedtape::exchange::Faults;
use rusqlite::Connection;

use crate::machine::Switch;
use crate::scene::{PATIENCE, Recorder, Recording, STOP_MAX, Scene, lock, record, started, until, verify};

#[test]
fn told_to_stop_fifty_times_mid_stream_it_loses_nothing() {
    let scene = Scene::new();
    let database = scene.path("test.db");
    let config = scene.config(&database, "");
    for stop in 0..50 {
        let mut recorder = Recorder::start(record(&config));
        recorder.until_reported(stop * 20);
        recorder.signal(["TERM", "INT"][stop as usize % 2]);
        assert!(recorder.wait(STOP_MAX).is_some(), "stop {stop} takes longer than {STOP_MAX:?}");
        let (reported, status, told) = recorder.end();
        assert_eq!(status.code(), Some(0), "{told}");
        let recording = Recording::open(&database);
        recording.has_all(&reported, &format!("stop {stop}"));
        for (session, seq) in reported {
            // The last record says that the session was closed, and all that came before it is there.
            let last = format!("SELECT max(first_seq + frames) - 1 FROM frame_span WHERE session = {session}");
            assert_eq!(recording.number(&last), seq, "stop {stop}: session {session} ends where it was reported to");
            let cause = format!("SELECT cause, closed_at IS NULL FROM session WHERE id = {session}");
            assert_eq!(recording.rows(&cause), ["stopped 0"], "stop {stop}");
        }
        assert_eq!(recording.rows("SELECT outcome FROM run ORDER BY id DESC LIMIT 1"), ["stopped"]);
        let wal = fs::metadata(scene.path("test.db-wal")).map_or(0, |found| found.len());
        assert_eq!(wal, 0, "stop {stop}: the WAL is emptied");
    }
    verify(&database, "after all");
}

const ENOSPC: i64 = 28;

/// A recorder that records, and somebody who locks its database.
fn locked() -> (Scene, Recorder, Connection) {
    let (scene, recorder) = started(500);
    let foreign = lock(&scene.path("test.db"));
    (scene, recorder, foreign)
}

#[test]
fn a_second_signal_ends_it_at_once_with_what_was_reported_in_the_file() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let (scene, mut recorder, foreign) = locked();
        // The lock keeps the first from being enough.
        while recorder.wait(Duration::from_millis(50)).is_none() {
            recorder.signal(signal);
        }
        let (reported, status, told) = recorder.end();
        assert_eq!(status.code(), Some(code), "{told}");
        drop(foreign);
        Recording::open(&scene.path("test.db")).has_all(&reported, signal);
    }
}

#[test]
fn told_to_stop_while_the_database_is_locked_it_says_what_is_lost() {
    let (scene, mut recorder, foreign) = locked();
    recorder.signal("TERM");
    assert!(recorder.wait(STOP_MAX).is_some(), "a stop takes longer than {STOP_MAX:?}");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(74), "{told}");
    assert!(told.contains("another program is writing to"), "{told}");
    assert!(told.contains("bytes that were received since are lost"), "{told}");
    drop(foreign);
    Recording::open(&scene.path("test.db")).has_all(&reported, "locked");

    let mut recorder = Recorder::start(record(&scene.path("test.toml")));
    recorder.until_reported(0);
    recorder.signal("TERM");
    assert_eq!(recorder.end().1.code(), Some(0));
    let recording = Recording::open(&scene.path("test.db"));
    assert_eq!(recording.rows("SELECT outcome FROM run"), ["killed", "stopped"]);
    let gaps = "SELECT count(*) FROM gaps WHERE cause = 'not_running' AND to_at < (SELECT max(durable_at) FROM run)";
    assert!(recording.number(gaps) > 0);
    verify(&scene.path("test.db"), "after the lock");
}

#[test]
fn a_lock_that_is_given_up_while_it_stops_costs_nothing() {
    let (scene, mut recorder, foreign) = locked();
    recorder.signal("TERM");
    assert!(recorder.wait(Duration::from_millis(200)).is_none(), "the lock keeps it");
    drop(foreign);
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let recording = Recording::open(&scene.path("test.db"));
    recording.has_all(&reported, "given up");
    assert_eq!(recording.rows("SELECT outcome FROM run"), ["stopped"]);
}

/// Reads what systemd is told, until it is told that.
fn until_told(socket: &UnixDatagram, what: &str) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = Vec::new();
    while !told.iter().any(|line: &String| line.starts_with(what)) {
        assert!(Instant::now() < deadline, "systemd is not told {what}: {told:?}");
        let mut buffer = [0; 1024];
        match socket.recv(&mut buffer) {
            Ok(n) => told.extend(String::from_utf8(buffer[..n].to_vec()).unwrap().lines().map(str::to_owned)),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
        }
    }
    told
}

/// A recorder that tells us what it would tell systemd, which wants a sign of life every 100 ms.
fn told_to_us(scene: &Scene) -> (UnixDatagram, Command) {
    let socket = UnixDatagram::bind(scene.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut command = record(&scene.config(&scene.path("test.db"), ""));
    command.env("NOTIFY_SOCKET", scene.path("notify")).env("WATCHDOG_USEC", "100000").env_remove("WATCHDOG_PID");
    (socket, command)
}

#[test]
fn the_watchdog_is_left_to_bite_when_the_writer_hangs() {
    let scene = Scene::with(Faults::new(), 100);
    let machine = scene.machine();
    let (socket, command) = told_to_us(&scene);
    let recorder = Recorder::start(machine.under(command, &scene.path("test.db")));
    until_told(&socket, "WATCHDOG=1");
    // Longer than a writer may take before it is thought to hang.
    machine.set(Switch::SyncDelayMs, 13_000);
    let silence = |socket: &UnixDatagram| (0..10).all(|_| socket.recv(&mut [0; 1024]).is_err());
    until("the signs of life end", || silence(&socket));
    machine.set(Switch::SyncDelayMs, 0);
    until_told(&socket, "WATCHDOG=1");
    recorder.signal("TERM");
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
}

#[test]
fn systemd_is_told_that_it_records_goes_on_reloads_and_stops() {
    let scene = Scene::with(Faults::new(), 100);
    let (socket, command) = told_to_us(&scene);
    let recorder = Recorder::start(command);
    let told = until_told(&socket, "READY=1");
    assert_eq!(told[0], "READY=1", "nothing comes before");
    for _ in 0..3 {
        until_told(&socket, "WATCHDOG=1");
    }
    recorder.signal("HUP");
    let reloading = until_told(&socket, "MONOTONIC_USEC=");
    // Of the clock that systemd compares it with, by which this machine has been up for some time.
    let [.., first, second] = &reloading[..] else { panic!("{reloading:?}") };
    let usec: u64 = second.trim_start_matches("MONOTONIC_USEC=").parse().unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let up: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(first, "RELOADING=1");
    assert!(Duration::from_secs_f64(up).abs_diff(Duration::from_micros(usec)) < PATIENCE, "{usec} after {up} s");
    // Unless it came with it.
    let told = until_told(&socket, "READY=1");
    assert!(!told.contains(&"STOPPING=1".to_owned()));
    until_told(&socket, "WATCHDOG=1");
    recorder.signal("TERM");
    until_told(&socket, "STOPPING=1");
    // From now on it is not read.
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
}

#[test]
fn systemd_is_told_nothing_by_a_recorder_that_cannot_store_anything() {
    let scene = Scene::with(Faults::new(), 100);
    let machine = scene.machine();
    // From the first write on, and from the second start's.
    for what in ["a new database", "one that is there"] {
        let (socket, command) = told_to_us(&scene);
        machine.set(Switch::WriteError, ENOSPC);
        let (reported, status, told) = Recorder::start(machine.under(command, &scene.path("test.db"))).end();
        assert!(reported.is_empty(), "{what}");
        // To be tried again, or, where SQLite does not say why it cannot begin, failed.
        assert!(matches!(status.code(), Some(74 | 75)), "{what}: {status}, {told}");
        assert!(socket.recv(&mut [0; 1024]).is_err(), "{what}: it is not ready");
        machine.reset();
        fs::remove_file(scene.path("notify")).unwrap();
        let mut recorder = Recorder::start(record(&scene.path("test.toml")));
        recorder.until_reported(0);
        scene.stopped(recorder, what);
    }
}
