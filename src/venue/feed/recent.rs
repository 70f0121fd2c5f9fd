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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_followed_by_the_first_change_that_is_later() {
        let mut recent = Recent::default();
        assert_eq!(recent.after(0), None);
        for (place, seq) in [(10, 3), (12, 5), (12, 6), (15, 9)] {
            recent.note(place, Seq(seq));
        }
        let after = [9, 10, 11, 12, 14, 15, 16].map(|place| recent.after(place).map(|seq| seq.0));
        assert_eq!(after, [Some(3), Some(5), Some(5), Some(9), Some(9), None, None]);
    }

    #[test]
    fn the_last_changes_are_remembered_and_no_more() {
        let mut recent = Recent::default();
        for place in 0..CHANGES_MAX as i64 + 2 {
            recent.note(place, Seq(place as u64));
        }
        assert_eq!(recent.0.len(), CHANGES_MAX);
        assert_eq!(recent.after(-1), Some(Seq(2)));
    }
}
