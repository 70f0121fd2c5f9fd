//! Price levels, trades, tickers and heartbeats.

use crate::model::{BookLevels, Event, Level, MarketRef, Side, Ticker, TickerKind, Timestamp, Trade, UnknownReason};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic, id};

/// Levels of one market: all, or those that changed, each with what is offered there now. A level may leave that never
/// was stated.
pub(super) fn levels(event: &Fields<'_>, time: Option<Timestamp>, reading: &mut Reading<'_>) {
    let Some(name) = reading.need(event, "product_id", event.string("product_id")) else { return };
    let kind = match event.string("type").as_deref() {
        Some("snapshot") => Kind::Snapshot,
        Some("update") => Kind::Update,
        _ => {
            reading.damage(UnknownReason::WrongType, "type");
            Kind::Update
        }
    };
    let market = reading.market(&name);
    let updates = reading.need(event, "updates", event.get("updates").and_then(Raw::array)).unwrap_or_default();
    let levels = updates.into_iter().filter_map(|raw| level(market, raw, reading)).collect();
    let (first, last, events_from) = (None, None, None);
    let is_snapshot = kind == Kind::Snapshot;
    reading.put(Event::Levels(Box::new(BookLevels { market, is_snapshot, events_from, first, last, time, levels })));
    reading.data(Topic::new("level2", Some(&name)), kind, Position::Unsaid, time);
}

fn level(market: MarketRef, raw: Raw<'_>, reading: &mut Reading<'_>) -> Option<Level> {
    let fields = reading.item(raw, "updates")?;
    fields.ignore(&["event_time"]);
    let side = match fields.string("side").as_deref() {
        Some("bid") => Some(Side::Bid),
        Some("offer") => Some(Side::Ask),
        _ => None,
    };
    let side = reading.need(&fields, "side", side)?;
    let price = reading.price(market, "price_level", fields.number("price_level"));
    let quantity = reading.quantity(market, "new_quantity", fields.number("new_quantity"));
    reading.leftovers("updates", &fields);
    Some(Level { side, price, quantity })
}

/// Trades of one market or of several; after subscribing, the latest that there were.
pub(super) fn trades(event: &Fields<'_>, reading: &mut Reading<'_>) {
    event.ignore(&["type"]);
    let mut told: Vec<(String, Option<Timestamp>)> = Vec::new();
    for item in reading.need(event, "trades", event.get("trades").and_then(Raw::array)).unwrap_or_default() {
        let Some(fields) = reading.item(item, "trades") else { continue };
        let Some(name) = reading.need(&fields, "product_id", fields.string("product_id")) else { continue };
        let market = reading.market(&name);
        // The side is the maker's.
        let taker_is_bid = match fields.string("side").as_deref() {
            Some("BUY") => Some(false),
            Some("SELL") => Some(true),
            _ => None,
        };
        let time = reading.time("time", fields.string("time").as_deref());
        let trade = Trade {
            id: reading.need(&fields, "trade_id", fields.get("trade_id").and_then(id)),
            quantity: reading.quantity(market, "size", fields.number("size")),
            price: reading.price(market, "price", fields.number("price")),
            time,
            taker_is_bid: reading.need(&fields, "side", taker_is_bid),
            ..Trade::public(market)
        };
        reading.put(Event::Trade(Box::new(trade)));
        reading.leftovers("trades", &fields);
        match told.iter_mut().find(|(known, _)| *known == name) {
            Some((_, latest)) => *latest = time.max(*latest),
            None => told.push((name.into_owned(), time)),
        }
    }
    for (name, time) in told {
        reading.data(Topic::new("market_trades", Some(&name)), Kind::Update, Position::Unsaid, time);
    }
}

/// Tickers, each whole.
pub(super) fn tickers(event: &Fields<'_>, time: Option<Timestamp>, reading: &mut Reading<'_>) {
    event.ignore(&["type"]);
    for item in reading.need(event, "tickers", event.get("tickers").and_then(Raw::array)).unwrap_or_default() {
        let Some(fields) = reading.item(item, "tickers") else { continue };
        let Some(name) = reading.need(&fields, "product_id", fields.string("product_id")) else { continue };
        let market = reading.market(&name);
        let last = reading.price_field(market, &fields, "price");
        let (bid, ask) =
            (reading.price_field(market, &fields, "best_bid"), reading.price_field(market, &fields, "best_ask"));
        let bid_quantity = reading.quantity_field(market, &fields, "best_bid_quantity");
        let ask_quantity = reading.quantity_field(market, &fields, "best_ask_quantity");
        let (low, high) =
            (reading.price_field(market, &fields, "low_24_h"), reading.price_field(market, &fields, "high_24_h"));
        let volume = reading.quantity_field(market, &fields, "volume_24_h");
        fields.ignore(&["type", "low_52_w", "high_52_w", "price_percent_chg_24_h"]);
        let kind = TickerKind::Full;
        let ticker = Ticker { market, kind, last, bid, ask, low, high, volume, bid_quantity, ask_quantity, time };
        reading.put(Event::Ticker(Box::new(ticker)));
        reading.leftovers("tickers", &fields);
        reading.data(Topic::new("ticker", Some(&name)), Kind::Snapshot, Position::Unsaid, time);
    }
}

/// A sign of life.
pub(super) fn heartbeat(event: &Fields<'_>, time: Option<Timestamp>, reading: &mut Reading<'_>) {
    event.ignore(&["current_time", "heartbeat_counter"]);
    reading.data(Topic::new("heartbeats", None), Kind::Update, Position::Unsaid, time);
}
