//! Frames to what they say, and wishes to frames.

use serde_json::json;

use crate::model::{Control, Event, Stamp, UnknownReason};
use crate::venue::feed::{Ask, Fields, Login, Protocol, Raw, Reading, Refusal, Said, Sent, Topic};
use crate::venue::{Account, Outgoing, Profile};

/// Error codes after which the same request may succeed later: too many requests, a system that is busy or unavailable,
/// a time stamp that came too late.
const PASSING: &[i64] = &[50001, 50004, 50011, 50013, 60006, 60014, 63999];
/// The error code of a private request without a login.
const NOT_LOGGED_IN: i64 = 60011;

/// The protocol of one connection.
#[derive(Default)]
pub(super) struct Okx {
    /// Whether a login has gone out and has no answer.
    is_logging_in: bool,
}

impl Protocol for Okx {
    fn profile(&self) -> &Profile {
        &super::PROFILE
    }

    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing {
        request("subscribe", ask)
    }

    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing> {
        Some(request("unsubscribe", ask))
    }

    fn sent(&mut self, text: &str) -> Sent {
        let Some(frame) = Raw::parse(text).ok().and_then(Raw::object) else { return Sent::Other };
        let id = frame.integer("id");
        let args = frame.array("args").into_iter().filter_map(Raw::object);
        let topics = args.filter_map(|arg| topic(&arg)).collect();
        match frame.string("op").as_deref() {
            Some("subscribe") => Sent::Subscribe { id, topics },
            Some("unsubscribe") => Sent::Unsubscribe { id, topics },
            Some("login") => {
                self.is_logging_in = true;
                Sent::Login { id }
            }
            _ => Sent::Other,
        }
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        if text == "pong" {
            return;
        }
        let Some(frame) = reading.object(text) else { return };
        if let Some(event) = frame.string("event") {
            self.event(&event, &frame, reading);
            return reading.leftovers(&event, &frame);
        }
        let arg = frame.object("arg");
        let Some((arg, topic)) = arg.and_then(|arg| topic(&arg).map(|topic| (arg, topic))) else {
            return reading.odd(UnknownReason::UnknownShape, "arg");
        };
        arg.ignore(&["uid", "instType", "instFamily"]);
        match (topic.channel.as_str(), topic.market.as_deref()) {
            ("books", Some(market)) => super::market::books(market, &frame, reading),
            ("trades", Some(market)) => super::market::trades(market, &frame, reading),
            ("tickers", Some(market)) => super::market::tickers(market, &frame, reading),
            ("orders", _) => super::account::orders(&frame, reading),
            ("account", _) => super::account::account(&frame, reading),
            ("balance_and_position", _) => super::account::balances(&frame, reading),
            (other, _) => reading.odd(UnknownReason::UnknownNotice, other),
        }
        reading.leftovers("arg", &arg);
        reading.leftovers(&topic.channel, &frame);
    }

    fn login(&mut self, account: &Account, _: i64, at: Stamp) -> Option<Login> {
        Some(super::account::login(account, at))
    }
}

fn request(op: &str, ask: &Ask<'_>) -> Outgoing {
    let channel = &ask.channel.method;
    let args = match channel.as_ref() {
        "orders" => vec![json!({ "channel": channel, "instType": "ANY" })],
        _ if ask.channel.by_market => {
            ask.markets.iter().map(|market| json!({ "channel": channel, "instId": market })).collect()
        }
        _ => vec![json!({ "channel": channel })],
    };
    Outgoing::plain(json!({ "id": ask.id.to_string(), "op": op, "args": args }).to_string())
}

/// What an argument names: a channel, and an instrument where the channel is of one.
fn topic(arg: &Fields<'_>) -> Option<Topic> {
    let channel = arg.string("channel")?;
    let is_by_market = super::PROFILE.channel(&channel).is_none_or(|known| known.by_market);
    let market = arg.string("instId").filter(|_| is_by_market);
    Some(Topic::new(&channel, market.as_deref()))
}

impl Okx {
    fn event(&mut self, event: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        frame.ignore(&["connId", "connCount"]);
        let id = frame.integer("id");
        let named = frame.object("arg").and_then(|arg| topic(&arg));
        match event {
            "subscribe" => reading.say(Said::Acknowledged { id, topic: named }),
            "unsubscribe" => {}
            "login" | "error" => self.verdict(id, named, frame, reading),
            "notice" => {
                let message = frame.string("msg").unwrap_or_default().into_owned();
                frame.ignore(&["code"]);
                control(event, &message, reading);
                reading.say(Said::Reconnect(message));
            }
            // How many connections the account has on a channel.
            "channel-conn-count" => frame.ignore(&["channel"]),
            "channel-conn-count-error" => {
                let topic = topic(frame);
                let message = "too many connections on this channel".to_owned();
                control(event, &message, reading);
                reading.say(Said::Refused { id, topic, refusal: Refusal { code: 0, message, is_passing: true } });
            }
            other => reading.odd(UnknownReason::UnknownNotice, other),
        }
    }

    /// How a request went: code 0 is good.
    fn verdict(&mut self, id: Option<i64>, named: Option<Topic>, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        let code = reading.need(frame, "code", frame.integer("code")).unwrap_or(-1);
        let message = frame.string("msg").unwrap_or_default().into_owned();
        let is_about_login = frame.string("event").as_deref() == Some("login") || (self.is_logging_in && id.is_none());
        if is_about_login && code == 0 {
            self.is_logging_in = false;
            return reading.say(Said::LoggedIn);
        }
        let topic = named.or_else(|| named_in(&message));
        let refusal = Refusal { code, message, is_passing: PASSING.contains(&code) };
        if is_about_login && topic.is_none() {
            self.is_logging_in = false;
            return reading.say(Said::LoginRefused(refusal));
        }
        if code == NOT_LOGGED_IN {
            reading.say(Said::LoginExpired);
        }
        reading.say(Said::Refused { id, topic, refusal });
    }
}

/// What a refusal is about, where only its words say so: `… channel:books,instId:X-Y doesn't exist …`.
fn named_in(message: &str) -> Option<Topic> {
    let (_, rest) = message.split_once("channel:")?;
    let (channel, rest) = rest.split_once(',')?;
    let market = rest.strip_prefix("instId:")?.split([' ', ',']).next()?;
    Some(Topic::new(channel, Some(market)))
}

fn control(kind: &str, detail: &str, reading: &mut Reading<'_>) {
    let control = Control { kind: kind.to_owned(), detail: detail.to_owned() };
    reading.put(Event::Control(Box::new(control)));
}
