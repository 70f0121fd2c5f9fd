//! Composition root: starts sink, registries and connections bottom-up, watches them, stops them in data order.

mod reload;
mod source;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::Addr;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::clock::{Clock, nanos};
use crate::config::Config;
use crate::connection::{self, Traffic};
use crate::exit::{Exit, Failure};
use crate::message::Stop;
use crate::model::Timestamp;
use crate::sink::{self, SinkActor, SinkError, SinkThread};
use crate::store::{Reader, RunInfo, RunKind, Settings, Store};

pub use reload::Changes;

use source::{Beginning, Budgets, Prepared, Running};

/// How long a stop waits for a sink that cannot write.
const STALL_WAIT: Duration = Duration::from_secs(3);
/// How often it looks.
const STALL_CHECK: Duration = Duration::from_millis(100);

/// A recorder at work. Lives in the actix system that [`Recorder::open`] was called in.
pub struct Recorder {
    config: Config,
    /// What [`Recorder::begin`] begins.
    beginnings: Vec<Beginning>,
    sources: Vec<Running>,
    /// The next session's id.
    sessions: Arc<AtomicI64>,
    traffic: Traffic,
    budgets: Budgets,
    sink: SinkThread,
    view: View,
}

/// What a recorder is doing, for whoever shows it. Cheap to copy; readable from any thread.
#[derive(Clone)]
pub struct View {
    /// The process's clock.
    pub clock: Clock,
    /// The sink's counters.
    pub sink: Arc<sink::Progress>,
    sources: Arc<RwLock<Shown>>,
}

type Shown = Vec<(String, Arc<connection::Progress>)>;

impl View {
    /// Each connection's counters, by the source's name.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, Arc<connection::Progress>)> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sources whose account the venue refused.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        let refused = |(name, progress): (_, Arc<connection::Progress>)| progress.are_logins_stopped().then_some(name);
        self.sources().into_iter().filter_map(refused).collect()
    }

    /// Waits until the sink has failed to write for as long as a stop waits for it; then what it waits with is lost.
    async fn nothing_is_written(&self) -> Failure {
        let told = self.clock.now().mono;
        loop {
            actix_rt::time::sleep(STALL_CHECK).await;
            let Some(since) = self.sink.stalled_since() else { continue };
            let now = self.clock.now();
            if now.mono - since.max(told) < nanos(STALL_WAIT) {
                continue;
            }
            let since = Timestamp(now.wall.0 - (now.mono - since));
            let lost: u64 = self.sources().iter().map(|(_, progress)| progress.unacknowledged_bytes()).sum();
            return Exit::InputOutput.because(format!(
                "nothing could be written since {since}, {lost} bytes that were received since are lost"
            ));
        }
    }
}

impl Recorder {
    /// Opens the database and starts recording what a configuration says.
    ///
    /// # Errors
    /// As [`Recorder::open`] and [`Recorder::begin`]. Nothing is left running then.
    pub async fn start(config: &Config) -> Result<Self, Failure> {
        let mut recorder = Self::open(config)?;
        if let Err(failure) = recorder.begin().await {
            recorder.stop().await?;
            return Err(failure);
        }
        Ok(recorder)
    }

    /// Opens the database that a configuration names, and begins a run. Nothing is received yet.
    ///
    /// # Errors
    /// If the database, a built-in exchange or a secret is not to be had.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let clock = Clock::start();
        let mut beginnings = config.sources.iter().map(Beginning::new).collect::<Result<Vec<_>, _>>()?;

        let settings = Settings {
            path: config.database.clone(),
            durability: config.durability,
            min_free_space: config.min_free_space,
        };
        let mut store = Store::open(settings)?;
        store.limit_wal(config.max_wal_size);
        tell_of_readers(&config.database);
        let recording = Reader::open(&config.database)?;
        let mut budgets = Budgets::new();
        for beginning in &mut beginnings {
            beginning.recall(&recording, clock, &mut budgets)?;
        }
        let files: Vec<_> = config.files.iter().map(|file| file.display().to_string()).collect();
        let commit_interval = config.commit_interval;
        let info = RunInfo { kind: RunKind::Live, config: files.join(" "), commit_interval };
        let begun = store.begin_run(clock.now(), &info)?;

        let progress = Arc::new(sink::Progress::default());
        let sink = SinkActor::start(Box::new(store), commit_interval, clock, progress.clone());
        Ok(Self {
            config: config.clone(),
            beginnings,
            sources: Vec::new(),
            sessions: Arc::new(AtomicI64::new(begun.first_session.0)),
            traffic: Traffic::default(),
            budgets,
            sink,
            view: View { clock, sink: progress, sources: Arc::default() },
        })
    }

    /// Starts recording. Waits for what venues list where nothing is known of it yet.
    ///
    /// May be dropped half-way: then some sources are recorded, and there is nothing but to stop.
    ///
    /// # Errors
    /// If the configuration names a market that its venue does not list. Then, too, there is nothing but to stop.
    pub async fn begin(&mut self) -> Result<(), Failure> {
        for beginning in std::mem::take(&mut self.beginnings) {
            let prepared = beginning.prepare(self.view.clock).await?;
            self.begin_source(prepared);
        }
        info!(database = %self.config.database.display(), sources = self.sources.len(), "recording");
        Ok(())
    }

    fn begin_source(&mut self, prepared: Prepared) {
        self.sources.push(prepared.start(self.view.clock, &self.sink.addr, &self.traffic, &self.sessions));
        self.show_sources();
    }

    fn show_sources(&self) {
        let shown = self.sources.iter().map(|running| (running.source.name.clone(), running.progress.clone()));
        *self.view.sources.write().unwrap_or_else(PoisonError::into_inner) = shown.collect();
    }

    /// What it is doing.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Says so when the sink can write no more: then there is nothing but to stop.
    pub fn sink_failed(&mut self) -> &mut oneshot::Receiver<SinkError> {
        &mut self.sink.failed
    }

    /// Stops in data order: connections ship what they have, registries end, the sink commits, checkpoints and closes.
    ///
    /// Waits for a disk that is slow. Where nothing can be written at all (the disk is full, somebody holds the
    /// database's lock), it gives that a few seconds to pass.
    ///
    /// # Errors
    /// If something received could not be stored, saying what.
    pub async fn stop(self) -> Result<(), Failure> {
        let view = self.view();
        tokio::select! {
            outcome = self.stop_in_order() => outcome,
            lost = view.nothing_is_written() => Err(lost),
        }
    }

    async fn stop_in_order(self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for stopped in join_all(self.sources.iter().map(Running::stop)).await {
            keep_first(&mut outcome, stopped);
        }
        keep_first(&mut outcome, answer(&self.sink.addr).await);
        if self.sink.join().is_err() {
            keep_first(&mut outcome, Err(Exit::Internal.because("the sink's thread panicked")));
        }
        for running in self.sources {
            running.end().await;
        }
        outcome
    }
}

/// Says so where a database that was there before is open to others than its owner and its group's readers.
fn tell_of_readers(path: &Path) {
    // Whoever opened it will say so if it is gone.
    let mode = std::fs::metadata(path).map_or(0, |file| file.mode() & 0o777);
    if mode & 0o137 != 0 {
        let mode = format!("{mode:04o}");
        warn!(database = %path.display(), mode, "others have access to what is recorded; chmod 600 it");
    }
}

/// Sends an actor [`Stop`] and waits for its answer.
async fn answer<A>(addr: &Addr<A>) -> Result<(), Failure>
where
    A: actix::Actor + actix::Handler<Stop>,
    A::Context: actix::dev::ToEnvelope<A, Stop>,
{
    match addr.send(Stop).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.exit().because(format!("the last of what was received is not stored: {error}"))),
        Err(error) => {
            warn!(%error, "an actor was gone before it was stopped");
            Ok(())
        }
    }
}

fn keep_first(outcome: &mut Result<(), Failure>, other: Result<(), Failure>) {
    if outcome.is_ok() {
        *outcome = other;
    }
}
