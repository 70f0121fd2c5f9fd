//! The account: the token that private channels carry, executions and balances.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{Secret, hmac_sha512, sha256};
use crate::model::{
    Balance, Event, Id, MarketRef, OrderEvent, OrderKind, Patch, Quantity, Stamp, Trade, TradeSide, UnknownReason,
};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Refusal, Topic, id};
use crate::venue::{KeyAccount, RestMethod, RestRequest};

/// Where tokens are had.
const TOKEN_PATH: &str = "/0/private/GetWebSocketsToken";

/// The request for a token, signed. `None` if the secret is not base64.
pub(super) fn token_request(account: &KeyAccount, at: Stamp) -> Option<RestRequest> {
    // µs, so that it grows also across restarts.
    let nonce = (at.wall.0 / 1_000).to_string();
    let body = format!("nonce={nonce}");
    let signature = sign(account.secret.expose(), TOKEN_PATH, &nonce, &body)?;
    Some(RestRequest {
        method: RestMethod::Post,
        path: TOKEN_PATH.trim_start_matches('/').to_owned(),
        headers: vec![("API-Key", account.key.clone()), ("API-Sign", Secret::new(signature))],
        body: Some(("application/x-www-form-urlencoded", Secret::new(body))),
        is_secret: true,
        ..RestRequest::default()
    })
}

/// The signature of a private request: base64 of HMAC-SHA512 over the path and SHA-256 of nonce and body.
fn sign(secret: &str, path: &str, nonce: &str, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.trim()).ok()?;
    let digest = sha256(format!("{nonce}{body}").as_bytes());
    Some(STANDARD.encode(hmac_sha512(&key, &[path.as_bytes(), &digest].concat())))
}

/// The token in an answer.
pub(super) fn token(answer: &[u8]) -> Option<Secret> {
    let fields = Raw::parse(std::str::from_utf8(answer).ok()?).ok()?.object()?;
    Some(Secret::new(fields.object("result")?.string("token")?.into_owned()))
}

/// What an answer says that a token was asked for.
pub(super) fn token_answer(answer: &[u8]) -> Result<(), Refusal> {
    let fields = std::str::from_utf8(answer).ok().and_then(|text| Raw::parse(text).ok()).and_then(Raw::object);
    let fields =
        fields.ok_or_else(|| Refusal { message: "no JSON".to_owned(), is_passing: true, ..Refusal::default() })?;
    let errors: Vec<_> = fields.array("error").into_iter().map(|error| error.plain().into_owned()).collect();
    if errors.is_empty() && fields.object("result").is_some_and(|result| result.get("token").is_some()) {
        return Ok(());
    }
    let message = errors.join(", ");
    let is_final = ["Invalid key", "Invalid signature", "Permission denied", "Feature disabled"];
    let is_passing = !is_final.iter().any(|known| message.contains(known));
    Err(Refusal { code: 0, message, is_passing })
}

/// Where a message of a private channel stands: each has a number, one more than the last.
fn position(frame: &Fields<'_>) -> Position {
    frame.get("sequence").and_then(Raw::unsigned).map_or(Position::Unsaid, Position::Number)
}

fn kind(is_snapshot: bool) -> Kind {
    if is_snapshot { Kind::Snapshot } else { Kind::Update }
}

/// What was said of an order, for later words about it, which leave out what they do not change.
#[derive(Debug, Default)]
pub(super) struct Known {
    market: Option<String>,
    is_bid: Option<bool>,
    ordered: Option<String>,
    traded: Option<String>,
    price: Option<String>,
}

impl Known {
    fn note(&mut self, fields: &Fields<'_>) {
        let text = |known: &mut Option<String>, said: Option<&str>| {
            if let Some(said) = said {
                *known = Some(said.to_owned());
            }
        };
        text(&mut self.market, fields.string("symbol").as_deref());
        text(&mut self.ordered, fields.number("order_qty"));
        text(&mut self.traded, fields.number("cum_qty"));
        text(&mut self.price, fields.number("limit_price"));
        self.is_bid = fields.is_bid("side").or(self.is_bid);
    }
}

/// Orders and fills.
pub(super) fn executions(
    known: &mut HashMap<Id, Known>,
    is_snapshot: bool,
    frame: &Fields<'_>,
    reading: &mut Reading<'_>,
) {
    let position = position(frame);
    for item in frame.array("data") {
        let Some(fields) = reading.item(item, "executions.data") else { continue };
        execution(known, &fields, reading);
        // What the venue says beyond is in the frame.
        fields.ignore(&[
            "amended",
            "avg_price",
            "cash_order_qty",
            "cl_ord_id",
            "conditional",
            "contingent",
            "cost",
            "cum_cost",
            "cum_qty",
            "display_qty",
            "display_qty_remain",
            "effective_time",
            "exec_id",
            "expire_time",
            "ext_exec_id",
            "ext_ord_id",
            "fee_ccy_pref",
            "fee_usd_equiv",
            "limit_price_type",
            "liquidated",
            "margin",
            "margin_borrow",
            "no_mpp",
            "ord_ref_id",
            "order_status",
            "order_type",
            "order_userref",
            "position_status",
            "post_only",
            "reason",
            "reduce_only",
            "sender_sub_id",
            "stop_price",
            "time_in_force",
            "triggers",
        ]);
        reading.leftovers("executions", &fields);
    }
    reading.data(Topic::new("executions", None), kind(is_snapshot), position, None);
}

fn execution(known: &mut HashMap<Id, Known>, fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(what) = reading.need(fields, "exec_type", fields.string("exec_type")) else { return };
    let order = fields.get("order_id").and_then(id);
    let Some(order) = reading.need(fields, "order_id", order) else { return };
    let so_far = known.entry(order.clone()).or_default();
    so_far.note(fields);
    let Some(name) = &so_far.market else { return reading.odd(UnknownReason::UnknownMarket, "executions.symbol") };
    let (market, is_bid) = (reading.market(name), so_far.is_bid);
    let time = reading.time("timestamp", fields.string("timestamp").as_deref());
    let kind = match what.as_ref() {
        "trade" => return fill(fields, market, order, is_bid, time, reading),
        "pending_new" | "new" | "status" => OrderKind::Opened,
        "amended" | "restated" | "iceberg_refill" => OrderKind::Modified,
        "filled" | "canceled" | "expired" => OrderKind::Closed,
        _ => return reading.odd(UnknownReason::UnknownNotice, &format!("executions.{what}")),
    };
    let price = so_far.price.as_deref().and_then(|text| reading.price(market, "limit_price", Some(text)));
    let quantity = match kind {
        OrderKind::Closed if what == "filled" => Some(Quantity::scaled(0)),
        _ => {
            is_bid.and_then(|is_bid| reading.left(market, so_far.ordered.as_deref(), so_far.traded.as_deref(), is_bid))
        }
    };
    if kind == OrderKind::Closed {
        known.remove(&order);
    }
    let (tonce, own) = (Patch::Absent, true);
    reading.put(Event::Order(OrderEvent { kind, market, id: order, quantity, price, time, tonce, own }));
}

/// A trade of an order of ours.
fn fill(
    fields: &Fields<'_>,
    market: MarketRef,
    order: Id,
    is_bid: Option<bool>,
    time: Option<crate::model::Timestamp>,
    reading: &mut Reading<'_>,
) {
    let Some(is_bid) = reading.need(fields, "side", is_bid) else { return };
    let own_is_taker = match fields.string("liquidity_ind").as_deref() {
        Some("t") => Some(true),
        Some("m") => Some(false),
        _ => None,
    };
    let mut side = TradeSide { order: Some(order), ..TradeSide::default() };
    for fee in fields.array("fees").into_iter().filter_map(Raw::object) {
        if let Some(asset) = reading.need(&fee, "asset", fee.string("asset")) {
            reading.fee(&mut side, market, &asset, fee.number("qty"));
        }
    }
    let trade = Trade {
        id: fields.get("trade_id").and_then(id),
        quantity: reading.quantity(market, "last_qty", fields.number("last_qty")),
        price: reading.price(market, "last_price", fields.number("last_price")),
        total: reading.total(market, fields.number("cost")),
        time,
        ..Trade::public(market)
    };
    reading.put(Event::Trade(Box::new(trade.owned(Some(is_bid), side, own_is_taker))));
}

/// Balances, all of them or those that changed.
pub(super) fn balances(is_snapshot: bool, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let position = position(frame);
    for item in frame.array("data") {
        let Some(fields) = reading.item(item, "balances.data") else { continue };
        let (asset, total) = (fields.string("asset"), fields.number("balance"));
        let asset = reading.need(&fields, "asset", asset);
        let total = reading.need(&fields, "balance", total);
        if let (Some(asset), Some(total)) = (asset, total)
            && let Some((places, total, name)) = reading.amount(&asset, total)
        {
            reading.put(Event::Balance(Balance { total: Some(total), ..Balance::named(name, places, is_snapshot) }));
        }
        fields.ignore(&[
            "amount",
            "asset_class",
            "category",
            "fee",
            "ledger_id",
            "ref_id",
            "subcategory",
            "subtype",
            "timestamp",
            "type",
            "user",
            "wallet_id",
            "wallet_type",
            "wallets",
        ]);
        reading.leftovers("balances", &fields);
    }
    reading.data(Topic::new("balances", None), kind(is_snapshot), position, None);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the guide on authentication in the documentation of Kraken's REST API.
    #[test]
    fn the_documented_request_has_the_documented_signature() {
        let secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
        let body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
        assert_eq!(
            sign(secret, "/0/private/AddOrder", "1616492376594", body).unwrap(),
            "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
        );
    }

    #[test]
    fn a_refused_key_is_not_tried_again_and_a_busy_venue_is() {
        let passing = |answer: &str| token_answer(answer.as_bytes()).map_err(|refusal| refusal.is_passing);
        assert_eq!(passing(r#"{"error":[],"result":{"token":"[redacted]","expires":900}}"#), Ok(()));
        assert_eq!(passing(r#"{"error":["EAPI:Invalid key"]}"#), Err(false));
        assert_eq!(passing(r#"{"error":["EAPI:Rate limit exceeded"]}"#), Err(true));
    }
}
