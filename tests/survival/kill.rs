//! SIGKILL, at any instant.
//!
//! `FEEDTAPE_KILLS=2000` for many, `FEEDTAPE_SEED` for others.

use std::thread;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::scene::{Recorder, Recording, Scene, from_env, now, record, verify};

/// So many kills, one after the other, go into one file.
const KILLS_A_FILE: u64 = 50;

/// How long rows wait for others to be committed with.
const COMMIT_INTERVAL: Duration = Duration::from_millis(50);

/// What a commit may take, and what passes until the recorder is told by its exchange and killed by us, where two cores do
/// other things as well. In 2,000 kills it was 138 ms at most.
const MACHINE: Duration = Duration::from_millis(750);

#[test]
fn whenever_it_is_killed_what_it_reported_is_there_and_the_rest_is_a_gap() {
    let (kills, seed) = (from_env("FEEDTAPE_KILLS", KILLS_A_FILE), from_env("FEEDTAPE_SEED", 7));
    let scene = Scene::new();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut losses = Vec::new();
    for file in 0..kills.div_ceil(KILLS_A_FILE) {
        let database = scene.path(&format!("{file}.db"));
        let config = scene.config(&database, "");
        let mut killed_at = Vec::new();
        for kill in 0..KILLS_A_FILE.min(kills - file * KILLS_A_FILE) {
            let what = format!("seed {seed}, file {file}, kill {kill}");
            let mut recorder = Recorder::start(record(&config));
            // Every fifth is killed while it starts.
            let is_recording = random.next_u32() % 5 > 0 || kill == 0;
            if is_recording {
                recorder.until_reported(0);
            }
            // Long enough now and then to see that no more than that is lost.
            let wait = if kill % 10 == 9 { 950_000 } else { random.next_u32() % 200_000 };
            thread::sleep(Duration::from_micros(u64::from(wait)));
            let told_at = now();
            recorder.signal("KILL");
            let at = now();
            let (reported, status, told) = recorder.end();
            assert_eq!(status.code(), None, "{what}: {told}");
            let recording = Recording::open(&database);
            recording.has_all(&reported, &what);
            if is_recording {
                let stored = recording.number("SELECT max(to_at) FROM frame_block");
                let lost = Duration::from_nanos(u64::try_from(told_at - stored).unwrap_or(0));
                assert!(lost <= COMMIT_INTERVAL + MACHINE, "{what}: what came in the last {lost:?} is lost");
                losses.push(lost);
                killed_at.push(at);
            }
        }
        let mut recorder = Recorder::start(record(&config));
        recorder.until_reported(100);
        recorder.signal("TERM");
        let (reported, status, told) = recorder.end();
        assert_eq!(status.code(), Some(0), "{told}");
        let recording = Recording::open(&database);
        recording.has_all(&reported, "after all");
        for at in killed_at {
            for channel in ["WatchOrders", "WatchTicker"] {
                let gaps = format!(
                    "SELECT count(*) FROM gaps WHERE channel = '{channel}' AND cause = 'not_running' \
                     AND from_at <= {at} AND to_at > {at}"
                );
                assert_eq!(recording.number(&gaps), 1, "seed {seed}, file {file}: killed at {at}");
            }
        }
        assert_eq!(recording.rows("SELECT DISTINCT outcome FROM run WHERE id < (SELECT max(id) FROM run)"), ["killed"]);
        verify(&database, &format!("seed {seed}, file {file}"));
    }
    losses.sort();
    let median = losses[losses.len() / 2];
    println!("{kills} kills: the last stored arrival was before the kill by {median:?}, at most {:?}", losses.last());
}
