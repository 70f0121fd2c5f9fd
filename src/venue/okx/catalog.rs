//! Instruments as markets. Quantities of derivatives are in contracts.

use crate::model::{Market, Timestamp};
use crate::venue::feed::{Fields, Raw, increment};

/// Paths below the REST URL whose answers list instruments, which anybody may ask for.
pub(super) const PATHS: &[&str] = &[
    "api/v5/public/instruments?instType=SPOT",
    "api/v5/public/instruments?instType=SWAP",
    "api/v5/public/instruments?instType=FUTURES",
];

/// An instrument.
pub(super) fn market(instrument: &Fields<'_>) -> Option<Market> {
    let text = |field: &str| instrument.string(field).filter(|text| !text.is_empty());
    let millis = |field: &str| instrument.get(field).and_then(Raw::integer).and_then(Timestamp::from_millis);
    // Derivatives name their underlying pair instead of two assets.
    let underlying = text("uly");
    let pair = underlying.as_deref().and_then(|pair| pair.split_once('-'));
    let (price_places, tick) = increment(instrument.number("tickSz")?)?;
    let (quantity_places, _) = increment(instrument.number("lotSz")?)?;
    Some(Market {
        name: text("instId")?.into_owned(),
        base: text("baseCcy").as_deref().or(pair.map(|(base, _)| base))?.to_owned(),
        counter: text("quoteCcy").as_deref().or(pair.map(|(_, counter)| counter))?.to_owned(),
        base_code: None,
        counter_code: None,
        price_places: Some(price_places),
        quantity_places: Some(quantity_places),
        tick,
        starts: millis("listTime"),
        expires: millis("expTime"),
    })
}
