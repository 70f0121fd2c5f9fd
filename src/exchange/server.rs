//! Starting and stopping: the listener, the HTTP server on a thread of its own, and the timers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::Service as _;
use actix_web::{App, HttpServer, web};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::account::{Account, AccountsError, demo_accounts};
use super::config::{ExchangeConfig, Limits, ListingChoice};
use super::directory::Directory;
use super::driver::Driver;
use super::engine::{AccountError, Amount, Engine, UserKind};
use super::floor::Floor;
use super::front::Front;
use super::listing::Listing;
use super::peer::Socket;
use super::tally::{Counts, Tally};
use super::tls::TlsError;
use super::{gateway, rest, tls};
use crate::clock::Clock;
use crate::model::{Stamp, UserId};

/// How often time is let pass on the floor.
const TICK: Duration = Duration::from_secs(1);

/// How long clients may take to go when the exchange stops.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// What every handler needs.
pub(super) struct Shared {
    floor: Mutex<Floor>,
    /// How many wait for the floor.
    waiting: AtomicUsize,
    pub directory: Directory,
    pub listing: Arc<Listing>,
    pub limits: Limits,
    pub tally: Tally,
    pub clock: Clock,
}

impl Shared {
    pub(super) fn floor(&self) -> MutexGuard<'_, Floor> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let floor = self.floor.lock().expect("no panic has happened under the floor's lock");
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        floor
    }

    /// Whether somebody waits for the floor, which the lock itself does not hand over fairly.
    pub(super) fn is_floor_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

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
        let mut engine = Engine::new(listing.clone(), &config.fees, config.seed);
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
        let shared = Arc::new(Shared {
            directory: Directory::new(&config.accounts, config.limits.logins),
            listing,
            limits: config.limits,
            tally: tally.clone(),
            clock,
            waiting: AtomicUsize::new(0),
            floor: Mutex::new(Floor::new(engine, &config, tally, now)),
        });

        let (stop, stopped) = oneshot::channel();
        let (started, start) = std::sync::mpsc::channel();
        let accounts = std::mem::take(&mut config.accounts);
        let (ending, end) = oneshot::channel::<()>();
        let parts = Parts { config, shared: shared.clone(), driver, tls, listener };
        let thread = std::thread::Builder::new().name("exchange".into()).spawn(move || {
            actix_rt::System::new().block_on(serve(parts, started, stopped));
            // Its being gone is the word that everything has ended.
            drop(ending);
        })?;
        let running =
            Running { addr, scheme, accounts, shared, stop: Some(stop), end: Some(end), thread: Some(thread) };
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
        ListingChoice::CoinFlex { year } => {
            let this_year = || {
                jiff::Timestamp::from_nanosecond(now.wall.0.into())
                    .map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).year())
            };
            let year = year.or_else(|| this_year().ok()).unwrap_or_default();
            Listing::coinflex(year).ok_or(StartError::Year(year))
        }
    }
}

fn balances(account: &Account, listing: &Listing) -> Result<Vec<(crate::model::AssetCode, Amount)>, StartError> {
    let balance = |(name, amount): (&String, &super::account::Decimal)| {
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

/// What an exchange consists of before it runs.
struct Parts {
    config: ExchangeConfig,
    shared: Arc<Shared>,
    driver: Option<Driver>,
    tls: Option<TlsAcceptor>,
    listener: TcpListener,
}

async fn serve(parts: Parts, started: std::sync::mpsc::Sender<io::Result<()>>, stopped: oneshot::Receiver<()>) {
    let Parts { config, shared, driver, tls, listener } = parts;
    let (listener, front) = match front(&config, &shared, tls, listener) {
        Ok(listeners) => listeners,
        Err(error) => {
            // Nobody listens if the starter is gone.
            let _ = started.send(Err(error));
            return;
        }
    };
    let at_root = config.listing == ListingChoice::Coinfloor;
    let data = web::Data::from(shared.clone());
    let server = HttpServer::new(move || {
        let tally = data.tally.clone();
        App::new()
            .app_data(data.clone())
            .configure(rest::routes)
            .configure(|app| gateway::routes(app, at_root))
            .wrap_fn(move |request, service| {
                tally.count(|counts| counts.requests += 1);
                service.call(request)
            })
    })
    .workers(1)
    .worker_max_blocking_threads(1)
    .disable_signals()
    .on_connect(Socket::keep)
    .listen(listener);
    let server = match server {
        Ok(server) => server.run(),
        Err(error) => {
            // Nobody listens if the starter is gone.
            let _ = started.send(Err(error));
            return;
        }
    };
    let handle = server.handle();
    let server = actix_rt::spawn(server);
    let ticking = actix_rt::spawn(tick(shared.clone()));
    let front = front.map(|front| actix_rt::spawn(front.run()));
    let driving = driver.map(|driver| actix_rt::spawn(driver.run(shared.clone())));
    let _ = started.send(Ok(()));
    // An error means that the owner is gone without a word: the same.
    let _ = stopped.await;

    ticking.abort();
    if let Some(driving) = driving {
        driving.abort();
    }
    shared.floor().part_all(shared.clock.now());
    let gone = shared.tally.wait_for(FAREWELL_MAX, |counts| counts.open() == 0).await;
    if gone.is_err() {
        shared.floor().cut_all();
    }
    if let Some(front) = front {
        front.abort();
    }
    handle.stop(false).await;
    // The server's own result repeats what has been seen.
    let _ = server.await;
}

/// The listener for the server: the public one, or one behind a front where that is needed.
fn front(
    config: &ExchangeConfig,
    shared: &Shared,
    tls: Option<TlsAcceptor>,
    listener: TcpListener,
) -> io::Result<(TcpListener, Option<Front>)> {
    if tls.is_none() && config.faults.is_empty() {
        return Ok((listener, None));
    }
    let inner = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let front = Front {
        listener: listener.try_into()?,
        server: inner.local_addr()?,
        tls,
        faults: config.faults.clone(),
        tally: shared.tally.clone(),
    };
    Ok((inner, Some(front)))
}

async fn tick(shared: Arc<Shared>) {
    let mut interval = actix_rt::time::interval(TICK);
    loop {
        interval.tick().await;
        shared.floor().tick(shared.clock.now());
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Plain,
    Encrypted,
}

/// An exchange that runs. Dropping it stops it, too, and waits for its end.
pub struct Running {
    addr: SocketAddr,
    scheme: Scheme,
    accounts: Vec<Account>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    end: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its WebSocket is.
    #[must_use]
    pub fn ws_url(&self) -> String {
        match self.scheme {
            Scheme::Plain => format!("ws://{}/v1", self.addr),
            Scheme::Encrypted => format!("wss://{}/v1", self.addr),
        }
    }

    /// Where its REST API is.
    #[must_use]
    pub fn rest_url(&self) -> String {
        match self.scheme {
            Scheme::Plain => format!("http://{}", self.addr),
            Scheme::Encrypted => format!("https://{}", self.addr),
        }
    }

    /// Who can log in.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.tally.now()
    }

    /// Waits until what has happened satisfies `condition`.
    ///
    /// # Errors
    /// With what had happened if that is not so `within` the time.
    pub async fn wait_for(&self, within: Duration, condition: impl FnMut(&Counts) -> bool) -> Result<Counts, Counts> {
        self.shared.tally.wait_for(within, condition).await
    }

    /// Stops in order: tells every client to go, waits a little for that, and ends its threads.
    pub async fn stop(mut self) {
        let thread = self.signal();
        if let Some(end) = self.end.take() {
            let _ = end.await;
        }
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn signal(&mut self) -> Option<JoinHandle<()>> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.thread.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.signal() {
            let _ = thread.join();
        }
    }
}
