//! Frames to what they say, and wishes to frames.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::json;

use crate::crypto::Secret;
use crate::model::{Control, Event, Id, Stamp, UnknownReason};
use crate::venue::feed::{Ask, Fields, Login, Protocol, REDACTED, Reading, Refusal, Said, Sent, Topic};
use crate::venue::{Account, Outgoing, Profile};

use super::account;
use super::book::Book;
use super::level3::Orders;

/// The protocol of one connection.
#[derive(Default)]
pub(super) struct Kraken {
    /// The channels of requests that were not answered, by their numbers.
    requests: HashMap<i64, String>,
    /// How deep the books are that were agreed to, by channel and market.
    pub(super) depths: HashMap<String, usize>,
    /// The books, by market.
    pub(super) books: HashMap<String, Book>,
    /// The orders of the books that are had order by order, by market.
    pub(super) orders: HashMap<String, Orders>,
    /// The orders of the account that are open.
    own: HashMap<Id, account::Known>,
    /// What private subscriptions carry.
    pub(super) token: Option<Secret>,
}

impl Protocol for Kraken {
    fn profile(&self) -> &Profile {
        &super::PROFILE
    }

    fn registry_channel(&self) -> Option<&str> {
        Some("instrument")
    }

    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing {
        self.request("subscribe", ask)
    }

    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing> {
        Some(self.request("unsubscribe", ask))
    }

    fn sent(&mut self, text: &str) -> Sent {
        let read = || {
            let frame: serde_json::Value = serde_json::from_str(text).ok()?;
            let (params, id) = (frame.get("params")?, frame["req_id"].as_i64());
            let channel = params["channel"].as_str()?;
            let topics = match params["symbol"].as_array() {
                Some(symbols) => symbols
                    .iter()
                    .filter_map(|symbol| symbol.as_str())
                    .map(|name| Topic::new(channel, Some(name)))
                    .collect(),
                None => vec![Topic::new(channel, None)],
            };
            match frame["method"].as_str()? {
                "subscribe" => Some((channel.to_owned(), Sent::Subscribe { id, topics })),
                "unsubscribe" => Some((channel.to_owned(), Sent::Unsubscribe { id, topics })),
                _ => None,
            }
        };
        let Some((channel, sent)) = read() else { return Sent::Other };
        if let Sent::Subscribe { id: Some(id), .. } = sent {
            self.requests.insert(id, channel);
        }
        sent
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        let Some(frame) = reading.object(text) else { return };
        if let Some(channel) = frame.string("channel") {
            let is_snapshot = frame.string("type").as_deref() == Some("snapshot");
            match channel.as_ref() {
                "heartbeat" => {}
                "status" => control("status", &frame, reading),
                "book" => self.book(is_snapshot, &frame, reading),
                "level3" => self.level3(is_snapshot, &frame, reading),
                "executions" => account::executions(&mut self.own, is_snapshot, &frame, reading),
                "balances" => account::balances(is_snapshot, &frame, reading),
                "trade" => super::market::trades(&frame, reading),
                "ticker" => super::market::tickers(&frame, reading),
                "instrument" => super::market::instruments(is_snapshot, &frame, reading),
                other => reading.odd(UnknownReason::UnknownNotice, other),
            }
            return reading.leftovers(&channel, &frame);
        }
        match frame.string("method").as_deref() {
            Some("pong") => {}
            Some(method @ ("subscribe" | "unsubscribe")) => self.answer(method, &frame, reading),
            _ if frame.string("error").is_some() => self.answer("", &frame, reading),
            _ => reading.odd(UnknownReason::UnknownShape, ""),
        }
    }

    fn login(&mut self, account: &Account, _: i64, at: Stamp) -> Option<Login> {
        let request = account.as_key().and_then(|account| account::token_request(account, at));
        Some(request.map_or_else(|| Login::Impossible("the account's secret is not base64".to_owned()), Login::Rest))
    }

    fn entrust(&mut self, answer: &[u8]) {
        self.token = account::token(answer);
    }

    fn login_answer(&self, answer: &[u8]) -> Result<(), Refusal> {
        account::token_answer(answer)
    }

    fn forget(&mut self, topic: &Topic) {
        match (&topic.market, topic.channel.as_str()) {
            (Some(market), "book") => drop(self.books.remove(market)),
            (Some(market), "level3") => drop(self.orders.remove(market)),
            _ => {}
        }
    }
}

impl Kraken {
    fn request(&self, method: &str, ask: &Ask<'_>) -> Outgoing {
        let mut params = json!({ "channel": ask.channel.method });
        if ask.channel.by_market {
            params["symbol"] = json!(ask.markets);
        }
        for (name, value) in ask.options {
            params[name] = value.parse::<u32>().map_or_else(|_| json!(value), |number| json!(number));
        }
        match ask.channel.method.as_ref() {
            _ if method != "subscribe" => {}
            "executions" => (params["snap_orders"], params["snap_trades"]) = (json!(true), json!(true)),
            _ => params["snapshot"] = json!(true),
        }
        let mut frame = |token: Option<&str>| {
            if let Some(token) = token.filter(|_| ask.channel.needs_login) {
                params["token"] = json!(token);
            }
            json!({ "method": method, "params": params, "req_id": ask.id }).to_string()
        };
        let text = Secret::new(frame(self.token.as_ref().map(Secret::expose)));
        let journal = frame(Some(REDACTED));
        Outgoing { text, journal, is_login: false }
    }

    /// The answer to a request about one subscription.
    fn answer(&mut self, method: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        frame.ignore(&["time_in", "time_out"]);
        let id = frame.integer("req_id");
        let result = frame.object("result");
        let field = |name: &str| {
            let inner = result.as_ref().and_then(|result| result.string(name));
            inner.or_else(|| frame.string(name)).map(Cow::into_owned)
        };
        let channel = field("channel").or_else(|| self.requests.get(&id?).cloned());
        let market = field("symbol");
        let is_success = frame.get("success").and_then(|success| success.boolean()).unwrap_or(false);
        if let Some(result) = &result {
            for warning in result.array("warnings") {
                let detail = warning.plain().into_owned();
                reading.put(Event::Control(Box::new(Control { kind: "warning".to_owned(), detail })));
            }
            if let (Some(market), Some(depth)) = (&market, result.get("depth").and_then(|depth| depth.unsigned())) {
                let book = channel.as_deref().unwrap_or_default();
                self.depths.insert(format!("{book} {market}"), usize::try_from(depth).unwrap_or(usize::MAX));
            }
            result.ignore(&[
                "snapshot",
                "event_trigger",
                "maxratecount",
                "snap_orders",
                "snap_trades",
                "order_status",
                "ratecounter",
            ]);
            reading.leftovers(method, result);
        }
        // Of an unsubscription there is nothing to await.
        let topic = channel.filter(|_| method != "unsubscribe").map(|channel| Topic { channel, market });
        if is_success {
            reading.say(Said::Acknowledged { id, topic });
        } else {
            let message = frame.string("error").unwrap_or_default().into_owned();
            let is_passing = message.contains("rate") || message.contains("unavailable");
            if message.contains("token") || message.contains("Session") {
                reading.say(Said::LoginExpired);
            }
            reading.say(Said::Refused { id, topic, refusal: Refusal { code: 0, message, is_passing } });
        }
        reading.leftovers(method, frame);
    }
}

/// What a channel says that is about the venue itself.
fn control(kind: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let detail = frame.get("data").map_or("", |data| data.text()).to_owned();
    reading.put(Event::Control(Box::new(Control { kind: kind.to_owned(), detail })));
}
