//! Runs the sessions of one source, one after the other, for ever: socket, tape and sink brought together.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_http::ws::CloseCode;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::live::{Happening, Link, Live, Recorded, happens};
use super::logins::{Logins, Withheld};
use super::outlet::Outlet;
use super::rest::Rest;
use super::rests::Rests;
use super::socket::{Message, Socket};
use super::{ConnectionConfig, Dialer};
use crate::clock::nanos;
use crate::journal::{Closed, Input, Look, LookStage, Opened, Overlap, Plan, Tape};
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
    pub(super) config: ConnectionConfig,
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
    /// When to begin another connection, or, where there is one, to look whether it can take over; by the monotonic clock.
    pub(super) renew_at: Option<i64>,
    /// When it last did something for a session.
    turned_at: Stamp,
}

/// What is left of a session that has ended.
pub(super) struct Finished {
    open_for: Duration,
    /// The closing handshake.
    pub(super) shut: Pin<Box<dyn Future<Output = ()>>>,
}

enum Wake {
    Control(Control),
    Acknowledged(Result<(), SinkError>),
    Timer,
    Happened(usize, Happening),
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
            renew_at: None,
            turned_at: Stamp::default(),
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

    /// One session, and others that each take over from the one before. Returns how the last one ended, and how long its
    /// socket was open.
    async fn session(&mut self) -> Result<(Closed, Duration), SinkError> {
        // The first speaks for the source; a second is about to.
        let mut lives = vec![self.begin(None)];
        (self.renew_at, self.turned_at) = (None, self.config.clock.now());
        loop {
            if let Some((n, closed)) = self.step(&mut lives).await?
                && let Some(ended) = self.end(&mut lives, n, closed).await
            {
                return Ok(ended);
            }
            self.renew(&mut lives).await;
        }
    }

    /// Does what is to be done, and takes what happens next; `Some` if that ends one of the sessions.
    async fn step(&mut self, lives: &mut [Live]) -> Result<Option<(usize, Closed)>, SinkError> {
        for (n, live) in lives.iter_mut().enumerate() {
            if let Some(closed) = self.act(live) {
                return Ok(Some((n, closed)));
            }
            if live.login.as_ref().is_some_and(|login| login.batch.is_none()) {
                self.ship_login(live).await;
            } else if self.outlet.wants(live.tape.batch()) && self.outlet.has_room() {
                self.ship(live).await;
            }
            if let Some(closed) = self.send_login(live) {
                return Ok(Some((n, closed)));
            }
        }
        self.watch_window(lives);
        let wake = self.wake(lives).await;
        self.watch_turns(lives);
        let (n, ended) = match wake {
            Wake::Control(Control::Stop) => (0, Some(Closed::new(CloseCause::Stopped, ""))),
            Wake::Control(Control::Catalog(catalog)) => {
                self.config.catalog = Some(Arc::clone(&catalog));
                for live in lives {
                    live.tape.feed(self.config.clock.now(), &Input::Catalog(Arc::clone(&catalog)));
                }
                (0, None)
            }
            Wake::Control(Control::Replan(plan)) => (0, self.replan(lives, *plan)),
            Wake::Control(Control::Look(look, answer)) => {
                for live in lives {
                    live.tape.feed(self.config.clock.now(), &Input::Look(look.clone(), answer.as_slice().into()));
                }
                (0, None)
            }
            Wake::Acknowledged(result) => {
                result?;
                (0, None)
            }
            Wake::Timer => {
                self.timer_fired(lives).await;
                (0, None)
            }
            Wake::Happened(n, happening) => (n, self.happened(&mut lives[n], happening)),
        };
        Ok(ended.map(|closed| (n, closed)))
    }

    fn happened(&mut self, live: &mut Live, happening: Happening) -> Option<Closed> {
        match happening {
            Happening::Rest(answer, body, is_secret) => {
                let kept = if is_secret {
                    live.tape.entrust(answer.request, &body);
                    self.config.venue.redact_answer(&body)
                } else {
                    body.as_ref().into()
                };
                live.tape.feed(self.config.clock.now(), &Input::Rest(answer, kept));
                None
            }
            Happening::Dialled(Ok((socket, peer))) => self.open(live, socket, peer),
            Happening::Arrived(Ok(())) => live.receive(self.config.clock.now(), &self.config.progress),
            Happening::Dialled(Err(closed)) | Happening::Arrived(Err(closed)) => Some(closed),
        }
    }

    pub(super) fn begin(&mut self, overlap: Option<Overlap>) -> Live {
        let at = self.config.clock.now();
        let id = SessionId(self.config.sessions.fetch_add(1, Ordering::Relaxed));
        let (login_withheld, login_at) = self.withheld(at);
        let plan = Arc::new(Plan { login_withheld, overlap, ..self.config.plan.clone() });
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
        Live {
            tape,
            plan,
            link: Link::Dialling(Box::pin(dialling)),
            rests: Rests::new(self.rest.clone(), self.config.account.clone()),
            opened_at: None,
            complete_at: None,
            login_at,
            login: None,
        }
    }

    async fn wake(&mut self, lives: &mut [Live]) -> Wake {
        let reading = self.full_since.is_none();
        let alarm = self.alarm(lives);
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
            (n, happening) = happens(lives, reading) => Wake::Happened(n, happening),
        }
    }

    /// When there is next something to do that nobody else wakes us for.
    fn alarm(&self, lives: &[Live]) -> Option<Instant> {
        let stall = self.full_since.map(|since| since.mono + nanos(STALL_MIN));
        let stall = stall.filter(|_| !self.config.progress.is_stalled());
        let of_session = |live: &Live| {
            // What a session waits for may be in the socket, unread.
            let waits = self.full_since.is_none() && live.login.is_none();
            let deadline = live.tape.deadline().filter(|_| waits);
            let ships_at = self.ships_at(live).filter(|_| self.full_since.is_none());
            [deadline, ships_at, live.login_at].into_iter().flatten().min()
        };
        let turn = self.turned_at.mono + nanos(TURN);
        let due = lives.iter().filter_map(of_session).chain(stall).chain(self.renew_at).chain([turn]).min();
        due.map(|mono| self.config.clock.instant(mono))
    }

    /// Says so if nothing could be done for a while. What the peer sent meanwhile is late, but may be there still.
    fn watch_turns(&mut self, lives: &mut [Live]) {
        let now = self.config.clock.now();
        let before = std::mem::replace(&mut self.turned_at, now);
        let stood_still = (now.mono - before.mono).max(now.wall.0 - before.wall.0);
        // If the sink takes nothing, that is said when it does again.
        if stood_still < nanos(SUSPENSION_MIN) || self.full_since.is_some() {
            return;
        }
        let source = &self.config.plan.source;
        warn!(source, for_ms = stood_still / 1_000_000, "stood still, or the clock was set forward");
        for live in lives {
            live.tape.feed(now, &Input::Suspended(before.wall, now.wall));
            live.excuse_silence();
        }
    }

    /// When what a session has concluded is shipped at the latest.
    fn ships_at(&self, live: &Live) -> Option<i64> {
        let first = live.tape.batch().heads().first();
        first.map(|head| head.at.mono + nanos(self.config.flow.batch_age_max))
    }

    async fn timer_fired(&mut self, lives: &mut [Live]) {
        let at = self.config.clock.now();
        let is_due = |mono: Option<i64>| mono.is_some_and(|mono| mono <= at.mono);
        if is_due(self.full_since.map(|since| since.mono + nanos(STALL_MIN))) {
            self.config.progress.set_stalled(true);
        }
        for live in lives {
            if is_due(live.login_at) {
                let plan = Plan::clone(&live.plan);
                self.feed_plan(live, plan, at);
            }
            if self.full_since.is_some() {
                continue;
            }
            // The answer to a login that has not gone out is not overdue.
            if is_due(live.tape.deadline()) && live.login.is_none() {
                live.tape.feed(at, &Input::Timer);
            }
            if is_due(self.ships_at(live)) {
                self.ship(live).await;
            }
        }
    }

    fn open(&mut self, live: &mut Live, socket: Box<Socket>, peer: SocketAddr) -> Option<Closed> {
        let at = self.config.clock.now();
        live.link = Link::Open(socket);
        live.opened_at = Some(at.mono);
        if live.plan.overlap.is_none() {
            self.renew_at = self.begins_at(live);
        }
        live.tape.feed(at, &Input::Opened(Opened { peer: Some(peer.to_string()) }));
        self.config.progress.set_connected(true);
        info!(source = live.plan.source, session = live.tape.batch().session().0, %peer, "connected");
        // Something may have come right behind the answer to the upgrade.
        live.receive(at, &self.config.progress)
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
                    ended.get_or_insert(Closed::new(cause, detail));
                }
                Action::Send(_) | Action::Rest(_) => {}
                Action::Show { taken, answer } => {
                    self.show(live.tape.batch().session(), LookStage::Taken(taken), answer);
                }
                Action::StopLogins { reason } => {
                    warn!(source = live.plan.source, reason, "logins stopped");
                    self.logins.stop(reason, self.config.clock.now().mono);
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
            live.tape.feed(at, &Input::Sent(outgoing.journal.as_bytes()));
            live.login = Some(Recorded { text: outgoing.text.clone(), batch: None });
            return None;
        }
        let text = Bytes::copy_from_slice(outgoing.text.expose().as_bytes());
        if let Err(closed) = socket.send(Message::Text(text)) {
            return Some(closed);
        }
        live.tape.feed(at, &Input::Sent(outgoing.journal.as_bytes()));
        None
    }

    /// Ships the record of a login, which waits for it to be durable.
    async fn ship_login(&mut self, live: &mut Live) {
        let spare = self.outlet.spare();
        let mut batch = live.tape.ship(spare);
        batch.await_it();
        let number = self.outlet.ship(batch).await;
        if let Some(login) = &mut live.login {
            login.batch = Some(number);
        }
    }

    /// Sends a login whose record is durable: a process that dies at any moment has none that is not counted.
    fn send_login(&self, live: &mut Live) -> Option<Closed> {
        let login = live.login.take_if(|login| login.batch.is_some_and(|batch| self.outlet.is_durable(batch)))?;
        let Link::Open(socket) = &mut live.link else { return None };
        socket.send(Message::Text(Bytes::copy_from_slice(login.text.expose().as_bytes()))).err()
    }

    fn replan(&mut self, lives: &mut [Live], plan: Plan) -> Option<Closed> {
        let is_elsewhere = plan.url != self.config.plan.url;
        self.config.plan = Plan { first: false, ..plan };
        if is_elsewhere {
            return Some(Closed::new(CloseCause::Reconfigured, "another url"));
        }
        for live in lives {
            let Plan { first, overlap, .. } = Plan::clone(&live.plan);
            let plan = Plan { first, overlap, ..self.config.plan.clone() };
            self.feed_plan(live, plan, self.config.clock.now());
        }
        None
    }

    /// Puts a plan in force, with what speaks against logins now.
    pub(super) fn feed_plan(&mut self, live: &mut Live, plan: Plan, at: Stamp) {
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
    fn watch_window(&mut self, lives: &mut [Live]) {
        match (self.full_since, self.outlet.has_room()) {
            (None, false) => self.full_since = Some(self.config.clock.now()),
            (Some(_), true) => {
                self.end_stall(lives, self.config.clock.now());
                lives.iter_mut().for_each(Live::excuse_silence);
            }
            (None, true) | (Some(_), false) => {}
        }
    }

    fn end_stall(&mut self, lives: &mut [Live], now: Stamp) {
        let Some(since) = self.full_since.take() else { return };
        self.config.progress.set_stalled(false);
        if now.mono - since.mono >= nanos(STALL_MIN) {
            let source = &self.config.plan.source;
            warn!(source, for_ms = (now.mono - since.mono) / 1_000_000, "the sink took nothing");
            for live in lives {
                live.tape.feed(now, &Input::Stalled(since.wall, now.wall));
            }
        }
    }

    /// One of the sessions has ended. Returns how long its socket was open, if that leaves none.
    async fn end(&mut self, lives: &mut Vec<Live>, n: usize, closed: Closed) -> Option<(Closed, Duration)> {
        let at = self.config.clock.now();
        self.end_stall(lives, at);
        if matches!(closed.cause, CloseCause::Stopped | CloseCause::Reconfigured) {
            for other in lives.extract_if(.., |live| live.plan.overlap.is_some()) {
                self.finish(other, closed.clone(), at).await.shut.await;
            }
        }
        let finished = self.finish(lives.remove(n.min(lives.len() - 1)), closed.clone(), at).await;
        let Some(left) = lives.first_mut() else {
            self.config.progress.set_connected(false);
            finished.shut.await;
            return Some((closed, finished.open_for));
        };
        spawn_local(finished.shut);
        let source = &self.config.plan.source;
        let (cause, code, detail) = (closed.cause.as_str(), closed.code, &closed.detail);
        if n == 0 {
            warn!(source, cause, code, detail, "disconnected, another connection goes on");
            self.take_over(left, at);
        } else {
            let again_in = self.backoff.wait(&closed, finished.open_for);
            warn!(source, cause, code, detail, ?again_in, "another connection failed, this one goes on");
            self.renew_at = Some(at.mono.saturating_add(nanos(again_in)));
        }
        None
    }

    /// Feeds a session its end, and ships what is left of it.
    pub(super) async fn finish(&mut self, mut live: Live, closed: Closed, at: Stamp) -> Finished {
        let heard_at = live.heard_at(at).filter(|_| closed.cause.gave_out());
        live.tape.feed(at, &Input::Closed(Closed { heard_at, ..closed.clone() }));
        self.show(live.tape.batch().session(), LookStage::Ended, Vec::new());
        self.ship(&mut live).await;
        self.actions.clear();
        let open_for = live.opened_at.map_or(0, |opened_at| at.mono - opened_at);
        let open_for = Duration::from_nanos(u64::try_from(open_for).unwrap_or(0));
        let shut = Box::pin(async move {
            if let Link::Open(socket) = live.link {
                let code = match closed.cause {
                    CloseCause::Stopped | CloseCause::Reconfigured => CloseCode::Away,
                    CloseCause::BadGreeting => CloseCode::Protocol,
                    _ => CloseCode::Normal,
                };
                socket.close(code).await;
            }
        });
        Finished { open_for, shut }
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
