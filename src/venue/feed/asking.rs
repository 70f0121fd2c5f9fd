//! What to do next: log in, ask for what is wanted at the venue's pace, take up anew what broke, keep the link alive.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{CloseCause, Coverage, Event, GapCause, SessionChange, Stamp, StreamRef, SubscriptionChange};
use crate::venue::streams::{Asking, nanos};
use crate::venue::{Action, Keepalive, Outgoing, Output, RestRequest};

use super::session::{Asked, Feed, LoginState};
use super::{Ask, Login, Protocol, Refusal, Sent, Topic};

/// A stream that fails again and again is asked for again after this, and twice as long each further time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// But no later than this.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// A session in which so many askings in a row had no answer is given up.
const UNANSWERED_MAX: u32 = 3;

impl<P: Protocol> Feed<P> {
    /// Wishes for what is to be done now, and says when there is next something to do.
    pub(super) fn plan_next(&mut self, at: Stamp, out: &mut Output) -> Option<i64> {
        if !self.is_open {
            return None;
        }
        self.fetch_registry(at, out);
        self.log_in(at, out);
        self.drop_unwanted(at, out);
        self.renew_broken(at, out);
        self.ask_for_wanted(at, out);
        self.fetch_snapshots(at, out);
        self.keep_alive(at, out);
        self.next_deadline(at)
    }

    /// Asks for the list of markets, once in a session.
    fn fetch_registry(&mut self, at: Stamp, out: &mut Output) {
        if self.has_asked_registry {
            return;
        }
        if let Some(path) = self.protocol.registry_path()
            && self.requests.take(at.mono)
        {
            self.has_asked_registry = true;
            out.actions.push(Action::Rest(RestRequest::get(self.take_request(Asked::Registry), path)));
        }
    }

    fn log_in(&mut self, at: Stamp, out: &mut Output) {
        let LoginState::Due(due) = self.login else { return };
        let Some(account) = self.account.clone().filter(|_| due <= at.mono) else { return };
        let id = self.take_id();
        let Some(login) = self.protocol.login(&account, id, at) else {
            self.login = LoginState::Done;
            return;
        };
        match login {
            Login::Frame(frame) => {
                if self.sends.take(at.mono) {
                    out.actions.push(Action::Send(frame));
                    self.login = LoginState::Begun(self.reply_due(at));
                }
            }
            Login::Impossible(message) => self.login_refused(at, &Refusal { message, ..Refusal::default() }, out),
            Login::Rest(request) => {
                out.actions.push(Action::Rest(RestRequest { request: self.next_login_request, ..request }));
                self.next_login_request += 1;
                self.login = LoginState::Begun(self.reply_due(at));
            }
        }
    }

    /// Ends the subscriptions that are no longer wanted.
    fn drop_unwanted(&mut self, at: Stamp, out: &mut Output) {
        let unwanted = |asking| matches!(asking, Asking::Asked | Asking::Live);
        let due =
            self.streams.select(|stream| stream.kind.is_dropped && unwanted(stream.asking) && !stream.kind.is_wished);
        for stream in due {
            self.unsubscribe(at, stream, out);
        }
    }

    /// Takes up anew the streams that broke.
    fn renew_broken(&mut self, at: Stamp, out: &mut Output) {
        let due = self.streams.select(|stream| {
            stream.is_wanted
                && stream.kind.is_broken
                && !stream.kind.is_wished
                && matches!(stream.asking, Asking::Asked | Asking::Live)
                && stream.kind.not_before <= at.mono
        });
        for stream in due {
            self.unsubscribe(at, stream, out);
        }
    }

    fn unsubscribe(&mut self, at: Stamp, stream: StreamRef, out: &mut Output) {
        if self.sends.free_at() > at.mono {
            return;
        }
        let frame = self.frame(at, &[stream], |protocol, ask| protocol.unsubscribe(ask));
        match frame {
            Some(frame) => {
                self.sends.take(at.mono);
                self.streams.get_mut(stream).kind.is_wished = true;
                out.actions.push(Action::Send(frame));
            }
            // Asking again is all there is to do.
            None => self.end(stream, GapCause::Reconfigured, out),
        }
    }

    /// A frame about streams of one channel with the same options.
    fn frame(
        &mut self,
        at: Stamp,
        streams: &[StreamRef],
        make: impl Fn(&P, &Ask<'_>) -> Option<Outgoing>,
    ) -> Option<Outgoing> {
        let id = self.take_id();
        let first = &self.streams.get(*streams.first()?).kind;
        let markets: Vec<_> =
            streams.iter().filter_map(|stream| self.streams.get(*stream).kind.topic.market.as_deref()).collect();
        let channel = self.protocol.profile().channel(&first.topic.channel)?;
        make(&self.protocol, &Ask { id, channel, markets: &markets, options: &first.options, at })
    }

    /// Asks for what is wanted and was not asked for, batch by batch.
    fn ask_for_wanted(&mut self, at: Stamp, out: &mut Output) {
        let registry = self.protocol.registry_channel().map(str::to_owned);
        let awaits_registry = (registry.is_some() || self.protocol.registry_path().is_some())
            && !self.markets.are_listed()
            && at.mono < self.registry_until;
        let is_logged_in = self.login == LoginState::Done;
        let due = self.streams.select(|stream| {
            let kind = &stream.kind;
            let can_go = !awaits_registry || registry.as_deref() == Some(&kind.topic.channel);
            stream.is_wanted && stream.asking == Asking::Idle && !kind.is_wished && kind.not_before <= at.mono && can_go
        });
        let due = due.into_iter().filter(|stream| is_logged_in || !self.needs_login(*stream));
        let due = self.within_limit(at, due.collect(), out);
        let mut batches: BTreeMap<(String, BTreeMap<String, String>), Vec<StreamRef>> = BTreeMap::new();
        for stream in due {
            let kind = &self.streams.get(stream).kind;
            batches.entry((kind.topic.channel.clone(), kind.options.clone())).or_default().push(stream);
        }
        let most = self.protocol.profile().batch_max.max(1);
        for batch in batches.values().flat_map(|streams| streams.chunks(most)) {
            if self.sends.free_at() > at.mono {
                return;
            }
            if let Some(frame) = self.frame(at, batch, |protocol, ask| Some(protocol.subscribe(ask))) {
                self.sends.take(at.mono);
                out.actions.push(Action::Send(frame));
                for stream in batch {
                    self.streams.get_mut(*stream).kind.is_wished = true;
                }
            }
        }
    }

    /// Those of the streams that there is room for on the connection. The others are refused, by us.
    fn within_limit(&mut self, at: Stamp, due: Vec<StreamRef>, out: &mut Output) -> Vec<StreamRef> {
        let Some(most) = self.protocol.profile().streams_max else { return due };
        let has_place = |asking| matches!(asking, Asking::Asked | Asking::Live);
        let taken = self.streams.iter().filter(|(_, stream)| has_place(stream.asking) || stream.kind.is_wished).count();
        let mut due = due;
        let beyond = due.split_off(most.saturating_sub(taken).min(due.len()));
        let evidence = format!("the venue allows {most} streams on a connection; put more into a second source");
        for stream in beyond {
            self.streams.put(stream, at.wall, Coverage::Gap(GapCause::Refused), Some(&evidence), &mut out.events);
        }
        due
    }

    fn keep_alive(&mut self, at: Stamp, out: &mut Output) {
        if let Keepalive::Send { frame, every } = &self.protocol.profile().keepalive
            && self.keepalive_at <= at.mono
            && self.sends.take(at.mono)
        {
            self.keepalive_at = at.mono.saturating_add(nanos(*every));
            out.actions.push(Action::Send(Outgoing::plain(frame.to_string())));
        }
    }

    /// A frame went out.
    pub(super) fn sent(&mut self, at: Stamp, frame: &[u8], out: &mut Output) {
        let Ok(text) = std::str::from_utf8(frame) else { return };
        match self.protocol.sent(text) {
            Sent::Subscribe { id, topics } => {
                self.command(at, "subscribe", id, topics.first(), out);
                for topic in &topics {
                    if let Some(stream) = self.meet(topic, &mut out.events) {
                        self.asked(at, stream, id, out);
                    }
                }
            }
            Sent::Unsubscribe { id, topics } => {
                self.command(at, "unsubscribe", id, topics.first(), out);
                for stream in topics.iter().filter_map(|topic| self.find(topic)).collect::<Vec<_>>() {
                    self.end(stream, GapCause::Reconfigured, out);
                }
            }
            Sent::Login { id } => {
                self.command(at, "login", id, None, out);
                self.login = LoginState::Begun(self.reply_due(at));
            }
            Sent::Other => {}
        }
    }

    fn command(&mut self, _: Stamp, method: &str, tag: Option<i64>, topic: Option<&Topic>, out: &mut Output) {
        let stream = topic.and_then(|topic| self.find(topic));
        let method = method.to_owned();
        out.events.push(Event::Command(Box::new(crate::model::CommandSent { method, tag, stream })));
    }

    /// A stream was asked for.
    fn asked(&mut self, at: Stamp, stream: StreamRef, id: Option<i64>, out: &mut Output) {
        self.streams.ask(stream, &mut out.events);
        let due_at = self.reply_due(at);
        let kind = &mut self.streams.get_mut(stream).kind;
        (kind.is_wished, kind.is_broken, kind.is_whole) = (false, false, false);
        (kind.request, kind.due_at) = (id, due_at);
        kind.tries += 1;
        kind.splicing.restart();
        self.forget(stream);
        let waiting = Coverage::Gap(GapCause::NotAcknowledged);
        if self.streams.get(stream).is_wanted && !matches!(self.streams.state(stream), Some(Coverage::Gap(_))) {
            self.streams.put(stream, at.wall, waiting, None, &mut out.events);
        }
        if self.protocol.profile().ack == crate::venue::Ack::None {
            self.acknowledged(at, stream, out);
        }
    }

    /// A subscription is over on our side.
    fn end(&mut self, stream: StreamRef, cause: GapCause, out: &mut Output) {
        let entry = self.streams.get_mut(stream);
        entry.kind.is_wished = false;
        if std::mem::replace(&mut entry.asking, Asking::Idle) != Asking::Idle {
            out.events.push(Event::Subscription(SubscriptionChange::Ended { stream, cause }));
        }
        self.has_news = true;
    }

    /// Waits longer before the next asking, the more often it was in vain.
    pub(super) fn back_off(&mut self, at: Stamp, stream: StreamRef) {
        let kind = &mut self.streams.get_mut(stream).kind;
        let wait = retry(kind.tries);
        kind.not_before = at.mono.saturating_add(wait);
    }

    /// Takes up anew what was asked for and not answered in time; gives up a session that answers nothing.
    pub(super) fn time_out_answers(&mut self, at: Stamp, out: &mut Output) {
        let reply = self.plan.timing.reply;
        let late = self.streams.select(|stream| stream.asking == Asking::Asked && stream.kind.due_at <= at.mono);
        for stream in late {
            let kind = &mut self.streams.get_mut(stream).kind;
            kind.due_at = i64::MAX;
            if kind.tries >= UNANSWERED_MAX {
                let detail =
                    format!("{} was not answered within {reply:?}, {UNANSWERED_MAX} times", kind.topic.channel);
                return self.hang_up(CloseCause::TimedOut, detail, out);
            }
            self.back_off(at, stream);
            self.end(stream, GapCause::NotAcknowledged, out);
        }
        if let LoginState::Begun(due) = self.login
            && due <= at.mono
        {
            self.hang_up(CloseCause::TimedOut, format!("the login was not answered within {reply:?}"), out);
        }
    }

    /// The venue refused the login.
    pub(super) fn login_refused(&mut self, at: Stamp, refusal: &Refusal, out: &mut Output) {
        let Refusal { code, message, is_passing } = refusal;
        let refused = SessionChange::LoginRefused { code: *code, message: message.clone() };
        out.events.push(Event::Session(refused));
        self.login_tries += 1;
        self.login = if *is_passing {
            LoginState::Due(at.mono.saturating_add(retry(self.login_tries)))
        } else {
            out.actions.push(Action::StopLogins { reason: format!("the venue refused the login: {message}") });
            LoginState::Refused
        };
        self.put_waiting(at.wall, out);
    }

    /// The venue agreed to the login.
    pub(super) fn logged_in(&mut self, at: Stamp, out: &mut Output) {
        self.login = LoginState::Done;
        self.login_tries = 0;
        out.events.push(Event::Session(SessionChange::Authenticated { user: None }));
        self.put_waiting(at.wall, out);
    }

    fn next_deadline(&self, at: Stamp) -> Option<i64> {
        let streams = self.streams.iter().filter_map(|(_, stream)| match stream.asking {
            Asking::Asked => Some(stream.kind.due_at),
            Asking::Idle if stream.is_wanted && !stream.kind.is_wished => Some(stream.kind.not_before),
            Asking::Live if stream.kind.is_broken && !stream.kind.is_wished => Some(stream.kind.not_before),
            _ => None,
        });
        let login = match self.login {
            LoginState::Due(at) | LoginState::Begun(at) => Some(at),
            _ => None,
        };
        let registry =
            (self.protocol.registry_channel().is_some() && !self.markets.are_listed()).then_some(self.registry_until);
        let room = Some(self.sends.free_at());
        let wait = streams
            .chain(login)
            .chain(registry)
            .chain([self.keepalive_at])
            .chain(self.snapshots_due(at))
            // What is due and was not done waits for the pace.
            .filter_map(|due| if due > at.mono { Some(due) } else { room.filter(|room| *room > at.mono) });
        wait.chain(self.streams.stale_deadline()).filter(|due| *due < i64::MAX).min()
    }

    pub(super) fn reply_due(&self, at: Stamp) -> i64 {
        at.mono.saturating_add(nanos(self.plan.timing.reply))
    }

    fn take_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(super) fn take_request(&mut self, asked: Asked) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        self.rests.insert(request, asked);
        request
    }
}

/// How long to wait after the n-th failure.
pub(super) fn retry(failures: u32) -> i64 {
    nanos(RETRY_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(RETRY_MAX))
}
