//! One source: its registry and its connection.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix::{Actor, Addr};

use crate::access::Access;
use crate::clock::Clock;
use crate::config::Source;
use crate::connection::{self, BackoffPolicy, Connection, ConnectionConfig, Flow, LoginBudget};
use crate::exit::Failure;
use crate::message::{Ready, Stop, Subscribe};
use crate::model::{Listings, Stamp, Timestamp};
use crate::registry::{self, Registry};
use crate::sink::SinkActor;
use crate::venue::Account;

/// How long to wait for the venue's own list before beginning with what is known of it. Where nothing is known, the
/// first attempt to load it is awaited, however it ends: names are checked before anybody logs in.
const CATALOG_WAIT: Duration = Duration::from_secs(2);

/// A source before it is started.
pub(super) struct Beginning<'a> {
    source: &'a Source,
    access: Access,
    account: Option<Arc<Account>>,
    /// What is known of its lists without asking it.
    known: Listings,
    logins: LoginBudget,
}

/// A source at work.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) access: Access,
    pub(super) registry: Addr<Registry>,
    pub(super) connection: Addr<Connection>,
    pub(super) progress: Arc<connection::Progress>,
}

impl<'a> Beginning<'a> {
    /// Gains access to a source, and reads its secrets.
    pub(super) fn new(source: &'a Source) -> Result<Self, Failure> {
        let access = Access::gain(source)?;
        let account = access.account(source)?;
        let known = Listings { last: source.listed(Timestamp(0)), ..Listings::default() };
        Ok(Self { source, access, account, known, logins: LoginBudget::default() })
    }

    pub(super) fn source(&self) -> &Source {
        self.source
    }

    /// Takes what the database knows from earlier runs.
    pub(super) fn recall(&mut self, listings: Listings, logins: Vec<Timestamp>, now: Stamp) {
        self.known = Listings { last: listings.last.clone().or(self.known.last.take()), ..listings };
        self.logins = LoginBudget::new(logins, now);
    }

    /// Starts its registry, waits a little for the catalog, checks the configured names against it, and connects.
    pub(super) async fn start(
        self,
        clock: Clock,
        sink: &Addr<SinkActor>,
        sessions: &Arc<AtomicI64>,
    ) -> Result<Running, Failure> {
        let Self { source, access, account, known, logins } = self;
        let registry = Registry::new(registry::Settings {
            source: source.name.clone(),
            venue: source.venue,
            rest: access.rest.clone().filter(|_| !source.venue.catalog_paths().is_empty()),
            clock,
            refresh: source.pace.catalog_refresh,
            fallback: known.last.clone(),
        });
        let registry = registry.start();
        let loading = registry.send(Ready);
        let loaded = match &known.last {
            Some(_) => actix_rt::time::timeout(CATALOG_WAIT, loading).await.ok().and_then(Result::ok).flatten(),
            None => loading.await.ok().flatten(),
        };
        let catalog = loaded.or_else(|| known.last.clone().map(Arc::new));
        if let Some(catalog) = &catalog
            && let Err(errors) = source.check_names(catalog, &known)
        {
            // It is stopped before anything came of it, so there is nothing to answer for.
            let _ = registry.send(Stop).await;
            access.end().await;
            return Err(errors.into());
        }
        let progress = Arc::new(connection::Progress::default());
        let connection = Connection::new(ConnectionConfig {
            plan: source.plan(&access.url, account.as_deref(), true),
            venue: source.venue,
            account,
            catalog,
            rest_url: access.rest_url.clone(),
            tls: access.tls.clone(),
            limits: source.limits,
            pace: source.pace,
            backoff: BackoffPolicy::default(),
            seed: rand::random(),
            flow: Flow::default(),
            logins,
            sessions: sessions.clone(),
            clock,
            sink: sink.clone().recipient(),
            progress: progress.clone(),
        });
        let connection = connection.start();
        registry.do_send(Subscribe(connection.clone().recipient()));
        Ok(Running { name: source.name.clone(), access, registry, connection, progress })
    }
}
