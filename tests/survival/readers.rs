//! Programs that read the file while it is recorded into at full speed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::scene::{Recording, feedtape, started};

/// So many come and go, one after the other.
const READERS: usize = 30;

const COUNT: &str = "SELECT sum(frames) FROM frame_span";

/// Reads by one connection that stays, as a notebook does. What it finds never becomes less; by how much it became more.
fn read_until(is_over: &AtomicBool, path: &Path) -> i64 {
    let recording = Recording::open(path);
    let first = recording.number(COUNT);
    let mut last = first;
    while !is_over.load(Ordering::Relaxed) {
        let found = recording.number(COUNT);
        assert!(found >= last, "{found} after {last}");
        last = found;
    }
    last - first
}

#[test]
fn readers_see_what_was_reported_before_they_began_and_hold_nothing_up() {
    let (scene, mut recorder) = started(300);
    let path = scene.path("test.db");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let notebook = scope.spawn(|| read_until(&is_over, &path));
        for n in 0..READERS {
            recorder.until_it_goes_on();
            let reported: i64 = recorder.so_far().values().sum();
            let read = feedtape().arg("query").arg(&path).args([COUNT, "--format", "csv"]).output().unwrap();
            let told = String::from_utf8([read.stdout, read.stderr].concat()).unwrap();
            let found = told.lines().last().and_then(|line| line.parse::<i64>().ok());
            if found.is_none_or(|found| found < reported) {
                is_over.store(true, Ordering::Relaxed);
                panic!("reader {n}: {reported} reported, {told}");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(notebook.join().unwrap() > 0);
    });
    for trouble in ["cannot write", "locked", "nothing is being recorded"] {
        assert_eq!(recorder.said(trouble), 0, "{trouble}");
    }
    scene.stopped(recorder, "after its readers");
}
