//! The actor: one source's connection, as the others see it.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseFuture, WrapFuture,
};
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use tracing::error;
use url::Url;

use super::driver::{Control, Driver, Looks};
use super::{BackoffPolicy, Flow, LoginBudget, Progress, Traffic};
use crate::clock::Clock;
use crate::config::{Limits, Pace};
use crate::journal::Plan;
use crate::message::{CatalogChanged, Replan, Stop, Write};
use crate::model::Catalog;
use crate::sink::SinkError;
use crate::venue::{Account, Venue};

/// Everything a connection starts with.
#[derive(Clone)]
pub struct ConnectionConfig {
    /// What to record, and where. `first` holds for the first session only; `login_withheld` is the connection's own.
    pub plan: Plan,
    /// The protocol.
    pub venue: &'static dyn Venue,
    /// Who logs in.
    pub account: Option<Arc<Account>>,
    /// The catalog in force, if there is one.
    pub catalog: Option<Arc<Catalog>>,
    /// Where REST paths begin, with a slash at its end.
    pub rest_url: Option<Url>,
    /// TLS (see [`super::client_config`]).
    pub tls: Arc<ClientConfig>,
    /// Sizes beyond which the peer's data ends a session.
    pub limits: Limits,
    /// Time-outs of the socket.
    pub pace: Pace,
    /// Waits between sessions.
    pub backoff: BackoffPolicy,
    /// What the chance in those waits begins with; different in every process.
    pub seed: u64,
    /// Sizes of the data path.
    pub flow: Flow,
    /// What all connections to the same sink have on the way.
    pub traffic: Traffic,
    /// Logins already spent.
    pub logins: LoginBudget,
    /// The next session's id, shared by all connections of the database.
    pub sessions: Arc<AtomicI64>,
    /// The process's clock.
    pub clock: Clock,
    /// Where batches go.
    pub sink: Recipient<Write>,
    /// Where to show what is done.
    pub progress: Arc<Progress>,
    /// How often another socket takes a second look at what is recorded, on venues where that shows something.
    pub second_look: Option<Duration>,
}

/// One source's connection. Reconnects by itself; ends only when told to [`Stop`], or with the sink.
pub struct Connection {
    driver: Option<Driver>,
    control: mpsc::UnboundedSender<Control>,
    /// Who takes second looks, and how to tell that one.
    looking: Option<Driver>,
    look_control: Option<mpsc::UnboundedSender<Control>>,
    outcome: Option<Result<(), SinkError>>,
    stopping: Vec<oneshot::Sender<Result<(), SinkError>>>,
}

impl Connection {
    /// A connection that dials as soon as it is started.
    #[must_use]
    pub fn new(config: ConnectionConfig) -> Self {
        let (control, receiver) = mpsc::unbounded_channel();
        let looks = config.second_look.zip(config.venue.look());
        let (look_control, looking) = looks.map_or((None, None), |(every, session)| {
            let (look_control, receiver) = mpsc::unbounded_channel();
            let looks = Looks { every, session, shown: control.clone() };
            (Some(look_control), Some(Driver::looking(config.clone(), receiver, looks)))
        });
        let driver = Some(Driver::new(config, receiver));
        Self { driver, control, looking, look_control, outcome: None, stopping: Vec::new() }
    }

    /// Tells the driver, and who takes second looks beside it.
    fn tell(&self, control: Control, look: Control) {
        // They are gone only after their end, when there is nothing to tell any more.
        let _ = self.control.send(control);
        if let Some(look_control) = &self.look_control {
            let _ = look_control.send(look);
        }
    }

    fn ended(&mut self, outcome: Result<(), SinkError>, context: &mut Context<Self>) {
        if let Err(error) = &outcome {
            error!(%error, "a connection ended, what it recorded last is not stored");
        }
        if !self.stopping.is_empty() {
            context.stop();
        }
        for waiting in self.stopping.drain(..) {
            let _ = waiting.send(outcome.clone());
        }
        self.outcome = Some(outcome);
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        if let Some(driver) = self.driver.take() {
            let looking = self.looking.take();
            let both = async {
                let looks = async {
                    match looking {
                        Some(looking) => looking.run().await,
                        None => Ok(()),
                    }
                };
                tokio::try_join!(driver.run(), looks).map(|_| ())
            };
            context.spawn(both.into_actor(self).map(|outcome, actor, context| actor.ended(outcome, context)));
        }
    }
}

impl Handler<CatalogChanged> for Connection {
    type Result = ();

    fn handle(&mut self, CatalogChanged(catalog): CatalogChanged, _: &mut Context<Self>) {
        self.tell(Control::Catalog(Arc::clone(&catalog)), Control::Catalog(catalog));
    }
}

impl Handler<Replan> for Connection {
    type Result = ();

    fn handle(&mut self, Replan(plan): Replan, _: &mut Context<Self>) {
        let look = plan.look();
        self.tell(Control::Replan(Box::new(plan)), Control::Replan(Box::new(look)));
    }
}

impl Handler<Stop> for Connection {
    type Result = ResponseFuture<Result<(), SinkError>>;

    /// Answered when everything received is durable; an error if some of it never will be.
    fn handle(&mut self, _: Stop, context: &mut Context<Self>) -> Self::Result {
        if let Some(outcome) = self.outcome.clone() {
            context.stop();
            return Box::pin(async { outcome });
        }
        let (sender, receiver) = oneshot::channel();
        self.stopping.push(sender);
        self.tell(Control::Stop, Control::Stop);
        Box::pin(async {
            receiver
                .await
                .unwrap_or_else(|_| Err(SinkError::Fatal("the connection ended before it stopped".to_owned())))
        })
    }
}
