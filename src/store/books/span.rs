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

#[cfg(test)]
mod tests {
    use super::*;

    /// The spans of a chunk that ends with event 99 of frame 900: instrument, first, last, frames.
    fn written(chunk: &Chunk) -> Vec<(i64, i64, i64, Option<String>)> {
        let file = Connection::open_in_memory().unwrap();
        file.execute_batch(
            "CREATE TABLE book_span (instrument, first, last, frames); INSERT INTO book_span VALUES (0, 1, NULL, NULL)",
        )
        .unwrap();
        chunk.write(&file, 900 << EVENT_BITS | 99).unwrap();
        let mut select = file.prepare("SELECT instrument, first, last, frames FROM book_span ORDER BY rowid").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<_>>(2)?, row.get(3)?)));
        let rows: Vec<(i64, i64, Option<i64>, Option<String>)> = rows.unwrap().map(Result::unwrap).collect();
        assert_eq!((rows[0].0, rows[0].1), (0, (900 << EVENT_BITS | 99) + 1), "what is open begins behind it");
        rows.into_iter()
            .skip(1)
            .map(|(instrument, first, last, frames)| (instrument, first, last.unwrap(), frames))
            .collect()
    }

    #[test]
    fn an_instrument_with_few_events_has_its_frames_listed_from_its_first_on() {
        let mut chunk = Chunk::default();
        for (instrument, frame, n) in [(7, 50, 1), (3, 50, 2), (7, 50, 3), (7, 52, 1), (7, 59, 8)] {
            assert!(!chunk.add(instrument, frame << EVENT_BITS | n));
        }
        let id = |frame: i64, n: i64| frame << EVENT_BITS | n;
        assert_eq!(
            written(&chunk),
            [(3, id(50, 2), id(50, 2), Some("[0]".to_owned())), (7, id(50, 1), id(59, 8), Some("[0,2,9]".to_owned()))]
        );
    }

    #[test]
    fn an_instrument_with_many_events_is_looked_at_in_a_line_and_a_full_chunk_is_told() {
        let mut chunk = Chunk::default();
        for n in 0..255 {
            chunk.add(1, n << EVENT_BITS);
            chunk.add(2, n << EVENT_BITS);
        }
        chunk.add(2, 255 << EVENT_BITS);
        let listed: Vec<_> = written(&chunk).into_iter().map(|(instrument, .., frames)| (instrument, frames)).collect();
        let [(1, Some(frames)), (2, None)] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!(frames.split(',').count(), 255);
        let rest = CHUNK_EVENTS - 2 * 255 - 1;
        let full: Vec<_> = (0..rest).filter(|n| chunk.add(3, (*n as i64) << EVENT_BITS)).collect();
        assert_eq!(full, [rest - 1]);
    }
}
