//! An exchange, and a configuration that records it.

use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use feedtape::config::Config;
use feedtape::crypto::Secret;
use feedtape::exchange::{Account, Decimal, Exchange, ExchangeConfig, Faults, ListingChoice, Running, Simulation};
use feedtape::model::{MarketPattern, UserId};
use feedtape::recorder::{Recorder, View};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::rows::rows;

/// Nothing here takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// An exchange, and a configuration that records it.
pub struct Scene {
    pub exchange: Running,
    pub folder: TempDir,
}

impl Scene {
    /// With traders on XBT:USDT and these faults.
    pub fn new(faults: Faults) -> Self {
        Self::with_rate(2_000, faults)
    }

    /// The same, with so many commands of the traders a second.
    pub fn with_rate(rate: u32, faults: Faults) -> Self {
        let folder = TempDir::new().unwrap();
        let traders = Simulation {
            markets: vec![MarketPattern::parse("XBT:USDT").unwrap()],
            rate: rate.try_into().unwrap(),
            ..Simulation::default()
        };
        let account = Account {
            id: UserId(7),
            cookie: Secret::new("HGREqcILTz8blHa/jsUTVTNBJlg=".to_owned()),
            passphrase: Secret::new("open sesame".to_owned()),
            balances: [("XBT".to_owned(), Decimal("5".to_owned()))].into(),
        };
        let config = ExchangeConfig {
            listing: ListingChoice::CoinFlex { year: Some(2020) },
            accounts: vec![account],
            traders: Some(traders),
            faults,
            ..ExchangeConfig::default()
        };
        let scene = Self { exchange: Exchange::start(config).unwrap(), folder };
        scene.secret("cookie.txt", "HGREqcILTz8blHa/jsUTVTNBJlg=\n");
        scene.secret("passphrase.txt", "open sesame\n");
        scene
    }

    pub fn secret(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// The configuration: book and ticker of XBT:USDT, and whatever `more` says.
    pub fn config(&self, more: &str) -> Config {
        self.config_of("", more)
    }

    /// The same, with these keys of the source.
    pub fn config_of(&self, keys: &str, more: &str) -> Config {
        let text = format!(
            r#"
            database = "test.db"
            [[source]]
            name = "test"
            venue = "coinflex"
            url = "{}"
            rest_url = "{}"
            {keys}
            [[source.subscribe]]
            method = "WatchOrders"
            markets = ["XBT:USDT"]
            [[source.subscribe]]
            method = "WatchTicker"
            markets = ["XBT:USDT"]
            {more}
            "#,
            self.exchange.ws_url(),
            self.exchange.rest_url(),
        );
        Config::parse(&self.folder.path().join("test.toml"), &text).unwrap()
    }

    /// Records until `done`, and stops.
    pub fn record(&self, config: &Config, done: impl Fn(&View) -> bool) -> View {
        actix_rt::System::new().block_on(async {
            let recorder = Recorder::start(config).await.unwrap();
            let view = recorder.view();
            let reached = until(async {
                while !done(&view) {
                    view.sink.committed().await;
                }
            });
            let reached = reached.await;
            recorder.stop().await.unwrap();
            assert!(reached, "it never came to what was waited for");
            view
        })
    }

    /// The rows of a query, columns joined by a space.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&Connection::open(self.database()).unwrap(), sql)
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0].parse().unwrap()
    }
}

pub async fn until(condition: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(PATIENCE, condition).await.is_ok()
}

/// The account, for a configuration.
pub const ACCOUNT: &str = r#"
    [source.account]
    user_id = 7
    cookie = { file = "cookie.txt" }
    passphrase = { file = "passphrase.txt" }
"#;
