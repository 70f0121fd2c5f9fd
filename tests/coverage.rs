//! Coverage against an oracle: whatever goes wrong and when, the file says of every instant exactly what was recorded.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feedtape::config::Durability;
use feedtape::exchange::listing::Listing;
use feedtape::journal::{Batch, Closed, Input, Opened, Plan, SubscribePlan, Tape};
use feedtape::model::{Catalog, CloseCause, MarketPattern, SessionId, Stamp, Timestamp};
use feedtape::sink::Sink;
use feedtape::store::{RunInfo, RunKind, Settings, Store};
use feedtape::venue::{Action, by_name};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A notice of the stream comes.
    Notice,
    /// A frame comes that cannot be read; it might have been of the stream.
    Garbage,
    /// The sink takes nothing for a while.
    Stall,
    /// What was received so far becomes durable.
    Commit,
    /// The connection is lost, and made anew.
    Reconnect,
    /// Nothing comes through any more, and when that is noticed the connection is made anew.
    Silence,
    /// The connection is lost, and the next is refused before one is made.
    RefusedOnce,
    /// The venue does not greet, and the connection is given up.
    NeverGreeted,
    /// The venue refuses the subscription until the connection is made anew.
    Refused,
    /// The recorder is told to stop, and started again.
    Restart,
    /// The recorder is killed, and started again.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => Just(Step::Notice),
        1 => Just(Step::Garbage),
        1 => Just(Step::Stall),
        3 => Just(Step::Commit),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Silence),
        1 => Just(Step::RefusedOnce),
        1 => Just(Step::NeverGreeted),
        1 => Just(Step::Refused),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

/// A recorder whose clock, disk and exchange the test moves, and the truth about what it recorded.
struct World {
    folder: TempDir,
    store: Option<Store>,
    tape: Option<Tape>,
    catalog: Arc<Catalog>,
    session: i64,
    is_first: bool,
    now: i64,
    next_order: i64,
    /// Commands of the session that were handed to the store.
    shipped_commands: usize,
    /// Arrival of the last record that is durable.
    durable: i64,
    /// Since when the stream is covered, if it is.
    since: Option<i64>,
    /// What was covered.
    covered: Vec<(i64, i64)>,
}

impl World {
    fn new() -> Self {
        let catalog = Listing::coinflex(2020).unwrap().catalog(Timestamp(0));
        let mut world = Self {
            folder: TempDir::new().unwrap(),
            store: None,
            tape: None,
            catalog: Arc::new(catalog),
            session: 0,
            is_first: true,
            now: 1_600_000_000_000_000_000,
            next_order: 1,
            shipped_commands: 0,
            durable: 0,
            since: None,
            covered: Vec::new(),
        };
        world.start();
        world
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("world.db")
    }

    fn tick(&mut self) -> Stamp {
        self.now += 1_000_000;
        Stamp { wall: Timestamp(self.now), mono: self.now }
    }

    fn start(&mut self) {
        let settings = Settings { path: self.path(), durability: Durability::ProcessKill, min_free_space: 0 };
        let mut store = Store::open(settings).unwrap();
        let at = self.tick();
        let info = RunInfo { kind: RunKind::Live, config: "test".into(), commit_interval: Duration::from_millis(50) };
        self.session = store.begin_run(at, &info).unwrap().first_session.0;
        self.durable = self.now;
        self.store = Some(store);
        self.is_first = true;
        self.connect(true, true);
    }

    /// A session, up to its snapshot if the venue lets it come to that.
    fn connect(&mut self, greets: bool, agrees: bool) {
        self.begin_session();
        self.feed(&Input::Opened(Opened { peer: None }));
        if !greets {
            self.close(CloseCause::TimedOut);
            return self.connect(true, true);
        }
        self.receive(r#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#);
        if agrees {
            self.receive(r#"{"error_code":0,"tag":1,"orders":[]}"#);
            self.since = Some(self.now);
        } else {
            self.receive(r#"{"error_code":1,"error_msg":"You specified an invalid asset pair.","tag":1}"#);
        }
    }

    fn begin_session(&mut self) {
        self.shipped_commands = 0;
        self.tape = Some(Tape::new(SessionId(self.session), by_name("coinflex").unwrap().session(None)));
        self.session += 1;
        let subscribe = SubscribePlan {
            method: "WatchOrders".into(),
            markets: vec![MarketPattern::parse("XBT:USDT").unwrap()],
            stale_after: None,
            options: Default::default(),
        };
        let plan = Plan {
            source: "test".into(),
            venue: "coinflex".into(),
            first: std::mem::take(&mut self.is_first),
            subscribe: vec![subscribe],
            ..Plan::default()
        };
        self.feed(&Input::Connecting(Arc::new(plan)));
        let catalog = self.catalog.clone();
        self.feed(&Input::Catalog(catalog));
    }

    fn close(&mut self, cause: CloseCause) {
        self.close_unheard(cause, None);
    }

    /// The link gives out, heard the last time at the given instant.
    fn close_unheard(&mut self, cause: CloseCause, heard_at: Option<i64>) {
        self.feed(&Input::Closed(Closed {
            cause,
            code: None,
            detail: String::new(),
            heard_at: heard_at.map(Timestamp),
        }));
        self.uncover(heard_at.unwrap_or(self.now));
        self.ship();
    }

    fn uncover(&mut self, until: i64) {
        if let Some(since) = self.since.take().filter(|since| *since < until) {
            self.covered.push((since, until));
        }
    }

    fn receive(&mut self, frame: &str) {
        self.feed(&Input::Received(frame.as_bytes()));
    }

    /// Gives an input, and does what the session wants sent.
    fn feed(&mut self, input: &Input<'_>) {
        let at = self.tick();
        let tape = self.tape.as_mut().unwrap();
        tape.feed(at, input);
        let wishes: Vec<Action> = tape.actions().collect();
        for wish in wishes {
            if let Action::Send(frame) = wish {
                self.feed(&Input::Sent(frame.journal.as_bytes()));
            }
        }
    }

    /// Hands what was received to the store, which has not committed it yet.
    fn ship(&mut self) {
        self.shipped_commands = self.next_tag() - 1;
        let batch = self.tape.as_mut().unwrap().ship(Batch::default());
        if !batch.is_empty() {
            self.store.as_mut().unwrap().append(&batch).unwrap();
        }
    }

    fn commit(&mut self) {
        self.ship();
        let until = Timestamp(self.now);
        let store = self.store.as_mut().unwrap();
        store.mark(until).unwrap();
        store.commit().unwrap();
        self.durable = self.now;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Notice => {
                let id = self.next_order;
                self.next_order += 1;
                let rest = r#""base":63488,"counter":65283,"quantity":5,"price":10000,"time":1600000000000000"#;
                self.receive(&format!(r#"{{"notice":"OrderOpened","id":{id},{rest}}}"#));
            }
            Step::Garbage => {
                let was_covered = self.since.is_some();
                let tag = self.next_tag();
                self.feed(&Input::Received(b"{\"notice\":\"Ord"));
                // Its wish to end the subscription has gone out after the frame itself.
                if was_covered {
                    let broken_at = self.now - 1_000_000 * i64::from(self.next_tag() > tag);
                    self.uncover(broken_at);
                    self.renew(tag);
                }
            }
            Step::Stall => {
                self.now += 5_000_000;
                let (from, to) = (self.now - 4_000_000, self.now - 1_000_000);
                self.feed(&Input::Stalled(Timestamp(from), Timestamp(to)));
                if self.since.is_some() {
                    self.uncover(from);
                    self.since = Some(to);
                }
            }
            Step::Commit => self.commit(),
            Step::Reconnect => {
                self.close(CloseCause::Transport);
                self.connect(true, true);
            }
            Step::Silence => {
                self.now += 3_000_000_000;
                let heard_at = self.now;
                self.now += 20_000_000_000;
                // What is said of that time for now is taken back.
                self.commit();
                self.now += 20_000_000_000;
                self.close_unheard(CloseCause::Silent, Some(heard_at));
                self.connect(true, true);
                self.commit();
            }
            Step::RefusedOnce => {
                self.close(CloseCause::EndOfStream);
                self.begin_session();
                self.close(CloseCause::UpgradeRefused);
                self.connect(true, true);
            }
            Step::NeverGreeted => {
                self.close(CloseCause::EndOfStream);
                self.connect(false, true);
            }
            Step::Refused => {
                self.close(CloseCause::ClosedByPeer);
                self.connect(true, false);
            }
            Step::Restart => {
                self.close(CloseCause::Stopped);
                let at = self.tick();
                Box::new(self.store.take().unwrap()).close(at, false).unwrap();
                self.now += 1_000_000_000;
                self.start();
            }
            Step::Kill => {
                // What was not committed is gone, and so is its being covered.
                drop(self.store.take());
                self.tape = None;
                let durable = self.durable;
                self.since = self.since.filter(|since| *since < durable);
                self.uncover(durable);
                self.covered.retain(|(since, _)| *since < durable);
                for (_, until) in &mut self.covered {
                    *until = (*until).min(durable);
                }
                self.now += 1_000_000_000;
                self.start();
            }
        }
    }

    /// The tag of the session's next command: one more than those sent.
    fn next_tag(&self) -> usize {
        let batch = self.tape.as_ref().unwrap().batch();
        let sent = |kind| kind == feedtape::journal::RecordKind::Sent;
        self.shipped_commands + batch.heads().iter().filter(|head| sent(head.kind)).count() + 1
    }

    /// Answers the end of a subscription and the asking anew that follows, if they went out.
    fn renew(&mut self, tag: usize) {
        if self.next_tag() == tag {
            return;
        }
        self.receive(&format!(r#"{{"error_code":0,"tag":{tag}}}"#));
        self.receive(&format!(r#"{{"error_code":0,"tag":{},"orders":[]}}"#, tag + 1));
        self.since = Some(self.now);
    }

    /// The truth until the last durable record.
    fn truth(&mut self) -> Vec<(i64, i64)> {
        self.commit();
        self.uncover(self.durable);
        self.covered.clone()
    }
}

/// From when to when, in order.
type Spans = Vec<(i64, i64)>;

/// What the file says: the covered spans, and all.
fn told(path: &Path) -> (Spans, Spans) {
    let connection = Connection::open(path).unwrap();
    let read = |condition: &str| {
        let sql = format!("SELECT from_at, to_at FROM coverage WHERE {condition} ORDER BY from_at");
        let mut statement = connection.prepare(&sql).unwrap();
        let spans = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        spans.map(Result::unwrap).collect::<Vec<(i64, i64)>>()
    };
    (read("verdict = 'consistent'"), read("true"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_the_file_says_is_covered_is_what_was_recorded(steps in prop::collection::vec(step(), 0..40)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        let truth = world.truth();
        let (covered, spans) = told(&world.path());
        prop_assert_eq!(covered, truth);
        for pair in spans.windows(2) {
            prop_assert_eq!(pair[0].1, pair[1].0, "the spans leave nothing out and do not overlap");
        }
        prop_assert!(spans.iter().all(|(from, to)| from <= to));
        prop_assert_eq!(spans.last().map(|(_, to)| *to), Some(world.durable));
    }
}

#[test]
fn without_faults_everything_from_the_snapshot_on_is_covered() {
    let mut world = World::new();
    let since = world.since.unwrap();
    for _ in 0..20 {
        world.step(Step::Notice);
    }
    let truth = world.truth();
    assert_eq!(truth, [(since, world.durable)]);
    assert_eq!(told(&world.path()).0, truth);
}
