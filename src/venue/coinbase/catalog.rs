//! Products as markets.

use crate::model::Market;
use crate::venue::feed::{Fields, increment};

/// Paths below the REST URL whose answers list products, which anybody may ask for.
pub(super) const PATHS: &[&str] = &["api/v3/brokerage/market/products"];

/// A product. One that is another's alias (`BTC-USDC` of `BTC-USD`) has no market data under its own name: the venue
/// answers to a subscription with the other's.
pub(super) fn market(product: &Fields<'_>) -> Option<Market> {
    let text = |field: &str| product.string(field).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned);
    if text("alias").is_some() {
        return None;
    }
    let price_step = product.number("price_increment").or_else(|| product.number("quote_increment"))?;
    let (price_places, tick) = increment(price_step)?;
    let (quantity_places, _) = increment(product.number("base_increment")?)?;
    Some(Market {
        name: text("product_id")?,
        // Futures have no base currency of their own.
        base: text("base_currency_id").or_else(|| text("base_display_symbol"))?,
        counter: text("quote_currency_id").or_else(|| text("quote_display_symbol"))?,
        base_code: None,
        counter_code: None,
        price_places: Some(price_places),
        quantity_places: Some(quantity_places),
        tick,
        starts: None,
        expires: None,
    })
}
