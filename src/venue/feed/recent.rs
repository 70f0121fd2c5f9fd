//! Where the last changes of a stream came in the journal, for a snapshot that comes aside and is older than the last.

use std::collections::VecDeque;

use crate::model::Seq;

/// So many changes are remembered of each stream: more than come while a REST answer is awaited.
const CHANGES_MAX: usize = 4096;

/// The last changes of one stream: the venue's number or time of each, and where it came.
#[derive(Debug, Default)]
pub(in crate::venue) struct Recent(VecDeque<(i64, Seq)>);

impl Recent {
    /// Notes a change.
    pub(in crate::venue) fn note(&mut self, place: i64, seq: Seq) {
        if self.0.len() == CHANGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((place, seq));
    }

    /// Where the first change came that a snapshot at `place` does not contain; `None`: it is still to come.
    pub(in crate::venue) fn after(&self, place: i64) -> Option<Seq> {
        self.0.iter().find(|(of_change, _)| *of_change > place).map(|(_, seq)| *seq)
    }
}
