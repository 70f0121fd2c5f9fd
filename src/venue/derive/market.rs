//! Price levels, trades and tickers.

use crate::model::{BookLevels, Event, Id, MarketRef, Patch, Side, Ticker, TickerKind, TimeUnit, Timestamp, Trade};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic, id};

/// The whole book, as deep as it was asked for.
pub(super) fn orderbook(name: &str, data: &Fields<'_>, reading: &mut Reading<'_>) {
    let market = reading.market(name);
    let mut levels = Vec::new();
    reading.levels(market, Side::Bid, data, "bids", &mut levels);
    reading.levels(market, Side::Ask, data, "asks", &mut levels);
    let time = reading.instant(data, "timestamp", TimeUnit::Millis);
    let (is_snapshot, events_from, first, last) = (true, None, None, data.integer("publish_id"));
    data.ignore(&["instrument_name"]);
    reading.put(Event::Levels(Box::new(BookLevels { market, is_snapshot, events_from, first, last, time, levels })));
    reading.leftovers("orderbook", data);
    reading.data(Topic::new("orderbook", Some(name)), Kind::Snapshot, Position::Unsaid, time);
}

/// Trades of one market. Each comes once for its maker and once for its taker, under one number.
pub(super) fn trades(name: &str, data: &[Raw<'_>], reading: &mut Reading<'_>) {
    let market = reading.market(name);
    let mut latest: Option<Timestamp> = None;
    for item in data {
        let Some(fields) = reading.item(*item, "trades") else { continue };
        let trade = trade(market, &fields, reading);
        latest = trade.time.max(latest);
        reading.put(Event::Trade(Box::new(trade)));
        fields.ignore(&[
            "batch_status",
            "expected_rebate",
            "extra_fee",
            "index_price",
            "instrument_name",
            "mark_price",
            "quote_id",
            "realized_pnl",
            "realized_pnl_excl_fees",
            "rfq_id",
            "subaccount_id",
            "trade_fee",
            "tx_hash",
            "wallet",
        ]);
        reading.leftovers("trades", &fields);
    }
    let position = latest.map_or(Position::Unsaid, Position::Time);
    reading.data(Topic::new("trades", Some(name)), Kind::Update, position, latest);
}

/// A trade as one of its sides sees it.
pub(super) fn trade(market: MarketRef, fields: &Fields<'_>, reading: &mut Reading<'_>) -> Trade {
    let is_bid = reading.need(fields, "direction", fields.is_bid("direction"));
    // Without a role, the direction is the taker's.
    let is_taker = fields.string("liquidity_role").is_none_or(|role| role == "taker");
    Trade {
        id: reading.need(fields, "trade_id", fields.get("trade_id").and_then(id)),
        quantity: reading.quantity(market, "trade_amount", fields.number("trade_amount")),
        price: reading.price(market, "trade_price", fields.number("trade_price")),
        time: reading.instant(fields, "timestamp", TimeUnit::Millis),
        taker_is_bid: is_bid.map(|is_bid| is_bid == is_taker),
        ..Trade::public(market)
    }
}

/// The ticker, whole but for the last price, which it does not have.
pub(super) fn ticker(name: &str, data: &Fields<'_>, reading: &mut Reading<'_>) {
    let market = reading.market(name);
    let topic = Topic::new("ticker_slim", Some(name));
    let time = reading.instant(data, "timestamp", TimeUnit::Millis);
    let Some(fields) = reading.need(data, "instrument_ticker", data.object("instrument_ticker")) else {
        return reading.data(topic, Kind::Snapshot, Position::Unsaid, time);
    };
    let stats = reading.need(&fields, "stats", fields.object("stats"));
    let (mut low, mut high, mut volume) = (Patch::Absent, Patch::Absent, Patch::Absent);
    if let Some(stats) = &stats {
        low = reading.price_field(market, stats, "l");
        high = reading.price_field(market, stats, "h");
        volume = reading.quantity_field(market, stats, "c");
        stats.ignore(&["n", "oi", "p", "pr", "v"]);
        reading.leftovers("stats", stats);
    }
    let ticker = Ticker {
        market,
        kind: TickerKind::Full,
        last: Patch::Absent,
        bid: reading.price_field(market, &fields, "b"),
        ask: reading.price_field(market, &fields, "a"),
        low,
        high,
        volume,
        bid_quantity: reading.quantity_field(market, &fields, "B"),
        ask_quantity: reading.quantity_field(market, &fields, "A"),
        time,
    };
    reading.put(Event::Ticker(Box::new(ticker)));
    fields.ignore(&["I", "M", "f", "maxp", "minp", "option_pricing", "t"]);
    reading.leftovers("ticker_slim", &fields);
    reading.data(topic, Kind::Snapshot, Position::Unsaid, time);
}

/// An identifier that must be there.
pub(super) fn order_id(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Option<Id> {
    reading.need(fields, "order_id", fields.get("order_id").and_then(id))
}
