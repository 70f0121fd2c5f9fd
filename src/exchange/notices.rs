//! The engine's events as notices: the owner's private copy and everybody else's public one.

use super::engine::{Event, Match, MatchSide, Micros, OpenOrder, Price, Side, TickerChange};
use super::listing::{Listing, MarketId, Pair};
use crate::model::{Patch, UserId};
use crate::venue::coinflex::wire::{
    BalanceChanged, Notice, OrderChange, OrderClosed, OrdersMatched, Side as WireSide, TickerChanged,
    TradeVolumeChanged,
};

/// The copy of an event for one recipient: `reader` for a connection of that user, `None` for the public.
#[must_use]
pub fn notice(event: &Event, listing: &Listing, reader: Option<UserId>) -> Notice {
    let own = |owner| reader == Some(owner);
    match *event {
        Event::BalanceChanged { balance, .. } | Event::ReservationChanged { balance, .. } => {
            Notice::BalanceChanged(BalanceChanged { asset: balance.asset, balance: balance.available.0 })
        }
        Event::OrderOpened(order) => Notice::OrderOpened(order_change(&order, listing, own(order.owner))),
        Event::OrderModified(order) => Notice::OrderModified(order_change(&order, listing, own(order.owner))),
        Event::OrdersMatched(trade) => Notice::OrdersMatched(Box::new(orders_matched(&trade, listing, reader))),
        Event::OrderClosed { order, time_closed: Micros(time_closed) } => {
            let OrderChange { id, tonce, base, counter, quantity, price, .. } =
                order_change(&order, listing, own(order.owner));
            let time_closed = Some(time_closed);
            Notice::OrderClosed(OrderClosed { id, tonce, base, counter, quantity, price, time_closed })
        }
        Event::TickerChanged { market, ref change } => Notice::TickerChanged(ticker_changed(market, change, listing)),
        Event::TradeVolumeChanged { asset, volume, .. } => {
            Notice::TradeVolumeChanged(TradeVolumeChanged { asset, volume: volume.0 })
        }
    }
}

fn order_change(order: &OpenOrder, listing: &Listing, own: bool) -> OrderChange {
    let Pair { base, counter } = listing.market(order.market).pair;
    OrderChange {
        id: order.id.0,
        tonce: if own { order.tonce.map(|tonce| tonce.0).into() } else { Patch::Absent },
        base,
        counter,
        quantity: order.quantity.0,
        price: order.price.0,
        time: order.time.0,
    }
}

fn orders_matched(trade: &Match, listing: &Listing, reader: Option<UserId>) -> OrdersMatched {
    let Pair { base, counter } = listing.market(trade.market).pair;
    let own = |side: &MatchSide| reader == Some(side.owner);
    let tonce = |side: &MatchSide| {
        if own(side) { side.tonce.map(|tonce| tonce.0).into() } else { Patch::Absent }
    };
    let base_fee = |side: &MatchSide| own(side).then_some(0);
    let counter_fee = |side: &MatchSide| own(side).then_some(side.counter_fee.0);
    let taker = match trade.taker {
        Side::Bid => &trade.bid,
        Side::Ask => &trade.ask,
    };
    OrdersMatched {
        bid: trade.bid.order.map(|order| order.id.0),
        bid_tonce: tonce(&trade.bid),
        ask: trade.ask.order.map(|order| order.id.0),
        ask_tonce: tonce(&trade.ask),
        base,
        counter,
        quantity: trade.quantity.0,
        taker_side: Some(match trade.taker {
            Side::Bid => WireSide::Bid,
            Side::Ask => WireSide::Ask,
        }),
        taker: reader.and_then(|user| trade.side_of(user)).map(|_| own(taker)),
        price: trade.price.0,
        total: trade.total.0,
        bid_rem: trade.bid.order.map(|order| order.remaining.0),
        ask_rem: trade.ask.order.map(|order| order.remaining.0),
        time: trade.time.0,
        bid_base_fee: base_fee(&trade.bid),
        bid_counter_fee: counter_fee(&trade.bid),
        ask_base_fee: base_fee(&trade.ask),
        ask_counter_fee: counter_fee(&trade.ask),
    }
}

fn ticker_changed(market: MarketId, change: &TickerChange, listing: &Listing) -> TickerChanged {
    let Pair { base, counter } = listing.market(market).pair;
    let price = |patch: &Patch<Price>| patch.clone().map(|price| price.0);
    TickerChanged {
        base,
        counter,
        last: price(&change.last),
        bid: price(&change.bid),
        ask: price(&change.ask),
        low: price(&change.low),
        high: price(&change.high),
        volume: change.volume.clone().map(|volume| volume.0),
    }
}
