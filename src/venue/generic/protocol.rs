//! The protocol that a description makes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{InvalidWalletKey, Secret, hex, hmac_sha256, hmac_sha384, hmac_sha512, sign_personal};
use crate::journal::{Plan, RestAnswer};
use crate::model::{Market, Number, Stamp, UnknownReason};
use crate::venue::feed::{Ask, Login, Protocol, REDACTED, Raw, Reading, Refusal, Said, Sent, Topic};
use crate::venue::{Account, Keepalive, KeyAccount, Outgoing, Profile, Rate};

use super::matching::{Frame, at, fill, holds, topic_market, unfill};
use super::spec::{Answer, LoginSpec, Registry, Signer, Spec};

/// A protocol as described.
pub(super) struct Described {
    pub(super) spec: Arc<Spec>,
    profile: Profile,
}

impl Default for Described {
    fn default() -> Self {
        Self { spec: Arc::default(), profile: super::PROFILE.clone() }
    }
}

impl Protocol for Described {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn take_plan(&mut self, plan: &Plan) {
        let Some(spec) = &plan.protocol else { return };
        self.spec = spec.clone();
        self.profile.channels = Cow::Owned(super::channels(spec));
        if let Some(ping) = &spec.ping {
            self.profile.keepalive = Keepalive::Send { frame: Cow::Owned(ping.frame.clone()), every: ping.every };
        }
        self.profile.sends = spec.sends_per_second.map(sends);
    }

    fn registry_path(&self) -> Option<String> {
        self.spec.registry.as_ref().map(|registry| registry.path.clone())
    }

    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing {
        let channel = self.spec.channel.iter().find(|channel| channel.name == ask.channel.method);
        Outgoing::plain(channel.map_or_else(String::new, |channel| filled(&channel.subscribe, ask)))
    }

    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing> {
        let channel = self.spec.channel.iter().find(|channel| channel.name == ask.channel.method)?;
        Some(Outgoing::plain(filled(channel.unsubscribe.as_ref()?, ask)))
    }

    fn sent(&mut self, text: &str) -> Sent {
        for channel in &self.spec.channel {
            if let Some((market, id)) = unfill(&channel.subscribe, text) {
                return Sent::Subscribe { id, topics: vec![Topic::new(&channel.name, market.as_deref())] };
            }
            if let Some((market, id)) = channel.unsubscribe.as_ref().and_then(|template| unfill(template, text)) {
                return Sent::Unsubscribe { id, topics: vec![Topic::new(&channel.name, market.as_deref())] };
            }
        }
        Sent::Other
    }

    fn received(&mut self, text: &str, reading: &mut Reading<'_>) {
        let spec = self.spec.clone();
        let frame = Frame { text, value: Raw::parse(text).ok() };
        super::route::count(&spec, frame, reading);
        if let Some(login) = &spec.login {
            if holds(&login.ack, frame).is_some() {
                return reading.say(Said::LoggedIn);
            }
            if holds(&login.refusal, frame).is_some() {
                let message = text.chars().take(200).collect();
                return reading.say(Said::LoginRefused(Refusal { code: 0, message, is_passing: false }));
            }
        }
        for reply in &spec.reply {
            if holds(&reply.conditions, frame).is_some() {
                return reading.say(Said::Ping { answer: reply.frame.clone() });
            }
        }
        for (answers, is_ack) in [(&spec.ack, true), (&spec.refusal, false)] {
            for answer in answers {
                if let Some(market) = holds(&answer.conditions, frame) {
                    return self.answered(answer, is_ack, market, frame, reading);
                }
            }
        }
        if spec.ignore.iter().any(|known| holds(known, frame).is_some()) || super::route::take(&spec, frame, reading) {
            return;
        }
        match frame.value {
            Some(_) => reading.odd(UnknownReason::UnknownShape, "no route takes it"),
            None => reading.illegible(UnknownReason::InvalidJson, ""),
        }
    }

    fn has_login(&self) -> bool {
        self.spec.login.is_some()
    }

    fn login(&mut self, account: &Account, id: i64, now: Stamp) -> Option<Login> {
        let login = self.spec.login.as_ref()?;
        let Some(account) = account.as_key() else {
            return Some(Login::Impossible("a described protocol logs in with a key and its secret".to_owned()));
        };
        let frame = |account| login_frame(login, account, id, now);
        Some(match (frame(Some(account)), frame(None)) {
            (Ok(text), Ok(journal)) => Login::Frame(Outgoing { text: Secret::new(text), journal, is_login: true }),
            (Err(error), _) | (_, Err(error)) => Login::Impossible(format!("secret: {error}")),
        })
    }

    fn rest(&mut self, _: Option<&Topic>, _: &RestAnswer, body: &str, reading: &mut Reading<'_>) {
        let Some(registry) = &self.spec.registry else { return };
        let rows = Raw::parse(body).ok().and_then(|value| at(value, &registry.rows)).and_then(Raw::array);
        let Some(rows) = rows else { return reading.odd(UnknownReason::UnknownShape, "registry") };
        let markets: Vec<_> = rows.into_iter().filter_map(|row| market(registry, row)).collect();
        reading.say(Said::Listed { assets: Vec::new(), markets, is_whole: true });
    }
}

impl Described {
    fn answered(
        &self,
        answer: &Answer,
        is_ack: bool,
        market: Option<String>,
        frame: Frame<'_>,
        reading: &mut Reading<'_>,
    ) {
        let find = |pointer: &Option<String>| at(frame.value?, pointer.as_ref()?);
        let text = |pointer: &Option<String>| find(pointer).map(|raw| raw.plain().into_owned());
        let id = find(&answer.id).and_then(Raw::integer);
        let code = find(&answer.code).and_then(Raw::integer).unwrap_or(0);
        let refusal = |message: String| Refusal { code, message, is_passing: false };
        if let Some(topics) = find(&answer.topics).and_then(Raw::array) {
            for topic in topics {
                let topic = topic.plain();
                let named = self.spec.channel.iter().find_map(|channel| {
                    let market = topic_market(channel.topic.as_ref()?, &topic)?;
                    Some(Topic::new(&channel.name, market.as_deref()))
                });
                if let Some(topic) = named {
                    reading.say(Said::Acknowledged { id, topic: Some(topic) });
                }
            }
            if id.is_some() {
                let refusal = refusal("it is not among those that were agreed to".to_owned());
                reading.say(Said::Refused { id, topic: None, refusal });
            }
            return;
        }
        let topic = text(&answer.channel)
            .filter(|channel| self.spec.channel.iter().any(|known| known.name == *channel))
            .map(|channel| Topic { channel, market: market.or_else(|| text(&answer.market)) });
        reading.say(match is_ack {
            true => Said::Acknowledged { id, topic },
            false => Said::Refused { id, topic, refusal: refusal(text(&answer.message).unwrap_or_default()) },
        });
    }
}

/// So many frames in any second: half of them at once, the others one by one.
fn sends(per_second: u32) -> Rate {
    let burst = per_second.div_ceil(2).max(1);
    let rest = u64::from(per_second.saturating_sub(burst)) + 1;
    Rate { burst, every: Duration::from_nanos(1_000_000_000_u64.div_ceil(rest)) }
}

fn filled(template: &str, ask: &Ask<'_>) -> String {
    let (id, now) = (ask.id.to_string(), (ask.at.wall.0 / 1_000_000).to_string());
    let market = ask.markets.first().copied().unwrap_or_default();
    fill(template, &[("market", market), ("id", &id), ("now_ms", &now)])
}

/// The login; without an account, what may be kept of it.
fn login_frame(
    login: &LoginSpec,
    account: Option<&KeyAccount>,
    id: i64,
    now: Stamp,
) -> Result<String, InvalidWalletKey> {
    let ms = now.wall.0 / 1_000_000;
    let (id, ms, s) = (id.to_string(), ms.to_string(), (ms / 1_000).to_string());
    let key = account.map_or(REDACTED, |account| account.key.expose());
    let passphrase =
        account.map_or(REDACTED, |account| account.passphrase.as_ref().map_or("", |secret| secret.expose()));
    let values = [("id", id.as_str()), ("now_ms", &ms), ("now_s", &s), ("key", key), ("passphrase", passphrase)];
    let signature = match (login.signer, account) {
        (Some(signer), Some(account)) => signer.sign(&account.secret, &fill(&login.over, &values))?,
        (_, None) => REDACTED.to_owned(),
        (None, Some(_)) => String::new(),
    };
    Ok(fill(&fill(&login.frame, &values), &[("signature", &signature)]))
}

impl Signer {
    fn sign(self, secret: &Secret, message: &str) -> Result<String, InvalidWalletKey> {
        let (key, text) = (secret.expose().as_bytes(), message.as_bytes());
        Ok(match self {
            Self::HmacSha256Hex => hex(&hmac_sha256(key, text)),
            Self::HmacSha256Base64 => STANDARD.encode(hmac_sha256(key, text)),
            Self::HmacSha384Hex => hex(&hmac_sha384(key, text)),
            Self::HmacSha512Hex => hex(&hmac_sha512(key, text)),
            Self::HmacSha512Base64 => STANDARD.encode(hmac_sha512(key, text)),
            Self::Eip191Secp256k1 => sign_personal(secret, message)?,
        })
    }
}

/// A market of the registry; its scales are those of its steps.
fn market(registry: &Registry, row: Raw<'_>) -> Option<Market> {
    let text = |pointer: &str| Some(at(row, pointer)?.plain().into_owned());
    let places = |step: &str| {
        let fraction = step.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
        u8::try_from(fraction.len()).ok()
    };
    let (tick, step) = (text(&registry.tick)?, text(&registry.step)?);
    let price_places = places(&tick)?;
    Some(Market {
        name: text(&registry.name)?,
        base: text(&registry.base)?,
        counter: text(&registry.counter)?,
        base_code: None,
        counter_code: None,
        price_places: Some(price_places),
        quantity_places: Some(places(&step)?),
        tick: Number::of_units(&tick, price_places).and_then(|tick| tick.as_scaled()),
        starts: None,
        expires: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_second_has_more_frames_than_were_allowed(per_second in 1_u32..200) {
            let Rate { burst, every } = sends(per_second);
            // Those at once, and those that follow before a second is over.
            let follow = (1_000_000_000 - 1) / every.as_nanos();
            let most = u128::from(burst) + follow;
            proptest::prop_assert!(most <= u128::from(per_second) && most + 1 >= u128::from(per_second), "{most}");
        }
    }
}
