//! The token of private channels: a signed request for it, and what may be kept of it.

use serde_json::Value;

use crate::crypto::{Secret, hex, hmac_sha256};
use crate::model::Stamp;
use crate::venue::{KeyAccount, RestMethod, RestRequest};

/// The host that a signature is over, whatever the request goes through.
const HOST: &str = "www.bitstamp.net";
const PATH: &str = "api/v2/websockets_token/";

/// A token, and whose it is.
pub(super) struct Token {
    /// What private subscriptions carry.
    pub(super) text: Secret,
    /// The user's number, part of the names of private channels.
    pub(super) user: u64,
}

impl Token {
    /// From the answer; `None` if it has none.
    pub(super) fn read(answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let text = Secret::new(answer["token"].as_str()?.to_owned());
        Some(Self { text, user: answer["user_id"].as_u64()? })
    }
}

/// Asks for a token, signed as version 2 of the venue's authentication has it: HMAC-SHA256 over the key, the request
/// and a nonce that is not used twice within 150 s.
pub(super) fn request(account: &KeyAccount, id: i64, at: Stamp) -> RestRequest {
    let (key, secret) = (format!("BITSTAMP {}", account.key.expose()), account.secret.expose().as_bytes());
    let time = (at.wall.0 / 1_000_000).to_string();
    let nonce = nonce(secret, id, at);
    // Without a body there is no content type, and neither is signed.
    let signed = format!("{key}POST{HOST}/{PATH}{nonce}{time}v2");
    let signature = hex(&hmac_sha256(secret, signed.as_bytes()));
    let headers = [
        ("X-Auth", key),
        ("X-Auth-Signature", signature),
        ("X-Auth-Nonce", nonce),
        ("X-Auth-Timestamp", time),
        ("X-Auth-Version", "v2".to_owned()),
    ];
    RestRequest {
        method: RestMethod::Post,
        path: PATH.to_owned(),
        headers: headers.map(|(name, value)| (name, Secret::new(value))).into(),
        is_secret: true,
        ..RestRequest::default()
    }
}

/// 36 characters of a UUID that no two requests share, since no two are made in the same nanosecond.
fn nonce(secret: &[u8], id: i64, at: Stamp) -> String {
    let digits = hex(&hmac_sha256(secret, format!("nonce {} {id}", at.wall.0).as_bytes()));
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
