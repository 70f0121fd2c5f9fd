//! Messages to rows, by the routes of a description.

use crate::model::{
    BookLevels, Event, Level, MarketRef, Patch, Price, Quantity, Side, Ticker, TickerKind, Timestamp, Trade,
    UnknownReason,
};
use crate::venue::feed::{Kind, Position, Raw, Reading, Said, Topic, id};

use super::matching::{Frame, at, holds};
use super::spec::{ChannelSpec, IntegritySpec, Route, Spec, Table, Unit};

/// Says where a frame stands among all of the connection, for a channel that is judged by that.
pub(super) fn count(spec: &Spec, frame: Frame<'_>, reading: &mut Reading<'_>) {
    let of_connection = spec.channel.iter().find_map(|channel| match &channel.integrity {
        IntegritySpec::Counter { at, whole_connection: true, .. } => Some(at),
        _ => None,
    });
    let number = of_connection.and_then(|pointer| at(frame.value?, pointer)).and_then(Raw::unsigned);
    if let Some(number) = number {
        reading.say(Said::Frame(Position::Number(number)));
    }
}

/// Takes a frame by the first route that matches; `false`: none does.
pub(super) fn take(spec: &Spec, frame: Frame<'_>, reading: &mut Reading<'_>) -> bool {
    for channel in &spec.channel {
        for route in &channel.route {
            if let (Some(market), Some(value)) = (holds(&route.conditions, frame), frame.value) {
                Taking { channel, route, frame, value, reading }.rows(market);
                return true;
            }
        }
    }
    false
}

/// The route that takes a frame: channel, and its place among the channel's routes.
pub(super) fn which<'s>(spec: &'s Spec, frame: Frame<'_>) -> Option<(&'s str, usize)> {
    spec.channel.iter().find_map(|channel| {
        let route = channel.route.iter().position(|route| holds(&route.conditions, frame).is_some())?;
        Some((channel.name.as_str(), route))
    })
}

struct Taking<'t, 'f, 'r> {
    channel: &'t ChannelSpec,
    route: &'t Route,
    frame: Frame<'f>,
    value: Raw<'f>,
    reading: &'t mut Reading<'r>,
}

impl<'f> Taking<'_, 'f, '_> {
    fn rows(mut self, market: Option<String>) {
        let in_frame = self.route.market.as_ref().and_then(|pointer| at(self.value, pointer));
        let market = market.or_else(|| in_frame.map(|raw| raw.plain().into_owned()));
        let is_snapshot = self.route.snapshot.as_ref().is_some_and(|all| holds(all, self.frame).is_some());
        let mut rows = match (self.route.table, at(self.value, &self.route.rows)) {
            (Table::BookLevels, _) => vec![self.value],
            (_, Some(rows)) => rows.array().unwrap_or_else(|| vec![rows]),
            (_, None) => {
                self.reading.damage(UnknownReason::MissingField, &self.route.rows);
                Vec::new()
            }
        };
        let mut last: Option<(String, Option<Timestamp>)> = None;
        for row in rows.drain(..) {
            let in_row = self.route.row_market.as_ref().and_then(|pointer| at(row, pointer));
            let Some(name) = in_row.map(|raw| raw.plain().into_owned()).or_else(|| market.clone()) else {
                self.reading.damage(UnknownReason::UnknownMarket, "");
                continue;
            };
            if let Some(done) = last.take_if(|(other, _)| *other != name) {
                self.told(done, is_snapshot);
            }
            let reference = self.reading.market(&name);
            let time = self.time(row);
            match self.route.table {
                Table::Trades => self.trade(reference, row, time),
                Table::Tickers => self.ticker(reference, row, time),
                Table::BookLevels => self.levels(reference, is_snapshot, time),
            }
            last = Some((name, time));
        }
        if let Some(done) = last.or(market.map(|market| (market, None))) {
            self.told(done, is_snapshot);
        }
    }

    fn told(&mut self, (market, time): (String, Option<Timestamp>), is_snapshot: bool) {
        let number = |pointer: &str| at(self.value, pointer).and_then(Raw::unsigned);
        let name = |pointer: &str| at(self.value, pointer).and_then(id);
        let position = match &self.channel.integrity {
            IntegritySpec::Counter { whole_connection: true, .. } => None,
            IntegritySpec::Counter { at, .. } => number(at).map(Position::Number),
            IntegritySpec::Chain { at, previous } => {
                name(at).map(|this| Position::Link { previous: name(previous), this })
            }
            IntegritySpec::Range { first, last } => {
                number(first).zip(number(last)).map(|(first, last)| Position::Range { first, last, previous: None })
            }
            IntegritySpec::TimeOnly => time.map(Position::Time),
            IntegritySpec::SelfContained | IntegritySpec::None => None,
        };
        let kind = if is_snapshot { Kind::Snapshot } else { Kind::Update };
        let market = self.channel.is_by_market().then_some(market.as_str());
        let topic = Topic::new(&self.channel.name, market);
        self.reading.data(topic, kind, position.unwrap_or(Position::Unsaid), time);
    }

    /// A column of a row, or of the frame if its place begins with `frame:`.
    fn column(&self, row: Raw<'f>, name: &str) -> Option<Raw<'f>> {
        let pointer = self.route.columns.get(name)?;
        match pointer.strip_prefix("frame:") {
            Some(pointer) => at(self.value, pointer),
            None => at(row, pointer),
        }
    }

    fn time(&mut self, row: Raw<'f>) -> Option<Timestamp> {
        let found = self.column(row, "time")?;
        let unit = match self.channel.time_unit? {
            Unit::Rfc3339 => return self.reading.time("time", found.string().as_deref()),
            Unit::S => 1_000_000_000,
            Unit::Ms => 1_000_000,
            Unit::Us => 1_000,
            Unit::Ns => 1,
        };
        let time = found.integer().and_then(|time| time.checked_mul(unit)).map(Timestamp);
        if time.is_none() {
            self.reading.odd(UnknownReason::WrongType, "time");
        }
        time
    }

    fn trade(&mut self, market: MarketRef, row: Raw<'f>, time: Option<Timestamp>) {
        let (price, quantity) = (self.column(row, "price"), self.column(row, "quantity"));
        let side = self.column(row, "side").map(|raw| raw.plain().into_owned());
        let trade = Trade {
            id: self.column(row, "id").and_then(id),
            quantity: self.reading.quantity(market, "quantity", quantity.and_then(Raw::number)),
            price: self.reading.price(market, "price", price.and_then(Raw::number)),
            time,
            taker_is_bid: side.map(|side| self.route.buy.contains(&side)),
            ..Trade::public(market)
        };
        self.reading.put(Event::Trade(Box::new(trade)));
    }

    fn ticker(&mut self, market: MarketRef, row: Raw<'f>, time: Option<Timestamp>) {
        let mut price = |name: &str| match self.column(row, name) {
            None => Patch::<Price>::Absent,
            Some(raw) if raw.is_null() => Patch::Null,
            Some(raw) => self.reading.price(market, name, raw.number()).map_or(Patch::Absent, Patch::Value),
        };
        let (last, bid, ask, low, high) = (price("last"), price("bid"), price("ask"), price("low"), price("high"));
        let mut quantity = |name: &str| match self.column(row, name) {
            None => Patch::<Quantity>::Absent,
            Some(raw) if raw.is_null() => Patch::Null,
            Some(raw) => self.reading.quantity(market, name, raw.number()).map_or(Patch::Absent, Patch::Value),
        };
        let volume = quantity("volume");
        let (bid_quantity, ask_quantity) = (quantity("bid_quantity"), quantity("ask_quantity"));
        let kind = TickerKind::Partial;
        let ticker = Ticker { market, kind, last, bid, ask, low, high, volume, bid_quantity, ask_quantity, time };
        self.reading.put(Event::Ticker(Box::new(ticker)));
    }

    fn levels(&mut self, market: MarketRef, is_snapshot: bool, time: Option<Timestamp>) {
        let mut levels = Vec::new();
        for (side, pointer) in [(Side::Bid, &self.route.bids), (Side::Ask, &self.route.asks)] {
            let Some(pointer) = pointer else { continue };
            for row in at(self.value, pointer).and_then(Raw::array).unwrap_or_default() {
                let (price, quantity) = (self.column(row, "price"), self.column(row, "quantity"));
                levels.push(Level {
                    side,
                    price: self.reading.price(market, "price", price.and_then(Raw::number)),
                    quantity: self.reading.quantity(market, "quantity", quantity.and_then(Raw::number)),
                });
            }
        }
        let number = |pointer: &str| at(self.value, pointer).and_then(Raw::integer);
        let (first, last) = match &self.channel.integrity {
            IntegritySpec::Range { first, last } => (number(first), number(last)),
            IntegritySpec::Counter { at, whole_connection: false, .. } => (number(at), number(at)),
            _ => (None, None),
        };
        let update = BookLevels { market, is_snapshot, events_from: None, first, last, time, levels };
        self.reading.put(Event::Levels(Box::new(update)));
    }
}
