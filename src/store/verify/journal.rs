//! Whether the journal is whole: blocks that can be read and follow each other, sessions without a hole, and spans that
//! lead to every record.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Aspect, Report, Verifier};
use crate::journal::block::{self, Block, Span};
use crate::model::{Seq, SessionId};
use crate::store::StoreError;

impl Verifier {
    /// Reads all blocks. `progress` is told how many records are done, and of how many. Says whether the journal is
    /// whole.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn journal(&mut self, mut progress: impl FnMut(u64, u64)) -> Result<bool, StoreError> {
        let total = self.frames.last()?.max(0) as u64;
        let mut blocks = block::Reader::new().map_err(|error| {
            let path = self.frames.reader().path.clone();
            StoreError::Internal { path, what: error.to_string() }
        })?;
        self.look(|reader, report| {
            let mut journal = Journal { connection: &reader.connection, report, next: 1, places: HashMap::new() };
            journal.read(&mut blocks, |done| progress(done, total)).map_err(|error| reader.fault(error))
        })?;
        Ok(self.report.count(Aspect::Journal) == 0)
    }
}

/// A row of table `frame_block` without its body.
struct Row {
    first: i64,
    frames: i64,
    arrivals: (i64, i64),
}

struct Journal<'a> {
    connection: &'a Connection,
    report: &'a mut Report,
    /// The number that the next record must have.
    next: i64,
    /// The place that the next record of each session must have.
    places: HashMap<SessionId, Seq>,
}

impl Journal<'_> {
    fn read(&mut self, blocks: &mut block::Reader, mut progress: impl FnMut(u64)) -> rusqlite::Result<()> {
        let select = "SELECT first, frames, from_at, to_at, codec, raw_bytes, body FROM frame_block ORDER BY first";
        let mut select = self.connection.prepare(select)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let found = Row { first: row.get(0)?, frames: row.get(1)?, arrivals: (row.get(2)?, row.get(3)?) };
            self.numbers(&found);
            match blocks.read(row.get(4)?, row.get(5)?, row.get_ref(6)?.as_blob()?) {
                Ok(block) => self.block(&found, &block)?,
                Err(error) => {
                    self.report.find(Aspect::Journal, place_of(&found), error.to_string());
                    self.skip(&found)?;
                }
            }
            self.report.blocks += 1;
            self.report.records += found.frames.max(0) as u64;
            progress(self.report.records);
        }
        self.spans()
    }

    /// Blocks follow each other without a hole.
    fn numbers(&mut self, found: &Row) {
        let (first, next) = (found.first, self.next);
        if first > next {
            let what = format!("records {next} to {} before it are missing", first - 1);
            self.report.find(Aspect::Journal, place_of(found), what);
        } else if first < next {
            self.report.find(
                Aspect::Journal,
                place_of(found),
                format!("record {first} is in the block before as well"),
            );
        }
        self.next = first.saturating_add(found.frames.max(0));
    }

    /// What a row says of its block is so, and the sessions in it go on.
    fn block(&mut self, found: &Row, block: &Block<'_>) -> rusqlite::Result<()> {
        if block.len() as i64 != found.frames {
            let what = format!("has {} records, its row says {}", block.len(), found.frames);
            self.report.find(Aspect::Journal, place_of(found), what);
        }
        let arrivals = block.records().map(|(.., record)| record.at.wall.0);
        let arrivals = arrivals.fold(None, |so_far: Option<(i64, i64)>, at| {
            Some(so_far.map_or((at, at), |(earliest, latest)| (earliest.min(at), latest.max(at))))
        });
        if arrivals.is_some_and(|arrivals| arrivals != found.arrivals) {
            self.report.find(Aspect::Journal, place_of(found), "has other times than its row says");
        }
        let mut number = found.first;
        for span in block.spans() {
            self.session_goes_on(span, number);
            self.span_leads_there(*span, number)?;
            number = number.saturating_add_unsigned(span.records);
        }
        Ok(())
    }

    /// A session's records follow each other without a hole.
    fn session_goes_on(&mut self, span: &Span, number: i64) {
        let expected = self.places.insert(span.session, span.next()).unwrap_or_default();
        if span.first != expected {
            let what = format!("record {number} has place {}, and {expected} is next", span.first);
            self.report.find(Aspect::Journal, format!("session {}", span.session), what);
        }
    }

    /// Table `frame_span` leads from the places of a session to the numbers of its records.
    fn span_leads_there(&mut self, mut span: Span, mut number: i64) -> rusqlite::Result<()> {
        let select = "SELECT first_frame + ?2 - first_seq, first_seq + frames - ?2 FROM frame_span \
             WHERE session = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
        let mut select = self.connection.prepare_cached(select)?;
        while span.records > 0 {
            let found: Option<(i64, i64)> = select
                .query_row(params![span.session.0, span.first.0 as i64], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let led = match found {
                Some((led_to, records)) if led_to == number && records > 0 => (records as u64).min(span.records),
                _ => {
                    let (first, last) = (span.first, span.next().0 - 1);
                    let last_number = number.saturating_add_unsigned(span.records - 1);
                    let what =
                        format!("no row leads from places {first} to {last} to records {number} to {last_number}");
                    self.report.find(Aspect::Journal, format!("frame_span of session {}", span.session), what);
                    return Ok(());
                }
            };
            span.first = Seq(span.first.0 + led);
            span.records -= led;
            number = number.saturating_add_unsigned(led);
        }
        Ok(())
    }

    /// Goes on after a block that cannot be read as if its records were what table `frame_span` says.
    fn skip(&mut self, found: &Row) -> rusqlite::Result<()> {
        let end = found.first.saturating_add(found.frames);
        let select = "SELECT session, max(first_seq + min(frames, ?2 - first_frame)) FROM frame_span \
             WHERE first_frame < ?2 AND first_frame + frames > ?1 GROUP BY session";
        let mut select = self.connection.prepare_cached(select)?;
        let mut rows = select.query([found.first, end])?;
        while let Some(row) = rows.next()? {
            self.places.insert(SessionId(row.get(0)?), Seq(row.get::<_, i64>(1)?.max(0) as u64));
        }
        Ok(())
    }

    /// Every span was met: so there are none that lead nowhere.
    fn spans(&mut self) -> rusqlite::Result<()> {
        let spanned: i64 =
            self.connection.query_row("SELECT coalesce(sum(frames), 0) FROM frame_span", [], |row| row.get(0))?;
        if self.report.count(Aspect::Journal) == 0 && spanned != self.next - 1 {
            let what = format!("leads to {spanned} records, there are {}", self.next - 1);
            self.report.find(Aspect::Journal, "frame_span", what);
        }
        Ok(())
    }
}

fn place_of(found: &Row) -> String {
    format!("frame_block {}", found.first)
}
