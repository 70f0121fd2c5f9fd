//! Standard output and standard error that cannot be written, or that nobody reads.

use std::fs::OpenOptions;
use std::io::{PipeReader, Write, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::scene::{Recorder, Recording, STOP_MAX, Scene, feedtape, started, until, verify};

/// What becomes of what is written.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The disk it is on is full.
    Full,
    /// Whoever started the program closed it.
    Closed,
    /// Whoever read it went away.
    Unread,
    /// Whoever should read it does not.
    Stuck,
}

impl Fate {
    /// Where to write so that this becomes of it, and what must be kept for that long.
    fn stream(self) -> (Stdio, Option<PipeReader>) {
        match self {
            Self::Full => (OpenOptions::new().write(true).open("/dev/full").unwrap().into(), None),
            // Closed by the shell.
            Self::Closed => (Stdio::null(), None),
            Self::Unread => (pipe().unwrap().1.into(), None),
            Self::Stuck => {
                let (reader, mut writer) = pipe().unwrap();
                let stream = writer.try_clone().unwrap();
                // Ends with its reader.
                thread::spawn(move || while writer.write_all(&[b'\n'; 4096]).is_ok() {});
                (stream.into(), Some(reader))
            }
        }
    }
}

/// `feedtape` with these arguments and these streams.
fn feedtape_with(arguments: &[&str], config: &Path, fate: Fate, both: bool) -> (Command, Vec<PipeReader>) {
    let closing = match (fate, both) {
        (Fate::Closed, true) => ">&- 2>&-",
        (Fate::Closed, false) => ">&-",
        _ => "",
    };
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" {closing}"), env!("CARGO_BIN_EXE_feedtape")]);
    command.args(arguments).arg(config).stdin(Stdio::null());
    let (stdout, mut kept) = fate.stream();
    command.stdout(stdout).stderr(Stdio::null());
    if both {
        let (stderr, more) = fate.stream();
        command.stderr(stderr);
        kept = kept.or(more);
    }
    (command, kept.into_iter().collect())
}

#[test]
fn whatever_becomes_of_its_log_its_progress_and_its_report_it_goes_on_and_stores_everything() {
    let record = ["--log-level", "trace", "record", "--progress"];
    let one_by_one = |fate: Fate| {
        for (progress, both) in [("json", false), ("bar", true)] {
            let what = format!("{fate:?}, {progress}");
            let scene = Scene::with(Default::default(), 500);
            let database = scene.path("test.db");
            let config = scene.config(&database, "");
            let (command, kept) = feedtape_with(&[&record[..], &[progress]].concat(), &config, fate, both);
            let mut recorder = Recorder::silent(command);
            until("the file is there", || database.exists());
            let stored = || {
                let found = Recording::open(&database).try_number("SELECT coalesce(sum(frames), 0) FROM frame_span");
                found.unwrap_or(0)
            };
            until(&what, || stored() > 300 || recorder.wait(Default::default()).is_some());
            let before = stored();
            until(&what, || stored() > before || recorder.wait(Default::default()).is_some());
            recorder.signal("TERM");
            let status = recorder.wait(STOP_MAX).unwrap_or_else(|| panic!("{what}: it ends"));
            assert_eq!(status.code(), Some(0), "{what}");
            drop(kept);
            let recording = Recording::open(&database);
            assert_eq!(recording.rows("SELECT outcome FROM run"), ["stopped"], "{what}");
            assert_eq!(recording.rows("SELECT cause FROM session"), ["stopped"], "{what}");
            verify(&database, &what);
        }
    };
    thread::scope(|scope| {
        for fate in [Fate::Full, Fate::Closed, Fate::Unread, Fate::Stuck] {
            scope.spawn(move || one_by_one(fate));
        }
    });
}

#[test]
fn what_was_asked_for_and_cannot_be_written_is_a_failure_and_a_reader_who_has_seen_enough_is_none() {
    let (scene, recorder) = started(100);
    scene.stopped(recorder, "what is read");
    let (database, config) = (scene.path("test.db"), scene.path("test.toml"));
    let (database, config) = (database.to_str().unwrap(), config.to_str().unwrap());
    for arguments in [
        &["query", database, "SELECT 1 UNION ALL SELECT 2"][..],
        &["status", database],
        &["coverage", database],
        &["frames", database],
        &["verify", database],
        &["check", config],
        &["markets", config],
        &["venues"],
        &["man"],
        &["completions", "bash"],
    ] {
        let run = |fate: Fate| {
            let output = feedtape().args(arguments).stdout(fate.stream().0).stderr(Stdio::piped()).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, told) = run(Fate::Full);
        assert_eq!(code, Some(74), "{arguments:?}: {told}");
        assert!(told.contains("standard output: No space left on device"), "{arguments:?}: {told}");
        let (code, told) = run(Fate::Unread);
        // Whoever reads no further is still told by the code whether there are gaps.
        assert!(matches!(code, Some(0 | 1)) && !told.contains("standard output"), "{arguments:?}: {code:?}, {told}");
    }
    for (arguments, expected) in [(["--help"], 0), (["nonsense"], 64)] {
        let run = |stdout: Fate, stderr: Fate| {
            let mut command = feedtape();
            command.args(arguments).stdout(stdout.stream().0).stderr(stderr.stream().0);
            command.status().unwrap().code()
        };
        assert_eq!(run(Fate::Unread, Fate::Full), Some(expected), "{arguments:?}");
        assert_eq!(run(Fate::Full, Fate::Full), Some(if expected == 0 { 74 } else { expected }), "{arguments:?}");
    }
}
