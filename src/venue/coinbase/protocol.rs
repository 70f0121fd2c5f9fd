//! Frames to what they say, and wishes to frames.

use std::collections::HashSet;

use serde_json::json;

use crate::model::{Control, Event, UnknownReason};
use crate::venue::feed::{Ask, Fields, Position, Protocol, Raw, Reading, Refusal, Said, Sent, Topic};
use crate::venue::{Outgoing, Profile};

/// The protocol of one connection.
#[derive(Default)]
pub(super) struct Coinbase {
    /// What was asked for and is not answered, request by request.
    asked: Vec<Vec<Topic>>,
    /// What the venue last said that we are subscribed to.
    agreed: HashSet<Topic>,
}

impl Protocol for Coinbase {
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
        let read = || {
            let frame = Raw::parse(text).ok()?.object()?;
            let channel = frame.string("channel")?;
            let products = frame.array("product_ids");
            let named = products.iter().filter_map(|product| product.string());
            let mut topics: Vec<_> = named.map(|product| Topic::new(&channel, Some(&product))).collect();
            if products.is_empty() {
                topics.push(Topic::new(&channel, None));
            }
            Some((frame.string("type")?.into_owned(), topics))
        };
        match read() {
            Some((kind, topics)) if kind == "subscribe" => {
                self.asked.push(topics.clone());
                Sent::Subscribe { id: None, topics }
            }
            Some((kind, topics)) if kind == "unsubscribe" => {
                self.agreed.retain(|topic| !topics.contains(topic));
                Sent::Unsubscribe { id: None, topics }
            }
            _ => Sent::Other,
        }
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        let Some(frame) = reading.object(text) else { return };
        let Some(channel) = frame.string("channel") else { return self.aside(&frame, reading) };
        frame.ignore(&["client_id"]);
        let number = frame.get("sequence_num").and_then(Raw::unsigned);
        let position = reading.need(&frame, "sequence_num", number).map_or(Position::Unsaid, Position::Number);
        reading.say(Said::Frame(position));
        let time = reading.time("timestamp", frame.string("timestamp").as_deref());
        for event in frame.array("events") {
            let Some(event) = reading.item(event, "events") else { continue };
            match channel.as_ref() {
                "l2_data" => super::market::levels(&event, time, reading),
                "market_trades" => super::market::trades(&event, reading),
                "ticker" => super::market::tickers(&event, time, reading),
                "heartbeats" => super::market::heartbeat(&event, time, reading),
                "subscriptions" => self.subscriptions(&event, reading),
                other => {
                    reading.odd(UnknownReason::UnknownNotice, other);
                    continue;
                }
            }
            reading.leftovers(&channel, &event);
        }
        reading.leftovers(&channel, &frame);
    }
}

fn request(kind: &str, ask: &Ask<'_>) -> Outgoing {
    let mut frame = json!({ "type": kind, "channel": ask.channel.method });
    if ask.channel.by_market {
        frame["product_ids"] = json!(ask.markets);
    }
    Outgoing::plain(frame.to_string())
}

impl Coinbase {
    /// All that is subscribed to, as the venue says after each request. Of a request that it has agreed to in part, it
    /// has refused the rest.
    fn subscriptions(&mut self, event: &Fields<'_>, reading: &mut Reading<'_>) {
        let Some(channels) = reading.need(event, "subscriptions", event.object("subscriptions")) else { return };
        let mut listed = HashSet::new();
        for (channel, markets) in channels.iter() {
            let is_by_market = super::PROFILE.channel(channel).is_none_or(|known| known.by_market);
            if !is_by_market {
                listed.insert(Topic::new(channel, None));
                continue;
            }
            let markets = markets.array().unwrap_or_default();
            listed.extend(markets.iter().filter_map(|name| name.string()).map(|name| Topic::new(channel, Some(&name))));
        }
        for topic in listed.difference(&self.agreed) {
            reading.say(Said::Acknowledged { id: None, topic: Some(topic.clone()) });
        }
        let is_answered = |request: &mut Vec<Topic>| request.iter().any(|topic| listed.contains(topic));
        for topic in self.asked.extract_if(.., is_answered).flatten().filter(|topic| !listed.contains(topic)) {
            let message = "it is not among the subscriptions that the venue lists".to_owned();
            let refusal = Refusal { code: 0, message, is_passing: false };
            reading.say(Said::Refused { id: None, topic: Some(topic), refusal });
        }
        self.agreed = listed;
    }

    /// A frame that is of no channel: an error, which is about the oldest request that has no answer.
    fn aside(&mut self, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        let kind = frame.string("type").unwrap_or_default();
        if kind != "error" {
            return reading.odd(UnknownReason::UnknownShape, &kind);
        }
        let message = frame.string("message").unwrap_or_default().into_owned();
        if self.asked.is_empty() {
            reading.put(Event::Control(Box::new(Control { kind: kind.into_owned(), detail: message })));
        } else {
            let is_passing = message.contains("rate") || message.contains("too many");
            let refusal = Refusal { code: 0, message, is_passing };
            for topic in self.asked.remove(0) {
                reading.say(Said::Refused { id: None, topic: Some(topic), refusal: refusal.clone() });
            }
        }
        reading.leftovers("error", frame);
    }
}
