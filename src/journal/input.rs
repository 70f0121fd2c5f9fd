//! What a session can be given.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Catalog, CloseCause, MarketPattern, SessionId, StreamKey, Timestamp, UserId};
use crate::venue::generic::Spec;

use super::Record;

/// The kinds of journal records. The numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// Dialling begins; body: [`Plan`] as JSON. The first record of a session.
    Connecting = 0,
    /// The catalog in force from here on; body: [`Catalog`] as JSON.
    Catalog = 1,
    /// The socket is open; body: [`Opened`] as JSON.
    Opened = 2,
    /// A text frame was handed to the socket; body: its text, secrets redacted.
    Sent = 3,
    /// A text frame arrived; body: its bytes.
    Received = 4,
    /// A binary frame arrived; body: its bytes.
    ReceivedBinary = 5,
    /// A REST answer arrived; body: [`RestAnswer`] as JSON, a line feed, the answer's body.
    Rest = 6,
    /// A deadline of the session passed; no body.
    Timer = 7,
    /// The session ended; body: [`Closed`] as JSON. The last record of a session.
    Closed = 8,
    /// The configuration changed what is wanted; body: the new [`Plan`] as JSON.
    Replanned = 9,
    /// The sink did not take a batch for a while and the socket was not read; body: from and to as JSON.
    Stalled = 10,
    /// A run of the recorder began (journal of the recorder only); body: JSON.
    RunStarted = 11,
    /// A run of the recorder ended in order (journal of the recorder only); body: JSON.
    RunEnded = 12,
    /// Process or machine stood still and the socket was not read; body: from and to as JSON.
    Suspended = 13,
    /// Another connection takes a second look; body: [`Look`] as JSON, a line feed, what was answered.
    Look = 14,
}

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::Connecting,
        Self::Catalog,
        Self::Opened,
        Self::Sent,
        Self::Received,
        Self::ReceivedBinary,
        Self::Rest,
        Self::Timer,
        Self::Closed,
        Self::Replanned,
        Self::Stalled,
        Self::RunStarted,
        Self::RunEnded,
        Self::Suspended,
        Self::Look,
    ];

    /// The kind of that number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The text that tables and the command line use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Catalog => "catalog",
            Self::Opened => "opened",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::ReceivedBinary => "received_binary",
            Self::Rest => "rest",
            Self::Timer => "timer",
            Self::Closed => "closed",
            Self::Replanned => "replanned",
            Self::Stalled => "stalled",
            Self::RunStarted => "run_started",
            Self::RunEnded => "run_ended",
            Self::Suspended => "suspended",
            Self::Look => "look",
        }
    }
}

/// What one source is to record: everything a session must know, without secrets. Journalled with every session, so
/// that a rebuild needs nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The source's name.
    pub source: String,
    /// The venue's name, as in [`crate::venue::VENUES`].
    pub venue: String,
    /// Where the socket goes.
    pub url: String,
    /// Who logs in, by the number that CoinFLEX has for users; `None` on other venues, and to record public data only.
    pub user: Option<UserId>,
    /// Whether somebody logs in on a venue that does not number users.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logs_in: bool,
    /// Why the session must not try to log in although there is a user: refused before, or the budget is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_withheld: Option<String>,
    /// Whether this is the source's first session of the run.
    pub first: bool,
    /// What to subscribe to.
    pub subscribe: Vec<SubscribePlan>,
    /// What to ask for again and again.
    pub poll: Vec<PollPlan>,
    /// The protocol, where the configuration describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Arc<Spec>>,
    /// Whether the session only takes a second look at what another records.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_look: bool,
    /// Time-outs.
    pub timing: Timing,
    /// Whether another session of the source records the same at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
}

/// What a session is to another one of its source while there are two, because the venue ends connections for their age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The other one speaks for the streams. A plan without an overlap has this one speak.
    Newcomer,
    /// The other one speaks for the streams from here on, and this one ends.
    HandedOver {
        /// The streams of which nothing proves that the other one goes on where this one was.
        unjoined: Vec<StreamKey>,
    },
}

/// A subscription as the configuration asks for it; markets may be wildcards, which the session resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribePlan {
    /// The venue's method or channel (`WatchOrders`).
    pub method: String,
    /// Market patterns: `XBT:USDT`, `ETH:*`, `*`, or codes `63488:65283`.
    pub markets: Vec<MarketPattern>,
    /// Silence longer than this, while the link answers, is a gap; `None`: silence says nothing.
    pub stale_after: Option<Duration>,
    /// What was chosen of the channel (`depth`), as the venue writes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A request to repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollPlan {
    /// The venue's method (`GetBalances`) or REST path family (`tickers`, `depth`).
    pub method: String,
    /// How often.
    pub every: Duration,
    /// Market patterns, where the method takes a market.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub markets: Vec<MarketPattern>,
    /// Asset name or code, where the method takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Decimal quantity, for an estimate by quantity; negative to sell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Decimal total, for an estimate by total; negative to sell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
}

impl Plan {
    /// Whether somebody is to log in.
    #[must_use]
    pub fn wants_login(&self) -> bool {
        self.user.is_some() || self.logs_in
    }

    /// The plan of those who take a second look at what this one has recorded: nobody logs in, nothing is polled.
    #[must_use]
    pub fn look(&self) -> Self {
        let nobody = Self { user: None, logs_in: false, login_withheld: None, ..self.clone() };
        Self { is_look: true, first: false, poll: Vec::new(), ..nobody }
    }
}

/// Time-outs of a session. Journalled, because they decide what its timers conclude.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The greeting must come within this after the upgrade.
    pub greeting: Duration,
    /// A reply must come within this after its command.
    pub reply: Duration,
    /// Wait after the venue said that logins come too rapidly.
    pub login_retry: Duration,
    /// After a longer silence, pings unanswered, the link has been given up.
    #[serde(default = "Timing::silence")]
    pub silence: Duration,
}

impl Timing {
    fn silence() -> Duration {
        Duration::from_secs(40)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            reply: Duration::from_secs(10),
            login_retry: Duration::from_secs(15 * 60),
            silence: Self::silence(),
        }
    }
}

/// The socket is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The peer's address.
    pub peer: Option<String>,
}

/// The session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Why.
    pub cause: CloseCause,
    /// Close code or HTTP status.
    pub code: Option<i64>,
    /// What is known beyond, one clause, without secrets.
    pub detail: String,
    /// When bytes last arrived, a pong's among them, on a link that gave out ([`CloseCause::gave_out`]): what the venue
    /// sent since may be lost, so nothing is claimed of the time from then on. `None`: everything before the end came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
}

impl Closed {
    /// An end of which there is no code, and no more to say than why.
    #[must_use]
    pub fn new(cause: CloseCause, detail: impl Into<String>) -> Self {
        Self { cause, code: None, detail: detail.into(), heard_at: None }
    }
}

/// A REST answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestAnswer {
    /// The request's place among the session's REST requests, from 0.
    pub request: u64,
    /// What was asked: method and path, without credentials.
    pub path: String,
    /// HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// News of a second look, for the session that records what is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The session that looks.
    pub session: SessionId,
    /// How far it has come.
    pub stage: LookStage,
}

/// How far a second look has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookStage {
    /// It begins; nothing was asked yet.
    Begun,
    /// It was taken of one thing that is recorded.
    Taken(LookTaken),
    /// It is over, or failed.
    Ended,
}

/// A second look that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookTaken {
    /// What was asked, as it went out.
    pub command: String,
    /// When, by the monotonic clock of [`crate::model::Stamp`].
    pub asked_mono: i64,
}

/// One input of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// Dialling begins.
    Connecting(Arc<Plan>),
    /// This catalog is in force from here on.
    Catalog(Arc<Catalog>),
    /// The socket is open.
    Opened(Opened),
    /// A text frame was handed to the socket.
    Sent(&'a [u8]),
    /// A text frame arrived.
    Received(&'a [u8]),
    /// A binary frame arrived.
    ReceivedBinary(&'a [u8]),
    /// A REST answer arrived.
    Rest(RestAnswer, Cow<'a, [u8]>),
    /// The session's deadline passed.
    Timer,
    /// The session ended.
    Closed(Closed),
    /// The configuration changed what is wanted.
    Replanned(Arc<Plan>),
    /// The socket was not read from the first to the second wall-clock instant, because the sink took nothing.
    Stalled(Timestamp, Timestamp),
    /// The socket was not read from the first to the second wall-clock instant, because process or machine stood still, or
    /// the time between was left out: the clock was set forward.
    Suspended(Timestamp, Timestamp),
    /// Another connection takes a second look; with what was answered, if something was.
    Look(Look, Cow<'a, [u8]>),
}

/// A journal record that is no session input, or whose body cannot be read.
#[derive(Debug, Error)]
pub enum InputError {
    /// The recorder's own records are no session's inputs.
    #[error("a {0} record is no input of a session")]
    NotAnInput(&'static str),
    /// The body is not what its kind says.
    #[error("a {kind} record cannot be read: {source}")]
    Body {
        /// The record's kind.
        kind: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
}

impl<'a> Input<'a> {
    /// The input that a record stands for.
    ///
    /// # Errors
    /// If the record is none, or its body is damaged.
    pub fn from_record(record: &Record<'a>) -> Result<Self, InputError> {
        let kind = record.kind.as_str();
        let body = |source| InputError::Body { kind, source };
        Ok(match record.kind {
            RecordKind::Connecting => Self::Connecting(serde_json::from_slice(record.body).map_err(body)?),
            RecordKind::Catalog => Self::Catalog(serde_json::from_slice(record.body).map_err(body)?),
            RecordKind::Opened => Self::Opened(serde_json::from_slice(record.body).map_err(body)?),
            RecordKind::Sent => Self::Sent(record.body),
            RecordKind::Received => Self::Received(record.body),
            RecordKind::ReceivedBinary => Self::ReceivedBinary(record.body),
            RecordKind::Rest => {
                let (head, answer) = head_and_answer(record.body);
                Self::Rest(serde_json::from_slice(head).map_err(body)?, Cow::Borrowed(answer))
            }
            RecordKind::Look => {
                let (head, answer) = head_and_answer(record.body);
                Self::Look(serde_json::from_slice(head).map_err(body)?, Cow::Borrowed(answer))
            }
            RecordKind::Timer => Self::Timer,
            RecordKind::Closed => Self::Closed(serde_json::from_slice(record.body).map_err(body)?),
            RecordKind::Replanned => Self::Replanned(serde_json::from_slice(record.body).map_err(body)?),
            RecordKind::Stalled => {
                let (from, to) = serde_json::from_slice(record.body).map_err(body)?;
                Self::Stalled(from, to)
            }
            RecordKind::Suspended => {
                let (from, to) = serde_json::from_slice(record.body).map_err(body)?;
                Self::Suspended(from, to)
            }
            RecordKind::RunStarted | RecordKind::RunEnded => return Err(InputError::NotAnInput(kind)),
        })
    }

    /// Kind and body of the record that stands for this input.
    #[must_use]
    pub fn to_record(&self) -> (RecordKind, Cow<'_, [u8]>) {
        fn json<'b>(value: &impl Serialize) -> Cow<'b, [u8]> {
            // None of these types has a map with keys that are no strings, which is all that could fail.
            Cow::Owned(serde_json::to_vec(value).unwrap_or_default())
        }
        match self {
            Self::Connecting(plan) => (RecordKind::Connecting, json(plan)),
            Self::Catalog(catalog) => (RecordKind::Catalog, json(catalog)),
            Self::Opened(opened) => (RecordKind::Opened, json(opened)),
            Self::Sent(body) => (RecordKind::Sent, Cow::Borrowed(*body)),
            Self::Received(body) => (RecordKind::Received, Cow::Borrowed(*body)),
            Self::ReceivedBinary(body) => (RecordKind::ReceivedBinary, Cow::Borrowed(*body)),
            Self::Rest(answer, body) => (RecordKind::Rest, Cow::Owned([&json(answer), &b"\n"[..], body].concat())),
            Self::Look(look, body) => (RecordKind::Look, Cow::Owned([&json(look), &b"\n"[..], body].concat())),
            Self::Timer => (RecordKind::Timer, Cow::Borrowed(&[])),
            Self::Closed(closed) => (RecordKind::Closed, json(closed)),
            Self::Replanned(plan) => (RecordKind::Replanned, json(plan)),
            Self::Stalled(from, to) => (RecordKind::Stalled, json(&(from, to))),
            Self::Suspended(from, to) => (RecordKind::Suspended, json(&(from, to))),
        }
    }
}

/// What a body says in its first line, and what follows that.
fn head_and_answer(body: &[u8]) -> (&[u8], &[u8]) {
    let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
    (&body[..end], body.get(end + 1..).unwrap_or_default())
}
