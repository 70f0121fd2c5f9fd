//! Loss of power: the image of a mounted file system is copied at seeded instants, and each copy mounted as after a
//! crash. What the kernel had not handed to the device by then is not in it.
//!
//! As root, where there are loop devices: `cargo test --test survival power -- --ignored --nocapture`.
//! `FEEDTAPE_CUTS` for another number of cuts, `FEEDTAPE_SEED` for others.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::machine::Switch;
use crate::scene::{Recorder, Recording, Scene, from_env, record};

/// Bytes of the file system: enough for what is recorded between two of them.
const IMAGE_BYTES: u64 = 192 << 20;

/// So many cuts are made of one file system.
const CUTS_AN_IMAGE: u64 = 10;

/// A file system in a file. Unmounted when dropped.
struct Mounted {
    at: PathBuf,
}

impl Mounted {
    fn mount(image: &Path, at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        run("mount", &["-o", "loop"], &[image, &at]).then_some(Self { at })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &[], &[&self.at]);
    }
}

fn run(program: &str, options: &[&str], paths: &[&Path]) -> bool {
    Command::new(program).args(options).args(paths).status().is_ok_and(|status| status.success())
}

/// What became of cuts.
#[derive(Debug, Default)]
struct Cuts {
    whole: u64,
    lost: u64,
}

/// Records with these settings and cuts the power again and again; `None` if this machine cannot.
fn cut(settings: &str, syncs_are_left_out: bool) -> Option<Cuts> {
    let (cuts, seed) = (from_env("FEEDTAPE_CUTS", 40), from_env("FEEDTAPE_SEED", 7));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut outcome = Cuts::default();
    while outcome.whole + outcome.lost < cuts {
        let scene = Scene::new();
        let (image, copy) = (scene.path("image"), scene.path("copy"));
        fs::File::create(&image).unwrap().set_len(IMAGE_BYTES).unwrap();
        if !run("mkfs.ext4", &["-q", "-F"], &[&image]) {
            return None;
        }
        let mounted = Mounted::mount(&image, scene.path("mounted"))?;
        let database = mounted.at.join("test.db");
        let machine = scene.machine();
        machine.set(Switch::SyncIsLeftOut, i64::from(syncs_are_left_out));
        let command = machine.under(record(&scene.config(&database, settings)), &database);
        let mut recorder = Recorder::start(command);
        for _ in 0..CUTS_AN_IMAGE {
            recorder.until_it_goes_on();
            thread::sleep(Duration::from_micros(u64::from(random.next_u32() % 150_000)));
            let reported = recorder.so_far();
            // A copy takes longer than a cut, so nothing else may happen meanwhile.
            recorder.signal("STOP");
            fs::copy(&image, &copy).unwrap();
            recorder.signal("CONT");
            let after = Mounted::mount(&copy, scene.path("after"));
            let is_whole = after.is_some_and(|after| {
                let check = || Recording::open(&after.at.join("test.db")).has_all(&reported, "after a cut");
                catch_unwind(AssertUnwindSafe(check)).is_ok()
            });
            if is_whole {
                outcome.whole += 1;
            } else {
                outcome.lost += 1;
            }
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
        Some(outcome) => assert_eq!(outcome.lost, 0, "{outcome:?}"),
        None => println!("SKIPPED: no file system can be made and mounted here"),
    }
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn without_syncs_the_loss_of_power_is_seen() {
    match cut("", true) {
        Some(outcome) => assert!(outcome.lost > 0, "{outcome:?}"),
        None => println!("SKIPPED: no file system can be made and mounted here"),
    }
}

#[test]
#[ignore = "needs root, mkfs.ext4 and loop devices"]
fn a_recording_that_survives_processes_only_loses_its_last_frames() {
    match cut("durability = \"process-kill\"", false) {
        Some(outcome) => assert!(outcome.lost > 0, "{outcome:?}"),
        None => println!("SKIPPED: no file system can be made and mounted here"),
    }
}
