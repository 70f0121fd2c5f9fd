//! A second look at the books, over a connection of its own: the session that takes it, and what the session that
//! records makes of it.
//!
//! The one that looks asks for each book, shows the answer to the other, and ends. Its journal has all it was told, and
//! it concludes nothing of the market: no book begins with it, and nothing is covered by it.

use std::sync::Arc;

use crate::journal::{Input, Look, LookStage, LookTaken, Plan};
use crate::model::{
    BookSnapshot, CloseCause, CommandSent, Event, NotUnderstood, ReplyReceived, Seq, SessionChange, SessionId, Stamp,
    UnknownReason,
};
use crate::venue::streams::nanos;
use crate::venue::{Action, Outgoing, Output, Session};

use super::book::SNAPSHOT_SIDE_MAX;
use super::decode::{self, Message, NoticeName};
use super::fields::Key;
use super::markets::{Codes, Markets};
use super::read::Problems;
use super::request::{Method, Request, Requests};
use super::session::CoinFlexSession;
use super::wire::{Command, Request as Frame, Watch};

/// The session that looks.
#[derive(Default)]
pub(super) struct LookSession {
    plan: Arc<Plan>,
    markets: Markets,
    /// Books that were not asked for yet.
    left: Vec<Codes>,
    /// The command for the book that is looked at, and when it went out.
    asked: Option<LookTaken>,
    requests: Requests,
    last_tag: i64,
    /// When the greeting is overdue, by the monotonic clock.
    greeting_deadline: Option<i64>,
}

impl LookSession {
    fn connecting(&mut self, plan: &Arc<Plan>, out: &mut Output) {
        self.plan = Arc::clone(plan);
        out.events.push(Event::Session(SessionChange::Connecting {
            source: plan.source.as_str().into(),
            venue: plan.venue.as_str().into(),
            url: plan.url.clone(),
            user: None,
        }));
        out.events.push(Event::Session(SessionChange::Looking));
    }

    fn sent(&mut self, seq: Seq, at: Stamp, frame: &[u8], out: &mut Output) {
        let Ok(text) = std::str::from_utf8(frame) else { return };
        let Ok(message) = decode::decode(text) else { return };
        let deadline = at.mono.saturating_add(nanos(self.plan.timing.reply));
        let request = Request::read(text, &message, seq, deadline, &mut self.markets, &mut Vec::new());
        let Some(request) = request else { return };
        let (method, tag) = (request.method.as_str().to_owned(), request.tag);
        out.events.push(Event::Command(Box::new(CommandSent { method, tag, stream: None })));
        if request.method == Method::WatchOrders && request.watch {
            self.asked = Some(LookTaken { command: text.to_owned(), asked_mono: at.mono });
        }
        self.requests.insert(request);
    }

    fn received(&mut self, at: Stamp, frame: &[u8], out: &mut Output) {
        let Ok(text) = std::str::from_utf8(frame) else {
            return not_understood(UnknownReason::InvalidUtf8, frame, out);
        };
        let Ok(message) = decode::decode(text) else { return not_understood(UnknownReason::InvalidJson, frame, out) };
        match message.notice {
            Some(NoticeName::Welcome) if self.greeting_deadline.take().is_some() => {
                out.events.push(Event::Session(SessionChange::Greeted));
                let plan = Arc::clone(&self.plan);
                let books = plan.subscribe.iter().filter(|subscribe| subscribe.method == "WatchOrders");
                let meant = books.flat_map(|subscribe| &subscribe.markets);
                self.left = meant.flat_map(|pattern| self.markets.meant(pattern, at.wall)).collect();
                self.left.sort_unstable();
                self.left.dedup();
                self.ask_next(out);
            }
            None if message.fields.has(Key::ErrorCode) => self.reply(frame, &message, out),
            // What a book's notices say is for the session that records it.
            _ => {}
        }
    }

    fn reply(&mut self, frame: &[u8], message: &Message<'_>, out: &mut Output) {
        let (tag, error_code) = (message.fields.int(Key::Tag), message.fields.int(Key::ErrorCode));
        let request = self.requests.take(tag);
        out.events.push(Event::Reply(Box::new(ReplyReceived {
            tag,
            command: request.as_ref().map(|request| request.seq),
            method: request.as_ref().map(|request| request.method.as_str().to_owned()),
            error_code,
            error_message: message.error_message.as_deref().map(str::to_owned),
        })));
        if !request.is_some_and(|request| request.watch) {
            return;
        }
        if let Some(taken) = self.asked.take().filter(|_| error_code == Some(0)) {
            out.actions.push(Action::Show { taken, answer: frame.to_vec() });
        }
        self.ask_next(out);
    }

    /// Asks for the next book, or ends.
    fn ask_next(&mut self, out: &mut Output) {
        let Some((base, counter)) = self.left.pop() else {
            let detail = "looked".to_owned();
            return out.actions.push(Action::Close { cause: CloseCause::Session, detail });
        };
        self.last_tag += 1;
        let command = Command::WatchOrders(Watch { base, counter, watch: true });
        out.actions.push(Action::Send(Outgoing::plain(Frame::tagged(self.last_tag, command).to_json())));
    }

    fn timer(&self, at: Stamp, out: &mut Output) {
        if self.deadline().is_some_and(|deadline| deadline <= at.mono) {
            let what = if self.greeting_deadline.is_some() { "greeting" } else { "reply" };
            let detail = format!("no {what} in time");
            out.actions.push(Action::Close { cause: CloseCause::TimedOut, detail });
        }
    }
}

impl Session for LookSession {
    fn handle(&mut self, seq: Seq, at: Stamp, input: &Input<'_>, out: &mut Output) {
        match input {
            Input::Connecting(plan) => self.connecting(plan, out),
            Input::Replanned(plan) => self.plan = Arc::clone(plan),
            // The session that records says what is listed.
            Input::Catalog(catalog) => drop(self.markets.set_catalog(catalog, &mut Vec::new())),
            Input::Opened(opened) => {
                self.greeting_deadline = Some(at.mono.saturating_add(nanos(self.plan.timing.greeting)));
                out.events.push(Event::Session(SessionChange::Opened { peer: opened.peer.clone() }));
            }
            Input::Sent(frame) => self.sent(seq, at, frame, out),
            Input::Received(frame) => self.received(at, frame, out),
            Input::ReceivedBinary(frame) => not_understood(UnknownReason::Binary, frame, out),
            Input::Timer => self.timer(at, out),
            Input::Closed(closed) => {
                let (cause, code, detail) = (closed.cause, closed.code, closed.detail.clone());
                out.events.push(Event::Session(SessionChange::Closed { cause, code, detail }));
            }
            Input::Rest(..) | Input::Stalled(..) | Input::Suspended(..) | Input::Look(..) => {}
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.greeting_deadline.or_else(|| self.requests.oldest().map(|request| request.deadline))
    }

    fn summarise(&mut self, _: &mut Output) {}
}

fn not_understood(reason: UnknownReason, frame: &[u8], out: &mut Output) {
    let what = NotUnderstood { reason, what: String::new(), body: frame.to_vec() };
    out.events.push(Event::NotUnderstood(Box::new(what)));
}

impl CoinFlexSession {
    /// Another session takes a second look at the books that this one keeps.
    pub(super) fn look(&mut self, seq: Seq, at: Stamp, look: &Look, answer: &[u8], out: &mut Output) {
        match &look.stage {
            LookStage::Begun => {
                for market in self.markets.refs() {
                    self.markets.entry_mut(market).check.begin_look(at, look.session);
                }
            }
            LookStage::Taken(taken) => self.looked(seq, at, look.session, taken, answer, out),
            LookStage::Ended => {
                for market in self.markets.refs() {
                    self.markets.entry_mut(market).check.give_up_look();
                }
            }
        }
    }

    fn looked(&mut self, seq: Seq, at: Stamp, session: SessionId, taken: &LookTaken, answer: &[u8], out: &mut Output) {
        let LookTaken { command, asked_mono } = taken;
        // The session that looked could read it, or there would be none.
        let Ok(asked) = decode::decode(command) else { return };
        let asked = Request::read(command, &asked, seq, at.mono, &mut self.markets, &mut out.events);
        let (Some(market), Ok(text)) = (asked.and_then(|asked| asked.market), std::str::from_utf8(answer)) else {
            return;
        };
        let Ok(message) = decode::decode(text) else { return };
        let mut problems = Problems::default();
        let orders = self.book_orders(text, &message, market, &mut problems);
        if !problems.is_damaging() {
            let at = self.link.stamp(at);
            self.markets.entry_mut(market).check.take_look(at, session, *asked_mono, &orders);
        }
        self.complain("look", &message, answer, &mut problems, out);
        let (events_from, side_orders_max) = (None, Some(SNAPSHOT_SIDE_MAX));
        let snapshot = BookSnapshot { market, events_from, has_orders: true, side_orders_max, orders };
        out.events.push(Event::Look(Box::new(snapshot)));
    }
}
