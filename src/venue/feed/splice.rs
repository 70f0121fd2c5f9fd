//! REST answers: snapshots that are joined to the updates of a stream, and the tokens of logins.

use crate::journal::RestAnswer;
use crate::model::{Event, NotUnderstood, Seq, Stamp, StreamRef, Timestamp, UnknownReason};
use crate::venue::streams::Asking;
use crate::venue::{Action, Output, RestRequest, SnapshotSource, Splice};

use super::asking::retry;
use super::session::{Asked, Feed, is_login};
use super::{Position, Protocol, Reading, Refusal};

/// How far updates are joined to a snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Splicing {
    /// Where the updates that are known without a hole begin: the number of the first change, or its time.
    begins: Option<i64>,
    /// Where they end.
    ends: Option<i64>,
    /// Where the snapshot stands.
    snapshot: Option<i64>,
    /// Whether the snapshot is asked for and not answered.
    is_asked: bool,
    /// Not to be asked for before this, by the monotonic clock.
    not_before: i64,
    failures: u32,
}

impl Splicing {
    /// Begins anew, with whatever update comes next.
    pub(super) fn restart(&mut self) {
        *self =
            Self { is_asked: self.is_asked, not_before: self.not_before, failures: self.failures, ..Self::default() };
    }

    /// Whether no change lies between the snapshot and the updates; `None`: that cannot be told yet.
    fn is_joined(&self, splice: Splice) -> Option<bool> {
        let (begins, ends, snapshot) = (self.begins?, self.ends?, self.snapshot?);
        match splice {
            Splice::Number if begins > snapshot.saturating_add(1) => Some(false),
            Splice::Time if begins > snapshot => Some(false),
            // Updates that the snapshot has already join it only with the first that it has not.
            Splice::Number if ends < snapshot => None,
            _ => Some(true),
        }
    }
}

impl<P: Protocol> Feed<P> {
    /// Asks for the snapshots that are due.
    pub(super) fn fetch_snapshots(&mut self, at: Stamp, out: &mut Output) {
        let due = self.streams.select(|stream| {
            let splicing = &stream.kind.splicing;
            stream.is_wanted
                && stream.asking == Asking::Live
                && !stream.kind.is_whole
                && !splicing.is_asked
                && splicing.snapshot.is_none()
                // What the snapshot is to be joined to must have begun.
                && splicing.begins.is_some()
                && splicing.not_before <= at.mono
        });
        for stream in due {
            if !matches!(self.rules(stream).1, SnapshotSource::Rest(_)) || self.requests.free_at() > at.mono {
                continue;
            }
            let topic = self.streams.get(stream).kind.topic.clone();
            let Some(path) = self.protocol.snapshot_path(&topic) else { continue };
            self.requests.take(at.mono);
            let request = self.take_request(Asked::Snapshot(stream));
            self.streams.get_mut(stream).kind.splicing.is_asked = true;
            out.actions.push(Action::Rest(RestRequest::get(request, path)));
        }
    }

    /// When the next snapshot is to be asked for.
    pub(super) fn snapshots_due(&self, at: Stamp) -> Option<i64> {
        let waiting = self.streams.iter().filter(|(_, stream)| {
            let splicing = &stream.kind.splicing;
            stream.is_wanted && !stream.kind.is_whole && !splicing.is_asked && splicing.begins.is_some()
        });
        let due = waiting.map(|(_, stream)| stream.kind.splicing.not_before.max(self.requests.free_at())).min();
        due.filter(|due| *due > at.mono)
    }

    /// An update of a stream with a REST snapshot came, and followed.
    pub(super) fn update_came(
        &mut self,
        at: Stamp,
        stream: StreamRef,
        splice: Splice,
        position: &Position,
        time: Option<Timestamp>,
        out: &mut Output,
    ) {
        let place = match (splice, position) {
            (Splice::Number, Position::Range { first, last, .. }) => {
                i64::try_from(*first).ok().zip(i64::try_from(*last).ok())
            }
            (Splice::Number, Position::Number(number)) => i64::try_from(*number).ok().map(|number| (number, number)),
            (Splice::Time, _) => time.map(|time| (time.0, time.0)),
            (Splice::Number, _) => None,
        };
        let Some((first, last)) = place else { return };
        let splicing = &mut self.streams.get_mut(stream).kind.splicing;
        if splicing.begins.is_none() {
            splicing.begins = Some(first);
            self.has_news = true;
        }
        self.streams.get_mut(stream).kind.splicing.ends = Some(last);
        self.join(at, stream, splice, out);
    }

    /// A snapshot came by REST.
    pub(super) fn snapshot_came(
        &mut self,
        at: Stamp,
        stream: StreamRef,
        position: &Position,
        time: Option<Timestamp>,
        out: &mut Output,
    ) {
        let SnapshotSource::Rest(splice) = self.rules(stream).1 else { return };
        let place = match (splice, position) {
            (Splice::Number, Position::Number(number) | Position::Range { last: number, .. }) => {
                i64::try_from(*number).ok()
            }
            (Splice::Time, _) => time.map(|time| time.0),
            (Splice::Number, _) => None,
        };
        let splicing = &mut self.streams.get_mut(stream).kind.splicing;
        (splicing.snapshot, splicing.failures) = (place, 0);
        self.join(at, stream, splice, out);
    }

    fn join(&mut self, at: Stamp, stream: StreamRef, splice: Splice, out: &mut Output) {
        if self.streams.get(stream).kind.is_whole {
            return self.cover(at, stream, out);
        }
        match self.streams.get(stream).kind.splicing.is_joined(splice) {
            None => {}
            Some(true) => {
                self.streams.get_mut(stream).kind.is_whole = true;
                self.cover(at, stream, out);
            }
            Some(false) => {
                let splicing = &mut self.streams.get_mut(stream).kind.splicing;
                splicing.snapshot = None;
                self.delay_snapshot(at, stream);
            }
        }
    }

    fn delay_snapshot(&mut self, at: Stamp, stream: StreamRef) {
        let splicing = &mut self.streams.get_mut(stream).kind.splicing;
        splicing.failures += 1;
        splicing.not_before = at.mono.saturating_add(retry(splicing.failures));
        self.has_news = true;
    }

    /// A REST answer came, or the news that there is none.
    pub(super) fn rest(&mut self, seq: Seq, at: Stamp, answer: &RestAnswer, body: &[u8], out: &mut Output) {
        let asked = self.rests.remove(&answer.request);
        if let Some(Asked::Snapshot(stream)) = asked {
            self.streams.get_mut(stream).kind.splicing.is_asked = false;
        }
        let is_good = answer.status == Some(200) && answer.error.is_none();
        match asked {
            _ if is_login(answer.request) => {
                let verdict = if is_good { self.protocol.login_answer(body) } else { Err(unanswered(answer)) };
                match verdict {
                    Ok(()) => self.logged_in(at, out),
                    Err(refusal) => self.login_refused(at, &refusal, out),
                }
            }
            Some(Asked::Snapshot(stream)) if !is_good => self.delay_snapshot(at, stream),
            _ if is_good => {
                let topic = match asked {
                    Some(Asked::Snapshot(stream)) => Some(self.streams.get(stream).kind.topic.clone()),
                    _ => None,
                };
                let Ok(text) = std::str::from_utf8(body) else {
                    let (reason, what) = (UnknownReason::InvalidUtf8, answer.path.clone());
                    let told = NotUnderstood { reason, what, body: body.to_vec() };
                    return out.events.push(Event::NotUnderstood(Box::new(told)));
                };
                let start = out.events.len();
                let mut reading = Reading::new(seq, &mut self.markets, &mut out.events);
                self.protocol.rest(topic.as_ref(), answer, text, &mut reading);
                let (said, problems) = reading.finish();
                self.conclude(at, start, body, said, problems, out);
            }
            _ => {}
        }
        self.has_news = true;
    }
}

/// Why there is no good answer. What the venue will not do for this account it will not do a minute later either.
fn unanswered(answer: &RestAnswer) -> Refusal {
    let message = match (&answer.error, answer.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "no answer".to_owned(),
    };
    let is_passing = !matches!(answer.status, Some(400..=407 | 409..=428 | 430..=499));
    Refusal { code: answer.status.map_or(0, i64::from), message, is_passing }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Updates from `begins` to `ends`, and a snapshot.
    fn splicing(begins: i64, ends: i64, snapshot: i64) -> Splicing {
        Splicing { begins: Some(begins), ends: Some(ends), snapshot: Some(snapshot), ..Splicing::default() }
    }

    #[test]
    fn by_number_a_snapshot_joins_updates_that_begin_with_the_next_change_at_the_latest_and_go_as_far() {
        let joined = |begins, ends, snapshot| splicing(begins, ends, snapshot).is_joined(Splice::Number);
        assert_eq!(joined(10, 20, 8), Some(false));
        assert_eq!(joined(10, 20, 9), Some(true));
        assert_eq!(joined(10, 20, 15), Some(true));
        assert_eq!(joined(10, 20, 20), Some(true));
        assert_eq!(joined(10, 20, 21), None);
        assert_eq!(joined(i64::MAX, i64::MAX, i64::MAX), Some(true));
    }

    #[test]
    fn by_time_a_snapshot_joins_updates_that_begin_no_later() {
        let joined = |begins, snapshot| splicing(begins, 20, snapshot).is_joined(Splice::Time);
        assert_eq!(joined(10, 9), Some(false));
        assert_eq!(joined(10, 10), Some(true));
        assert_eq!(joined(10, 21), Some(true));
    }

    #[test]
    fn what_begins_anew_forgets_what_came_and_not_what_was_asked() {
        let mut splicing = Splicing { is_asked: true, not_before: 7, failures: 2, ..splicing(1, 2, 3) };
        splicing.restart();
        assert_eq!(splicing.is_joined(Splice::Number), None);
        assert_eq!((splicing.begins, splicing.ends, splicing.snapshot), (None, None, None));
        assert_eq!((splicing.is_asked, splicing.not_before, splicing.failures), (true, 7, 2));
    }

    #[test]
    fn a_refusal_that_a_minute_does_not_change_is_told_from_one_that_it_may() {
        let refusal = |status, error: Option<&str>| {
            unanswered(&RestAnswer { request: 0, path: "/token".to_owned(), status, error: error.map(str::to_owned) })
        };
        for (status, is_passing) in [(400, false), (407, false), (408, true), (409, false), (429, true), (499, false)] {
            assert_eq!(refusal(Some(status), None).is_passing, is_passing, "{status}");
        }
        for (status, is_passing) in [(399, true), (428, false), (430, false), (500, true), (503, true)] {
            assert_eq!(refusal(Some(status), None).is_passing, is_passing, "{status}");
        }
        let told = |status, error| refusal(status, error).message;
        assert_eq!(told(Some(503), None), "status 503");
        assert_eq!(told(None, Some("refused")), "refused");
        assert_eq!(told(None, None), "no answer");
        assert_eq!(refusal(Some(503), None).code, 503);
        assert!(refusal(None, None).is_passing);
    }
}
