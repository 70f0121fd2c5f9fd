//! Runs: one row for each start of the recorder, and what a run that ended (or was killed) leaves to say.
//!
//! All of it follows from the `run_started` and `run_ended` records of the recorder's own journal, so a rebuild finds it
//! again: what a start has to ask the file (how far the run before got) is written into the record.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::journal::block;
use crate::journal::{Batch, Record, RecordKind};
use crate::model::{CloseCause, GapCause, RunId, SessionId, Stamp, Timestamp};

use super::writer::{Fault, Group, Written, next_seq};
use super::{Reader, Store, StoreError};

/// What a run records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Live connections.
    Live,
    /// A capture. Its arrival times are those of the capture.
    Import,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunOutcome {
    /// In order, as told.
    Stopped,
    /// Without saying so; found at the next start.
    Killed,
}

impl RunKind {
    /// The text that tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Import => "import",
        }
    }
}

impl RunOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
        }
    }
}

/// What the recorder says of a run it begins.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// What it records.
    pub kind: RunKind,
    /// Path of the configuration, or of the capture.
    pub config: String,
    /// How long a row may wait for its commit.
    pub commit_interval: Duration,
}

/// What the recorder must know of a run that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its key.
    pub run: RunId,
    /// The first session it may open; the following are free as well.
    pub first_session: SessionId,
}

/// Body of a `run_started` record.
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    run: RunId,
    kind: RunKind,
    version: String,
    sqlite_version: String,
    pid: u32,
    config: String,
    durability: String,
    commit_interval_ns: u64,
    /// The run before, if it did not end in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    killed: Option<Ended>,
}

/// Body of a `run_ended` record.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    run: RunId,
    outcome: RunOutcome,
    /// Everything received until then is in the file.
    durable_at: Timestamp,
    /// The sources it recorded.
    sources: Vec<SourceEnd>,
}

/// Until when a run recorded a source.
#[derive(Debug, Serialize, Deserialize)]
struct SourceEnd {
    source: String,
    until: Timestamp,
}

impl Store {
    /// Begins a run, after ending the one before if it was killed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin_run(&mut self, at: Stamp, info: &RunInfo) -> Result<Begun, StoreError> {
        let path = self.settings().path.clone();
        let sqlite = |error| StoreError::of(&path, error);
        let last: Option<i64> =
            self.connection.query_row("SELECT max(id) FROM run", [], |row| row.get(0)).map_err(sqlite)?;
        let run = RunId(last.unwrap_or(0) + 1);
        let started = Started {
            run,
            kind: info.kind,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sqlite_version: rusqlite::version().to_owned(),
            pid: std::process::id(),
            config: info.config.clone(),
            durability: self.settings().durability.as_str().to_owned(),
            commit_interval_ns: u64::try_from(info.commit_interval.as_nanos()).unwrap_or(u64::MAX),
            killed: self.killed()?,
        };
        self.record(RecordKind::RunStarted, at, &started)?;
        let last = "SELECT coalesce(max(session), 0) FROM frame_span";
        let last: i64 = self.connection.query_row(last, [], |row| row.get(0)).map_err(sqlite)?;
        Ok(Begun { run, first_session: SessionId(last + 1) })
    }

    /// Commits, and ends the run that [`Store::begin_run`] began.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end_run(&mut self, at: Stamp) -> Result<(), StoreError> {
        let Some(run) = self.run() else { return Ok(()) };
        self.commit_group()?;
        let sources = self.ends(run, at.wall)?;
        self.record(
            RecordKind::RunEnded,
            at,
            &Ended { run, outcome: RunOutcome::Stopped, durable_at: at.wall, sources },
        )
    }

    /// The run before, if it did not end in order, and how far it got.
    fn killed(&self) -> Result<Option<Ended>, StoreError> {
        let path = &self.settings().path;
        let sqlite = |error| StoreError::of(path, error);
        let open = "SELECT id, durable_at FROM run WHERE outcome IS NULL ORDER BY id DESC LIMIT 1";
        let open = self.connection.query_row(open, [], |row| Ok((RunId(row.get(0)?), Timestamp(row.get(1)?))));
        let Some((run, durable_at)) = open.optional().map_err(sqlite)? else { return Ok(None) };
        let sources = self.ends(run, durable_at)?;
        Ok(Some(Ended { run, outcome: RunOutcome::Killed, durable_at, sources }))
    }

    /// Until when a run that recorded until `mark` did so for each source: a capture ended with its last frame.
    fn ends(&self, run: RunId, mark: Timestamp) -> Result<Vec<SourceEnd>, StoreError> {
        let path = &self.settings().path;
        let sqlite = |error| StoreError::of(path, error);
        let kind: String = self
            .connection
            .query_row("SELECT kind FROM run WHERE id = ?", [run.0], |row| row.get(0))
            .map_err(sqlite)?;
        let mark = (kind == RunKind::Live.as_str()).then_some(mark);
        let mut sources = Vec::new();
        for (source, session) in sources_of(&self.connection, run).map_err(sqlite)? {
            let last = last_arrival(path, &self.connection, session)?;
            if let Some(until) = last.max(mark) {
                sources.push(SourceEnd { source, until });
            }
        }
        Ok(sources)
    }

    /// Writes and commits a record of the recorder's own journal.
    fn record(&mut self, kind: RecordKind, at: Stamp, body: &impl Serialize) -> Result<(), StoreError> {
        let path = self.settings().path.clone();
        let body = serde_json::to_vec(body)
            .map_err(|error| StoreError::Internal { path: path.clone(), what: error.to_string() })?;
        let next = next_seq(&self.connection, SessionId::RECORDER).map_err(|error| StoreError::of(&path, error))?;
        let mut batch = Batch::new(SessionId::RECORDER, next);
        batch.push(kind, at, &body);
        self.write(&batch)?;
        self.commit_group()
    }
}

impl Reader {
    /// Until when everything received by the run that has not ended is in the file; `None` if there is no such run.
    /// This alone is not in the journal: a record for every mark would say no more than the last.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn durable_mark(&self) -> Result<Option<Timestamp>, StoreError> {
        let open = "SELECT durable_at FROM run WHERE outcome IS NULL ORDER BY id DESC LIMIT 1";
        let mark = self.connection.query_row(open, [], |row| row.get(0)).optional();
        Ok(mark.map_err(|error| self.fault(error))?.map(Timestamp))
    }
}

/// The sources that a run recorded, by name, each with its newest session.
fn sources_of(connection: &Connection, run: RunId) -> rusqlite::Result<Vec<(String, SessionId)>> {
    let newest = "SELECT name, max(session.id) FROM session JOIN source ON source.id = session.source \
         WHERE run = ? GROUP BY source.id ORDER BY source.id";
    let mut newest = connection.prepare(newest)?;
    let rows = newest.query_map([run.0], |row| Ok((row.get(0)?, SessionId(row.get(1)?))))?;
    rows.collect()
}

/// Arrival of the last stored record of a session.
fn last_arrival(path: &Path, connection: &Connection, session: SessionId) -> Result<Option<Timestamp>, StoreError> {
    let last = "SELECT first, codec, raw_bytes, body, first_frame + span.frames - 1 - first \
         FROM (SELECT * FROM frame_span WHERE session = ? ORDER BY first_seq DESC LIMIT 1) span \
         JOIN frame_block ON first = (SELECT max(first) FROM frame_block WHERE first <= first_frame + span.frames - 1)";
    let found = connection.query_row(last, [session.0], |row| {
        let place = (row.get::<_, i64>(0)?, row.get::<_, i64>(4)?);
        Ok((place, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, Vec<u8>>(3)?))
    });
    let found = found.optional().map_err(|error| StoreError::of(path, error))?;
    let Some(((first, index), codec, raw_bytes, body)) = found else { return Ok(None) };
    let mut reader = block::Reader::new().map_err(|source| StoreError::CannotOpen { path: path.to_owned(), source })?;
    let block = reader.read(codec, raw_bytes, &body).map_err(|error| StoreError::of_block(path, first, &error))?;
    Ok(block.records().nth(index as usize).map(|(_, _, record)| record.at.wall))
}

/// Concludes what a record of the recorder's own journal says.
pub(super) fn replay(group: &mut Group<'_>, record: &Record<'_>) -> Written {
    let damaged = |error: serde_json::Error| Fault::Contradiction(format!("{}: {error}", record.kind.as_str()));
    match record.kind {
        RecordKind::RunStarted => {
            let started: Started = serde_json::from_slice(record.body).map_err(damaged)?;
            if let Some(killed) = &started.killed {
                end(group, killed, None)?;
            }
            begin(group, &started)
        }
        RecordKind::RunEnded => {
            let ended: Ended = serde_json::from_slice(record.body).map_err(damaged)?;
            end(group, &ended, Some(record.at.wall))?;
            *group.run = None;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn begin(group: &mut Group<'_>, started: &Started) -> Written {
    let insert = "INSERT INTO run (id, started_at, durable_at, kind, version, sqlite_version, pid, config, durability, \
         commit_interval_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    group.connection.prepare_cached(insert)?.execute(params![
        started.run.0,
        group.at.0,
        group.at.0,
        started.kind.as_str(),
        started.version,
        started.sqlite_version,
        started.pid,
        started.config,
        started.durability,
        started.commit_interval_ns as i64,
    ])?;
    *group.run = Some(started.run);
    Ok(())
}

/// Ends a run: what its sessions left open is closed, and its streams are not running from then on.
fn end(group: &Group<'_>, ended: &Ended, stopped_at: Option<Timestamp>) -> Written {
    let connection = group.connection;
    let (cause, evidence) = match ended.outcome {
        RunOutcome::Stopped => (CloseCause::Stopped, "the recorder was stopped"),
        RunOutcome::Killed => (CloseCause::Killed, "the recorder was killed"),
    };
    let not_running = GapCause::NotRunning.as_str();
    let update = "UPDATE run SET stopped_at = ?, durable_at = ?, outcome = ? WHERE id = ?";
    let row = params![stopped_at.map(|at| at.0), ended.durable_at.0, ended.outcome.as_str(), ended.run.0];
    connection.prepare_cached(update)?.execute(row)?;
    let mut id = group.id;
    for SourceEnd { source, until } in &ended.sources {
        let find = "SELECT id FROM source WHERE name = ?";
        let Some(source) =
            connection.prepare_cached(find)?.query_row([source], |row| row.get::<_, i64>(0)).optional()?
        else {
            continue;
        };
        let subscriptions = "UPDATE subscription SET ended_at = max(asked_at, ?1), cause = ?2 WHERE ended_at IS NULL \
             AND session IN (SELECT id FROM session WHERE source = ?3 AND closed_at IS NULL)";
        connection.prepare_cached(subscriptions)?.execute(params![until.0, not_running, source])?;
        let sessions = "UPDATE session SET closed_at = max(connecting_at, ?), cause = ?, detail = ? \
             WHERE source = ? AND closed_at IS NULL";
        connection.prepare_cached(sessions)?.execute(params![until.0, cause.as_str(), evidence, source])?;
        for (stream, last) in running_streams(connection, source)? {
            let insert = "INSERT INTO transition (id, stream, at, state, reason, frame, evidence) \
                 VALUES (?, ?, ?, 'gap', ?, ?, ?)";
            let at = last.map_or(until.0, |last| last.max(until.0));
            let row = params![id, stream, at, not_running, group.frame(), evidence];
            connection.prepare_cached(insert)?.execute(row)?;
            id += 1;
        }
    }
    Ok(())
}

/// The streams of a source that a recorder which runs would record, each with the time of its last transition. Not among
/// them: those that are not running already, and those that nobody asks for any more.
fn running_streams(connection: &Connection, source: i64) -> rusqlite::Result<Vec<(i64, Option<i64>)>> {
    let running = "SELECT stream.id, last.at FROM stream LEFT JOIN transition last ON last.id = \
         (SELECT max(id) FROM transition WHERE stream = stream.id) \
         WHERE source = ?1 AND coalesce(last.reason, '') NOT IN ('not_running', 'reconfigured', 'expired') \
         ORDER BY stream.id";
    let mut running = connection.prepare_cached(running)?;
    let rows = running.query_map([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests;
