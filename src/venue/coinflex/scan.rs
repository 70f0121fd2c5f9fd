//! What nearly all frames are, read in one pass without a general parser: an object without white space, of scalars
//! without escapes, and of integers that fit 64 bits by their length.
//!
//! Whatever else there is in a frame makes [`scan`] say no, and [`super::decode`] reads it. What [`scan`] reads, it reads
//! the same.

use std::borrow::Cow;

use super::decode::Message;
use super::fields::{Field, Known};
use crate::digits;

/// Integers of so many digits fit 64 bits. Of a longer one that many are read, and what follows is no end of a field.
const DIGITS_MAX: usize = 18;

/// Reads a frame into a message that is empty. If it says no, what is in the message is of no use.
pub(super) fn scan<'a>(text: &'a str, message: &mut Message<'a>) -> bool {
    scan_object(text, message).is_some()
}

fn scan_object<'a>(text: &'a str, message: &mut Message<'a>) -> Option<()> {
    let bytes = text.as_bytes();
    if *bytes.first()? != b'{' {
        return None;
    }
    let mut at = 1;
    loop {
        let name = string(bytes, &mut at)?;
        if *bytes.get(at)? != b':' {
            return None;
        }
        at += 1;
        match Known::of(name)? {
            Known::Scalar(key) => {
                let value = scalar(bytes, &mut at)?;
                message.set_field(key, value);
            }
            Known::Text(name) => {
                let start = at + 1;
                let is_text = *bytes.get(at)? == b'"';
                scalar(bytes, &mut at)?;
                message.set_text(name, is_text.then(|| Cow::Borrowed(&text[start..at - 1])));
            }
            Known::List => return None,
        }
        at += 1;
        match *bytes.get(at - 1)? {
            b',' => {}
            b'}' => return (at == bytes.len()).then_some(()),
            _ => return None,
        }
    }
}

/// What is between quotation marks; then `at` is behind them.
fn string<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*at..)?.strip_prefix(b"\"")?;
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    *at += end + 2;
    (rest[end] == b'"').then_some(&rest[..end])
}

/// A value that is neither object nor list; then `at` is behind it.
fn scalar(bytes: &[u8], at: &mut usize) -> Option<Field> {
    let (literal, value) = match *bytes.get(*at)? {
        b'0'..=b'9' | b'-' => return integer(bytes, at),
        b'"' => return string(bytes, at).map(|_| Field::Other),
        b'n' => ("null", Field::Null),
        b't' => ("true", Field::Bool(true)),
        b'f' => ("false", Field::Bool(false)),
        _ => return None,
    };
    bytes[*at..].starts_with(literal.as_bytes()).then(|| *at += literal.len())?;
    Some(value)
}

/// An integer as JSON writes it. What follows it decides whether it is one, and that is the caller's to look at.
fn integer(bytes: &[u8], at: &mut usize) -> Option<Field> {
    let is_negative = bytes[*at] == b'-';
    let digits = &bytes[*at + usize::from(is_negative)..];
    let (value, count) = digits::leading(digits, DIGITS_MAX);
    // JSON has no zeros ahead; minus zero is no integer to it.
    let is_plain = count > 0 && (digits[0] != b'0' || (count == 1 && !is_negative));
    if !is_plain {
        return None;
    }
    *at += usize::from(is_negative) + count;
    Some(Field::Int(if is_negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decode::decode_anything;
    use super::*;

    fn scanned(text: &str) -> Option<Message<'_>> {
        let mut message = Message::default();
        scan(text, &mut message).then_some(message)
    }

    #[test]
    fn frames_of_the_protocol_are_scanned() {
        for text in [
            r#"{"notice":"OrderOpened","id":58,"base":63488,"counter":65283,"quantity":-5,"price":0,"time":1580000000000000}"#,
            r#"{"notice":"TickerChanged","base":63488,"counter":65283,"bid":null,"ask":31899}"#,
            r#"{"notice":"OrdersMatched","bid":1,"ask":2,"taker_side":"bid","taker":true}"#,
            r#"{"tag":1,"error_code":0}"#,
            r#"{"error_msg":"été"}"#,
        ] {
            let message = scanned(text);
            assert!(message.is_some(), "{text}");
            assert_eq!(message, decode_anything(text).ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_decoder() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"id":1,}"#,
            r#"{"id":1}x"#,
            r#"{"id": 1}"#,
            r#"{"id":1.0}"#,
            r#"{"id":1e3}"#,
            r#"{"id":-0}"#,
            r#"{"id":01}"#,
            r#"{"id":-}"#,
            r#"{"id":1234567890123456789}"#,
            r#"{"id":nul}"#,
            r#"{"notice":"a\u0062"}"#,
            "{\"notice\":\"a\u{1}\"}",
            r#"{"orders":[]}"#,
            r#"{"fee":1}"#,
            r#"{"id":{}}"#,
            r#"{"":1}"#,
            r#"{"id""#,
            r#"{"id":"#,
            r#"{"id":1"#,
            r#"{"id":"x"#,
        ] {
            assert_eq!(scanned(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_scanned_is_what_is_decoded(
            fields in proptest::collection::vec(
                (
                    prop_oneof![
                        Just("id"), Just("tag"), Just("price"), Just("time_closed"), Just("bid"), Just("notice"),
                        Just("error_msg"), Just("taker_side"), Just("cookie"), Just("fee"), Just("orders"), Just("i\\u0064"),
                    ],
                    prop_oneof![
                        "-?[0-9]{1,20}", "-?(0|[1-9][0-9]{0,17})", "null|true|false|nul", "\"[a-zé]{0,5}\"",
                        "\"OrderOpened\"", "\"\\\\[n\"u]\"", "[0-9]\\.[0-9]", "[0-9]e[0-9]", "\\[\\]", "\\{\\}", " 1", "1 ", "",
                    ],
                ),
                0..6,
            ),
            end in prop_oneof![4 => Just("}"), 1 => Just(""), 1 => Just("} "), 1 => Just(",}"), 1 => Just("}}")],
        ) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let text = format!("{{{}{end}", fields.join(","));
            if let Some(message) = scanned(&text) {
                prop_assert_eq!(Some(message), decode_anything(&text).ok());
            }
        }

        #[test]
        fn any_bytes_are_safe(text in "[{}\":,0-9a-d\\\\ -]{0,40}") {
            if let Some(message) = scanned(&text) {
                prop_assert_eq!(Some(message), decode_anything(&text).ok());
            }
        }
    }
}
