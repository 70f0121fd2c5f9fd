//! Where secrets come from: the environment, a file, a systemd credential. Never the configuration itself, except for
//! the built-in exchange.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::model::UserId;

use super::document::{Field, Section};
use super::error::{ConfigError, ConfigErrors, Place};

/// A secret is at most this long.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Who logs in at a source, and where the secrets for it are.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: UserId,
    cookie: SecretSource,
    passphrase: SecretSource,
}

/// The secrets of a login, as read.
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

impl Login {
    /// Reads `[source.account]`. `literal`: whether secrets may be written there as they are.
    pub(super) fn read(section: Section<'_>, literal: bool) -> Option<Self> {
        let mut section = section.secret();
        let user = section.required("user_id", "give the number of the account's user", |field| {
            field.integer(0..=u64::MAX).map(UserId)
        });
        let remedy = "write { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";
        let cookie = section.required("cookie", remedy, |field| SecretSource::read(field, literal));
        let passphrase = section.required("passphrase", remedy, |field| SecretSource::read(field, literal));
        section.finish();
        Some(Self { user: user?, cookie: cookie?, passphrase: passphrase? })
    }

    /// A login whose secrets are in the environment, as `FEEDTAPE_COOKIE` and `FEEDTAPE_PASSPHRASE`; it was asked for
    /// at `place`.
    #[must_use]
    pub fn of_environment(user: UserId, place: &Place) -> Self {
        let variable = |name: &str| {
            let key = format!("{}: {name}", place.key);
            SecretSource { place: Place { key, ..place.clone() }, from: Origin::Env(name.to_owned()) }
        };
        Self { user, cookie: variable("FEEDTAPE_COOKIE"), passphrase: variable("FEEDTAPE_PASSPHRASE") }
    }

    /// Gets the secrets from where they are.
    ///
    /// # Errors
    /// If one of them is not there, is empty or not UTF-8, or is a file that others can read.
    pub fn credentials(&self) -> Result<Credentials, ConfigErrors> {
        match (self.cookie.get(), self.passphrase.get()) {
            (Ok(cookie), Ok(passphrase)) => Ok(Credentials { user: self.user, cookie, passphrase }),
            (cookie, passphrase) => {
                let errors = [cookie.err(), passphrase.err()].into_iter().flatten().collect();
                Err(ConfigErrors::check(errors).expect_err("one of the two failed"))
            }
        }
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
