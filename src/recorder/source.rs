//! One source: its exchange if it is a built-in one, its registry, its connection.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix::{Actor, Addr};
use tracing::info;
use url::Url;

use crate::clock::Clock;
use crate::config::{BuiltInExchange, BuiltInListing, Link, Source};
use crate::connection::rest::Rest;
use crate::connection::{self, BackoffPolicy, Connection, ConnectionConfig, Flow, LoginBudget, client_config};
use crate::crypto::{OsRandomness, Secret, SigningKey};
use crate::exchange::{self, Exchange, ExchangeConfig, ListingChoice, Simulation};
use crate::exit::{Exit, Failure};
use crate::message::{Ready, Subscribe};
use crate::model::{Catalog, Stamp, Timestamp, UserId};
use crate::registry::{self, Registry};
use crate::sink::SinkActor;
use crate::venue::Account;

/// How long to wait for the venue's own list before beginning with what is known of it.
const CATALOG_WAIT: Duration = Duration::from_secs(2);

/// A source before it is started.
pub(super) struct Beginning<'a> {
    source: &'a Source,
    exchange: Option<exchange::Running>,
    url: String,
    rest_url: Option<Url>,
    account: Option<Arc<Account>>,
    fallback: Option<Catalog>,
    logins: LoginBudget,
}

/// A source at work.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) exchange: Option<exchange::Running>,
    pub(super) registry: Addr<Registry>,
    pub(super) connection: Addr<Connection>,
    pub(super) progress: Arc<connection::Progress>,
}

impl<'a> Beginning<'a> {
    /// Reads its secrets, and starts its exchange if it is a built-in one.
    pub(super) fn new(source: &'a Source) -> Result<Self, Failure> {
        let credentials = source.login.as_ref().map(crate::config::Login::credentials).transpose()?;
        let mut login = credentials.map(|given| (given.user, given.cookie, given.passphrase));
        let (exchange, url, rest_url) = match &source.link {
            Link::Remote { url, rest_url, .. } => (None, url.to_string(), rest_url.clone()),
            Link::BuiltIn(built_in) => {
                let exchange = start_exchange(source, built_in, login.as_ref())?;
                login = exchange
                    .accounts()
                    .first()
                    .map(|account| (account.id, account.cookie.clone(), account.passphrase.clone()));
                let rest_url = Url::parse(&format!("{}/", exchange.rest_url())).ok();
                (Some(exchange), String::new(), rest_url)
            }
        };
        let url = exchange.as_ref().map_or(url, exchange::Running::ws_url);
        let account = login.map(|(user, cookie, passphrase)| {
            let key = SigningKey::derive(user, passphrase.expose());
            Arc::new(Account { user, cookie, passphrase, key, randomness: Arc::new(OsRandomness) })
        });
        let fallback = source.listed(Timestamp(0));
        Ok(Self { source, exchange, url, rest_url, account, fallback, logins: LoginBudget::default() })
    }

    pub(super) fn source(&self) -> &Source {
        self.source
    }

    /// Takes what the database knows from earlier runs.
    pub(super) fn recall(&mut self, catalog: Option<Catalog>, logins: Vec<Timestamp>, now: Stamp) {
        self.fallback = catalog.or(self.fallback.take());
        self.logins = LoginBudget::new(logins, now);
    }

    /// Starts its registry, waits a little for the catalog, checks the configured names against it, and connects.
    pub(super) async fn start(
        self,
        clock: Clock,
        sink: &Addr<SinkActor>,
        sessions: &Arc<AtomicI64>,
    ) -> Result<Running, Failure> {
        let source = self.source;
        let ca_file = match &source.link {
            Link::Remote { ca_file, .. } => ca_file.as_deref(),
            Link::BuiltIn(_) => None,
        };
        let tls = client_config(ca_file).map_err(|error| Exit::Configuration.because(error))?;
        let rest = self.rest_url.clone().map(|url| Rest::new(url, tls.clone(), source.pace.connect));
        let registry = Registry::new(registry::Settings {
            source: source.name.clone(),
            venue: source.venue,
            rest,
            clock,
            refresh: source.pace.catalog_refresh,
            fallback: self.fallback.clone(),
        });
        let registry = registry.start();
        let ready = actix_rt::time::timeout(CATALOG_WAIT, registry.send(Ready)).await;
        let loaded = ready.ok().and_then(Result::ok).flatten();
        let catalog = loaded.or_else(|| self.fallback.map(Arc::new));
        if let Some(catalog) = &catalog {
            source.check_names(catalog)?;
        }
        let progress = Arc::new(connection::Progress::default());
        let connection = Connection::new(ConnectionConfig {
            plan: source.plan(&self.url, self.account.as_ref().map(|account| account.user), true),
            venue: source.venue,
            account: self.account,
            catalog,
            rest_url: self.rest_url,
            tls,
            limits: source.limits,
            pace: source.pace,
            backoff: BackoffPolicy::default(),
            seed: rand::random(),
            flow: Flow::default(),
            logins: self.logins,
            sessions: sessions.clone(),
            clock,
            sink: sink.clone().recipient(),
            progress: progress.clone(),
        });
        let connection = connection.start();
        registry.do_send(Subscribe(connection.clone().recipient()));
        Ok(Running { name: source.name.clone(), exchange: self.exchange, registry, connection, progress })
    }
}

/// Starts the exchange of a source, with the account that the configuration gives or with its own.
fn start_exchange(
    source: &Source,
    built_in: &BuiltInExchange,
    login: Option<&(UserId, Secret, Secret)>,
) -> Result<exchange::Running, Failure> {
    let listing = match built_in.listing {
        BuiltInListing::CoinFlex => ListingChoice::CoinFlex { year: None },
        BuiltInListing::Coinfloor => ListingChoice::Coinfloor,
    };
    let defaults = Simulation::default();
    let traders = built_in.traders.then(|| Simulation {
        markets: built_in.markets.iter().map(ToString::to_string).collect(),
        rate: built_in.rate.and_then(NonZeroU32::new).unwrap_or(defaults.rate),
        ..defaults
    });
    let accounts = login.into_iter().map(|(id, cookie, passphrase)| exchange::Account {
        id: *id,
        cookie: cookie.clone(),
        passphrase: passphrase.clone(),
        balances: Default::default(),
    });
    let config = ExchangeConfig {
        listing,
        accounts: accounts.collect(),
        seed: built_in.seed.unwrap_or_default(),
        traders,
        ..ExchangeConfig::default()
    };
    let exchange = Exchange::start(config)
        .map_err(|error| Exit::Unavailable.because(format!("built-in exchange of source {}: {error}", source.name)))?;
    info!(source = source.name, url = exchange.ws_url(), rest_url = exchange.rest_url(), "built-in exchange started");
    Ok(exchange)
}
