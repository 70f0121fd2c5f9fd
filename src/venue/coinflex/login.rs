//! The login: a signature over both sides' nonces, and what may be kept of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::crypto::{Challenge, Nonce, Secret};
use crate::venue::{Outgoing, UserAccount};

use super::wire;

/// The frame that logs in where the greeting had `server_nonce`.
pub(super) fn login_frame(account: &UserAccount, server_nonce: Nonce, tag: i64) -> Outgoing {
    let client_nonce = account.randomness.nonce();
    let challenge = Challenge { user_id: account.user, server_nonce, client_nonce };
    let command = |cookie: &str, signature| {
        let login = wire::Authenticate {
            user_id: account.user,
            cookie: cookie.to_owned(),
            nonce: client_nonce.to_base64(),
            signature,
        };
        wire::Request::tagged(tag, wire::Command::Authenticate(login)).to_json()
    };
    let text = command(account.cookie.expose(), account.key.sign(&challenge).to_base64());
    let journal = redact(&text).into_owned();
    Outgoing { text: Secret::new(text), journal, is_login: true }
}

/// The values in an object that are secret, in order, repeated ones included.
struct Secrets<'a>(Vec<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Secrets<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SecretsVisitor).map(Secrets)
    }
}

struct SecretsVisitor;

impl<'de> Visitor<'de> for SecretsVisitor {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut secrets = Vec::new();
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            if matches!(name.as_ref(), "cookie" | "signature") {
                secrets.push(value.get());
            }
        }
        Ok(secrets)
    }
}

/// A command without its cookie and signature, otherwise byte for byte as it is.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    if !["cookie", "signature"].into_iter().any(|name| text.contains(name)) && !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let Ok(Secrets(secrets)) = serde_json::from_str(text) else {
        return Cow::Borrowed("[redacted: no command]");
    };
    // The values are slices of the text, so their places in it are known.
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    for value in secrets {
        let at = value.as_ptr() as usize - rest.as_ptr() as usize;
        redacted.push_str(&rest[..at]);
        redacted.push_str("\"[redacted]\"");
        rest = &rest[at + value.len()..];
    }
    redacted.push_str(rest);
    Cow::Owned(redacted)
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn a_login_is_kept_without_its_secrets_and_all_else_as_it_is() {
        let login = r#"{ "tag":1, "cookie":"c00kie","method":"Authenticate","signature":["r","s"], "nonce":"n" }"#;
        let kept =
            r#"{ "tag":1, "cookie":"[redacted]","method":"Authenticate","signature":"[redacted]", "nonce":"n" }"#;
        assert_eq!(redact(login), kept);
        let other = r#"{"method":"GetBalances","tag":7}"#;
        assert_eq!(redact(other), other);
    }

    #[test]
    fn secrets_do_not_hide_behind_escapes_or_broken_json() {
        let escaped = r#"{"c\u006fokie":"c00kie","method":"Authenticate"}"#;
        assert_eq!(redact(escaped), r#"{"c\u006fokie":"[redacted]","method":"Authenticate"}"#);
        assert!(!redact(r#"{"cookie":"c00kie","#).contains("c00kie"));
        assert!(!redact(r#"{"cookie":"c00kie","cookie":"c00kie2"}"#).contains("c00kie\""));
    }
}
