//! The login: a signature over both sides' nonces.

use crate::crypto::{Challenge, Nonce, Secret};
use crate::venue::{Account, Outgoing};

use super::wire;

/// The frame that logs in where the greeting had `server_nonce`.
pub(super) fn login_frame(account: &Account, server_nonce: Nonce, tag: i64) -> Outgoing {
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
    let journal = command("[redacted]", ["[redacted]".to_owned(), "[redacted]".to_owned()]);
    Outgoing { text: Secret::new(text), journal, is_login: true }
}
