//! What a session has told of names that nobody knows: each once, and no more than so many. Beyond, only the frames have
//! them, so that a peer cannot make rows and memory of whatever it calls things.

use std::collections::HashSet;

use crate::model::UnknownReason;

/// Distinct unknown names of a kind (fields, messages, markets) that are told in one session.
const NAMES_MAX: usize = 50;

/// Characters of a name by which it is told from others.
const NAME_CHARS_MAX: usize = 200;

/// The names that were told.
#[derive(Debug, Default)]
pub(in crate::venue) struct Told {
    fields: HashSet<Box<str>>,
    messages: HashSet<Box<str>>,
    markets: HashSet<Box<str>>,
}

impl Told {
    /// Whether that is to be told: anything but a name that was told, or is one too many.
    pub(in crate::venue) fn tells(&mut self, reason: UnknownReason, name: &str) -> bool {
        let names = match reason {
            UnknownReason::UnknownField => &mut self.fields,
            UnknownReason::UnknownNotice => &mut self.messages,
            UnknownReason::UnknownMarket => &mut self.markets,
            _ => return true,
        };
        names.len() < NAMES_MAX && names.insert(name.chars().take(NAME_CHARS_MAX).collect())
    }
}
