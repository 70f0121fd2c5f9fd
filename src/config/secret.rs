//! Where secrets come from: the environment, a file, a systemd credential. Never the configuration itself, except for
//! the built-in exchange.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::{OsRandomness, Secret, SigningKey};
use crate::model::UserId;
use crate::venue::{Account, AccountKind, KeyAccount, UserAccount, WalletAccount};

use super::document::Field;
use super::error::{ConfigError, ConfigErrors, Place};

/// A secret is at most this long.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Who logs in at a source, and where the secrets for it are.
#[derive(Clone, Debug)]
pub enum Login {
    /// A user of CoinFLEX.
    User(UserLogin),
    /// Whoever has an API key.
    Key(KeyLogin),
    /// Whoever has a key to a wallet.
    Wallet(WalletLogin),
}

/// A user of CoinFLEX.
#[derive(Clone, Debug)]
pub struct UserLogin {
    /// The user.
    pub user: UserId,
    cookie: SecretSource,
    passphrase: SecretSource,
}

/// An API key.
#[derive(Clone, Debug)]
pub struct KeyLogin {
    key: SecretSource,
    secret: SecretSource,
    passphrase: Option<SecretSource>,
}

/// A wallet, and a key that may log in for it.
#[derive(Clone, Debug)]
pub struct WalletLogin {
    wallet: String,
    session_key: SecretSource,
}

/// The secrets of a user of CoinFLEX, as read.
#[derive(Debug)]
pub struct Credentials {
    /// The user.
    pub user: UserId,
    /// The cookie (API key), as it is sent.
    pub cookie: Secret,
    /// The passphrase.
    pub passphrase: Secret,
}

#[derive(Clone, Debug)]
struct SecretSource {
    place: Place,
    from: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    Env(String),
    File(PathBuf),
    Credential(String),
    /// Written in the configuration: for the built-in exchange only.
    Literal(Secret),
}

/// What to write where a secret is missing.
const REMEDY: &str = "write { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";

impl Login {
    /// Reads `[source.account]`, as the venue wants it. `literal`: whether secrets may be written there as they are.
    pub(super) fn read(field: &Field<'_>, kind: AccountKind, literal: bool) -> Option<Self> {
        let mut section = field.section()?.secret();
        let secret = |field: &Field<'_>| SecretSource::read(field, literal);
        let login = match kind {
            AccountKind::None => return field.fail("this venue has no account streams; leave it out"),
            AccountKind::User => {
                let user = section.required("user_id", "give the number of the account's user", |field| {
                    field.integer(0..=u64::MAX).map(UserId)
                });
                let cookie = section.required("cookie", REMEDY, secret);
                let passphrase = section.required("passphrase", REMEDY, secret);
                let read = || Some(Self::User(UserLogin { user: user?, cookie: cookie?, passphrase: passphrase? }));
                read()
            }
            AccountKind::Key | AccountKind::KeyAndPassphrase | AccountKind::Described => {
                let key = section.required("key", REMEDY, secret);
                let api_secret = section.required("secret", REMEDY, secret);
                let has_passphrase = match kind {
                    AccountKind::Described => section.has("passphrase"),
                    kind => kind == AccountKind::KeyAndPassphrase,
                };
                let passphrase = has_passphrase.then(|| section.required("passphrase", REMEDY, secret));
                let read = || {
                    let passphrase = passphrase.map_or(Some(None), |read| read.map(Some))?;
                    Some(Self::Key(KeyLogin { key: key?, secret: api_secret?, passphrase }))
                };
                read()
            }
            AccountKind::Wallet => {
                let wallet = section.required("wallet", "give the wallet's address", |field| field.text("an address"));
                let session_key = section.required("session_key", REMEDY, secret);
                let read = || Some(Self::Wallet(WalletLogin { wallet: wallet?.to_owned(), session_key: session_key? }));
                read()
            }
        };
        section.finish();
        login
    }

    /// The login of a user whose secrets are in the environment, as `FEEDTAPE_COOKIE` and `FEEDTAPE_PASSPHRASE`; it
    /// was asked for at `place`.
    #[must_use]
    pub fn of_environment(user: UserId, place: &Place) -> Self {
        let variable = |name: &str| {
            let key = format!("{}: {name}", place.key);
            SecretSource { place: Place { key, ..place.clone() }, from: Origin::Env(name.to_owned()) }
        };
        let (cookie, passphrase) = (variable("FEEDTAPE_COOKIE"), variable("FEEDTAPE_PASSPHRASE"));
        Self::User(UserLogin { user, cookie, passphrase })
    }

    /// Gets the secrets from where they are.
    ///
    /// # Errors
    /// If one of them is not there, is empty or not UTF-8, or is a file that others can read.
    pub fn account(&self) -> Result<Account, ConfigErrors> {
        Ok(match self {
            Self::User(login) => login.credentials()?.account(),
            Self::Key(login) => {
                let [key, secret] = SecretSource::get_all([&login.key, &login.secret])?;
                let passphrase = login.passphrase.as_ref().map(|source| SecretSource::get_all([source])).transpose()?;
                Account::Key(KeyAccount { key, secret, passphrase: passphrase.map(|[passphrase]| passphrase) })
            }
            Self::Wallet(login) => {
                let [session_key] = SecretSource::get_all([&login.session_key])?;
                Account::Wallet(WalletAccount { wallet: login.wallet.clone(), session_key })
            }
        })
    }
}

impl UserLogin {
    /// Gets the secrets from where they are.
    ///
    /// # Errors
    /// As for [`Login::account`].
    pub fn credentials(&self) -> Result<Credentials, ConfigErrors> {
        let [cookie, passphrase] = SecretSource::get_all([&self.cookie, &self.passphrase])?;
        Ok(Credentials { user: self.user, cookie, passphrase })
    }
}

impl Credentials {
    /// The account, with the key derived and the system's randomness.
    #[must_use]
    pub fn account(self) -> Account {
        let Self { user, cookie, passphrase } = self;
        let key = SigningKey::derive(user, passphrase.expose());
        Account::User(UserAccount { user, cookie, passphrase, key, randomness: Arc::new(OsRandomness) })
    }
}

impl SecretSource {
    fn read(field: &Field<'_>, literal: bool) -> Option<Self> {
        if let Some(text) = field.literal() {
            return if literal {
                Some(Self { place: field.place(), from: Origin::Literal(Secret::new(text.to_owned())) })
            } else {
                field.fail(
                    "a secret must not be written here; \
                     write { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" } instead",
                )
            };
        }
        let mut section = field.section()?;
        let env = section.optional("env", |field| field.text("a variable's name").map(str::to_owned));
        let file = section.optional("file", Field::path);
        let credential = section.optional("credential", |field| {
            let name = field.text("a credential's name")?;
            if name.contains('/') || name == ".." || name == "." {
                return field.fail("a credential's name has no `/` in it, and is no path");
            }
            Some(name.to_owned())
        });
        let given = ["env", "file", "credential"].into_iter().filter(|key| section.has(key)).count();
        section.finish();
        if given != 1 {
            return field.fail("give one of { env = \"NAME\" }, { file = \"PATH\" }, { credential = \"NAME\" }");
        }
        let from = env.map(Origin::Env).or(file.map(Origin::File)).or(credential.map(Origin::Credential))?;
        Some(Self { place: field.place(), from })
    }

    /// Gets several, or says of each why not.
    fn get_all<const N: usize>(sources: [&Self; N]) -> Result<[Secret; N], ConfigErrors> {
        let (mut secrets, mut errors) = (Vec::with_capacity(N), Vec::new());
        for source in sources {
            match source.get() {
                Ok(secret) => secrets.push(secret),
                Err(error) => errors.push(error),
            }
        }
        ConfigErrors::check(errors)?;
        Ok(secrets.try_into().expect("each was got"))
    }

    fn get(&self) -> Result<Secret, ConfigError> {
        let secret = match &self.from {
            Origin::Literal(secret) => Ok(secret.clone()),
            Origin::Env(name) => from_environment(name),
            Origin::File(path) => from_file(path, true),
            Origin::Credential(name) => from_credential(name),
        };
        match secret {
            Ok(secret) if secret.expose().is_empty() => Err(self.place.error("the secret is empty")),
            Ok(secret) => Ok(secret),
            Err(message) => Err(self.place.error(message)),
        }
    }
}

fn from_environment(name: &str) -> Result<Secret, String> {
    match env::var(name) {
        Ok(value) => Ok(Secret::new(value)),
        Err(env::VarError::NotPresent) => Err("the environment variable named here is not set".to_owned()),
        Err(env::VarError::NotUnicode(_)) => Err("the environment variable named here is not UTF-8".to_owned()),
    }
}

fn from_credential(name: &str) -> Result<Secret, String> {
    let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY") else {
        return Err("credentials are given by systemd, which did not start this ($CREDENTIALS_DIRECTORY is not set); \
                    use LoadCredential= in the unit, or { file = \"PATH\" } here"
            .to_owned());
    };
    // systemd gives the folder to this service alone, whatever its files' modes look like under an access list.
    from_file(&Path::new(&folder).join(name), false)
}

/// A file's text; one trailing newline is dropped and nothing else.
fn from_file(path: &Path, private: bool) -> Result<Secret, String> {
    let failed = |error: std::io::Error| format!("the file named here cannot be read: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err("the file named here is no regular file".to_owned());
    }
    if private && metadata.mode() & 0o077 != 0 {
        return Err(format!(
            "the file named here is open to group or others (mode {:04o}); chmod 600 it",
            metadata.mode() & 0o7777
        ));
    }
    if metadata.len() > SECRET_BYTES_MAX {
        return Err(format!("the file named here has more than {SECRET_BYTES_MAX} bytes"));
    }
    // Reserved whole, so that no outgrown copy is left behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX as usize + 1));
    file.by_ref().take(SECRET_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "the file named here is not UTF-8".to_owned())?;
    Ok(Secret::new(text.strip_suffix('\n').unwrap_or(text).to_owned()))
}
