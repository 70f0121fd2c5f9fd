//! What puts streams in doubt or in a gap: contradictions, scales that change, frames that are damaged. Each is taken up
//! anew then.

use crate::model::{Check, Coverage, Event, Finding, GapCause, MarketRef, Stamp, StreamRef, Timestamp, Verdict};
use crate::venue::Output;

use super::check::Found;
use super::kind::Kind;
use super::ledger::Terms;
use super::markets::{Changes, Codes};
use super::notice::Places;
use super::request::Method;
use super::session::{CoinFlexSession, Login};

impl CoinFlexSession {
    /// Says what the checks of a market found: a contradiction puts its streams in doubt until a fresh snapshot.
    pub(super) fn conclude(&mut self, at: Stamp, market: MarketRef, out: &mut Output) {
        let (book, ticker) = (self.markets.entry(market).book, self.markets.entry(market).ticker);
        let found = std::mem::take(&mut self.found);
        // Of several contradictions the one that reaches back furthest says since when.
        let earliest = |concerns: fn(Check) -> bool| {
            found.iter().filter(|found| concerns(found.check)).map(|found| found.since).min()
        };
        let since_when = [(book, earliest(Check::is_contradiction)), (ticker, earliest(Check::is_about_ticker))];
        for Found { check, since, evidence } in found {
            let Some(stream) = (if check.is_about_ticker() { ticker } else { book }) else { continue };
            if check.is_contradiction() {
                for (doubtful, since) in since_when.iter().filter_map(|(stream, since)| stream.zip(*since)) {
                    if doubtful == stream || check.is_about_ticker() {
                        self.doubt(doubtful, since, check, out);
                    }
                }
                self.markets.entry_mut(market).check.forget_book();
            }
            out.events.push(Event::Finding(Box::new(Finding { check, stream, since, evidence })));
        }
        if let Some(deadline) = self.markets.entry(market).check.deadline() {
            let deadline = self.link.when(at.mono, deadline);
            self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
        }
    }

    /// What the ledger needs of a market.
    pub(super) fn terms(&self, codes: Codes, places: Places) -> Terms {
        let lot = || {
            let digits = places.price?.checked_add(places.quantity?)?.checked_sub(places.total?)?;
            10_i64.checked_pow(digits.into())
        };
        Terms { codes, lot: lot() }
    }

    /// Says what the checks of the account found by now: a contradiction puts it in doubt until it is listed anew.
    pub(super) fn settle_account(&mut self, at: Stamp, out: &mut Output) {
        self.ledger.settle(self.link.stamp(at), &mut self.found);
        let found = std::mem::take(&mut self.found);
        let account = self.streams.iter().find(|(_, stream)| stream.kind == Kind::Account).map(|(stream, _)| stream);
        if let Some(stream) = account.filter(|_| !found.is_empty()) {
            for Found { check, since, evidence } in found {
                self.doubt(stream, since, check, out);
                out.events.push(Event::Finding(Box::new(Finding { check, stream, since, evidence })));
            }
            self.forget_account(stream);
        }
        if let Some(deadline) = self.ledger.deadline() {
            let deadline = self.link.when(at.mono, deadline);
            self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
        }
    }

    fn doubt(&mut self, stream: StreamRef, since: Timestamp, check: Check, out: &mut Output) {
        if matches!(self.streams.state(stream), Some(Coverage::Covered(_))) {
            let doubt = Coverage::Covered(Verdict::Unverifiable);
            self.streams.put(stream, since, doubt, Some(check.as_str()), &mut out.events);
            self.planner.renew(stream);
        }
    }

    /// Numbers are at another scale from now on, and may have been since the list before was last seen: in doubt until
    /// they are stated anew.
    pub(super) fn rescale(&mut self, other_until: Option<Timestamp>, changes: &Changes, out: &mut Output) {
        let rescaled = self.streams.select(|stream| match stream.kind {
            Kind::Book(market) | Kind::Ticker(market) => changes.rescaled.contains(&market),
            Kind::Account => changes.has_rescaled_asset || !changes.rescaled.is_empty(),
            Kind::Poll(n) => match self.planner.poll(n).market {
                Some(market) => changes.rescaled.contains(&market),
                None => changes.has_rescaled_asset || !changes.rescaled.is_empty(),
            },
            Kind::Unlisted => false,
        });
        for stream in rescaled {
            self.forget(stream);
            if matches!(self.streams.state(stream), Some(Coverage::Covered(_))) {
                let since = other_until.unwrap_or(Timestamp(i64::MIN));
                let doubt = Coverage::Covered(Verdict::Unverifiable);
                self.streams.put(stream, since, doubt, Some("the scale changed"), &mut out.events);
                self.planner.renew(stream);
            }
        }
    }

    /// A stream may have lost something: it is in a gap until it is taken up anew, which an answer that is on its way
    /// already does not do.
    pub(super) fn damage(&mut self, at: Stamp, stream: StreamRef, evidence: &str, out: &mut Output) {
        let is_account = self.streams.get(stream).kind == Kind::Account;
        self.requests.spoil(|request| match request.method {
            Method::GetBalances | Method::GetOrders => is_account,
            _ => request.stream == Some(stream),
        });
        let is_covered = matches!(self.streams.state(stream), Some(Coverage::Covered(_)));
        if is_covered {
            let gap = Coverage::Gap(GapCause::NotUnderstood);
            self.streams.put(stream, at.wall, gap, Some(evidence), &mut out.events);
            self.planner.renew(stream);
        }
        if is_covered || is_account {
            self.forget(stream);
        }
    }

    /// Checks no further what a stream says, until it is taken up anew.
    pub(super) fn forget(&mut self, stream: StreamRef) {
        match self.streams.get(stream).kind {
            Kind::Book(market) => self.markets.entry_mut(market).check.forget_book(),
            Kind::Ticker(market) => self.markets.entry_mut(market).check.forget_ticker(),
            Kind::Account => self.forget_account(stream),
            Kind::Poll(_) | Kind::Unlisted => {}
        }
    }

    /// Only lists of balances and of orders that are asked for from now on take it up.
    fn forget_account(&mut self, stream: StreamRef) {
        self.ledger.forget();
        self.account_parts = (false, false);
        if self.login == Login::Done {
            self.planner.renew(stream);
        }
    }

    pub(super) fn damage_all(&mut self, at: Stamp, evidence: &str, out: &mut Output) {
        for stream in self.streams.select(|stream| !matches!(stream.kind, Kind::Poll(_))) {
            self.damage(at, stream, evidence, out);
        }
    }
}
