//! `feedtape coverage`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::output::{Format, Printer, shown};
use super::time;
use crate::exit::{Exit, Failure};
use crate::model::{Coverage, GapCause, Timestamp, Verdict};
use crate::store::{Interval, Reader, StreamCoverage, Streams, Value};

/// Characters of a bar.
const BAR_CELLS: i64 = 60;

/// Say what the file has of each stream at which time, and end with 1 if something is missing
///
/// A stream is expected from its first coverage until the recorder was told to stop; with --from or --to, in all that
/// time. What the configuration no longer asks for, and a market that has expired, is not missing.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape coverage coinflex.db
  feedtape coverage coinflex.db --market XBT:USDT --from 2020-01-31 --to 2020-02-01
  feedtape coverage coinflex.db --channel WatchOrders --format csv")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Streams of this market only
    #[arg(long, value_name = "NAME")]
    market: Option<String>,
    /// Streams of this source only
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Streams of this channel only, such as WatchOrders or account
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// From this time on
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Timestamp>,
    /// Until before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<Timestamp>,
    /// How to print the intervals; a table comes with a bar for each stream
    #[arg(long, default_value = "table")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let wanted = Streams { source: args.source.clone(), market: args.market.clone(), channel: args.channel.clone() };
    let streams = Reader::open(&args.database)?.coverage(&wanted)?;
    let (Some(first), Some(last)) = (
        streams.iter().flat_map(|stream| stream.intervals.first()).map(|interval| interval.from).min(),
        streams.iter().flat_map(|stream| stream.intervals.last()).map(|interval| interval.to).max(),
    ) else {
        return Err(Exit::Negative.because("there is no such stream in it; `feedtape status` lists them"));
    };
    let (from, to) = (args.from.unwrap_or(first), args.to.unwrap_or(last));
    if from >= to {
        return Err(Exit::Usage.because("--from is not before --to, or not before the end of the recording"));
    }
    let streams: Vec<_> = streams.iter().map(|stream| Shown::new(stream, args, from, to)).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = match args.format {
        Format::Table => bars(&streams, from, to, &mut out).and_then(|()| table(&streams, out)),
        format => rows(&streams, format, out),
    };
    super::written(printed)?;
    Ok(if streams.iter().all(|stream| stream.missing == 0) { Exit::Good } else { Exit::Negative })
}

/// A stream in the time that is shown.
struct Shown<'s> {
    stream: &'s StreamCoverage,
    intervals: Vec<Interval>,
    /// How long it is expected to be covered, in ns.
    expected: i64,
    /// For how much of that it is not.
    missing: i64,
}

impl<'s> Shown<'s> {
    fn new(stream: &'s StreamCoverage, args: &Args, from: Timestamp, to: Timestamp) -> Self {
        let part = |from, to| stream.intervals.iter().filter_map(move |interval| interval.within(from, to));
        let lasted = |from: Timestamp, to: Timestamp| to.0.saturating_sub(from.0).max(0);
        let expected = stream.expected();
        let (since, until) = (args.from.unwrap_or(expected.0.max(from)), args.to.unwrap_or(expected.1.min(to)));
        // What the file says nothing about is missing, too.
        let there = part(since, until).filter(|interval| !interval.is_missing());
        let there: i64 = there.map(|interval| lasted(interval.from, interval.to)).sum();
        let expected = lasted(since, until);
        let mut intervals: Vec<_> = part(from, to).collect();
        // What was asked for is answered with nothing left over.
        let begins = intervals.first().map_or(to, |first| first.from);
        if args.from.is_some_and(|asked| asked < begins) {
            intervals.insert(0, nothing(from, begins));
        }
        let ends = intervals.last().map_or(from, |last| last.to);
        if args.to.is_some_and(|asked| ends < asked) {
            intervals.push(nothing(ends, to));
        }
        Self { stream, intervals, expected, missing: expected - there }
    }

    fn name(&self) -> String {
        let StreamCoverage { source, channel, detail, market, .. } = self.stream;
        let parts = [source.as_str(), channel, detail, market.as_deref().unwrap_or_default()];
        shown(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")).into_owned()
    }

    /// Per cent covered, rounded down: 100.00 is nothing missing.
    fn share(&self) -> String {
        if self.expected == 0 {
            return String::new();
        }
        let share = i128::from(self.expected - self.missing) * 10_000 / i128::from(self.expected);
        format!("{}.{:02} %", share / 100, share % 100)
    }
}

/// A time of which the file says nothing.
fn nothing(from: Timestamp, to: Timestamp) -> Interval {
    let state = Coverage::Gap(GapCause::NotRunning);
    let evidence = Some("the file says nothing of that time".to_owned());
    Interval { from, to, state, session: None, frame: None, evidence }
}

fn bars(streams: &[Shown<'_>], from: Timestamp, to: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let names: Vec<_> = streams.iter().map(Shown::name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    writeln!(out, "from {} to {}, UTC", time::utc(from), time::utc(to))?;
    for (stream, name) in streams.iter().zip(names) {
        writeln!(out, "{name:width$} {} {}", bar(&stream.intervals, from, to), stream.share())?;
    }
    let cell = time::lasting((to.0 - from.0) / BAR_CELLS);
    writeln!(out, "a character is {cell}: █ proved, ▓ checked, ▒ consistent, ? unverifiable, · gap\n")
}

/// Time from left to right; each character shows the worst of its time.
fn bar(intervals: &[Interval], from: Timestamp, to: Timestamp) -> String {
    let span = i128::from(to.0) - i128::from(from.0);
    let edge = |cell: i64| Timestamp((i128::from(from.0) + span * i128::from(cell) / i128::from(BAR_CELLS)) as i64);
    (0..BAR_CELLS)
        .map(|cell| {
            let (start, end) = (edge(cell), edge(cell + 1).max(Timestamp(edge(cell).0 + 1)));
            let states = intervals.iter().filter(|interval| interval.from < end && interval.to > start);
            states.map(|interval| mark(interval.state)).max().map_or(' ', |(_, mark)| mark)
        })
        .collect()
}

/// The character of a state, and how bad it is.
fn mark(state: Coverage) -> (u8, char) {
    match state {
        Coverage::Covered(Verdict::Proved) => (0, '█'),
        Coverage::Covered(Verdict::Checked) => (1, '▓'),
        Coverage::Covered(Verdict::Consistent) => (2, '▒'),
        Coverage::Covered(Verdict::Unverifiable) => (3, '?'),
        Coverage::Gap(_) => (4, '·'),
    }
}

fn table(streams: &[Shown<'_>], out: impl Write) -> io::Result<()> {
    let columns = ["source", "channel", "market", "from (UTC)", "to (UTC)", "lasted", "verdict", "cause", "evidence"];
    let mut printer = Printer::start(Format::Table, &columns, out)?;
    for Shown { stream, intervals, .. } in streams {
        let channel = format!("{} {}", stream.channel, stream.detail);
        for interval in intervals {
            let (verdict, cause) = words(interval.state);
            let row = [
                &stream.source,
                channel.trim_end(),
                stream.market.as_deref().unwrap_or_default(),
                &time::utc_milli(interval.from),
                &time::utc_milli(interval.to),
                &time::lasting(interval.to.0.saturating_sub(interval.from.0)),
                verdict,
                cause.unwrap_or_default(),
                interval.evidence.as_deref().unwrap_or_default(),
            ];
            if printer.row(&row.map(|text| Value::Text(text.as_bytes())))?.is_break() {
                return printer.finish();
            }
        }
    }
    printer.finish()
}

/// Verdict and cause, as in the view.
fn words(state: Coverage) -> (&'static str, Option<&'static str>) {
    match state {
        Coverage::Covered(verdict) => (verdict.as_str(), None),
        Coverage::Gap(cause) => ("gap", Some(cause.as_str())),
    }
}

fn rows(streams: &[Shown<'_>], format: Format, out: impl Write) -> io::Result<()> {
    let columns = [
        "source", "venue", "market", "channel", "detail", "from_at", "from_utc", "to_at", "to_utc", "verdict", "cause",
        "session", "frame", "evidence",
    ];
    fn text(text: Option<&str>) -> Value<'_> {
        text.map_or(Value::Null, |text| Value::Text(text.as_bytes()))
    }
    let integer = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
    let mut printer = Printer::start(format, &columns, out)?;
    for Shown { stream, intervals, .. } in streams {
        for interval in intervals {
            let (verdict, cause) = words(interval.state);
            let (from_utc, to_utc) = (interval.from.to_string(), interval.to.to_string());
            let _ = printer.row(&[
                text(Some(&stream.source)),
                text(Some(&stream.venue)),
                text(stream.market.as_deref()),
                text(Some(&stream.channel)),
                text(Some(&stream.detail)),
                Value::Integer(interval.from.0),
                text(Some(&from_utc)),
                Value::Integer(interval.to.0),
                text(Some(&to_utc)),
                text(Some(verdict)),
                text(cause),
                integer(interval.session.map(|session| session.0)),
                integer(interval.frame),
                text(interval.evidence.as_deref()),
            ])?;
        }
    }
    printer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(states: &[(i64, Coverage)], end: i64) -> Vec<Interval> {
        let ends = states[1..].iter().map(|(at, _)| *at).chain([end]);
        let interval = |((from, state), to): (&(i64, Coverage), i64)| Interval {
            from: Timestamp(*from),
            to: Timestamp(to),
            state: *state,
            session: None,
            frame: None,
            evidence: None,
        };
        states.iter().zip(ends).map(interval).collect()
    }

    #[test]
    fn each_character_of_a_bar_shows_the_worst_of_its_time() {
        let consistent = Coverage::Covered(Verdict::Consistent);
        let states = intervals(
            &[
                (600, Coverage::Covered(Verdict::Proved)),
                (1_200, Coverage::Covered(Verdict::Checked)),
                (1_800, consistent),
                (2_399, Coverage::Gap(GapCause::Stale)),
                (2_401, Coverage::Covered(Verdict::Unverifiable)),
                (3_000, consistent),
            ],
            5_400,
        );
        let expected = [(10, ' '), (10, '█'), (10, '▓'), (9, '▒'), (2, '·'), (9, '?'), (40, '▒')];
        let expected: String =
            expected.into_iter().flat_map(|(times, mark)| std::iter::repeat_n(mark, times)).take(60).collect();
        assert_eq!(bar(&states, Timestamp(0), Timestamp(3_600)), expected);
        let short = intervals(&[(0, consistent), (1, Coverage::Gap(GapCause::Stale))], 2);
        let bar = bar(&short, Timestamp(0), Timestamp(2));
        assert_eq!(bar, "▒".repeat(30) + &"·".repeat(30));
    }
}
