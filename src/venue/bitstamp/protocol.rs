//! Frames to what they say, and wishes to frames.

use std::collections::{HashMap, VecDeque};

use serde_json::json;

use crate::crypto::Secret;
use crate::journal::RestAnswer;
use crate::model::{Control, Event, Stamp, UnknownReason};
use crate::venue::feed::{Ask, Fields, Login, Protocol, REDACTED, Raw, Reading, Recent, Refusal, Said, Sent, Topic};
use crate::venue::{Account, Outgoing, Profile};

use super::account::{self, Token};

/// The code of "Connection is unauthorized.": the token was not good, or no longer.
const UNAUTHORIZED: i64 = 4009;

/// The protocol of one connection.
#[derive(Default)]
pub(super) struct Bitstamp {
    token: Option<Token>,
    /// What was asked for and not answered, the oldest first: a refusal does not say of what.
    unanswered: VecDeque<Topic>,
    /// The last changes of each book, by stream.
    pub(super) changes: HashMap<(&'static str, String), Recent>,
}

impl Protocol for Bitstamp {
    fn profile(&self) -> &Profile {
        &super::PROFILE
    }

    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing {
        self.request("bts:subscribe", ask)
    }

    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing> {
        Some(self.request("bts:unsubscribe", ask))
    }

    fn sent(&mut self, text: &str) -> Sent {
        let read = || {
            let frame = Raw::parse(text).ok()?.object()?;
            let topic = topic(&frame.object("data")?.string("channel")?)?;
            Some((frame.string("event")?.into_owned(), topic))
        };
        let (id, Some((event, topic))) = (None, read()) else { return Sent::Other };
        match event.as_str() {
            "bts:subscribe" => {
                self.unanswered.push_back(topic.clone());
                Sent::Subscribe { id, topics: vec![topic] }
            }
            "bts:unsubscribe" => Sent::Unsubscribe { id, topics: vec![topic] },
            _ => Sent::Other,
        }
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        let Some(frame) = reading.object(text) else { return };
        let Some(event) = reading.need(&frame, "event", frame.string("event")) else { return };
        let channel = frame.string("channel").unwrap_or_default();
        match event.as_ref() {
            "bts:subscription_succeeded" => self.agreed(topic(&channel), reading),
            "bts:unsubscription_succeeded" | "bts:heartbeat" => {}
            "bts:error" => self.refused(&channel, &frame, reading),
            "bts:request_reconnect" => {
                let kind = event.clone().into_owned();
                reading.put(Event::Control(Box::new(Control { kind, detail: String::new() })));
                reading.say(Said::Reconnect("the venue asks for a new connection".to_owned()));
            }
            event => match topic(&channel) {
                Some(topic) => self.data(event, topic, &frame, reading),
                None => reading.odd(UnknownReason::UnknownNotice, &channel),
            },
        }
        frame.ignore(&["data"]);
        reading.leftovers(&event, &frame);
    }

    fn login(&mut self, account: &Account, id: i64, at: Stamp) -> Option<Login> {
        Some(Login::Rest(account::request(account.as_key()?, id, at)))
    }

    fn entrust(&mut self, answer: &[u8]) {
        self.token = Token::read(answer);
    }

    fn login_answer(&self, answer: &[u8]) -> Result<(), Refusal> {
        let message = || "the answer has no token and user".to_owned();
        Token::read(answer).map(|_| ()).ok_or_else(|| Refusal { code: 0, message: message(), is_passing: false })
    }

    fn snapshot_path(&self, topic: &Topic) -> Option<String> {
        super::book::path(&topic.channel, topic.market.as_deref()?)
    }

    fn rest(&mut self, _: Option<&Topic>, answer: &RestAnswer, body: &str, reading: &mut Reading<'_>) {
        self.snapshot(&answer.path, body, reading);
    }
}

impl Bitstamp {
    fn request(&self, event: &str, ask: &Ask<'_>) -> Outgoing {
        let market = ask.markets.first().copied().unwrap_or_default();
        let mut channel = format!("{}_{market}", ask.channel.method);
        let token = self.token.as_ref().filter(|_| ask.channel.needs_login);
        if let Some(token) = token {
            channel = format!("{channel}-{}", token.user);
        }
        let frame = |auth: Option<&str>| {
            let mut frame = json!({ "event": event, "data": { "channel": channel } });
            if let Some(auth) = auth {
                frame["data"]["auth"] = json!(auth);
            }
            frame.to_string()
        };
        Outgoing {
            text: Secret::new(frame(token.map(|token| token.text.expose()))),
            journal: frame(token.map(|_| REDACTED)),
            is_login: false,
        }
    }

    fn agreed(&mut self, topic: Option<Topic>, reading: &mut Reading<'_>) {
        match topic {
            Some(topic) => {
                self.unanswered.retain(|asked| *asked != topic);
                reading.say(Said::Acknowledged { id: None, topic: Some(topic) });
            }
            None => reading.odd(UnknownReason::WrongType, "channel"),
        }
    }

    /// A refusal, of what it names or of what was asked for first.
    fn refused(&mut self, channel: &str, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        let data = frame.object("data");
        let code = data.as_ref().and_then(|data| data.integer("code")).unwrap_or(0);
        let message = data.as_ref().and_then(|data| data.string("message")).unwrap_or_default().into_owned();
        let is_passing = code == UNAUTHORIZED;
        let is_private = |topic: &Topic| topic.channel.starts_with("private-");
        let named = topic(channel);
        let meant = |asked: &Topic| match &named {
            Some(named) => asked == named,
            None => is_private(asked) || !is_passing,
        };
        let first = self.unanswered.iter().position(meant);
        let topic = first.and_then(|first| self.unanswered.remove(first)).or(named);
        if is_passing {
            reading.say(Said::LoginExpired);
        }
        match topic {
            Some(topic) => {
                let refusal = Refusal { code, message, is_passing };
                reading.say(Said::Refused { id: None, topic: Some(topic), refusal });
            }
            None => reading.odd(UnknownReason::UnknownTag, &message),
        }
    }

    fn data(&mut self, event: &str, topic: Topic, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        let Some(data) = frame.object("data") else {
            reading.damage(UnknownReason::MissingField, "data");
            return super::market::told(topic, None, reading);
        };
        match (topic.channel.as_str(), event) {
            ("live_trades" | "private-my_trades", "trade") => super::market::trade(topic, &data, reading),
            ("live_orders", "order_created" | "order_changed" | "order_deleted") => {
                self.order(event, topic, frame, &data, reading);
            }
            ("private-my_orders", _) => super::market::own_order(event, topic, &data, reading),
            ("diff_order_book" | "order_book", "data") => self.levels(topic, &data, reading),
            _ => return reading.odd(UnknownReason::UnknownNotice, event),
        }
        frame.ignore(&["event_id", "pre_event_id", "order_source", "trade_account_id"]);
        reading.leftovers(event, &data);
    }
}

/// What a channel's name means: `live_orders_btcusd`, `private-my_orders_btcusd-4848701`.
fn topic(name: &str) -> Option<Topic> {
    let channel = super::PROFILE.channels.iter().find_map(|channel| {
        let market = name.strip_prefix(channel.method.as_ref())?.strip_prefix('_')?;
        Some((channel, market))
    });
    let (channel, market) = channel?;
    let is_user = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let market = match market.rsplit_once('-') {
        Some((market, user)) if channel.needs_login && is_user(user) => market,
        _ => market,
    };
    Some(Topic::new(&channel.method, Some(market)))
}
