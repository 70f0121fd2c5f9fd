//! The account: the login, own orders and fills, balances.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::crypto::{Secret, hmac_sha256};
use crate::model::{
    Balance, Event, MarketRef, OrderEvent, OrderKind, Patch, Quantity, Stamp, TimeUnit, Trade, TradeSide, UnknownReason,
};
use crate::venue::feed::{Fields, Kind, Login, Position, REDACTED, Raw, Reading, Topic, id};
use crate::venue::{Account, Outgoing};

use super::market::items;

/// What is signed behind the time.
const SIGNED: &str = "GET/users/self/verify";

/// The login: base64 of HMAC-SHA256 over the time in seconds and a fixed request.
pub(super) fn login(account: &Account, at: Stamp) -> Login {
    let Some(key) = account.as_key() else { return Login::Impossible("the account is no API key".to_owned()) };
    let Some(passphrase) = &key.passphrase else {
        return Login::Impossible("the account has no passphrase".to_owned());
    };
    let time = (at.wall.0 / TimeUnit::Seconds.nanos()).to_string();
    let sign = sign(key.secret.expose(), &time);
    let frame = |key: &str, passphrase: &str, sign: &str| {
        let arg = json!({ "apiKey": key, "passphrase": passphrase, "timestamp": time, "sign": sign });
        json!({ "op": "login", "args": [arg] }).to_string()
    };
    Login::Frame(Outgoing {
        text: Secret::new(frame(key.key.expose(), passphrase.expose(), &sign)),
        journal: frame(REDACTED, REDACTED, REDACTED),
        is_login: true,
    })
}

fn sign(secret: &str, time: &str) -> String {
    STANDARD.encode(hmac_sha256(secret.as_bytes(), format!("{time}{SIGNED}").as_bytes()))
}

/// A frame without the secrets of a login.
pub(super) fn redact(sent: &str) -> Cow<'_, str> {
    let Ok(mut frame) = serde_json::from_str::<serde_json::Value>(sent) else { return Cow::Borrowed(sent) };
    if frame["op"] != "login" {
        return Cow::Borrowed(sent);
    }
    for arg in frame["args"].as_array_mut().into_iter().flatten() {
        for name in ["apiKey", "passphrase", "sign"] {
            arg[name] = json!(REDACTED);
        }
    }
    Cow::Owned(frame.to_string())
}

/// Own orders as they now are, each with its last fill if that is what changed it.
pub(super) fn orders(frame: &Fields<'_>, reading: &mut Reading<'_>) {
    for fields in items(frame, reading) {
        // What the venue says beyond what is read here is in the frame.
        order(&fields, reading);
    }
    reading.data(Topic::new("orders", None), Kind::Update, Position::Unsaid, None);
}

fn order(fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(name) = reading.need(fields, "instId", fields.string("instId")) else { return };
    let Some(order) = reading.need(fields, "ordId", fields.get("ordId").and_then(id)) else { return };
    let Some(is_bid) = reading.need(fields, "side", fields.is_bid("side")) else { return };
    let Some(state) = reading.need(fields, "state", fields.string("state")) else { return };
    let market = reading.market(&name);
    let time = reading.instant(fields, "uTime", TimeUnit::Millis);
    let kind = match state.as_ref() {
        "live" if fields.integer("cTime") == fields.integer("uTime") => OrderKind::Opened,
        "live" | "partially_filled" => OrderKind::Modified,
        "filled" | "canceled" | "mmp_canceled" => OrderKind::Closed,
        other => return reading.odd(UnknownReason::UnknownNotice, &format!("orders.{other}")),
    };
    // The size of a market order may be in the counter asset.
    let is_in_base = fields.string("tgtCcy").as_deref() != Some("quote_ccy");
    let quantity = match state.as_ref() {
        "filled" => Some(Quantity::scaled(0)),
        _ if is_in_base => reading.left(market, fields.number("sz"), fields.number("accFillSz"), is_bid),
        _ => None,
    };
    let price = fields.number("px").and_then(|text| reading.price(market, "px", Some(text)));
    let event = OrderEvent { kind, market, id: order.clone(), quantity, price, time, tonce: Patch::Absent, own: true };
    reading.put(Event::Order(event));
    if let Some(trade) = fields.get("tradeId").filter(|trade| !trade.plain().is_empty()).and_then(id) {
        fill(fields, market, order, trade, is_bid, reading);
    }
}

/// The fill that a message about an order has.
fn fill(
    fields: &Fields<'_>,
    market: MarketRef,
    order: crate::model::Id,
    trade: crate::model::Id,
    is_bid: bool,
    reading: &mut Reading<'_>,
) {
    let own_is_taker = match fields.string("execType").as_deref() {
        Some("T") => Some(true),
        Some("M") => Some(false),
        _ => None,
    };
    let mut side = TradeSide { order: Some(order), ..TradeSide::default() };
    let asset = fields.string("fillFeeCcy").unwrap_or_default();
    if let Some(fee) = fields.number("fillFee").filter(|_| !asset.is_empty()) {
        // What is charged is negative, what is rebated positive.
        let fee = fee.strip_prefix('-').map_or_else(|| format!("-{fee}"), str::to_owned);
        reading.fee(&mut side, market, &asset, Some(&fee));
    }
    let trade = Trade {
        id: Some(trade),
        quantity: reading.quantity(market, "fillSz", fields.number("fillSz")),
        price: reading.price(market, "fillPx", fields.number("fillPx")),
        time: reading.instant(fields, "fillTime", TimeUnit::Millis),
        ..Trade::public(market)
    };
    reading.put(Event::Trade(Box::new(trade.owned(Some(is_bid), side, own_is_taker))));
}

/// Balances of the trading account, with what is free and what orders hold.
pub(super) fn account(frame: &Fields<'_>, reading: &mut Reading<'_>) {
    frame.ignore(&["curPage", "lastPage"]);
    let is_snapshot = frame.string("eventType").as_deref() != Some("event_update");
    let mut time = None;
    for fields in items(frame, reading) {
        time = reading.instant(&fields, "uTime", TimeUnit::Millis);
        let details = reading.need(&fields, "details", fields.get("details").and_then(Raw::array));
        for detail in details.into_iter().flatten().filter_map(Raw::object) {
            let names = ["availBal", "frozenBal", "cashBal"];
            balance(&detail, names.map(|name| detail.number(name)), is_snapshot, reading);
        }
    }
    reading.data(Topic::new("account", None), kind(is_snapshot), Position::Unsaid, time);
}

/// Balances as of a change; positions are in the frame.
pub(super) fn balances(frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let (mut time, mut is_snapshot) = (None, false);
    for fields in items(frame, reading) {
        time = reading.instant(&fields, "pTime", TimeUnit::Millis);
        is_snapshot = fields.string("eventType").as_deref() == Some("snapshot");
        for detail in fields.array("balData").into_iter().filter_map(Raw::object) {
            balance(&detail, [None, None, detail.number("cashBal")], is_snapshot, reading);
        }
        fields.ignore(&["posData", "trades"]);
        reading.leftovers("balance_and_position", &fields);
    }
    reading.data(Topic::new("balance_and_position", None), kind(is_snapshot), Position::Unsaid, time);
}

fn balance(detail: &Fields<'_>, amounts: [Option<&str>; 3], is_snapshot: bool, reading: &mut Reading<'_>) {
    let Some(asset) = reading.need(detail, "ccy", detail.string("ccy")) else { return };
    let Some((places, [available, reserved, total], name)) = reading.amounts(&asset, amounts) else { return };
    let named = Balance::named(name, places, is_snapshot);
    reading.put(Event::Balance(Balance { available, reserved, total, ..named }));
}

fn kind(is_snapshot: bool) -> Kind {
    if is_snapshot { Kind::Snapshot } else { Kind::Update }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret and time are made up; the signature was computed with OpenSSL:
    /// `printf '%s' '1538054050GET/users/self/verify' | openssl dgst -sha256 -hmac SECRET -binary | base64`.
    #[test]
    fn the_signature_is_over_the_time_and_a_fixed_request() {
        assert_eq!(
            sign("22582BD0CFF14C41EDBF1AB98506286D", "1538054050"),
            "+LdIr8lkkvhr5hoA3g9TMC0+uQJ849ftAcocA/ouu4M="
        );
    }

    #[test]
    fn nothing_secret_of_a_login_is_kept() {
        let sent = r#"{"op":"login","args":[{"apiKey":"a","passphrase":"b","timestamp":"1","sign":"c"}]}"#;
        let kept: serde_json::Value = serde_json::from_str(&redact(sent)).unwrap();
        let arg = json!({ "apiKey": REDACTED, "passphrase": REDACTED, "timestamp": "1", "sign": REDACTED });
        assert_eq!(kept, json!({ "op": "login", "args": [arg] }));
        assert_eq!(redact("ping"), "ping");
    }
}
