//! Runs a session: journals each input, lets the session conclude from it, keeps both in one batch.

use crate::model::{Seq, SessionId, Stamp};
use crate::venue::{Action, Output, Session, Standing};

use super::{Batch, Input, InputError, Record};

/// A session with the batch it is filling.
pub struct Tape {
    session: Box<dyn Session>,
    batch: Batch,
    output: Output,
}

impl Tape {
    /// Starts the journal of `id`.
    #[must_use]
    pub fn new(id: SessionId, session: Box<dyn Session>) -> Self {
        Self { session, batch: Batch::new(id, Seq(0)), output: Output::default() }
    }

    /// Journals an input and lets the session conclude from it. What the session wants done is in [`Tape::actions`].
    pub fn feed(&mut self, at: Stamp, input: &Input<'_>) -> Seq {
        let (kind, body) = input.to_record();
        self.take(Record { kind, at, body: &body }, input)
    }

    /// Feeds it a record of a journal: the same as [`Tape::feed`] with the input that the record stands for, but the
    /// record is kept as it is, byte for byte.
    ///
    /// # Errors
    /// If the record is no input of a session, or cannot be read. Then nothing is kept of it.
    pub fn replay(&mut self, record: Record<'_>) -> Result<Seq, InputError> {
        let input = Input::from_record(&record)?;
        Ok(self.take(record, &input))
    }

    fn take(&mut self, record: Record<'_>, input: &Input<'_>) -> Seq {
        let seq = self.batch.push(record.kind, record.at, record.body);
        self.session.handle(seq, record.at, input, &mut self.output);
        for event in self.output.events.drain(..) {
            self.batch.conclude(event);
        }
        seq
    }

    /// Entrusts the session with the answer to a request whose answer is secret, which is not journalled.
    pub fn entrust(&mut self, request: u64, answer: &[u8]) {
        self.session.entrust(request, answer);
    }

    /// Takes what the session wants done, in order.
    pub fn actions(&mut self) -> std::vec::Drain<'_, Action> {
        self.output.actions.drain(..)
    }

    /// When the session wants [`Input::Timer`], by the monotonic clock of [`Stamp`].
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        self.session.deadline()
    }

    /// What the session can say of its streams now.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.session.standing()
    }

    /// What is not shipped yet.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Takes the batch for the sink, going on in `spare`'s memory.
    pub fn ship(&mut self, mut spare: Batch) -> Batch {
        if !self.batch.is_empty() {
            self.session.summarise(&mut self.output);
            for event in self.output.events.drain(..) {
                self.batch.conclude(event);
            }
        }
        spare.reset(self.batch.session(), self.batch.next());
        std::mem::replace(&mut self.batch, spare)
    }
}
