//! Logins over restarts: no more than the venue allows, whenever a recorder dies and however often it is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use feedtape::exchange::{Action, Faults};
use rusqlite::Connection;

use crate::scene::{Recorder, Recording, Scene, record, until};

/// As many as are sent in an hour.
const LOGINS_MAX: u64 = 60;

/// Few events: many recorders are started.
const RATE: u32 = 50;

/// A configuration of these sources, each of which logs in as the exchange's user.
fn config(scene: &Scene, sources: &[&str], cookie: &str) -> PathBuf {
    // What is not asked for at once is durable late.
    let mut text = "database = \"test.db\"\nmin_free_space = \"0B\"\ncommit_interval = \"1s\"\n".to_owned();
    for name in sources {
        text += &scene.source(name, &["WatchTicker"]);
        text += "[source.timing]\nlogin_retry = \"3s\"\n\
                 [source.account]\nuser_id = 9\ncookie = { file = \"cookie\" }\npassphrase = { file = \"passphrase\" }\n";
    }
    for (name, text) in [("cookie", cookie), ("passphrase", "open sesame"), ("test.toml", &text)] {
        fs::write(scene.path(name), text).unwrap();
        fs::set_permissions(scene.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    scene.path("test.toml")
}

const COOKIE: &str = "HGREqcILTz8blHa/jsUTVTNBJlg=";

/// Records until the file says so, and stops, with that exit code.
fn record_until(scene: &Scene, config: &Path, sql: &str, code: i32) {
    let mut recorder = Recorder::start(record(config));
    recorder.until_reported(0);
    let recording = Recording::open(&scene.path("test.db"));
    until(sql, || recording.rows(sql) == ["1"]);
    recorder.signal("TERM");
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(code), "{told}");
}

/// As if after the one login there had been many within the hour, so that only so many are left.
fn spend(scene: &Scene, left: u64) {
    let spent = LOGINS_MAX - left - 1;
    let spend = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) \
         INSERT INTO command (id, session, sent_at, method) \
         SELECT id + n, session, sent_at, method FROM command, n WHERE method = 'Authenticate'";
    let database = Connection::open(scene.path("test.db")).unwrap();
    assert_eq!(database.execute(spend, [spent as i64]).unwrap() as u64, spent);
}

/// What `record` ends with if the venue refused the account.
const REFUSED: i32 = 77;

#[test]
fn a_recorder_that_dies_with_each_login_makes_no_more_than_the_budget_whatever_its_sources_are_called() {
    let scene = Scene::with(Faults::new(), RATE);
    let first = config(&scene, &["one"], COOKIE);
    record_until(&scene, &first, "SELECT count(*) FROM session WHERE authenticated_at IS NOT NULL", 0);
    let left = 3;
    spend(&scene, left);
    let before = scene.exchange.counts().logins;
    assert_eq!(before, 1);
    let renamed = config(&scene, &["another", "third"], COOKIE);
    for start in 0..6 {
        let so_far = scene.exchange.counts();
        let mut recorder = Recorder::start(record(&renamed));
        if so_far.logins < before + left {
            until("a login", || scene.exchange.counts().logins > so_far.logins);
        } else {
            recorder.until_reported(40);
            until("both are greeted", || scene.exchange.counts().commands >= so_far.commands + 2);
        }
        recorder.signal("KILL");
        recorder.end();
        let made = scene.exchange.counts().logins - before;
        assert!(made <= left, "{made} logins after {start} deaths, {left} were left");
    }
    assert_eq!(scene.exchange.counts().logins, before + left);
}

#[test]
fn a_wait_that_the_venue_asked_for_is_kept_over_a_restart() {
    let scene = Scene::with(Faults::new().on(1, 0, Action::RefuseLogin { code: 6 }), RATE);
    let config = config(&scene, &["one"], COOKIE);
    record_until(&scene, &config, "SELECT count(*) FROM session WHERE login_error_code = 6", 0);
    record_until(&scene, &config, "SELECT count(*) FROM session WHERE authenticated_at IS NOT NULL", 0);
    let recording = Recording::open(&scene.path("test.db"));
    let waited = recording.number(
        "SELECT (SELECT max(sent_at) FROM command WHERE method = 'Authenticate') - max(login_refused_at) FROM session",
    );
    assert!(waited >= 3_000_000_000, "{waited} ns");
    assert_eq!(scene.exchange.counts().logins, 2);
}

#[test]
fn wrong_credentials_are_tried_few_times_over_restarts_and_the_right_ones_at_once() {
    let scene = Scene::with(Faults::new(), RATE);
    let wrong = config(&scene, &["one"], "d3Jvbmc=");
    for refused in 1..=2 {
        let told = format!("SELECT count(login_refused_at) = {refused} FROM session");
        record_until(&scene, &wrong, &told, REFUSED);
    }
    let right = config(&scene, &["one"], COOKIE);
    record_until(&scene, &right, "SELECT count(*) FROM session WHERE authenticated_at IS NOT NULL", 0);
    // Each of the wrong ones counts for ten.
    let wrong = config(&scene, &["one"], "d3Jvbmc=");
    for refused in 3..=6 {
        let told = format!("SELECT count(login_refused_at) = {refused} FROM session");
        record_until(&scene, &wrong, &told, REFUSED);
    }
    let so_far = scene.exchange.counts();
    let recorder = Recorder::start(record(&wrong));
    until("it subscribes", || scene.exchange.counts().commands > so_far.commands);
    scene.stopped(recorder, "its budget is spent");
    assert_eq!(scene.exchange.counts().logins, so_far.logins);
}

#[test]
fn a_message_too_large_on_every_connection_makes_no_login_beyond_the_budget() {
    // Each is logged in before: the login is answered by the second message.
    let too_large = (2..100).fold(Faults::new(), |faults, n| faults.on(n, 3, Action::Oversized { bytes: 17 << 20 }));
    let scene = Scene::with(too_large, RATE);
    let config = config(&scene, &["one"], COOKIE);
    record_until(&scene, &config, "SELECT count(*) FROM session WHERE authenticated_at IS NOT NULL", 0);
    let left = 2;
    spend(&scene, left);
    let before = scene.exchange.counts().logins;
    let recorder = Recorder::start(record(&config));
    until("it is broken again and again", || recorder.said("cause=\"too_large\"") as u64 > left + 1);
    recorder.signal("TERM");
    let (_, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    let recording = Recording::open(&scene.path("test.db"));
    assert_eq!(scene.exchange.counts().logins, before + left);
    let gaps = "SELECT count(*) FROM gaps WHERE channel = 'WatchTicker' AND cause = 'not_connected'";
    assert!(recording.number(gaps) as u64 > left);
}
