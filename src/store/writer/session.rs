//! Sessions, streams, subscriptions, transitions, commands, replies, findings, and what was not understood.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use crate::model::{
    CommandSent, Control, Coverage, Finding, Nature, NotUnderstood, ReplyReceived, SessionChange, SessionId, StreamKey,
    StreamRef, SubscriptionChange, TimeUnit, Transition,
};

use super::memory::{self, Session};
use super::{Fault, Group, Written, frames, skipped};

/// What the file knows of a session that is not remembered.
pub(super) fn recall(connection: &Connection, session: SessionId) -> rusqlite::Result<Session> {
    let find = "SELECT source FROM session WHERE id = ?";
    let source = connection.prepare_cached(find)?.query_row([session.0], |row| row.get(0)).optional()?;
    Ok(Session::new(frames::next_seq(connection, session)?, source))
}

/// Table columns of a coverage state.
pub(in crate::store) fn state_and_reason(state: Coverage) -> (&'static str, &'static str) {
    match state {
        Coverage::Covered(verdict) => ("covered", verdict.as_str()),
        Coverage::Gap(cause) => ("gap", cause.as_str()),
    }
}

impl Group<'_> {
    fn change(&self, sql: &'static str, row: &[&dyn ToSql]) -> Written {
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    pub(super) fn session(&mut self, change: &SessionChange) -> Written {
        let (id, at) = (self.session_id.0, self.at.0);
        match change {
            SessionChange::Connecting { source, venue, url, user } => {
                let source = self.source_id(source, venue)?;
                self.session.source = Some(source);
                let run = self.run.ok_or_else(|| Fault::Contradiction("no run has begun".to_owned()))?;
                let user = user.map(|user| user.to_string());
                self.change(
                    "INSERT INTO session (id, run, source, url, connecting_at, user) VALUES (?, ?, ?, ?, ?, ?)",
                    params![id, run.0, source, url, at, user],
                )
            }
            SessionChange::Looking => self.change("UPDATE session SET is_look = 1 WHERE id = ?", params![id]),
            SessionChange::Opened { peer } => {
                self.change("UPDATE session SET opened_at = ?, peer = ? WHERE id = ?", params![at, peer, id])
            }
            SessionChange::Greeted => self.change("UPDATE session SET greeted_at = ? WHERE id = ?", params![at, id]),
            SessionChange::Authenticated { user } => {
                let user = user.map(|user| user.to_string());
                let sql = "UPDATE session SET authenticated_at = ?, user = coalesce(?, user) WHERE id = ?";
                self.change(sql, params![at, user, id])
            }
            SessionChange::LoginRefused { code, message } => self.change(
                "UPDATE session SET login_refused_at = ?, login_error_code = ?, login_error_message = ? WHERE id = ?",
                params![at, code, message, id],
            ),
            SessionChange::Closed { cause, code, detail } => {
                self.session.ended = true;
                self.change(
                    "UPDATE session SET closed_at = ?, cause = ?, code = ?, detail = ? WHERE id = ?",
                    params![at, cause.as_str(), code, detail, id],
                )
            }
        }
    }

    fn source_id(&self, name: &str, venue: &str) -> rusqlite::Result<i64> {
        let find = "SELECT id FROM source WHERE name = ?";
        let found = self.connection.prepare_cached(find)?.query_row([name], |row| row.get(0)).optional()?;
        match found {
            Some(id) => Ok(id),
            None => {
                self.connection.prepare_cached("INSERT INTO source (name, venue) VALUES (?, ?)")?.insert([name, venue])
            }
        }
    }

    pub(super) fn declare_stream(&mut self, stream: StreamRef, key: &StreamKey, nature: &Nature) -> Written {
        let source = self.source()?;
        let row = params![source, key.channel, key.market.as_deref().unwrap_or_default(), key.detail];
        let find = "SELECT id FROM stream WHERE source = ? AND channel = ? AND market = ? AND detail = ?";
        let found = self.connection.prepare_cached(find)?.query_row(row, |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                let insert = "INSERT INTO stream (source, channel, market, detail) VALUES (?, ?, ?, ?)";
                self.connection.prepare_cached(insert)?.insert(row)?
            }
        };
        if !nature.integrity.is_empty() {
            self.change(
                "INSERT INTO stream_nature (stream, time_unit_ns, integrity) VALUES (?, ?, ?) ON CONFLICT DO UPDATE \
                 SET time_unit_ns = excluded.time_unit_ns, integrity = excluded.integrity",
                params![id, nature.time.map(TimeUnit::nanos), nature.integrity],
            )?;
        }
        let streams = Arc::make_mut(&mut self.session.streams);
        let place = stream.0 as usize;
        if place == streams.len() {
            streams.push(memory::Stream { stream: id, subscription: None });
        } else {
            streams.get_mut(place).ok_or_else(|| skipped("stream", stream.0))?.stream = id;
        }
        Ok(())
    }

    pub(super) fn subscription(&mut self, change: &SubscriptionChange) -> Written {
        let at = self.at.0;
        match change {
            SubscriptionChange::Asked(stream) => {
                let asked = self.stream(*stream)?;
                self.change(
                    "INSERT INTO subscription (id, session, stream, asked_at) VALUES (?, ?, ?, ?)",
                    params![self.id, self.session_id.0, asked.stream, at],
                )?;
                let streams = Arc::make_mut(&mut self.session.streams);
                if let Some(asked) = streams.get_mut(stream.0 as usize) {
                    asked.subscription = Some(self.id);
                }
                Ok(())
            }
            SubscriptionChange::Acknowledged(stream) => {
                let id = self.subscription_id(*stream)?;
                self.change("UPDATE subscription SET acknowledged_at = ? WHERE id = ?", params![at, id])
            }
            SubscriptionChange::Refused { stream, code, message } => {
                let id = self.subscription_id(*stream)?;
                self.change(
                    "UPDATE subscription SET refused_at = ?, error_code = ?, error_message = ? WHERE id = ?",
                    params![at, code, message, id],
                )
            }
            SubscriptionChange::Data { stream, first, last, frames } => {
                let id = self.subscription_id(*stream)?;
                self.change(
                    "UPDATE subscription SET first_data_at = coalesce(first_data_at, ?1), last_data_at = ?2, \
                     frames = frames + ?3 WHERE id = ?4",
                    params![first.0, last.0, *frames as i64, id],
                )
            }
            SubscriptionChange::Ended { stream, cause } => {
                let id = self.subscription_id(*stream)?;
                self.change(
                    "UPDATE subscription SET ended_at = ?, cause = ? WHERE id = ?",
                    params![at, cause.as_str(), id],
                )
            }
        }
    }

    fn subscription_id(&self, stream: StreamRef) -> Result<i64, Fault> {
        let unasked =
            || Fault::Contradiction(format!("stream {} of session {} was not asked for", stream.0, self.session_id));
        self.stream(stream)?.subscription.ok_or_else(unasked)
    }

    pub(super) fn transition(&self, transition: &Transition) -> Written {
        let stream = self.stream(transition.stream)?.stream;
        let (state, reason) = state_and_reason(transition.state);
        let (at, session) = (transition.at.0, self.session_id.0);
        self.change(
            "INSERT INTO transition (id, stream, at, state, reason, session, frame, evidence) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![self.id, stream, at, state, reason, session, self.frame(), transition.evidence],
        )
    }

    pub(super) fn command(&self, command: &CommandSent) -> Written {
        let stream = command.stream.map(|stream| self.stream(stream)).transpose()?.map(|stream| stream.stream);
        self.change(
            "INSERT INTO command (id, session, sent_at, method, tag, stream) VALUES (?, ?, ?, ?, ?, ?)",
            params![self.id, self.session_id.0, self.at.0, command.method, command.tag, stream],
        )
    }

    pub(super) fn reply(&self, reply: &ReplyReceived) -> Written {
        let command = reply.command.map(|seq| seq.0 as i64);
        let ReplyReceived { tag, method, error_code, error_message, .. } = reply;
        self.change(
            "INSERT INTO reply (id, session, received_at, tag, command_seq, method, error_code, error_message) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![self.id, self.session_id.0, self.at.0, tag, command, method, error_code, error_message],
        )
    }

    pub(super) fn finding(&self, finding: &Finding) -> Written {
        let stream = self.stream(finding.stream)?.stream;
        let (check, is_contradiction) = (finding.check.as_str(), finding.check.is_contradiction());
        self.change(
            "INSERT INTO finding (id, stream, received_at, check_name, is_contradiction, since, evidence) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![self.id, stream, self.at.0, check, is_contradiction, finding.since.0, finding.evidence],
        )
    }

    pub(super) fn control(&self, control: &Control) -> Written {
        self.change(
            "INSERT INTO control (id, session, received_at, kind, detail) VALUES (?, ?, ?, ?, ?)",
            params![self.id, self.session_id.0, self.at.0, control.kind, control.detail],
        )
    }

    pub(super) fn not_understood(&self, what: &NotUnderstood) -> Written {
        let text = std::str::from_utf8(&what.body).ok();
        let bytes = text.is_none().then_some(&what.body);
        self.change(
            "INSERT INTO not_understood (id, session, received_at, reason, what, text, bytes) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![self.id, self.session_id.0, self.at.0, what.reason.as_str(), what.what, text, bytes],
        )
    }
}
