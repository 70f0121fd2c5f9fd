//! Starting an exchange: everything that can be wrong is found before anything runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};

use thiserror::Error;

use super::account::{Account, AccountsError, Decimal, demo_accounts, demo_balances};
use super::config::{ExchangeConfig, ListingChoice};
use super::directory::Directory;
use super::driver::Driver;
use super::engine::{AccountError, Amount, Engine, TonceRule, UserKind};
use super::floor::Floor;
use super::listing::Listing;
use super::running::{Running, Scheme};
use super::server::{Parts, serve};
use super::shared::Shared;
use super::tally::Tally;
use super::tls::{self, TlsError};
use crate::clock::Clock;
use crate::model::{AssetCode, Stamp, UserId};

/// Why an exchange cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The calendar has no such year.
    #[error("there are no contracts for year {0}: choose one from 1970 to 2200")]
    Year(i16),
    /// The clock is beyond the calendar.
    #[error("the calendar has no contracts for this time: choose a year with --year")]
    Calendar,
    /// An account's balance is of an asset that is not listed.
    #[error("account {user}: asset {asset} is not listed; use a name of /assets/")]
    UnknownAsset {
        /// Whose.
        user: UserId,
        /// The name.
        asset: String,
    },
    /// An account's balance cannot be held in units of the asset.
    #[error("account {user}: balance {asset} = {amount:?} is not a decimal with at most {places} decimal places")]
    Balance {
        /// Whose.
        user: UserId,
        /// The asset.
        asset: String,
        /// What was given.
        amount: String,
        /// Decimal places of the asset.
        places: u32,
    },
    /// The traders are to trade where nothing is traded.
    #[error("there is no market {0} for the traders; use names of /markets/")]
    UnknownMarket(String),
    /// The engine does not take an account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The accounts file cannot be used.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server could not be started.
    #[error("the server cannot be started: {0}")]
    Server(#[from] io::Error),
}

/// The built-in exchange.
pub struct Exchange;

impl Exchange {
    /// Starts an exchange on a thread of its own, and returns once it accepts connections.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(mut config: ExchangeConfig) -> Result<Running, StartError> {
        let clock = Clock::start();
        let now = clock.now();
        let listing = Arc::new(listing(config.listing, now)?);
        if config.accounts.is_empty() {
            config.accounts = demo_accounts(&listing);
        }
        if config.demo_balances {
            config.accounts.iter_mut().filter(|account| account.balances.is_empty()).for_each(|account| {
                account.balances = demo_balances(&listing);
            });
        }
        let tonces = match config.listing {
            ListingChoice::CoinFlex { .. } => TonceRule::Unique,
            ListingChoice::Coinfloor => TonceRule::Increasing,
        };
        let mut engine = Engine::new(listing.clone(), &config.fees, config.seed).with_tonces(tonces);
        for account in &config.accounts {
            let balances = balances(account, &listing)?;
            engine.add_user(account.id, UserKind::Customer, &balances)?;
        }
        let simulation = config.traders.take();
        let driver = simulation.map(|simulation| Driver::new(&simulation, &mut engine, config.seed)).transpose()?;
        let listener =
            TcpListener::bind(config.listen).map_err(|error| StartError::Listen { address: config.listen, error })?;
        let addr = listener.local_addr()?;
        let scheme = if config.tls.is_some() { Scheme::Encrypted } else { Scheme::Plain };
        let tls = config.tls.as_ref().map(|tls| tls::acceptor(tls, addr)).transpose()?;
        let tally = Tally::new();
        let floor = Floor::new(engine, &config, tally.clone(), now);
        let directory = Directory::new(&config.accounts, config.limits.logins);
        let shared = Arc::new(Shared::new(floor, directory, listing, config.limits, tally, clock));

        let accounts = std::mem::take(&mut config.accounts);
        let (started, start) = mpsc::channel();
        let parts = Parts { config, shared: shared.clone(), driver, tls, listener };
        let running = Running::spawn(addr, scheme, accounts, shared, |stopped| serve(parts, started, stopped))?;
        match start.recv() {
            Ok(Ok(())) => Ok(running),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(io::Error::other("its thread ended at once").into()),
        }
    }
}

fn listing(choice: ListingChoice, now: Stamp) -> Result<Listing, StartError> {
    match choice {
        ListingChoice::Coinfloor => Ok(Listing::coinfloor()),
        ListingChoice::CoinFlex { year: Some(year) } => Listing::coinflex(year).ok_or(StartError::Year(year)),
        ListingChoice::CoinFlex { year: None } => Listing::coinflex_at(now.into()).ok_or(StartError::Calendar),
    }
}

fn balances(account: &Account, listing: &Listing) -> Result<Vec<(AssetCode, Amount)>, StartError> {
    let balance = |(name, amount): (&String, &Decimal)| {
        let asset = listing
            .asset_named(name)
            .ok_or_else(|| StartError::UnknownAsset { user: account.id, asset: name.clone() })?;
        let units = amount.units(asset.scale).ok_or_else(|| StartError::Balance {
            user: account.id,
            asset: name.clone(),
            amount: amount.0.clone(),
            places: asset.scale.ilog10(),
        })?;
        Ok((asset.code, Amount(units)))
    };
    account.balances.iter().map(balance).collect()
}
