//! What can be said of a stream: the positions of its messages against its scheme.

use crate::model::{Check, Coverage, Event, Finding, GapCause, Stamp, StreamRef, Timestamp, Verdict};
use crate::venue::streams::Asking;
use crate::venue::{Integrity, Output, Scheme, Scope, SnapshotSource};

use super::session::{Feed, Sequence};
use super::tracker::{Step, Tracker};
use super::{Kind, Position, Protocol, Topic};

impl<P: Protocol> Feed<P> {
    /// Data of a stream came.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of what was said")]
    pub(super) fn data(
        &mut self,
        at: Stamp,
        topic: &Topic,
        kind: Kind,
        position: &Position,
        time: Option<Timestamp>,
        is_damaged: bool,
        out: &mut Output,
    ) {
        let Some(stream) = self.meet(topic, &mut out.events) else { return };
        let (integrity, source) = self.rules(stream);
        match self.streams.get(stream).asking {
            Asking::Live => {}
            // What comes unasked, in a capture without answers, or ahead of the answer, is agreed to.
            Asking::Idle if !self.streams.get(stream).is_wanted => self.acknowledged(at, stream, out),
            Asking::Asked
                if kind == Kind::Snapshot || !matches!(source, SnapshotSource::InBand | SnapshotSource::Reply) =>
            {
                self.acknowledged(at, stream, out);
            }
            // Of an asking that is over.
            Asking::Idle | Asking::Asked | Asking::Refused => return,
        }
        self.streams.data(stream, at);
        if self.is_late && integrity.scope == Scope::Connection {
            // What it says is older than what came after it: no state begins with it.
            return;
        }
        if is_damaged {
            return self.lose(at, stream, at.wall, GapCause::NotUnderstood, "a field is missing or unreadable", out);
        }
        if let SnapshotSource::Rest(_) = source
            && kind == Kind::Snapshot
        {
            return self.snapshot_came(at, stream, position, time, out);
        }
        let is_in_band = matches!(source, SnapshotSource::InBand | SnapshotSource::Reply);
        if is_in_band && !self.streams.get(stream).kind.is_whole && integrity.scope == Scope::Topic {
            if kind == Kind::Update {
                // It changes a state that is not had.
                return;
            }
            self.tracker(stream, integrity).forget();
        }
        let step = match integrity.scope {
            Scope::Connection => Step::Unsaid,
            _ => self.tracker(stream, integrity).take(position, kind),
        };
        if !self.judge(at, stream, kind, step, out) {
            return;
        }
        if let SnapshotSource::Rest(splice) = source {
            self.update_came(at, stream, splice, position, time, out);
        } else if kind == Kind::Snapshot || source == SnapshotSource::None {
            let kind = &mut self.streams.get_mut(stream).kind;
            (kind.is_whole, kind.is_broken) = (true, false);
            self.cover(at, stream, out);
        }
    }

    /// What the completeness of a stream is judged by, and where its state comes from.
    pub(super) fn rules(&self, stream: StreamRef) -> (Integrity, SnapshotSource) {
        let channel = self.channel(stream);
        channel.map_or((Integrity::NONE, SnapshotSource::None), |channel| (channel.integrity, channel.snapshot))
    }

    /// The tracker that a stream's messages go by.
    fn tracker(&mut self, stream: StreamRef, integrity: Integrity) -> &mut Tracker {
        self.trackers.entry(Sequence::of(stream, integrity.scope)).or_insert_with(|| Tracker::new(integrity.scheme))
    }

    /// A frame of the connection came, whatever it is.
    pub(super) fn frame_came(&mut self, at: Stamp, position: &Position, out: &mut Output) {
        let of_connection = |integrity: Integrity| integrity.scope == Scope::Connection;
        let scheme = self.protocol.profile().channels.iter().map(|channel| channel.integrity);
        let Some(integrity) = scheme.into_iter().find(|integrity| of_connection(*integrity)) else { return };
        let tracker = self.trackers.entry(Sequence::Connection).or_insert_with(|| Tracker::new(integrity.scheme));
        let step = tracker.take(position, Kind::Update);
        self.is_late = step == Step::Repeated;
        for stream in self.streams.select(|stream| stream.asking != Asking::Idle) {
            if of_connection(self.rules(stream).0) {
                self.judge(at, stream, Kind::Update, step.clone(), out);
            }
        }
    }

    /// Takes what a message's position says, and tells whether a state follows from it.
    fn judge(&mut self, at: Stamp, stream: StreamRef, kind: Kind, step: Step, out: &mut Output) -> bool {
        let (integrity, _) = self.rules(stream);
        match step {
            Step::Follows => {
                if !self.is_waiting(stream, integrity) {
                    self.streams.get_mut(stream).kind.good_at = at.wall;
                }
            }
            Step::Repeated if kind == Kind::Update => {
                let evidence = "its number has come before".to_owned();
                let finding = Finding { check: Check::CameTwice, stream, since: at.wall, evidence };
                out.events.push(Event::Finding(Box::new(finding)));
                // It says nothing new, not even that nothing is missing up to here.
                return false;
            }
            Step::Repeated | Step::Pending | Step::Unsaid => {}
            Step::Broken { evidence } => {
                let cause = match integrity.scheme {
                    Scheme::Checksum { .. } => GapCause::ChecksumFailed,
                    _ => GapCause::SequenceBroken,
                };
                let since = self.streams.get(stream).kind.good_at;
                self.lose(at, stream, since, cause, &evidence, out);
                self.streams.get_mut(stream).kind.good_at = at.wall;
                // A number that does not follow begins anew; a checksum that does not hold begins nothing.
                return cause == GapCause::SequenceBroken;
            }
        }
        true
    }

    fn is_waiting(&self, stream: StreamRef, integrity: Integrity) -> bool {
        self.trackers.get(&Sequence::of(stream, integrity.scope)).is_some_and(Tracker::is_waiting)
    }

    /// A stream was agreed to; one without a state to begin from is covered from here on.
    pub(super) fn begin(&mut self, at: Stamp, stream: StreamRef, out: &mut Output) {
        let (_, source) = self.rules(stream);
        self.streams.get_mut(stream).kind.good_at = at.wall;
        if source == SnapshotSource::None {
            self.streams.get_mut(stream).kind.is_whole = true;
            self.cover(at, stream, out);
        }
    }

    /// A stream is recorded from here on, with the verdict its scheme allows.
    pub(super) fn cover(&mut self, at: Stamp, stream: StreamRef, out: &mut Output) {
        let (integrity, _) = self.rules(stream);
        let entry = self.streams.get(stream);
        if !entry.kind.is_whole || entry.asking != Asking::Live || entry.kind.is_broken {
            return;
        }
        let has_begun = self.trackers.get(&Sequence::of(stream, integrity.scope)).is_some_and(Tracker::has_begun);
        let counts = matches!(integrity.scheme, Scheme::Counter { .. } | Scheme::Chain | Scheme::Range);
        let (verdict, evidence) = match integrity.scheme {
            _ if counts && !has_begun => (Verdict::Unverifiable, Some("no numbered message has come yet")),
            Scheme::Checksum { blind } => (Verdict::Checked, Some(blind)),
            scheme => (scheme.verdict(), None),
        };
        let state = Coverage::Covered(verdict);
        if self.streams.state(stream) != Some(state) {
            self.streams.put(stream, at.wall, state, evidence, &mut out.events);
        }
        let kind = &mut self.streams.get_mut(stream).kind;
        kind.good_at = kind.good_at.max(at.wall);
        kind.tries = 0;
    }

    /// Something of a stream is missing since then. It is in a gap until its state is had again, for which it is taken
    /// up anew; one that has no state goes on at once.
    pub(super) fn lose(
        &mut self,
        at: Stamp,
        stream: StreamRef,
        since: Timestamp,
        cause: GapCause,
        evidence: &str,
        out: &mut Output,
    ) {
        let (integrity, source) = self.rules(stream);
        if !matches!(self.streams.state(stream), Some(Coverage::Covered(_))) {
            // Its state was not had yet, and what would have given it was no good.
            let kind = &mut self.streams.get_mut(stream).kind;
            if matches!(source, SnapshotSource::InBand | SnapshotSource::Reply) && !kind.is_broken {
                kind.is_broken = true;
                self.back_off(at, stream);
                self.has_news = true;
            }
            // A snapshot joins only what came behind the hole.
            if matches!(source, SnapshotSource::Rest(_)) {
                self.streams.get_mut(stream).kind.splicing.restart();
            }
            return;
        }
        let evidence = Some(evidence).filter(|evidence| !evidence.is_empty());
        let state = match integrity.scheme {
            // Nothing is known to be missing; the order is in doubt.
            Scheme::TimeOnly if cause == GapCause::SequenceBroken => Coverage::Covered(Verdict::Unverifiable),
            _ => Coverage::Gap(cause),
        };
        self.streams.put(stream, since, state, evidence, &mut out.events);
        if cause == GapCause::Stale || !matches!(source, SnapshotSource::None | SnapshotSource::Rest(_)) {
            let kind = &mut self.streams.get_mut(stream).kind;
            (kind.is_broken, kind.is_whole) = (true, false);
            self.forget(stream);
            self.back_off_from_second(at, stream);
        } else if source == SnapshotSource::None {
            self.cover(at, stream, out);
        } else {
            self.streams.get_mut(stream).kind.is_whole = false;
            self.streams.get_mut(stream).kind.splicing.restart();
        }
        self.has_news = true;
    }

    /// What broke once is taken up anew at once; what breaks again and again, later and later.
    fn back_off_from_second(&mut self, at: Stamp, stream: StreamRef) {
        if self.streams.get(stream).kind.tries > 0 {
            self.back_off(at, stream);
        }
    }

    /// Whatever comes next of a stream is the first.
    pub(super) fn forget(&mut self, stream: StreamRef) {
        if let Some(tracker) = self.trackers.get_mut(&Sequence::Stream(stream)) {
            tracker.forget();
        }
        let topic = self.streams.get(stream).kind.topic.clone();
        self.protocol.forget(&topic);
    }
}
