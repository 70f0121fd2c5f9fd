//! Frames to what they say, and wishes to frames.

use std::collections::HashMap;

use serde_json::json;

use crate::journal::RestAnswer;
use crate::model::{Control, Event, UnknownReason};
use crate::venue::feed::{Ask, Fields, Protocol, Raw, Reading, Recent, Refusal, Said, Sent, Topic};
use crate::venue::{Outgoing, Profile};

/// The slowest of the speeds has no mark in a stream's name.
const UNMARKED_SPEED: &str = "1000ms";

/// The protocol of one connection.
pub(super) struct Binance {
    profile: &'static Profile,
    depth: u32,
    /// The last changes of each book, by market.
    pub(super) changes: HashMap<String, Recent>,
}

impl Binance {
    pub(super) fn new(profile: &'static Profile, depth: u32) -> Self {
        Self { profile, depth, changes: HashMap::new() }
    }

    fn request(method: &str, ask: &Ask<'_>) -> Outgoing {
        let speed = ask.options.get("speed").filter(|speed| *speed != UNMARKED_SPEED);
        let speed = speed.map(|speed| format!("@{speed}")).unwrap_or_default();
        let name = |market: &&str| format!("{}@{}{speed}", market.to_ascii_lowercase(), ask.channel.method);
        let params: Vec<_> = ask.markets.iter().map(name).collect();
        Outgoing::plain(json!({ "method": method, "params": params, "id": ask.id }).to_string())
    }

    fn data(&mut self, fields: &Fields<'_>, reading: &mut Reading<'_>) {
        match fields.string("e").as_deref() {
            Some("trade") => super::market::trade(fields, reading),
            Some("aggTrade") => super::market::aggregate(fields, reading),
            Some("depthUpdate") => self.levels(fields, reading),
            Some("serverShutdown") => {
                let detail = fields.get("E").map_or_else(String::new, |time| time.plain().into_owned());
                reading.put(Event::Control(Box::new(Control { kind: "serverShutdown".to_owned(), detail })));
                reading.say(Said::Reconnect("the venue is about to shut the server down".to_owned()));
            }
            Some(other) => return reading.odd(UnknownReason::UnknownNotice, other),
            None if fields.get("B").is_some() => super::market::best(fields, reading),
            None => return reading.odd(UnknownReason::UnknownShape, ""),
        }
        let name = fields.string("e");
        reading.leftovers(name.as_deref().unwrap_or("bookTicker"), fields);
    }
}

impl Protocol for Binance {
    fn profile(&self) -> &Profile {
        self.profile
    }

    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing {
        Self::request("SUBSCRIBE", ask)
    }

    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing> {
        Some(Self::request("UNSUBSCRIBE", ask))
    }

    fn sent(&mut self, text: &str) -> Sent {
        let read = || {
            let frame = Raw::parse(text).ok()?.object()?;
            let id = frame.integer("id");
            let topics = frame.array("params").into_iter().filter_map(|name| topic(&name.string()?)).collect();
            match frame.string("method")?.as_ref() {
                "SUBSCRIBE" => Some(Sent::Subscribe { id, topics }),
                "UNSUBSCRIBE" => Some(Sent::Unsubscribe { id, topics }),
                _ => None,
            }
        };
        read().unwrap_or(Sent::Other)
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        let Some(frame) = reading.object(text) else { return };
        if let Some(data) = frame.object("data") {
            frame.ignore(&["stream"]);
            self.data(&data, reading);
            reading.leftovers("stream", &frame);
        } else if frame.get("result").is_some() || frame.get("error").is_some() || frame.get("code").is_some() {
            answer(&frame, reading);
        } else {
            self.data(&frame, reading);
        }
    }

    fn snapshot_path(&self, topic: &Topic) -> Option<String> {
        let market = topic.market.as_deref().filter(|_| topic.channel == "depth")?;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("symbol", market)
            .append_pair("limit", &self.depth.to_string())
            .finish();
        Some(format!("api/v3/depth?{query}"))
    }

    fn rest(&mut self, _: Option<&Topic>, answer: &RestAnswer, body: &str, reading: &mut Reading<'_>) {
        let Some((path, query)) = answer.path.split_once('?') else { return };
        let symbol = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "symbol");
        if let (true, Some((_, market))) = (path.ends_with("api/v3/depth"), symbol) {
            self.snapshot(&market, body, reading);
        }
    }
}

/// What a stream's name means: `btcusdt@depth@100ms`.
fn topic(stream: &str) -> Option<Topic> {
    let (market, channel) = stream.split_once('@')?;
    let channel = channel.split('@').next().unwrap_or(channel);
    Some(Topic::new(channel, Some(&market.to_ascii_uppercase())))
}

/// The answer to a request: `null`, or what is wrong with it.
fn answer(frame: &Fields<'_>, reading: &mut Reading<'_>) {
    let id = frame.integer("id");
    let error = frame.object("error");
    let error = error.as_ref().or_else(|| frame.get("code").map(|_| frame));
    match error {
        None => reading.say(Said::Acknowledged { id, topic: None }),
        Some(error) => {
            let code = error.integer("code").unwrap_or(0);
            let message = error.string("msg").unwrap_or_default().into_owned();
            reading.say(Said::Refused { id, topic: None, refusal: Refusal { code, message, is_passing: false } });
        }
    }
    reading.leftovers("answer", frame);
}
