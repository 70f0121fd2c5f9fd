//! The answer to `exchangeInfo` as a catalog.

use crate::model::{Asset, Catalog, CatalogOrigin, Market, Number, Timestamp};
use crate::venue::CatalogError;
use crate::venue::feed::{Fields, Raw, asset};

/// The catalog that the answer states. Symbols without what identifies them are left out, with a warning.
pub(super) fn read(path: &'static str, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
    let failed = |reason: String| CatalogError { path, reason };
    let &[answer] = answers else { return Err(failed(format!("{} answers instead of 1", answers.len()))) };
    let text = std::str::from_utf8(answer).map_err(|error| failed(error.to_string()))?;
    let whole = Raw::parse(text).map_err(|error| failed(format!("not JSON: {error}")))?;
    let symbols = whole.object().and_then(|whole| whole.get("symbols")?.array());
    let symbols = symbols.ok_or_else(|| failed("no list `symbols`".to_owned()))?;
    let mut assets: Vec<Asset> = Vec::new();
    let mut markets = Vec::with_capacity(symbols.len());
    let total = symbols.len();
    for fields in symbols.into_iter().filter_map(Raw::object) {
        let Some(market) = market(&fields) else { continue };
        for (name, places) in [(&market.base, "baseAssetPrecision"), (&market.counter, "quoteAssetPrecision")] {
            let places = precision(&fields, places);
            match assets.iter_mut().find(|known| known.name == *name) {
                Some(known) => known.places = known.places.max(places),
                None => assets.push(asset(name, places)),
            }
        }
        markets.push(market);
    }
    if markets.len() < total {
        tracing::warn!(path, unread = total - markets.len(), of = total, "symbols lack what identifies them");
    }
    Ok(Catalog { valid_from: fetched_at, other_until: None, origin: CatalogOrigin::Exchange, assets, markets })
}

fn market(fields: &Fields<'_>) -> Option<Market> {
    let text = |name: &str| fields.string(name).filter(|text| !text.is_empty());
    let filters: Vec<_> = fields.array("filters").into_iter().filter_map(Raw::object).collect();
    let step = |kind: &str, name: &str| {
        let filter = filters.iter().find(|filter| filter.string("filterType").as_deref() == Some(kind))?;
        // 0 switches a filter off.
        filter.number(name).filter(|step| step.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
    };
    let (tick, lot) = (step("PRICE_FILTER", "tickSize"), step("LOT_SIZE", "stepSize"));
    let price_places = tick.map(places).or_else(|| precision(fields, "quoteAssetPrecision"));
    let tick = tick.zip(price_places).and_then(|(tick, places)| Number::of_units(tick, places)?.as_scaled());
    Some(Market {
        name: text("symbol")?.into_owned(),
        base: text("baseAsset")?.into_owned(),
        counter: text("quoteAsset")?.into_owned(),
        base_code: None,
        counter_code: None,
        price_places,
        quantity_places: lot.map(places).or_else(|| precision(fields, "baseAssetPrecision")),
        tick,
        starts: None,
        expires: None,
    })
}

/// The decimal places of a step: 2 for `0.01000000`.
fn places(step: &str) -> u8 {
    let fraction = step.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    u8::try_from(fraction.len()).unwrap_or(u8::MAX)
}

fn precision(fields: &Fields<'_>, name: &str) -> Option<u8> {
    fields.integer(name).and_then(|places| u8::try_from(places).ok())
}
