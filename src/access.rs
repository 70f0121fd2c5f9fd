//! What it takes to talk to a source: where its two sides are, TLS, who logs in, and the built-in exchange where that
//! is the source.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use url::Url;

use crate::clock::Clock;
use crate::config::{BuiltInExchange, BuiltInListing, Credentials, Link, Login, Source};
use crate::connection::rest::Rest;
use crate::connection::{Dialer, client_config};
use crate::exchange::{self, Exchange, ExchangeConfig, ListingChoice, Running, Simulation};
use crate::exit::{Exit, Failure};
use crate::model::{Catalog, Listings};
use crate::registry;
use crate::store::{Reader, StoreError};
use crate::venue::Account;

/// Access to a source.
pub struct Access {
    /// Where the socket goes.
    pub url: String,
    /// Where REST paths begin, if anywhere.
    pub rest_url: Option<Url>,
    /// TLS for both.
    pub tls: Arc<ClientConfig>,
    /// Opens sockets.
    pub dialer: Dialer,
    /// Makes REST requests, if there is somewhere to make them.
    pub rest: Option<Rest>,
    exchange: Option<Running>,
    clock: Clock,
}

impl Access {
    /// Gains access; starts the built-in exchange if that is the source.
    ///
    /// # Errors
    /// If the certificate authorities cannot be read, or the exchange cannot be started.
    pub fn gain(source: &Source) -> Result<Self, Failure> {
        let (url, rest_url, ca_file, exchange) = match &source.link {
            Link::Remote { url, rest_url, ca_file } => (url.to_string(), rest_url.clone(), ca_file.as_deref(), None),
            Link::BuiltIn(settings) => {
                let exchange = start(settings, source)?;
                let rest_url = format!("{}/", exchange.rest_url()).parse();
                let rest_url = rest_url.map_err(|error| Exit::Internal.because(format!("rest url: {error}")))?;
                (exchange.ws_url(), Some(rest_url), None, Some(exchange))
            }
        };
        let tls = client_config(ca_file).map_err(|error| Exit::Configuration.because(error))?;
        let timeout = source.pace.connect + source.pace.handshake + source.timing.reply;
        let rest = rest_url.clone().map(|url| Rest::new(url, tls.clone(), timeout));
        let dialer = Dialer::new(tls.clone(), source.limits, source.pace);
        Ok(Self { url, rest_url, tls, dialer, rest, exchange, clock: Clock::start() })
    }

    /// Who logs in, with the secrets read; `None` if nobody does.
    ///
    /// # Errors
    /// If a secret is not where the configuration says.
    pub fn account(&self, source: &Source) -> Result<Option<Arc<Account>>, Failure> {
        let demo = || self.exchange.as_ref().and_then(|exchange| exchange.accounts().first());
        let account = match (&source.login, demo()) {
            (Some(login), _) => login.account()?,
            (None, Some(demo)) => {
                let (cookie, passphrase) = (demo.cookie.clone(), demo.passphrase.clone());
                Credentials { user: demo.id, cookie, passphrase }.account()
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Arc::new(account)))
    }

    /// What the source lists now; where it does not say, what is known without it (see [`known`]).
    ///
    /// # Errors
    /// If nothing is known.
    pub async fn catalog(&self, source: &Source, database: Option<&Path>) -> Result<Catalog, Failure> {
        let name = &source.name;
        let error = match &self.rest {
            None => "it has no rest_url, and nothing is listed".to_owned(),
            Some(rest) => match registry::load(source.venue, rest, self.clock).await {
                Ok(catalog) => return Ok(catalog),
                Err(error) => error.to_string(),
            },
        };
        let Some(catalog) = known(source, database, self.clock)?.last else {
            return Err(Exit::Unavailable.because(format!("{name}: {error}")));
        };
        if self.rest.is_some() {
            tracing::warn!(source = name, error, origin = ?catalog.origin, since = %catalog.valid_from, "an older list serves");
        }
        Ok(catalog)
    }

    /// Gives access up; stops the exchange that was started for it.
    pub async fn end(self) {
        if let Some(exchange) = self.exchange {
            exchange.stop().await;
        }
    }
}

/// What is known of a source's lists without asking it: what its recording knows, else the list of the configuration.
///
/// # Errors
/// If there is a recording, and it cannot be read.
pub fn known(source: &Source, database: Option<&Path>, clock: Clock) -> Result<Listings, StoreError> {
    let known = match database.map(Reader::open) {
        None | Some(Err(StoreError::Missing { .. })) => Listings::default(),
        Some(reader) => reader?.listings(&source.name)?,
    };
    let last = known.last.clone().or_else(|| source.listed(clock.now().wall));
    Ok(Listings { last, ..known })
}

/// Starts the built-in exchange, with the account that the configuration gives or with demo accounts.
fn start(settings: &BuiltInExchange, source: &Source) -> Result<Running, Failure> {
    let BuiltInExchange { listing, rate, seed, markets, traders } = settings;
    let mut config = ExchangeConfig::default();
    config.listing = match listing {
        BuiltInListing::CoinFlex => ListingChoice::CoinFlex { year: None },
        BuiltInListing::Coinfloor => ListingChoice::Coinfloor,
    };
    config.seed = seed.unwrap_or(config.seed);
    config.traders = traders.then(|| {
        let simulation = Simulation::default();
        let rate = rate.and_then(NonZeroU32::new).unwrap_or(simulation.rate);
        Simulation { markets: markets.clone(), rate, ..simulation }
    });
    if let Some(Login::User(login)) = &source.login {
        let Credentials { user, cookie, passphrase } = login.credentials()?;
        config.demo_balances = true;
        config.accounts = vec![exchange::Account { id: user, cookie, passphrase, balances: Default::default() }];
    }
    Exchange::start(config).map_err(|error| Exit::Unavailable.because(format!("{}: {error}", source.name)))
}
