//! Notices to events: section 5 of the protocol.

use crate::model::{
    AssetCode, Balance, BookOrder, Event, MarketRef, OrderEvent, OrderKind, Patch, Price, Quantity, Ticker, TickerKind,
    Trade, TradeSide, TradeVolume, UnknownReason,
};

use super::decode::Message;
use super::fields::Key;
use super::markets::{Codes, Markets};
use super::read::{Problems, Reader};

/// The codes of the market a message is about, if it names one.
pub(super) fn codes(text: &str, message: &Message<'_>, problems: &mut Problems) -> Option<Codes> {
    let mut read = Reader::new(text, &message.fields, problems);
    let (base, counter) = (read.needed_int(Key::Base), read.needed_int(Key::Counter));
    Some((AssetCode(base?), AssetCode(counter?)))
}

/// Decimal places of a market's prices, quantities and totals.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) price: Option<u8>,
    pub(super) quantity: Option<u8>,
    pub(super) total: Option<u8>,
}

impl Places {
    /// Those of a market of the session.
    pub(super) fn of(markets: &Markets, market: MarketRef) -> Self {
        let entry = markets.entry(market);
        Self { price: entry.market.price_places, quantity: entry.market.quantity_places, total: entry.counter_places }
    }
}

/// `OrderOpened`, `OrderModified` or `OrderClosed`.
pub(super) fn order(kind: OrderKind, market: MarketRef, places: Places, mut read: Reader<'_>) -> Option<OrderEvent> {
    let own = read.has(Key::Tonce);
    let time = match kind {
        OrderKind::Opened | OrderKind::Modified => Key::Time,
        OrderKind::Closed => Key::TimeClosed,
    };
    Some(OrderEvent {
        kind,
        market,
        id: read.needed_id(Key::Id)?,
        quantity: read.needed_quantity(Key::Quantity, places.quantity),
        price: read.needed_price(Key::Price, places.price),
        time: read.time(time),
        tonce: read.patch(Key::Tonce),
        own,
    })
}

/// `OrdersMatched`.
pub(super) fn matched(
    market: MarketRef,
    places: Places,
    message: &Message<'_>,
    text: &str,
    problems: &mut Problems,
) -> Trade {
    let taker_is_bid = match message.taker_side.as_deref() {
        None => None,
        Some("bid") => Some(true),
        Some("ask") => Some(false),
        Some(_) => {
            problems.add(UnknownReason::WrongType, "taker_side");
            None
        }
    };
    let mut read = Reader::new(text, &message.fields, problems);
    let own = [Key::BidTonce, Key::AskTonce, Key::Taker].into_iter().any(|key| read.has(key));
    let own_is_taker = match message.fields.get(Key::Taker) {
        super::fields::Field::Bool(taker) => Some(taker),
        _ => None,
    };
    let bid = TradeSide {
        order: read.id(Key::Bid),
        remaining: read.quantity(Key::BidRem, places.quantity),
        tonce: read.patch(Key::BidTonce),
        base_fee: read.quantity(Key::BidBaseFee, places.quantity),
        counter_fee: read.quantity(Key::BidCounterFee, places.total),
        other_fees: Vec::new(),
    };
    let ask = TradeSide {
        order: read.id(Key::Ask),
        remaining: read.quantity(Key::AskRem, places.quantity),
        tonce: read.patch(Key::AskTonce),
        base_fee: read.quantity(Key::AskBaseFee, places.quantity),
        counter_fee: read.quantity(Key::AskCounterFee, places.total),
        other_fees: Vec::new(),
    };
    let (quantity, price) =
        (read.needed_quantity(Key::Quantity, places.quantity), read.needed_price(Key::Price, places.price));
    let (total, time) = (read.needed_quantity(Key::Total, places.total), read.time(Key::Time));
    if bid.order.is_none() && ask.order.is_none() {
        problems.add(UnknownReason::MissingField, "bid, ask");
    }
    let id = None;
    Trade { market, id, quantity, price, total, time, bid, ask, taker_is_bid, own_is_taker, own }
}

/// `TickerChanged`, or the answer to `WatchTicker`.
pub(super) fn ticker(kind: TickerKind, market: MarketRef, places: Places, mut read: Reader<'_>) -> Ticker {
    let mut price = |key| read.number_patch(key, places.price).map(Price);
    let (last, bid, ask) = (price(Key::Last), price(Key::Bid), price(Key::Ask));
    let (low, high) = (price(Key::Low), price(Key::High));
    let volume = read.number_patch(Key::Volume, places.quantity).map(Quantity);
    let time = read.time(Key::Time);
    let (bid_quantity, ask_quantity) = (Patch::Absent, Patch::Absent);
    Ticker { market, kind, last, bid, ask, low, high, volume, bid_quantity, ask_quantity, time }
}

/// `BalanceChanged`, or one of the answer to `GetBalances`.
pub(super) fn balance(markets: &Markets, is_snapshot: bool, mut read: Reader<'_>) -> Option<Event> {
    let code = AssetCode(read.needed_int(Key::Asset)?);
    let asset = markets.asset(code);
    Some(Event::Balance(Balance {
        asset: Some(code),
        asset_name: Some(asset.name),
        places: asset.places,
        available: read.needed_quantity(Key::Balance, asset.places),
        reserved: read.quantity(Key::ReservedBalance, asset.places),
        total: read.quantity(Key::TotalBalance, asset.places),
        is_snapshot,
    }))
}

/// `TradeVolumeChanged` of the asset it names, or the answer to `GetTradeVolume` for the asset asked for.
pub(super) fn trade_volume(markets: &Markets, asked: Option<AssetCode>, mut read: Reader<'_>) -> Option<Event> {
    let code = match asked {
        Some(code) => code,
        None => AssetCode(read.needed_int(Key::Asset)?),
    };
    let asset = markets.asset(code);
    Some(Event::TradeVolume(TradeVolume {
        asset: Some(code),
        asset_name: Some(asset.name),
        places: asset.places,
        volume: read.needed_quantity(Key::Volume, asset.places),
    }))
}

/// The orders of a list.
pub(super) fn book_order(places: Places, mut read: Reader<'_>) -> Option<BookOrder> {
    Some(BookOrder {
        id: Some(read.needed_id(Key::Id)?),
        quantity: read.needed_quantity(Key::Quantity, places.quantity),
        price: read.needed_price(Key::Price, places.price),
        time: read.time(Key::Time),
        tonce: read.patch(Key::Tonce),
    })
}
