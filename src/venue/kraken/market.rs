//! Books, trades, tickers and instruments.

use crate::model::{
    BookLevels, Event, Level, Market, MarketRef, Number, Patch, Price, Quantity, Side, Ticker, TickerKind, Trade,
    UnknownReason,
};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Said, Topic, asset, id};

use super::book::Book;
use super::protocol::Kraken;

impl Kraken {
    /// Levels of one market, with the checksum of the book as it then is.
    pub(super) fn book(&mut self, is_snapshot: bool, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        for item in frame.array("data") {
            let Some(fields) = reading.item(item, "book.data") else { continue };
            let Some(name) = reading.need(&fields, "symbol", fields.string("symbol")) else { continue };
            let market = reading.market(&name);
            let sides = [(Side::Bid, fields.array("bids")), (Side::Ask, fields.array("asks"))];
            if is_snapshot {
                let deepest = sides.iter().map(|(_, levels)| levels.len()).max().unwrap_or(0);
                let depth = self.depths.get(&format!("book {name}")).copied().unwrap_or(deepest);
                self.books.insert(name.to_string(), Book::of_depth(depth));
            }
            let mut levels = Vec::new();
            for (side, raw) in sides.iter().flat_map(|(side, levels)| levels.iter().map(|level| (*side, *level))) {
                levels.push(self.level(market, &name, side, raw, reading));
            }
            let time = reading.time("timestamp", fields.string("timestamp").as_deref());
            let stated = reading.need(&fields, "checksum", fields.get("checksum").and_then(Raw::unsigned));
            // Until a snapshot there is no book to check.
            let position = match (self.books.get_mut(name.as_ref()), stated) {
                (Some(book), Some(stated)) => {
                    book.truncate();
                    Position::Checksum { holds: u64::from(book.checksum()) == stated }
                }
                _ => Position::Unsaid,
            };
            let (first, last, events_from) = (None, None, None);
            reading.put(Event::Levels(Box::new(BookLevels {
                market,
                is_snapshot,
                events_from,
                first,
                last,
                time,
                levels,
            })));
            reading.leftovers("book", &fields);
            let kind = if is_snapshot { Kind::Snapshot } else { Kind::Update };
            reading.data(Topic::new("book", Some(&name)), kind, position, time);
        }
    }

    fn level(&mut self, market: MarketRef, name: &str, side: Side, raw: Raw<'_>, reading: &mut Reading<'_>) -> Level {
        let fields = raw.object();
        let text = |field: &str| fields.as_ref().and_then(|fields| fields.number(field));
        let (price, quantity) = (text("price"), text("qty"));
        if let (Some(book), Some(price), Some(quantity)) = (self.books.get_mut(name), price, quantity)
            && book.set(side, price, quantity).is_none()
        {
            reading.damage(UnknownReason::NumberOutOfRange, "price");
        }
        if let Some(fields) = &fields {
            reading.leftovers("book", fields);
        }
        Level {
            side,
            price: reading.price(market, "price", price),
            quantity: reading.quantity(market, "qty", quantity),
        }
    }
}

/// Trades, of one market or of several.
pub(super) fn trades(frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let mut last: Option<(String, Option<crate::model::Timestamp>)> = None;
    let kind = Kind::Update;
    let told = |(name, time): (String, Option<crate::model::Timestamp>), reading: &mut Reading<'_>| {
        let position = time.map_or(Position::Unsaid, Position::Time);
        reading.data(Topic::new("trade", Some(&name)), kind, position, time);
    };
    for item in frame.array("data") {
        let Some(fields) = reading.item(item, "trade.data") else { continue };
        let Some(name) = reading.need(&fields, "symbol", fields.string("symbol")) else { continue };
        if let Some(done) = last.take_if(|(other, _)| *other != name.as_ref()) {
            told(done, reading);
        }
        let market = reading.market(&name);
        let taker_is_bid = reading.need(&fields, "side", fields.is_bid("side"));
        let time = reading.time("timestamp", fields.string("timestamp").as_deref());
        let trade_id = fields.get("trade_id").and_then(id);
        fields.ignore(&["ord_type"]);
        let trade = Trade {
            id: reading.need(&fields, "trade_id", trade_id),
            quantity: reading.quantity(market, "qty", fields.number("qty")),
            price: reading.price(market, "price", fields.number("price")),
            time,
            taker_is_bid,
            ..Trade::public(market)
        };
        reading.put(Event::Trade(Box::new(trade)));
        reading.leftovers("trade", &fields);
        last = Some((name.into_owned(), time));
    }
    if let Some(done) = last {
        told(done, reading);
    }
}

/// Tickers, each whole.
pub(super) fn tickers(frame: &Fields<'_>, reading: &mut Reading<'_>) {
    for item in frame.array("data") {
        let Some(fields) = reading.item(item, "ticker.data") else { continue };
        let Some(name) = reading.need(&fields, "symbol", fields.string("symbol")) else { continue };
        let market = reading.market(&name);
        let price = |field: &str, reading: &mut Reading<'_>| match fields.get(field) {
            None => Patch::<Price>::Absent,
            Some(raw) if raw.is_null() => Patch::Null,
            Some(raw) => reading.price(market, field, raw.number()).map_or(Patch::Absent, Patch::Value),
        };
        let (last, bid, ask) = (price("last", reading), price("bid", reading), price("ask", reading));
        let (low, high) = (price("low", reading), price("high", reading));
        let quantity = |field: &str, reading: &mut Reading<'_>| match fields.get(field) {
            None => Patch::<Quantity>::Absent,
            Some(raw) if raw.is_null() => Patch::Null,
            Some(raw) => reading.quantity(market, field, raw.number()).map_or(Patch::Absent, Patch::Value),
        };
        let volume = quantity("volume", reading);
        let (bid_quantity, ask_quantity) = (quantity("bid_qty", reading), quantity("ask_qty", reading));
        let time = reading.time("timestamp", fields.string("timestamp").as_deref());
        fields.ignore(&["vwap", "change", "change_pct"]);
        let kind = TickerKind::Full;
        let ticker = Ticker { market, kind, last, bid, ask, low, high, volume, bid_quantity, ask_quantity, time };
        reading.put(Event::Ticker(Box::new(ticker)));
        reading.leftovers("ticker", &fields);
        reading.data(Topic::new("ticker", Some(&name)), Kind::Snapshot, Position::Unsaid, time);
    }
}

/// Assets and markets, all of them or those that changed.
pub(super) fn instruments(is_whole: bool, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(data) = reading.need(frame, "data", frame.object("data")) else {
        return reading.data(Topic::new("instrument", None), Kind::Update, Position::Unsaid, None);
    };
    let assets = data.array("assets").into_iter().filter_map(Raw::object).filter_map(|fields| {
        let places = fields.integer("precision").and_then(|places| u8::try_from(places).ok());
        Some(asset(&fields.string("id")?, places))
    });
    let assets = assets.collect();
    let pairs = data.array("pairs").into_iter().filter_map(Raw::object);
    let mut markets = Vec::new();
    for fields in pairs {
        match pair(&fields) {
            Some(market) => markets.push(market),
            None => reading.damage(UnknownReason::MissingField, "instrument.pairs"),
        }
    }
    reading.leftovers("instrument", &data);
    reading.say(Said::Listed { assets, markets, is_whole });
    let kind = if is_whole { Kind::Snapshot } else { Kind::Update };
    reading.data(Topic::new("instrument", None), kind, Position::Unsaid, None);
}

fn pair(fields: &Fields<'_>) -> Option<Market> {
    let places = |name: &str| fields.integer(name).and_then(|places| u8::try_from(places).ok());
    let price_places = places("price_precision")?;
    let tick = match Number::of_units(fields.number("price_increment")?, price_places)? {
        Number::Scaled(tick) => Some(tick),
        Number::Text(_) => None,
    };
    Some(Market {
        name: fields.string("symbol")?.into_owned(),
        base: fields.string("base")?.into_owned(),
        counter: fields.string("quote")?.into_owned(),
        base_code: None,
        counter_code: None,
        price_places: Some(price_places),
        quantity_places: Some(places("qty_precision")?),
        tick,
        starts: None,
        expires: None,
    })
}
