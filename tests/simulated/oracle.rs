//! What a file must say of a market, by what the exchange told and what of that arrived.
//!
//! * A frame that is garbage is in `not_understood`, and nothing else is; the book is a gap until it is taken up anew.
//! * A notice that cannot follow from what was heard before is a contradiction at its very record, and nothing else is.
//! * A best price that the ticker goes on to state otherwise is one too, and only a notice lost explains it.
//! * Where nothing has happened for long, whatever was in doubt has been taken up anew.
//! * A book that is known has what was heard, and is called consistent unless a contradiction takes that back. One of an
//!   order does so for all the time in which that order was not as the exchange had it, since the snapshot or since the
//!   connection was last not read. What nothing contradicts before the next snapshot may be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use feedtape::exchange::engine::Event;
use feedtape::model::Timestamp;
use rusqlite::Connection;

use super::books::Truth;
use super::told::{Best, Mangle, News, Orders, Place, Told, orders_of};

/// A contradiction that a file has.
#[derive(Clone, Debug)]
pub struct Found {
    pub place: Place,
    pub check: String,
    pub since: Timestamp,
}

impl Found {
    /// Whether it tells at once that the book contradicts its own past.
    pub fn is_of_orders(&self) -> bool {
        matches!(&*self.check, "opened_twice" | "unknown_order" | "wrong_remaining")
    }
}

/// What a file must say of the book at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    Unknown,
    /// Anything but that it is known and consistent.
    Doubt,
    /// With these orders, and consistent unless a contradiction that came later takes that back.
    Known {
        orders: Vec<(i64, i64, i64)>,
        is_taken_back: bool,
    },
}

/// What became of a mangled notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The file says that something was wrong.
    Found,
    /// It changed nothing.
    Harmless,
    /// Nothing that came later contradicts it.
    Uncontradicted,
    /// The book was a gap or in doubt already.
    Doubted,
    /// The recorder was killed before it was stored, or before what contradicts it was.
    Unstored,
}

/// A notice that did not arrive as it was sent.
#[derive(Debug)]
pub struct Mangled {
    pub mangle: Mangle,
    pub told: Told,
    pub fate: Fate,
}

/// How the recorder follows the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Following {
    #[default]
    Not,
    /// The snapshot is on its way.
    Awaiting,
    /// It is on its way, and something was garbage meanwhile.
    AwaitingInVain,
    Known,
    /// Something contradicts it.
    Doubting,
    /// Something was garbage.
    Blind,
}

#[derive(Debug, Default)]
struct Market {
    book: Orders,
    ticker: Option<Best>,
    matched: Option<i64>,
}

impl Market {
    fn hear(&mut self, event: &Event) {
        self.book.apply(event);
        match event {
            Event::OrdersMatched(trade) => self.matched = Some(trade.price.0),
            Event::TickerChanged { change, .. } => self.ticker.iter_mut().for_each(|ticker| ticker.apply(change)),
            _ => {}
        }
    }
}

/// A truth of a book that was known.
struct Kept {
    truth: usize,
    at: Timestamp,
    /// Orders that are not as they were heard of, and have not been since.
    wounds: BTreeSet<i64>,
}

#[derive(Default)]
pub struct Oracle {
    /// How many records of each session the file has.
    stored: BTreeMap<i64, i64>,
    /// Contradictions that the file has, but for those of orders, that were not come to yet; the last one first.
    ahead: Vec<Found>,
    session: i64,
    following: Following,
    said: Market,
    heard: Market,
    /// Orders contradicted by what came before the snapshot that it is to be applied to.
    contradicted_early: Vec<i64>,
    /// Mangled notices since the snapshot that nothing has contradicted so far.
    open: Vec<usize>,
    /// Truths since the snapshot, as far back as a contradiction reaches.
    kept: Vec<Kept>,
    /// Where contradictions of orders must be.
    pub contradicted: BTreeSet<Place>,
    /// Where frames must be that are not understood.
    pub garbage: BTreeSet<Place>,
    pub mangled: Vec<Mangled>,
    /// By truth.
    pub expected: Vec<Expected>,
}

impl Oracle {
    /// Judges by what the exchange told, in a file that has so many records of each session and these contradictions.
    pub fn new(told: &[Told], truths: &[Truth], stored: BTreeMap<i64, i64>, found: &[Found]) -> Self {
        let mut ahead: Vec<_> = found.iter().filter(|found| !found.is_of_orders()).cloned().collect();
        ahead.sort_by_key(|found| std::cmp::Reverse((found.place, found.since)));
        let mut oracle = Self { stored, ahead, ..Self::default() };
        let mut truths = truths.iter().peekable();
        for (n, told) in told.iter().enumerate() {
            while let Some(truth) = truths.next_if(|truth| truth.told <= n) {
                oracle.expect(truth);
            }
            oracle.take(told);
        }
        truths.for_each(|truth| oracle.expect(truth));
        oracle.come_to((i64::MAX, 0));
        oracle
    }

    fn is_stored(&self, (session, seq): Place) -> bool {
        self.stored.get(&session).is_some_and(|records| seq < *records)
    }

    /// Contradictions that were found before here must have been so.
    fn come_to(&mut self, place: Place) {
        while let Some(found) = self.ahead.pop_if(|found| found.place < place) {
            if self.contradicted.contains(&found.place) {
                continue;
            }
            while self.ahead.pop_if(|other| other.place == found.place).is_some() {}
            let (Found { check, place, since }, said, heard) = (found, &self.said, &self.heard);
            let is_so = said.book != heard.book || said.ticker != heard.ticker || said.matched != heard.matched;
            assert!(self.following == Following::Known && is_so, "{check} at {place:?} is not so");
            for n in self.open.drain(..) {
                self.mangled[n].fate = Fate::Found;
            }
            for kept in self.kept.drain(..).filter(|kept| since <= kept.at) {
                take_back(&mut self.expected[kept.truth]);
            }
            self.following = Following::Doubting;
        }
    }

    fn expect(&mut self, truth: &Truth) {
        self.come_to(truth.place.unwrap_or((0, 0)));
        let expected = match (&truth.orders, self.following) {
            (None, _) | (_, Following::Not | Following::Awaiting | Following::AwaitingInVain | Following::Blind) => {
                Expected::Unknown
            }
            (_, Following::Doubting) => Expected::Doubt,
            (Some(orders), Following::Known) => {
                assert_eq!(&self.said.book.listed(), orders, "what was told is what is so");
                let differs = |id: &i64| self.said.book.0.get(id) != self.heard.book.0.get(id);
                let ids = self.said.book.0.keys().chain(self.heard.book.0.keys());
                let wounds = ids.copied().filter(differs).collect();
                self.kept.push(Kept { truth: self.expected.len(), at: Timestamp(truth.at), wounds });
                Expected::Known { orders: self.heard.book.listed(), is_taken_back: false }
            }
        };
        self.expected.push(expected);
    }

    fn take(&mut self, told: &Told) {
        self.come_to(told.place);
        if told.place.0 != self.session {
            self.begin_anew(Following::Not);
            (self.session, self.said, self.heard) = (told.place.0, Market::default(), Market::default());
        }
        match &told.news {
            News::Notice(event, mangle) => self.notice(told, event, *mangle),
            News::BookAsked(orders) => {
                self.begin_anew(Following::Awaiting);
                (self.said.book, self.heard.book) = (orders.clone(), orders.clone());
            }
            News::BookAnswered => self.answered(told.place),
            News::BookLeft => {
                let has_reason = matches!(self.following, Following::Doubting | Following::Blind);
                assert!(has_reason || !self.is_stored(told.place), "left at {:?} without a reason", told.place);
                self.begin_anew(self.following);
                (self.said.matched, self.heard.matched) = (None, None);
            }
            News::TickerAsked(best) => (self.said.ticker, self.heard.ticker) = (Some(*best), Some(*best)),
            News::TickerLeft => (self.said.ticker, self.heard.ticker) = (None, None),
            // What was said of the time before that is not taken back.
            News::Unread => self.kept.clear(),
            News::Settled => self.must_agree(told),
        }
    }

    fn begin_anew(&mut self, following: Following) {
        self.following = following;
        self.contradicted_early.clear();
        self.open.clear();
        self.kept.clear();
    }

    fn answered(&mut self, place: Place) {
        let is_in_vain = self.following == Following::AwaitingInVain;
        self.following = Following::Known;
        let contradicted = std::mem::take(&mut self.contradicted_early);
        if !contradicted.is_empty() {
            // What was garbage is missing as well.
            assert!(is_in_vain || !self.open.is_empty(), "the exchange contradicts itself before {place:?}");
            self.contradict(place, &contradicted);
        }
        if is_in_vain {
            self.following = Following::Blind;
        }
    }

    fn notice(&mut self, told: &Told, event: &Event, mangle: Option<Mangle>) {
        self.said.hear(event);
        let (session, seq) = told.place;
        match mangle {
            None => self.hear(told.place, event),
            Some(Mangle::Lost) => {
                let is_harmless = self.said.book.listed() == self.heard.book.listed()
                    && self.said.ticker == self.heard.ticker
                    && self.said.matched == self.heard.matched;
                self.mangled(told, Mangle::Lost, is_harmless);
            }
            Some(Mangle::Twice) => {
                self.hear(told.place, event);
                let is_harmless = matches!(event, Event::OrderModified(_) | Event::TickerChanged { .. });
                self.mangled(told, Mangle::Twice, is_harmless);
                self.hear((session, seq + 1), event);
            }
            Some(Mangle::Garbage) => {
                let is_stored = self.is_stored(told.place);
                let fate = if is_stored { Fate::Found } else { Fate::Unstored };
                self.mangled.push(Mangled { mangle: Mangle::Garbage, told: told.clone(), fate });
                if is_stored {
                    self.garbage.insert(told.place);
                }
                self.following = match self.following {
                    Following::Not => Following::Not,
                    Following::Awaiting | Following::AwaitingInVain => Following::AwaitingInVain,
                    Following::Known | Following::Doubting | Following::Blind => Following::Blind,
                };
                self.heard.ticker = None;
            }
        }
    }

    fn mangled(&mut self, told: &Told, mangle: Mangle, is_harmless: bool) {
        let fate = match self.following {
            Following::Known | Following::Awaiting if is_harmless => Fate::Harmless,
            Following::Known | Following::Awaiting => Fate::Uncontradicted,
            _ => Fate::Doubted,
        };
        if fate == Fate::Uncontradicted {
            self.open.push(self.mangled.len());
        }
        self.mangled.push(Mangled { mangle, told: told.clone(), fate });
    }

    /// A notice arrived.
    fn hear(&mut self, place: Place, event: &Event) {
        let contradicted = self.heard.book.contradicted_by(event);
        self.heard.hear(event);
        if !contradicted.is_empty() {
            match self.following {
                Following::Known => {
                    assert!(!self.open.is_empty(), "the exchange contradicts itself at {place:?}");
                    self.contradict(place, &contradicted);
                }
                Following::Awaiting | Following::AwaitingInVain => self.contradicted_early.extend(contradicted),
                _ => {}
            }
        }
        let (said, heard) = (&self.said.book.0, &self.heard.book.0);
        for kept in &mut self.kept {
            kept.wounds.retain(|id| said.get(id) != heard.get(id));
        }
    }

    fn contradict(&mut self, place: Place, orders: &[i64]) {
        let is_stored = self.is_stored(place);
        for n in self.open.drain(..) {
            let mangled = &mut self.mangled[n];
            let News::Notice(event, _) = &mangled.told.news else { continue };
            if orders_of(event).iter().any(|id| orders.contains(id)) {
                mangled.fate = if is_stored { Fate::Found } else { Fate::Unstored };
            }
        }
        let kept = std::mem::take(&mut self.kept);
        if is_stored {
            self.contradicted.insert(place);
            for kept in kept.iter().filter(|kept| orders.iter().any(|id| kept.wounds.contains(id))) {
                take_back(&mut self.expected[kept.truth]);
            }
        }
        self.following = Following::Doubting;
    }

    /// Whatever was in doubt has been taken up anew, and what the ticker says is so.
    fn must_agree(&self, told: &Told) {
        let Told { place: place @ (session, seq), at, .. } = *told;
        if self.is_stored((session, seq - 1)) {
            assert_eq!(self.following, Following::Known, "by {at} at {place:?}");
            let ticker = self.heard.ticker.map(|ticker| (ticker.bid, ticker.ask));
            assert_eq!(Some(self.heard.book.best()), ticker, "not found by {at} at {place:?}");
        }
    }
}

fn take_back(expected: &mut Expected) {
    if let Expected::Known { is_taken_back, .. } = expected {
        *is_taken_back = true;
    }
}

/// Session and record of what a table has.
const PLACE: &str = "p.session, p.first_seq + (t.id >> 22) - p.first_frame";
const PLACES: &str = "frame_span p ON (t.id >> 22) BETWEEN p.first_frame AND p.first_frame + p.frames - 1";

/// The contradictions that a file has.
pub fn contradictions(path: &Path) -> Vec<Found> {
    let connection = Connection::open(path).unwrap();
    let select = format!(
        "SELECT {PLACE}, t.check_name, t.since FROM finding t JOIN {PLACES} WHERE is_contradiction ORDER BY t.id"
    );
    let mut select = connection.prepare(&select).unwrap();
    let found = select.query_map([], |row| {
        let place = (row.get(0)?, row.get(1)?);
        Ok(Found { place, check: row.get(2)?, since: Timestamp(row.get(3)?) })
    });
    found.unwrap().map(Result::unwrap).collect()
}

/// The records that have something that was not understood.
pub fn not_understood(path: &Path) -> BTreeSet<Place> {
    let connection = Connection::open(path).unwrap();
    let mut select = connection.prepare(&format!("SELECT {PLACE} FROM not_understood t JOIN {PLACES}")).unwrap();
    let places = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    places.unwrap().map(Result::unwrap).collect()
}
