//! A panic, wherever it happens.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use feedtape::config::Config;
use feedtape::exchange::Faults;
use feedtape::recorder;

use crate::machine::Switch;
use crate::scene::{Recorder, Recording, Scene, record, verify};

/// What the process below is told, by its environment.
const CONFIG: &str = "FEEDTAPE_TEST_CONFIG";
const WHERE: &str = "FEEDTAPE_TEST_PANIC";

/// The recorder of the program, in a process that panics when it has recorded for a while.
#[test]
#[ignore = "a process of its own, which the test below starts"]
fn the_process_that_panics() {
    let (Ok(config), Ok(place)) = (std::env::var(CONFIG), std::env::var(WHERE)) else {
        return println!("SKIPPED: it is started by another test");
    };
    feedtape::exit::end_with_the_first_panic();
    let config = Config::load(&[PathBuf::from(config)]).unwrap();
    actix_rt::System::new().block_on(async {
        let recorder = recorder::Recorder::start(&config).await.unwrap();
        let view = recorder.view();
        loop {
            view.sink.committed().await;
            for (session, seq) in view.sink.take_durable() {
                println!("{{\"session\":{session},\"seq\":{seq}}}");
            }
            if view.sink.frames() > 1_000 {
                match place.as_str() {
                    "task" => drop(actix_rt::spawn(async { panic!("in a task") })),
                    "thread" => drop(std::thread::spawn(|| panic!("on a thread"))),
                    "arbiter" => drop(actix_rt::Arbiter::new().spawn(async { panic!("on an arbiter") })),
                    _ => panic!("where the recorder is awaited"),
                }
            }
        }
    });
}

/// That process, not started yet.
pub fn process_that_panics(config: &Path, place: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "panics::the_process_that_panics", "--ignored", "--nocapture"]);
    command.env(CONFIG, config).env(WHERE, place);
    command
}

#[test]
fn a_panic_anywhere_ends_the_process_with_70_and_what_was_reported_is_there() {
    for place in ["task", "thread", "arbiter", "main"] {
        let scene = Scene::new();
        let config = scene.config(&scene.path("test.db"), "");
        let (reported, status, told) = Recorder::start(process_that_panics(&config, place)).end();
        assert_eq!(status.code(), Some(70), "{place}: {told}");
        assert!(!reported.is_empty(), "{place}");
        Recording::open(&scene.path("test.db")).has_all(&reported, place);
        the_next_goes_on(&scene, place);
    }
}

fn the_next_goes_on(scene: &Scene, what: &str) {
    let mut recorder = Recorder::start(record(&scene.path("test.toml")));
    recorder.until_reported(0);
    let recording = scene.stopped(recorder, what);
    assert_eq!(recording.rows("SELECT outcome FROM run ORDER BY id"), ["killed", "stopped"], "{what}");
    verify(&scene.path("test.db"), what);
}

/// The program itself, whose own code panics wherever it happens to read a clock that cannot be read: Rust's standard
/// library takes that for impossible.
#[test]
fn a_panic_within_a_connection_a_registry_or_the_sink_ends_the_program_with_70_and_what_was_reported_is_there() {
    // The first thread has connections and registries, one of the others the sink. Where a clock is read next is chance, and
    // likely where most is done.
    for (thread, part, rate, refresh) in [
        (1, "feedtape::connection::", 1_000, "5m"),
        (1, "feedtape::registry::", 20, "10ms"),
        (2, "feedtape::sink::", 1_000, "5m"),
    ] {
        let is_within = (0..150).any(|works| {
            let what = format!("thread {thread}, after {works}");
            let scene = Scene::with(Faults::new(), rate);
            let machine = scene.machine();
            let config = scene.config(&scene.path("test.db"), "");
            let timing = format!("[source.timing]\ncatalog_refresh = {refresh:?}\n");
            OpenOptions::new().append(true).open(&config).unwrap().write_all(timing.as_bytes()).unwrap();
            let mut command = machine.under(record(&config), &scene.path("test.db"));
            command.env("RUST_BACKTRACE", "1");
            let mut recorder = Recorder::start(command);
            recorder.until_reported(20);
            machine.set(Switch::ClockWorks, works);
            machine.set(Switch::ClockFails, thread);
            let (reported, status, told) = recorder.end();
            assert_eq!(status.code(), Some(70), "{what}: {told}");
            Recording::open(&scene.path("test.db")).has_all(&reported, &what);
            the_next_goes_on(&scene, &what);
            told.contains(part)
        });
        assert!(is_within, "none is within {part}");
    }
}
