//! A process that may open no more files.

use std::process::Command;

use feedtape::exchange::{Action, Faults};

use crate::scene::{Recorder, Scene, record, until};

/// Says how many files a process may have open from now on.
fn limit(recorder: &Recorder, files: usize) {
    let limit = format!("--nofile={files}:1024");
    let done = Command::new("prlimit").args(["--pid", &recorder.pid().to_string(), &limit]).status();
    assert!(done.expect("prlimit, of util-linux").success());
}

#[test]
fn without_descriptors_it_says_so_records_what_is_connected_and_connects_when_there_are_some() {
    // The first connection, of the source named first or second, is lost while nothing can be opened.
    let scene = Scene::with(Faults::new().on(1, 2_000, Action::Drop), 1_000);
    let more = scene.source("other", &["WatchOrders"]);
    let config = scene.config(&scene.path("test.db"), "");
    let text = std::fs::read_to_string(&config).unwrap() + &more;
    std::fs::write(&config, text).unwrap();
    let mut recorder = Recorder::start(record(&config));
    until("both are connected", || recorder.said(" connected source") == 2);
    recorder.until_reported(200);
    // It has more than these already, and keeps them.
    limit(&recorder, 3);
    until("it cannot connect again", || recorder.said("Too many open files") > 1);
    recorder.until_it_goes_on();
    recorder.until_it_goes_on();
    limit(&recorder, 1024);
    until("it connects again", || recorder.said(" connected source") == 3);
    recorder.until_it_goes_on();
    let recording = scene.stopped(recorder, "no descriptors");
    let lost =
        "SELECT count(DISTINCT source) FROM gaps WHERE cause = 'not_connected' AND evidence LIKE '%end_of_stream%'";
    assert_eq!(recording.number(lost), 1);
}

#[test]
fn with_few_descriptors_from_the_start_it_records_and_with_too_few_it_ends_and_says_so() {
    let scene = Scene::with(Faults::new(), 1_000);
    let config = scene.config(&scene.path("test.db"), "");
    let with = |files: usize| {
        let program = record(&config);
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}")).arg(program.get_program()).args(program.get_args());
        Recorder::start(command)
    };
    let mut recorder = with(32);
    recorder.until_reported(500);
    recorder.until_it_goes_on();
    scene.stopped(recorder, "32 descriptors");
    for files in [14, 8, 4] {
        let (reported, status, told) = with(files).end();
        assert!(reported.is_empty() && !status.success(), "{files}: {status}");
        assert!(!told.is_empty(), "{files}: it says why");
    }
}
