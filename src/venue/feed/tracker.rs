//! Follows the numbers of messages, as a scheme says, and tells whether one is missing.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{Id, Timestamp};
use crate::venue::Scheme;

/// Where a message stands among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::venue) enum Position {
    /// It does not say.
    Unsaid,
    /// Its number.
    Number(u64),
    /// The one before it, and its own name; a snapshot has none before it.
    Link {
        /// The one before.
        previous: Option<Id>,
        /// Itself.
        this: Id,
    },
    /// The numbers of its first and last change; some venues also name the last of the message before.
    Range {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// The last of the message before.
        previous: Option<u64>,
    },
    /// Whether its checksum is that of the state as we have it.
    Checksum {
        /// Whether it is.
        holds: bool,
    },
    /// Its time.
    Time(Timestamp),
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::venue) enum Kind {
    /// All there is.
    Snapshot,
    /// What changed.
    Update,
}

/// What a message's position says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::venue) enum Step {
    /// It follows, or is the first.
    Follows,
    /// It came before; nothing is missing.
    Repeated,
    /// It is out of place, within what may overtake; not to be judged yet.
    Pending,
    /// Something is missing before it, or its checksum does not hold.
    Broken {
        /// What against what, one clause.
        evidence: String,
    },
    /// It does not say.
    Unsaid,
}

/// The last message that was in place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Last {
    Number(u64),
    Name(Id),
    Time(Timestamp),
}

/// Follows one sequence.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Tracker {
    scheme: Scheme,
    last: Option<Last>,
    /// The number before the first of those without a hole up to the last.
    before: u64,
    /// Numbers that came ahead of one that is awaited.
    ahead: BTreeSet<u64>,
}

impl Tracker {
    pub(in crate::venue) fn new(scheme: Scheme) -> Self {
        Self { scheme, last: None, before: 0, ahead: BTreeSet::new() }
    }

    /// Whether it has seen a message that the next one must follow.
    pub(in crate::venue) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// The numbers that came without a hole, if there are numbers: the one before the first, and the last.
    pub(in crate::venue) fn numbers(&self) -> Option<(u64, u64)> {
        match self.last {
            Some(Last::Number(last)) => Some((self.before, last)),
            _ => None,
        }
    }

    /// Begins with a number anew.
    fn begin(&mut self, before: u64, last: u64) {
        (self.before, self.last) = (before, Some(Last::Number(last)));
    }

    /// Forgets what came: whatever comes next is the first.
    pub(in crate::venue) fn forget(&mut self) {
        self.last = None;
        self.ahead.clear();
    }

    /// Whether a message is still awaited that others have overtaken.
    pub(in crate::venue) fn is_waiting(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Takes the next message. After a break it goes on from that message.
    pub(in crate::venue) fn take(&mut self, position: &Position, kind: Kind) -> Step {
        match (self.scheme, position) {
            (_, Position::Unsaid) => Step::Unsaid,
            (Scheme::Counter { step, start, restart, reorder }, Position::Number(number)) => {
                self.count(*number, kind, Counter { step, start, restart, reorder })
            }
            (Scheme::Chain, Position::Link { previous, this }) => self.link(previous.as_ref(), this, kind),
            (Scheme::Range, Position::Range { first, last, previous }) => self.range(*first, *last, *previous, kind),
            (Scheme::Checksum { .. }, Position::Checksum { holds: true }) => Step::Follows,
            (Scheme::Checksum { .. }, Position::Checksum { holds: false }) => {
                Step::Broken { evidence: "the checksum does not hold".to_owned() }
            }
            (Scheme::TimeOnly, Position::Time(time)) => self.time(*time),
            _ => Step::Unsaid,
        }
    }

    fn count(&mut self, number: u64, kind: Kind, rule: Counter) -> Step {
        let last = match self.last {
            Some(Last::Number(last)) => last,
            _ => {
                self.begin(number.wrapping_sub(rule.step), number);
                return match rule.start {
                    Some(start) if number != start && rule.restart != Some(number) => broken(start, number),
                    _ => Step::Follows,
                };
            }
        };
        let expected = last.wrapping_add(rule.step);
        if number == expected {
            let mut last = number;
            while self.ahead.remove(&last.wrapping_add(rule.step)) {
                last = last.wrapping_add(rule.step);
            }
            self.last = Some(Last::Number(last));
            return Step::Follows;
        }
        if rule.restart == Some(number) {
            self.ahead.clear();
            self.begin(number.wrapping_sub(rule.step), number);
            return Step::Follows;
        }
        if number <= last {
            // A snapshot repeats where the venue is; a state that went back is another one.
            return if kind == Kind::Snapshot && number < last {
                self.begin(number.wrapping_sub(rule.step), number);
                broken(expected, number)
            } else {
                Step::Repeated
            };
        }
        self.ahead.insert(number);
        if self.ahead.len() <= usize::from(rule.reorder) {
            return Step::Pending;
        }
        let newest = self.ahead.last().copied().unwrap_or(number);
        self.ahead.clear();
        self.begin(newest.wrapping_sub(rule.step), newest);
        broken(expected, number)
    }

    fn link(&mut self, previous: Option<&Id>, this: &Id, kind: Kind) -> Step {
        let Some(last) = self.last.replace(Last::Name(this.clone())) else { return Step::Follows };
        let Last::Name(last) = last else { return Step::Follows };
        match previous {
            Some(previous) if *previous == last => Step::Follows,
            _ if *this == last => Step::Repeated,
            None if kind == Kind::Snapshot => broken(format!("after {last}"), format!("a snapshot at {this}")),
            None => broken(format!("after {last}"), format!("{this} after nothing")),
            Some(previous) => broken(format!("after {last}"), format!("{this} after {previous}")),
        }
    }

    fn range(&mut self, first: u64, last: u64, previous: Option<u64>, kind: Kind) -> Step {
        let Some(Last::Number(before)) = self.last else {
            self.begin(first.wrapping_sub(1), last);
            return Step::Follows;
        };
        if last <= before && kind == Kind::Update {
            return Step::Repeated;
        }
        self.last = Some(Last::Number(last));
        let expected = before.wrapping_add(1);
        let follows = previous.map_or(first <= expected, |previous| previous == before);
        if follows {
            return Step::Follows;
        }
        self.begin(first.wrapping_sub(1), last);
        match previous {
            Some(previous) => broken(format!("after {before}"), format!("{first} to {last} after {previous}")),
            None => broken(expected, format!("{first} to {last}")),
        }
    }

    fn time(&mut self, time: Timestamp) -> Step {
        match self.last {
            Some(Last::Time(last)) if time < last => broken(format!("not before {last}"), time),
            _ => {
                self.last = Some(Last::Time(time));
                Step::Follows
            }
        }
    }
}

/// A [`Scheme::Counter`]'s rule.
struct Counter {
    step: u64,
    start: Option<u64>,
    restart: Option<u64>,
    reorder: u8,
}

fn broken(expected: impl fmt::Display, got: impl fmt::Display) -> Step {
    Step::Broken { evidence: format!("expected {expected}, got {got}") }
}

#[cfg(test)]
mod tests;
