//! What `feedtape record` shows while it runs.

use std::io::{self, IsTerminal};
use std::time::Duration;

use actix_rt::task::JoinHandle;
use clap::ValueEnum;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use tokio::sync::oneshot;
use tracing::warn;

use crate::cli::standard::{LAST_WORDS_WAIT, Standard};
use crate::recorder::View;
use crate::sink::EventKind;

/// A terminal's line is made anew so often.
const REDRAW: Duration = Duration::from_millis(250);
/// Where there is no terminal, a line is written so often.
const LINE: Duration = Duration::from_secs(5);

/// How to show progress.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// A line on standard error that is kept up to date; without a terminal, a line now and then.
    Bar,
    /// A JSON line on standard output after each commit: session and place of its last durable frame.
    Json,
    /// Nothing.
    None,
}

/// Progress as it is shown.
pub(super) struct Shown {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Shown {
    /// Shows progress until stopped.
    pub(super) fn start(mode: Mode, view: View) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = match mode {
            Mode::Bar => actix_rt::spawn(lines(view, stopped)),
            Mode::Json => actix_rt::spawn(commits(view, stopped)),
            Mode::None => actix_rt::spawn(async {
                // Whether told or dropped, it is over.
                let _ = stopped.await;
            }),
        };
        Self { stop, task }
    }

    /// Shows what is left to show, and ends.
    pub(super) async fn stop(self) {
        drop(self.stop);
        // It was neither aborted nor can it panic without ending the process.
        let _ = self.task.await;
    }
}

async fn lines(view: View, mut stopped: oneshot::Receiver<()>) {
    let is_terminal = io::stderr().is_terminal();
    let mut standard = Standard::error();
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    loop {
        let pause = if is_terminal { REDRAW } else { LINE };
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep(pause) => {}
        }
        if !is_terminal {
            // Nobody to tell is no reason to stop recording.
            let _ = standard.take(format!("{}\n", line(&view)).as_bytes());
        } else if standard.is_ready() {
            bar.set_message(line(&view));
            bar.tick();
        }
    }
    if standard.is_ready() {
        bar.finish_and_clear();
    }
}

/// Everything that one wants to see at a glance.
fn line(view: &View) -> String {
    let sink = &view.sink;
    let sources = view.sources();
    let connected = sources.iter().filter(|(_, source)| source.is_connected()).count();
    let kinds = EventKind::ALL.into_iter().filter(|kind| *kind != EventKind::Other);
    let events: Vec<_> = kinds
        .filter(|kind| sink.events(*kind) > 0)
        .map(|kind| format!("{} {}", HumanCount(sink.events(kind)), kind.as_str()))
        .collect();
    let lag = sink.lag().quantile(0.99).map_or(String::new(), |ns| format!(" · lag p99 {} ms", ns / 1_000_000));
    let stalled = match sink.stalled_since() {
        Some(since) => {
            let for_ns = view.clock.now().mono.saturating_sub(since);
            format!(" · STALLED for {}", HumanDuration(Duration::from_nanos(u64::try_from(for_ns).unwrap_or(0))))
        }
        None => String::new(),
    };
    // A terminal cuts what does not fit, so what matters most comes first.
    format!(
        "{connected}/{} connected · {} frames committed · {} gaps{lag}{stalled} · {} streams covered · {}",
        sources.len(),
        HumanCount(sink.frames()),
        sink.gaps(),
        sink.covered(),
        events.join(", "),
    )
}

async fn commits(view: View, mut stopped: oneshot::Receiver<()>) {
    let mut standard = Standard::output();
    loop {
        let is_over = tokio::select! {
            _ = &mut stopped => true,
            () = view.sink.committed() => false,
        };
        // While nobody reads, the next line of a session takes the place of the one before.
        let shown = standard.flush(if is_over { LAST_WORDS_WAIT } else { Duration::ZERO }).and_then(|is_read| {
            if is_read {
                standard.take(durable(&view).as_bytes())?;
            }
            if is_over { standard.flush(LAST_WORDS_WAIT) } else { Ok(true) }
        });
        if let Err(error) = shown {
            warn!(%error, "progress can not be told any more, recording goes on");
            return;
        }
        if is_over {
            return;
        }
    }
}

/// A line for each session that grew since the last.
fn durable(view: &View) -> String {
    let lines = view.sink.take_durable().into_iter();
    lines.map(|(session, seq)| format!("{{\"session\":{session},\"seq\":{seq}}}\n")).collect()
}
