//! What a user has, and what it traded.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::body;
use super::login::Login;
use crate::exchange::engine::{Balance, Micros, UserTrade};
use crate::exchange::listing::{Listing, Pair};
use crate::exchange::shared::Shared;
use crate::model::AssetCode;
use crate::venue::coinflex::wire::{AccountValue, RestBalance, RestPosition, RestTrade};

/// `GET /balances/`
pub(super) async fn balances(shared: web::Data<Shared>, Login(user): Login) -> HttpResponse {
    let balances: Vec<_> = shared.floor().engine.balances(user).map(|balance| rest_balance(&balance)).collect();
    body::ok(&balances)
}

/// `GET /balances/<id>`
pub(super) async fn balance(shared: web::Data<Shared>, Login(user): Login, asset: web::Path<String>) -> HttpResponse {
    let asset = asset.parse().ok().map(AssetCode);
    let balance = asset.and_then(|asset| shared.floor().engine.balance(user, asset));
    balance.map_or_else(body::not_found, |balance| body::ok(&rest_balance(&balance)))
}

fn rest_balance(balance: &Balance) -> RestBalance {
    RestBalance { id: balance.asset, available: balance.available.0, reserved: balance.reserved.0 }
}

/// `GET /positions/`
pub(super) async fn positions(shared: web::Data<Shared>, Login(user): Login) -> HttpResponse {
    let floor = shared.floor();
    let positions = floor.engine.positions(user).map(|position| RestPosition {
        asset: position.asset,
        position: position.position.0,
        through: position.through.0,
    });
    let positions: Vec<_> = positions.collect();
    drop(floor);
    body::ok(&positions)
}

/// `GET /account_value/`
pub(super) async fn account_value(shared: web::Data<Shared>, Login(user): Login) -> HttpResponse {
    let floor = shared.floor();
    let values = floor.engine.account_values(user).map(|value| AccountValue {
        asset: value.asset,
        spot_value: value.spot.0,
        change_in_spot_value: value.spot_change.0,
        futures_value: value.futures.0,
        change_in_futures_value: value.futures_change.0,
        total_value: value.spot.0.saturating_add(value.futures.0),
        change_in_total_value: value.spot_change.0.saturating_add(value.futures_change.0),
    });
    let values: Vec<_> = values.collect();
    drop(floor);
    body::ok(&values)
}

/// Query of the list of trades.
#[derive(Deserialize)]
pub(super) struct Wanted {
    /// Only what is after this, µs.
    since: Option<i64>,
    /// Only what is before this, µs.
    until: Option<i64>,
    /// In which order; by custom ascending if `since` is given, else descending.
    sort: Option<Sort>,
    /// At most so many, but one if there is any.
    limit: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Asc,
    Desc,
}

/// `GET /trades/`
pub(super) async fn trades(shared: web::Data<Shared>, Login(user): Login, wanted: web::Query<Wanted>) -> HttpResponse {
    let mut floor = shared.floor();
    if let Err(refusal) = floor.admit_records(user, shared.clock.now()) {
        return body::refused(&refusal);
    }
    let within = |trade: &&UserTrade| {
        wanted.since.is_none_or(|since| trade.time.0 > since) && wanted.until.is_none_or(|until| trade.time.0 < until)
    };
    let sort = wanted.sort.unwrap_or(if wanted.since.is_some() { Sort::Asc } else { Sort::Desc });
    let limit = wanted.limit.unwrap_or(usize::MAX).max(1);
    let trades = floor.engine.trades(user).filter(within);
    let rest = |trade| rest_trade(trade, &shared.listing);
    let trades: Vec<_> = match sort {
        Sort::Asc => trades.take(limit).map(rest).collect(),
        Sort::Desc => trades.rev().take(limit).map(rest).collect(),
    };
    drop(floor);
    body::ok(&trades)
}

/// `GET /trades/<time>`
pub(super) async fn trade(shared: web::Data<Shared>, Login(user): Login, time: web::Path<String>) -> HttpResponse {
    let Ok(time) = time.parse().map(Micros) else { return body::not_found() };
    let mut floor = shared.floor();
    if let Err(refusal) = floor.admit_records(user, shared.clock.now()) {
        return body::refused(&refusal);
    }
    let trade =
        floor.engine.trades(user).find(|trade| trade.time == time).map(|trade| rest_trade(trade, &shared.listing));
    drop(floor);
    trade.map_or_else(body::not_found, |trade| body::ok(&trade))
}

fn rest_trade(trade: &UserTrade, listing: &Listing) -> RestTrade {
    let Pair { base, counter } = listing.market(trade.market).pair;
    RestTrade {
        time: trade.time.0,
        base,
        counter,
        quantity: trade.quantity.0,
        price: trade.price.0,
        total: trade.total.0,
        base_fee: 0,
        counter_fee: trade.counter_fee.0,
        order_id: trade.order.map(|order| order.0),
    }
}
