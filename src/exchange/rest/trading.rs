//! Orders by REST.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LOCATION, HeaderValue, LOCATION};
use actix_web::{HttpResponse, web};
use url::form_urlencoded;

use super::body;
use super::login::Login;
use crate::exchange::engine::{Amount, Command, MarketSize, OpenOrder, OrderId, OrderRef, Quantity, Reply};
use crate::exchange::orders;
use crate::exchange::shared::Shared;
use crate::model::{AssetCode, UserId};
use crate::venue::coinflex::wire::{PlaceOrder, Refusal, Remaining};

/// `GET /orders/`
pub(super) async fn orders(shared: web::Data<Shared>, Login(user): Login) -> HttpResponse {
    let floor = shared.floor();
    let orders: Vec<_> = floor.engine.orders(user).map(|order| orders::rest(&order, &shared.listing)).collect();
    drop(floor);
    body::ok(&orders)
}

/// `GET /orders/<id>`
pub(super) async fn order(shared: web::Data<Shared>, Login(user): Login, id: web::Path<String>) -> HttpResponse {
    let order = order_ref(&id).and_then(|order| shared.floor().engine.order(user, order));
    order.map_or_else(body::not_found, |order| body::ok(&orders::rest(&order, &shared.listing)))
}

/// `POST /orders/`
pub(super) async fn place(shared: web::Data<Shared>, Login(user): Login, form: web::Bytes) -> HttpResponse {
    let command = read_order(&form).and_then(|order| orders::place(&order, None));
    match command.and_then(|command| execute(&shared, user, &command)) {
        Ok(Reply::Placed(order)) => {
            let mut response = body::json(StatusCode::CREATED, &orders::rest(&order, &shared.listing));
            response.headers_mut().insert(LOCATION, HeaderValue::from(order.id.0));
            response.headers_mut().insert(CONTENT_LOCATION, HeaderValue::from(order.id.0));
            response
        }
        Ok(reply) => answer(&shared, &reply),
        Err(refusal) => body::refused(&refusal),
    }
}

/// `DELETE /orders/`
pub(super) async fn cancel_all(shared: web::Data<Shared>, Login(user): Login) -> HttpResponse {
    match execute(&shared, user, &Command::CancelAll) {
        Ok(reply) => answer(&shared, &reply),
        Err(refusal) => body::refused(&refusal),
    }
}

/// `DELETE /orders/<id>`
pub(super) async fn cancel(shared: web::Data<Shared>, Login(user): Login, id: web::Path<String>) -> HttpResponse {
    let Some(order) = order_ref(&id) else { return body::not_found() };
    match execute(&shared, user, &Command::Cancel(order)) {
        Ok(reply) => answer(&shared, &reply),
        Err(refusal) => body::refused(&refusal),
    }
}

fn execute(shared: &Shared, user: UserId, command: &Command) -> Result<Reply, Refusal> {
    let now = shared.clock.now();
    let mut floor = shared.floor();
    floor.admit_rest_order(user, now)?;
    let reply = floor.execute(user, command, now);
    floor.publish();
    Ok(reply?)
}

fn answer(shared: &Shared, reply: &Reply) -> HttpResponse {
    let rest = |order: &OpenOrder| orders::rest(order, &shared.listing);
    match reply {
        Reply::Executed {
            remaining: MarketSize::Quantity(Quantity(remaining)) | MarketSize::Total(Amount(remaining)),
        } => body::ok(&Remaining { remaining: *remaining }),
        Reply::Placed(order) | Reply::Modified(order) | Reply::Cancelled(order) => body::ok(&rest(order)),
        Reply::AllCancelled(orders) => body::ok(&orders.iter().map(rest).collect::<Vec<_>>()),
    }
}

fn order_ref(id: &str) -> Option<OrderRef> {
    id.parse().ok().map(|id| OrderRef::Id(OrderId(id)))
}

/// Reads the form of an order.
fn read_order(form: &[u8]) -> Result<PlaceOrder, Refusal> {
    const FIELDS: [&str; 5] = ["base", "counter", "quantity", "price", "total"];
    let mut values = [None; FIELDS.len()];
    for (name, value) in form_urlencoded::parse(form) {
        let place = FIELDS.iter().position(|field| *field == name);
        let place = place.ok_or(Refusal::NotACommand)?;
        let value = value.parse::<i64>().map_err(|_| Refusal::InvalidField(FIELDS[place]))?;
        if values[place].replace(value).is_some() {
            return Err(Refusal::InvalidField(FIELDS[place]));
        }
    }
    let [base, counter, quantity, price, total] = values;
    Ok(PlaceOrder {
        tonce: None,
        base: base.map(AssetCode).ok_or(Refusal::InvalidField("base"))?,
        counter: counter.map(AssetCode).ok_or(Refusal::InvalidField("counter"))?,
        quantity,
        price,
        total,
        persist: None,
        post_only: None,
    })
}
