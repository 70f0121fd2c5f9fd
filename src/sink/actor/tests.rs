use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use super::*;
use crate::journal::RecordKind;
use crate::model::{Seq, SessionId};
use crate::sink::Tidied;

const SOON: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(3_600);
const PATIENCE: Duration = Duration::from_secs(30);

/// What was done to a fake sink.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    Append(u64),
    Commit,
    Reopen,
    Close,
}

/// A sink that remembers what is done to it and fails when its script says so.
#[derive(Clone, Default)]
struct Fake {
    done: Arc<Mutex<Vec<Done>>>,
    /// What the next calls answer, before they succeed.
    answers: Arc<Mutex<VecDeque<Result<(), SinkError>>>>,
    /// How long each tidying takes, of which there is no end; zero: there is nothing to tidy.
    tidying: Duration,
    tidied: Arc<AtomicU32>,
    /// How long each commit takes.
    committing: Duration,
    /// Whether what was committed is gone.
    is_gone: Arc<AtomicBool>,
}

impl Fake {
    fn answering(answers: impl IntoIterator<Item = Result<(), SinkError>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn call(&self, done: Done) -> Result<(), SinkError> {
        self.done.lock().unwrap().push(done);
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }

    fn done(&self) -> Vec<Done> {
        self.done.lock().unwrap().clone()
    }
}

impl Sink for Fake {
    fn append(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.call(Done::Append(batch.first().0))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        std::thread::sleep(self.committing);
        self.call(Done::Commit)
    }

    fn check(&mut self) -> Result<(), SinkError> {
        if self.is_gone.load(Ordering::Relaxed) { Err(SinkError::Fatal("gone".to_owned())) } else { Ok(()) }
    }

    fn mark(&mut self, _: Timestamp) -> Result<(), SinkError> {
        Ok(())
    }

    fn tidy(&mut self) -> Result<Tidied, SinkError> {
        std::thread::sleep(self.tidying);
        self.tidied.fetch_add(1, Ordering::Relaxed);
        Ok(Tidied { has_more: !self.tidying.is_zero(), ..Tidied::default() })
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        self.call(Done::Reopen)
    }

    fn close(self: Box<Self>, _: Stamp, _: bool) -> Result<(), SinkError> {
        self.call(Done::Close)
    }
}

fn later() -> Result<(), SinkError> {
    Err(SinkError::Later("no space".to_owned()))
}

fn batch(first: u64, bytes: usize) -> Batch {
    let mut batch = Batch::new(SessionId(1), Seq(first));
    batch.push(RecordKind::Received, Stamp::default(), &vec![b'x'; bytes]);
    batch
}

fn start(fake: &Fake, commit_interval: Duration) -> (SinkThread, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let sink = SinkActor::start(Box::new(fake.clone()), commit_interval, Clock::start(), Arc::clone(&progress));
    (sink, progress)
}

fn ask<M>(sink: &SinkThread, message: M) -> Request<SinkActor, M>
where
    M: Message + Send + 'static,
    M::Result: Send,
    SinkActor: Handler<M>,
{
    sink.addr.send(message)
}

#[actix::test]
async fn a_batch_is_answered_after_its_commit_and_comes_back() {
    let fake = Fake::default();
    let (sink, progress) = start(&fake, SOON);
    let written = ask(&sink, Write(batch(0, 10))).await.unwrap().unwrap();
    assert_eq!(fake.done(), [Done::Append(0), Done::Commit]);
    assert_eq!(written.spent, batch(0, 10));
    assert_eq!(progress.take_durable(), [(SessionId(1), Seq(0))]);
    assert_eq!(progress.take_durable(), []);
    assert_eq!((progress.frames(), progress.commits()), (1, 1));
    sink.join().unwrap();
}

#[actix::test]
async fn batches_that_come_together_share_a_commit_and_a_full_group_does_not_wait() {
    let fake = Fake::default();
    let (sink, _) = start(&fake, NEVER);
    let first = ask(&sink, Write(batch(0, 10)));
    let second = ask(&sink, Write(batch(1, GROUP_BYTES_MAX)));
    let (first, second) = tokio::join!(first, second);
    assert!(first.unwrap().is_ok() && second.unwrap().is_ok());
    assert_eq!(fake.done(), [Done::Append(0), Done::Append(1), Done::Commit]);
    sink.join().unwrap();
}

#[actix::test]
async fn stopping_makes_durable_what_waits_and_closes() {
    let fake = Fake::default();
    let (sink, _) = start(&fake, NEVER);
    let waiting = ask(&sink, Write(batch(0, 10)));
    let (waiting, stopped) = tokio::join!(waiting, ask(&sink, Stop));
    assert!(waiting.unwrap().is_ok());
    assert!(stopped.unwrap().is_ok());
    assert_eq!(fake.done(), [Done::Append(0), Done::Commit, Done::Close]);
    let late = ask(&sink, Write(batch(1, 10))).await.unwrap();
    assert!(matches!(late, Err(SinkError::Fatal(_))));
    sink.join().unwrap();
}

#[actix::test]
async fn a_group_that_fails_is_kept_and_written_again_in_order() {
    // The first batch is taken, the second fails, then all of it at the first retry, then the commit.
    let fake = Fake::answering([Ok(()), later(), later(), Ok(()), Ok(()), later()]);
    let (sink, progress) = start(&fake, NEVER);
    let writes: Vec<_> = (0..2).map(|first| ask(&sink, Write(batch(first, 10)))).collect();
    for written in futures_util::future::join_all(writes).await {
        assert!(written.unwrap().is_ok());
    }
    use Done::{Append, Commit};
    let expected = [
        Append(0),
        Append(1), // fails
        Append(0), // fails
        Append(0),
        Append(1),
        Commit, // fails
        Append(0),
        Append(1),
        Commit,
    ];
    assert_eq!(fake.done(), expected);
    assert_eq!(progress.stalled_since(), None);
    assert_eq!((progress.frames(), progress.commits()), (2, 1));
    sink.join().unwrap();
}

#[actix::test]
async fn a_stall_shows_while_it_lasts_and_batches_that_come_meanwhile_are_kept() {
    let fake = Fake::answering(std::iter::repeat_n(later(), 3));
    let (sink, progress) = start(&fake, NEVER);
    let first = ask(&sink, Write(batch(0, 10)));
    let watch = async {
        while progress.stalled_since().is_none() {
            actix::clock::sleep(SOON).await;
        }
        ask(&sink, Write(batch(1, 10))).await.unwrap()
    };
    let (first, second) = tokio::join!(first, watch);
    assert!(first.unwrap().is_ok() && second.is_ok());
    assert_eq!(progress.stalled_since(), None);
    let done = fake.done();
    assert_eq!(done[done.len() - 3..], [Done::Append(0), Done::Append(1), Done::Commit]);
    sink.join().unwrap();
}

#[actix::test]
async fn a_failed_sync_opens_the_sink_anew_before_the_group_is_written_again() {
    let reopen = Err(SinkError::Reopen("sync failed".to_owned()));
    // Append, commit (fails), reopen (disk is full just then), reopen, append, commit.
    let fake = Fake::answering([Ok(()), reopen, later()]);
    let (sink, _) = start(&fake, SOON);
    assert!(ask(&sink, Write(batch(0, 10))).await.unwrap().is_ok());
    use Done::{Append, Commit, Reopen};
    assert_eq!(fake.done(), [Append(0), Commit, Reopen, Reopen, Append(0), Commit]);
    sink.join().unwrap();
}

#[actix::test]
async fn what_cannot_be_mended_is_answered_to_all_and_told_to_the_recorder() {
    let fake = Fake::answering([Ok(()), Err(SinkError::Fatal("damaged".to_owned()))]);
    let (mut sink, _) = start(&fake, NEVER);
    let writes: Vec<_> = (0..2).map(|first| ask(&sink, Write(batch(first, 10)))).collect();
    for written in futures_util::future::join_all(writes).await {
        assert!(matches!(written.unwrap(), Err(SinkError::Fatal(text)) if text == "damaged"));
    }
    assert!(matches!((&mut sink.failed).await, Ok(SinkError::Fatal(text)) if text == "damaged"));
    // And to whoever comes later.
    for late in [ask(&sink, Write(batch(2, 10))).await.unwrap().map(drop), ask(&sink, Stop).await.unwrap()] {
        assert!(matches!(late, Err(SinkError::Fatal(text)) if text == "damaged"));
    }
    sink.join().unwrap();
}

#[actix::test]
async fn whatever_else_is_the_matter_it_is_noticed_that_what_was_committed_is_gone() {
    let forever = || Fake::answering(std::iter::repeat_n(later(), 10_000));
    let slow = Fake { committing: COMMIT_SLOW * 2, ..Fake::default() };
    for (fake, writes) in [(Fake::default(), 0), (forever(), 1), (slow, 1)] {
        let (mut sink, progress) = start(&fake, SOON);
        let written = (0..writes).map(|first| ask(&sink, Write(batch(first, 10))));
        let written = futures_util::future::join_all(written);
        let goes = async {
            while fake.done().len() < writes as usize {
                actix::clock::sleep(SOON).await;
            }
            fake.is_gone.store(true, Ordering::Relaxed);
            let failed = actix::clock::timeout(PATIENCE, &mut sink.failed).await;
            assert!(matches!(failed, Ok(Ok(SinkError::Fatal(text))) if text == "gone"));
        };
        tokio::join!(written, goes);
        assert_eq!(progress.frames(), u64::from(!fake.committing.is_zero()));
        sink.join().unwrap();
    }
}

#[actix::test]
async fn stopping_while_nothing_can_be_written_says_what_was_in_the_way() {
    let fake = Fake::answering(std::iter::repeat_n(later(), 50));
    let (sink, progress) = start(&fake, SOON);
    let waiting = ask(&sink, Write(batch(0, 10)));
    let stop = async {
        while progress.stalled_since().is_none() {
            actix::clock::sleep(SOON).await;
        }
        ask(&sink, Stop).await.unwrap()
    };
    let (waiting, stopped) = tokio::join!(waiting, stop);
    assert!(matches!(stopped, Err(SinkError::Later(text)) if text == "no space"));
    assert!(waiting.unwrap().is_err(), "what is not durable is not said to be");
    sink.join().unwrap();
}

#[actix::test]
async fn tidying_without_end_leaves_the_sink_to_what_is_received() {
    let tidying = Duration::from_millis(5);
    let fake = Fake { tidying, ..Fake::default() };
    let start_at = Instant::now();
    let (sink, _) = start(&fake, NEVER);
    let mut written = 0;
    while fake.tidied.load(Ordering::Relaxed) < 4 {
        assert!(ask(&sink, Write(batch(written, GROUP_BYTES_MAX))).await.unwrap().is_ok());
        written += 1;
    }
    // A slower machine only makes it longer.
    assert!(start_at.elapsed() >= tidying * (4 + 3 * TIDY_PAUSES), "{:?}", start_at.elapsed());
    sink.join().unwrap();
}
