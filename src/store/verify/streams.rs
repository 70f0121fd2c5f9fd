//! What is said of streams: one thing at any time; and the contradictions that were found.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{Aspect, Report, Verifier};
use crate::model::Timestamp;
use crate::store::{Store, StoreError};

impl Verifier {
    /// Counts runs, sessions and streams, and finds streams of which at some time nothing is said, or two things.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn coverage(&mut self) -> Result<(), StoreError> {
        self.look(|reader, report| {
            let connection = &reader.connection;
            count(connection, report)
                .and_then(|()| intervals(connection, report))
                .and_then(|()| beginnings(connection, report))
                .and_then(|()| clock(connection, report))
                .map_err(|error| reader.fault(error))
        })
    }

    /// Lists the contradictions found while recording, and those that only what was derived anew has.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn contradictions(&mut self, derived: Option<&Store>) -> Result<(), StoreError> {
        self.look(|reader, report| {
            let recorded = &reader.connection;
            let unseen = "SELECT count(*) FROM finding WHERE NOT is_contradiction";
            let mut listed = || -> rusqlite::Result<()> {
                report.changed_unseen = recorded.query_row(unseen, [], |row| row.get::<_, i64>(0))? as u64;
                list(recorded, None, report)?;
                derived.map_or(Ok(()), |derived| list(&derived.connection, Some(recorded), report))
            };
            listed().map_err(|error| reader.fault(error))
        })
    }
}

fn count(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let select = "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM session), (SELECT count(*) FROM stream)";
    connection.query_row(select, [], |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
        (report.runs, report.sessions, report.streams) = (count(0)?, count(1)?, count(2)?);
        Ok(())
    })
}

/// The intervals of view `coverage` follow each other.
fn intervals(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let select = "SELECT stream, from_at, to_at, source, channel, coalesce(market, '') FROM coverage \
         ORDER BY stream, from_at";
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([])?;
    let mut before: Option<(i64, i64)> = None;
    while let Some(row) = rows.next()? {
        let (stream, from, to): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if let Some((_, end)) = before.filter(|(other, end)| *other == stream && *end != from) {
            let said = if end < from { "nothing is" } else { "two things are" };
            let (start, end) = (Timestamp(end.min(from)), Timestamp(end.max(from)));
            let name = name(row.get(3)?, row.get(4)?, row.get(5)?);
            report.find(Aspect::Coverage, name, format!("{said} said of it from {start} to {end}"));
        }
        before = Some((stream, to));
    }
    Ok(())
}

/// A stream is in a state from when it was first asked for.
fn beginnings(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let select = "SELECT s.name, t.channel, t.market, \
         (SELECT min(asked_at) FROM subscription WHERE stream = t.id) AS asked_at, \
         (SELECT min(at) FROM transition WHERE stream = t.id) AS begins_at \
         FROM stream t JOIN source s ON s.id = t.source \
         WHERE asked_at IS NOT NULL AND (begins_at IS NULL OR begins_at > asked_at) ORDER BY t.id";
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let asked = Timestamp(row.get(3)?);
        let what = format!("was asked for at {asked}, and nothing is said of it then");
        report.find(Aspect::Coverage, name(row.get(0)?, row.get(1)?, row.get(2)?), what);
    }
    Ok(())
}

/// A live state does not begin before one that an earlier session or run left. Within a session it may: what is
/// concluded late takes back what was said of that time. What is imported may be of any time.
fn clock(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let select = "SELECT t.id, t.stream, t.session, t.at, r.kind = 'live' FROM transition t \
         LEFT JOIN session s ON s.id = t.session LEFT JOIN run r ON r.id = s.run ORDER BY t.id";
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([])?;
    let mut before: HashMap<i64, Before> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (id, stream, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let session: Option<i64> = row.get(2)?;
        let before = before.entry(stream).or_default();
        // The end of a run is of no session, and live if what it ends is.
        before.is_live = row.get::<_, Option<bool>>(4)?.unwrap_or(before.is_live);
        if !before.is_live {
            continue;
        }
        let earlier = before.live.replace((session, at));
        if let Some((_, earlier)) = earlier.filter(|(other, earlier)| *other != session && at < *earlier) {
            let (at, earlier) = (Timestamp(at), Timestamp(earlier));
            let what = format!("begins at {at}, before the one before it at {earlier}: the clock was set back");
            report.find(Aspect::Coverage, format!("transition {id} of stream {stream}"), what);
        }
    }
    Ok(())
}

/// The transition of a stream before the one at hand.
#[derive(Default)]
struct Before {
    is_live: bool,
    /// Session and time of the last live one.
    live: Option<(Option<i64>, i64)>,
}

/// Lists contradictions, without those that are known.
fn list(connection: &Connection, known: Option<&Connection>, report: &mut Report) -> rusqlite::Result<()> {
    let select = "SELECT f.id, f.received_at, f.check_name, f.evidence, s.name, t.channel, t.market \
         FROM finding f JOIN stream t ON t.id = f.stream JOIN source s ON s.id = t.source \
         WHERE is_contradiction ORDER BY f.id";
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let mut when = "";
        if let Some(known) = known {
            let find = "SELECT 1 FROM finding WHERE id = ? AND is_contradiction";
            if known.prepare_cached(find)?.query_row([id], |_| Ok(())).optional()?.is_some() {
                continue;
            }
            when = ", found only now";
        }
        let (at, check, evidence) = (Timestamp(row.get(1)?), row.get::<_, String>(2)?, row.get::<_, String>(3)?);
        let name = name(row.get(4)?, row.get(5)?, row.get(6)?);
        report.find(Aspect::Contradictions, name, format!("{check} at {at}: {evidence} (finding {id}{when})"));
    }
    Ok(())
}

/// What people call a stream.
fn name(source: String, channel: String, market: String) -> String {
    if market.is_empty() { format!("{source} {channel}") } else { format!("{source} {channel} {market}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_which_nothing_is_said_and_time_of_which_two_things_are_is_found() {
        let connection = Connection::open_in_memory().unwrap();
        let second = |n: i64| n * 1_000_000_000;
        connection.execute_batch("CREATE TABLE coverage (stream, from_at, to_at, source, channel, market)").unwrap();
        for (stream, from, to) in [(1, 0, 5), (1, 5, 7), (1, 8, 9), (2, 3, 6), (2, 4, 9), (3, 1, 2)] {
            let insert = "INSERT INTO coverage VALUES (?, ?, ?, 'test', 'trades', NULL)";
            connection.execute(insert, (stream, second(from), second(to))).unwrap();
        }
        let mut report = Report::default();
        intervals(&connection, &mut report).unwrap();
        let told: Vec<_> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "nothing is said of it from 1970-01-01T00:00:07.000000000Z to 1970-01-01T00:00:08.000000000Z",
                "two things are said of it from 1970-01-01T00:00:04.000000000Z to 1970-01-01T00:00:06.000000000Z",
            ]
        );
    }
}
