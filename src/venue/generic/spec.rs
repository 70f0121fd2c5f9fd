//! A protocol as a configuration describes it: `[source.protocol]`. Journalled with every session, so that a rebuild
//! reads the frames as they were read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a value at a pointer must be. `*` is any; a text with `{market}` names the market in that place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Expected {
    /// True or false.
    Boolean(bool),
    /// An integer, sent as a number or as a text.
    Integer(i64),
    /// A text.
    Text(String),
}

/// What must hold of a frame: JSON pointers (RFC 6901) with what is there. The pointer `""` is the whole frame, which
/// need not be JSON then.
pub type Conditions = BTreeMap<String, Expected>;

/// A protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What can be subscribed to.
    pub channel: Vec<ChannelSpec>,
    /// Frames that agree to a subscription.
    #[serde(default)]
    pub ack: Vec<Answer>,
    /// Frames that refuse one.
    #[serde(default)]
    pub refusal: Vec<Answer>,
    /// What keeps the connection alive.
    #[serde(default)]
    pub ping: Option<Ping>,
    /// Frames that want an answer.
    #[serde(default)]
    pub reply: Vec<Reply>,
    /// Frames with nothing to record: pongs, heartbeats.
    #[serde(default)]
    pub ignore: Vec<Conditions>,
    /// How to log in.
    #[serde(default)]
    pub login: Option<LoginSpec>,
    /// Where the markets are listed.
    #[serde(default)]
    pub registry: Option<Registry>,
    /// At most so many frames in a second.
    #[serde(default)]
    pub sends_per_second: Option<u32>,
}

/// Something to subscribe to. `{market}`, `{id}` and `{now_ms}` stand for what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSpec {
    /// Its name.
    pub name: String,
    /// The frame that asks for it.
    pub subscribe: String,
    /// The frame that asks for no more of it.
    #[serde(default)]
    pub unsubscribe: Option<String>,
    /// The venue's name of a subscription to it, where answers list those.
    #[serde(default)]
    pub topic: Option<String>,
    /// Whether it needs a login.
    #[serde(default)]
    pub needs_login: bool,
    /// The unit of its times.
    #[serde(default)]
    pub time_unit: Option<Unit>,
    /// What its completeness is judged by.
    #[serde(default)]
    pub integrity: IntegritySpec,
    /// Where its messages go.
    pub route: Vec<Route>,
}

impl ChannelSpec {
    /// Whether it is subscribed market by market; else there is one for all.
    #[must_use]
    pub fn is_by_market(&self) -> bool {
        self.subscribe.contains("{market}")
    }
}

/// The unit of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds since 1970.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
    /// A text by RFC 3339.
    Rfc3339,
}

/// What completeness is judged by, with pointers into the frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum IntegritySpec {
    /// A number greater by `step` than the last.
    Counter {
        /// Where it is.
        at: String,
        /// By how much.
        #[serde(default = "one")]
        step: u64,
        /// A number that means that the venue began anew.
        #[serde(default)]
        restart: Option<u64>,
        /// How many may overtake one before it is missing.
        #[serde(default)]
        reorder: u8,
        /// Whether all frames of the connection are counted.
        #[serde(default)]
        whole_connection: bool,
    },
    /// The name of the message before.
    Chain {
        /// Where its own is.
        at: String,
        /// Where that of the one before is.
        previous: String,
    },
    /// The numbers of its first and last change.
    Range {
        /// Where the first is.
        first: String,
        /// Where the last is.
        last: String,
    },
    /// A time that never goes back.
    TimeOnly,
    /// The whole state in each message.
    SelfContained,
    /// Nothing.
    #[default]
    None,
}

fn one() -> u64 {
    1
}

/// Where the rows of a message come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which frames it takes.
    #[serde(rename = "match")]
    pub conditions: Conditions,
    /// What they become.
    pub table: Table,
    /// Where the market's name is in the frame, if no condition tells.
    #[serde(default)]
    pub market: Option<String>,
    /// Where the market's name is in each row.
    #[serde(default)]
    pub row_market: Option<String>,
    /// Where the rows are: a list, or one; levels have their own places.
    #[serde(default)]
    pub rows: String,
    /// Which of the frames have all there is; none: they have what changed.
    #[serde(default)]
    pub snapshot: Option<Conditions>,
    /// Where in a row (for `time` also in the frame, if it begins with `frame:`) a column is.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// What texts say that the taker buys.
    #[serde(default)]
    pub buy: Vec<String>,
    /// Where the levels of the bids are.
    #[serde(default)]
    pub bids: Option<String>,
    /// Where those of the asks are.
    #[serde(default)]
    pub asks: Option<String>,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Trades: columns `price`, `quantity`, `side`, `id`, `time`.
    Trades,
    /// Tickers: columns `last`, `bid`, `ask`, `low`, `high`, `volume`, `bid_quantity`, `ask_quantity`, `time`.
    Tickers,
    /// Price levels: columns `price`, `quantity` of a level, `time` of the frame.
    BookLevels,
}

/// A frame that answers a request to subscribe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which frames.
    #[serde(rename = "match")]
    pub conditions: Conditions,
    /// Where the request's number is.
    #[serde(default)]
    pub id: Option<String>,
    /// Where the channel's name is.
    #[serde(default)]
    pub channel: Option<String>,
    /// Where the market's name is, if no condition tells.
    #[serde(default)]
    pub market: Option<String>,
    /// Where a list is of the subscriptions that are agreed to; what it leaves out is refused.
    #[serde(default)]
    pub topics: Option<String>,
    /// Where the reason is.
    #[serde(default)]
    pub message: Option<String>,
    /// Where its code is.
    #[serde(default)]
    pub code: Option<String>,
}

/// A frame to send again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// How often.
    #[serde(with = "humane")]
    pub every: Duration,
    /// What.
    pub frame: String,
}

/// A frame that wants an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Which frames.
    #[serde(rename = "match")]
    pub conditions: Conditions,
    /// What to answer.
    pub frame: String,
}

/// How to log in: a frame in which `{key}`, `{passphrase}`, `{now_ms}`, `{now_s}`, `{id}` and `{signature}` stand for
/// what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginSpec {
    /// The frame.
    pub frame: String,
    /// How it is signed.
    #[serde(default)]
    pub signer: Option<Signer>,
    /// What is signed.
    #[serde(default)]
    pub over: String,
    /// Frames that agree.
    pub ack: Conditions,
    /// Frames that refuse.
    pub refusal: Conditions,
}

/// A way to sign, with the account's secret as the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// HMAC-SHA256, in hexadecimal digits.
    HmacSha256Hex,
    /// HMAC-SHA256, in base64.
    HmacSha256Base64,
    /// HMAC-SHA384, in hexadecimal digits.
    HmacSha384Hex,
    /// HMAC-SHA512, in hexadecimal digits.
    HmacSha512Hex,
    /// HMAC-SHA512, in base64.
    HmacSha512Base64,
    /// A personal signature of an Ethereum wallet (EIP-191), `0x` and 65 bytes in hexadecimal digits; the secret is the
    /// private key.
    Eip191Secp256k1,
}

/// Where the markets are listed: a REST answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Path and query.
    pub path: String,
    /// Where the list is.
    pub rows: String,
    /// Where in a row the market's name is.
    pub name: String,
    /// Where its base asset is.
    pub base: String,
    /// Where its counter asset is.
    pub counter: String,
    /// Where the smallest step of its prices is, such as `0.01`.
    pub tick: String,
    /// Where the smallest step of its quantities is.
    pub step: String,
}

mod humane {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
