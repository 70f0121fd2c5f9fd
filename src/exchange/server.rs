//! Serving: the HTTP server, the front before it where there is one, the timers, and their end in order.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::Service as _;
use actix_web::{App, HttpServer, web};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::config::{ExchangeConfig, ListingChoice};
use super::driver::Driver;
use super::front::Front;
use super::peer::Socket;
use super::shared::Shared;
use super::{gateway, rest};

/// How often time is let pass on the floor.
const TICK: Duration = Duration::from_secs(1);

/// How long clients may take to go when the exchange stops.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// What an exchange consists of before it runs.
pub(super) struct Parts {
    pub config: ExchangeConfig,
    pub shared: Arc<Shared>,
    pub driver: Option<Driver>,
    pub tls: Option<TlsAcceptor>,
    pub listener: TcpListener,
}

/// Serves until `stopped` says so, or nobody is left to say it. `started` is told when connections are taken.
pub(super) async fn serve(parts: Parts, started: mpsc::Sender<io::Result<()>>, stopped: oneshot::Receiver<()>) {
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
