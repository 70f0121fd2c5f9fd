//! The book order by order, with the checksum over the orders of its best levels.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{BookOrder, BookSnapshot, Event, OrderEvent, OrderKind, Patch, Side, UnknownReason};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic, id};

use super::book::{CHECKED_LEVELS, hash_digits, key};
use super::protocol::Kraken;

/// Orders by level, in each the oldest first.
#[derive(Debug, Default)]
pub(super) struct Orders {
    depth: Option<usize>,
    asks: BTreeMap<i128, Vec<Order>>,
    bids: BTreeMap<Reverse<i128>, Vec<Order>>,
}

/// An order, its numbers as sent.
#[derive(Debug)]
struct Order {
    id: String,
    price: String,
    quantity: String,
}

impl Orders {
    fn level(&mut self, side: Side, key: i128) -> &mut Vec<Order> {
        match side {
            Side::Ask => self.asks.entry(key).or_default(),
            Side::Bid => self.bids.entry(Reverse(key)).or_default(),
        }
    }

    /// Adds an order behind the others of its level.
    fn add(&mut self, side: Side, id: &str, price: &str, quantity: &str) -> Option<()> {
        let order = Order { id: id.to_owned(), price: price.to_owned(), quantity: quantity.to_owned() };
        self.level(side, key(price)?).push(order);
        Some(())
    }

    /// Changes an order's quantity where it stands; one at another price or not known is behind all others there.
    fn modify(&mut self, side: Side, id: &str, price: &str, quantity: &str) -> Option<()> {
        let place = key(price)?;
        if let Some(order) = self.level(side, place).iter_mut().find(|order| order.id == id) {
            order.quantity = quantity.to_owned();
            return Some(());
        }
        self.remove(side, id);
        self.add(side, id, price, quantity)
    }

    fn remove(&mut self, side: Side, id: &str) {
        let without = |orders: &mut Vec<Order>| {
            orders.retain(|order| order.id != id);
            !orders.is_empty()
        };
        match side {
            Side::Ask => self.asks.retain(|_, orders| without(orders)),
            Side::Bid => self.bids.retain(|_, orders| without(orders)),
        }
    }

    /// Drops the levels deeper than subscribed, of which the venue speaks no more.
    fn truncate(&mut self) {
        self.asks.retain(|_, orders| !orders.is_empty());
        self.bids.retain(|_, orders| !orders.is_empty());
        let Some(depth) = self.depth else { return };
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
        while self.bids.len() > depth {
            self.bids.pop_last();
        }
    }

    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let asks = self.asks.values().take(CHECKED_LEVELS);
        for order in asks.chain(self.bids.values().take(CHECKED_LEVELS)).flatten() {
            hash_digits(&mut hasher, &order.price);
            hash_digits(&mut hasher, &order.quantity);
        }
        hasher.finalize()
    }
}

impl Kraken {
    /// Orders of one market, with the checksum of the book as it then is.
    pub(super) fn level3(&mut self, is_snapshot: bool, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        for item in frame.array("data") {
            let Some(fields) = reading.item(item, "level3.data") else { continue };
            let Some(name) = reading.need(&fields, "symbol", fields.string("symbol")) else { continue };
            let sides = [(Side::Bid, fields.array("bids")), (Side::Ask, fields.array("asks"))];
            let mut book = match is_snapshot {
                true => {
                    Some(Orders { depth: self.depths.get(&format!("level3 {name}")).copied(), ..Orders::default() })
                }
                false => self.orders.remove(name.as_ref()),
            };
            let market = reading.market(&name);
            let mut entries = Vec::new();
            let mut last = None;
            for (side, raw) in sides.iter().flat_map(|(side, orders)| orders.iter().map(|order| (*side, *order))) {
                let Some((kind, order)) = read(side, raw, market, book.as_mut(), reading) else { continue };
                last = order.time.max(last);
                if is_snapshot {
                    entries.push(order);
                } else if let Some(id) = order.id {
                    let BookOrder { quantity, price, time, .. } = order;
                    let (tonce, own) = (Patch::Absent, false);
                    reading.put(Event::Order(OrderEvent { kind, market, id, quantity, price, time, tonce, own }));
                }
            }
            if is_snapshot {
                let (events_from, has_orders, orders) = (None, true, entries);
                // A side of fewer orders than there may be levels is whole.
                let side_orders_max = book.as_ref().and_then(|book| book.depth);
                let snapshot = BookSnapshot { market, events_from, has_orders, side_orders_max, orders };
                reading.put(Event::BookSnapshot(Box::new(snapshot)));
            }
            let stated = reading.need(&fields, "checksum", fields.get("checksum").and_then(Raw::unsigned));
            let position = match (&mut book, stated) {
                (Some(book), Some(stated)) => {
                    book.truncate();
                    Position::Checksum { holds: u64::from(book.checksum()) == stated }
                }
                _ => Position::Unsaid,
            };
            if let Some(book) = book {
                self.orders.insert(name.to_string(), book);
            }
            fields.ignore(&["timestamp"]);
            reading.leftovers("level3", &fields);
            let kind = if is_snapshot { Kind::Snapshot } else { Kind::Update };
            reading.data(Topic::new("level3", Some(&name)), kind, position, last);
        }
    }
}

/// Reads an order, of a snapshot or of an update, and does to the book what it says.
fn read(
    side: Side,
    raw: Raw<'_>,
    market: crate::model::MarketRef,
    book: Option<&mut Orders>,
    reading: &mut Reading<'_>,
) -> Option<(OrderKind, BookOrder)> {
    let fields = reading.item(raw, "level3.orders")?;
    let order_id = fields.get("order_id");
    let (price, quantity) = (fields.number("limit_price"), fields.number("order_qty"));
    let name = reading.need(&fields, "order_id", order_id.and_then(Raw::string))?;
    let kind = match fields.string("event").as_deref() {
        None | Some("add") => OrderKind::Opened,
        Some("modify") => OrderKind::Modified,
        Some("delete") => OrderKind::Closed,
        Some(_) => {
            reading.damage(UnknownReason::WrongType, "event");
            return None;
        }
    };
    if let (Some(book), Some(price), Some(quantity)) = (book, price, quantity) {
        let done = match kind {
            OrderKind::Opened => book.add(side, &name, price, quantity),
            OrderKind::Modified => book.modify(side, &name, price, quantity),
            OrderKind::Closed => {
                book.remove(side, &name);
                Some(())
            }
        };
        if done.is_none() {
            reading.damage(UnknownReason::NumberOutOfRange, "limit_price");
        }
    }
    let signed = quantity.map(|quantity| if side == Side::Ask { format!("-{quantity}") } else { quantity.to_owned() });
    let time = reading.time("timestamp", fields.string("timestamp").as_deref());
    let order = BookOrder {
        id: order_id.and_then(id),
        quantity: reading.quantity(market, "order_qty", signed.as_deref()),
        price: reading.price(market, "limit_price", price),
        time,
        tonce: Patch::Absent,
    };
    reading.leftovers("level3", &fields);
    Some((kind, order))
}
