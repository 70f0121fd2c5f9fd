//! Frames to what they say, and wishes to frames.

use serde_json::json;

use crate::model::{Stamp, UnknownReason};
use crate::venue::feed::{Ask, Fields, Login, Protocol, Raw, Reading, Refusal, Said, Sent, Topic};
use crate::venue::{Account, Outgoing, Profile};

use super::account::{self, Balances};
use super::listing::{self, Listing, Page};
use super::market;

/// Error codes after which the same request may succeed later: the rate limit, too many clients, an internal error, and a
/// part of the venue that is not available.
const PASSING: &[i64] = &[-32000, -32100, -32603, 9002];

/// The protocol of one connection.
#[derive(Default)]
pub(super) struct Derive {
    /// The login that has gone out and has no answer.
    login: Option<i64>,
    /// The subaccounts of whoever is logged in.
    subaccounts: Vec<String>,
    listing: Listing,
    balances: Balances,
}

impl Protocol for Derive {
    fn profile(&self) -> &Profile {
        &super::PROFILE
    }

    fn registry_channel(&self) -> Option<&str> {
        Some(listing::CHANNEL)
    }

    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing {
        if ask.channel.method == listing::CHANNEL {
            return Outgoing::plain(Page::FIRST.request());
        }
        self.request("subscribe", ask)
    }

    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing> {
        (ask.channel.method != listing::CHANNEL).then(|| self.request("unsubscribe", ask))
    }

    fn sent(&mut self, text: &str) -> Sent {
        let Some(frame) = Raw::parse(text).ok().and_then(Raw::object) else { return Sent::Other };
        let id = frame.integer("id");
        let method = frame.string("method").unwrap_or_default();
        let channels = frame.object("params").map(|params| params.array("channels")).unwrap_or_default();
        let mut topics: Vec<Topic> = Vec::new();
        for topic in channels.iter().filter_map(|channel| channel.string()).filter_map(|channel| topic(&channel)) {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        match method.as_ref() {
            "subscribe" => Sent::Subscribe { id, topics },
            "unsubscribe" => Sent::Unsubscribe { id, topics },
            account::LOGIN => {
                self.login = id;
                Sent::Login { id }
            }
            listing::METHOD if frame.string("id").as_deref().and_then(Page::of_id) == Some(Page::FIRST) => {
                Sent::Subscribe { id: None, topics: vec![Topic::new(listing::CHANNEL, None)] }
            }
            _ => Sent::Other,
        }
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        let Some(frame) = reading.object(text) else { return };
        frame.ignore(&["jsonrpc"]);
        if frame.string("method").as_deref() == Some("subscription") {
            match frame.object("params") {
                Some(params) => self.notification(&params, reading),
                None => reading.illegible(UnknownReason::MissingField, "params"),
            }
            return reading.leftovers("subscription", &frame);
        }
        let page = frame.string("id").as_deref().and_then(Page::of_id);
        match (page, frame.integer("id")) {
            (Some(page), _) => {
                frame.ignore(&["error"]);
                self.listing.take(page, frame.object("result").as_ref(), reading);
            }
            (None, Some(id)) if self.login == Some(id) => self.logged_in(&frame, reading),
            (None, id) => answer(id, &frame, reading),
        }
        reading.leftovers("answer", &frame);
    }

    fn login(&mut self, account: &Account, id: i64, at: Stamp) -> Option<Login> {
        Some(account::login(account, id, at))
    }

    fn forget(&mut self, topic: &Topic) {
        if topic.channel == "subaccount.balances" {
            self.balances.forget();
        }
    }
}

impl Derive {
    fn request(&self, method: &str, ask: &Ask<'_>) -> Outgoing {
        let option = |name: &str| {
            let chosen = ask.options.get(name).map(String::as_str);
            let options = ask.channel.options.iter().filter(|option| option.name == name);
            chosen.or_else(|| options.filter_map(|option| option.default).next()).unwrap_or_default().to_owned()
        };
        let channels: Vec<String> = match (ask.channel.method.as_ref(), ask.channel.method.strip_prefix("subaccount."))
        {
            (_, Some(of)) => self.subaccounts.iter().map(|subaccount| format!("{subaccount}.{of}")).collect(),
            ("orderbook", _) => {
                let (group, depth) = (option("group"), option("depth"));
                ask.markets.iter().map(|market| format!("orderbook.{market}.{group}.{depth}")).collect()
            }
            ("ticker_slim", _) => {
                let interval = option("interval");
                ask.markets.iter().map(|market| format!("ticker_slim.{market}.{interval}")).collect()
            }
            (channel, _) => ask.markets.iter().map(|market| format!("{channel}.{market}")).collect(),
        };
        Outgoing::plain(json!({ "id": ask.id, "method": method, "params": { "channels": channels } }).to_string())
    }

    /// The answer to the login: the numbers of the subaccounts.
    fn logged_in(&mut self, frame: &Fields<'_>, reading: &mut Reading<'_>) {
        self.login = None;
        if let Some(error) = frame.object("error") {
            return reading.say(Said::LoginRefused(refusal(&error)));
        }
        let subaccounts = frame.get("result").and_then(Raw::array);
        let Some(subaccounts) = reading.need(frame, "result", subaccounts) else { return };
        self.subaccounts = subaccounts.iter().map(|number| number.plain().into_owned()).collect();
        reading.say(Said::LoggedIn);
    }

    /// Data of a channel.
    fn notification(&mut self, params: &Fields<'_>, reading: &mut Reading<'_>) {
        let Some(channel) = reading.need(params, "channel", params.string("channel")) else { return };
        let data = params.get("data");
        let (whole, list) = (data.and_then(Raw::object), data.and_then(Raw::array));
        let topic = topic(&channel);
        let named = topic.as_ref().map(|topic| (topic.channel.as_str(), topic.market.as_deref()));
        match (named, whole, list) {
            (Some(("orderbook", Some(market))), Some(data), _) => market::orderbook(market, &data, reading),
            (Some(("ticker_slim", Some(market))), Some(data), _) => market::ticker(market, &data, reading),
            (Some(("trades", Some(market))), _, Some(data)) => market::trades(market, &data, reading),
            (Some(("subaccount.orders", _)), _, Some(data)) => account::orders(&data, reading),
            (Some(("subaccount.trades", _)), _, Some(data)) => account::fills(&data, reading),
            (Some(("subaccount.balances", _)), _, Some(data)) => {
                let subaccount = channel.split('.').next().unwrap_or_default();
                self.balances.take(subaccount, &data, reading);
            }
            _ => reading.illegible(UnknownReason::UnknownNotice, &channel),
        }
        reading.leftovers("params", params);
    }
}

/// A status for each channel that was asked for. A channel of all subaccounts is agreed to if it is for each of them.
fn answer(id: Option<i64>, frame: &Fields<'_>, reading: &mut Reading<'_>) {
    if let Some(error) = frame.object("error") {
        return reading.say(Said::Refused { id, topic: None, refusal: refusal(&error) });
    }
    let result = frame.object("result");
    let Some(status) = result.as_ref().and_then(|result| result.object("status")) else {
        return reading.odd(UnknownReason::UnknownShape, "result");
    };
    // Of an unsubscription there is nothing to await.
    if result.as_ref().is_some_and(|result| result.get("current_subscriptions").is_none()) {
        return;
    }
    let mut verdicts: Vec<(Topic, Option<String>)> = Vec::new();
    for (channel, status) in status.iter() {
        let Some(topic) = topic(channel) else { continue };
        let refused = Some(status.plain().into_owned()).filter(|status| status != "ok");
        match verdicts.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, verdict)) => *verdict = verdict.take().or(refused),
            None => verdicts.push((topic, refused)),
        }
    }
    for (topic, refused) in verdicts {
        let topic = Some(topic);
        reading.say(match refused {
            None => Said::Acknowledged { id, topic },
            Some(message) => Said::Refused { id, topic, refusal: Refusal { message, ..Refusal::default() } },
        });
    }
}

fn refusal(error: &Fields<'_>) -> Refusal {
    let code = error.integer("code").unwrap_or_default();
    let message = error.string("message").unwrap_or_default().into_owned();
    let message = match error.get("data").filter(|data| !data.is_null()) {
        Some(data) => format!("{message}: {}", data.plain()),
        None => message,
    };
    Refusal { code, message, is_passing: PASSING.contains(&code) }
}

/// What the name of a channel means: `orderbook.ETH-PERP.1.10`, `74412.balances`.
fn topic(channel: &str) -> Option<Topic> {
    let parts: Vec<&str> = channel.split('.').collect();
    match parts[..] {
        ["orderbook", market, _, _] | ["ticker_slim", market, _] | ["trades", market] => {
            Some(Topic::new(parts[0], Some(market)))
        }
        [subaccount, of] if subaccount.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Topic::new(&format!("subaccount.{of}"), None))
        }
        _ => None,
    }
}
