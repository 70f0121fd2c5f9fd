//! Books: differences, whole books, and snapshots by REST.

use crate::model::{BookLevels, BookOrder, BookSnapshot, Event, MarketRef, Patch, Side, TimeUnit, UnknownReason};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic};

use super::market::{signed, told};
use super::protocol::Bitstamp;

const ORDER_BOOK: &str = "api/v2/order_book/";
/// How orders are grouped: by price, or not at all.
const BY_PRICE: &str = "1";
const BY_ORDER: &str = "2";

/// Where the snapshot of a stream is had.
pub(super) fn path(channel: &str, market: &str) -> Option<String> {
    let group = match channel {
        "diff_order_book" => BY_PRICE,
        "live_orders" => BY_ORDER,
        _ => return None,
    };
    let market: String = url::form_urlencoded::byte_serialize(market.as_bytes()).collect();
    Some(format!("{ORDER_BOOK}{market}/?group={group}"))
}

/// What a path is the snapshot of: the channel, and the market.
fn stream(path: &str) -> Option<(&'static str, String)> {
    let (_, rest) = path.split_once(ORDER_BOOK)?;
    let (market, query) = rest.split_once("/?")?;
    let channel = match query.strip_prefix("group=")? {
        BY_PRICE => "diff_order_book",
        BY_ORDER => "live_orders",
        _ => return None,
    };
    let (market, _) = url::form_urlencoded::parse(market.as_bytes()).next()?;
    Some((channel, market.into_owned()))
}

impl Bitstamp {
    /// Levels that changed, or the best levels as they are.
    pub(super) fn levels(&mut self, topic: Topic, fields: &Fields<'_>, reading: &mut Reading<'_>) {
        let Some(name) = topic.market.clone() else { return };
        let market = reading.market(&name);
        let mut levels = Vec::new();
        reading.levels(market, Side::Bid, fields, "bids", &mut levels);
        reading.levels(market, Side::Ask, fields, "asks", &mut levels);
        let time = reading.instant(fields, "microtimestamp", TimeUnit::Micros);
        fields.ignore(&["timestamp"]);
        let is_snapshot = topic.channel == "order_book";
        let (events_from, first, last) = (None, None, None);
        let update = BookLevels { market, is_snapshot, events_from, first, last, time, levels };
        reading.put(Event::Levels(Box::new(update)));
        if is_snapshot {
            return reading.data(topic, Kind::Snapshot, Position::Unsaid, time);
        }
        if let Some(time) = time {
            self.changes.entry(("diff_order_book", name)).or_default().note(time.0, reading.seq);
        }
        told(topic, time, reading);
    }

    /// A book as REST has it.
    pub(super) fn snapshot(&mut self, path: &str, body: &str, reading: &mut Reading<'_>) {
        let Some((channel, name)) = stream(path) else { return };
        let Some(fields) = reading.object(body) else { return };
        let market = reading.market(&name);
        let time = reading.instant(&fields, "microtimestamp", TimeUnit::Micros);
        let events_from = time.and_then(|time| self.changes.get(&(channel, name.clone()))?.after(time.0));
        if channel == "live_orders" {
            let mut orders = book_orders(market, true, &fields, "bids", reading);
            orders.extend(book_orders(market, false, &fields, "asks", reading));
            let (has_orders, side_orders_max) = (true, None);
            let book = BookSnapshot { market, events_from, has_orders, side_orders_max, orders };
            reading.put(Event::BookSnapshot(Box::new(book)));
        } else {
            let mut levels = Vec::new();
            reading.levels(market, Side::Bid, &fields, "bids", &mut levels);
            reading.levels(market, Side::Ask, &fields, "asks", &mut levels);
            let (is_snapshot, first, last) = (true, None, None);
            let book = BookLevels { market, is_snapshot, events_from, first, last, time, levels };
            reading.put(Event::Levels(Box::new(book)));
        }
        fields.ignore(&["timestamp"]);
        reading.leftovers("order_book", &fields);
        reading.data(Topic::new(channel, Some(&name)), Kind::Snapshot, Position::Unsaid, time);
    }
}

/// The orders of one side: arrays of price, amount and order.
fn book_orders(
    market: MarketRef,
    is_bid: bool,
    fields: &Fields<'_>,
    side: &str,
    reading: &mut Reading<'_>,
) -> Vec<BookOrder> {
    let array = fields.get(side).and_then(Raw::array);
    let array = reading.need(fields, side, array).unwrap_or_default();
    let order = |raw: Raw<'_>| {
        let items = raw.array().unwrap_or_default();
        let number = |n: usize| items.get(n).and_then(|raw: &Raw<'_>| raw.number());
        let id = items.get(2).copied().and_then(crate::venue::feed::id);
        if id.is_none() {
            reading.damage(UnknownReason::MissingField, "order_id");
        }
        let price = reading.price(market, "price", number(0));
        BookOrder { id, quantity: signed(market, is_bid, number(1), reading), price, time: None, tonce: Patch::Absent }
    };
    array.into_iter().map(order).collect()
}
