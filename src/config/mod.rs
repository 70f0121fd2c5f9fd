//! The configuration file: TOML to a resolved value in one step, with errors that name file, line and key.
//!
//! ```toml
//! database = "coinflex.db"        # relative to this file, like every path
//! durability = "power-loss"       # or "process-kill"
//! commit_interval = "50ms"
//! min_free_space = "256MiB"
//! max_wal_size = "16GiB"
//!
//! [[source]]
//! name = "coinflex"
//! venue = "coinflex"
//! url = "wss://api.coinflex.com/v1"           # both URLs; or endpoint = "live"; or exchange = "built-in"
//! rest_url = "https://webapi.coinflex.com"
//!
//! [source.account]                # leave out to record public data only
//! user_id = 1
//! cookie = { env = "COINFLEX_COOKIE" }
//! passphrase = { file = "passphrase.txt" }    # or { credential = "passphrase" } under systemd
//!
//! [[source.subscribe]]
//! method = "WatchOrders"
//! markets = ["XBT:USDT", "ETH:*"] # names, codes (63488:65283), wildcards
//! stale_after = "10m"             # silence longer than this is a gap
//!
//! [[source.poll]]
//! method = "GetBalances"
//! every = "10s"
//!
//! [source.limits]                 # what a frame and a whole message may have
//! frame = "16MiB"
//! message = "16MiB"
//!
//! [source.timing]
//! connect = "10s"
//! handshake = "10s"
//! greeting = "10s"
//! reply = "10s"
//! login_retry = "15m"             # after the venue said that logins come too rapidly
//! ping_after = "20s"
//! dead_after = "20s"
//! catalog_refresh = "5m"
//! lifetime = "23h"                # another connection takes over before this one is as old; the venue's own time if
//!                                 # that is not said, for venues that end connections for their age
//!
//! [[source.asset]]                # only if the venue's own list can't be had and never was
//! name = "XBT"
//! code = 63488
//! scale = 10000
//! ```

mod check;
mod document;
mod error;
mod listing;
mod secret;
mod source;
#[cfg(test)]
mod tests;
mod wishes;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{ConfigError, ConfigErrors, Place};
pub use secret::{Credentials, KeyLogin, Login, UserLogin, WalletLogin};
pub use source::{BuiltInExchange, BuiltInListing, Limits, Link, Pace, Source};

use crate::exit::Exit;
use document::{Document, Field, Section};

/// A configuration file is at most this long.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest time between a frame's arrival and its commit that can be asked for.
const COMMIT_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// What to record, and where to.
#[derive(Clone)]
pub struct Config {
    /// The files it was read from.
    pub files: Vec<PathBuf>,
    /// The database.
    pub database: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// How long rows wait for others to be committed with.
    pub commit_interval: Duration,
    /// With less room than this on the database's file system, in bytes, recording does not start.
    pub min_free_space: u64,
    /// While a reader keeps the WAL from being emptied and it is longer than this, in bytes, nothing is recorded.
    pub max_wal_size: u64,
    /// The sources, with unique names. Never empty.
    pub sources: Vec<Source>,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every commit is synced to the disk.
    #[default]
    PowerLoss,
    /// The end of the process, not of the machine: the operating system syncs when it likes.
    ProcessKill,
}

impl Durability {
    /// The text that configurations and tables use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PowerLoss => "power-loss",
            Self::ProcessKill => "process-kill",
        }
    }
}

impl Config {
    /// Reads files that together say what to record into one database.
    ///
    /// Secrets are not read yet: see [`Login::account`].
    ///
    /// # Errors
    /// Every mistake in the first files that have some.
    pub fn load(files: &[PathBuf]) -> Result<Self, ConfigErrors> {
        let mut configs = Vec::new();
        let mut errors = Vec::new();
        for file in files {
            match read_file(file).and_then(|text| Self::parse(file, &text)) {
                Ok(config) => configs.push(config),
                Err(more) => errors.extend(more.into_errors()),
            }
        }
        ConfigErrors::check(errors)?;
        let mut configs = configs.into_iter();
        let Some(mut whole) = configs.next() else {
            return Err(Place::file(Path::new("")).error("no configuration file is given").into());
        };
        for config in configs {
            whole = whole.join(config)?;
        }
        Ok(whole)
    }

    /// Reads the text of a file that lies (or would lie) at `file`.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigErrors> {
        let document = Document::new(file, text);
        let table = document.parse();
        let config = table.as_ref().and_then(|table| Self::read(file, Section::root(&document, table)));
        ConfigErrors::check(document.into_errors())?;
        // Nothing that is missing goes unreported, so there is a configuration here.
        let config = config.ok_or_else(|| Place::file(file).error("cannot be understood"))?;
        config.check_source_names()?;
        Ok(config)
    }

    /// Takes over the sources of another file for the same database.
    fn join(mut self, other: Self) -> Result<Self, ConfigErrors> {
        let (first, file) = (self.files[0].display(), &other.files[0]);
        let differs = |key: &str, is_same: bool| {
            let place = Place { key: key.to_owned(), ..Place::file(file) };
            let error = place.error(format!("not what {first} says; files that are recorded together must agree"));
            (!is_same).then_some(error)
        };
        let errors = [
            differs("database", is_same_file(&self.database, &other.database)),
            differs("durability", self.durability == other.durability),
            differs("commit_interval", self.commit_interval == other.commit_interval),
            differs("min_free_space", self.min_free_space == other.min_free_space),
            differs("max_wal_size", self.max_wal_size == other.max_wal_size),
        ];
        ConfigErrors::check(errors.into_iter().flatten().collect())?;
        self.files.extend(other.files);
        self.sources.extend(other.sources);
        self.check_source_names()?;
        Ok(self)
    }

    fn check_source_names(&self) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        for (n, source) in self.sources.iter().enumerate() {
            if let Some(first) = self.sources[..n].iter().find(|first| first.name == source.name) {
                let message = format!("the name `{}` is taken by {}; give this one another", source.name, first.place);
                errors.push(source.place.error(message));
            }
        }
        ConfigErrors::check(errors)
    }

    fn read(file: &Path, mut root: Section<'_>) -> Option<Self> {
        let database = root.required("database", "name the SQLite file to record into", Field::path);
        let classes = [Durability::PowerLoss, Durability::ProcessKill].map(|class| (class.as_str(), class));
        let durability = root.or("durability", Durability::default(), |field| field.choice(&classes));
        let commit_interval = root.or("commit_interval", Duration::from_millis(50), |field| {
            field.duration(Duration::from_millis(1)..=COMMIT_INTERVAL_MAX)
        });
        let min_free_space = root.or("min_free_space", 256 << 20, |field| field.bytes(0..=u64::MAX));
        let max_wal_size = root.or("max_wal_size", 16 << 30, |field| field.bytes(1 << 20..=u64::MAX));
        let sections = root.sections("source");
        if sections.is_empty() {
            root.fail("source", "missing; add a [[source]] to record from");
        }
        let sources: Vec<_> = sections.into_iter().map(Source::read).collect();
        root.finish();
        let mut config = Self {
            files: vec![file.to_owned()],
            database: database?,
            durability: durability?,
            commit_interval: commit_interval?,
            min_free_space: min_free_space?,
            max_wal_size: max_wal_size?,
            sources: Vec::new(),
        };
        for source in sources {
            config.sources.push(source?);
        }
        Some(config)
    }
}

fn read_file(file: &Path) -> Result<String, ConfigErrors> {
    let failed = |error: io::Error| {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NoInput } else { Exit::InputOutput };
        ConfigError { exit, ..Place::file(file).error(format!("cannot be read: {error}")) }
    };
    if fs::metadata(file).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(Place::file(file).error(format!("has more than {FILE_BYTES_MAX} bytes")).into());
    }
    let bytes = fs::read(file).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| Place::file(file).error("is not UTF-8").into())
}

/// Whether two paths lead to one file, which need not exist yet.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize()
            .or_else(|_| Ok::<_, io::Error>(folder.canonicalize()?.join(path.file_name().unwrap_or_default())))
    };
    a == b || matches!((resolved(a), resolved(b)), (Ok(a), Ok(b)) if a == b)
}
