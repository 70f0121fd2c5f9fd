//! Random histories of faults, of the link, the venue, the clock, the process and the disk, each from a seed; and an oracle
//! that knows the truth.
//!
//! `FEEDTAPE_HISTORIES=10000` for many, `FEEDTAPE_SEED` for the first of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use feedtape::config::Durability;
use feedtape::journal::Input;
use feedtape::model::{CloseCause, SessionId, Timestamp, Verdict};
use feedtape::replay::verify;
use feedtape::store::{Aspect, BookName, BookState, Frames, Reader, Selection, StoreError};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::Connection;
use tempfile::TempDir;

use super::books::{Truth, recorded, truth};
use super::machine::{Machine, Switch};
use super::oracle::{Expected, Fate, Found, Mangled, Oracle, contradictions, not_understood};
use super::told::{Mangle, News};
use super::world::World;

/// Commands of the traders in a history.
const COMMANDS: usize = 150;

/// "Input/output error" and "no space left on device".
const EIO: i64 = 5;
const ENOSPC: i64 = 28;

/// A kind of fault. In a history, three of the kinds happen, each now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    LinkLost,
    LinkSilent,
    ClosedByVenue,
    NoticeLost,
    NoticeTwice,
    NoticeGarbage,
    ClockBack,
    ClockForward,
    Suspended,
    SinkStalled,
    Killed,
    Stopped,
    WriteFails,
    SyncFails,
    DiskFull,
}

const FAULTS: [Fault; 15] = [
    Fault::LinkLost,
    Fault::LinkSilent,
    Fault::ClosedByVenue,
    Fault::NoticeLost,
    Fault::NoticeTwice,
    Fault::NoticeGarbage,
    Fault::ClockBack,
    Fault::ClockForward,
    Fault::Suspended,
    Fault::SinkStalled,
    Fault::Killed,
    Fault::Stopped,
    Fault::WriteFails,
    Fault::SyncFails,
    Fault::DiskFull,
];

impl Fault {
    /// A time means two instants, or none.
    fn is_of_the_clock(self) -> bool {
        matches!(self, Self::ClockBack | Self::ClockForward)
    }
}

struct History<'m> {
    machine: &'m Machine,
    random: ChaCha8Rng,
    world: World,
    kinds: Vec<Fault>,
    happened: Vec<Fault>,
    truths: Vec<Truth>,
}

impl<'m> History<'m> {
    fn new(machine: &'m Machine, seed: u64) -> Self {
        machine.reset();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let kinds = (0..3).map(|_| FAULTS[random.next_u32() as usize % FAULTS.len()]).collect();
        let durability = [Durability::PowerLoss, Durability::ProcessKill][random.next_u32() as usize % 2];
        let world = World::new(seed, &["XBT:USDT"], None, |world| {
            world.durability = durability;
            world.told = Some(Vec::new());
        });
        Self { machine, random, world, kinds, happened: Vec::new(), truths: Vec::new() }
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u32) -> bool {
        self.random.next_u32().is_multiple_of(times)
    }

    fn live(&mut self) {
        for _ in 0..COMMANDS {
            let was_to_be_mangled = self.world.mangle.is_some();
            self.world.trade();
            let is_mangled = was_to_be_mangled && self.world.mangle.is_none();
            // What a session asks for in doubt is answered, with notices in between.
            self.world.answer_next();
            // What only lasting shows, later notices mend.
            if self.once_in(if is_mangled { 2 } else { 40 }) && self.world.hears() {
                self.settle();
            }
            if self.once_in(8) {
                self.commit();
            }
            if self.once_in(30) {
                self.world.tidy();
            }
            if self.once_in(10) && !self.world.is_connected() {
                self.world.connect();
            }
            if self.once_in(12) {
                self.machine.reset();
            }
            if self.once_in(25) {
                let kind = self.kinds[self.random.next_u32() as usize % self.kinds.len()];
                self.happen(kind);
            }
        }
        self.machine.reset();
        self.recover();
        self.world.stop();
    }

    /// Tries to commit, and if that is done, notes what the book was just before.
    fn commit(&mut self) {
        let truth = truth(&self.world, self.world.markets[0]);
        self.world.now += 1;
        if self.world.try_commit() {
            self.truths.push(truth);
        }
    }

    /// Nothing happens, for longer than a stream in doubt waits for its turn, and after that a link that is alive is silent.
    fn settle(&mut self) {
        self.world.answer();
        self.world.wait(60_000_000);
        self.world.note(|| News::Settled);
    }

    /// The link is cut, and what the exchange says is lost until that is noticed. What was committed meanwhile is taken
    /// back then, and only then: a recorder that is killed before does not know of it.
    fn fall_silent(&mut self) {
        self.world.cut();
        let mut unheard = Vec::new();
        for _ in 0..10 {
            self.world.trade();
            unheard.push(truth(&self.world, self.world.markets[0]));
            self.world.try_commit();
        }
        self.world.now += 40_000_000;
        self.world.disconnect(CloseCause::Silent);
        if self.world.try_commit() {
            self.truths.extend(unheard);
        }
    }

    /// What failed once is done at the next attempt, and what failed twice at the one after.
    fn recover(&mut self) {
        assert!((0..3).any(|_| self.world.try_commit()), "it does not recover: {:?}", self.happened);
    }

    fn happen(&mut self, fault: Fault) {
        let (is_connected, now) = (self.world.is_connected(), self.world.wall());
        match fault {
            Fault::LinkLost => self.world.disconnect(CloseCause::Transport),
            Fault::LinkSilent if is_connected => self.fall_silent(),
            Fault::ClosedByVenue => self.world.disconnect(CloseCause::ClosedByPeer),
            Fault::NoticeLost => self.mangle(Mangle::Lost),
            Fault::NoticeTwice => self.mangle(Mangle::Twice),
            Fault::NoticeGarbage => self.mangle(Mangle::Garbage),
            Fault::ClockBack => self.world.ahead -= 3_600_000_000,
            Fault::ClockForward => self.world.ahead += 60_000_000,
            Fault::Suspended | Fault::SinkStalled if is_connected => {
                self.world.now += 7_000_000;
                let (from, to) = (now, self.world.wall());
                let is_stall = fault == Fault::SinkStalled;
                self.world.feed(&if is_stall { Input::Stalled(from, to) } else { Input::Suspended(from, to) });
                self.world.note(|| News::Unread);
            }
            Fault::LinkSilent | Fault::Suspended | Fault::SinkStalled => return,
            Fault::Killed => {
                self.world.kill();
                self.machine.reset();
                self.world.now += 1_000_000;
                self.world.start();
            }
            Fault::Stopped => {
                self.machine.reset();
                self.recover();
                self.world.stop();
                self.world.now += 1_000_000;
                self.world.start();
            }
            Fault::WriteFails => {
                let at = self.machine.get(Switch::Writes) + 1 + i64::from(self.random.next_u32() % 20);
                self.machine.set(Switch::WriteAt, at);
                self.machine.set(Switch::WriteError, EIO);
            }
            Fault::SyncFails => {
                let at = self.machine.get(Switch::Syncs) + 1 + i64::from(self.random.next_u32() % 3);
                self.machine.set(Switch::SyncAt, at);
                self.machine.set(Switch::SyncError, EIO);
            }
            Fault::DiskFull => {
                self.machine.set(Switch::WriteAt, 0);
                self.machine.set(Switch::WriteError, ENOSPC);
            }
        }
        self.happened.push(fault);
    }

    /// Any kind of notice may be it: an order, its matches, the ticker that follows.
    fn mangle(&mut self, mangle: Mangle) {
        self.world.mangle = Some((mangle, self.random.next_u32() % 5));
    }

    fn any(&self, is_so: impl Fn(Fault) -> bool) -> bool {
        self.happened.iter().any(|fault| is_so(*fault))
    }

    /// Compares the file with what happened, and says what became of each mangled notice.
    fn judge(&self) -> Vec<Mangled> {
        let path = &self.world.path;
        let stored = stored(path);
        for (session, (given, durable)) in &self.world.given {
            let stored = stored.get(session).map_or(&[][..], Vec::as_slice);
            assert!(
                stored.len() as u64 >= *durable,
                "session {session}: {} of {durable} durable records",
                stored.len()
            );
            assert!(
                given.starts_with(stored),
                "session {session} has records that were not given, or in another order"
            );
        }
        let report = verify(path, false, |_, _, _| ()).unwrap();
        let told: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| match finding.aspect {
                // The oracle says which there must be.
                Aspect::Contradictions => false,
                // A run after the clock was set back begins before the one before it.
                Aspect::Coverage => !self.any(|fault| fault == Fault::ClockBack),
                _ => true,
            })
            .collect();
        assert!(told.is_empty(), "{told:#?}");
        let found = contradictions(path);
        assert_eq!(report.count(Aspect::Contradictions), found.len() as u64, "{:#?}", report.findings);
        let stored = stored.iter().map(|(session, records)| (*session, records.len() as i64)).collect();
        let oracle = Oracle::new(self.world.told.as_ref().unwrap(), &self.truths, stored, &found);
        let of_orders = found.iter().filter(|found| found.is_of_orders()).map(|found| found.place);
        assert_eq!(of_orders.collect::<BTreeSet<_>>(), oracle.contradicted, "contradictions, and what they must be");
        assert_eq!(not_understood(path), oracle.garbage, "frames not understood, and what they must be");
        if !self.any(Fault::is_of_the_clock) {
            self.check(&oracle.expected, &found);
        }
        oracle.mangled
    }

    /// Compares the book at any time with what must be said of it.
    fn check(&self, expected: &[Expected], found: &[Found]) {
        let path = &self.world.path;
        let (connection, reader) = (Connection::open(path).unwrap(), Reader::open(path).unwrap());
        for (truth, expected) in self.truths.iter().zip(expected) {
            let at = Timestamp(truth.at);
            let book = BookName { source: "flex".to_owned(), market: truth.market.clone() };
            let state = reader.book_state(&book, at).unwrap();
            let is_consistent = matches!(state, BookState::Known { verdict: Verdict::Consistent, .. });
            let because = || format!("at {} {:?}: {state:?}", truth.at, truth.place);
            match expected {
                Expected::Unknown => {
                    assert!(matches!(state, BookState::Unknown { .. }), "known {}", because());
                    assert_eq!(recorded(&connection, truth), [], "{}", because());
                }
                Expected::Doubt => assert!(!is_consistent, "no doubt {}", because()),
                Expected::Known { orders, is_taken_back } => {
                    assert_eq!(&recorded(&connection, truth), orders, "{}", because());
                    let takes_back = |found: &Found| {
                        truth.place.is_some_and(|(session, seq)| found.place.0 == session && found.place.1 >= seq)
                            && found.since <= at
                    };
                    assert!(!(is_consistent && *is_taken_back), "not taken back {}", because());
                    assert!(is_consistent || found.iter().any(takes_back), "in doubt {}", because());
                }
            }
        }
    }
}

/// The records of each session of a file.
fn stored(path: &Path) -> BTreeMap<i64, Vec<Vec<u8>>> {
    let mut stored = BTreeMap::<_, Vec<Vec<u8>>>::new();
    let mut frames = Frames::open(path).unwrap();
    let read = frames.read(&Selection::default(), |frame| {
        if frame.session != SessionId::RECORDER {
            stored.entry(frame.session.0).or_default().push(frame.record.body.to_vec());
        }
        Ok::<_, StoreError>(())
    });
    read.unwrap();
    stored
}

/// Says how to see a failure again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            println!("again: FEEDTAPE_SEED={seed} FEEDTAPE_HISTORIES=1 cargo test --test simulated histories");
        }
    }
}

fn from_env(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[test]
#[ignore = "a process of its own, on a machine that does as it is told, which the test below starts"]
fn the_histories() {
    let Some(machine) = Machine::of_this_process() else { return println!("SKIPPED: it is started by another test") };
    let (histories, first) = (from_env("FEEDTAPE_HISTORIES", 200), from_env("FEEDTAPE_SEED", 1));
    let begun = Instant::now();
    let (mut happened, mut fates) = (BTreeMap::<Fault, u64>::new(), BTreeMap::<(Mangle, Fate), u64>::new());
    for seed in first..first + histories {
        let _replay = Replay(seed);
        let mut history = History::new(&machine, seed);
        history.live();
        for Mangled { mangle, fate, .. } in history.judge() {
            *fates.entry((mangle, fate)).or_default() += 1;
        }
        history.happened.sort();
        history.happened.dedup();
        history.happened.iter().for_each(|fault| *happened.entry(*fault).or_default() += 1);
    }
    println!("{histories} histories from seed {first} in {:?}: {happened:?}, notices {fates:?}", begun.elapsed());
    if histories >= 100 {
        for fault in FAULTS {
            assert!(happened.get(&fault).is_some_and(|n| n * 100 >= histories), "{fault:?} is too rare: {happened:?}");
        }
        for mangle in [Mangle::Lost, Mangle::Twice, Mangle::Garbage] {
            assert!(fates.contains_key(&(mangle, Fate::Found)), "none is found that was {mangle:?}: {fates:?}");
        }
    }
}

const MEMORY: &str = "/dev/shm";

/// Histories run in so many processes at once, each on a machine of its own.
const PROCESSES: u64 = 2;

#[test]
fn whatever_happens_what_was_durable_is_there_and_what_the_file_says_is_so() {
    let (histories, first) = (from_env("FEEDTAPE_HISTORIES", 200), from_env("FEEDTAPE_SEED", 1));
    let each = histories.div_ceil(PROCESSES);
    std::thread::scope(|scope| {
        for process in 0..PROCESSES.min(histories) {
            scope.spawn(move || {
                let folder = TempDir::new().unwrap();
                let machine = Machine::new(folder.path());
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "histories::the_histories", "--ignored", "--nocapture"]);
                let seed = first + process * each;
                command.env("FEEDTAPE_HISTORIES", each.to_string()).env("FEEDTAPE_SEED", seed.to_string());
                // Where there is a disk in memory, nobody waits for a real one.
                if Path::new(MEMORY).is_dir() {
                    command.env("TMPDIR", MEMORY);
                }
                let output = machine.under(command, Path::new("world.db")).output().unwrap();
                let told =
                    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && told.contains(" histories from seed "), "{told}");
                println!("{told}");
            });
        }
    });
}
