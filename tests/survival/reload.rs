//! SIGHUP: the difference is put in force, and nothing else is touched.

use std::fs;

use feedtape::exchange::Faults;

use crate::scene::{Recorder, Recording, Scene, record, until, verify};

/// A recorder of some sources.
struct Reloading {
    scene: Scene,
    recorder: Recorder,
    recording: Recording,
}

impl Reloading {
    fn start(sources: &[(&str, &[&str])]) -> Self {
        let scene = Scene::with(Faults::new(), 500);
        write(&scene, sources, "");
        let mut recorder = Recorder::start(record(&scene.path("test.toml")));
        recorder.until_reported(0);
        let recording = Recording::open(&scene.path("test.db"));
        let reloading = Self { scene, recorder, recording };
        for (name, methods) in sources {
            methods.iter().for_each(|method| reloading.until_covered(name, method));
        }
        reloading
    }

    /// Writes the file anew and tells the recorder.
    fn reload(&self, sources: &[(&str, &[&str])], more: &str) {
        write(&self.scene, sources, more);
        self.recorder.signal("HUP");
    }

    fn until_covered(&self, source: &str, method: &str) {
        self.until_last(source, method, "reason = 'consistent'");
    }

    /// Waits until the last transition of a stream is such.
    fn until_last(&self, source: &str, method: &str, condition: &str) {
        let last = format!(
            "SELECT count(*) FROM stream JOIN source ON source.id = stream.source JOIN transition ON transition.id = \
             (SELECT max(id) FROM transition WHERE stream = stream.id) \
             WHERE name = '{source}' AND channel = '{method}' AND {condition}"
        );
        until(&last, || self.recording.number(&last) == 1);
    }

    /// Stops; what it said.
    fn stop(self) -> (Scene, String) {
        self.recorder.signal("TERM");
        let (reported, status, told) = self.recorder.end();
        assert_eq!(status.code(), Some(0), "{told}");
        self.recording.has_all(&reported, "after a reload");
        verify(&self.scene.path("test.db"), "after a reload");
        (self.scene, told)
    }
}

fn write(scene: &Scene, sources: &[(&str, &[&str])], more: &str) {
    let mut text = format!("database = \"test.db\"\nmin_free_space = \"0B\"\n{more}\n");
    sources.iter().for_each(|(name, methods)| text += &scene.source(name, methods));
    fs::write(scene.path("test.toml"), text).unwrap();
}

const BOOK: &str = "WatchOrders";
const TICKER: &str = "WatchTicker";

#[test]
fn a_source_is_added_and_another_removed_while_the_first_goes_on() {
    let reloading = Reloading::start(&[("first", &[BOOK]), ("second", &[BOOK])]);
    reloading.reload(&[("first", &[BOOK]), ("third", &[TICKER])], "");
    reloading.until_covered("third", TICKER);
    reloading.until_last("second", BOOK, "reason = 'reconfigured'");
    let closed = "SELECT cause FROM session JOIN source ON source.id = source WHERE name = 'second'";
    until(closed, || reloading.recording.rows(closed) == ["stopped"]);
    let sessions = "SELECT count(*), sum(closed_at IS NOT NULL) FROM session JOIN source ON source.id = source WHERE name = 'first'";
    assert_eq!(reloading.recording.rows(sessions), ["1 0"]);
    let (_, told) = reloading.stop();
    assert!(told.contains(r#"added=["third"] removed=["second"] replanned=[] reconnected=[]"#), "{told}");
}

#[test]
fn other_subscriptions_take_the_same_connection() {
    let reloading = Reloading::start(&[("first", &[BOOK]), ("second", &[BOOK])]);
    reloading.reload(&[("first", &[TICKER]), ("second", &[BOOK])], "");
    reloading.until_covered("first", TICKER);
    reloading.until_last("first", BOOK, "reason = 'reconfigured'");
    reloading.reload(&[("first", &[TICKER, BOOK]), ("second", &[BOOK])], "");
    reloading.until_covered("first", BOOK);
    assert_eq!(reloading.recording.number("SELECT count(*) FROM session"), 2);
    assert_eq!(reloading.recording.number("SELECT count(*) FROM subscriptions WHERE source = 'second'"), 1);
    reloading.stop();
}

#[test]
fn another_place_takes_another_connection_and_no_row_is_doubled() {
    let reloading = Reloading::start(&[("first", &[BOOK]), ("second", &[BOOK])]);
    let elsewhere = Scene::with(Faults::new(), 500);
    let text = format!(
        "database = \"test.db\"\nmin_free_space = \"0B\"\n{}{}",
        elsewhere.source("first", &[BOOK]),
        reloading.scene.source("second", &[BOOK])
    );
    fs::write(reloading.scene.path("test.toml"), text).unwrap();
    reloading.recorder.signal("HUP");
    let covered = "SELECT count(*) FROM session JOIN subscription ON session = session.id AND acknowledged_at IS NOT NULL \
         JOIN source ON source.id = source WHERE name = 'first'";
    until(covered, || reloading.recording.number(covered) == 2);
    reloading.until_covered("first", BOOK);
    let causes = "SELECT name, cause FROM session JOIN source ON source.id = source ORDER BY session.id";
    assert_eq!(reloading.recording.rows(causes), ["first stopped", "second -", "first -"]);
    reloading.stop();
}

#[test]
fn a_wrong_configuration_changes_nothing_and_the_log_says_why() {
    let reloading = Reloading::start(&[("first", &[BOOK])]);
    let market = "[[source.subscribe]]\nmethod = \"WatchTicker\"\nmarkets = [\"XBT:NOPE\"]\n";
    let good = fs::read_to_string(reloading.scene.path("test.toml")).unwrap();
    let wrong = [
        (format!("{good}nonsense"), "test.toml:"),
        (format!("{good}{market}"), "XBT:NOPE"),
        (good.replace("\"test.db\"", "\"other.db\""), "database: cannot change"),
        (
            format!(
                "{good}[source.account]\nuser_id = 1\ncookie = {{ file = \"no\" }}\npassphrase = {{ file = \"no\" }}\n"
            ),
            "cannot be read",
        ),
        // One of two that is good changes nothing either.
        (format!("{good}{market}{}", reloading.scene.source("second", &[BOOK])), "XBT:NOPE"),
    ];
    let log = |told: &str, what: &str| told.contains("recording goes on as before") && told.contains(what);
    let mut expected = Vec::new();
    for (text, what) in wrong {
        fs::write(reloading.scene.path("test.toml"), text).unwrap();
        reloading.recorder.signal("HUP");
        expected.push(what);
        let so_far = expected.len();
        until(what, || reloading.recorder.said("recording goes on as before") == so_far);
    }
    let before = reloading.recording.number("SELECT max(first + frames) FROM frame_block");
    let more = "SELECT max(first + frames) FROM frame_block";
    until(more, || reloading.recording.number(more) > before + 100);
    assert_eq!(reloading.recording.rows("SELECT id, cause FROM session"), ["1 -"]);
    let (scene, told) = reloading.stop();
    for what in expected {
        assert!(log(&told, what), "{what}: {told}");
    }
    assert!(!scene.path("other.db").exists());
}
