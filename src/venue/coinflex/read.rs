//! Reading typed values out of a decoded object, collecting what is wrong with it.

use crate::model::{Id, Number, Patch, Price, Quantity, Timestamp, UnknownReason};

use super::decode::lexeme;
use super::fields::{Field, Fields, Key};

/// What is wrong with a frame: the first reason, and all the parts concerned.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Option<(UnknownReason, String)>,
    damaging: bool,
}

impl Problems {
    /// Notes a problem with `what`.
    pub(super) fn add(&mut self, reason: UnknownReason, what: &str) {
        // These may hide a change of the book or the account; an additional field or a wide number does not.
        self.damaging |= matches!(reason, UnknownReason::MissingField | UnknownReason::WrongType);
        match &mut self.found {
            None => self.found = Some((reason, what.to_owned())),
            Some((_, all)) => {
                all.push_str(", ");
                all.push_str(what);
            }
        }
    }

    /// Whether a stream may have lost something by it.
    pub(super) fn is_damaging(&self) -> bool {
        self.damaging
    }

    /// The reason and the parts concerned, if there is anything.
    pub(super) fn take(&mut self) -> Option<(UnknownReason, String)> {
        self.damaging = false;
        self.found.take()
    }
}

/// Reads the fields of one object of a frame.
pub(super) struct Reader<'a> {
    text: &'a str,
    fields: &'a Fields,
    item: Option<usize>,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    /// A reader of the frame's object itself.
    pub(super) fn new(text: &'a str, fields: &'a Fields, problems: &'a mut Problems) -> Self {
        Self { text, fields, item: None, problems }
    }

    /// A reader of the n-th object of the frame's list.
    pub(super) fn item(text: &'a str, fields: &'a Fields, n: usize, problems: &'a mut Problems) -> Self {
        Self { text, fields, item: Some(n), problems }
    }

    /// The field as an exact number at `places`; absent and null are `None` without complaint.
    fn number(&mut self, key: Key, places: Option<u8>) -> Option<Number> {
        match self.fields.get(key) {
            Field::Int(value) => Some(Number::Scaled(value)),
            Field::Absent | Field::Null => None,
            Field::Wide => {
                let number = self.lexeme(key).and_then(|text| Number::of_scaled(&text, places.unwrap_or(0)));
                if number.is_none() {
                    self.problems.add(UnknownReason::NumberOutOfRange, key.name());
                }
                number
            }
            Field::Bool(_) | Field::Other => self.wrong_type(key),
        }
    }

    fn lexeme(&self, key: Key) -> Option<String> {
        lexeme(self.text, key, self.item)
    }

    fn wrong_type<T>(&mut self, key: Key) -> Option<T> {
        self.problems.add(UnknownReason::WrongType, key.name());
        None
    }

    /// Complains if a field that must be there is absent or null.
    fn must_have(&mut self, key: Key) {
        if matches!(self.fields.get(key), Field::Absent | Field::Null) {
            self.problems.add(UnknownReason::MissingField, key.name());
        }
    }

    /// A 64-bit integer that may be missing; a number that is none is `None` with a complaint.
    pub(super) fn int(&mut self, key: Key) -> Option<i64> {
        match self.fields.get(key) {
            Field::Int(value) => Some(value),
            Field::Absent | Field::Null => None,
            Field::Wide => match self.lexeme(key).and_then(|text| Number::of_scaled(&text, 0)) {
                Some(Number::Scaled(value)) => Some(value),
                _ => {
                    self.problems.add(UnknownReason::NumberOutOfRange, key.name());
                    None
                }
            },
            Field::Bool(_) | Field::Other => self.wrong_type(key),
        }
    }

    /// A 64-bit integer that must be there.
    pub(super) fn needed_int(&mut self, key: Key) -> Option<i64> {
        self.must_have(key);
        self.int(key)
    }

    /// An identifier that may be missing.
    pub(super) fn id(&mut self, key: Key) -> Option<Id> {
        match self.fields.get(key) {
            Field::Int(value) => Some(Id::Int(value)),
            Field::Absent | Field::Null => None,
            Field::Wide => self.lexeme(key).map(|text| Id::Text(Box::new(text))),
            Field::Bool(_) | Field::Other => self.wrong_type(key),
        }
    }

    /// An identifier that must be there.
    pub(super) fn needed_id(&mut self, key: Key) -> Option<Id> {
        self.must_have(key);
        self.id(key)
    }

    /// A price that may be missing.
    pub(super) fn price(&mut self, key: Key, places: Option<u8>) -> Option<Price> {
        self.number(key, places).map(Price)
    }

    /// A price that must be there.
    pub(super) fn needed_price(&mut self, key: Key, places: Option<u8>) -> Option<Price> {
        self.must_have(key);
        self.price(key, places)
    }

    /// A quantity that may be missing.
    pub(super) fn quantity(&mut self, key: Key, places: Option<u8>) -> Option<Quantity> {
        self.number(key, places).map(Quantity)
    }

    /// A quantity that must be there.
    pub(super) fn needed_quantity(&mut self, key: Key, places: Option<u8>) -> Option<Quantity> {
        self.must_have(key);
        self.quantity(key, places)
    }

    /// A time in µs that may be missing.
    pub(super) fn time(&mut self, key: Key) -> Option<Timestamp> {
        let time = Timestamp::from_micros(self.int(key)?);
        if time.is_none() {
            self.problems.add(UnknownReason::NumberOutOfRange, key.name());
        }
        time
    }

    /// An integer, null or nothing.
    pub(super) fn patch(&mut self, key: Key) -> Patch<i64> {
        match self.fields.get(key) {
            Field::Absent => Patch::Absent,
            Field::Null => Patch::Null,
            _ => self.int(key).map_or(Patch::Absent, Patch::Value),
        }
    }

    /// A number, null or nothing.
    pub(super) fn number_patch(&mut self, key: Key, places: Option<u8>) -> Patch<Number> {
        match self.fields.get(key) {
            Field::Absent => Patch::Absent,
            Field::Null => Patch::Null,
            _ => self.number(key, places).map_or(Patch::Absent, Patch::Value),
        }
    }

    /// Whether the field is there, null included.
    pub(super) fn has(&self, key: Key) -> bool {
        self.fields.has(key)
    }
}
