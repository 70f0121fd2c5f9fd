//! The answer to `trading-pairs-info` as a catalog.

use crate::model::{Asset, Catalog, CatalogOrigin, Market, Timestamp};
use crate::venue::CatalogError;
use crate::venue::feed::{Fields, Raw, asset};

/// Path below the REST URL, in the order [`read`] takes its answer.
pub(super) const PATHS: &[&str] = &["api/v2/trading-pairs-info/"];

/// The catalog that the answer states. Pairs without what identifies them are left out, with a warning.
pub(super) fn read(answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
    let path = PATHS[0];
    let failed = |reason: String| CatalogError { path, reason };
    let &[answer] = answers else { return Err(failed(format!("{} answers instead of 1", answers.len()))) };
    let text = std::str::from_utf8(answer).map_err(|error| failed(error.to_string()))?;
    let whole = Raw::parse(text).map_err(|error| failed(format!("not JSON: {error}")))?;
    let pairs = whole.array().ok_or_else(|| failed("not a list".to_owned()))?;
    let total = pairs.len();
    let markets: Vec<_> = pairs.into_iter().filter_map(Raw::object).filter_map(|fields| market(&fields)).collect();
    if markets.len() < total {
        tracing::warn!(path, unread = total - markets.len(), of = total, "pairs lack what identifies them");
    }
    let mut assets: Vec<Asset> = Vec::new();
    for (name, places) in markets.iter().flat_map(|market| {
        // A price's places say nothing of the counter asset's own.
        [(&market.base, market.quantity_places), (&market.counter, None)]
    }) {
        match assets.iter_mut().find(|known| known.name == *name) {
            Some(known) => known.places = known.places.max(places),
            None => assets.push(asset(name, places)),
        }
    }
    Ok(Catalog { valid_from: fetched_at, other_until: None, origin: CatalogOrigin::Exchange, assets, markets })
}

/// A pair: `BTC/USD`, which channels and paths call `btcusd`.
fn market(fields: &Fields<'_>) -> Option<Market> {
    let places = |name: &str| fields.integer(name).and_then(|places| u8::try_from(places).ok());
    let pair = fields.string("name")?;
    let (base, counter) = pair.split_once('/')?;
    let price_places = places("counter_decimals");
    Some(Market {
        name: fields.string("url_symbol")?.into_owned(),
        base: base.to_owned(),
        counter: counter.to_owned(),
        base_code: None,
        counter_code: None,
        price_places,
        quantity_places: places("base_decimals"),
        tick: price_places.map(|_| 1),
        starts: None,
        expires: None,
    })
}
