//! Trades, best prices and books.

use crate::model::{BookLevels, Event, Id, Patch, Side, Ticker, TickerKind, TimeUnit, Trade, TradeSide};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic, id};

use super::protocol::Binance;

/// A trade.
pub(super) fn trade(fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let number = fields.get("t").and_then(Raw::unsigned);
    let number = reading.need(fields, "t", number);
    let trade_id = fields.get("t").and_then(id);
    put_trade("trade", trade_id, number, fields, reading);
}

/// Trades of one order at one price, added up. It is told from single trades by its identity, the numbers of its first
/// and last trade; one of a single trade is that trade.
pub(super) fn aggregate(fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let number = fields.get("a").and_then(Raw::unsigned);
    let number = reading.need(fields, "a", number);
    let (first, last) = (fields.integer("f"), fields.integer("l"));
    let (first, last) = (reading.need(fields, "f", first), reading.need(fields, "l", last));
    let trade_id = match (first, last) {
        (Some(first), Some(last)) if first == last => Some(Id::Int(first)),
        (Some(first), Some(last)) => Some(Id::Text(Box::new(format!("{first}-{last}")))),
        _ => None,
    };
    put_trade("aggTrade", trade_id, number, fields, reading);
}

fn put_trade(channel: &str, trade_id: Option<Id>, number: Option<u64>, fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(name) = reading.need(fields, "s", fields.string("s")) else { return };
    let market = reading.market(&name);
    let time = reading.instant(fields, "T", TimeUnit::Millis);
    let buyer_made = fields.get("m").and_then(Raw::boolean);
    let buyer_made = reading.need(fields, "m", buyer_made);
    // In an aggregate, `a` is its own number.
    let order = |name: &str| fields.get(name).filter(|_| channel == "trade").and_then(id);
    let side = |name: &str| TradeSide { order: order(name), ..TradeSide::default() };
    fields.ignore(&["E", "M"]);
    let trade = Trade {
        id: trade_id,
        quantity: reading.quantity(market, "q", fields.number("q")),
        price: reading.price(market, "p", fields.number("p")),
        time,
        bid: side("b"),
        ask: side("a"),
        taker_is_bid: buyer_made.map(|is_maker| !is_maker),
        ..Trade::public(market)
    };
    reading.put(Event::Trade(Box::new(trade)));
    let position = number.map_or(Position::Unsaid, Position::Number);
    reading.data(Topic::new(channel, Some(&name)), Kind::Update, position, time);
}

/// The best bid and ask. The message has no name and no time of its own.
pub(super) fn best(fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(name) = reading.need(fields, "s", fields.string("s")) else { return };
    let market = reading.market(&name);
    // The number of the book's change; numbers in between concern deeper levels.
    fields.ignore(&["u"]);
    let mut price = |name: &str| {
        let price = reading.price(market, name, fields.number(name));
        price.map_or(Patch::Absent, Patch::Value)
    };
    let (bid, ask) = (price("b"), price("a"));
    let mut quantity = |name: &str| {
        let quantity = reading.quantity(market, name, fields.number(name));
        quantity.map_or(Patch::Absent, Patch::Value)
    };
    let (bid_quantity, ask_quantity) = (quantity("B"), quantity("A"));
    let (last, low, high, volume) = (Patch::Absent, Patch::Absent, Patch::Absent, Patch::Absent);
    let (kind, time) = (TickerKind::Partial, None);
    let ticker = Ticker { market, kind, last, bid, ask, low, high, volume, bid_quantity, ask_quantity, time };
    reading.put(Event::Ticker(Box::new(ticker)));
    reading.data(Topic::new("bookTicker", Some(&name)), Kind::Snapshot, Position::Unsaid, None);
}

impl Binance {
    /// Levels that changed; a quantity of 0 removes one, also one that nobody has seen.
    pub(super) fn levels(&mut self, fields: &Fields<'_>, reading: &mut Reading<'_>) {
        let Some(name) = reading.need(fields, "s", fields.string("s")) else { return };
        let market = reading.market(&name);
        let time = reading.instant(fields, "E", TimeUnit::Millis);
        let number = |name: &str| fields.integer(name).filter(|number| *number >= 0);
        let (first, last) = (reading.need(fields, "U", number("U")), reading.need(fields, "u", number("u")));
        let mut levels = Vec::new();
        reading.levels(market, Side::Bid, fields, "b", &mut levels);
        reading.levels(market, Side::Ask, fields, "a", &mut levels);
        let (is_snapshot, events_from) = (false, None);
        let update = BookLevels { market, is_snapshot, events_from, first, last, time, levels };
        reading.put(Event::Levels(Box::new(update)));
        let position = match (first, last) {
            (Some(first), Some(last)) => {
                self.changes.entry(name.to_string()).or_default().note(last, reading.seq);
                Position::Range { first: first.unsigned_abs(), last: last.unsigned_abs(), previous: None }
            }
            _ => Position::Unsaid,
        };
        reading.data(Topic::new("depth", Some(&name)), Kind::Update, position, time);
    }

    /// The book as REST has it.
    pub(super) fn snapshot(&mut self, name: &str, body: &str, reading: &mut Reading<'_>) {
        let Some(fields) = reading.object(body) else { return };
        let market = reading.market(name);
        let last = fields.integer("lastUpdateId").filter(|number| *number >= 0);
        let last = reading.need(&fields, "lastUpdateId", last);
        let mut levels = Vec::new();
        reading.levels(market, Side::Bid, &fields, "bids", &mut levels);
        reading.levels(market, Side::Ask, &fields, "asks", &mut levels);
        reading.leftovers("depth", &fields);
        let events_from = last.and_then(|last| self.changes.get(name)?.after(last));
        let (is_snapshot, first, time) = (true, None, None);
        let book = BookLevels { market, is_snapshot, events_from, first, last, time, levels };
        reading.put(Event::Levels(Box::new(book)));
        let position = last.map_or(Position::Unsaid, |last| Position::Number(last.unsigned_abs()));
        reading.data(Topic::new("depth", Some(name)), Kind::Snapshot, position, None);
    }
}
