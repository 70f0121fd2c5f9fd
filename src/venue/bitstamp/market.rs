//! Trades and orders.

use crate::model::{
    Control, Event, MarketRef, OrderEvent, OrderKind, Patch, Quantity, TimeUnit, Timestamp, Trade, TradeSide,
};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic, id};

use super::protocol::Bitstamp;

/// Says that a message of a stream came that is judged by its time, if by anything.
pub(super) fn told(topic: Topic, time: Option<Timestamp>, reading: &mut Reading<'_>) {
    reading.data(topic, Kind::Update, time.map_or(Position::Unsaid, Position::Time), time);
}

/// A trade, anybody's or our own.
pub(super) fn trade(topic: Topic, fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let own = topic.channel.starts_with("private-");
    let Some(market) = topic.market.as_deref().map(|market| reading.market(market)) else { return };
    let time = reading.instant(fields, "microtimestamp", TimeUnit::Micros);
    let trade_id = reading.need(fields, "id", identity(fields));
    let mut trade = Trade {
        id: trade_id,
        quantity: reading.quantity(market, "amount", exact(fields, "amount")),
        price: reading.price(market, "price", exact(fields, "price")),
        time,
        bid: TradeSide { order: fields.get("buy_order_id").and_then(id), ..TradeSide::default() },
        ask: TradeSide { order: fields.get("sell_order_id").and_then(id), ..TradeSide::default() },
        ..Trade::public(market)
    };
    if own {
        let is_bid = reading.need(fields, "side", fields.is_bid("side"));
        let (order, counter_fee) = (fields.get("order_id").and_then(id), reading.total(market, fields.number("fee")));
        trade = trade.owned(is_bid, TradeSide { order, counter_fee, ..TradeSide::default() }, None);
        fields.ignore(&["client_order_id", "trade_account_id", "is_liquidation"]);
    } else {
        trade.taker_is_bid = reading.need(fields, "type", is_bid(fields, "type"));
    }
    // In seconds on some markets, in milliseconds on others.
    fields.ignore(&["timestamp"]);
    reading.put(Event::Trade(Box::new(trade)));
    told(topic, time, reading);
}

impl Bitstamp {
    /// What happened to an order of the book, and to which event before it that joins.
    pub(super) fn order(
        &mut self,
        event: &str,
        topic: Topic,
        frame: &Fields<'_>,
        fields: &Fields<'_>,
        reading: &mut Reading<'_>,
    ) {
        let Some(name) = topic.market.clone() else { return };
        let market = reading.market(&name);
        let kind = match event {
            "order_created" => OrderKind::Opened,
            "order_deleted" => OrderKind::Closed,
            _ => OrderKind::Modified,
        };
        let time = put_order(kind, market, false, fields, reading);
        let link = |name: &str| frame.get(name).and_then(id);
        let (previous, this) = (link("pre_event_id"), link("event_id"));
        let previous = reading.need(frame, "pre_event_id", previous);
        let position = match reading.need(frame, "event_id", this) {
            Some(this) => Position::Link { previous, this },
            None => Position::Unsaid,
        };
        if let Some(time) = time {
            self.changes.entry(("live_orders", name)).or_default().note(time.0, reading.seq);
        }
        reading.data(topic, Kind::Update, position, time);
    }
}

/// What happened to an order of ours. One that waits for its stop price is in no book: of that a word is kept.
pub(super) fn own_order(event: &str, topic: Topic, fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(market) = topic.market.as_deref().map(|market| reading.market(market)) else { return };
    let kind = match event {
        "order_created" => OrderKind::Opened,
        "order_changed" => OrderKind::Modified,
        "order_deleted" => OrderKind::Closed,
        "order_replaced" => {
            let replaced = fields.get("orig_order_id").and_then(id);
            if let Some(replaced) = reading.need(fields, "orig_order_id", replaced) {
                let (quantity, price, time) = (None, None, None);
                let (kind, tonce, own) = (OrderKind::Closed, Patch::Absent, true);
                reading.put(Event::Order(OrderEvent { kind, market, id: replaced, quantity, price, time, tonce, own }));
            }
            OrderKind::Opened
        }
        other => {
            let detail: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", value.plain())).collect();
            let control = Control { kind: other.to_owned(), detail: detail.join(" ") };
            reading.put(Event::Control(Box::new(control)));
            return told(topic, None, reading);
        }
    };
    fields.ignore(&["client_order_id", "trade_account_id", "reduce_only", "stop_price", "orig_order_id"]);
    let time = put_order(kind, market, true, fields, reading);
    told(topic, time, reading);
}

fn put_order(
    kind: OrderKind,
    market: MarketRef,
    own: bool,
    fields: &Fields<'_>,
    reading: &mut Reading<'_>,
) -> Option<Timestamp> {
    let time = reading.instant(fields, "microtimestamp", TimeUnit::Micros);
    let is_bid = reading.need(fields, "order_type", is_bid(fields, "order_type"));
    let amount = exact(fields, "amount");
    let quantity = is_bid.and_then(|is_bid| signed(market, is_bid, amount, reading));
    let price = reading.price(market, "price", exact(fields, "price"));
    fields.ignore(&["datetime", "order_subtype", "amount_traded", "amount_at_create", "is_liquidation"]);
    if let Some(id) = reading.need(fields, "id", identity(fields)) {
        let tonce = Patch::Absent;
        reading.put(Event::Order(OrderEvent { kind, market, id, quantity, price, time, tonce, own }));
    }
    time
}

/// A quantity, positive to buy and negative to sell.
pub(super) fn signed(
    market: MarketRef,
    is_bid: bool,
    amount: Option<&str>,
    reading: &mut Reading<'_>,
) -> Option<Quantity> {
    match amount {
        Some(amount) if !is_bid => reading.quantity(market, "amount", Some(&format!("-{amount}"))),
        amount => reading.quantity(market, "amount", amount),
    }
}

/// The text of a number, as it was before it went through a float; private channels have no other.
fn exact<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    let number = fields.number(name);
    fields.number(&format!("{name}_str")).or(number)
}

fn identity(fields: &Fields<'_>) -> Option<crate::model::Id> {
    let number = fields.get("id");
    fields.get("id_str").or(number).and_then(id)
}

/// 0 buys, 1 sells.
fn is_bid(fields: &Fields<'_>, name: &str) -> Option<bool> {
    match fields.get(name).and_then(Raw::integer)? {
        0 => Some(true),
        1 => Some(false),
        _ => None,
    }
}
