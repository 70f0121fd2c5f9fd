//! More than a disk that takes nothing lets through.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::disk::{ENOSPC, memory};
use crate::machine::Switch;
use crate::scene::{Recorder, Scene, lock, record, until};
use crate::server::{Server, Talk};

/// What a recorder may have in memory, whatever comes: the window of 8 MiB on its way, twice for what is made of it,
/// caches, and a test build.
const MEMORY_BYTES_MAX: u64 = 80 << 20;

/// What it may take while it can store nothing: the window, and what the system keeps for its socket.
const TAKEN_BYTES_MAX: u64 = 32 << 20;

const SOURCE: &str = r#"
[[source]]
name = "flood"
venue = "generic"

[[source.subscribe]]
method = "trades"
markets = ["A"]

[source.protocol]
ack = [{ match = { "/ok" = true }, id = "/id" }]

[[source.protocol.channel]]
name = "trades"
subscribe = '{"id":{id},"what":"{market}"}'

[[source.protocol.channel.route]]
match = { "/what" = "{market}" }
rows = "/list"
table = "trades"
columns = { price = "/p", quantity = "/q" }
"#;

/// What an exchange sends, and has sent.
#[derive(Default)]
struct Flood {
    is_on: AtomicBool,
    bytes: AtomicU64,
}

impl Flood {
    /// A large message now and then, or one after the other.
    fn send(&self, talk: &mut Talk) {
        let Some(asked) = talk.hear_json() else { return };
        talk.say(&format!(r#"{{"ok":true,"id":{}}}"#, asked["id"]));
        let text = format!(r#"{{"what":"A","list":[],"more":"{}"}}"#, "x".repeat(200_000));
        let mut voice = talk.voice();
        while voice.say(&text) {
            self.bytes.fetch_add(text.len() as u64, Ordering::SeqCst);
            if !self.is_on.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Sends as much as is taken, until nothing is any more.
    fn until_nothing_is_taken(&self) {
        let before = self.bytes();
        self.is_on.store(true, Ordering::SeqCst);
        let mut last = 0;
        until("the socket is not read any more", || {
            thread::sleep(Duration::from_millis(500));
            let bytes = self.bytes() - before;
            assert!(bytes < TAKEN_BYTES_MAX, "{bytes} bytes are taken");
            std::mem::replace(&mut last, bytes) == bytes
        });
        self.is_on.store(false, Ordering::SeqCst);
    }
}

#[test]
fn while_nothing_can_be_stored_no_more_is_taken_than_memory_is_for_and_then_it_goes_on() {
    for told in ["no space is left for", "another program is writing to"] {
        let flood = Arc::new(Flood::default());
        let server = {
            let flood = Arc::clone(&flood);
            Server::start(move |talk| flood.send(talk), |_| (404, String::new()))
        };
        let scene = Scene::new();
        let (machine, database) = (scene.machine(), scene.path("test.db"));
        let config = scene.path("test.toml");
        let source = SOURCE.replace("[[source.subscribe]]", &format!("url = {:?}\n[[source.subscribe]]", server.url()));
        fs::write(&config, format!("database = {database:?}\nmin_free_space = \"0B\"\n{source}")).unwrap();
        let mut recorder = Recorder::start(machine.under(record(&config), &database));
        recorder.until_reported(5);
        let foreign = if told.starts_with("another") {
            Some(lock(&database))
        } else {
            machine.set(Switch::WriteError, ENOSPC);
            None
        };
        until("it says so", || recorder.said(told) > 0);
        flood.until_nothing_is_taken();
        assert!(memory(&recorder) < MEMORY_BYTES_MAX, "{told}: {} bytes", memory(&recorder));
        machine.reset();
        drop(foreign);
        recorder.until_it_goes_on();
        until("it is told", || recorder.said("the sink took nothing") == 1);
        recorder.until_it_goes_on();
        let recording = scene.stopped(recorder, told);
        assert_eq!(recording.rows("SELECT id, cause FROM session"), ["1 stopped"], "{told}: no other connection");
        let gaps = "SELECT count(*) FROM gaps WHERE cause = 'sink_stalled' AND to_at > from_at";
        assert_eq!(recording.number(gaps), 1, "{told}: the time in which the socket was not read");
    }
}
