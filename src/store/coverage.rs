//! What the file can say of each stream at which time: the view `coverage`, as values.

use rusqlite::{Row, params};

use crate::model::{Coverage, GapCause, SessionId, Timestamp, Verdict};

use super::StoreError;
use super::reader::Reader;

/// A time in which one thing is said of a stream: from `from`, until before `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What is said.
    pub state: Coverage,
    /// The session it began in; `None` where no session was.
    pub session: Option<SessionId>,
    /// Number of the record that showed its beginning.
    pub frame: Option<i64>,
    /// What shows it beyond that.
    pub evidence: Option<String>,
}

impl Interval {
    /// The part of it within a time, if there is one.
    #[must_use]
    pub fn within(&self, from: Timestamp, to: Timestamp) -> Option<Self> {
        let part = Self { from: self.from.max(from), to: self.to.min(to), ..self.clone() };
        (part.from < part.to).then_some(part)
    }

    /// Whether something that was asked for is, or may be, not in the file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self.state {
            Coverage::Covered(_) => false,
            Coverage::Gap(cause) => !matches!(cause, GapCause::Reconfigured | GapCause::Expired),
        }
    }
}

/// A stream, with what is said of it: intervals that follow each other, from its first transition to the last durable
/// mark, each different from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCoverage {
    /// Its key.
    pub id: i64,
    /// Name of its source.
    pub source: String,
    /// Name of the source's venue.
    pub venue: String,
    /// Name of its market, if it belongs to one.
    pub market: Option<String>,
    /// The venue's name of the subscription or request.
    pub channel: String,
    /// Further arguments of it.
    pub detail: String,
    /// What is said; never empty.
    pub intervals: Vec<Interval>,
}

impl StreamCoverage {
    /// The time in which the stream is expected to be covered, if nobody says otherwise: from its first coverage (a
    /// recording begins with connecting) until the recorder was told to stop, or for as long as the file goes.
    ///
    /// A stream that never was covered is expected from the start.
    #[must_use]
    pub fn expected(&self) -> (Timestamp, Timestamp) {
        let covered = self.intervals.iter().find(|interval| matches!(interval.state, Coverage::Covered(_)));
        let first = covered.or(self.intervals.first());
        let stopped = |interval: &&Interval| interval.state == Coverage::Gap(GapCause::NotRunning);
        let last = self.intervals.last();
        let to = last.filter(stopped).map(|interval| interval.from).or(last.map(|interval| interval.to));
        (first.map_or_else(Timestamp::default, |interval| interval.from), to.unwrap_or_default())
    }
}

/// Which streams to tell of; `None`: all.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    /// Of this source.
    pub source: Option<String>,
    /// Of this market.
    pub market: Option<String>,
    /// Of this channel.
    pub channel: Option<String>,
}

impl Reader {
    /// What is said of the streams, by source, channel and market.
    ///
    /// # Errors
    /// If reading fails.
    pub fn coverage(&self, streams: &Streams) -> Result<Vec<StreamCoverage>, StoreError> {
        let sql =
            "SELECT stream, source, venue, market, channel, detail, from_at, to_at, verdict, cause, session, frame,
                evidence
            FROM coverage
            WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR market = ?2) AND (?3 IS NULL OR channel = ?3)
            ORDER BY source, channel, market, detail, stream, from_at";
        let mut found: Vec<StreamCoverage> = Vec::new();
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(params![streams.source, streams.market, streams.channel])?;
            while let Some(row) = rows.next()? {
                let (id, interval) = (row.get(0)?, interval(row)?);
                match found.last_mut().filter(|stream| stream.id == id) {
                    Some(stream) => stream.intervals.push(interval),
                    None => found.push(StreamCoverage {
                        id,
                        source: row.get(1)?,
                        venue: row.get(2)?,
                        market: row.get(3)?,
                        channel: row.get(4)?,
                        detail: row.get(5)?,
                        intervals: vec![interval],
                    }),
                }
            }
            Ok(())
        };
        read().map_err(|error| self.fault(error))?;
        Ok(found)
    }
}

// A newer feedtape may know more verdicts and causes. What this one does not know it cannot vouch for.

pub(super) fn covered(verdict: &str) -> Coverage {
    Coverage::Covered(Verdict::parse(verdict).unwrap_or(Verdict::Unverifiable))
}

pub(super) fn gap(cause: &str) -> Coverage {
    Coverage::Gap(GapCause::parse(cause).unwrap_or(GapCause::NotUnderstood))
}

fn interval(row: &Row<'_>) -> rusqlite::Result<Interval> {
    let state = match row.get_ref(9)?.as_str_or_null()? {
        Some(cause) => gap(cause),
        None => covered(row.get_ref(8)?.as_str()?),
    };
    Ok(Interval {
        from: Timestamp(row.get(6)?),
        to: Timestamp(row.get(7)?),
        state,
        session: row.get::<_, Option<i64>>(10)?.map(SessionId),
        frame: row.get(11)?,
        evidence: row.get(12)?,
    })
}
