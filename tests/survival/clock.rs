//! Clocks that step, and processes that stand still.

use crate::machine::{Machine, Switch, started_on_machine};
use crate::scene::{Recorder, Recording, Scene, now, record, until, verify};

const HOUR_MS: i64 = 3_600_000;
const HOUR: i64 = HOUR_MS * 1_000_000;

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
    let begun_at = now();
    let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
    set(&machine, &mut recorder, HOUR_MS, "the wall clock was set forward");
    set(&machine, &mut recorder, -HOUR_MS, "the wall clock was set back");
    set(&machine, &mut recorder, -2 * HOUR_MS, "the wall clock was set back");
    set(&machine, &mut recorder, 0, "the wall clock was set forward");
    recorder.signal("TERM");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let recording = Recording::open(&scene.path("test.db"));
    recording.has_all(&reported, "steps");
    assert_eq!(recording.rows("SELECT id, cause FROM session"), ["1 stopped"]);
    // Each was received when the clock said so.
    for hours in [0, 1, -1, -2] {
        let (from, to) = (begun_at + hours * HOUR, now() + hours * HOUR);
        let received = format!("SELECT count(*) FROM order_event WHERE received_at BETWEEN {from} AND {to}");
        assert!(recording.number(&received) > 0, "{hours} h");
    }
    // What was passed twice is covered from the earliest time on.
    for channel in ["WatchOrders", "WatchTicker"] {
        let coverage = format!(
            "SELECT verdict, (from_at - {begun_at} + {HOUR} / 2) / {HOUR}, (to_at - {begun_at}) / {HOUR}, cause \
             FROM coverage WHERE channel = '{channel}' AND from_at < {begun_at}"
        );
        assert_eq!(recording.rows(&coverage), ["consistent -1 0 -"], "{channel}");
    }
    verify(&scene.path("test.db"), "steps");
}

#[test]
fn killed_after_its_clock_was_set_back_it_does_not_claim_the_time_that_never_came() {
    let (scene, machine, mut recorder) = started_on_machine(Scene::new(), 300);
    set(&machine, &mut recorder, -HOUR_MS, "the wall clock was set back");
    recorder.signal("KILL");
    recorder.end();
    let killed_at = now() - HOUR;
    let mut recorder = Recorder::start(machine.under(record(&scene.path("test.toml"))));
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
