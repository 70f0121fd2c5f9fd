//! Captured frames through the code the socket uses, into a database.

use std::io::BufRead;
use std::sync::Arc;

use thiserror::Error;

use crate::journal::{Batch, Closed, Input, Opened, Plan, Tape};
use crate::model::{Catalog, CloseCause, SessionId, Stamp, Timestamp};
use crate::sink::{Sink, SinkError};
use crate::venue::Venue;

use super::capture::{CaptureError, Direction, Reader};

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
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Frames received, by the capture.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
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

/// Imports a capture as one session. Arrival times that the capture does not have are 0, which stands for unknown.
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
        spare: Batch::default(),
        batches: 0,
        imported: Imported::default(),
    };
    let mut reader = Reader::new(capture);
    let mut at = None;
    let end = loop {
        match reader.read() {
            Ok(Some(message)) => {
                let now = stamp(message.at);
                if at.is_none() {
                    importer.open(now, origin)?;
                }
                at = Some(now);
                importer.frame(now, message.direction, &message.body, origin.venue)?;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if let Some(at) = at {
        let detail = match &end {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        importer.feed(at, &Input::Closed(Closed { cause: CloseCause::EndOfCapture, code: None, detail }))?;
    }
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
    spare: Batch,
    batches: usize,
    imported: Imported,
}

impl Importer<'_> {
    fn open(&mut self, at: Stamp, origin: &Origin<'_>) -> Result<(), SinkError> {
        let plan = Plan {
            source: origin.source.to_owned(),
            venue: origin.venue.name().to_owned(),
            url: origin.name.to_owned(),
            first: true,
            ..Plan::default()
        };
        self.feed(at, &Input::Connecting(Arc::new(plan)))?;
        if let Some(catalog) = &origin.catalog {
            self.feed(at, &Input::Catalog(catalog.clone()))?;
        }
        self.feed(at, &Input::Opened(Opened { peer: None }))
    }

    fn frame(&mut self, at: Stamp, direction: Direction, body: &[u8], venue: &dyn Venue) -> Result<(), SinkError> {
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
                    Ok(text) => self.feed(at, &Input::Sent(venue.redact(text).as_bytes())),
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
