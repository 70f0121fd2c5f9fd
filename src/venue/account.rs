//! Who logs in, in the ways that venues have.

use std::sync::Arc;

use crate::crypto::{Randomness, Secret, SigningKey};
use crate::model::UserId;

/// What a venue wants of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// Nothing: it has no account streams.
    None,
    /// A user's number, a cookie and a passphrase (CoinFLEX).
    User,
    /// An API key and its secret.
    Key,
    /// An API key, its secret and a passphrase.
    KeyAndPassphrase,
    /// An API key, its secret and perhaps a passphrase, as the configuration describes it.
    Described,
    /// A wallet's address and a private key that may log in for it.
    Wallet,
}

/// Who logs in.
#[derive(Debug)]
pub enum Account {
    /// A user of CoinFLEX.
    User(UserAccount),
    /// Whoever has an API key.
    Key(KeyAccount),
    /// Whoever has a key to a wallet.
    Wallet(WalletAccount),
}

/// A user of CoinFLEX.
#[derive(Debug)]
pub struct UserAccount {
    /// The user.
    pub user: UserId,
    /// The cookie (API key).
    pub cookie: Secret,
    /// The passphrase, raw UTF-8 (for REST).
    pub passphrase: Secret,
    /// The key derived from user and passphrase, once.
    pub key: SigningKey,
    /// Where the nonces of its logins come from.
    pub randomness: Arc<dyn Randomness>,
}

/// An API key.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyAccount {
    /// The key's name, as it is sent.
    pub key: Secret,
    /// What requests are signed with, as the venue writes it (base64, PEM or plain).
    pub secret: Secret,
    /// The passphrase, where the venue wants one.
    pub passphrase: Option<Secret>,
}

/// A wallet and a key that may log in for it.
#[derive(Debug, PartialEq, Eq)]
pub struct WalletAccount {
    /// The wallet's address, as it is sent.
    pub wallet: String,
    /// The private key, 32 bytes in hexadecimal, with or without `0x`.
    pub session_key: Secret,
}

impl Account {
    /// Whether it is the same one with the same secrets.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(a), Self::User(b)) => (a.user, &a.cookie, &a.passphrase) == (b.user, &b.cookie, &b.passphrase),
            (Self::Key(a), Self::Key(b)) => a == b,
            (Self::Wallet(a), Self::Wallet(b)) => a == b,
            _ => false,
        }
    }

    /// The user's number, on venues that have one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.as_user().map(|account| account.user)
    }

    /// The account, if it is a user of CoinFLEX.
    #[must_use]
    pub fn as_user(&self) -> Option<&UserAccount> {
        match self {
            Self::User(account) => Some(account),
            _ => None,
        }
    }

    /// The account, if it is an API key.
    #[must_use]
    pub fn as_key(&self) -> Option<&KeyAccount> {
        match self {
            Self::Key(account) => Some(account),
            _ => None,
        }
    }

    /// The account, if it is a wallet.
    #[must_use]
    pub fn as_wallet(&self) -> Option<&WalletAccount> {
        match self {
            Self::Wallet(account) => Some(account),
            _ => None,
        }
    }
}
