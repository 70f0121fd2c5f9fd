//! Order commands of the wire as the engine's, and its answers back.

use super::engine::{
    Amount, Command, ConnectionId, Lifetime, LimitOrder, MarketOrder, MarketSize, Modification, OpenOrder, OrderId,
    OrderRef, Price, Quantity, Refusal as EngineRefusal, Tonce,
};
use super::listing::{Listing, Pair};
use crate::venue::coinflex::wire::{
    CancelOrder, EstimateMarketOrder, ModifyOrder, OwnOrder, Persist, PlaceOrder, Refusal, RestOrder,
};

/// `PlaceOrder`, sent on `connection`; by REST there is none.
pub(super) fn place(order: &PlaceOrder, connection: Option<ConnectionId>) -> Result<Command, Refusal> {
    let pair = Pair { base: order.base, counter: order.counter };
    let tonce = order.tonce.map(Tonce);
    let Some(price) = order.price else {
        return Ok(Command::PlaceMarket(MarketOrder { pair, tonce, size: market_size(order.quantity, order.total)? }));
    };
    if order.total.is_some() {
        return Err(Refusal::InvalidField("total"));
    }
    let lifetime = match (order.persist.unwrap_or_default(), connection) {
        (Persist::FillOrKill, _) => Lifetime::FillOrKill,
        (Persist::UntilDisconnected, Some(connection)) => Lifetime::Connection(connection),
        (Persist::UntilDisconnected | Persist::UntilCancelled, _) => Lifetime::Persistent,
    };
    Ok(Command::PlaceLimit(LimitOrder {
        pair,
        tonce,
        quantity: Quantity(order.quantity.ok_or(Refusal::InvalidField("quantity"))?),
        price: Price(price),
        lifetime,
        post_only: order.post_only.unwrap_or_default(),
    }))
}

/// Market and size of `EstimateMarketOrder`.
pub(super) fn estimate(estimate: &EstimateMarketOrder) -> Result<(Pair, MarketSize), Refusal> {
    let pair = Pair { base: estimate.base, counter: estimate.counter };
    Ok((pair, market_size(estimate.quantity, estimate.total)?))
}

/// `ModifyOrder`.
pub(super) fn modify(modify: &ModifyOrder) -> Result<Command, Refusal> {
    Ok(Command::Modify(Modification {
        order: order_ref(modify.id, modify.tonce)?,
        quantity_delta: modify.quantity_delta.map(Quantity),
        price: modify.price.map(Price),
        post_only: modify.post_only.unwrap_or_default(),
    }))
}

/// `CancelOrder`.
pub(super) fn cancel(cancel: &CancelOrder) -> Result<Command, Refusal> {
    order_ref(cancel.id, cancel.tonce).map(Command::Cancel)
}

fn order_ref(id: Option<i64>, tonce: Option<i64>) -> Result<OrderRef, Refusal> {
    match (id, tonce) {
        (Some(id), None) => Ok(OrderRef::Id(OrderId(id))),
        (None, Some(0)) => Err(Refusal::TonceZero),
        (None, Some(tonce)) => Ok(OrderRef::Tonce(Tonce(tonce))),
        (None, None) | (Some(_), Some(_)) => Err(Refusal::NeitherIdNorTonce),
    }
}

fn market_size(quantity: Option<i64>, total: Option<i64>) -> Result<MarketSize, Refusal> {
    match (quantity, total) {
        (Some(quantity), None) => Ok(MarketSize::Quantity(Quantity(quantity))),
        (None, Some(total)) => Ok(MarketSize::Total(Amount(total))),
        (None, None) | (Some(_), Some(_)) => Err(Refusal::NeitherQuantityNorTotal),
    }
}

/// The user's own view of an order.
pub(super) fn own(order: &OpenOrder, listing: &Listing) -> OwnOrder {
    let Pair { base, counter } = listing.market(order.market).pair;
    OwnOrder {
        id: order.id.0,
        tonce: order.tonce.map(|tonce| tonce.0).into(),
        base,
        counter,
        quantity: order.quantity.0,
        price: order.price.0,
        time: order.time.0,
    }
}

/// The same by REST, which has no tonces.
pub(super) fn rest(order: &OpenOrder, listing: &Listing) -> RestOrder {
    let OwnOrder { id, base, counter, quantity, price, time, .. } = own(order, listing);
    RestOrder { id, base, counter, quantity, price, time }
}

impl From<EngineRefusal> for Refusal {
    fn from(refusal: EngineRefusal) -> Self {
        match refusal {
            EngineRefusal::NoSuchUser => Self::NoSuchUser,
            EngineRefusal::InvalidAssetPair => Self::InvalidAssetPair,
            EngineRefusal::OrderNotFound => Self::OrderNotFound,
            EngineRefusal::TonceOutOfSequence => Self::TonceInUse,
            EngineRefusal::InsufficientFunds => Self::InsufficientFunds,
            EngineRefusal::TooManyOrders => Self::TooManyOrders,
            EngineRefusal::TonceZero => Self::TonceZero,
            EngineRefusal::PriceZero => Self::PriceZero,
            EngineRefusal::PriceNegative => Self::PriceNegative,
            EngineRefusal::QuantityZero => Self::QuantityZero,
            EngineRefusal::TotalZero => Self::TotalZero,
            EngineRefusal::QuantityDeltaZero => Self::QuantityDeltaZero,
            EngineRefusal::NothingToModify => Self::NothingToModify,
            EngineRefusal::TotalOverflow => Self::TotalOverflow,
            EngineRefusal::WouldMatch => Self::WouldMatch,
        }
    }
}
