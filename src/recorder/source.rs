//! One source: its registry and its connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix::{Actor, Addr};

use crate::access::Access;
use crate::clock::{Clock, nanos};
use crate::config::Source;
use crate::connection::{self, BackoffPolicy, Connection, ConnectionConfig, Flow, LoginBudget, Traffic};
use crate::exit::Failure;
use crate::journal::Plan;
use crate::message::{Ready, Replan, Stop, Subscribe};
use crate::model::{Catalog, Listings, Stamp, Timestamp, UserId};
use crate::registry::{self, Registry};
use crate::sink::SinkActor;
use crate::store::{Reader, StoreError};
use crate::venue::Account;

use super::answer;

/// How long to wait for the venue's own list before beginning with what is known of it.
const CATALOG_WAIT: Duration = Duration::from_secs(2);

/// Logins older than this do not count against the budget.
const LOGIN_WINDOW: Duration = Duration::from_secs(3600);

/// Login budgets, by whose logins count together.
pub(super) type Budgets = HashMap<LoginIdentity, LoginBudget>;

/// Whose logins count together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LoginIdentity {
    /// Those of a user, by venue and number, whatever the sources are called.
    User(&'static str, UserId),
    /// Those of a source, by its name, where users have no number.
    Source(String),
}

/// A source before it is started.
pub(super) struct Beginning {
    source: Source,
    access: Access,
    account: Option<Arc<Account>>,
    /// What is known of its lists without asking it.
    known: Listings,
    logins: LoginBudget,
}

/// A source whose catalog is had and whose names are right. Nothing is received yet.
pub(super) struct Prepared {
    beginning: Beginning,
    registry: Addr<Registry>,
    catalog: Option<Arc<Catalog>>,
}

/// A source at work.
pub(super) struct Running {
    pub(super) source: Source,
    pub(super) progress: Arc<connection::Progress>,
    access: Access,
    account: Option<Arc<Account>>,
    known: Listings,
    registry: Addr<Registry>,
    connection: Addr<Connection>,
}

impl Beginning {
    /// Gains access to a source, and reads its secrets.
    pub(super) fn new(source: &Source) -> Result<Self, Failure> {
        let access = Access::gain(source)?;
        let account = access.account(source)?;
        let known = Listings { last: source.listed(Timestamp(0)), ..Listings::default() };
        Ok(Self { source: source.clone(), access, account, known, logins: LoginBudget::default() })
    }

    /// Takes what the recording knows of it, and its share of a budget.
    pub(super) fn recall(&mut self, recording: &Reader, clock: Clock, budgets: &mut Budgets) -> Result<(), StoreError> {
        let name = &self.source.name;
        recording.check_venue(name, self.source.venue.name())?;
        let listings = recording.listings(name)?;
        self.known = Listings { last: listings.last.clone().or(self.known.last.take()), ..listings };
        let user = self.account.as_deref().and_then(Account::user);
        let identity = match user {
            Some(user) => LoginIdentity::User(self.source.venue.name(), user),
            None => LoginIdentity::Source(name.clone()),
        };
        self.logins = match budgets.get(&identity) {
            Some(budget) => budget.clone(),
            None => budgets.entry(identity).or_insert(self.spent(recording, user, clock.now())?).clone(),
        };
        Ok(())
    }

    /// The budget that earlier processes have left.
    fn spent(&self, recording: &Reader, user: Option<UserId>, now: Stamp) -> Result<LoginBudget, StoreError> {
        let Source { name, venue, timing, .. } = &self.source;
        let since = Timestamp(now.wall.0.saturating_sub(nanos(LOGIN_WINDOW.max(timing.login_retry))));
        let history = recording.recent_logins(name, venue.name(), user, since)?;
        let budget = LoginBudget::new(history.sent, now);
        for (at, code) in history.refused {
            if Some(code) == venue.login_rate_code() {
                budget.delay(at, timing.login_retry, now);
            } else {
                budget.refuse(at, now);
            }
        }
        Ok(budget)
    }

    /// Starts its registry, waits a little for the catalog, and checks the configured names against it.
    pub(super) async fn prepare(self, clock: Clock) -> Result<Prepared, Failure> {
        let registry = Registry::new(registry::Settings {
            source: self.source.name.clone(),
            venue: self.source.venue,
            rest: self.access.rest.clone().filter(|_| !self.source.venue.catalog_paths().is_empty()),
            clock,
            refresh: self.source.pace.catalog_refresh,
            fallback: self.known.last.clone(),
        });
        let registry = registry.start();
        let catalog = current(&registry, &self.known).await;
        let prepared = Prepared { beginning: self, registry, catalog };
        let Beginning { source, known, .. } = &prepared.beginning;
        if let Some(catalog) = &prepared.catalog
            && let Err(errors) = source.check_names(catalog, known)
        {
            prepared.cancel().await;
            return Err(errors.into());
        }
        Ok(prepared)
    }
}

impl Prepared {
    pub(super) fn name(&self) -> &str {
        &self.beginning.source.name
    }

    /// Connects.
    pub(super) fn start(
        self,
        clock: Clock,
        sink: &Addr<SinkActor>,
        traffic: &Traffic,
        sessions: &Arc<AtomicI64>,
    ) -> Running {
        let Self { beginning: Beginning { source, access, account, known, logins }, registry, catalog } = self;
        let progress = Arc::new(connection::Progress::default());
        let connection = Connection::new(ConnectionConfig {
            plan: source.plan(&access.url, account.as_deref(), true),
            venue: source.venue,
            account: account.clone(),
            catalog,
            rest_url: access.rest_url.clone(),
            tls: access.tls.clone(),
            limits: source.limits,
            pace: source.pace,
            backoff: BackoffPolicy::default(),
            seed: rand::random(),
            flow: Flow::default(),
            traffic: traffic.clone(),
            logins,
            sessions: sessions.clone(),
            clock,
            sink: sink.clone().recipient(),
            progress: progress.clone(),
            second_look: source.second_look,
        });
        let connection = connection.start();
        registry.do_send(Subscribe(connection.clone().recipient()));
        Running { source, progress, access, account, known, registry, connection }
    }

    /// Ends it before anything came of it.
    pub(super) async fn cancel(self) {
        // There is nothing to answer for.
        let _ = self.registry.send(Stop).await;
        self.beginning.access.end().await;
    }
}

impl Running {
    /// What another configuration of the source asks of this connection; `None`: it takes another connection.
    ///
    /// # Errors
    /// If its secrets are not to be had.
    pub(super) fn takes(&self, source: &Source) -> Result<Option<Plan>, Failure> {
        let account = self.access.account(source)?;
        let is_same_account = match (&self.account, &account) {
            (None, None) => true,
            (Some(before), Some(after)) => before.is_same(after),
            _ => false,
        };
        let takes = is_same_account && self.source.goes_as(source);
        Ok(takes.then(|| self.plan(source)))
    }

    /// Whether that plan is in force.
    pub(super) fn follows(&self, plan: &Plan) -> bool {
        *plan == self.plan(&self.source)
    }

    /// Fails if another configuration of the source names what its venue does not list.
    pub(super) async fn check_names(&self, source: &Source) -> Result<(), Failure> {
        match current(&self.registry, &self.known).await {
            Some(catalog) => Ok(source.check_names(&catalog, &self.known)?),
            None => Ok(()),
        }
    }

    /// Records what another configuration of the source says from now on.
    pub(super) fn replan(&mut self, source: &Source) {
        self.connection.do_send(Replan(self.plan(source)));
        self.source = source.clone();
    }

    /// Asks for nothing any more, so that its streams are not wanted from then on, and stops.
    pub(super) async fn leave(&self) -> Result<(), Failure> {
        let nothing =
            Plan { user: None, logs_in: false, subscribe: Vec::new(), poll: Vec::new(), ..self.plan(&self.source) };
        self.connection.do_send(Replan(nothing));
        self.stop().await
    }

    /// Ships what was received and waits for it to be durable; then its registry ends.
    pub(super) async fn stop(&self) -> Result<(), Failure> {
        let outcome = answer(&self.connection).await;
        outcome.and(answer(&self.registry).await)
    }

    /// Gives up its access.
    pub(super) async fn end(self) {
        self.access.end().await;
    }

    fn plan(&self, source: &Source) -> Plan {
        source.plan(&self.access.url, self.account.as_deref(), false)
    }
}

/// The catalog in force, once the first attempt to load it is over; where another is known, that is waited for a little
/// only.
async fn current(registry: &Addr<Registry>, known: &Listings) -> Option<Arc<Catalog>> {
    let loading = registry.send(Ready);
    let loaded = match &known.last {
        Some(_) => actix_rt::time::timeout(CATALOG_WAIT, loading).await.ok().and_then(Result::ok).flatten(),
        None => loading.await.ok().flatten(),
    };
    loaded.or_else(|| known.last.clone().map(Arc::new))
}
