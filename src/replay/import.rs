//! Captured frames through the code the socket uses, into a database.

use std::io::BufRead;
use std::sync::Arc;

use thiserror::Error;

use crate::journal::{Batch, Closed, Input, Opened, Plan, RestAnswer, Tape};
use crate::model::{Catalog, CloseCause, SessionId, Stamp, Timestamp};
use crate::sink::{Sink, SinkError};
use crate::venue::Venue;

use super::capture::{CaptureError, Direction};
use super::format::{Capture, Entry, Format};

/// A batch goes to the sink with this many records.
const BATCH_RECORDS_MAX: usize = 4_096;
/// Or with this many bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// The sink commits after this many batches.
const BATCHES_PER_COMMIT: usize = 16;

/// What a capture is imported as.
pub struct Origin<'a> {
    /// The source its rows belong to.
    pub source: &'a str,
    /// The protocol its frames speak.
    pub venue: &'static dyn Venue,
    /// Assets and markets, with the scales of the frames' numbers; without one, numbers stay as sent.
    pub catalog: Option<Arc<Catalog>>,
    /// What the capture is called: its path.
    pub name: &'a str,
    /// How it is written; `None`: as its first line says.
    pub format: Option<Format>,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Frames received, by the capture.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// REST answers.
    pub answers: u64,
    /// Connections, each a session.
    pub sessions: i64,
    /// Events concluded from them.
    pub events: u64,
}

/// Why a capture was not imported to its end. What came before stays.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The database cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Imports a capture, as a session for each connection that it tells of, the first with this id and the others with
/// those that follow. Arrival times that the capture does not have are 0, which stands for unknown.
///
/// # Errors
/// If the capture cannot be read or the database not be written.
pub fn import(
    sink: &mut dyn Sink,
    session: SessionId,
    origin: &Origin<'_>,
    capture: impl BufRead,
) -> Result<Imported, ImportError> {
    let mut importer = Importer {
        tape: Tape::new(session, origin.venue.session(None)),
        sink,
        origin,
        spare: Batch::default(),
        batches: 0,
        last: None,
        imported: Imported::default(),
    };
    let mut capture = Capture::new(capture, origin.format);
    let end = loop {
        match capture.read() {
            Ok(Some(entry)) => importer.take(entry)?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let detail = match &end {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    importer.close(CloseCause::EndOfCapture, detail)?;
    importer.ship()?;
    importer.sink.commit()?;
    end?;
    Ok(importer.imported)
}

/// The stamp of a captured frame. The monotonic clock of whoever captured it is unknown, so the wall clock stands in.
fn stamp(time: Option<Timestamp>) -> Stamp {
    let wall = time.unwrap_or_default();
    Stamp { wall, mono: wall.0 }
}

struct Importer<'a> {
    tape: Tape,
    sink: &'a mut dyn Sink,
    origin: &'a Origin<'a>,
    spare: Batch,
    batches: usize,
    /// When the last record of the open session was made.
    last: Option<Stamp>,
    imported: Imported,
}

impl Importer<'_> {
    fn take(&mut self, entry: Entry<'_>) -> Result<(), SinkError> {
        match entry {
            Entry::Message(message) => {
                let at = self.open(message.at)?;
                self.frame(at, message.direction, &message.body)
            }
            Entry::Connected { at } => {
                if self.last.is_some() {
                    self.close(CloseCause::EndOfStream, "the capture connects anew".to_owned())?;
                    self.ship()?;
                    let next = SessionId(self.tape.batch().session().0 + 1);
                    self.tape = Tape::new(next, self.origin.venue.session(None));
                }
                self.open(at).map(drop)
            }
            Entry::Rest { at, path, body } => {
                let at = self.open(at)?;
                self.imported.answers += 1;
                // No request of this session: what was asked for is in the path.
                let path = format!("GET {path}");
                let answer = RestAnswer { request: u64::MAX, path, status: Some(200), error: None };
                self.feed(at, &Input::Rest(answer, body))
            }
        }
    }

    /// The stamp of a record; the first of a connection opens it.
    fn open(&mut self, time: Option<Timestamp>) -> Result<Stamp, SinkError> {
        let at = stamp(time);
        if self.last.replace(at).is_none() {
            let plan = Plan {
                source: self.origin.source.to_owned(),
                venue: self.origin.venue.name().to_owned(),
                url: self.origin.name.to_owned(),
                first: self.imported.sessions == 0,
                ..Plan::default()
            };
            self.imported.sessions += 1;
            self.feed(at, &Input::Connecting(Arc::new(plan)))?;
            if let Some(catalog) = &self.origin.catalog {
                self.feed(at, &Input::Catalog(catalog.clone()))?;
            }
            self.feed(at, &Input::Opened(Opened { peer: None }))?;
        }
        Ok(at)
    }

    fn close(&mut self, cause: CloseCause, detail: String) -> Result<(), SinkError> {
        match self.last.take() {
            Some(at) => self.feed(at, &Input::Closed(Closed::new(cause, detail))),
            None => Ok(()),
        }
    }

    fn frame(&mut self, at: Stamp, direction: Direction, body: &[u8]) -> Result<(), SinkError> {
        match direction {
            Direction::Received => {
                self.imported.received += 1;
                self.feed(at, &Input::Received(body))
            }
            Direction::ReceivedBinary => {
                self.imported.received += 1;
                self.feed(at, &Input::ReceivedBinary(body))
            }
            Direction::Sent => {
                self.imported.sent += 1;
                match std::str::from_utf8(body) {
                    Ok(text) => self.feed(at, &Input::Sent(self.origin.venue.redact(text).as_bytes())),
                    Err(_) => self.feed(at, &Input::Sent(body)),
                }
            }
        }
    }

    fn feed(&mut self, at: Stamp, input: &Input<'_>) -> Result<(), SinkError> {
        self.tape.feed(at, input);
        // What a session wishes for is of no use to a capture.
        self.tape.actions().for_each(drop);
        let batch = self.tape.batch();
        if batch.len() >= BATCH_RECORDS_MAX || batch.bytes() >= BATCH_BYTES_MAX {
            self.ship()?;
        }
        Ok(())
    }

    fn ship(&mut self) -> Result<(), SinkError> {
        let batch = self.tape.ship(std::mem::take(&mut self.spare));
        self.imported.events += batch.events().len() as u64;
        if !batch.is_empty() {
            self.sink.append(&batch)?;
            self.batches += 1;
            if self.batches.is_multiple_of(BATCHES_PER_COMMIT) {
                self.sink.commit()?;
            }
        }
        self.spare = batch;
        Ok(())
    }
}
