//! Composition root: starts sink, registries and connections bottom-up, watches them, stops them in data order.

mod source;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix::Addr;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::Config;
use crate::connection;
use crate::exit::{Exit, Failure};
use crate::message::Stop;
use crate::model::Timestamp;
use crate::sink::{self, SinkActor, SinkError, SinkThread};
use crate::store::{RunInfo, RunKind, Settings, Store};

use source::{Beginning, Running};

/// Logins older than this do not count against the budget.
const LOGIN_WINDOW: Duration = Duration::from_secs(3600);

/// A recorder at work. Lives in the actix system that [`Recorder::start`] was called in.
pub struct Recorder {
    sources: Vec<Running>,
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
    /// Each connection's counters, by the source's name.
    pub sources: Vec<(String, Arc<connection::Progress>)>,
}

impl View {
    /// Sources whose account the venue refused.
    pub fn refused(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter(|(_, progress)| progress.are_logins_stopped()).map(|(name, _)| name.as_str())
    }
}

impl Recorder {
    /// Opens the database and starts recording what a configuration says.
    ///
    /// # Errors
    /// If the database, a built-in exchange or a secret is not to be had, or the configuration names a market that its
    /// venue does not list. Nothing is left running then.
    pub async fn start(config: &Config) -> Result<Self, Failure> {
        let clock = Clock::start();
        let mut beginnings = config.sources.iter().map(Beginning::new).collect::<Result<Vec<_>, _>>()?;

        let settings = Settings {
            path: config.database.clone(),
            durability: config.durability,
            min_free_space: config.min_free_space,
        };
        let mut store = Store::open(settings)?;
        let files: Vec<_> = config.files.iter().map(|file| file.display().to_string()).collect();
        let commit_interval = config.commit_interval;
        let info = RunInfo { kind: RunKind::Live, config: files.join(" "), commit_interval };
        let now = clock.now();
        let begun = store.begin_run(now, &info)?;
        let window = i64::try_from(LOGIN_WINDOW.as_nanos()).unwrap_or(i64::MAX);
        for beginning in &mut beginnings {
            let name = &beginning.source().name;
            let logins = store.recent_logins(name, Timestamp(now.wall.0.saturating_sub(window)))?;
            let listings = store.listings(name)?;
            beginning.recall(listings, logins, now);
        }

        let progress = Arc::new(sink::Progress::default());
        let sink = SinkActor::start(Box::new(store), commit_interval, clock, progress.clone());
        let sessions = Arc::new(AtomicI64::new(begun.first_session.0));
        let mut sources = Vec::new();
        let mut failure = None;
        for beginning in beginnings {
            match beginning.start(clock, &sink.addr, &sessions).await {
                Ok(running) => sources.push(running),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let shown = sources.iter().map(|source| (source.name.clone(), source.progress.clone())).collect();
        let recorder = Self { sources, sink, view: View { clock, sink: progress, sources: shown } };
        match failure {
            None => {
                info!(database = %config.database.display(), sources = recorder.sources.len(), "recording");
                Ok(recorder)
            }
            Some(failure) => {
                recorder.stop().await?;
                Err(failure)
            }
        }
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
    /// # Errors
    /// If something received could not be stored.
    pub async fn stop(self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for source in &self.sources {
            keep_first(&mut outcome, answer(&source.connection).await);
        }
        for source in &self.sources {
            keep_first(&mut outcome, answer(&source.registry).await);
        }
        keep_first(&mut outcome, answer(&self.sink.addr).await);
        if self.sink.join().is_err() {
            keep_first(&mut outcome, Err(Exit::Internal.because("the sink's thread panicked")));
        }
        for source in self.sources {
            source.access.end().await;
        }
        outcome
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
        Ok(Err(error)) => {
            Err(Exit::InputOutput.because(format!("the last of what was received is not stored: {error}")))
        }
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
