//! What may be kept of frames and answers that have something secret in one place.

use std::borrow::Cow;

use serde_json::Value;

/// What stands for a secret in what is kept.
pub(in crate::venue) const REDACTED: &str = "[redacted]";

/// A frame without what is at a JSON pointer of it.
pub(in crate::venue) fn frame<'a>(sent: &'a str, pointer: &str) -> Cow<'a, str> {
    let frame = serde_json::from_str(sent).ok();
    frame.and_then(|frame| without(frame, pointer)).map_or(Cow::Borrowed(sent), Cow::Owned)
}

/// An answer likewise. Of what is no JSON nobody knows where the secret would be: nothing is kept.
pub(in crate::venue) fn answer<'a>(answer: &'a [u8], pointer: &str) -> Cow<'a, [u8]> {
    match serde_json::from_slice(answer) {
        Ok(value) => without(value, pointer).map_or(Cow::Borrowed(answer), |kept| Cow::Owned(kept.into_bytes())),
        Err(_) => Cow::Borrowed(REDACTED.as_bytes()),
    }
}

/// `None`: there is nothing to take out.
fn without(mut value: Value, pointer: &str) -> Option<String> {
    let secret = value.pointer_mut(pointer).filter(|secret| *secret != REDACTED)?;
    *secret = Value::from(REDACTED);
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_taken_out_and_all_else_is_kept_as_it_is() {
        assert_eq!(frame(r#"{"a":{"token":"x"},"n":1}"#, "/a/token"), r#"{"a":{"token":"[redacted]"},"n":1}"#);
        for kept in ["ping", r#"{ "a": { "n": 1.50 } }"#, r#"{"a":{"token":"[redacted]"} }"#] {
            assert_eq!(frame(kept, "/a/token"), kept);
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_kept() {
        assert_eq!(*answer(br#"{"token":"x"}"#, "/token"), *br#"{"token":"[redacted]"}"#);
        assert_eq!(*answer(br#"{"error":"no"}"#, "/token"), *br#"{"error":"no"}"#);
        assert_eq!(*answer(br#"{"token":"x"#, "/token"), *b"[redacted]");
    }
}
