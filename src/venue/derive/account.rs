//! The account: the login, own orders and fills, balances.

use std::collections::HashMap;

use serde_json::json;

use crate::crypto::{Secret, sign_personal};
use crate::model::{
    Balance, Event, Number, OrderEvent, OrderKind, Patch, Quantity, Stamp, TimeUnit, TradeSide, UnknownReason,
};
use crate::venue::feed::{Fields, Kind, Login, Position, REDACTED, Raw, Reading, Topic};
use crate::venue::{Account, Outgoing};

use super::market::{order_id, trade};

/// The method that logs in.
pub(super) const LOGIN: &str = "public/login";

/// The login: the time in ms, signed with a key that may log in for the wallet.
pub(super) fn login(account: &Account, id: i64, at: Stamp) -> Login {
    let Some(wallet) = account.as_wallet() else { return Login::Impossible("the account is no wallet".to_owned()) };
    let time = (at.wall.0 / TimeUnit::Millis.nanos()).to_string();
    let signature = match sign_personal(&wallet.session_key, &time) {
        Ok(signature) => signature,
        Err(error) => return Login::Impossible(format!("session_key: {error}")),
    };
    let frame = |signature: &str| {
        let params = json!({ "wallet": wallet.wallet, "timestamp": time, "signature": signature });
        json!({ "id": id, "method": LOGIN, "params": params }).to_string()
    };
    Login::Frame(Outgoing { text: Secret::new(frame(&signature)), journal: frame(REDACTED), is_login: true })
}

/// Own orders as they now are.
pub(super) fn orders(data: &[Raw<'_>], reading: &mut Reading<'_>) {
    for item in data {
        let Some(fields) = reading.item(*item, "data") else { continue };
        // What the venue says beyond what is read here is in the frame.
        order(&fields, reading);
    }
    reading.data(Topic::new("subaccount.orders", None), Kind::Update, Position::Unsaid, None);
}

fn order(fields: &Fields<'_>, reading: &mut Reading<'_>) {
    let Some(name) = reading.need(fields, "instrument_name", fields.string("instrument_name")) else { return };
    let Some(id) = order_id(fields, reading) else { return };
    let Some(is_bid) = reading.need(fields, "direction", fields.is_bid("direction")) else { return };
    let Some(status) = reading.need(fields, "order_status", fields.string("order_status")) else { return };
    let market = reading.market(&name);
    let time = reading.instant(fields, "last_update_timestamp", TimeUnit::Millis);
    let is_new = fields.integer("creation_timestamp") == fields.integer("last_update_timestamp");
    let kind = match status.as_ref() {
        "open" | "untriggered" | "algo_active" if is_new => OrderKind::Opened,
        "open" | "untriggered" | "algo_active" => OrderKind::Modified,
        "filled" | "cancelled" | "expired" | "rejected" => OrderKind::Closed,
        other => return reading.odd(UnknownReason::UnknownNotice, &format!("orders.{other}")),
    };
    let quantity = match status.as_ref() {
        "filled" => Some(Quantity::scaled(0)),
        _ => reading.left(market, fields.number("amount"), fields.number("filled_amount"), is_bid),
    };
    let price = reading.price(market, "limit_price", fields.number("limit_price"));
    let (tonce, own) = (Patch::Absent, true);
    reading.put(Event::Order(OrderEvent { kind, market, id, quantity, price, time, tonce, own }));
}

/// Own fills. Fees are in the counter asset.
pub(super) fn fills(data: &[Raw<'_>], reading: &mut Reading<'_>) {
    for item in data {
        let Some(fields) = reading.item(*item, "data") else { continue };
        let Some(name) = reading.need(&fields, "instrument_name", fields.string("instrument_name")) else { continue };
        let market = reading.market(&name);
        let counter_fee = reading.total(market, fields.number("trade_fee"));
        let side = TradeSide { order: order_id(&fields, reading), counter_fee, ..TradeSide::default() };
        let trade = trade(market, &fields, reading);
        let own_is_taker = fields.string("liquidity_role").map(|role| role == "taker");
        reading.put(Event::Trade(Box::new(trade.owned(fields.is_bid("direction"), side, own_is_taker))));
    }
    reading.data(Topic::new("subaccount.trades", None), Kind::Update, Position::Unsaid, None);
}

/// The last change of each balance: what it was before, and since.
#[derive(Default)]
pub(super) struct Balances {
    last: HashMap<(String, String), (Number, Number)>,
}

impl Balances {
    /// Forgets what they are.
    pub(super) fn forget(&mut self) {
        self.last.clear();
    }

    /// Changes of balances of a subaccount. Each must begin with what the one before it left.
    pub(super) fn take(&mut self, subaccount: &str, data: &[Raw<'_>], reading: &mut Reading<'_>) {
        let mut holds = true;
        for item in data {
            let Some(fields) = reading.item(*item, "data") else { continue };
            fields.ignore(&["update_type"]);
            let Some(asset) = reading.need(&fields, "name", fields.string("name")) else { continue };
            let texts = [fields.number("previous_balance"), fields.number("new_balance")];
            let amounts = texts.map(|text| text.and_then(Number::exactly));
            let [Some(before), Some(since)] = amounts else {
                reading.damage(UnknownReason::MissingField, "new_balance");
                continue;
            };
            let key = (subaccount.to_owned(), asset.to_string());
            let known = self.last.insert(key, (before.clone(), since.clone()));
            // What came twice is no hole.
            holds &= known.is_none_or(|known| known.1 == before || known == (before, since));
            if let Some((places, [_, total], name)) = reading.amounts(&asset, texts) {
                reading.put(Event::Balance(Balance { total, ..Balance::named(name, places, false) }));
            }
            reading.leftovers("balances", &fields);
        }
        reading.data(Topic::new("subaccount.balances", None), Kind::Update, Position::Checksum { holds }, None);
    }
}
