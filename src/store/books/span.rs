//! Where the events of an instrument lie among those of the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::{Connection, params};

use crate::store::writer::EVENT_BITS;

/// Events of a chunk. What is not in spans yet is looked at for every book, so it bounds what a quiet book costs.
const CHUNK_EVENTS: usize = 4_096;

/// An instrument with fewer events of a chunk than one in so many has them listed by frame: finding a row by its key
/// costs about as much as looking at so many in a line.
const LISTED_PER: usize = 16;

/// The events since the last span.
#[derive(Default)]
pub(super) struct Chunk {
    events: usize,
    spans: BTreeMap<i64, Span>,
}

struct Span {
    first: i64,
    last: i64,
    events: usize,
    /// Its frames, as long as they are few.
    frames: Vec<i64>,
}

impl Chunk {
    /// Adds an event. Says whether the chunk is full with it.
    pub(super) fn add(&mut self, instrument: i64, id: i64) -> bool {
        self.events += 1;
        let span = self.spans.entry(instrument).or_insert(Span { first: id, last: id, events: 0, frames: Vec::new() });
        span.last = id;
        span.events += 1;
        let frame = id >> EVENT_BITS;
        if span.is_listed() && span.frames.last() != Some(&frame) {
            span.frames.push(frame);
        }
        self.events == CHUNK_EVENTS
    }

    /// Writes the spans of a chunk whose last event has that id.
    pub(super) fn write(&self, connection: &Connection, last: i64) -> rusqlite::Result<()> {
        let insert = "INSERT INTO book_span (instrument, first, last, frames) VALUES (?, ?, ?, ?)";
        let mut insert = connection.prepare_cached(insert)?;
        for (instrument, span) in &self.spans {
            insert.execute(params![instrument, span.first, span.last, span.is_listed().then(|| span.list())])?;
        }
        connection.prepare_cached("UPDATE book_span SET first = ? WHERE instrument = 0")?.execute([last + 1])?;
        Ok(())
    }
}

impl Span {
    fn is_listed(&self) -> bool {
        self.events * LISTED_PER < CHUNK_EVENTS
    }

    /// As a JSON array, counted from its first frame.
    fn list(&self) -> String {
        let mut list = String::from("[");
        for frame in &self.frames {
            let separator = if list.len() > 1 { "," } else { "" };
            // Writing to a String does not fail.
            let _ = write!(list, "{separator}{}", frame - (self.first >> EVENT_BITS));
        }
        list.push(']');
        list
    }
}
