//! For hours, with something going wrong all the time.
//!
//! `FEEDTAPE_SOAK_MINUTES=120 cargo test --test survival soak -- --ignored --nocapture`; `FEEDTAPE_SOAK_FAULT_SECONDS` says
//! how often something goes wrong.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use feedtape::exchange::{Action, Faults};
use serde::Deserialize;

use crate::machine::Switch;
use crate::scene::{Recorder, Recording, Scene, feedtape, from_env, record, verify};
use crate::wire::{Message, Wire, digest};

/// Messages a second.
const RATE: u32 = 1_000;

/// How long before its end a gap may say it begins, or after: as long as a message is on its way.
const ON_ITS_WAY: i64 = 1_000_000_000;

/// By how much memory may grow from the first half of the time after warming up to the second, on average.
const GROWTH_KIB_MAX: i64 = 4 * 1024;

/// Every fault that leaves a connection as it is, or may.
fn passing() -> Vec<Action> {
    vec![
        Action::Fragment { frames: 3 },
        Action::UnknownField,
        Action::InvalidJson,
        Action::UnknownNotice,
        Action::UnknownAssets,
        Action::HugeInteger,
        Action::Pings { count: 100 },
        Action::Text { text: "{}".to_owned() },
        Action::DuplicateReply,
        Action::SwapReplies,
        Action::DelaySnapshot { notices: 50 },
        Action::InvalidUtf8,
    ]
}

/// Every one that ends it, or may.
fn ending() -> Vec<Action> {
    vec![
        Action::Drop,
        Action::DropMidFrame,
        Action::GoSilent,
        Action::Oversized { bytes: 17 << 20 },
        Action::Close { code: 1012 },
        Action::Bytes { bytes: vec![0xff; 64] },
        Action::StopReading,
        Action::NeverGreet,
    ]
}

/// On each connection something that passes, something else, and something that ends it, so many messages apart.
fn faults(connections: u64, messages: u64) -> Faults {
    let (passing, ending) = (passing(), ending());
    let mut faults = Faults::new();
    for n in 0..connections {
        let which = usize::try_from(n).unwrap();
        let pass = |k: usize| passing[(2 * which + k) % passing.len()].clone();
        let end = ending[which % ending.len()].clone();
        let at = if matches!(end, Action::NeverGreet) { 0 } else { 3 * messages };
        // What concerns replies acts on the first that comes after it, so it is there from the beginning.
        let first = |action: &Action, at| {
            let is_of_replies =
                matches!(action, Action::DuplicateReply | Action::SwapReplies | Action::DelaySnapshot { .. });
            if is_of_replies { 0 } else { at }
        };
        faults = faults.on(n + 1, first(&pass(0), messages), pass(0));
        faults = faults.on(n + 1, first(&pass(1), 2 * messages), pass(1));
        faults = faults.on(n + 1, at, end).on(n + 1, 4 * messages, Action::Drop);
    }
    faults
}

/// The resident memory of a recorder.
#[derive(Default)]
struct Memory {
    /// In KiB.
    each_second: Vec<i64>,
    /// When every fault had happened once.
    warm: Option<usize>,
}

impl Memory {
    fn watch(&mut self, recorder: &mut Recorder, seconds: u64) {
        for _ in 0..seconds {
            thread::sleep(Duration::from_secs(1));
            let status = fs::read_to_string(format!("/proc/{}/status", recorder.pid())).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            self.each_second.push(line.trim().trim_end_matches(" kB").parse().unwrap());
            recorder.so_far();
            if self.warm.is_none() && recorder.said(" connected source") > ending().len() {
                self.warm = Some(self.each_second.len());
            }
        }
    }

    /// By how many KiB it was more in the second half after warming up than in the first; `None` if that was too late.
    fn growth(&self) -> Option<i64> {
        let warm = self.warm.filter(|warm| *warm <= self.each_second.len() / 2)?;
        let mean = |part: &[i64]| part.iter().sum::<i64>() / i64::try_from(part.len()).unwrap();
        let (first, second) = self.each_second[warm..].split_at((self.each_second.len() - warm) / 2);
        Some(mean(second) - mean(first))
    }
}

/// A line of `feedtape frames --format json`.
#[derive(Deserialize)]
struct Line {
    text: Option<String>,
    bytes: Option<String>,
}

/// The messages that are stored of a session, as [`digest`] has them.
fn stored(scene: &Scene, session: &str) -> Vec<u64> {
    let mut command = feedtape();
    command.arg("frames").arg(scene.path("test.db")).args(["--session", session, "--kind", "received,received_binary"]);
    let mut child = command.args(["--format", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let digests = lines.map(|line| {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        match line.text {
            Some(text) => digest(text.as_bytes()),
            None => {
                let hex = line.bytes.unwrap();
                let hex = hex.trim_start_matches("x'").trim_end_matches('\'');
                let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                digest(&(0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>())
            }
        }
    });
    let digests = digests.collect();
    assert!(child.wait().unwrap().success());
    digests
}

/// Fails unless each message that was sent is stored once, in order, or was sent in a gap.
fn account(scene: &Scene, sent: &[Vec<Message>]) -> (usize, usize) {
    let recording = Recording::open(&scene.path("test.db"));
    let sessions = recording.rows("SELECT id FROM session WHERE opened_at IS NOT NULL ORDER BY id");
    assert_eq!(sessions.len(), sent.len(), "as many sessions as sockets");
    let gaps =
        recording.rows("SELECT from_at, coalesce(to_at, 9223372036854775807) FROM gaps WHERE channel = 'WatchOrders'");
    let gaps: Vec<(i64, i64)> = gaps
        .iter()
        .map(|gap| gap.split_once(' ').unwrap())
        .map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
        .collect();
    let (mut all, mut missed) = (0, 0);
    for (session, sent) in sessions.iter().zip(sent) {
        let stored = stored(scene, session);
        let is_begin = sent.len() >= stored.len() && stored.iter().zip(sent).all(|(stored, (_, sent))| stored == sent);
        assert!(is_begin, "session {session}: {} stored, not the first of {}", stored.len(), sent.len());
        for (at, _) in &sent[stored.len()..] {
            let is_in_gap = gaps.iter().any(|(from, to)| from - ON_ITS_WAY <= *at && *at <= to + ON_ITS_WAY);
            assert!(is_in_gap, "session {session}: sent at {at}, not stored, and in no gap");
        }
        all += sent.len();
        missed += sent.len() - stored.len();
    }
    (all, missed)
}

#[test]
#[ignore = "takes FEEDTAPE_SOAK_MINUTES"]
fn for_hours_with_faults_its_memory_does_not_grow_and_every_message_is_stored_once_or_in_a_gap() {
    let minutes = from_env("FEEDTAPE_SOAK_MINUTES", 2);
    let every = from_env("FEEDTAPE_SOAK_FAULT_SECONDS", 60);
    let connections = minutes * 60 / every + 16;
    let scene = Scene::with(faults(connections, every * u64::from(RATE)), RATE);
    let wire = Wire::before(scene.exchange.addr());
    let machine = scene.machine();
    let config = scene.config(&scene.path("test.db"), "");
    let text = fs::read_to_string(&config).unwrap();
    let there = scene.exchange.addr().to_string();
    fs::write(&config, text.replace(&format!("ws://{there}"), &format!("ws://{}", wire.address))).unwrap();
    let mut recorder = Recorder::start(machine.under(record(&config), &scene.path("test.db")));
    recorder.until_reported(100);

    let (begun, time) = (Instant::now(), Duration::from_secs(minutes * 60));
    let mut memory = Memory::default();
    for turn in 0.. {
        // Not together with what the venue does, as far as one knows.
        let next = Duration::from_secs(every) * turn + Duration::from_secs(every / 2);
        while begun.elapsed() < next.min(time) {
            memory.watch(&mut recorder, 1);
        }
        if next >= time {
            break;
        }
        match turn % 3 {
            0 => {
                recorder.signal("STOP");
                memory.watch(&mut recorder, 5);
                recorder.signal("CONT");
            }
            1 => {
                machine.set(Switch::WriteError, 28);
                memory.watch(&mut recorder, 5);
                machine.set(Switch::WriteError, 0);
            }
            _ => {
                machine.set(Switch::SyncDelayMs, 500);
                memory.watch(&mut recorder, 8);
                machine.set(Switch::SyncDelayMs, 0);
            }
        }
        recorder.until_it_goes_on();
    }
    recorder.signal("TERM");
    let (reported, status, told) = recorder.end();
    assert_eq!(status.code(), Some(0), "{told}");
    Recording::open(&scene.path("test.db")).has_all(&reported, "soak");
    let (sent, missed) = account(&scene, &wire.messages());
    println!(
        "{minutes} minutes, a fault of the venue and one of the machine every {every} s: {} connections, {sent} messages \
         sent, {missed} of them missed, in gaps; resident memory each minute, KiB: {:?}",
        reported.len(),
        memory.each_second.iter().step_by(60).collect::<Vec<_>>()
    );
    assert!(sent > 0 && missed > 0);
    match memory.growth() {
        Some(growth) => assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more in the second half after warming up"),
        None => println!("too short to judge the memory: not every fault has happened in the first half"),
    }
    verify(&scene.path("test.db"), "soak");
}
