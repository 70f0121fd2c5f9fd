//! JSON that keeps the text of its numbers: a value is the text it was sent as, read a level at a time.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value, as the text it was sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::venue) struct Raw<'a>(&'a str);

/// The fields of an object, with which of them were asked for.
#[derive(Debug)]
pub(in crate::venue) struct Fields<'a> {
    list: Vec<(Cow<'a, str>, Raw<'a>, Cell<bool>)>,
}

impl<'a> Raw<'a> {
    /// A whole text, checked to be JSON.
    pub(in crate::venue) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(Self::of)
    }

    fn of(value: &'a RawValue) -> Self {
        Self(value.get())
    }

    /// The text it was sent as, quotes and all.
    pub(in crate::venue) fn text(self) -> &'a str {
        self.0
    }

    pub(in crate::venue) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The text of a number, sent as a number or as a string of one; checked when it is read.
    pub(in crate::venue) fn number(self) -> Option<&'a str> {
        let inner = self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(self.0);
        matches!(inner.as_bytes().first(), Some(b'0'..=b'9' | b'-')).then_some(inner)
    }

    /// An integer that fits 64 bits, sent as a number or as a string of one.
    pub(in crate::venue) fn integer(self) -> Option<i64> {
        self.number()?.parse().ok()
    }

    /// The same without a sign.
    pub(in crate::venue) fn unsigned(self) -> Option<u64> {
        self.number()?.parse().ok()
    }

    /// A string's content.
    pub(in crate::venue) fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    pub(in crate::venue) fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A string's content, or the text of a number or a literal: what people read.
    pub(in crate::venue) fn plain(self) -> Cow<'a, str> {
        self.string().unwrap_or(Cow::Borrowed(self.0))
    }

    /// The fields, if it is an object.
    pub(in crate::venue) fn object(self) -> Option<Fields<'a>> {
        if self.0.starts_with('{') { serde_json::from_str(self.0).ok() } else { None }
    }

    /// The elements, if it is an array.
    pub(in crate::venue) fn array(self) -> Option<Vec<Raw<'a>>> {
        if !self.0.starts_with('[') {
            return None;
        }
        let list: Vec<&RawValue> = serde_json::from_str(self.0).ok()?;
        Some(list.into_iter().map(Self::of).collect())
    }
}

impl<'a> Fields<'a> {
    /// A field, null included. The first, if there are several of that name.
    pub(in crate::venue) fn get(&self, name: &str) -> Option<Raw<'a>> {
        let (_, value, asked) = self.list.iter().find(|(key, ..)| key == name)?;
        asked.set(true);
        Some(*value)
    }

    /// A field that is a string.
    pub(in crate::venue) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.string()
    }

    /// A field that is a number, or a string of one, as its text.
    pub(in crate::venue) fn number(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.number()
    }

    /// A field that is an integer, or a string of one.
    pub(in crate::venue) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.integer()
    }

    /// The elements of a field that is an array; none if it is not there.
    pub(in crate::venue) fn array(&self, name: &str) -> Vec<Raw<'a>> {
        self.get(name).and_then(Raw::array).unwrap_or_default()
    }

    /// Whether a field says `buy`, if it says that or `sell`.
    pub(in crate::venue) fn is_bid(&self, name: &str) -> Option<bool> {
        match self.string(name)?.as_ref() {
            "buy" => Some(true),
            "sell" => Some(false),
            _ => None,
        }
    }

    /// A field that is an object.
    pub(in crate::venue) fn object(&self, name: &str) -> Option<Fields<'a>> {
        self.get(name)?.object()
    }

    /// Says of fields that they are known, though nothing is done with them.
    pub(in crate::venue) fn ignore(&self, names: &[&str]) {
        for (_, _, asked) in self.list.iter().filter(|(key, ..)| names.contains(&key.as_ref())) {
            asked.set(true);
        }
    }

    /// The names that nobody asked for, which includes the second of two fields of one name.
    pub(in crate::venue) fn unread(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|(_, _, asked)| !asked.get()).map(|(key, ..)| key.as_ref())
    }

    /// Every field.
    pub(in crate::venue) fn iter(&self) -> impl Iterator<Item = (&str, Raw<'a>)> {
        self.list.iter().map(|(key, value, asked)| {
            asked.set(true);
            (key.as_ref(), *value)
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    list.push((key, Raw::of(value), Cell::new(false)));
                }
                Ok(Fields { list })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_text_and_a_field_its_being_absent_null_or_a_value() {
        let raw =
            Raw::parse(r#" {"a":0.00005100,"b":"1e-7","c":null,"d":[1,[2]],"e":"x\"y","f":true,"a":2} "#).unwrap();
        let fields = raw.object().unwrap();
        assert_eq!(fields.number("a"), Some("0.00005100"));
        assert_eq!(fields.number("b"), Some("1e-7"));
        assert!(fields.get("c").unwrap().is_null() && fields.get("g").is_none());
        assert_eq!(fields.array("d").iter().map(|item| item.text()).collect::<Vec<_>>(), ["1", "[2]"]);
        assert_eq!(fields.string("e").as_deref(), Some("x\"y"));
        assert_eq!(fields.unread().collect::<Vec<_>>(), ["f", "a"]);
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        let of = |text| Raw::parse(text).unwrap().boolean();
        assert_eq!(["true", "false", "null", "0", "\"true\""].map(of), [Some(true), Some(false), None, None, None]);
    }

    #[test]
    fn what_is_no_json_is_refused_whole() {
        for text in ["", "{", "{\"a\":1}x", "{\"a\":[1}", "pong"] {
            assert!(Raw::parse(text).is_err(), "{text}");
        }
    }
}
