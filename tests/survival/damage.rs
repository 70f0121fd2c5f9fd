//! Pages of a recording that are damaged.
//!
//! `FEEDTAPE_DAMAGES=1000` for many, `FEEDTAPE_SEED` for others.

use std::fs;
use std::path::Path;
use std::process::Output;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::scene::{Recorder, Scene, feedtape, from_env, record, started};

const PAGE_BYTES: usize = 8 << 10;

/// The commands that read, without the database.
const READING: &[&[&str]] = &[
    &["query", "SELECT * FROM trades"],
    &["query", "SELECT * FROM order_events"],
    &["frames"],
    &["coverage"],
    &["status"],
    &["book", "XBT:USDT"],
    &["verify"],
    &["backup", "copy"],
    &["rebuild", "--into", "copy"],
];

fn run(command: &[&str], folder: &Path) -> Output {
    let mut program = feedtape();
    program.current_dir(folder).arg(command[0]).arg("test.db").args(&command[1..]);
    program.output().unwrap()
}

/// Damages a page, in one of several ways; says how.
fn damage(page: &mut [u8], random: &mut ChaCha8Rng) -> &'static str {
    let way = random.next_u32() % 4;
    let flips = match way {
        0 => 1..PAGE_BYTES,
        1 => 0..12,
        2 => 12..200,
        _ => {
            page.fill(random.next_u32() as u8);
            return "overwritten";
        }
    };
    for _ in 0..8 {
        let at = flips.start + random.next_u32() as usize % flips.len();
        page[at] ^= 1 << (random.next_u32() % 8);
    }
    ["bits anywhere", "bits of its head", "bits of its pointers"][way as usize]
}

#[test]
fn whatever_page_is_damaged_nobody_panics_and_the_file_is_named() {
    let (damages, seed) = (from_env("FEEDTAPE_DAMAGES", 4) as usize, from_env("FEEDTAPE_SEED", 7));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (scene, recorder) = started(300);
    drop(scene.stopped(recorder, "at first"));
    let good = fs::read(scene.path("test.db")).unwrap();
    let pages = good.len() / PAGE_BYTES;
    for n in 0..damages {
        // The first two, and others.
        let page = if n < 2 { n } else { random.next_u32() as usize % pages };
        let mut bad = good.clone();
        let how = damage(&mut bad[page * PAGE_BYTES..][..PAGE_BYTES], &mut random);
        let what = format!("seed {seed}, damage {n}, {how} of page {} of {pages}", page + 1);
        place(&scene, &bad);
        for command in READING {
            let output = run(command, scene.folder.path());
            // There may be none.
            let _ = fs::remove_file(scene.path("copy"));
            told(&what, &command.join(" "), output.status.code(), &String::from_utf8_lossy(&output.stderr));
        }
        place(&scene, &bad);
        let mut recorder = Recorder::start(record(&scene.path("test.toml")));
        if !recorder.try_until_reported(100) {
            recorder.signal("TERM");
        }
        let (_, status, said) = recorder.end();
        told(&what, "record", status.code(), &said);
    }
}

fn place(scene: &Scene, bytes: &[u8]) {
    for name in ["test.db-wal", "test.db-shm"] {
        // There may be none.
        let _ = fs::remove_file(scene.path(name));
    }
    fs::write(scene.path("test.db"), bytes).unwrap();
}

/// Fails unless it ended well, or by saying that the file is damaged and what to do.
fn told(what: &str, command: &str, code: Option<i32>, said: &str) {
    let is_right = match code {
        Some(0 | 1) => true,
        Some(65) => said.contains("test.db") && !said.contains("defect of feedtape"),
        _ => false,
    };
    assert!(is_right, "{what}: {command}: {code:?}: {said}");
}
