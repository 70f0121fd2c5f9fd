//! Clocks that step, and processes that stand still.

use std::fs;
use std::thread;
use std::time::Duration;

use feedtape::exchange::{Action, Faults};

use crate::machine::{Machine, Switch};
use crate::scene::{Recorder, Recording, Scene, now, record, started_on_machine, until, verify};

const MS: i64 = 1_000_000;
const HOUR_MS: i64 = 3_600_000;
const HOUR: i64 = HOUR_MS * MS;

/// Sets the recorder's wall clock wrong by this much, and has it record for a while.
fn set(machine: &Machine, recorder: &mut Recorder, ms: i64, told: &str) {
    let before = recorder.said(told);
    machine.set(Switch::ClockMs, ms);
    until("it tells of the clock", || recorder.said(told) > before);
    recorder.until_it_goes_on();
    recorder.until_it_goes_on();
}

#[test]
fn a_wall_clock_that_steps_costs_nothing_and_is_told() {
    steps(HOUR_MS);
    steps(10 * 24 * HOUR_MS);
}

/// Steps forward, back, further back, and forward again.
fn steps(ms: i64) {
    let step = ms * MS;
    let begun_at = now();
    let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
    set(&machine, &mut recorder, ms, "the wall clock was set forward");
    set(&machine, &mut recorder, -ms, "the wall clock was set back");
    set(&machine, &mut recorder, -2 * ms, "the wall clock was set back");
    set(&machine, &mut recorder, 0, "the wall clock was set forward");
    let recording = scene.stopped(recorder, "steps");
    assert_eq!(recording.rows("SELECT id, cause FROM session"), ["1 stopped"]);
    // Each was received when the clock said so.
    for steps in [0, 1, -1, -2] {
        let (from, to) = (begun_at + steps * step, now() + steps * step);
        let received = format!("SELECT count(*) FROM order_event WHERE received_at BETWEEN {from} AND {to}");
        assert!(recording.number(&received) > 0, "{steps} steps of {ms} ms");
    }
    // What was passed twice is told anew from the earliest time on; what the clock left out is a gap.
    for channel in ["WatchOrders", "WatchTicker"] {
        let coverage = format!(
            "SELECT verdict, cause, (from_at - {begun_at} + {step} / 2) / {step} FROM coverage \
             WHERE channel = '{channel}' AND from_at < {begun_at} + {step} / 2 ORDER BY from_at"
        );
        let expected = ["consistent - -1", "gap suspended -1", "consistent - 0", "gap not_running 0"];
        assert_eq!(recording.rows(&coverage), expected, "{channel}");
    }
}

#[test]
fn killed_after_its_clock_was_set_back_it_does_not_claim_the_time_that_never_came() {
    let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
    set(&machine, &mut recorder, -HOUR_MS, "the wall clock was set back");
    recorder.signal("KILL");
    recorder.end();
    let killed_at = now() - HOUR;
    let mut recorder = Recorder::start(machine.under(record(&scene.path("test.toml")), &scene.path("test.db")));
    recorder.until_reported(100);
    recorder.signal("TERM");
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let recording = Recording::open(&scene.path("test.db"));
    let gap = format!(
        "SELECT count(*) FROM gaps WHERE cause = 'not_running' AND from_at <= {killed_at} AND to_at > {killed_at}"
    );
    assert_eq!(recording.number(&gap), 2);
    verify(&scene.path("test.db"), "killed");
}

/// How long a recorder stands still: longer than goes unnoticed.
const STILL: Duration = Duration::from_secs(5);

/// What a gap's ends may be off by, where a machine is busy.
const SECOND: i64 = 1_000 * MS;

#[test]
fn a_process_that_stood_still_goes_on_and_what_it_did_not_read_meanwhile_is_a_gap() {
    // The venue waits, or hangs up while nobody reads; or it is longer than a link may be silent.
    let impatient = "timing = { ping_after = \"1s\", dead_after = \"1s\" }\n";
    for (faults, keys, causes) in [
        (Faults::new(), "", "suspended"),
        (Faults::new().on(1, 500, Action::Drop), "", "suspended not_connected"),
        (Faults::new(), impatient, "suspended"),
    ] {
        let scene = Scene::with(faults, 200);
        let config = scene.config(&scene.path("test.db"), "");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("venue = \"coinflex\"\n", &format!("venue = \"coinflex\"\n{keys}"))).unwrap();
        let mut recorder = Recorder::start(record(&config));
        recorder.until_reported(100);
        recorder.signal("STOP");
        let stopped_at = now();
        thread::sleep(STILL);
        let continued_at = now();
        recorder.signal("CONT");
        until("it notices", || recorder.said("stood still") > 0);
        let sessions = causes.split(' ').count();
        until("it is connected", || recorder.said(" connected source") == sessions);
        recorder.until_it_goes_on();
        recorder.until_it_goes_on();
        let recording = scene.stopped(recorder, causes);
        for channel in ["WatchOrders", "WatchTicker"] {
            let gaps = format!(
                "SELECT cause FROM gaps WHERE channel = '{channel}' AND from_at < {continued_at} AND to_at > {stopped_at} \
                 AND to_at - from_at > {} AND from_at > {stopped_at} - {SECOND} AND to_at < {continued_at} + {SECOND}",
                STILL.as_nanos()
            );
            assert_eq!(recording.rows(&gaps), ["suspended"], "{channel}");
            let last =
                format!("SELECT verdict FROM coverage WHERE channel = '{channel}' ORDER BY from_at DESC LIMIT 1, 1");
            assert_eq!(recording.rows(&last), ["consistent"], "{channel}");
        }
        assert_eq!(recording.number("SELECT count(*) FROM session"), sessions as i64);
    }
}
