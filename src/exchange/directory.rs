//! Who may log in, and the checks of a login.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foldhash::{HashMap, HashMapExt as _};

use super::account::Account;
use super::rate::{Rate, Recent};
use crate::crypto::{Challenge, Nonce, Secret, Signature, SigningKey, VerifyingKey};
use crate::model::{Stamp, UserId};
use crate::venue::coinflex::wire::{Authenticate, Refusal};

/// What logins are checked against. Holds no passphrase: the public key is enough.
pub(super) struct Directory {
    users: HashMap<UserId, Credentials>,
    attempts: Mutex<HashMap<UserId, Recent>>,
    attempts_max: Rate,
}

struct Credentials {
    cookie: Secret,
    key: VerifyingKey,
}

impl Directory {
    pub(super) fn new(accounts: &[Account], attempts_max: Rate) -> Self {
        let credentials = |account: &Account| Credentials {
            cookie: account.cookie.clone(),
            key: SigningKey::derive(account.id, account.passphrase.expose()).verifying_key(),
        };
        Self {
            users: accounts.iter().map(|account| (account.id, credentials(account))).collect(),
            attempts: Mutex::new(HashMap::new()),
            attempts_max,
        }
    }

    /// Checks `Authenticate`, in the order user, attempts, cookie, signature.
    pub(super) fn authenticate(
        &self,
        server_nonce: Nonce,
        login: &Authenticate,
        now: Stamp,
    ) -> Result<UserId, Refusal> {
        let client_nonce = Nonce::from_base64(&login.nonce).map_err(|_| Refusal::InvalidField("nonce"))?;
        let [r, s] = &login.signature;
        let signature = Signature::from_base64(r, s).map_err(|_| Refusal::InvalidField("signature"))?;
        let user = login.user_id;
        let credentials = self.users.get(&user).ok_or(Refusal::NoSuchUser)?;
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if !attempts.entry(user).or_default().admit(self.attempts_max, now) {
            return Err(Refusal::AuthenticatingTooRapidly);
        }
        drop(attempts);
        if credentials.cookie.expose() != login.cookie {
            return Err(Refusal::IncorrectCookie);
        }
        let challenge = Challenge { user_id: user, server_nonce, client_nonce };
        credentials.key.verify(&challenge, &signature).map_err(|_| Refusal::IncorrectSignature)?;
        Ok(user)
    }

    /// Checks the value of an HTTP `Authorization` header: Basic, the user being `<id>/<cookie>`, the password the
    /// passphrase or base64 of the private key's 28 bytes.
    pub(super) fn basic(&self, header: &str) -> Option<UserId> {
        let (scheme, encoded) = header.split_once(' ')?;
        let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let (user_and_cookie, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
        let (id, cookie) = user_and_cookie.split_once('/')?;
        let user = UserId(id.parse().ok()?);
        let credentials = self.users.get(&user).filter(|credentials| credentials.cookie.expose() == cookie)?;
        let is_passphrase = || SigningKey::derive(user, password).verifying_key() == credentials.key;
        let is_key = || {
            let bytes = STANDARD.decode(password).ok().and_then(|bytes| <[u8; 28]>::try_from(bytes).ok());
            let key = bytes.and_then(|bytes| SigningKey::from_bytes(&bytes).ok());
            key.is_some_and(|key| key.verifying_key() == credentials.key)
        };
        (is_passphrase() || is_key()).then_some(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: &str = "HGREqcILTz8blHa/jsUTVTNBJlg=";

    fn directory(attempts: usize) -> Directory {
        let account = Account {
            id: UserId(1),
            cookie: Secret::new(COOKIE.into()),
            passphrase: Secret::new("opensesame".into()),
            balances: Default::default(),
        };
        Directory::new(&[account], Rate::per_seconds(attempts, 3_600))
    }

    /// The worked example of the exchange's documents.
    fn login() -> (Nonce, Authenticate) {
        let login = Authenticate {
            user_id: UserId(1),
            cookie: COOKIE.into(),
            nonce: "8IyYyvH9gujOqYJdv/BP0A==".into(),
            signature: [
                "P7d6nXtbKmggnnb2hyB4xXkTQNWYmFSto6tzXg==".into(),
                "NLhDQS8YqRDxin1M4dNZeGDmNFsiv3iUz2d4Cg==".into(),
            ],
        };
        (Nonce::from_base64("azRzAi5rm1ry/l0drnz1vw==").expect("16 bytes"), login)
    }

    #[test]
    fn the_documented_login_is_accepted() {
        let (nonce, login) = login();
        assert_eq!(directory(1).authenticate(nonce, &login, Stamp::default()), Ok(UserId(1)));
    }

    #[test]
    fn every_wrong_part_of_a_login_has_its_own_refusal() {
        let (nonce, good) = login();
        let refused = |nonce, change: &dyn Fn(&mut Authenticate)| {
            let mut login = good.clone();
            change(&mut login);
            directory(1).authenticate(nonce, &login, Stamp::default()).expect_err("refused")
        };
        assert_eq!(refused(nonce, &|login| login.user_id = UserId(2)), Refusal::NoSuchUser);
        assert_eq!(refused(nonce, &|login| login.cookie.push('x')), Refusal::IncorrectCookie);
        assert_eq!(refused(nonce, &|login| login.signature.swap(0, 1)), Refusal::IncorrectSignature);
        assert_eq!(refused(Nonce([0; 16]), &|_| {}), Refusal::IncorrectSignature);
        assert_eq!(refused(nonce, &|login| login.nonce.truncate(4)), Refusal::InvalidField("nonce"));
        assert_eq!(refused(nonce, &|login| login.signature[1].clear()), Refusal::InvalidField("signature"));
    }

    #[test]
    fn attempts_beyond_the_limit_are_refused_whatever_they_contain() {
        let (nonce, good) = login();
        let wrong = Authenticate { cookie: String::new(), ..good.clone() };
        let (directory, now) = (directory(2), Stamp::default());
        assert_eq!(directory.authenticate(nonce, &wrong, now), Err(Refusal::IncorrectCookie));
        assert_eq!(directory.authenticate(nonce, &good, now), Ok(UserId(1)));
        assert_eq!(directory.authenticate(nonce, &good, now), Err(Refusal::AuthenticatingTooRapidly));
    }

    #[test]
    fn basic_authentication_takes_the_passphrase_or_the_key() {
        let directory = directory(1);
        let header = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let user = format!("1/{COOKIE}");
        let key = [
            0xb8, 0x9e, 0xa7, 0xfc, 0xd2, 0x2c, 0xc0, 0x59, 0xc2, 0x67, 0x3d, 0xc2, 0x4f, 0xf4, 0x0b, 0x97, 0x83, 0x07,
            0x46, 0x46, 0x86, 0x56, 0x0d, 0x0a, 0xd7, 0x56, 0x1b, 0x83,
        ];
        assert_eq!(directory.basic(&header(&user, "opensesame")), Some(UserId(1)));
        assert_eq!(directory.basic(&header(&user, &STANDARD.encode(key))), Some(UserId(1)));
        assert_eq!(directory.basic(&header(&user, "opensesame ")), None);
        assert_eq!(directory.basic(&header(&user, &STANDARD.encode([1; 28]))), None);
        assert_eq!(directory.basic(&header(&format!("2/{COOKIE}"), "opensesame")), None);
        assert_eq!(directory.basic(&header("1/", "opensesame")), None);
        for header in ["", "Basic", "Basic !", "Bearer x", "Basic MQ=="] {
            assert_eq!(directory.basic(header), None, "{header}");
        }
    }
}
