//! `feedtape status`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::output::{Format, Printer};
use super::time;
use crate::clock::Clock;
use crate::exit::{Exit, Failure};
use crate::model::{Coverage, Timestamp};
use crate::store::{Run, Status, StreamStatus, Value};

/// Say whether a recorder is running on a database, and how each of its streams stands
///
/// The lag is the time since a stream's last data. Gaps are those since midnight, UTC. Ends with 1 if something that
/// should be recorded is not.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape status coinflex.db
  feedtape status coinflex.db --format json
  feedtape status coinflex.db > /dev/null || echo 'not recording'")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// How to print the streams
    #[arg(long, default_value = "table")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let now = Clock::start().now().wall;
    let status = Status::read(&args.database, now)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match args.format {
        Format::Table => writeln!(out, "{}", recorder(&status, now)).and_then(|()| table(&status, now, out)),
        format => rows(&status, now, format, out),
    };
    super::written(printed)?;
    Ok(if status.is_good() { Exit::Good } else { Exit::Negative })
}

/// What a person wants to know first.
fn recorder(status: &Status, now: Timestamp) -> String {
    let Some(Run { started_at, stopped_at, durable_at, pid }) = status.run else {
        return "no recorder has run on it".to_owned();
    };
    let ago = |at: Timestamp| time::lasting(now.0.saturating_sub(at.0));
    if status.is_stalled {
        format!("a recorder is running (process {pid}), but it has stored nothing for {}", ago(durable_at))
    } else if status.is_running {
        let since = time::utc(started_at);
        format!("a recorder is running (process {pid}) since {since} UTC, {}", ago(started_at))
    } else if let Some(stopped_at) = stopped_at {
        format!(
            "no recorder is running; the last one stopped at {} UTC, {} ago",
            time::utc(stopped_at),
            ago(stopped_at)
        )
    } else {
        format!(
            "no recorder is running; the last one was killed, and had stored everything until {} UTC, {} ago",
            time::utc(durable_at),
            ago(durable_at)
        )
    }
}

fn table(status: &Status, now: Timestamp, mut out: impl Write) -> io::Result<()> {
    if status.streams.is_empty() {
        return out.flush();
    }
    let columns = ["source", "channel", "market", "state", "since (UTC)", "last data (UTC)", "lag", "gaps today"];
    let mut printer = Printer::start(Format::Table, &columns, out)?;
    for StreamStatus { stream, state, since, last_data_at, gaps_today: (count, lasted) } in &status.streams {
        let state = match state {
            Coverage::Covered(verdict) => verdict.to_string(),
            Coverage::Gap(cause) => format!("gap: {cause}"),
        };
        let (last_data, lag) = match last_data_at {
            Some(at) => (time::utc(*at), time::lasting(now.0.saturating_sub(at.0))),
            None => Default::default(),
        };
        let gaps = if *count == 0 { "none".to_owned() } else { format!("{count}, {}", time::lasting(*lasted)) };
        let (since, market) = (time::utc(*since), stream.market.as_deref().unwrap_or_default());
        let channel = format!("{} {}", stream.channel, stream.detail);
        let row = [&stream.source, channel.trim_end(), market, &state, &since, &last_data, &lag, &gaps];
        let _ = printer.row(&row.map(|text| Value::Text(text.as_bytes())))?;
    }
    printer.finish()
}

fn rows(status: &Status, now: Timestamp, format: Format, out: impl Write) -> io::Result<()> {
    let columns = [
        "source",
        "venue",
        "market",
        "channel",
        "detail",
        "state",
        "cause",
        "since",
        "since_utc",
        "last_data_at",
        "last_data_utc",
        "lag_ns",
        "gaps_today",
        "gaps_today_ns",
        "is_running",
        "is_stalled",
        "pid",
        "durable_at",
        "durable_utc",
    ];
    fn optional(text: &Option<String>) -> Value<'_> {
        text.as_ref().map_or(Value::Null, |text| Value::Text(text.as_bytes()))
    }
    let text = |text: &'static str| Value::Text(text.as_bytes());
    let integer = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
    let mut printer = Printer::start(format, &columns, out)?;
    for StreamStatus { stream, state, since, last_data_at, gaps_today: (count, lasted) } in &status.streams {
        let (state, cause) = match state {
            Coverage::Covered(verdict) => (text(verdict.as_str()), Value::Null),
            Coverage::Gap(cause) => (text("gap"), text(cause.as_str())),
        };
        let durable_at = status.run.as_ref().map(|run| run.durable_at);
        let [since_utc, last_data_utc, durable_utc] =
            [Some(*since), *last_data_at, durable_at].map(|at| at.map(|at| at.to_string()));
        let row = [
            Value::Text(stream.source.as_bytes()),
            Value::Text(stream.venue.as_bytes()),
            optional(&stream.market),
            Value::Text(stream.channel.as_bytes()),
            Value::Text(stream.detail.as_bytes()),
            state,
            cause,
            Value::Integer(since.0),
            optional(&since_utc),
            integer(last_data_at.map(|at| at.0)),
            optional(&last_data_utc),
            integer(last_data_at.map(|at| now.0.saturating_sub(at.0))),
            Value::Integer(*count as i64),
            Value::Integer(*lasted),
            Value::Integer(status.is_running.into()),
            Value::Integer(status.is_stalled.into()),
            integer(status.run.as_ref().map(|run| run.pid)),
            integer(durable_at.map(|at| at.0)),
            optional(&durable_utc),
        ];
        let _ = printer.row(&row)?;
    }
    printer.finish()
}
