//! What a session tells of names that nobody knows, so that a peer cannot make rows and memory of whatever it calls things:
//! a field and a market once, in so many words at most; a message each time, for it has no other row.

use std::collections::HashSet;

use crate::model::UnknownReason;

/// Distinct unknown names of a kind (fields, messages, markets) that are told in one session.
const NAMES_MAX: usize = 50;

/// Characters of a name by which it is told from others.
const NAME_CHARS_MAX: usize = 200;

/// What messages are called beyond as many names.
const OTHER: &str = "other";

/// The names that were told.
#[derive(Debug, Default)]
pub(in crate::venue) struct Told {
    fields: HashSet<Box<str>>,
    messages: HashSet<Box<str>>,
    markets: HashSet<Box<str>>,
}

impl Told {
    /// By which name that is told; `None` if it is not.
    pub(in crate::venue) fn name(&mut self, reason: UnknownReason, name: String) -> Option<String> {
        let names = match reason {
            UnknownReason::UnknownField => &mut self.fields,
            UnknownReason::UnknownNotice => &mut self.messages,
            UnknownReason::UnknownMarket => &mut self.markets,
            _ => return Some(name),
        };
        let key: Box<str> = name.chars().take(NAME_CHARS_MAX).collect();
        let is_known = names.contains(&key);
        let is_new = !is_known && names.len() < NAMES_MAX && names.insert(key);
        match reason {
            UnknownReason::UnknownNotice if is_known || is_new => Some(name),
            UnknownReason::UnknownNotice => Some(OTHER.to_owned()),
            _ => is_new.then_some(name),
        }
    }
}
