//! Contradiction checks of one market: the book against its own past, against the ticker, against the last match.
//!
//! Book and ticker are separate streams of notices, and an aggressive order may be opened before its match is told. So
//! a crossed book or a ticker that disagrees is a contradiction only once it has stayed so. How long it has is told by
//! the link's clock (see [`super::link`]), which is the `mono` of the stamps here: a link that stalls between an order's
//! opening and its match loses neither.

use std::time::Duration;

use crate::model::{
    BookOrder, Check, OrderEvent, Patch, Price, SessionId, Stamp, Ticker, TickerKind, Timestamp, Trade,
};

use super::book::{Book, Change, Contradiction, Difference, Differs};
use crate::venue::streams::nanos;

/// How long a disagreement may last that notices on their way could still settle, by the link's clock.
pub(super) const SETTLING_TIME: Duration = Duration::from_secs(2);

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) check: Check,
    /// Since when the stream is in doubt.
    pub(super) since: Timestamp,
    pub(super) evidence: String,
}

/// A disagreement that may settle yet.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    since: Option<Stamp>,
}

impl Pending {
    /// Notes whether it disagrees now; gives since when, once that has lasted too long.
    fn note(&mut self, at: Stamp, disagrees: bool) -> Option<Timestamp> {
        if !disagrees {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(at);
        (at.mono - since.mono >= nanos(SETTLING_TIME)).then_some(since.wall)
    }

    fn deadline(&self) -> Option<i64> {
        self.since.map(|since| since.mono.saturating_add(nanos(SETTLING_TIME)))
    }
}

/// A second look at the book.
#[derive(Debug)]
struct SecondLook {
    /// The session that takes it.
    session: SessionId,
    /// When it began, by the monotonic clock.
    begun_at: Stamp,
    /// Once it was taken: when, and the orders that it shows in another way.
    taken: Option<(Stamp, Vec<(i64, Differs)>)>,
}

/// The checks of a market.
#[derive(Debug, Default)]
pub(super) struct MarketCheck {
    book: Book,
    /// What the ticker says: outer `None` if it is not known, inner if there is none.
    bid: Option<Option<i64>>,
    ask: Option<Option<i64>>,
    last: Option<Option<i64>>,
    /// While the whole ticker is on its way: which of bid, ask and last notices have told meanwhile. Notices may overtake
    /// the answer, and then are newer.
    ticker_awaited: Option<[bool; 3]>,
    /// Price of the last match.
    matched: Option<i64>,
    crossed: Pending,
    bid_off: Pending,
    ask_off: Pending,
    last_off: Pending,
    look: Option<SecondLook>,
    /// When a snapshot or a second look last showed the book as it is kept.
    verified_at: Timestamp,
}

impl MarketCheck {
    /// A snapshot of the book was asked for.
    pub(super) fn book_asked(&mut self) {
        self.book.await_snapshot();
        self.settle();
    }

    /// The whole ticker was asked for.
    pub(super) fn ticker_asked(&mut self) {
        self.ticker_awaited = Some([false; 3]);
    }

    /// The book is not followed any more, or was damaged.
    pub(super) fn forget_book(&mut self) {
        self.book.forget();
        (self.matched, self.look) = (None, None);
        self.settle();
    }

    /// The ticker is not followed any more, or was damaged.
    pub(super) fn forget_ticker(&mut self) {
        (self.bid, self.ask, self.last) = (None, None, None);
        self.settle();
    }

    fn settle(&mut self) {
        for pending in [&mut self.crossed, &mut self.bid_off, &mut self.ask_off, &mut self.last_off] {
            pending.since = None;
        }
    }

    /// A snapshot of the book came. One that differs from a book kept without a hole contradicts it; after a hole the
    /// difference is what changed unseen.
    pub(super) fn snapshot(&mut self, at: Stamp, orders: &[BookOrder], found: &mut Vec<Found>) {
        let mut contradictions = Vec::new();
        let (check, difference) = if self.book.is_known() {
            (Check::SnapshotDiffers, self.book.compare(orders))
        } else {
            let was_kept = self.book.has_orders();
            let difference = self.book.take_snapshot(at.wall, orders, &mut contradictions);
            (Check::ChangedWhileBlind, if was_kept { difference } else { Difference::default() })
        };
        if !difference.is_none() {
            found.push(Found { check, since: at.wall, evidence: difference.to_string() });
        }
        self.verified_at = at.wall;
        found.extend(contradictions.into_iter().map(|(what, since)| self.describe(what, since)));
        self.compare(at, found);
    }

    /// A second look begins. Its `mono` is the monotonic clock, by which it is told when the look was asked for. While the
    /// one before is still to be judged, it is none.
    pub(super) fn begin_look(&mut self, at: Stamp, session: SessionId) {
        if self.look.as_ref().is_some_and(|look| look.taken.is_some()) {
            return;
        }
        self.book.begin_look();
        self.look = Some(SecondLook { session, begun_at: at, taken: None });
    }

    /// A second look was taken that was asked for at a time, by the monotonic clock. What it shows in another way may
    /// be on its way here.
    pub(super) fn take_look(&mut self, at: Stamp, session: SessionId, asked_mono: i64, orders: &[BookOrder]) {
        // What was asked for before notices were taken down may be older than what they told.
        let look = self.look.as_mut().filter(|look| look.session == session && look.begun_at.mono <= asked_mono);
        if let (Some(look), Some(differing)) = (look, self.book.look(orders)) {
            look.taken = Some((at, differing));
        }
    }

    /// A second look is over: where it was not taken it will not be.
    pub(super) fn give_up_look(&mut self) {
        if self.look.take_if(|look| look.taken.is_none()).is_some() {
            self.book.give_up_look();
        }
    }

    /// Looks at what a second look showed in another way, once that has had the time to arrive.
    fn settle_look(&mut self, at: Stamp, found: &mut Vec<Found>) {
        let is_due = |look: &mut SecondLook| {
            look.taken.as_ref().is_some_and(|(taken_at, _)| at.mono - taken_at.mono >= nanos(SETTLING_TIME))
        };
        let Some(SecondLook { session, begun_at, taken: Some((_, differing)) }) = self.look.take_if(is_due) else {
            return;
        };
        let Some(differing) = self.book.end_look(differing) else { return };
        if let Some((first, _)) = differing.first() {
            let difference = Difference::of(&differing);
            let evidence = format!("{difference} in the eyes of session {session}, order {first} among them");
            found.push(Found { check: Check::SecondLook, since: self.verified_at, evidence });
        } else {
            self.verified_at = begun_at.wall;
        }
    }

    /// An order notice came.
    pub(super) fn order(&mut self, at: Stamp, event: &OrderEvent, found: &mut Vec<Found>) {
        self.change(at, Change::of_order(event), found);
    }

    /// A match came.
    pub(super) fn trade(&mut self, at: Stamp, trade: &Trade, found: &mut Vec<Found>) {
        self.matched = trade.price.as_ref().and_then(Price::as_scaled);
        self.change(at, Change::of_trade(trade), found);
    }

    fn change(&mut self, at: Stamp, change: Option<Change>, found: &mut Vec<Found>) {
        let Some(change) = change else { return self.book.forget() };
        if let Some((what, since)) = self.book.apply(at.wall, change) {
            found.push(self.describe(what, since));
        }
        self.compare(at, found);
    }

    fn describe(&self, what: Contradiction, since: Option<Timestamp>) -> Found {
        let (check, evidence) = match what {
            Contradiction::OpenedTwice { id } => (Check::OpenedTwice, format!("order {id} is open already")),
            Contradiction::UnknownOrder { id } => (Check::UnknownOrder, format!("order {id} was never opened")),
            Contradiction::WrongRemaining { id, expected, stated } => {
                (Check::WrongRemaining, format!("{expected} should be left of order {id}, not {stated}"))
            }
        };
        Found { check, since: since.unwrap_or(self.verified_at), evidence }
    }

    /// A ticker came.
    pub(super) fn ticker(&mut self, at: Stamp, ticker: &Ticker, found: &mut Vec<Found>) {
        let fields = [(&mut self.bid, &ticker.bid), (&mut self.ask, &ticker.ask), (&mut self.last, &ticker.last)];
        let mut overtaken = [false; 3];
        match (&mut self.ticker_awaited, ticker.kind) {
            (awaited, TickerKind::Full) => overtaken = awaited.take().unwrap_or_default(),
            (Some(told), TickerKind::Partial) => {
                for (told, (_, stated)) in told.iter_mut().zip(&fields) {
                    *told |= stated.is_present();
                }
            }
            (None, TickerKind::Partial) => {}
        }
        for ((known, stated), _) in fields.into_iter().zip(overtaken).filter(|(_, is_overtaken)| !is_overtaken) {
            match stated {
                Patch::Absent if ticker.kind == TickerKind::Full => *known = None,
                Patch::Absent => {}
                Patch::Null => *known = Some(None),
                Patch::Value(price) => *known = price.as_scaled().map(Some),
            }
        }
        self.compare(at, found);
    }

    /// Compares what must agree; called after every change and when [`MarketCheck::deadline`] has passed.
    pub(super) fn compare(&mut self, at: Stamp, found: &mut Vec<Found>) {
        if !self.book.is_known() {
            return;
        }
        if self.look.is_some() {
            self.settle_look(at, found);
        }
        let (bid, ask) = self.book.best();
        let is_crossed = matches!((bid, ask), (Some(bid), Some(ask)) if bid >= ask);
        let mut note = |pending: &mut Pending, check, disagrees, evidence: &dyn Fn() -> String| {
            if let Some(since) = pending.note(at, disagrees) {
                found.push(Found { check, since, evidence: evidence() });
            }
        };
        note(&mut self.crossed, Check::CrossedBook, is_crossed, &|| format!("bid {} at ask {}", text(bid), text(ask)));
        let differs = |stated: Option<Option<i64>>, kept: Option<i64>| stated.is_some_and(|stated| stated != kept);
        let evidence = |name: &'static str, stated: Option<Option<i64>>, kept| {
            move || format!("ticker says {name} {}, {} is kept", text(stated.flatten()), text(kept))
        };
        let (stated_bid, stated_ask, stated_last) = (self.bid, self.ask, self.last);
        note(&mut self.bid_off, Check::TickerBid, differs(stated_bid, bid), &evidence("bid", stated_bid, bid));
        note(&mut self.ask_off, Check::TickerAsk, differs(stated_ask, ask), &evidence("ask", stated_ask, ask));
        let last_differs = self.matched.is_some() && differs(stated_last, self.matched);
        note(&mut self.last_off, Check::TickerLast, last_differs, &evidence("last", stated_last, self.matched));
    }

    /// When a disagreement will have lasted too long, by the link's clock.
    pub(super) fn deadline(&self) -> Option<i64> {
        let pending = [&self.crossed, &self.bid_off, &self.ask_off, &self.last_off];
        let look = self.look.as_ref().and_then(|look| look.taken.as_ref());
        let look = look.map(|(taken_at, _)| taken_at.mono.saturating_add(nanos(SETTLING_TIME)));
        pending.into_iter().filter_map(Pending::deadline).chain(look).min()
    }
}

fn text(price: Option<i64>) -> String {
    price.map_or_else(|| "none".to_owned(), |price| price.to_string())
}
