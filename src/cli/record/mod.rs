//! `feedtape record`.

mod notify;
mod progress;
mod report;

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot::error::RecvError;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::recorder::{Changes, Recorder, View};
use crate::sink::SinkError;

/// Record what configuration files say, until stopped
///
/// SIGINT and SIGTERM stop in order: what was received is committed, sessions and the run are closed. A second signal
/// ends at once; then what the last commit interval brought is lost, and the next start records that as a gap.
///
/// SIGHUP reads the configuration again: sources that it adds, removes or changes are begun, ended or told, the others go
/// on undisturbed. If it is wrong, the log says why, and everything goes on as before.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape record examples/demo.toml --for 20s
  feedtape record coinflex.toml coinfloor.toml           # into the one database that both name
  feedtape record coinflex.toml --progress json | jq -c .  # each line: stored for good, up to there")]
pub(super) struct Args {
    /// Configuration files; all must name the same database
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Stop after this long
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// What to show: a line that is kept up to date, a JSON line after each commit, or nothing
    #[arg(long, value_name = "HOW", default_value = "bar")]
    progress: progress::Mode,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.files)?;
    super::in_system(record(args, &config))
}

async fn record(args: &Args, config: &Config) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let mut reloads = listen(SignalKind::hangup())?;
    let mut recorder = Recorder::open(config)?;
    let started = Instant::now();
    let view = recorder.view();
    let shown = progress::Shown::start(args.progress, view.clone());
    let mut guarded = notify::Guarded::new(view.clone());

    let begun = tokio::select! {
        _ = signals.next() => None,
        begun = recorder.begin() => Some(begun),
    };
    let end = match begun {
        None => End::Told,
        Some(Err(failure)) => End::NotBegun(failure),
        Some(Ok(())) => {
            guarded.recording();
            go_on(args, &mut recorder, &mut signals, &mut reloads, &guarded).await
        }
    };
    let elapsed = started.elapsed();
    guarded.stopping();
    let stop = recorder.stop();
    let outcome = tokio::select! {
        outcome = stop => outcome,
        // Told twice: what is not committed is lost, and the next start says so in the file.
        exit = signals.next() => std::process::exit(exit as i32),
    };
    shown.stop().await;
    match end {
        End::NotBegun(failure) => return Err(failure),
        End::Failed(cause) => {
            error!(%cause, "the database can not be written any more");
            return Err(cause.exit().because(format!("{}: {cause}", config.database.display())));
        }
        End::Told | End::Over => outcome?,
    }
    if args.progress != progress::Mode::Json {
        report::print(config, &view, elapsed);
    }
    Ok(exit(&view))
}

/// Records, and reads the configuration again whenever told to, until something ends it.
async fn go_on(
    args: &Args,
    recorder: &mut Recorder,
    signals: &mut Signals,
    reloads: &mut Signal,
    guarded: &notify::Guarded,
) -> End {
    let mut over = pin!(after(args.duration));
    loop {
        tokio::select! {
            _ = signals.next() => return End::Told,
            () = &mut over => return End::Over,
            failed = recorder.sink_failed() => return End::failed(failed),
            _ = reloads.recv() => {}
        }
        guarded.reloading();
        tokio::select! {
            _ = signals.next() => return End::Told,
            () = reload(&args.files, recorder) => {}
        }
        guarded.goes_on();
    }
}

/// Reads the configuration again and records what it says now, or goes on as before.
async fn reload(files: &[PathBuf], recorder: &mut Recorder) {
    let changed = match Config::load(files) {
        Ok(config) => recorder.reload(&config).await,
        Err(errors) => Err(errors.into()),
    };
    match changed {
        Ok(Changes { added, removed, replanned, reconnected }) => {
            info!(?added, ?removed, ?replanned, ?reconnected, "the configuration was read again");
        }
        Err(Failure { message, .. }) => {
            error!(message, "the configuration is not put in force, recording goes on as before")
        }
    }
}

/// Why recording ends.
enum End {
    /// By a signal.
    Told,
    /// It has not begun.
    NotBegun(Failure),
    /// The time is over.
    Over,
    /// The sink can write no more.
    Failed(SinkError),
}

impl End {
    fn failed(cause: Result<SinkError, RecvError>) -> Self {
        Self::Failed(cause.unwrap_or_else(|_| SinkError::Fatal("it is gone".to_owned())))
    }
}

/// How the program ends when everything was stored.
fn exit(view: &View) -> Exit {
    let mut exit = Exit::Good;
    for source in view.refused() {
        warn!(source, "the venue refused the account; only public data was recorded");
        exit = Exit::LoginRefused;
    }
    exit
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// The signals that stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Exit::Internal.because(format!("signals: {error}")))
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// The exit code of the next signal, should it have to end the program at once.
    async fn next(&mut self) -> Exit {
        let exit = tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        };
        info!("told to stop");
        exit
    }
}
