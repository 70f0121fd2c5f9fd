//! Loss of power: the image of a mounted file system is copied at seeded instants, and each copy mounted as after a
//! crash. What the kernel had not handed to the device by then is not in it.
//!
//! As root, where there are loop devices: `cargo test --test survival power -- --ignored --nocapture`.
//! `FEEDTAPE_CUTS` for another number of cuts, `FEEDTAPE_SEED` for others.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use feedtape::exchange::Faults;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags};

use crate::machine::Switch;
use crate::mounted::Mounted;
use crate::scene::{PATIENCE, Recorder, Recording, Reported, Scene, from_env, record};

/// So slowly that it lasts.
const EVENTS_PER_SECOND: u32 = 500;

/// So many cuts are made of one file system.
const CUTS_AN_IMAGE: u64 = 10;

/// What a cut leaves of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// All that was reported.
    Whole,
    /// A sound file without some of it, or no file.
    Less,
    /// A file that is not sound.
    Corrupt,
}

/// What became of cuts.
#[derive(Debug, Default)]
struct Cuts {
    whole: u64,
    less: u64,
    corrupt: u64,
    /// Of those that left less: so many had all that was reported before a checkpoint.
    had_checkpointed: u64,
}

fn has_all(database: &Path, reported: &Reported) -> bool {
    let check = || Recording::open(database).has_all(reported, "after a cut");
    catch_unwind(AssertUnwindSafe(check)).is_ok()
}

fn left(database: &Path, reported: &Reported) -> Left {
    if has_all(database, reported) {
        return Left::Whole;
    }
    if !database.exists() {
        return Left::Less;
    }
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sound = connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    if sound.is_ok_and(|sound| sound == "ok") { Left::Less } else { Left::Corrupt }
}

/// Has the WAL brought into the file, as the recorder does when it is long.
fn checkpoint(database: &Path, synchronous: &str) {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// The next start after a cut goes on with what there is.
fn goes_on(scene: &Scene, database: &Path, settings: &str) {
    let mut recorder = Recorder::start(record(&scene.config(database, settings)));
    recorder.until_reported(0);
    recorder.stopped(database, "after a cut and a start");
}

/// Records with these settings and cuts the power again and again, every second time after a checkpoint; `None` if this
/// machine cannot.
fn cut(settings: &str, syncs_are_left_out: bool) -> Option<Cuts> {
    let (cuts, seed) = (from_env("FEEDTAPE_CUTS", 40), from_env("FEEDTAPE_SEED", 7));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut outcome = Cuts::default();
    let mut done = 0;
    while done < cuts {
        let scene = Scene::with(Faults::new(), EVENTS_PER_SECOND);
        let (image, copy) = (scene.path("image"), scene.path("copy"));
        let mounted = Mounted::new(&image, scene.path("mounted"))?;
        let database = mounted.at.join("test.db");
        let machine = scene.machine();
        machine.set(Switch::SyncIsLeftOut, i64::from(syncs_are_left_out));
        let command = machine.under(record(&scene.config(&database, settings)), &database);
        let mut recorder = Recorder::start(command);
        let mut checkpointed = Reported::new();
        for n in 0..CUTS_AN_IMAGE {
            recorder.until_it_goes_on();
            if n % 2 == 1 {
                checkpointed = recorder.so_far();
                checkpoint(&database, if syncs_are_left_out { "OFF" } else { "NORMAL" });
                recorder.until_it_goes_on();
            }
            thread::sleep(Duration::from_micros(u64::from(random.next_u32() % 150_000)));
            let reported = recorder.so_far();
            // A copy takes longer than a cut, so nothing else may happen meanwhile.
            recorder.signal("STOP");
            fs::copy(&image, &copy).unwrap();
            recorder.signal("CONT");
            let after = Mounted::mount(&copy, scene.path("after")).expect("a journalled file system survives that");
            let database = after.at.join("test.db");
            let left = left(&database, &reported);
            match left {
                Left::Whole => outcome.whole += 1,
                Left::Less => outcome.less += 1,
                Left::Corrupt => outcome.corrupt += 1,
            }
            if left == Left::Less && !checkpointed.is_empty() && has_all(&database, &checkpointed) {
                outcome.had_checkpointed += 1;
            }
            if left == Left::Less && !syncs_are_left_out && !checkpointed.is_empty() {
                assert!(has_all(&database, &checkpointed), "seed {seed}, cut {done}: what was checkpointed is lost");
            }
            if left != Left::Corrupt && !syncs_are_left_out {
                goes_on(&scene, &database, settings);
            }
            done += 1;
        }
        recorder.signal("KILL");
        recorder.end();
    }
    println!("{settings:?}, syncs left out: {syncs_are_left_out}: {outcome:?}");
    Some(outcome)
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn what_was_reported_survives_the_loss_of_power() {
    match cut("", false) {
        Some(outcome) => assert_eq!((outcome.less, outcome.corrupt), (0, 0), "{outcome:?}"),
        None => println!("SKIPPED: no file system can be made and mounted here"),
    }
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn without_syncs_the_loss_of_power_is_seen() {
    match cut("", true) {
        Some(outcome) => assert!(outcome.less + outcome.corrupt > 0, "{outcome:?}"),
        None => println!("SKIPPED: no file system can be made and mounted here"),
    }
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn a_recording_that_survives_processes_only_loses_what_came_since_its_last_checkpoint_and_is_sound() {
    match cut("durability = \"process-kill\"", false) {
        Some(outcome) => assert!(outcome.less > 0 && outcome.corrupt == 0, "{outcome:?}"),
        None => println!("SKIPPED: no file system can be made and mounted here"),
    }
}
