//! Backups of a database that is recorded into at full speed.

use crate::scene::{Recording, feedtape, started, verify};

/// So many, one after the other.
const BACKUPS: u32 = 8;

#[test]
fn a_backup_has_all_that_was_reported_before_it_began_and_no_hole() {
    let (scene, mut recorder) = started(300);
    for n in 0..BACKUPS {
        recorder.until_it_goes_on();
        let before = recorder.so_far();
        let copy = scene.path(&format!("{n}.db"));
        let done = feedtape().arg("backup").args([&scene.path("test.db"), &copy]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Recording::open(&copy).has_all(&before, &format!("backup {n}"));
    }
    scene.stopped(recorder, "after its backups");
    let last = scene.path(&format!("{}.db", BACKUPS - 1));
    verify(&last, "the last backup");
}
