//! Runs the sessions of one source, one after the other, for ever: socket, tape and sink brought together.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_http::ws::CloseCode;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::logins::{Logins, Withheld};
use super::outlet::Outlet;
use super::rest::Rest;
use super::rests::Rests;
use super::socket::{Message, Socket};
use super::{ConnectionConfig, Dialer};
use crate::clock::nanos;
use crate::journal::{Closed, Input, Look, LookStage, Opened, Plan, RestAnswer, Tape};
use crate::model::{Catalog, CloseCause, SessionId, Stamp};
use crate::sink::SinkError;
use crate::venue::{Action, Outgoing, Session};

/// A pause in reading the socket that is longer than this is journalled.
const STALL_MIN: Duration = Duration::from_secs(1);

/// The driver does something at least so often, if only look at the clocks.
const TURN: Duration = Duration::from_secs(1);

/// If it did nothing for this long, by either clock, it could not: process or machine stood still.
const SUSPENSION_MIN: Duration = Duration::from_secs(3);

/// What the actor tells the driver.
pub(super) enum Control {
    /// Another catalog is in force.
    Catalog(Arc<Catalog>),
    /// Another plan is.
    Replan(Box<Plan>),
    /// Another driver takes a second look; with what was answered, if something was.
    Look(Look, Vec<u8>),
    /// End, with everything durable.
    Stop,
}

/// What tells a driver that takes second looks from one that records.
pub(super) struct Looks {
    /// How often.
    pub(super) every: Duration,
    /// Makes its sessions.
    pub(super) session: fn() -> Box<dyn Session>,
    /// Whom it shows them.
    pub(super) shown: mpsc::UnboundedSender<Control>,
}

/// Runs sessions.
pub(super) struct Driver {
    config: ConnectionConfig,
    control: mpsc::UnboundedReceiver<Control>,
    dialer: Dialer,
    rest: Option<Rest>,
    outlet: Outlet,
    backoff: Backoff,
    logins: Logins,
    timer: Pin<Box<Sleep>>,
    actions: VecDeque<Action>,
    /// Since when the sink has let no more on its way.
    full_since: Option<Stamp>,
    looks: Option<Looks>,
}

/// One session, from dialling to close: all that dies with its socket.
struct Live {
    tape: Tape,
    plan: Arc<Plan>,
    link: Link,
    rests: Rests,
    opened_at: Option<i64>,
    /// When the driver last did something for it.
    turned_at: Stamp,
    /// When a login that was withheld may be tried.
    login_at: Option<i64>,
}

enum Link {
    Dialling(Pin<Box<dyn Future<Output = Dialled>>>),
    Open(Box<Socket>),
}

type Dialled = Result<(Box<Socket>, SocketAddr), Closed>;

enum Wake {
    Control(Control),
    Acknowledged(Result<(), SinkError>),
    Timer,
    Rest(RestAnswer, Bytes, bool),
    Dialled(Dialled),
    Arrived(Result<(), Closed>),
}

impl Driver {
    pub(super) fn new(config: ConnectionConfig, control: mpsc::UnboundedReceiver<Control>) -> Self {
        let timeout = config.pace.connect + config.pace.handshake;
        let rest = config.rest_url.clone().map(|base| Rest::new(base, Arc::clone(&config.tls), timeout));
        Self {
            control,
            dialer: Dialer::new(Arc::clone(&config.tls), config.limits, config.pace),
            rest,
            outlet: Outlet::new(config.sink.clone(), config.flow, config.traffic.clone(), Arc::clone(&config.progress)),
            backoff: Backoff::new(config.backoff, config.seed),
            logins: Logins::new(config.logins.clone()),
            timer: Box::pin(sleep_until(Instant::now())),
            actions: VecDeque::new(),
            full_since: None,
            looks: None,
            config,
        }
    }

    /// A driver that takes second looks at what one of that configuration records.
    pub(super) fn looking(config: ConnectionConfig, control: mpsc::UnboundedReceiver<Control>, looks: Looks) -> Self {
        let (plan, progress) = (config.plan.look(), Arc::default());
        let config = ConnectionConfig { plan, account: None, rest_url: None, progress, ..config };
        Self { looks: Some(looks), ..Self::new(config, control) }
    }

    /// Connects, and connects again, until told to stop or the sink is gone.
    ///
    /// # Errors
    /// If something shipped will never be durable.
    pub(super) async fn run(mut self) -> Result<(), SinkError> {
        if let Some(every) = self.looks.as_ref().map(|looks| looks.every)
            && self.pause(every).await?.is_break()
        {
            return self.outlet.drain().await;
        }
        loop {
            let (closed, open_for) = self.session().await?;
            let wait = match (closed.cause, &self.looks) {
                (CloseCause::Stopped, _) => return self.outlet.drain().await,
                (_, Some(looks)) => looks.every,
                (CloseCause::Reconfigured, None) => Duration::ZERO,
                (_, None) => self.backoff.wait(&closed, open_for),
            };
            if closed.cause != CloseCause::Session || self.looks.is_none() {
                warn!(
                    source = self.config.plan.source,
                    cause = closed.cause.as_str(),
                    code = closed.code,
                    detail = closed.detail,
                    again_in = ?wait,
                    "disconnected"
                );
            }
            if self.pause(wait).await?.is_break() {
                return self.outlet.drain().await;
            }
        }
    }

    /// One session. Returns how it ended, and how long the socket was open.
    async fn session(&mut self) -> Result<(Closed, Duration), SinkError> {
        let mut live = self.begin();
        let closed = loop {
            if let Some(closed) = self.act(&mut live) {
                break closed;
            }
            if self.outlet.wants(live.tape.batch()) && self.outlet.has_room() {
                self.ship(&mut live).await;
            }
            self.watch_window(&mut live);
            let wake = self.wake(&mut live).await;
            self.watch_turns(&mut live);
            let ended = match wake {
                Wake::Control(Control::Stop) => {
                    Some(Closed { cause: CloseCause::Stopped, code: None, detail: String::new() })
                }
                Wake::Control(Control::Catalog(catalog)) => {
                    self.config.catalog = Some(Arc::clone(&catalog));
                    live.tape.feed(self.config.clock.now(), &Input::Catalog(catalog));
                    None
                }
                Wake::Control(Control::Replan(plan)) => self.replan(&mut live, *plan),
                Wake::Control(Control::Look(look, answer)) => {
                    live.tape.feed(self.config.clock.now(), &Input::Look(look, answer.into()));
                    None
                }
                Wake::Acknowledged(result) => {
                    result?;
                    None
                }
                Wake::Timer => {
                    self.timer_fired(&mut live).await;
                    None
                }
                Wake::Rest(answer, body, is_secret) => {
                    let kept = if is_secret {
                        live.tape.entrust(answer.request, &body);
                        self.config.venue.redact_answer(&body)
                    } else {
                        body.as_ref().into()
                    };
                    live.tape.feed(self.config.clock.now(), &Input::Rest(answer, kept));
                    None
                }
                Wake::Dialled(Ok((socket, peer))) => self.open(&mut live, socket, peer),
                Wake::Arrived(Ok(())) => self.receive(&mut live),
                Wake::Dialled(Err(closed)) | Wake::Arrived(Err(closed)) => Some(closed),
            };
            if let Some(closed) = ended {
                break closed;
            }
        };
        self.finish(live, closed).await
    }

    fn begin(&mut self) -> Live {
        let at = self.config.clock.now();
        let id = SessionId(self.config.sessions.fetch_add(1, Ordering::Relaxed));
        let (login_withheld, login_at) = self.withheld(at);
        let plan = Arc::new(Plan { login_withheld, ..self.config.plan.clone() });
        self.config.plan.first = false;
        let session = match &self.looks {
            None => self.config.venue.session(self.config.account.clone()),
            Some(looks) => (looks.session)(),
        };
        let mut tape = Tape::new(id, session);
        self.show(id, LookStage::Begun, Vec::new());
        tape.feed(at, &Input::Connecting(Arc::clone(&plan)));
        if let Some(catalog) = &self.config.catalog {
            tape.feed(at, &Input::Catalog(Arc::clone(catalog)));
        }
        let (dialer, url, secretly) = (self.dialer.clone(), plan.url.clone(), self.config.account.is_some());
        let dialling = async move {
            let (socket, peer) = dialer.dial(&url, secretly).await?;
            Ok((Box::new(socket), peer))
        };
        self.config.progress.begin_session();
        self.full_since = None;
        Live {
            tape,
            plan,
            link: Link::Dialling(Box::pin(dialling)),
            rests: Rests::new(self.rest.clone(), self.config.account.clone()),
            opened_at: None,
            turned_at: at,
            login_at,
        }
    }

    async fn wake(&mut self, live: &mut Live) -> Wake {
        let reading = self.full_since.is_none();
        let alarm = self.alarm(live);
        if let Some(at) = alarm
            && self.timer.deadline() != at
        {
            self.timer.as_mut().reset(at);
        }
        tokio::select! {
            biased;
            control = self.control.recv() => Wake::Control(control.unwrap_or(Control::Stop)),
            result = self.outlet.acknowledged() => Wake::Acknowledged(result),
            () = self.timer.as_mut(), if alarm.is_some() => Wake::Timer,
            (answer, body, is_secret) = live.rests.answered() => Wake::Rest(answer, body, is_secret),
            wake = live.link.wake(reading) => wake,
        }
    }

    /// When there is next something to do that nobody else wakes us for.
    fn alarm(&self, live: &Live) -> Option<Instant> {
        let clock = self.config.clock;
        let first = live.tape.batch().heads().first();
        let (session, ship) = match self.full_since {
            None => (live.tape.deadline(), first.map(|head| head.at.mono + nanos(self.config.flow.batch_age_max))),
            // What the session waits for may be in the socket, unread.
            Some(_) => (None, None),
        };
        let stall = self.full_since.map(|since| since.mono + nanos(STALL_MIN));
        let stall = stall.filter(|_| !self.config.progress.is_stalled());
        let turn = Some(live.turned_at.mono + nanos(TURN));
        [session, ship, stall, live.login_at, turn].into_iter().flatten().min().map(|mono| clock.instant(mono))
    }

    /// Says so if nothing could be done for a while. What the peer sent meanwhile is late, but may be there still.
    fn watch_turns(&self, live: &mut Live) {
        let now = self.config.clock.now();
        let before = std::mem::replace(&mut live.turned_at, now);
        let stood_still = (now.mono - before.mono).max(now.wall.0 - before.wall.0);
        // If the sink takes nothing, that is said when it does again.
        if stood_still < nanos(SUSPENSION_MIN) || self.full_since.is_some() {
            return;
        }
        warn!(source = live.plan.source, for_ms = stood_still / 1_000_000, "stood still, or the clock was set forward");
        live.tape.feed(now, &Input::Suspended(before.wall, now.wall));
        if let Link::Open(socket) = &mut live.link {
            socket.excuse_silence();
        }
    }

    async fn timer_fired(&mut self, live: &mut Live) {
        let at = self.config.clock.now();
        let is_due = |mono: Option<i64>| mono.is_some_and(|mono| mono <= at.mono);
        if is_due(self.full_since.map(|since| since.mono + nanos(STALL_MIN))) {
            self.config.progress.set_stalled(true);
        }
        if is_due(live.login_at) {
            let plan = Plan::clone(&live.plan);
            self.feed_plan(live, plan, at);
        }
        if self.full_since.is_some() {
            return;
        }
        if is_due(live.tape.deadline()) {
            live.tape.feed(at, &Input::Timer);
        }
        let first = live.tape.batch().heads().first();
        if is_due(first.map(|head| head.at.mono + nanos(self.config.flow.batch_age_max))) {
            self.ship(live).await;
        }
    }

    fn open(&mut self, live: &mut Live, socket: Box<Socket>, peer: SocketAddr) -> Option<Closed> {
        let at = self.config.clock.now();
        live.link = Link::Open(socket);
        live.opened_at = Some(at.mono);
        live.tape.feed(at, &Input::Opened(Opened { peer: Some(peer.to_string()) }));
        self.config.progress.set_connected(true);
        info!(source = live.plan.source, session = live.tape.batch().session().0, %peer, "connected");
        // Something may have come right behind the answer to the upgrade.
        self.receive(live)
    }

    /// Takes everything that has arrived, as of now.
    fn receive(&mut self, live: &mut Live) -> Option<Closed> {
        let Link::Open(socket) = &mut live.link else { return None };
        let at = self.config.clock.now();
        let (mut frames, mut bytes) = (0, 0);
        let ended = loop {
            let body = match socket.receive() {
                Ok(Some(Message::Text(body))) => {
                    live.tape.feed(at, &Input::Received(&body));
                    body
                }
                Ok(Some(Message::Binary(body))) => {
                    live.tape.feed(at, &Input::ReceivedBinary(&body));
                    body
                }
                Ok(None) => break None,
                Err(closed) => break Some(closed),
            };
            frames += 1;
            bytes += body.len() as u64;
        };
        if frames > 0 {
            self.config.progress.receive(frames, bytes, at.wall);
        }
        ended
    }

    /// Does what the session wants done; `Some` if that ends it.
    fn act(&mut self, live: &mut Live) -> Option<Closed> {
        let mut ended = None;
        loop {
            self.actions.extend(live.tape.actions());
            let Some(action) = self.actions.pop_front() else { return ended };
            match action {
                Action::Send(outgoing) if ended.is_none() => ended = self.send(live, &outgoing),
                Action::Rest(request) if ended.is_none() => live.rests.ask(request),
                Action::Close { cause, detail } => {
                    ended.get_or_insert(Closed { cause, code: None, detail });
                }
                Action::Send(_) | Action::Rest(_) => {}
                Action::Show { taken, answer } => {
                    self.show(live.tape.batch().session(), LookStage::Taken(taken), answer);
                }
                Action::StopLogins { reason } => {
                    warn!(source = live.plan.source, reason, "logins stopped");
                    self.logins.stop(reason);
                    self.config.progress.stop_logins();
                }
                Action::DelayLogins { until } => self.logins.delay(until),
            }
        }
    }

    /// Tells how far a second look has come, if this driver takes them.
    fn show(&self, session: SessionId, stage: LookStage, answer: Vec<u8>) {
        if let Some(looks) = &self.looks {
            // Whoever records is gone only when all ends.
            let _ = looks.shown.send(Control::Look(Look { session, stage }, answer));
        }
    }

    fn send(&mut self, live: &mut Live, outgoing: &Outgoing) -> Option<Closed> {
        let Link::Open(socket) = &mut live.link else { return None };
        let at = self.config.clock.now();
        if outgoing.is_login {
            if self.logins.withheld(at.mono).is_some() {
                self.feed_plan(live, Plan::clone(&live.plan), at);
                return None;
            }
            self.logins.spend(at.mono);
        }
        let text = Bytes::copy_from_slice(outgoing.text.expose().as_bytes());
        if let Err(closed) = socket.send(Message::Text(text)) {
            return Some(closed);
        }
        live.tape.feed(at, &Input::Sent(outgoing.journal.as_bytes()));
        None
    }

    fn replan(&mut self, live: &mut Live, plan: Plan) -> Option<Closed> {
        let is_elsewhere = plan.url != live.plan.url;
        self.config.plan = Plan { first: false, ..plan };
        if is_elsewhere {
            return Some(Closed { cause: CloseCause::Reconfigured, code: None, detail: "another url".to_owned() });
        }
        let plan = Plan { first: live.plan.first, ..self.config.plan.clone() };
        self.feed_plan(live, plan, self.config.clock.now());
        None
    }

    /// Puts a plan in force, with what speaks against logins now.
    fn feed_plan(&mut self, live: &mut Live, plan: Plan, at: Stamp) {
        let (login_withheld, login_at) = self.withheld(at);
        live.plan = Arc::new(Plan { login_withheld, ..plan });
        live.login_at = login_at;
        live.tape.feed(at, &Input::Replanned(Arc::clone(&live.plan)));
    }

    /// Why the source must not log in now, and when that ends.
    fn withheld(&mut self, at: Stamp) -> (Option<String>, Option<i64>) {
        match self.logins.withheld(at.mono).filter(|_| self.config.plan.wants_login()) {
            None => (None, None),
            Some(Withheld { reason, until }) => (Some(reason), until),
        }
    }

    async fn ship(&mut self, live: &mut Live) {
        let spare = self.outlet.spare();
        self.outlet.ship(live.tape.ship(spare)).await;
    }

    /// Stops reading when the window is full, and goes on when it is not.
    fn watch_window(&mut self, live: &mut Live) {
        match (self.full_since, self.outlet.has_room()) {
            (None, false) => self.full_since = Some(self.config.clock.now()),
            (Some(since), true) => {
                self.end_stall(live, since, self.config.clock.now());
                if let Link::Open(socket) = &mut live.link {
                    socket.excuse_silence();
                }
            }
            (None, true) | (Some(_), false) => {}
        }
    }

    fn end_stall(&mut self, live: &mut Live, since: Stamp, now: Stamp) {
        self.full_since = None;
        self.config.progress.set_stalled(false);
        if now.mono - since.mono >= nanos(STALL_MIN) {
            warn!(source = live.plan.source, for_ms = (now.mono - since.mono) / 1_000_000, "the sink took nothing");
            live.tape.feed(now, &Input::Stalled(since.wall, now.wall));
        }
    }

    async fn finish(&mut self, mut live: Live, closed: Closed) -> Result<(Closed, Duration), SinkError> {
        let at = self.config.clock.now();
        self.config.progress.set_connected(false);
        if let Some(since) = self.full_since {
            self.end_stall(&mut live, since, at);
        }
        live.tape.feed(at, &Input::Closed(closed.clone()));
        self.show(live.tape.batch().session(), LookStage::Ended, Vec::new());
        self.ship(&mut live).await;
        self.actions.clear();
        if let Link::Open(socket) = live.link {
            let code = match closed.cause {
                CloseCause::Stopped | CloseCause::Reconfigured => CloseCode::Away,
                CloseCause::BadGreeting => CloseCode::Protocol,
                _ => CloseCode::Normal,
            };
            socket.close(code).await;
        }
        let open_for = live.opened_at.map_or(0, |opened_at| at.mono - opened_at);
        Ok((closed, Duration::from_nanos(u64::try_from(open_for).unwrap_or(0))))
    }

    /// Waits before the next session; also until the sink takes something again.
    async fn pause(&mut self, wait: Duration) -> Result<ControlFlow<()>, SinkError> {
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                biased;
                control = self.control.recv() => match control.unwrap_or(Control::Stop) {
                    Control::Stop => return Ok(ControlFlow::Break(())),
                    Control::Catalog(catalog) => self.config.catalog = Some(catalog),
                    // There is nobody to see it.
                    Control::Look(..) => {}
                    Control::Replan(plan) => {
                        let is_elsewhere = plan.url != self.config.plan.url;
                        self.config.plan = Plan { first: false, ..*plan };
                        if is_elsewhere {
                            return Ok(ControlFlow::Continue(()));
                        }
                    }
                },
                result = self.outlet.acknowledged() => result?,
                () = sleep_until(until), if self.outlet.has_room() => return Ok(ControlFlow::Continue(())),
            }
        }
    }
}

impl Link {
    /// Waits for the socket to be open, or, if it is to be read, for something to arrive on it.
    async fn wake(&mut self, reading: bool) -> Wake {
        match self {
            Self::Dialling(dialling) => Wake::Dialled(dialling.await),
            Self::Open(socket) if reading => Wake::Arrived(socket.ready().await),
            Self::Open(_) => pending().await,
        }
    }
}
