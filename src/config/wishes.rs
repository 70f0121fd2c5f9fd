//! `[[source.subscribe]]` and `[[source.poll]]`: what a source is to record, against what its venue offers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::journal::{PollPlan, SubscribePlan};
use crate::model::MarketPattern;
use crate::venue::{Channel, Poll, PollSubject, Venue};

use super::document::{Field, Section};
use super::error::Place;
use super::source::{DURATION_MAX, TIMEOUT_MIN};
use crate::near::or_else_known;

/// Shortest interval of a poll.
const POLL_MIN: Duration = Duration::from_millis(100);

/// The markets and assets that the configuration names, each with its place, for the check against a catalog.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub(super) markets: Vec<(Place, MarketPattern)>,
    pub(super) assets: Vec<(Place, String)>,
}

/// Reads what a source is to record, against what its venue offers.
pub(super) struct Wishes {
    pub(super) venue: Option<&'static dyn Venue>,
    pub(super) can_log_in: bool,
    pub(super) has_rest: bool,
    /// What can be subscribed to.
    pub(super) channels: Vec<Channel>,
    /// The name of the endpoint, if it was given by name.
    pub(super) endpoint: Option<String>,
    pub(super) named: Named,
}

impl Wishes {
    pub(super) fn subscribe(&mut self, mut section: Section<'_>) -> Option<SubscribePlan> {
        let channels = self.venue.map(|_| &self.channels);
        let channel = section.required("method", "name what to subscribe to", |field| {
            let text = field.text("a method")?;
            let channels = channels?;
            match channels.iter().find(|channel| channel.method == text) {
                Some(channel) if channel.needs_login && !self.can_log_in => no_login(field, text),
                Some(channel) => self.at_endpoint(field, channel).cloned(),
                None => unknown_method(field, text, channels.iter().map(|channel| channel.method.as_ref())),
            }
        });
        let markets = match &channel {
            Some(channel) if !channel.by_market => {
                if section.get("markets").is_some() {
                    section.fail("markets", format!("`{}` is for all markets; leave this out", channel.method));
                }
                Some(Vec::new())
            }
            _ => section.required("markets", "name them, or write [\"*\"] for all", read_patterns),
        };
        let stale_after = section.get("stale_after").map(|field| field.duration(TIMEOUT_MIN..=DURATION_MAX));
        let options = channel.as_ref().map(|channel| read_options(&mut section, channel));
        section.finish();
        let markets = self.name_markets(markets?);
        let (method, stale_after) = (channel?.method.to_string(), optional(stale_after)?);
        Some(SubscribePlan { method, markets, stale_after, options: options?? })
    }

    pub(super) fn poll(&mut self, mut section: Section<'_>) -> Option<PollPlan> {
        let polls = self.venue.map(|venue| venue.profile().polls);
        let poll = section.required("method", "name what to ask for", |field| {
            let text = field.text("a method")?;
            let polls = polls?;
            match polls.iter().find(|poll| poll.method == text) {
                Some(poll) if poll.needs_login && !self.can_log_in => no_login(field, text),
                Some(poll) if poll.by_rest && !self.has_rest => {
                    field.fail(format!("`{text}` goes by REST; add rest_url to the source, or leave this out"))
                }
                Some(poll) => Some(poll),
                None => unknown_method(field, text, polls.iter().map(|poll| poll.method)),
            }
        });
        let every = section
            .required("every", "say how often, such as \"10s\"", |field| field.duration(POLL_MIN..=DURATION_MAX));
        let markets = section.get("markets").map(|field| read_patterns(&field));
        let asset = section.get("asset").map(|field| Some((field.place(), field.text("an asset")?.to_owned())));
        let quantity = section.get("quantity").map(|field| field.decimal().map(str::to_owned));
        let total = section.get("total").map(|field| field.decimal().map(str::to_owned));
        if let Some(poll) = poll {
            check_subject(&section, poll);
        }
        section.finish();
        let asset = optional(asset)?;
        self.named.assets.extend(asset.clone());
        Some(PollPlan {
            method: poll?.method.to_owned(),
            every: every?,
            markets: self.name_markets(optional(markets)?.unwrap_or_default()),
            asset: asset.map(|(_, name)| name),
            quantity: optional(quantity)?,
            total: optional(total)?,
        })
    }

    /// The channel, if the endpoint that is used has it.
    fn at_endpoint<'c>(&self, field: &Field<'_>, channel: &'c Channel) -> Option<&'c Channel> {
        match self.endpoint.as_deref() {
            Some(endpoint) if !channel.endpoints.is_empty() && !channel.endpoints.contains(&endpoint) => {
                let there = channel.endpoints.join("`, `");
                field.fail(format!("the endpoint `{endpoint}` does not have `{}`; it is at `{there}`", channel.method))
            }
            _ => Some(channel),
        }
    }

    fn name_markets(&mut self, markets: Vec<(Place, MarketPattern)>) -> Vec<MarketPattern> {
        let patterns = markets.iter().map(|(_, pattern)| pattern.clone()).collect();
        self.named.markets.extend(markets);
        patterns
    }
}

/// A key that may be absent (`Some(None)`), but not wrong (`None`).
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |value| value.map(Some))
}

/// What is chosen of a channel, or its defaults.
fn read_options(section: &mut Section<'_>, channel: &Channel) -> Option<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for option in channel.options {
        let choices: Vec<_> = option.values.iter().map(|value| (*value, *value)).collect();
        let chosen = match section.get(option.name) {
            Some(field) => Some(field.word().and_then(|word| field.choice_of(&word, &choices))?),
            None => option.default,
        };
        options.extend(chosen.map(|value| (option.name.to_owned(), value.to_owned())));
    }
    Some(options)
}

fn no_login<T>(field: &Field<'_>, method: &str) -> Option<T> {
    field.fail(format!("`{method}` needs a login; add [source.account], or leave this out"))
}

fn unknown_method<'a, T>(field: &Field<'_>, text: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<T> {
    field.fail(format!("unknown method {}{}", field.quote(text), or_else_known(text, known)))
}

/// Reports the arguments that a poll lacks, and those it does not take.
fn check_subject(section: &Section<'_>, poll: &Poll) {
    let (needs, takes): (&[&str], &[&str]) = match poll.about {
        PollSubject::Whole => (&[], &[]),
        PollSubject::Asset => (&["asset"], &["asset"]),
        PollSubject::Markets => (&["markets"], &["markets"]),
        PollSubject::MarketsOrAll => (&[], &["markets"]),
        PollSubject::Estimate => (&["markets"], &["markets", "quantity", "total"]),
    };
    let method = poll.method;
    for key in ["markets", "asset", "quantity", "total"] {
        if section.has(key) && !takes.contains(&key) {
            section.fail(key, format!("`{method}` takes no `{key}`; leave it out"));
        } else if !section.has(key) && needs.contains(&key) {
            section.fail(key, format!("missing; `{method}` needs it"));
        }
    }
    if poll.about == PollSubject::Estimate && section.has("quantity") == section.has("total") {
        section.fail("quantity", format!("`{method}` takes either `quantity` or `total`; negative to sell"));
    }
}

/// A list of patterns for markets, each with its place. Never empty.
pub(super) fn read_patterns(field: &Field<'_>) -> Option<Vec<(Place, MarketPattern)>> {
    let fields = field.list()?;
    if fields.is_empty() {
        return field.fail("no markets; name some, such as \"XBT:USDT\", \"ETH:*\", or \"*\" for all");
    }
    // All are read before any missing one ends it, so that every mistake is told.
    let patterns: Vec<_> = fields.iter().map(read_pattern).collect();
    patterns.into_iter().collect()
}

fn read_pattern(field: &Field<'_>) -> Option<(Place, MarketPattern)> {
    match MarketPattern::parse(field.text("a market, such as \"XBT:USDT\"")?) {
        Ok(pattern) => Some((field.place(), pattern)),
        Err(error) => field.fail(error.to_string()),
    }
}
