//! Received frames, decoded in one pass into a flat table of fields.
//!
//! Every message of the protocol is an object with scalar fields, some with one list of such objects. Decoding into a
//! table instead of a type per message keeps three things that types lose: absent, null and value of every field; the
//! fields nobody knows; and numbers that do not fit 64 bits, whose text is then looked up in the frame.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{Field, Fields, Key, Known, TextName};
use super::scan::scan;

/// A notice's name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NoticeName<'a> {
    Welcome,
    BalanceChanged,
    OrderOpened,
    OrderModified,
    OrdersMatched,
    OrderClosed,
    TickerChanged,
    TradeVolumeChanged,
    Unknown(Cow<'a, str>),
}

/// A decoded object: a notice, a reply or a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message<'a> {
    /// The scalar fields.
    pub(super) fields: Fields,
    /// `notice`, if it is a text.
    pub(super) notice: Option<NoticeName<'a>>,
    /// `method`, if it is a text.
    pub(super) method: Option<Cow<'a, str>>,
    /// `error_msg`, if it is a text.
    pub(super) error_message: Option<Cow<'a, str>>,
    /// `nonce`, if it is a text.
    pub(super) nonce: Option<Cow<'a, str>>,
    /// `taker_side`, if it is a text.
    pub(super) taker_side: Option<Cow<'a, str>>,
    /// The objects of `orders` or `balances`.
    pub(super) list: Option<Vec<Fields>>,
    /// Names of fields that are not of the protocol.
    pub(super) unknown: Vec<String>,
    /// The first field that occurs twice; its last value is the one kept.
    pub(super) duplicate: Option<String>,
}

/// Decodes an object.
///
/// # Errors
/// If it is not exactly one JSON object.
pub(super) fn decode(text: &str) -> Result<Message<'_>, serde_json::Error> {
    let mut message = Message::default();
    decode_into(text, &mut message)?;
    Ok(message)
}

/// Decodes an object into a message that is empty: a message is large to pass around.
///
/// # Errors
/// As for [`decode`].
pub(super) fn decode_into<'a>(text: &'a str, message: &mut Message<'a>) -> Result<(), serde_json::Error> {
    if !scan(text, message) {
        *message = decode_anything(text)?;
    }
    Ok(())
}

/// Decodes an object, however it is written.
///
/// # Errors
/// As for [`decode`].
pub(super) fn decode_anything(text: &str) -> Result<Message<'_>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let message = deserializer.deserialize_map(MessageVisitor)?;
    deserializer.end()?;
    Ok(message)
}

/// Decodes a list of objects, each with its own text.
///
/// # Errors
/// If it is not exactly one JSON list of objects.
pub(super) fn decode_list(text: &str) -> Result<Vec<(Message<'_>, &str)>, serde_json::Error> {
    let items: Vec<&RawValue> = serde_json::from_str(text)?;
    items.into_iter().map(|item| Ok((decode(item.get())?, item.get()))).collect()
}

/// The text of a number in a frame that [`decode`] found to be [`Field::Wide`]: in the object itself, or in the n-th
/// object of its list.
pub(super) fn lexeme(text: &str, key: Key, item: Option<usize>) -> Option<String> {
    type Object<'a> = std::collections::HashMap<Cow<'a, str>, &'a RawValue>;
    let object: Object<'_> = serde_json::from_str(text).ok()?;
    let Some(item) = item else {
        return object.get(key.name()).map(|raw| raw.get().to_owned());
    };
    let list = object.get("orders").or_else(|| object.get("balances"))?;
    let items: Vec<Object<'_>> = serde_json::from_str(list.get()).ok()?;
    items.get(item)?.get(key.name()).map(|raw| raw.get().to_owned())
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut message = Message::default();
        while let Some(name) = map.next_key_seed(NameSeed)? {
            match name {
                Name::Scalar(key) => {
                    let value = map.next_value_seed(FieldSeed)?;
                    message.set_field(key, value);
                }
                Name::Text(text) => {
                    let value = map.next_value_seed(TextSeed)?;
                    message.set_text(text, value);
                }
                Name::List => message.list = map.next_value_seed(ListSeed { unknown: &mut message.unknown })?,
                Name::Unknown(name) => {
                    map.next_value::<IgnoredAny>()?;
                    message.unknown.push(name);
                }
            }
        }
        Ok(message)
    }
}

impl<'de> Message<'de> {
    /// Takes the value of a scalar field.
    #[inline]
    pub(super) fn set_field(&mut self, key: Key, value: Field) {
        if self.fields.set(key, value) != Field::Absent {
            self.duplicate.get_or_insert_with(|| key.name().to_owned());
        }
    }

    /// Takes the value of a text field; `None` if it is no text.
    pub(super) fn set_text(&mut self, text: TextName, value: Option<Cow<'de, str>>) {
        let (slot, name) = match text {
            TextName::Notice => {
                let before = std::mem::replace(&mut self.notice, value.map(notice_name));
                if before.is_some() {
                    self.duplicate.get_or_insert_with(|| "notice".to_owned());
                }
                return;
            }
            TextName::Method => (&mut self.method, "method"),
            TextName::ErrorMessage => (&mut self.error_message, "error_msg"),
            TextName::Nonce => (&mut self.nonce, "nonce"),
            TextName::TakerSide => (&mut self.taker_side, "taker_side"),
            // Known, and of no use to a recording: the frame has them.
            TextName::Ignored => return,
        };
        if std::mem::replace(slot, value).is_some() {
            self.duplicate.get_or_insert_with(|| name.to_owned());
        }
    }
}

fn notice_name(name: Cow<'_, str>) -> NoticeName<'_> {
    match name.as_ref() {
        "Welcome" => NoticeName::Welcome,
        "BalanceChanged" => NoticeName::BalanceChanged,
        "OrderOpened" => NoticeName::OrderOpened,
        "OrderModified" => NoticeName::OrderModified,
        "OrdersMatched" => NoticeName::OrdersMatched,
        "OrderClosed" => NoticeName::OrderClosed,
        "TickerChanged" => NoticeName::TickerChanged,
        "TradeVolumeChanged" => NoticeName::TradeVolumeChanged,
        _ => NoticeName::Unknown(name),
    }
}

enum Name {
    Scalar(Key),
    Text(TextName),
    List,
    Unknown(String),
}

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(match Known::of(name.as_bytes()) {
            Some(Known::Scalar(key)) => Name::Scalar(key),
            Some(Known::Text(name)) => Name::Text(name),
            Some(Known::List) => Name::List,
            None => Name::Unknown(name.to_owned()),
        })
    }
}

/// Reads a scalar field, whatever is in it.
struct FieldSeed;

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        // By its text, since a number may be beyond any that Rust has (`1e400`).
        let text = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match text.as_bytes().first() {
            Some(b'n') => Field::Null,
            Some(b't') => Field::Bool(true),
            Some(b'f') => Field::Bool(false),
            Some(b'-' | b'0'..=b'9') => text.parse().map_or(Field::Wide, Field::Int),
            _ => Field::Other,
        })
    }
}

/// Reads a text field; anything else is `None`.
struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if !text.starts_with('"') {
            return Ok(None);
        }
        // One without escapes is as it is.
        let plain = serde_json::from_str(text).map(Cow::Borrowed);
        plain.or_else(|_| serde_json::from_str(text).map(Cow::Owned)).map(Some).map_err(D::Error::custom)
    }
}

/// Reads a list of objects; `None` if it is something else.
struct ListSeed<'u> {
    unknown: &'u mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = Option<Vec<Fields>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if !text.starts_with('[') {
            return Ok(None);
        }
        serde_json::Deserializer::from_str(text).deserialize_seq(self).map(Some).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = Vec<Fields>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(item) = seq.next_element_seed(ItemSeed)? {
            for name in item.unknown {
                if !self.unknown.contains(&name) {
                    self.unknown.push(name);
                }
            }
            list.push(item.fields);
        }
        Ok(list)
    }
}

struct ItemSeed;

impl<'de> DeserializeSeed<'de> for ItemSeed {
    type Value = Message<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_value_are_three_things() {
        let message = decode(r#"{"notice":"TickerChanged","bid":null,"ask":31899}"#).unwrap();
        assert_eq!(message.fields.get(Key::Bid), Field::Null);
        assert_eq!(message.fields.get(Key::Ask), Field::Int(31_899));
        assert_eq!(message.fields.get(Key::Last), Field::Absent);
        assert_eq!(message.notice, Some(NoticeName::TickerChanged));
    }

    #[test]
    fn integers_up_to_64_bits_are_exact_and_others_keep_their_text() {
        for (text, field) in [
            ("9007199254740993", Field::Int(9_007_199_254_740_993)),
            ("9223372036854775807", Field::Int(i64::MAX)),
            ("-9223372036854775808", Field::Int(i64::MIN)),
            ("9223372036854775808", Field::Wide),
            ("18446744073709551615", Field::Wide),
            ("12345678901234567890123", Field::Wide),
            ("1e20", Field::Wide),
            ("1.0", Field::Wide),
            ("1e999999", Field::Wide),
            ("-0", Field::Int(0)),
        ] {
            let frame = format!(r#"{{"notice":"OrderOpened","price":{text},"orders":[{{"id":1}},{{"id":{text}}}]}}"#);
            let message = decode(&frame).unwrap();
            assert_eq!(message.fields.get(Key::Price), field, "{text}");
            assert_eq!(lexeme(&frame, Key::Price, None).as_deref(), Some(text));
            assert_eq!(message.list.unwrap()[1].get(Key::Id), field, "{text}");
            assert_eq!(lexeme(&frame, Key::Id, Some(1)).as_deref(), Some(text));
        }
    }

    #[test]
    fn unknown_and_repeated_fields_are_told() {
        let message = decode(r#"{"id":1,"id":2,"fee":3,"orders":[{"cause":"x"},{"cause":"y"}]}"#).unwrap();
        assert_eq!(message.unknown, ["fee", "cause"]);
        assert_eq!(message.duplicate.as_deref(), Some("id"));
        assert_eq!(message.fields.int(Key::Id), Some(2));
    }

    #[test]
    fn values_of_any_type_in_any_field_are_read_over() {
        let message =
            decode(r#"{"id":"7","base":[1,[2]],"counter":{"a":{}},"notice":5,"orders":3,"time":true}"#).unwrap();
        for key in [Key::Id, Key::Base, Key::Counter] {
            assert_eq!(message.fields.get(key), Field::Other);
        }
        assert_eq!(message.fields.get(Key::Time), Field::Bool(true));
        assert_eq!((message.notice, message.list), (None, None));
    }

    #[test]
    fn a_field_of_another_type_than_its_own_is_none_and_the_rest_is_read() {
        let values =
            ["null", "true", "false", "5", "-5", "1.5", "1e400", "\"x\"", "[]", "[{},{}]", "{}", "{\"a\":{\"b\":[1]}}"];
        for value in values {
            let frame = format!(r#"{{"error_msg":{value},"orders":{value},"balances":7,"id":9}}"#);
            let message = decode(&frame).unwrap_or_else(|error| panic!("{value}: {error}"));
            assert_eq!(message.error_message.as_deref(), (value == "\"x\"").then_some("x"), "{value}");
            assert_eq!(message.fields.int(Key::Id), Some(9), "{value}");
            let frame = format!(r#"{{"orders":{value},"price":{value},"id":9}}"#);
            let message = decode(&frame).unwrap_or_else(|error| panic!("{value}: {error}"));
            let list = message.list.map(|list| list.len());
            assert_eq!(list, if value.starts_with('[') { Some(value.matches("{}").count()) } else { None }, "{value}");
            let price = match value {
                "null" => Field::Null,
                "true" => Field::Bool(true),
                "false" => Field::Bool(false),
                "5" => Field::Int(5),
                "-5" => Field::Int(-5),
                "1.5" | "1e400" => Field::Wide,
                _ => Field::Other,
            };
            assert_eq!((message.fields.get(Key::Price), message.fields.int(Key::Id)), (price, Some(9)), "{value}");
        }
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["", "{", "{}{}", "[]", "3", "\u{feff}{}", "{'a':1}", r#"{"a":NaN}"#, r#"{"notice":"\ud800"}"#] {
            assert!(decode(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn depth_in_a_field_nobody_knows_is_read_over() {
        let frame = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(decode(&frame).unwrap().unknown, ["x"]);
    }

    #[test]
    fn escaped_field_names_are_the_same_fields() {
        let message = decode(r#"{"not\u0069ce":"OrderClosed","\u0069d":4}"#).unwrap();
        assert_eq!(message.notice, Some(NoticeName::OrderClosed));
        assert_eq!(message.fields.int(Key::Id), Some(4));
    }
}
