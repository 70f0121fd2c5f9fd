//! The list of instruments: asked for kind by kind and page by page, over the same socket.

use std::collections::BTreeSet;

use serde_json::json;

use crate::model::{Market, Timestamp};
use crate::venue::feed::{Fields, Kind, Position, Raw, Reading, Said, Topic, asset, increment};

/// The method that lists instruments.
pub(super) const METHOD: &str = "public/get_all_instruments";
/// The channel that stands for it.
pub(super) const CHANNEL: &str = "instruments";
/// Instruments in a page, the most there may be.
const PAGE_SIZE: u32 = 1000;
/// The kinds of instruments, in the order they are asked for.
const KINDS: [&str; 3] = ["perp", "erc20", "option"];

/// The pages that came so far.
#[derive(Default)]
pub(super) struct Listing {
    markets: Vec<Market>,
}

/// A page: of which kind, and its number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    kind: usize,
    number: u32,
}

impl Page {
    /// The first page of all.
    pub(super) const FIRST: Self = Self { kind: 0, number: 1 };

    /// The page that an answer is, by its request's name.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        let (kind, number) = id.strip_prefix(CHANNEL)?.strip_prefix(' ')?.split_once(' ')?;
        let kind = KINDS.iter().position(|known| *known == kind)?;
        Some(Self { kind, number: number.parse().ok()? })
    }

    /// The request for it.
    pub(super) fn request(self) -> String {
        let (kind, number) = (KINDS[self.kind], self.number);
        let params = json!({ "instrument_type": kind, "expired": false, "page": number, "page_size": PAGE_SIZE });
        json!({ "id": format!("{CHANNEL} {kind} {number}"), "method": METHOD, "params": params }).to_string()
    }

    /// The page behind it, of so many of its kind.
    fn next(self, pages: u32) -> Option<Self> {
        if self.number < pages {
            return Some(Self { number: self.number + 1, ..self });
        }
        (self.kind + 1 < KINDS.len()).then_some(Self { kind: self.kind + 1, number: 1 })
    }
}

impl Listing {
    /// Takes a page. The next one is asked for at once; behind the last, all are listed. A kind without instruments is
    /// answered with an error.
    pub(super) fn take(&mut self, page: Page, result: Option<&Fields<'_>>, reading: &mut Reading<'_>) {
        let topic = Topic::new(CHANNEL, None);
        if page == Page::FIRST {
            self.markets.clear();
            reading.say(Said::Acknowledged { id: None, topic: Some(topic.clone()) });
        }
        let entries = result.map(|result| result.array("instruments")).unwrap_or_default();
        self.markets.extend(entries.into_iter().filter_map(Raw::object).filter_map(|fields| market(&fields)));
        let pages = result.and_then(|result| result.object("pagination")).and_then(|page| page.integer("num_pages"));
        let pages = pages.and_then(|pages| u32::try_from(pages).ok()).unwrap_or(1);
        if let Some(next) = page.next(pages) {
            return reading.say(Said::Ping { answer: next.request() });
        }
        let markets = std::mem::take(&mut self.markets);
        let names: BTreeSet<_> = markets.iter().flat_map(|market| [&market.base, &market.counter]).collect();
        let assets = names.into_iter().map(|name| asset(name, None)).collect();
        reading.say(Said::Listed { assets, markets, is_whole: true });
        reading.data(topic, Kind::Snapshot, Position::Unsaid, None);
    }
}

fn market(instrument: &Fields<'_>) -> Option<Market> {
    let seconds = |fields: &Fields<'_>, name: &str| {
        fields.integer(name).and_then(|seconds| seconds.checked_mul(1_000_000_000)).map(Timestamp)
    };
    let (price_places, tick) = increment(instrument.number("tick_size")?)?;
    let (quantity_places, _) = increment(instrument.number("amount_step")?)?;
    let option = instrument.object("option_details");
    Some(Market {
        name: instrument.string("instrument_name")?.into_owned(),
        base: instrument.string("base_currency")?.into_owned(),
        counter: instrument.string("quote_currency")?.into_owned(),
        base_code: None,
        counter_code: None,
        price_places: Some(price_places),
        quantity_places: Some(quantity_places),
        tick,
        starts: seconds(instrument, "scheduled_activation"),
        expires: option.and_then(|option| seconds(&option, "expiry")),
    })
}
