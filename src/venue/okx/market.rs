//! Price levels, trades and tickers.

use crate::model::{BookLevels, Event, Id, Side, Ticker, TickerKind, TimeUnit, Timestamp, Trade, UnknownReason};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Topic, id};

/// The levels of a message: all, or those that changed. It names the message before it; where nothing changed for a
/// while, it names itself. A snapshot comes after nothing (-1).
pub(super) fn books(market_name: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let kind = match frame.string("action").as_deref() {
        Some("snapshot") => Kind::Snapshot,
        Some("update") => Kind::Update,
        _ => {
            reading.damage(UnknownReason::MissingField, "action");
            Kind::Update
        }
    };
    let market = reading.market(market_name);
    for fields in items(frame, reading) {
        let mut levels = Vec::new();
        reading.levels(market, Side::Ask, &fields, "asks", &mut levels);
        reading.levels(market, Side::Bid, &fields, "bids", &mut levels);
        let time = reading.instant(&fields, "ts", TimeUnit::Millis);
        let last = reading.need(&fields, "seqId", fields.integer("seqId"));
        let previous = reading.need(&fields, "prevSeqId", fields.integer("prevSeqId"));
        let position = match (last, previous) {
            (Some(last), Some(previous)) => {
                let previous = Some(previous).filter(|previous| *previous >= 0).map(Id::Int);
                Position::Link { previous, this: Id::Int(last) }
            }
            _ => Position::Unsaid,
        };
        fields.ignore(&["checksum"]);
        let (is_snapshot, events_from, first) = (kind == Kind::Snapshot, None, None);
        reading.put(Event::Levels(Box::new(BookLevels {
            market,
            is_snapshot,
            events_from,
            first,
            last,
            time,
            levels,
        })));
        reading.leftovers("books", &fields);
        reading.data(Topic::new("books", Some(market_name)), kind, position, time);
    }
}

/// Trades of one market. Those of one taker at one price come as one, under the number of the last.
pub(super) fn trades(market_name: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let market = reading.market(market_name);
    let mut latest: Option<Timestamp> = None;
    for fields in items(frame, reading) {
        let time = reading.instant(&fields, "ts", TimeUnit::Millis);
        fields.ignore(&["instId", "count", "source", "seqId"]);
        let trade = Trade {
            id: reading.need(&fields, "tradeId", fields.get("tradeId").and_then(id)),
            quantity: reading.quantity(market, "sz", fields.number("sz")),
            price: reading.price(market, "px", fields.number("px")),
            time,
            taker_is_bid: reading.need(&fields, "side", fields.is_bid("side")),
            ..Trade::public(market)
        };
        reading.put(Event::Trade(Box::new(trade)));
        reading.leftovers("trades", &fields);
        latest = time.max(latest);
    }
    let position = latest.map_or(Position::Unsaid, Position::Time);
    reading.data(Topic::new("trades", Some(market_name)), Kind::Update, position, latest);
}

/// Tickers, each whole.
pub(super) fn tickers(market_name: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let market = reading.market(market_name);
    for fields in items(frame, reading) {
        let time = reading.instant(&fields, "ts", TimeUnit::Millis);
        let ticker = Ticker {
            market,
            kind: TickerKind::Full,
            last: reading.price_field(market, &fields, "last"),
            bid: reading.price_field(market, &fields, "bidPx"),
            ask: reading.price_field(market, &fields, "askPx"),
            low: reading.price_field(market, &fields, "low24h"),
            high: reading.price_field(market, &fields, "high24h"),
            volume: reading.quantity_field(market, &fields, "vol24h"),
            bid_quantity: reading.quantity_field(market, &fields, "bidSz"),
            ask_quantity: reading.quantity_field(market, &fields, "askSz"),
            time,
        };
        reading.put(Event::Ticker(Box::new(ticker)));
        fields.ignore(&["instType", "instId", "lastSz", "open24h", "volCcy24h", "sodUtc0", "sodUtc8"]);
        reading.leftovers("tickers", &fields);
        reading.data(Topic::new("tickers", Some(market_name)), Kind::Snapshot, Position::Unsaid, time);
    }
}

/// What the frame has to say.
pub(super) fn items<'a>(frame: &Fields<'a>, reading: &mut Reading<'_>) -> Vec<Fields<'a>> {
    let items = reading.need(frame, "data", frame.get("data").and_then(Raw::array)).unwrap_or_default();
    items.into_iter().filter_map(|raw| reading.item(raw, "data")).collect()
}
