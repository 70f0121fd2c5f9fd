//! Commands as they went out, and the table that replies are matched with by tag.

use std::collections::HashMap;

use crate::model::{AssetCode, Event, MarketRef, Quantity, Seq, StreamRef};

use super::decode::Message;
use super::fields::{Field, Key};
use super::markets::Markets;
use super::notice::Places;
use super::read::{Problems, Reader};

/// Declares the methods of the protocol.
macro_rules! methods {
    ($($variant:ident,)*) => {
        /// A command's method.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) enum Method {
            $($variant,)*
            /// One that the protocol does not have.
            Unknown(String),
        }

        impl Method {
            pub(super) fn parse(name: &str) -> Self {
                match name { $(stringify!($variant) => Self::$variant,)* _ => Self::Unknown(name.to_owned()) }
            }

            pub(super) fn as_str(&self) -> &str {
                match self { $(Self::$variant => stringify!($variant),)* Self::Unknown(name) => name }
            }
        }
    };
}

methods! {
    Authenticate,
    GetBalances,
    GetOrders,
    EstimateMarketOrder,
    PlaceOrder,
    ModifyOrder,
    CancelOrder,
    CancelAllOrders,
    GetTradeVolume,
    WatchOrders,
    WatchTicker,
}

/// A command that awaits its reply.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Its place in the journal.
    pub(super) seq: Seq,
    pub(super) method: Method,
    pub(super) tag: Option<i64>,
    /// The stream it asks for, or polls.
    pub(super) stream: Option<StreamRef>,
    /// The market it names.
    pub(super) market: Option<MarketRef>,
    /// The asset it names.
    pub(super) asset: Option<AssetCode>,
    /// For a watch command: to begin or to end.
    pub(super) watch: bool,
    /// For an estimate: the quantity asked for.
    pub(super) quantity: Option<Quantity>,
    /// For an estimate: the total asked for.
    pub(super) total: Option<Quantity>,
    /// When its reply is overdue, by the monotonic clock.
    pub(super) deadline: i64,
    /// Whether something came since that was not understood, and may have been a change of what it is answered with.
    pub(super) is_spoilt: bool,
}

impl Request {
    /// Reads a command that went out. `None` if it has no method (the keepalive of old clients).
    pub(super) fn read(
        text: &str,
        message: &Message<'_>,
        seq: Seq,
        deadline: i64,
        markets: &mut Markets,
        events: &mut Vec<Event>,
    ) -> Option<Self> {
        let method = Method::parse(message.method.as_deref()?);
        let fields = &message.fields;
        let codes = fields.int(Key::Base).zip(fields.int(Key::Counter));
        let market = codes.map(|(base, counter)| markets.meet((AssetCode(base), AssetCode(counter)), events));
        let (mut quantity, mut total) = (None, None);
        if let Some(market) = market {
            let places = Places::of(markets, market);
            // What is wrong with a command of our own shows in its reply.
            let mut problems = Problems::default();
            let mut read = Reader::new(text, fields, &mut problems);
            quantity = read.quantity(Key::Quantity, places.quantity);
            total = read.quantity(Key::Total, places.total);
        }
        Some(Self {
            seq,
            method,
            tag: fields.int(Key::Tag).filter(|tag| *tag != 0),
            stream: None,
            market,
            asset: fields.int(Key::Asset).map(AssetCode),
            watch: fields.get(Key::Watch) != Field::Bool(false),
            quantity,
            total,
            deadline,
            is_spoilt: false,
        })
    }
}

/// The commands that await a reply.
#[derive(Default)]
pub(super) struct Requests {
    tagged: HashMap<i64, Request>,
    untagged: Vec<Request>,
}

impl Requests {
    /// Adds a command.
    pub(super) fn insert(&mut self, request: Request) {
        match request.tag {
            Some(tag) => drop(self.tagged.insert(tag, request)),
            None => self.untagged.push(request),
        }
    }

    /// Takes the command that a reply with that tag answers. Without a tag it can be told only if just one is open.
    pub(super) fn take(&mut self, tag: Option<i64>) -> Option<Request> {
        match tag {
            Some(tag) => self.tagged.remove(&tag),
            None if self.untagged.len() == 1 => self.untagged.pop(),
            None => None,
        }
    }

    /// The command that has waited longest.
    pub(super) fn oldest(&self) -> Option<&Request> {
        self.tagged.values().chain(&self.untagged).min_by_key(|request| (request.deadline, request.seq))
    }

    /// Something that was not understood may have changed what these are answered with.
    pub(super) fn spoil(&mut self, is_concerned: impl Fn(&Request) -> bool) {
        let open = self.tagged.values_mut().chain(&mut self.untagged);
        open.filter(|request| is_concerned(request)).for_each(|request| request.is_spoilt = true);
    }

    /// Whether a command for that stream is open.
    pub(super) fn has(&self, stream: StreamRef) -> bool {
        self.tagged.values().chain(&self.untagged).any(|request| request.stream == Some(stream))
    }
}
