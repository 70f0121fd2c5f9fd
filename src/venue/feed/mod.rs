//! What venues with JSON messages and decimal numbers have in common, written once.
//!
//! [`Feed`] is a session: it resolves what is wanted, asks for it in batches and at the venue's pace, matches
//! acknowledgements, keeps the connection alive, follows the numbers of messages, and says of each stream what can be
//! said of it. A venue is a [`Protocol`]: its [`Profile`] as data, and functions from frames to what they say.
//!
//! A gap in one market has that market alone taken up anew; its messages are kept and become rows meanwhile.

mod asking;
mod heard;
mod integrity;
mod json;
mod listing;
mod markets;
mod overlap;
mod pace;
mod reading;
mod recent;
pub(in crate::venue) mod redacted;
mod session;
mod splice;
mod tracker;

use std::collections::BTreeMap;

use crate::journal::{Plan, RestAnswer};
use crate::model::{Asset, Market, Stamp, Timestamp};
use crate::venue::{Account, Channel, Outgoing, Profile, RestRequest};

pub(in crate::venue) use json::{Fields, Raw};
pub(in crate::venue) use listing::listing;
pub(in crate::venue) use markets::{asset, increment};
pub(in crate::venue) use reading::{Reading, id};
pub(in crate::venue) use recent::Recent;
pub(in crate::venue) use redacted::REDACTED;
pub(in crate::venue) use session::Feed;
pub(in crate::venue) use tracker::{Kind, Position};

/// A subscription: a channel, and a market where it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::venue) struct Topic {
    /// The channel's name.
    pub channel: String,
    /// The market's name.
    pub market: Option<String>,
}

impl Topic {
    pub(in crate::venue) fn new(channel: &str, market: Option<&str>) -> Self {
        Self { channel: channel.to_owned(), market: market.map(str::to_owned) }
    }
}

/// What to ask the venue for in one frame.
pub(in crate::venue) struct Ask<'a> {
    /// The request's number, from 1.
    pub id: i64,
    /// The channel.
    pub channel: &'a Channel,
    /// The markets; none for a channel that is for all.
    pub markets: &'a [&'a str],
    /// What was chosen of the channel.
    pub options: &'a BTreeMap<String, String>,
    /// Now, for what is signed.
    pub at: Stamp,
}

/// What a frame that went out was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::venue) enum Sent {
    /// It asked for these.
    Subscribe {
        /// The request's number.
        id: Option<i64>,
        /// What for.
        topics: Vec<Topic>,
    },
    /// It asked for no more of these.
    Unsubscribe {
        /// The request's number.
        id: Option<i64>,
        /// Of what.
        topics: Vec<Topic>,
    },
    /// It logs in.
    Login {
        /// The request's number.
        id: Option<i64>,
    },
    /// Something that needs no answer, such as a ping.
    Other,
}

/// How to begin a login.
pub(in crate::venue) enum Login {
    /// With a frame.
    Frame(Outgoing),
    /// With a request, whose answer is secret. Its number is filled in.
    Rest(RestRequest),
    /// Not at all: the account cannot be used, one clause without secrets.
    Impossible(String),
}

/// Why a venue refuses something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::venue) struct Refusal {
    /// Its code; 0 if it has none.
    pub code: i64,
    /// What it said.
    pub message: String,
    /// Whether asking again may help.
    pub is_passing: bool,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::venue) enum Said {
    /// It agrees to what was asked for: to one thing, or to all of a request.
    Acknowledged {
        /// The request's number, if it says.
        id: Option<i64>,
        /// To what, if it says.
        topic: Option<Topic>,
    },
    /// It refuses, likewise.
    Refused {
        /// The request's number, if it says.
        id: Option<i64>,
        /// What, if it says.
        topic: Option<Topic>,
        /// Why.
        refusal: Refusal,
    },
    /// Data of a stream came; its events have been put.
    Data {
        /// Of which.
        topic: Topic,
        /// All there is, or what changed.
        kind: Kind,
        /// Where it stands among the others.
        position: Position,
        /// The venue's time.
        time: Option<Timestamp>,
        /// Whether something of it could not be read.
        is_damaged: bool,
    },
    /// Where this frame stands among all of the connection.
    Frame(Position),
    /// It wants this answered.
    Ping {
        /// With what.
        answer: String,
    },
    /// It agrees to the login.
    LoggedIn,
    /// It refuses the login.
    LoginRefused(Refusal),
    /// A login is needed anew.
    LoginExpired,
    /// It wants the connection to be made anew.
    Reconnect(String),
    /// What it lists.
    Listed {
        /// Assets.
        assets: Vec<Asset>,
        /// Markets.
        markets: Vec<Market>,
        /// Whether these are all.
        is_whole: bool,
    },
    /// The frame might have been anything of any stream.
    Illegible,
}

/// A venue's protocol: data, and functions from frames to what they say.
pub(in crate::venue) trait Protocol: Send {
    /// What the venue offers and how it behaves.
    fn profile(&self) -> &Profile;

    /// Is given what is to be recorded, before anything else.
    fn take_plan(&mut self, plan: &Plan) {
        let _ = plan;
    }

    /// The channel that lists the markets, for venues that do so in band; it is asked for before all others.
    fn registry_channel(&self) -> Option<&str> {
        None
    }

    /// Path and query of a REST answer that lists the markets, for sessions that ask for it themselves.
    fn registry_path(&self) -> Option<String> {
        None
    }

    /// A frame that asks for something.
    fn subscribe(&self, ask: &Ask<'_>) -> Outgoing;

    /// A frame that asks for no more of it; `None` if there is none, and asking again has the same effect.
    fn unsubscribe(&self, ask: &Ask<'_>) -> Option<Outgoing>;

    /// What a frame was that went out, secrets redacted. The inverse of the two above.
    fn sent(&mut self, text: &str) -> Sent;

    /// Reads a frame.
    fn received(&mut self, text: &str, reading: &mut Reading<'_>);

    /// Whether there is a login at all, once for a connection; not so where each request to subscribe is signed.
    fn has_login(&self) -> bool {
        true
    }

    /// Begins a login; `None` if each request to subscribe is signed instead. `id` is a fresh request's number.
    fn login(&mut self, account: &Account, id: i64, at: Stamp) -> Option<Login> {
        let _ = (account, id, at);
        None
    }

    /// Is given the answer to [`Login::Rest`], to keep what is secret in it.
    fn entrust(&mut self, answer: &[u8]) {
        let _ = answer;
    }

    /// What the answer to [`Login::Rest`] says, secrets redacted.
    fn login_answer(&self, answer: &[u8]) -> Result<(), Refusal> {
        let _ = answer;
        Ok(())
    }

    /// Path and query of the REST snapshot of a stream.
    fn snapshot_path(&self, topic: &Topic) -> Option<String> {
        let _ = topic;
        None
    }

    /// Reads a REST answer of status 200. `topic`: what it was asked for, if that is known; a capture has only the path.
    fn rest(&mut self, topic: Option<&Topic>, answer: &RestAnswer, body: &str, reading: &mut Reading<'_>) {
        let _ = (topic, answer, body, reading);
    }

    /// Forgets what it knows of a stream's state, until the next snapshot.
    fn forget(&mut self, topic: &Topic) {
        let _ = topic;
    }
}
