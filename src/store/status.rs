//! How a recording stands: whether a recorder is running on it, and what each stream is at.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::OptionalExtension;

use crate::model::{Coverage, GapCause, Timestamp};

use super::StoreError;
use super::coverage::{Interval, StreamCoverage, Streams, covered, gap};
use super::open::Lock;
use super::reader::Reader;

const DAY: i64 = 86_400 * 1_000_000_000;

/// A recorder notes every second that all is stored. If it has not for this long, it is stalled.
const MARK_AGE_MAX: i64 = 15 * 1_000_000_000;

/// The newest run on a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended in order.
    pub stopped_at: Option<Timestamp>,
    /// Everything received until then is in the file.
    pub durable_at: Timestamp,
    /// Its process.
    pub pid: i64,
}

/// How a stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// Which.
    pub stream: StreamCoverage,
    /// What it is at now.
    pub state: Coverage,
    /// Since when.
    pub since: Timestamp,
    /// Arrival of its last data.
    pub last_data_at: Option<Timestamp>,
    /// Times since midnight (UTC) in which it was not recorded: how many, and how long together in ns.
    pub gaps_today: (usize, i64),
}

/// How a recording stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether a recorder is running on it.
    pub is_running: bool,
    /// Whether it runs, but has stored nothing for a while.
    pub is_stalled: bool,
    /// Its newest run.
    pub run: Option<Run>,
    /// Its streams.
    pub streams: Vec<StreamStatus>,
}

impl Status {
    /// Finds out how a database stands at `now`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let reader = Reader::open(path)?;
        let is_running = Lock::is_held(path)?;
        let run = reader.newest_run()?;
        let is_stalled = is_running && run.as_ref().is_some_and(|run| now.0 - run.durable_at.0 > MARK_AGE_MAX);
        let (last_data, newest) = (reader.last_data()?, reader.newest_states()?);
        let streams = reader.coverage(&Streams::default())?.into_iter().map(|mut stream| {
            let last_data_at = last_data.get(&stream.id).copied();
            if let Some((at, state)) = newest.get(&stream.id) {
                stream.change(*at, *state);
            }
            StreamStatus::of(stream, last_data_at, is_running, now)
        });
        Ok(Self { is_running, is_stalled, run, streams: streams.collect() })
    }

    /// Whether everything that should be recorded is.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.is_running && !self.is_stalled && self.streams.iter().all(StreamStatus::is_good)
    }
}

impl StreamCoverage {
    /// Adds a state that began after the last durable mark.
    fn change(&mut self, at: Timestamp, state: Coverage) {
        if let Some(last) = self.intervals.last_mut().filter(|last| last.state != state) {
            last.to = at;
            self.intervals.push(Interval { from: at, to: at, state, session: None, frame: None, evidence: None });
        }
    }
}

impl StreamStatus {
    fn of(stream: StreamCoverage, last_data_at: Option<Timestamp>, is_running: bool, now: Timestamp) -> Self {
        let (expected, _) = stream.expected();
        let mut until_now = stream.intervals.clone();
        if let Some(last) = until_now.last_mut() {
            let end = last.to;
            let is_wanted = last.is_missing() || matches!(last.state, Coverage::Covered(_));
            if is_running || !is_wanted || last.state == Coverage::Gap(GapCause::NotRunning) {
                last.to = now;
            } else {
                let state = Coverage::Gap(GapCause::NotRunning);
                until_now.push(Interval { from: end, to: now, state, session: None, frame: None, evidence: None });
            }
        }
        let midnight = Timestamp(now.0 - now.0.rem_euclid(DAY));
        let gaps_today = outages(&until_now, expected.max(midnight), now);
        let (state, since) =
            until_now.last().map_or((Coverage::Gap(GapCause::NotRunning), now), |last| (last.state, last.from));
        Self { stream, state, since, last_data_at, gaps_today }
    }

    /// Whether it is recorded, or nobody asks for it any more.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self.state {
            Coverage::Covered(_) => true,
            Coverage::Gap(cause) => matches!(cause, GapCause::Reconfigured | GapCause::Expired),
        }
    }
}

/// How many times something was missing, and for how long together. What is missing without a break is missing once,
/// whatever the causes.
fn outages(intervals: &[Interval], from: Timestamp, to: Timestamp) -> (usize, i64) {
    let (mut count, mut lasted) = (0, 0);
    let mut end = None;
    for gap in intervals.iter().filter(|interval| interval.is_missing()).filter_map(|gap| gap.within(from, to)) {
        if end != Some(gap.from) {
            count += 1;
        }
        lasted += gap.to.0 - gap.from.0;
        end = Some(gap.to);
    }
    (count, lasted)
}

impl Reader {
    fn newest_run(&self) -> Result<Option<Run>, StoreError> {
        let sql = "SELECT started_at, stopped_at, durable_at, pid FROM run ORDER BY id DESC LIMIT 1";
        let run = self.connection.query_row(sql, [], |row| {
            Ok(Run {
                started_at: Timestamp(row.get(0)?),
                stopped_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                durable_at: Timestamp(row.get(2)?),
                pid: row.get(3)?,
            })
        });
        run.optional().map_err(|error| self.fault(error))
    }

    /// What was said of streams after the last durable mark, by stream.
    fn newest_states(&self) -> Result<HashMap<i64, (Timestamp, Coverage)>, StoreError> {
        let sql = "SELECT stream, at, state, reason FROM transition WHERE at >= (SELECT max(durable_at) FROM run) ORDER BY id";
        let read = || -> rusqlite::Result<HashMap<i64, (Timestamp, Coverage)>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let reason = row.get_ref(3)?.as_str()?;
                let state = if row.get_ref(2)?.as_str()? == "gap" { gap(reason) } else { covered(reason) };
                Ok((row.get(0)?, (Timestamp(row.get(1)?), state)))
            })?;
            rows.collect()
        };
        read().map_err(|error| self.fault(error))
    }

    /// Arrival of the last data, by stream.
    fn last_data(&self) -> Result<HashMap<i64, Timestamp>, StoreError> {
        let sql =
            "SELECT stream, max(last_data_at) FROM subscription GROUP BY stream HAVING max(last_data_at) IS NOT NULL";
        let read = || -> rusqlite::Result<HashMap<i64, Timestamp>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, Timestamp(row.get(1)?))))?;
            rows.collect()
        };
        read().map_err(|error| self.fault(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;

    const COVERED: Coverage = Coverage::Covered(Verdict::Consistent);
    const MIDNIGHT: i64 = 18_000 * DAY;

    /// A stream whose states begin at these times after midnight; the last ends at the last time.
    fn stream(states: &[(i64, Coverage)], end: i64) -> StreamCoverage {
        let ends = states[1..].iter().map(|(at, _)| *at).chain([end]);
        let intervals = states.iter().zip(ends).map(|((from, state), to)| Interval {
            from: Timestamp(MIDNIGHT + from),
            to: Timestamp(MIDNIGHT + to),
            state: *state,
            session: None,
            frame: None,
            evidence: None,
        });
        StreamCoverage {
            id: 1,
            source: String::new(),
            venue: String::new(),
            market: None,
            channel: String::new(),
            detail: String::new(),
            intervals: intervals.collect(),
        }
    }

    fn status(states: &[(i64, Coverage)], end: i64, is_running: bool) -> (Coverage, i64, (usize, i64)) {
        let status = StreamStatus::of(stream(states, end), None, is_running, Timestamp(MIDNIGHT + 1_000));
        (status.state, status.since.0 - MIDNIGHT, status.gaps_today)
    }

    #[test]
    fn gaps_are_those_of_today_after_the_first_coverage() {
        let connecting = (-300, Coverage::Gap(GapCause::NotConnected));
        assert_eq!(status(&[connecting, (10, COVERED)], 990, true), (COVERED, 10, (0, 0)));
        let states = [
            connecting,
            (-200, COVERED),
            (-100, Coverage::Gap(GapCause::NotConnected)),
            (50, Coverage::Gap(GapCause::NotAcknowledged)),
            (60, COVERED),
            (70, Coverage::Gap(GapCause::Stale)),
            (75, COVERED),
        ];
        assert_eq!(status(&states, 990, true), (COVERED, 75, (2, 65)));
    }

    #[test]
    fn a_gap_that_lasts_goes_on_until_now() {
        let states = [(10, COVERED), (900, Coverage::Gap(GapCause::NotConnected))];
        assert_eq!(status(&states, 990, true), (Coverage::Gap(GapCause::NotConnected), 900, (1, 100)));
        assert_eq!(
            status(&[(10, Coverage::Gap(GapCause::Refused))], 990, true),
            (Coverage::Gap(GapCause::Refused), 10, (1, 990))
        );
    }

    #[test]
    fn without_a_recorder_nothing_is_recorded_except_what_nobody_asks_for() {
        let not_running = Coverage::Gap(GapCause::NotRunning);
        assert_eq!(status(&[(10, COVERED)], 990, false), (not_running, 990, (1, 10)));
        assert_eq!(status(&[(10, COVERED), (500, not_running)], 600, false), (not_running, 500, (1, 500)));
        let expired = Coverage::Gap(GapCause::Expired);
        assert_eq!(status(&[(10, COVERED), (500, expired)], 600, false), (expired, 500, (0, 0)));
    }

    #[test]
    fn a_recording_is_expected_from_its_first_coverage_to_the_stop() {
        let expected = |states: &[(i64, Coverage)]| {
            let (from, to) = stream(states, 1_000).expected();
            (from.0 - MIDNIGHT, to.0 - MIDNIGHT)
        };
        let connecting = (0, Coverage::Gap(GapCause::NotConnected));
        assert_eq!(expected(&[connecting]), (0, 1_000));
        assert_eq!(expected(&[connecting, (10, COVERED)]), (10, 1_000));
        assert_eq!(expected(&[connecting, (10, COVERED), (20, Coverage::Gap(GapCause::Stale))]), (10, 1_000));
        assert_eq!(expected(&[connecting, (10, COVERED), (20, Coverage::Gap(GapCause::NotRunning))]), (10, 20));
    }
}
