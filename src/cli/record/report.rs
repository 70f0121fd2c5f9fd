//! What `feedtape record` says at its end.

use std::io::ErrorKind;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use tracing::warn;

use crate::cli::standard::{LAST_WORDS_WAIT, Standard};
use crate::config::Config;
use crate::recorder::View;
use crate::sink::EventKind;

/// Prints what was recorded in that time, and what to type next. All of it is stored, whether that can be told or not.
pub(super) fn print(config: &Config, view: &View, elapsed: Duration) {
    let database = config.database.display();
    let sink = &view.sink;
    let elapsed = Duration::from_secs(elapsed.as_secs());
    let mut report = format!("recorded for {} into {database}", humantime::format_duration(elapsed));
    if let Ok(file) = std::fs::metadata(&config.database) {
        report.push_str(&format!(" ({})", HumanBytes(file.len())));
    }
    report.push('\n');
    let mut row = |name: &str, value: String| report.push_str(&format!("  {name:<16}{value:>12}\n"));
    row("frames", HumanCount(sink.frames()).to_string());
    for kind in EventKind::ALL.into_iter().filter(|kind| *kind != EventKind::Other && sink.events(*kind) > 0) {
        row(kind.as_str(), HumanCount(sink.events(kind)).to_string());
    }
    row("commits", HumanCount(sink.commits()).to_string());
    let lag = |fraction| sink.lag().quantile(fraction).map_or("-".to_owned(), |ns| format!("{} ms", ns / 1_000_000));
    row("lag p50", lag(0.5));
    row("lag p99", lag(0.99));
    row("gaps", HumanCount(sink.gaps()).to_string());
    report.push_str(&format!(
        "next: feedtape query {database} \"SELECT market, side, price, quantity, time_utc FROM trades ORDER BY time DESC LIMIT 10\"\n"
    ));
    let mut standard = Standard::output();
    match standard.take(report.as_bytes()).and_then(|_| standard.flush(LAST_WORDS_WAIT)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => warn!(%error, "all is stored, but the report can not be written to standard output"),
    }
}
