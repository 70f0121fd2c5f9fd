//! What comes of what a frame says: acknowledgements, refusals, logins, lists.

use std::sync::Arc;

use crate::model::{
    Catalog, CatalogOrigin, CloseCause, Coverage, Event, GapCause, ReplyReceived, Stamp, StreamRef, SubscriptionChange,
};
use crate::venue::streams::Asking;
use crate::venue::{Action, Outgoing, Output};

use super::session::{Feed, LoginState};
use super::{Protocol, Refusal, Said, Topic};

impl<P: Protocol> Feed<P> {
    /// Takes one thing that a frame said.
    pub(super) fn hear(&mut self, at: Stamp, said: Said, out: &mut Output) {
        match said {
            Said::Data { topic, kind, position, time, is_damaged } => {
                self.data(at, &topic, kind, &position, time, is_damaged, out);
                return;
            }
            Said::Frame(position) => {
                self.frame_came(at, &position, out);
                return;
            }
            Said::Acknowledged { id, topic } => {
                self.reply(id, None, out);
                for stream in self.meant(id, topic.as_ref(), out) {
                    self.acknowledged(at, stream, out);
                }
            }
            Said::Refused { id, topic, refusal } => {
                self.reply(id, Some(&refusal), out);
                for stream in self.meant(id, topic.as_ref(), out) {
                    self.refused(at, stream, &refusal, out);
                }
            }
            Said::Ping { answer } => out.actions.push(Action::Send(Outgoing::plain(answer))),
            Said::LoggedIn => self.logged_in(at, out),
            Said::LoginRefused(refusal) => self.login_refused(at, &refusal, out),
            Said::LoginExpired => {
                if self.login == LoginState::Done {
                    self.login = LoginState::Due(at.mono);
                }
            }
            Said::Reconnect(reason) => self.hang_up(CloseCause::Session, reason, out),
            Said::Listed { assets, markets, is_whole } => {
                let listed = Catalog {
                    valid_from: at.wall,
                    other_until: None,
                    origin: CatalogOrigin::Exchange,
                    assets,
                    markets,
                };
                self.listed(at, listed, is_whole, out);
            }
            Said::Illegible => self.damage_all(at, "illegible", out),
        }
        self.has_news = true;
    }

    fn reply(&self, tag: Option<i64>, refusal: Option<&Refusal>, out: &mut Output) {
        out.events.push(Event::Reply(Box::new(ReplyReceived {
            tag,
            command: None,
            method: None,
            error_code: Some(refusal.map_or(0, |refusal| refusal.code)),
            error_message: refusal.map(|refusal| refusal.message.clone()),
        })));
    }

    /// The streams that an answer means: the one it names, or all of the request it names that are not answered.
    fn meant(&mut self, id: Option<i64>, topic: Option<&Topic>, out: &mut Output) -> Vec<StreamRef> {
        match (topic, id) {
            (Some(topic), _) => self.meet(topic, &mut out.events).into_iter().collect(),
            (None, Some(id)) => {
                self.streams.select(|stream| stream.kind.request == Some(id) && stream.asking == Asking::Asked)
            }
            (None, None) => {
                // The oldest request that is not answered.
                let oldest = self.streams.iter().filter(|(_, stream)| stream.asking == Asking::Asked);
                let Some(oldest) = oldest.filter_map(|(_, stream)| stream.kind.request).min() else {
                    return Vec::new();
                };
                self.streams.select(|stream| stream.kind.request == Some(oldest) && stream.asking == Asking::Asked)
            }
        }
    }

    /// The venue agreed to a stream.
    pub(super) fn acknowledged(&mut self, at: Stamp, stream: StreamRef, out: &mut Output) {
        match self.streams.get(stream).asking {
            Asking::Live => return,
            // A capture without what was sent.
            Asking::Idle => {
                if self.streams.get(stream).kind.is_wished {
                    return;
                }
                self.streams.ask(stream, &mut out.events);
            }
            Asking::Asked | Asking::Refused => {}
        }
        let entry = self.streams.get_mut(stream);
        entry.asking = Asking::Live;
        entry.last_mono = at.mono;
        (entry.kind.request, entry.kind.due_at) = (None, i64::MAX);
        out.events.push(Event::Subscription(SubscriptionChange::Acknowledged(stream)));
        self.begin(at, stream, out);
        self.has_news = true;
    }

    fn refused(&mut self, at: Stamp, stream: StreamRef, refusal: &Refusal, out: &mut Output) {
        let Refusal { code, message, is_passing } = refusal;
        let (code, message) = (*code, message.clone());
        if self.streams.get(stream).asking == Asking::Idle {
            self.streams.ask(stream, &mut out.events);
        }
        self.streams.put(stream, at.wall, Coverage::Gap(GapCause::Refused), Some(&message), &mut out.events);
        out.events.push(Event::Subscription(SubscriptionChange::Refused { stream, code, message }));
        let entry = self.streams.get_mut(stream);
        (entry.kind.request, entry.kind.due_at) = (None, i64::MAX);
        entry.asking = if *is_passing { Asking::Idle } else { Asking::Refused };
        self.back_off(at, stream);
    }

    /// The venue lists markets, all of them or some that changed.
    fn listed(&mut self, at: Stamp, listed: Catalog, is_whole: bool, out: &mut Output) {
        let catalog = match self.markets.catalog() {
            Some(known) if !is_whole => {
                let mut catalog = Catalog::clone(known);
                (catalog.valid_from, catalog.origin) = (listed.valid_from, listed.origin);
                for asset in listed.assets {
                    match catalog.assets.iter_mut().find(|known| known.name == asset.name) {
                        Some(known) => *known = asset,
                        None => catalog.assets.push(asset),
                    }
                }
                for market in listed.markets {
                    match catalog.markets.iter_mut().find(|known| known.name == market.name) {
                        Some(known) => *known = market,
                        None => catalog.markets.push(market),
                    }
                }
                catalog
            }
            _ => listed,
        };
        let is_same = |known: &Arc<Catalog>| known.assets == catalog.assets && known.markets == catalog.markets;
        if self.markets.catalog().is_some_and(is_same) {
            return;
        }
        let catalog = Arc::new(catalog);
        out.events.push(Event::Catalog(catalog.clone()));
        self.markets.list(&catalog, &mut out.events);
        self.resolve(at, out);
    }
}
