//! Who has an account: the accounts file, and demo accounts where there is none.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::listing::Listing;
use crate::crypto::Secret;
use crate::model::UserId;

/// What a demo account starts with of every listed asset, in whole units.
const DEMO_BALANCE: &str = "1000000";
/// Demo accounts there are.
const DEMO_ACCOUNTS: u64 = 2;

/// Somebody who can log in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The user's number. The published JavaScript client signs only its low 32 bits.
    pub id: UserId,
    /// The cookie (API key): any text, by custom base64 of 20 bytes.
    #[serde(deserialize_with = "secret")]
    pub cookie: Secret,
    /// The passphrase, taken byte for byte.
    #[serde(deserialize_with = "secret")]
    pub passphrase: Secret,
    /// What the account starts with, by asset name.
    #[serde(default)]
    pub balances: BTreeMap<String, Decimal>,
}

/// An amount in whole units of an asset, as text such as `1.25`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(pub String);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a decimal in quotes such as \"1.25\"")
            }
            fn visit_str<E>(self, text: &str) -> Result<Decimal, E> {
                Ok(Decimal(text.to_owned()))
            }
            fn visit_i64<E>(self, whole: i64) -> Result<Decimal, E> {
                Ok(Decimal(whole.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Decimal {
    /// The amount in units, of which a whole has `scale`: exact, or `None`.
    #[must_use]
    pub fn units(&self, scale: i64) -> Option<i64> {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let parts = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        if scale % parts != 0 {
            return None;
        }
        let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<i64>().ok()? };
        whole.parse::<i64>().ok()?.checked_mul(scale)?.checked_add(fraction * (scale / parts))
    }
}

/// An accounts file that cannot be used. Never says what is in it.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is not as documented.
    #[error(
        "{file}:{line}: {what}; each [[account]] has id, cookie, passphrase and balances such as \
         {{ XBT = 10, USDT = \"2500.5\" }}"
    )]
    Malformed {
        /// Which.
        file: String,
        /// Where, from 1.
        line: usize,
        /// What is wrong, without a value.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountsFile {
    #[serde(default)]
    account: Vec<Account>,
}

/// Reads an accounts file: TOML with an `[[account]]` for each user.
///
/// # Errors
/// If it cannot be read, or is not as documented. No error quotes a line: it may hold a secret.
pub fn read_accounts(path: &Path) -> Result<Vec<Account>, AccountsError> {
    let file = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| AccountsError::Unreadable { file: file.clone(), error })?;
    parse_accounts(&text).map_err(|(line, what)| AccountsError::Malformed { file, line, what })
}

fn parse_accounts(text: &str) -> Result<Vec<Account>, (usize, String)> {
    toml::from_str::<AccountsFile>(text).map(|file| file.account).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        // These name keys; every other message of the parser may quote a value.
        let named = ["unknown field", "missing field", "duplicate key"];
        let message = error.message();
        let what = if named.iter().any(|name| message.starts_with(name)) { message } else { "not an accounts file" };
        (line, what.to_owned())
    })
}

/// Accounts with new random secrets, each with some of every listed asset.
///
/// # Panics
/// If the operating system has no working random generator.
#[must_use]
pub fn demo_accounts(listing: &Listing) -> Vec<Account> {
    (1..=DEMO_ACCOUNTS)
        .map(|id| Account {
            id: UserId(id),
            cookie: Secret::new(random_base64::<20>()),
            passphrase: Secret::new(random_base64::<12>()),
            balances: demo_balances(listing),
        })
        .collect()
}

/// What a demo account starts with.
pub(super) fn demo_balances(listing: &Listing) -> BTreeMap<String, Decimal> {
    listing.assets().iter().map(|asset| (asset.name.clone(), Decimal(DEMO_BALANCE.to_owned()))).collect()
}

fn random_base64<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system's random generator works");
    STANDARD.encode(bytes)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_nothing() {
        for (text, scale, units) in [
            ("10", 10_000, Some(100_000)),
            ("0.0001", 10_000, Some(1)),
            ("2500.50", 100, Some(250_050)),
            ("1.10000000", 10_000, Some(11_000)),
            ("0.00001", 10_000, None),
            ("922337203685477.5807", 10_000, Some(i64::MAX)),
            ("922337203685477.5808", 10_000, None),
            ("-1", 10_000, None),
            ("1e3", 10_000, None),
            ("1.", 10_000, None),
            (".5", 10_000, None),
            ("", 10_000, None),
            ("0.00000000000000000000000001", 10_000, None),
        ] {
            assert_eq!(Decimal(text.to_owned()).units(scale), units, "{text}");
        }
    }

    #[test]
    fn an_accounts_file_is_read() {
        let accounts = parse_accounts(
            r#"
            [[account]]
            id = 18446744073709551615
            cookie = "HGREqcILTz8blHa/jsUTVTNBJlg="
            passphrase = "opensesame"
            balances = { XBT = 10, USDT = "2500.5" }
            "#
            .replace("18446744073709551615", "7")
            .as_str(),
        )
        .expect("as documented");
        assert_eq!(accounts.len(), 1);
        assert_eq!((accounts[0].id, accounts[0].passphrase.expose()), (UserId(7), "opensesame"));
        assert_eq!(accounts[0].balances["USDT"], Decimal("2500.5".into()));
        assert!(!format!("{accounts:?}").contains("opensesame"));
    }

    #[test]
    fn no_error_about_an_accounts_file_shows_a_secret() {
        let good = "id = 1\ncookie = \"c\"\n";
        for bad in [
            "passphrase = 1234567",
            "passphrase = 'hunter2",
            "passphrase = \"hunter2\"\nextra = \"hunter2\"",
            "passphrase = [\"hunter2\"]",
            "passphrase = \"hunter2\"\nbalances = { XBT = \"hunter2\", }\nid = 2",
            "passphrase = \"hunter2\"\nbalances = { XBT = 1.5 }",
            "hunter2",
        ] {
            let (line, what) = parse_accounts(&format!("[[account]]\n{good}{bad}")).expect_err(bad);
            assert!(!what.contains("hunter2") && !what.contains("1234567"), "{bad}: {what}");
            assert!(line >= 1);
        }
    }
}
