//! The journal of a recording through the sessions again: every typed row derived anew.
//!
//! Records are taken in the order of their numbers, which is the order in which they were stored; so all rows, and all
//! keys that tables count up, come out as they did. The sessions of one run live side by side; none outlives its run.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use thiserror::Error;

use crate::exit::Exit;
use crate::journal::{Batch, Input, InputError, RecordKind, Tape};
use crate::model::{Seq, SessionId};
use crate::store::{Draft, Frame, Frames, Reader, Selection, Store, StoreError};
use crate::venue;

/// A batch goes to the store with this many records.
const BATCH_RECORDS_MAX: usize = 4_096;
/// Or with this many bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// The store commits after this many bytes; they become blocks of the new journal together.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// What a rebuild did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records read.
    pub records: u64,
    /// Sessions among them.
    pub sessions: u64,
    /// Events concluded from them.
    pub events: u64,
}

/// Why a recording cannot be rebuilt.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// The recording cannot be read, or the new file not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its journal does not make sense.
    #[error("record {number} (session {session}, place {seq}): {reason}")]
    Record {
        /// The record.
        number: i64,
        /// Its session.
        session: SessionId,
        /// Its place there.
        seq: Seq,
        /// What is wrong with it.
        reason: Unusable,
    },
}

/// Why a record of the journal is of no use.
#[derive(Debug, Error)]
pub enum Unusable {
    /// Records before it are missing.
    #[error("the records from {0} on are missing")]
    Missing(i64),
    /// Records of its session are missing before it.
    #[error("it should have place {0}, records of its session are missing")]
    OutOfPlace(Seq),
    /// Its session did not begin, or was over.
    #[error("its session has not begun, or is over")]
    NoSession,
    /// The session is of a protocol that this program does not have.
    #[error("this feedtape does not know the venue `{0}`, a newer one may")]
    UnknownVenue(String),
    /// The session takes a second look in a protocol in which this program takes none.
    #[error("this feedtape takes no second looks at the venue `{0}`, a newer one may")]
    UnknownLook(String),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] InputError),
}

impl RebuildError {
    /// How a program ends that meets it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Record { .. } => Exit::Data,
        }
    }
}

/// Derives a new database `into` from the journal of `from`, as that is at this instant. `progress` is told how many
/// records are done, and of how many.
///
/// # Errors
/// If there is a file `into` already, `from` cannot be read, or its journal is damaged. Then there is no new file.
pub fn rebuild(from: &Path, into: &Path, progress: impl FnMut(u64, u64)) -> Result<Rebuilt, RebuildError> {
    let (reader, _) = Reader::open_at_this_instant(from)?;
    let mut frames = Frames::of(reader)?;
    let mut draft = Draft::create(into)?;
    let rebuilt = derive(&mut frames, draft.store(), progress)?;
    draft.finish()?;
    Ok(rebuilt)
}

/// Derives everything that follows from a journal into an empty store. `progress` as for [`rebuild`].
///
/// # Errors
/// If the journal cannot be read or is damaged, or the store cannot be written.
pub fn derive(
    frames: &mut Frames,
    store: &mut Store,
    mut progress: impl FnMut(u64, u64),
) -> Result<Rebuilt, RebuildError> {
    let total = frames.last()?.max(0) as u64;
    let mark = frames.reader().durable_mark()?;
    let books = frames.reader().books_mark()?;
    let mut deriving = Deriving {
        store,
        tapes: HashMap::new(),
        current: None,
        spare: Batch::default(),
        group_bytes: 0,
        rebuilt: Rebuilt::default(),
    };
    frames.read(&Selection::default(), |frame| {
        deriving.record(&frame)?;
        if deriving.group_bytes >= GROUP_BYTES_MAX {
            deriving.commit()?;
            progress(deriving.rebuilt.records, total);
        }
        Ok::<_, RebuildError>(())
    })?;
    deriving.commit()?;
    if let Some(mark) = mark {
        deriving.store.mark_durable(mark)?;
    }
    // As far as in the original, which may have more events than it had the time for.
    deriving.store.derive_books(books.unwrap_or(i64::MAX))?;
    progress(deriving.rebuilt.records, total);
    Ok(deriving.rebuilt)
}

struct Deriving<'a> {
    store: &'a mut Store,
    /// The sessions that go on.
    tapes: HashMap<SessionId, Tape>,
    /// The session whose batch is being filled.
    current: Option<SessionId>,
    spare: Batch,
    group_bytes: usize,
    rebuilt: Rebuilt,
}

impl Deriving<'_> {
    fn record(&mut self, frame: &Frame<'_>) -> Result<(), RebuildError> {
        let expected = self.rebuilt.records as i64 + 1;
        if frame.number != expected {
            return Err(unusable(frame, Unusable::Missing(expected)));
        }
        self.rebuilt.records += 1;
        if self.current != Some(frame.session) {
            self.ship()?;
        }
        if frame.session == SessionId::RECORDER {
            return self.of_recorder(frame);
        }
        self.current = Some(frame.session);
        let tape = match self.tapes.entry(frame.session) {
            Entry::Occupied(tape) => tape.into_mut(),
            Entry::Vacant(place) => {
                self.rebuilt.sessions += 1;
                place.insert(begin(frame).map_err(|reason| unusable(frame, reason))?)
            }
        };
        let next = tape.batch().next();
        if frame.seq != next {
            return Err(unusable(frame, Unusable::OutOfPlace(next)));
        }
        tape.replay(frame.record).map_err(|error| unusable(frame, error.into()))?;
        // What the session wished for then is in the journal, as far as it was done.
        tape.actions().for_each(drop);
        let batch = tape.batch();
        if frame.record.kind == RecordKind::Closed {
            self.ship()?;
            self.tapes.remove(&frame.session);
        } else if batch.len() >= BATCH_RECORDS_MAX || batch.bytes() >= BATCH_BYTES_MAX {
            self.ship()?;
        }
        Ok(())
    }

    /// A record of the recorder's own journal. The store concludes from it by itself.
    fn of_recorder(&mut self, frame: &Frame<'_>) -> Result<(), RebuildError> {
        let mut batch = Batch::new(frame.session, frame.seq);
        batch.push(frame.record.kind, frame.record.at, frame.record.body);
        self.write(&batch)?;
        if matches!(frame.record.kind, RecordKind::RunStarted | RecordKind::RunEnded) {
            self.tapes.clear();
        }
        Ok(())
    }

    /// Hands over what is waiting.
    fn ship(&mut self) -> Result<(), StoreError> {
        let Some(tape) = self.current.take().and_then(|session| self.tapes.get_mut(&session)) else { return Ok(()) };
        let batch = tape.ship(std::mem::take(&mut self.spare));
        let written = self.write(&batch);
        self.spare = batch;
        written
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.rebuilt.events += batch.events().len() as u64;
        self.group_bytes += batch.bytes();
        self.store.write(batch)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.ship()?;
        self.group_bytes = 0;
        self.store.commit_group()
    }
}

/// The session that its first record begins.
fn begin(frame: &Frame<'_>) -> Result<Tape, Unusable> {
    let Input::Connecting(plan) = Input::from_record(&frame.record)? else { return Err(Unusable::NoSession) };
    let venue = venue::by_name(&plan.venue).ok_or_else(|| Unusable::UnknownVenue(plan.venue.clone()))?;
    let session = match plan.is_look {
        false => venue.session(None),
        true => venue.look().ok_or_else(|| Unusable::UnknownLook(plan.venue.clone()))?(),
    };
    Ok(Tape::new(frame.session, session))
}

fn unusable(frame: &Frame<'_>, reason: Unusable) -> RebuildError {
    RebuildError::Record { number: frame.number, session: frame.session, seq: frame.seq, reason }
}
