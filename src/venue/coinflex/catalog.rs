//! The answers to `GET /assets/` and `GET /markets/` as a catalog.
//!
//! The separator within a market's own name is not documented, so a market is named after its assets, `BASE:COUNTER`.
//! Prices are at the counter asset's scale, quantities at the base asset's.

use serde_json::{Map, Value};

use crate::model::{Asset, AssetCode, Catalog, CatalogOrigin, Market, Timestamp};
use crate::venue::CatalogError;

/// Paths below the REST URL, in the order [`read`] takes their answers.
pub(super) const PATHS: &[&str] = &["assets/", "markets/"];

/// The catalog that the answers state. Entries without the fields that identify them are left out, with a warning;
/// fields nobody knows are ignored.
pub(super) fn read(answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
    let &[assets, markets] = answers else {
        return Err(CatalogError { path: PATHS[0], reason: format!("{} answers instead of 2", answers.len()) });
    };
    let assets: Vec<Asset> = entries(PATHS[0], assets, asset)?;
    let find = |code| assets.iter().find(|asset| asset.code == Some(code));
    let mut markets: Vec<Market> = entries(PATHS[1], markets, |entry| market(entry, find))?;
    let mut names = std::collections::HashSet::new();
    markets.retain(|market| names.insert(market.name.clone()));
    Ok(Catalog { valid_from: fetched_at, other_until: None, origin: CatalogOrigin::Exchange, assets, markets })
}

fn entries<T>(
    path: &'static str,
    answer: &[u8],
    read: impl Fn(&Map<String, Value>) -> Option<T>,
) -> Result<Vec<T>, CatalogError> {
    let failed = |reason: String| CatalogError { path, reason };
    let answer: Value = serde_json::from_slice(answer).map_err(|error| failed(format!("not JSON: {error}")))?;
    let Value::Array(list) = answer else { return Err(failed("not a list".to_owned())) };
    let read: Vec<Option<T>> = list.iter().map(|entry| entry.as_object().and_then(&read)).collect();
    let unread = read.iter().filter(|entry| entry.is_none()).count();
    if unread > 0 {
        tracing::warn!(path, unread, of = read.len(), "entries of the catalog lack what identifies them");
    }
    Ok(read.into_iter().flatten().collect())
}

fn code(entry: &Map<String, Value>, key: &str) -> Option<AssetCode> {
    entry.get(key)?.as_i64().map(AssetCode)
}

fn asset(entry: &Map<String, Value>) -> Option<Asset> {
    let code = code(entry, "id")?;
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Asset {
        code: Some(code),
        name: text("name").unwrap_or_else(|| code.to_string()),
        places: entry.get("scale").and_then(places),
        spot: text("spot_name"),
    })
}

/// A scale (10000) as decimal places (4); `None` for what is no power of ten.
fn places(scale: &Value) -> Option<u8> {
    let scale = scale.as_u64().filter(|scale| *scale > 0)?;
    let places = scale.ilog10();
    if 10u64.pow(places) == scale { u8::try_from(places).ok() } else { None }
}

fn market<'a>(entry: &Map<String, Value>, asset: impl Fn(AssetCode) -> Option<&'a Asset>) -> Option<Market> {
    let (base_code, counter_code) = (code(entry, "base")?, code(entry, "counter")?);
    let (base, counter) = (asset(base_code), asset(counter_code));
    let name =
        |asset: Option<&Asset>, code: AssetCode| asset.map_or_else(|| code.to_string(), |asset| asset.name.clone());
    let (base_name, counter_name) = (name(base, base_code), name(counter, counter_code));
    let millis = |key: &str| entry.get(key).and_then(Value::as_i64).and_then(Timestamp::from_millis);
    Some(Market {
        name: format!("{base_name}:{counter_name}"),
        base: base_name,
        counter: counter_name,
        base_code: Some(base_code),
        counter_code: Some(counter_code),
        price_places: counter.and_then(|asset| asset.places),
        quantity_places: base.and_then(|asset| asset.places),
        tick: entry.get("tick").and_then(Value::as_i64),
        starts: millis("start"),
        expires: millis("expires"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSETS: &str = r#"[
        {"id": 63488, "name": "XBT", "scale": 10000},
        {"id": 65283, "name": "USDT", "scale": 10000},
        {"id": 51200, "spot_id": 63488, "name": "XBTJAN", "spot_name": "XBT", "scale": 10000},
        {"id": 51880, "spot_id": 65283, "name": "USDTJAN", "spot_name": "USDT", "scale": 10000},
        {"id": 64032, "name": "GBP", "scale": 100, "colour": "red"}
    ]"#;
    const MARKETS: &str = r#"[
        {"base": 63488, "counter": 65283, "name": "XBT/USDT", "spot_name": "XBT/USDT", "tick": 10000},
        {"base": 63488, "counter": 64032, "name": "XBT/GBP", "start": null, "expires": null, "tick": 1},
        {"base": 51200, "counter": 51880, "name": "XBTJAN/USDTJAN", "spot_name": "XBT/USDT",
         "start": 1575028800000, "expires": 1580472000000, "tenor": "F", "tick": 5000}
    ]"#;

    fn read_both(assets: &str, markets: &str) -> Result<Catalog, String> {
        read(&[assets.as_bytes(), markets.as_bytes()], Timestamp(9)).map_err(|error| error.to_string())
    }

    #[test]
    fn assets_have_codes_places_and_what_they_settle_in() {
        let catalog = read_both(ASSETS, MARKETS).unwrap();
        assert_eq!((catalog.valid_from, catalog.origin), (Timestamp(9), CatalogOrigin::Exchange));
        let asset = |code, name: &str, places, spot: Option<&str>| Asset {
            code: Some(AssetCode(code)),
            name: name.to_owned(),
            places: Some(places),
            spot: spot.map(str::to_owned),
        };
        assert_eq!(
            catalog.assets,
            [
                asset(63488, "XBT", 4, None),
                asset(65283, "USDT", 4, None),
                asset(51200, "XBTJAN", 4, Some("XBT")),
                asset(51880, "USDTJAN", 4, Some("USDT")),
                asset(64032, "GBP", 2, None),
            ]
        );
    }

    #[test]
    fn markets_are_pairs_with_scales_ticks_and_expiry() {
        let catalog = read_both(ASSETS, MARKETS).unwrap();
        let names: Vec<_> = catalog.markets.iter().map(|market| market.name.as_str()).collect();
        assert_eq!(names, ["XBT:USDT", "XBT:GBP", "XBTJAN:USDTJAN"]);
        assert_eq!(
            catalog.markets[2],
            Market {
                name: "XBTJAN:USDTJAN".to_owned(),
                base: "XBTJAN".to_owned(),
                counter: "USDTJAN".to_owned(),
                base_code: Some(AssetCode(51200)),
                counter_code: Some(AssetCode(51880)),
                price_places: Some(4),
                quantity_places: Some(4),
                tick: Some(5000),
                starts: Some(Timestamp(1_575_028_800_000_000_000)),
                expires: Some(Timestamp(1_580_472_000_000_000_000)),
            }
        );
        let gbp = &catalog.markets[1];
        assert_eq!((gbp.price_places, gbp.quantity_places, gbp.tick), (Some(2), Some(4), Some(1)));
        assert_eq!((gbp.starts, gbp.expires), (None, None));
    }

    #[test]
    fn a_scale_of_another_shape_is_unknown_rather_than_guessed() {
        for scale in ["4", "0", "-10000", "20000", "\"10000\"", "1e4", "10000.0", "null", "[]", "18446744073709551616"]
        {
            let catalog = read_both(&format!(r#"[{{"id":1,"name":"A","scale":{scale}}}]"#), "[]").unwrap();
            assert_eq!(catalog.assets[0].places, None, "{scale}");
        }
        for (scale, places) in [("1", 0), ("10", 1), ("10000000000000000000", 19)] {
            let catalog = read_both(&format!(r#"[{{"id":1,"name":"A","scale":{scale}}}]"#), "[]").unwrap();
            assert_eq!(catalog.assets[0].places, Some(places), "{scale}");
        }
    }

    #[test]
    fn a_market_of_unlisted_assets_is_named_by_their_codes() {
        let catalog = read_both(ASSETS, r#"[{"base":7,"counter":65283,"tick":1}]"#).unwrap();
        let market = catalog.market("7:USDT").unwrap();
        assert_eq!((market.base.as_str(), market.quantity_places, market.price_places), ("7", None, Some(4)));
    }

    #[test]
    fn entries_that_identify_nothing_are_left_out_and_the_rest_stays() {
        let catalog = read_both(
            r#"[{"name":"A"}, 5, {"id":"1","name":"B"}, {"id":2}, {"id":3,"name":""}, {"id":4,"name":"D","scale":10}]"#,
            r#"[{"base":4}, null, {"base":4,"counter":2}, {"base":4,"counter":2}, {"base":4,"counter":3,"expires":9223372036854775807}]"#,
        )
        .unwrap();
        assert_eq!(catalog.assets.iter().map(|asset| asset.name.as_str()).collect::<Vec<_>>(), ["2", "3", "D"]);
        assert_eq!(catalog.markets.iter().map(|market| market.name.as_str()).collect::<Vec<_>>(), ["D:2", "D:3"]);
        assert_eq!(catalog.markets[1].expires, None, "beyond the range of ns in 64 bits");
    }

    #[test]
    fn what_is_no_list_is_an_error_that_names_the_path() {
        assert_eq!(read_both("{}", "[]").unwrap_err(), "assets/: not a list");
        assert_eq!(read_both("[]", "<html>").unwrap_err(), "markets/: not JSON: expected value at line 1 column 1");
    }
}
