//! The registry actor: loads what a venue lists, keeps it fresh, publishes immutable catalogs.
//!
//! It begins with the venue's own list; where that can't be had, with the last one stored; where there never was one,
//! with the codes and scales of the configuration. It goes on asking the venue, for ever.

mod load;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseFuture, SpawnHandle,
    WrapFuture,
};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::connection::rest::Rest;
use crate::message::{CatalogChanged, Ready, Refresh, Stop, Subscribe};
use crate::model::{Catalog, CatalogOrigin, Timestamp};
use crate::sink::SinkError;
use crate::venue::Venue;

pub use load::{LoadError, load};

/// The first failed load is tried again within this; each further one within twice the time.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// What a registry is for.
pub struct Settings {
    /// The source's name, for logs.
    pub source: String,
    /// The protocol.
    pub venue: &'static dyn Venue,
    /// Where the venue's list is; `None`: nowhere, the fallback is all there is.
    pub rest: Option<Rest>,
    /// Says when a list was loaded.
    pub clock: Clock,
    /// How often to load it anew; failed loads are tried again no less often.
    pub refresh: Duration,
    /// What holds until the venue's own list is had: the last one stored, else the configuration's.
    pub fallback: Option<Catalog>,
}

/// The actor.
pub struct Registry {
    settings: Settings,
    current: Option<Arc<Catalog>>,
    /// When the venue last said what is current.
    loaded_at: Option<Timestamp>,
    subscribers: Vec<Recipient<CatalogChanged>>,
    /// Who asked for the first catalog; `None` once the first attempt is over.
    waiting: Option<Vec<oneshot::Sender<Option<Arc<Catalog>>>>>,
    loading: Option<SpawnHandle>,
    timer: Option<SpawnHandle>,
    failures: u32,
}

impl Registry {
    /// A registry, before it is started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            current: None,
            loaded_at: None,
            subscribers: Vec::new(),
            waiting: Some(Vec::new()),
            loading: None,
            timer: None,
            failures: 0,
        }
    }

    /// Asks the venue, unless it is being asked.
    fn load(&mut self, ctx: &mut Context<Self>) {
        let Some(rest) = self.settings.rest.clone().filter(|_| self.loading.is_none()) else { return };
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let (venue, clock) = (self.settings.venue, self.settings.clock);
        let loading = async move { load(venue, &rest, clock).await };
        self.loading = Some(ctx.spawn(loading.into_actor(self).map(|result, registry, ctx| {
            registry.loading = None;
            let pause = registry.take(result);
            registry.timer = Some(ctx.run_later(pause, |registry, ctx| {
                registry.timer = None;
                registry.load(ctx);
            }));
        })));
    }

    /// Takes what became of a load, and says when to do the next.
    fn take(&mut self, result: Result<Catalog, LoadError>) -> Duration {
        let refresh = self.settings.refresh;
        let pause = match result {
            Ok(catalog) => {
                self.failures = 0;
                self.publish(catalog);
                refresh
            }
            Err(error) => {
                let cap = RETRY_FIRST.saturating_mul(1 << self.failures.min(16)).min(refresh);
                self.failures += 1;
                let pause = cap.mul_f64(rand::random());
                let source = &self.settings.source;
                tracing::warn!(source, %error, retry_in = ?pause, "the list of assets and markets cannot be loaded");
                self.fall_back();
                pause
            }
        };
        self.first_attempt_is_over();
        pause
    }

    fn fall_back(&mut self) {
        if let Some(fallback) = self.settings.fallback.take().filter(|_| self.current.is_none()) {
            self.publish(fallback);
        }
    }

    fn first_attempt_is_over(&mut self) {
        for asker in self.waiting.take().into_iter().flatten() {
            // Who no longer waits needs no answer.
            let _ = asker.send(self.current.clone());
        }
    }

    /// Makes a catalog the current one, if it says anything else than that.
    fn publish(&mut self, catalog: Catalog) {
        let is_same = |current: &Arc<Catalog>| current.assets == catalog.assets && current.markets == catalog.markets;
        let loaded_at = Some(catalog.valid_from).filter(|_| catalog.origin == CatalogOrigin::Exchange);
        let other_until = std::mem::replace(&mut self.loaded_at, loaded_at);
        if self.current.as_ref().is_some_and(is_same) {
            return;
        }
        let catalog = Catalog { other_until, ..catalog };
        let (source, origin) = (&self.settings.source, catalog.origin);
        let (assets, markets) = (catalog.assets.len(), catalog.markets.len());
        tracing::info!(source, ?origin, assets, markets, "another list of assets and markets is in force");
        let catalog = Arc::new(catalog);
        self.current = Some(catalog.clone());
        for subscriber in &self.subscribers {
            subscriber.do_send(CatalogChanged(catalog.clone()));
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.settings.rest.is_some() {
            self.load(ctx);
        } else {
            self.fall_back();
            self.first_attempt_is_over();
        }
    }
}

impl Handler<Ready> for Registry {
    type Result = ResponseFuture<Option<Arc<Catalog>>>;

    fn handle(&mut self, _: Ready, _: &mut Self::Context) -> Self::Result {
        let Some(waiting) = &mut self.waiting else {
            let current = self.current.clone();
            return Box::pin(async move { current });
        };
        let (sender, receiver) = oneshot::channel();
        waiting.push(sender);
        Box::pin(async move { receiver.await.ok().flatten() })
    }
}

impl Handler<Subscribe> for Registry {
    type Result = ();

    fn handle(&mut self, Subscribe(subscriber): Subscribe, _: &mut Self::Context) {
        if let Some(catalog) = &self.current {
            subscriber.do_send(CatalogChanged(catalog.clone()));
        }
        self.subscribers.push(subscriber);
    }
}

impl Handler<Refresh> for Registry {
    type Result = ();

    fn handle(&mut self, _: Refresh, ctx: &mut Self::Context) {
        self.load(ctx);
    }
}

impl Handler<Stop> for Registry {
    type Result = Result<(), SinkError>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        ctx.stop();
        Ok(())
    }
}
