//! A connection with everything around it faked but the socket: a venue of one closure, a sink that keeps what it gets.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use feedtape::clock::Clock;
use feedtape::config::{Limits, Pace};
use feedtape::connection::{
    BackoffPolicy, Connection, ConnectionConfig, Flow, LoginBudget, Progress, Traffic, client_config,
};
use feedtape::journal::{Batch, Closed, Input, Plan, RecordKind};
use feedtape::message::{Stop, Write, Written};
use feedtape::model::{Catalog, Seq, SessionId, Stamp, Timestamp};
use feedtape::sink::SinkError;
use feedtape::venue::{Account, CatalogError, Output, Profile, Session, Venue};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::peer::PATIENCE;

/// What a fake session does with an input; the number is its place among the sessions, from 0.
pub type Script = dyn Fn(usize, Stamp, &Input<'_>, &mut Output) + Send + Sync;

/// A venue whose sessions are one closure, with a deadline that a test sets.
pub struct FakeVenue {
    script: Box<Script>,
    sessions: AtomicI64,
    /// The deadline of whatever session is alive; `i64::MAX`: none. It is over once it was told.
    pub deadline: Arc<AtomicI64>,
}

struct FakeSession {
    venue: &'static FakeVenue,
    index: usize,
}

impl FakeVenue {
    pub fn new(script: impl Fn(usize, Stamp, &Input<'_>, &mut Output) + Send + Sync + 'static) -> &'static Self {
        let deadline = Arc::new(AtomicI64::new(i64::MAX));
        Box::leak(Box::new(Self { script: Box::new(script), sessions: AtomicI64::new(0), deadline }))
    }

    /// Sessions that conclude nothing and want nothing.
    pub fn silent() -> &'static Self {
        Self::new(|_, _, _, _| {})
    }
}

// A venue is `'static`, but a trait object of it must be reached through the reference a test holds.
struct Handle(&'static FakeVenue);

impl Venue for Handle {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn profile(&self) -> &'static Profile {
        unreachable!("a connection asks for no profile")
    }

    fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }

    fn session(&self, _: Option<Arc<Account>>) -> Box<dyn Session> {
        let index = usize::try_from(self.0.sessions.fetch_add(1, Ordering::SeqCst)).unwrap();
        Box::new(FakeSession { venue: self.0, index })
    }

    fn catalog_paths(&self) -> &'static [&'static str] {
        &[]
    }

    fn catalog(&self, _: &[&[u8]], _: Timestamp) -> Result<Catalog, CatalogError> {
        unreachable!("a connection loads no catalog")
    }
}

impl Session for FakeSession {
    fn handle(&mut self, _: Seq, at: Stamp, input: &Input<'_>, out: &mut Output) {
        if *input == Input::Timer {
            self.venue.deadline.store(i64::MAX, Ordering::SeqCst);
        }
        (self.venue.script)(self.index, at, input, out);
    }

    fn deadline(&self) -> Option<i64> {
        Some(self.venue.deadline.load(Ordering::SeqCst)).filter(|deadline| *deadline != i64::MAX)
    }

    fn summarise(&mut self, _: &mut Output) {}
}

/// A record as the sink got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub session: SessionId,
    pub seq: Seq,
    pub kind: RecordKind,
    pub at: Stamp,
    pub body: Vec<u8>,
}

/// A sink that keeps records, and calls a batch durable when a permit allows it.
#[derive(Clone)]
pub struct FakeSink {
    pub kept: Arc<Mutex<Vec<Kept>>>,
    pub permits: Arc<Semaphore>,
    failed: Arc<AtomicBool>,
}

impl FakeSink {
    /// A sink without a permit to call anything durable.
    pub fn shut() -> Self {
        Self { kept: Arc::default(), permits: Arc::new(Semaphore::new(0)), failed: Arc::default() }
    }

    pub fn opened() -> Self {
        let sink = Self::shut();
        sink.open();
        sink
    }

    /// Fails for good from now on.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        self.permits.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

impl Actor for FakeSink {
    type Context = Context<Self>;
}

impl Handler<Write> for FakeSink {
    type Result = ResponseFuture<Result<Written, SinkError>>;

    fn handle(&mut self, Write(batch): Write, _: &mut Context<Self>) -> Self::Result {
        if self.failed.load(Ordering::SeqCst) {
            return Box::pin(async { Err(SinkError::Fatal("the disk is gone".to_owned())) });
        }
        self.keep(&batch);
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            permits.acquire().await.unwrap().forget();
            Ok(Written { spent: batch })
        })
    }
}

impl FakeSink {
    fn keep(&self, batch: &Batch) {
        let session = batch.session();
        self.kept.lock().unwrap().extend(batch.records().map(|(seq, record)| Kept {
            session,
            seq,
            kind: record.kind,
            at: record.at,
            body: record.body.to_vec(),
        }));
    }
}

/// A connection under test.
pub struct Bench {
    pub connection: Addr<Connection>,
    pub sink: FakeSink,
    pub progress: Arc<Progress>,
    pub clock: Clock,
}

/// What a test may want to be otherwise.
pub struct Setup {
    pub url: String,
    pub venue: &'static FakeVenue,
    pub sink: FakeSink,
    pub rest_url: Option<String>,
    pub account: Option<Arc<Account>>,
    pub catalog: Option<Arc<Catalog>>,
    pub flow: Flow,
    pub pace: Pace,
    pub recent_logins: Vec<Timestamp>,
}

impl Setup {
    pub fn new(url: String, venue: &'static FakeVenue) -> Self {
        Self {
            url,
            venue,
            sink: FakeSink::opened(),
            rest_url: None,
            account: None,
            catalog: None,
            flow: Flow::default(),
            pace: Pace { ping_after: PATIENCE * 2, ..Pace::default() },
            recent_logins: Vec::new(),
        }
    }

    pub fn plan(&self) -> Plan {
        let user = self.account.as_ref().and_then(|account| account.user());
        Plan {
            source: "test".to_owned(),
            venue: "fake".to_owned(),
            url: self.url.clone(),
            user,
            first: true,
            ..Plan::default()
        }
    }

    pub fn start(self) -> Bench {
        let clock = Clock::start();
        let progress = Arc::new(Progress::default());
        let moment = Duration::from_millis(1);
        let config = ConnectionConfig {
            plan: self.plan(),
            venue: Box::leak(Box::new(Handle(self.venue))),
            account: self.account,
            catalog: self.catalog,
            rest_url: self.rest_url.map(|url| url.parse().unwrap()),
            tls: client_config(None).unwrap(),
            limits: Limits::default(),
            pace: self.pace,
            backoff: BackoffPolicy { first_max: moment, wait_max: moment, stable_after: PATIENCE },
            seed: 1,
            flow: self.flow,
            traffic: Traffic::default(),
            logins: LoginBudget::new(self.recent_logins, clock.now()),
            sessions: Arc::new(AtomicI64::new(1)),
            clock,
            sink: self.sink.clone().start().recipient(),
            second_look: None,
            progress: Arc::clone(&progress),
        };
        Bench { connection: Connection::new(config).start(), sink: self.sink, progress, clock }
    }
}

impl Bench {
    /// Waits for a state of what the sink has got.
    pub async fn until(&self, what: &str, is_reached: impl Fn(&[Kept]) -> bool) {
        let reached = async {
            while !is_reached(&self.sink.kept.lock().unwrap()) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let kept = || self.sink.kept.lock().unwrap().clone();
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what}: {:?}", summary(&kept())));
    }

    /// Waits for so many records of a kind.
    pub async fn until_kept(&self, count: usize, kind: RecordKind) {
        let is_reached = |kept: &[Kept]| kept.iter().filter(|kept| kept.kind == kind).count() >= count;
        self.until(&format!("{count} of {kind:?}"), is_reached).await;
    }

    /// Stops the connection; everything the sink has got by then, after the checks that hold for every test.
    pub async fn stop(self) -> Vec<Kept> {
        let stopped = timeout(PATIENCE, self.connection.send(Stop)).await.expect("the connection stops");
        stopped.unwrap().unwrap();
        assert!(!self.connection.connected(), "no actor is left");
        let kept = std::mem::take(&mut *self.sink.kept.lock().unwrap());
        let mut next: Vec<(SessionId, Seq)> = Vec::new();
        for record in &kept {
            match next.last_mut() {
                Some((session, seq)) if *session == record.session => {
                    assert_eq!(record.seq, seq.next(), "no hole in the journal");
                    *seq = record.seq;
                }
                _ => {
                    assert_eq!(record.kind, RecordKind::Connecting);
                    assert_eq!((record.seq, record.session), (Seq(0), SessionId(next.len() as i64 + 1)));
                    next.push((record.session, record.seq));
                }
            }
        }
        assert!(kept.is_sorted_by_key(|record| record.at.mono), "time does not run backwards");
        kept
    }
}

/// Kinds and bodies, for a message.
pub fn summary(kept: &[Kept]) -> Vec<(i64, &'static str, String)> {
    let text = |kept: &Kept| String::from_utf8_lossy(&kept.body[..kept.body.len().min(80)]).into_owned();
    kept.iter().map(|kept| (kept.session.0, kept.kind.as_str(), text(kept))).take(50).collect()
}

/// The bodies of one kind.
pub fn bodies(kept: &[Kept], kind: RecordKind) -> Vec<String> {
    kept.iter().filter(|kept| kept.kind == kind).map(|kept| String::from_utf8_lossy(&kept.body).into_owned()).collect()
}

/// The plans of one kind of record.
pub fn plans(kept: &[Kept], kind: RecordKind) -> Vec<Plan> {
    bodies(kept, kind).iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

/// How the sessions ended.
pub fn closings(kept: &[Kept]) -> Vec<Closed> {
    bodies(kept, RecordKind::Closed).iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}
