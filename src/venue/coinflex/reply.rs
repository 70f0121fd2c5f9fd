//! What comes back: the greeting, replies matched with their commands by tag, REST answers.

use crate::crypto::Nonce;
use crate::model::{
    AccountEvent, AssetCode, BookOrder, BookSnapshot, CloseCause, CommandSent, Coverage, Estimate, Event, GapCause,
    MarketRef, OwnOrders, ReplyReceived, Seq, SessionChange, Stamp, StreamRef, SubscriptionChange, TickerKind,
    UnknownReason,
};
use crate::venue::{Action, Outgoing, Output};

use super::book::SNAPSHOT_SIDE_MAX;
use super::decode::{self, Message};
use super::fields::Key;
use super::kind::{Kind, covered};
use super::login::login_frame;
use super::notice::{self, Places};
use super::read::{Problems, Reader};
use super::request::{Method, Request};
use super::session::{CoinFlexSession, Frame, Login, Phase};
use crate::venue::streams::{Asking, nanos};

/// "You are making … too rapidly": logins, information requests or orders.
pub(super) const TOO_RAPIDLY: i64 = 6;

/// "You specified an invalid asset pair."
const NO_SUCH_MARKET: i64 = 1;

impl CoinFlexSession {
    /// A command went out.
    pub(super) fn sent(&mut self, seq: Seq, at: Stamp, frame: &[u8], out: &mut Output) {
        let Ok(text) = std::str::from_utf8(frame) else { return };
        let Ok(message) = decode::decode(text) else { return };
        let deadline = at.mono.saturating_add(nanos(self.plan.timing.reply));
        let request = Request::read(text, &message, seq, deadline, &mut self.markets, &mut out.events);
        let Some(mut request) = request else { return };
        request.stream = self.stream_of(&request, out);
        if request.method == Method::Authenticate {
            self.login = Login::Asked;
        }
        if let Some(stream) = request.stream
            && request.watch
            && matches!(self.streams.get(stream).asking, Asking::Idle | Asking::Refused)
        {
            self.streams.ask(stream, &mut out.events);
            let gap = Coverage::Gap(GapCause::NotAcknowledged);
            if !matches!(self.streams.state(stream), Some(Coverage::Gap(GapCause::NotUnderstood | GapCause::Stale))) {
                self.streams.put(stream, at.wall, gap, None, &mut out.events);
            }
        }
        match (&request.method, request.market, request.watch) {
            (Method::GetOrders, ..) => self.ledger.orders_asked(),
            (Method::WatchOrders, Some(market), true) => self.markets.entry_mut(market).check.book_asked(),
            (Method::WatchTicker, Some(market), true) => self.markets.entry_mut(market).check.ticker_asked(),
            (Method::WatchOrders | Method::WatchTicker, Some(_), false) => {
                // From here on notices may be missing.
                if let Some(stream) = request.stream {
                    self.forget(stream);
                }
            }
            _ => {}
        }
        self.planner.went_out(&request);
        out.events.push(Event::Command(Box::new(CommandSent {
            method: request.method.as_str().to_owned(),
            tag: request.tag,
            stream: request.stream,
        })));
        self.requests.insert(request);
    }

    /// The stream that a command is for; a capture's watch commands make theirs.
    fn stream_of(&mut self, request: &Request, out: &mut Output) -> Option<StreamRef> {
        match (&request.method, request.market) {
            (Method::WatchOrders, Some(market)) => Some(self.book_stream(market, &mut out.events)),
            (Method::WatchTicker, Some(market)) => Some(self.ticker_stream(market, &mut out.events)),
            _ => self.planner.poll_stream(request),
        }
    }

    /// The venue greeted: the login is next.
    pub(super) fn welcome(&mut self, at: Stamp, message: &Message<'_>, out: &mut Output) {
        if self.phase == Phase::Greeted || self.phase == Phase::Ready {
            // A second greeting changes nothing that was agreed.
            return;
        }
        out.events.push(Event::Session(SessionChange::Greeted));
        self.phase = Phase::Greeted;
        let nonce = message.nonce.as_deref().and_then(|text| Nonce::from_base64(text).ok());
        if nonce.is_none() && self.login != Login::Unwanted {
            let detail = "the greeting has no nonce of 16 bytes".to_owned();
            out.actions.push(Action::Close { cause: CloseCause::BadGreeting, detail });
        }
        self.planner.server_nonce = nonce;
        self.put_waiting(at.wall, out);
    }

    /// The login frame, if there is somebody to log in.
    pub(super) fn login_frame(&self, tag: i64) -> Option<Outgoing> {
        Some(login_frame(self.account.as_ref()?.as_user()?, self.planner.server_nonce?, tag))
    }

    /// A reply came.
    pub(super) fn reply(&mut self, frame: &Frame<'_>, problems: &mut Problems, out: &mut Output) {
        let Frame { at, text, message, .. } = *frame;
        let mut read = Reader::new(text, &message.fields, problems);
        let (tag, code) = (read.int(Key::Tag), read.needed_int(Key::ErrorCode));
        let request = self.requests.take(tag);
        out.events.push(Event::Reply(Box::new(ReplyReceived {
            tag,
            command: request.as_ref().map(|request| request.seq),
            method: request.as_ref().map(|request| request.method.as_str().to_owned()),
            error_code: code,
            error_message: message.error_message.as_deref().map(str::to_owned),
        })));
        let Some(request) = request else {
            let what = tag.map_or_else(|| "no tag".to_owned(), |tag| tag.to_string());
            return problems.add(UnknownReason::UnknownTag, &what);
        };
        self.planner.answered(&request);
        match code {
            Some(0) => self.accepted(frame, &request, problems, out),
            Some(code) => self.refused(at, &request, code, message.error_message.as_deref().unwrap_or(""), out),
            None => {}
        }
    }

    fn accepted(&mut self, frame: &Frame<'_>, request: &Request, problems: &mut Problems, out: &mut Output) {
        let Frame { at, text, message, .. } = *frame;
        match &request.method {
            Method::Authenticate => {
                self.login = Login::Done;
                let user = self.plan.user;
                out.events.push(Event::Session(SessionChange::Authenticated { user }));
                self.account_parts = (false, false);
                self.planner.renew_account();
                self.ledger.forget();
                self.put_waiting(at.wall, out);
            }
            Method::GetBalances => {
                let mut list = Vec::new();
                for (n, fields) in message.list.iter().flatten().enumerate() {
                    let read = Reader::item(text, fields, n, problems);
                    let Some(Event::Balance(balance)) = notice::balance(&self.markets, true, read) else { continue };
                    out.events.push(Event::Balance(balance.clone()));
                    list.push(balance);
                }
                self.ledger.balances(self.link.stamp(at), &list, &mut self.found);
                self.missing_list(message, problems);
                self.account_part(at, request, problems, out);
                self.settle_account(at, out);
            }
            Method::GetOrders | Method::CancelAllOrders => {
                let orders = self.own_orders(frame, problems, out);
                let cancelled = request.method == Method::CancelAllOrders;
                if !cancelled {
                    self.list_orders(&orders);
                }
                out.events.push(Event::OwnOrders(Box::new(OwnOrders { orders, cancelled })));
                self.missing_list(message, problems);
                if !cancelled {
                    self.account_part(at, request, problems, out);
                }
            }
            Method::GetTradeVolume => {
                let read = Reader::new(text, &message.fields, problems);
                out.events.extend(notice::trade_volume(&self.markets, request.asset, read));
            }
            Method::EstimateMarketOrder => self.estimate(frame, request, problems, out),
            Method::PlaceOrder | Method::ModifyOrder | Method::CancelOrder => {
                self.order_reply(frame, request, problems, out);
            }
            Method::WatchOrders | Method::WatchTicker if !request.watch => {
                self.unwatched(request, out);
                return;
            }
            Method::WatchOrders => self.book(frame, request, problems, out),
            Method::WatchTicker => {
                if let Some(market) = request.market {
                    let places = Places::of(&self.markets, market);
                    let read = Reader::new(text, &message.fields, problems);
                    let ticker = notice::ticker(TickerKind::Full, market, places, read);
                    self.markets.entry_mut(market).check.ticker(self.link.stamp(at), &ticker, &mut self.found);
                    out.events.push(Event::Ticker(Box::new(ticker)));
                }
            }
            Method::Unknown(_) => {}
        }
        if let Some(stream) = request.stream {
            self.acknowledged(at, stream, problems, out);
            if request.is_spoilt && self.streams.get(stream).kind.market().is_some() {
                self.damage(at, stream, "not understood while it was on its way", out);
            }
        }
        if let Some(market) = request.market {
            self.conclude(at, market, out);
        }
    }

    /// The account's open orders came.
    fn list_orders(&mut self, orders: &[(MarketRef, BookOrder)]) {
        let listed = orders.iter().filter_map(|(market, order)| {
            let entry = &self.markets.entry(*market).market;
            let codes = entry.base_code.zip(entry.counter_code)?;
            Some((self.terms(codes, Places::of(&self.markets, *market)), order.clone()))
        });
        let listed: Vec<_> = listed.collect();
        self.ledger.orders_listed(&listed);
    }

    fn missing_list(&self, message: &Message<'_>, problems: &mut Problems) {
        if message.list.is_none() {
            problems.add(UnknownReason::MissingField, "orders, balances");
        }
    }

    /// A stream was agreed to, with its snapshot.
    pub(super) fn acknowledged(&mut self, at: Stamp, stream: StreamRef, problems: &Problems, out: &mut Output) {
        self.planner.taken_up(stream);
        let asking = &mut self.streams.get_mut(stream).asking;
        if std::mem::replace(asking, Asking::Live) != Asking::Live {
            out.events.push(Event::Subscription(SubscriptionChange::Acknowledged(stream)));
        }
        let (state, evidence) = covered(self.is_scale_known(stream));
        self.streams.put(stream, at.wall, state, evidence, &mut out.events);
        self.data(at, stream, problems, out);
    }

    /// Part of the account's state came (balances, orders): with both, what comes unasked is covered.
    fn account_part(&mut self, at: Stamp, request: &Request, problems: &Problems, out: &mut Output) {
        if request.is_spoilt {
            return;
        }
        match request.method {
            Method::GetBalances => self.account_parts.0 = true,
            _ => self.account_parts.1 = true,
        }
        let account = self.streams.iter().find(|(_, stream)| stream.kind == Kind::Account);
        let Some(stream) = account.map(|(stream, _)| stream) else { return };
        if self.account_parts == (true, true) && self.login == Login::Done {
            if self.streams.get(stream).asking == Asking::Idle {
                self.streams.ask(stream, &mut out.events);
            }
            self.acknowledged(at, stream, problems, out);
        }
    }

    fn unwatched(&mut self, request: &Request, out: &mut Output) {
        let Some(stream) = request.stream else { return };
        if std::mem::replace(&mut self.streams.get_mut(stream).asking, Asking::Idle) != Asking::Idle {
            let cause = match self.streams.state(stream) {
                Some(Coverage::Gap(cause)) => cause,
                _ => GapCause::NotAcknowledged,
            };
            out.events.push(Event::Subscription(SubscriptionChange::Ended { stream, cause }));
        }
    }

    fn refused(&mut self, at: Stamp, request: &Request, code: i64, text: &str, out: &mut Output) {
        if request.method == Method::Authenticate {
            return self.login_refused(at, code, text, out);
        }
        let evidence = format!("error {code}: {text}");
        if matches!(request.method, Method::GetBalances | Method::GetOrders) {
            self.planner.account_refused(&request.method, at.mono);
            self.account_refused(at, &evidence, out);
        }
        let Some(stream) = request.stream else { return };
        let is_watch = matches!(request.method, Method::WatchOrders | Method::WatchTicker);
        match (is_watch, request.watch, code) {
            // Watched already, so it was asked; but only a snapshot covers it: end it and begin anew.
            (true, true, 2) => {
                let gap = Coverage::Gap(GapCause::NotAcknowledged);
                self.streams.put(stream, at.wall, gap, Some("already watching"), &mut out.events);
                self.planner.renew(stream);
            }
            // Was not watched after all.
            (true, false, _) => self.unwatched(request, out),
            (_, _, code) => {
                let message = text.to_owned();
                if std::mem::replace(&mut self.streams.get_mut(stream).asking, Asking::Refused) != Asking::Refused {
                    out.events.push(Event::Subscription(SubscriptionChange::Refused { stream, code, message }));
                }
                let gap = Coverage::Gap(GapCause::Refused);
                self.streams.put(stream, at.wall, gap, Some(&evidence), &mut out.events);
                // A market that there is not is asked for again when it is listed; anything else may pass.
                if is_watch && code != NO_SUCH_MARKET {
                    self.planner.refused(stream, at.mono);
                }
            }
        }
    }

    /// Part of the account's state was refused: if it is not covered, that is why.
    fn account_refused(&mut self, at: Stamp, evidence: &str, out: &mut Output) {
        let account = self.streams.iter().find(|(_, stream)| stream.kind == Kind::Account && stream.is_wanted);
        if let Some((stream, _)) = account
            && matches!(self.streams.state(stream), Some(Coverage::Gap(_)))
        {
            let gap = Coverage::Gap(GapCause::Refused);
            self.streams.put(stream, at.wall, gap, Some(evidence), &mut out.events);
        }
    }

    fn login_refused(&mut self, at: Stamp, code: i64, text: &str, out: &mut Output) {
        out.events.push(Event::Session(SessionChange::LoginRefused { code, message: text.to_owned() }));
        if code == TOO_RAPIDLY {
            let until = at.mono.saturating_add(nanos(self.plan.timing.login_retry));
            self.login = Login::Due(until);
            out.actions.push(Action::DelayLogins { until });
        } else {
            self.login = Login::Refused;
            let look_at = match (code, text.contains("cookie"), text.contains("signature")) {
                (1, _, _) => "there is no such user: check user_id",
                (7, true, _) => "the cookie is wrong: check cookie",
                (7, _, true) => "the signature is wrong: check passphrase (and user_id)",
                _ => "the login was refused: check user_id, cookie and passphrase",
            };
            out.actions.push(Action::StopLogins { reason: format!("{look_at} (error {code}: {text})") });
        }
        let evidence = format!("error {code}: {text}");
        for stream in self.streams.select(|stream| stream.is_wanted) {
            if self.needs_login(stream) {
                let gap = Coverage::Gap(GapCause::NotAuthenticated);
                self.streams.restate(stream, at.wall, gap, &evidence, &mut out.events);
            }
        }
    }

    fn own_orders(
        &mut self,
        frame: &Frame<'_>,
        problems: &mut Problems,
        out: &mut Output,
    ) -> Vec<(MarketRef, BookOrder)> {
        let Frame { text, message, .. } = *frame;
        let mut orders = Vec::new();
        for (n, fields) in message.list.iter().flatten().enumerate() {
            let mut read = Reader::item(text, fields, n, problems);
            let Some((base, counter)) = read.needed_int(Key::Base).zip(read.needed_int(Key::Counter)) else { continue };
            let codes = (AssetCode(base), AssetCode(counter));
            let Some(market) = self.markets.hear_of(codes, problems, &mut out.events) else { continue };
            let read = Reader::item(text, fields, n, problems);
            orders.extend(notice::book_order(Places::of(&self.markets, market), read).map(|order| (market, order)));
        }
        orders
    }

    fn book(&mut self, frame: &Frame<'_>, request: &Request, problems: &mut Problems, out: &mut Output) {
        let Frame { seq, at, text, message } = *frame;
        let Some(market) = request.market else { return };
        let orders = self.book_orders(text, message, market, problems);
        self.markets.entry_mut(market).check.snapshot(self.link.stamp(at), &orders, &mut self.found);
        let events_from = Some(request.seq).filter(|from| *from < seq);
        let side_orders_max = Some(SNAPSHOT_SIDE_MAX);
        out.events.push(Event::BookSnapshot(Box::new(BookSnapshot {
            market,
            events_from,
            has_orders: true,
            side_orders_max,
            orders,
        })));
    }

    /// The orders of a book that an answer lists.
    pub(super) fn book_orders(
        &self,
        text: &str,
        message: &Message<'_>,
        market: MarketRef,
        problems: &mut Problems,
    ) -> Vec<BookOrder> {
        self.missing_list(message, problems);
        let places = Places::of(&self.markets, market);
        let list = message.list.iter().flatten().enumerate();
        list.filter_map(|(n, fields)| notice::book_order(places, Reader::item(text, fields, n, problems))).collect()
    }

    fn estimate(&self, frame: &Frame<'_>, request: &Request, problems: &mut Problems, out: &mut Output) {
        let Some(market) = request.market else { return };
        let entry = self.markets.entry(market);
        let mut read = Reader::new(frame.text, &frame.message.fields, problems);
        out.events.push(Event::Estimate(Box::new(Estimate {
            market,
            asked_quantity: request.quantity.clone(),
            asked_total: request.total.clone(),
            quantity: read.needed_quantity(Key::Quantity, entry.market.quantity_places),
            total: read.needed_quantity(Key::Total, entry.counter_places),
        })));
    }

    /// The reply to an order command; old ones leave out the market, which the command may name.
    fn order_reply(&mut self, frame: &Frame<'_>, request: &Request, problems: &mut Problems, out: &mut Output) {
        let Frame { text, message, .. } = *frame;
        let fields = &message.fields;
        let codes = fields.int(Key::Base).zip(fields.int(Key::Counter));
        let named = codes.and_then(|(base, counter)| {
            self.markets.hear_of((AssetCode(base), AssetCode(counter)), problems, &mut out.events)
        });
        let market = named.or(request.market);
        let (price, quantity) = market.map_or((None, None), |market| {
            let market = &self.markets.entry(market).market;
            (market.price_places, market.quantity_places)
        });
        let mut read = Reader::new(text, fields, problems);
        let states_order = [Key::Id, Key::Price, Key::Quantity].into_iter().any(|key| read.has(key));
        let order = states_order.then(|| BookOrder {
            id: read.id(Key::Id),
            quantity: read.quantity(Key::Quantity, quantity),
            price: read.price(Key::Price, price),
            time: read.time(Key::Time),
            tonce: read.patch(Key::Tonce),
        });
        let remaining = read.quantity(Key::Remaining, quantity);
        let method = request.method.as_str().to_owned();
        out.events.push(Event::Account(Box::new(AccountEvent { method, market, order, remaining })));
    }
}
