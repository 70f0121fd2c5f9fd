//! Consecutive records of one session, with the events concluded from them.

use crate::model::{Event, Seq, SessionId, Stamp, Timestamp};

use super::RecordKind;

/// A record without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// What it is.
    pub kind: RecordKind,
    /// When it was made.
    pub at: Stamp,
    /// Length of the body in bytes.
    pub len: u32,
}

/// A record: an input of a session as it is journalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: RecordKind,
    /// When it was made.
    pub at: Stamp,
    /// Its bytes: for a frame, exactly what was received or (login redacted) sent.
    pub body: &'a [u8],
}

/// Consecutive records of one session and the events concluded from them: the unit that is stored, whole or not at all.
///
/// Buffers keep their capacity over [`Batch::reset`], so a batch that comes back from the sink costs no allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    session: Option<SessionId>,
    first: Seq,
    heads: Vec<RecordHead>,
    bodies: Vec<u8>,
    events: Vec<(u32, Event)>,
    is_awaited: bool,
}

impl Batch {
    /// An empty batch of `session`, whose first record will have the place `first`.
    #[must_use]
    pub fn new(session: SessionId, first: Seq) -> Self {
        Self { session: Some(session), first, ..Self::default() }
    }

    /// Empties it for another use, keeping its memory.
    pub fn reset(&mut self, session: SessionId, first: Seq) {
        self.session = Some(session);
        self.first = first;
        self.heads.clear();
        self.bodies.clear();
        self.events.clear();
        self.is_awaited = false;
    }

    /// Marks it as one whose being durable is waited for: it is not to wait for others.
    pub fn await_it(&mut self) {
        self.is_awaited = true;
    }

    /// Whether its being durable is waited for.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// The session. An unused [`Batch::default`] belongs to the recorder.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session.unwrap_or(SessionId::RECORDER)
    }

    /// The place of the first record.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.first
    }

    /// The place the next record will have.
    #[must_use]
    pub fn next(&self) -> Seq {
        Seq(self.first.0 + self.heads.len() as u64)
    }

    /// Whether there is no record in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// What it holds in memory, in bytes: what the back-pressure of the data path counts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bodies.len() + self.heads.len() * size_of::<RecordHead>() + self.events.len() * size_of::<(u32, Event)>()
    }

    /// The memory it keeps over [`Batch::reset`], in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bodies.capacity()
            + self.heads.capacity() * size_of::<RecordHead>()
            + self.events.capacity() * size_of::<(u32, Event)>()
    }

    /// Appends a record and returns its place.
    ///
    /// # Panics
    /// If a body has 4 GiB or more; frames are limited far below.
    pub fn push(&mut self, kind: RecordKind, at: Stamp, body: &[u8]) -> Seq {
        let seq = self.next();
        let len = u32::try_from(body.len()).expect("a record body is shorter than 4 GiB");
        self.heads.push(RecordHead { kind, at, len });
        self.bodies.extend_from_slice(body);
        seq
    }

    /// Appends an event concluded from the last record.
    pub fn conclude(&mut self, event: Event) {
        let record = self.heads.len().saturating_sub(1);
        self.events.push((record as u32, event));
    }

    /// The heads of the records, in order.
    #[must_use]
    pub fn heads(&self) -> &[RecordHead] {
        &self.heads
    }

    /// The bodies of the records, one after the other.
    #[must_use]
    pub fn bodies(&self) -> &[u8] {
        &self.bodies
    }

    /// The events in order, each with the index within this batch of the record it was concluded from.
    #[must_use]
    pub fn events(&self) -> &[(u32, Event)] {
        &self.events
    }

    /// The records in order.
    pub fn records(&self) -> impl Iterator<Item = (Seq, Record<'_>)> {
        let mut rest = self.bodies.as_slice();
        self.heads.iter().zip(self.first.0..).map(move |(head, seq)| {
            let (body, after) = rest.split_at(head.len as usize);
            rest = after;
            (Seq(seq), Record { kind: head.kind, at: head.at, body })
        })
    }

    /// Arrival of the last record.
    #[must_use]
    pub fn last_at(&self) -> Option<Timestamp> {
        self.heads.last().map(|head| head.at.wall)
    }
}
