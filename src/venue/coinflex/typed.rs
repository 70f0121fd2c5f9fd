//! One command as a person types it: names for codes, decimals in asset units for scaled integers.

use std::collections::HashMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::model::{AssetCode, Catalog, Market, Number};
use crate::near::{near_match, or_else_known};

use super::wire::{Command, Refusal, Request, Undecodable};

/// Why what was typed is no command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TypedError {
    /// A name or a decimal was given, and there is no catalog to say what it means.
    #[error("{0}: names and decimals need the list of assets and markets; give codes and `raw:` integers")]
    NeedsCatalog(String),
    /// Anything else, one clause.
    #[error("{0}")]
    Wrong(String),
}

fn wrong<T>(message: String) -> Result<T, TypedError> {
    Err(TypedError::Wrong(message))
}

/// What a parameter's text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An asset by name or code.
    Asset,
    /// An amount of the base asset.
    Quantity,
    /// A price.
    Price,
    /// An amount of the counter asset.
    Total,
    Integer,
    Boolean,
    /// A boolean or `fill_or_kill`.
    Persist,
}

impl Kind {
    /// Whether a market says what it means.
    fn is_of_market(self) -> bool {
        matches!(self, Self::Quantity | Self::Price | Self::Total)
    }
}

/// Every method that can be typed, with its parameters beside `market`, which stands for base and counter. (A login is
/// made of the account and takes none.)
const METHODS: [(&str, &[(&str, Kind)]); 10] = [
    ("GetBalances", &[]),
    ("GetOrders", &[]),
    (
        "EstimateMarketOrder",
        &[("base", Kind::Asset), ("counter", Kind::Asset), ("quantity", Kind::Quantity), ("total", Kind::Total)],
    ),
    (
        "PlaceOrder",
        &[
            ("base", Kind::Asset),
            ("counter", Kind::Asset),
            ("quantity", Kind::Quantity),
            ("price", Kind::Price),
            ("total", Kind::Total),
            ("tonce", Kind::Integer),
            ("persist", Kind::Persist),
            ("post_only", Kind::Boolean),
        ],
    ),
    (
        "ModifyOrder",
        &[
            ("id", Kind::Integer),
            ("tonce", Kind::Integer),
            ("quantity_delta", Kind::Quantity),
            ("price", Kind::Price),
            ("post_only", Kind::Boolean),
        ],
    ),
    ("CancelOrder", &[("id", Kind::Integer), ("tonce", Kind::Integer)]),
    ("CancelAllOrders", &[]),
    ("GetTradeVolume", &[("asset", Kind::Asset)]),
    ("WatchOrders", &[("base", Kind::Asset), ("counter", Kind::Asset), ("watch", Kind::Boolean)]),
    ("WatchTicker", &[("base", Kind::Asset), ("counter", Kind::Asset), ("watch", Kind::Boolean)]),
];

/// Stands for base and counter.
const MARKET: &str = "market";

/// Whether a text is the name of a method that can be typed.
#[must_use]
pub fn is_method(name: &str) -> bool {
    METHODS.iter().any(|(method, _)| *method == name)
}

/// The command that a method's name and `key=value` arguments make. A watch command without `watch` begins to watch.
///
/// # Errors
/// If a name, key or value is none of the protocol, with what may have been meant; [`TypedError::NeedsCatalog`] if it
/// depends on a catalog that is not given.
pub fn command(method: &str, arguments: &[(String, String)], catalog: Option<&Catalog>) -> Result<Command, TypedError> {
    let Some((method, parameters)) = METHODS.iter().find(|(name, _)| *name == method) else {
        return wrong(format!("unknown method `{method}`{}", or_else_known(method, METHODS.map(|(name, _)| name))));
    };
    let mut typed = Typed { arguments: HashMap::new(), catalog };
    let takes_market = parameters.iter().any(|(key, kind)| *key == "base" || kind.is_of_market());
    let known = parameters.iter().map(|(key, _)| *key).chain(takes_market.then_some(MARKET));
    for (key, text) in arguments {
        if parameters.is_empty() {
            return wrong(format!("`{method}` takes no arguments"));
        }
        if !known.clone().any(|name| name == key) {
            return wrong(format!("{key}: unknown to `{method}`{}", or_else_known(key, known)));
        }
        if typed.arguments.insert(key, text).is_some() {
            return wrong(format!("{key}: given twice"));
        }
    }
    let pair = typed.pair()?;
    let mut fields = Map::from_iter([("method".to_owned(), Value::from(*method))]);
    for (key, kind) in *parameters {
        let value = match (*key, typed.arguments.get(key)) {
            ("base", _) => pair.as_ref().map(|pair| Value::from(pair.base.code.0)),
            ("counter", _) => pair.as_ref().map(|pair| Value::from(pair.counter.code.0)),
            ("watch", None) => Some(Value::Bool(true)),
            (_, None) => None,
            (_, Some(text)) => Some(typed.value(key, *kind, text, pair.as_ref())?),
        };
        fields.extend(value.map(|value| ((*key).to_owned(), value)));
    }
    // The exchange's own reader says whether that is a command.
    match Request::decode(&Value::Object(fields).to_string()) {
        Ok(request) => Ok(request.command),
        Err(Undecodable { refusal: Refusal::InvalidField("base" | "counter"), .. }) => {
            wrong(format!("`{method}` needs market=BASE:COUNTER"))
        }
        Err(Undecodable { refusal: Refusal::InvalidField(key), .. }) => wrong(format!("`{method}` needs {key}=")),
        Err(Undecodable { refusal, .. }) => wrong(refusal.to_string()),
    }
}

/// What was typed, and what tells its meaning.
struct Typed<'a> {
    arguments: HashMap<&'a str, &'a str>,
    catalog: Option<&'a Catalog>,
}

/// An asset that was named.
struct Named {
    code: AssetCode,
    places: Option<u8>,
}

/// The market that a command is about.
struct Pair {
    base: Named,
    counter: Named,
    price_places: Option<u8>,
}

impl Typed<'_> {
    /// The market, given as such or by its two assets.
    fn pair(&self) -> Result<Option<Pair>, TypedError> {
        let argument = |key: &'static str| self.arguments.get(key).map(|text| (key, *text));
        let sides = match (argument(MARKET), argument("base"), argument("counter")) {
            (None, None, None) => return Ok(None),
            (None, Some(base), Some(counter)) => Some((base, counter)),
            (Some((_, market)), None, None) => {
                market.split_once(':').map(|(base, counter)| ((MARKET, base), (MARKET, counter)))
            }
            _ => None,
        };
        let Some((base, counter)) = sides else {
            return wrong("give either market=BASE:COUNTER, or both base= and counter=".to_owned());
        };
        let (base, counter) = (self.asset(base)?, self.asset(counter)?);
        let codes = (Some(base.code), Some(counter.code));
        let is_it = |market: &&Market| (market.base_code, market.counter_code) == codes;
        let listed = self.catalog.and_then(|catalog| catalog.markets.iter().find(is_it));
        let price_places = listed.map_or(counter.places, |market| market.price_places);
        Ok(Some(Pair { base, counter, price_places }))
    }

    /// An asset by name or code.
    fn asset(&self, (key, text): (&str, &str)) -> Result<Named, TypedError> {
        let code = text.parse().ok().map(AssetCode);
        let listed = self
            .catalog
            .and_then(|catalog| catalog.asset(text).or_else(|| code.and_then(|code| catalog.asset_by_code(code))));
        match (listed.and_then(|asset| Some((asset.code?, asset.places))), code, self.catalog) {
            (Some((code, places)), _, _) => Ok(Named { code, places }),
            (None, Some(code), _) => Ok(Named { code, places: None }),
            (None, None, None) => Err(TypedError::NeedsCatalog(key.to_owned())),
            (None, None, Some(catalog)) => {
                let near = near_match(text, catalog.assets.iter().map(|asset| asset.name.as_str()));
                let remedy = near.map_or_else(String::new, |near| format!(", did you mean `{near}`"));
                wrong(format!("{key}: unknown asset `{text}`{remedy}"))
            }
        }
    }

    fn value(&self, key: &str, kind: Kind, text: &str, pair: Option<&Pair>) -> Result<Value, TypedError> {
        let boolean = || text.parse().ok().map(Value::Bool);
        match kind {
            Kind::Asset => return self.asset((key, text)).map(|asset| Value::from(asset.code.0)),
            Kind::Quantity => return self.scaled(key, text, pair, |pair| pair.base.places),
            Kind::Total => return self.scaled(key, text, pair, |pair| pair.counter.places),
            Kind::Price => return self.scaled(key, text, pair, |pair| pair.price_places),
            Kind::Integer => text.parse::<i64>().ok().map(Value::from).ok_or("an integer"),
            Kind::Boolean => boolean().ok_or("`true` or `false`"),
            Kind::Persist => (text == "fill_or_kill")
                .then(|| Value::from(text))
                .or_else(boolean)
                .ok_or("`true`, `false` or `fill_or_kill`"),
        }
        .map_err(|expected| TypedError::Wrong(format!("{key}: expected {expected}, found `{text}`")))
    }

    /// A decimal in asset units, or `raw:` and the integer of the wire.
    fn scaled(
        &self,
        key: &str,
        text: &str,
        pair: Option<&Pair>,
        places: impl Fn(&Pair) -> Option<u8>,
    ) -> Result<Value, TypedError> {
        if let Some(raw) = text.strip_prefix("raw:") {
            let raw = raw.parse::<i64>();
            return raw.map(Value::from).or_else(|_| wrong(format!("{key}: expected an integer after `raw:`")));
        }
        let Some(pair) = pair else {
            return wrong(format!("{key}: a decimal needs its scale; give market=BASE:COUNTER too, or raw:INTEGER"));
        };
        if self.catalog.is_none() {
            return Err(TypedError::NeedsCatalog(key.to_owned()));
        }
        let Some(places) = places(pair) else {
            return wrong(format!("{key}: the scale is not known; give raw:INTEGER"));
        };
        match Number::of_units(text, places) {
            Some(Number::Scaled(value)) => Ok(Value::from(value)),
            Some(Number::Text(_)) => {
                wrong(format!("{key}: `{text}` has more than {places} decimal places, or is too large"))
            }
            None => wrong(format!("{key}: expected a decimal such as `-0.5`, or raw:INTEGER, found `{text}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn catalog() -> Catalog {
        let assets = br#"[{"id":63488,"name":"XBT","scale":10000},{"id":64032,"name":"GBP","scale":100},
                          {"id":9,"name":"ODD","scale":7}]"#;
        let markets = br#"[{"base":63488,"counter":64032,"tick":1},{"base":9,"counter":64032,"tick":1}]"#;
        super::super::catalog::read(&[assets, markets], Timestamp(0)).unwrap()
    }

    fn typed(line: &str, catalog: Option<&Catalog>) -> Result<String, String> {
        let mut words = line.split(' ');
        let method = words.next().unwrap();
        let arguments: Vec<_> =
            words.map(|word| word.split_once('=').unwrap()).map(|(key, value)| (key.into(), value.into())).collect();
        let command = command(method, &arguments, catalog).map_err(|error| error.to_string())?;
        Ok(Request { tag: None, command }.to_json())
    }

    #[test]
    fn what_is_typed_becomes_the_command_of_the_wire() {
        let catalog = catalog();
        for (line, json) in [
            ("GetBalances", r#"{"method":"GetBalances"}"#),
            ("GetTradeVolume asset=XBT", r#"{"method":"GetTradeVolume","asset":63488}"#),
            ("GetTradeVolume asset=77", r#"{"method":"GetTradeVolume","asset":77}"#),
            ("WatchOrders market=XBT:GBP", r#"{"method":"WatchOrders","base":63488,"counter":64032,"watch":true}"#),
            (
                "WatchTicker base=63488 counter=GBP watch=false",
                r#"{"method":"WatchTicker","base":63488,"counter":64032,"watch":false}"#,
            ),
            (
                "EstimateMarketOrder market=XBT:GBP quantity=-0.5",
                r#"{"method":"EstimateMarketOrder","base":63488,"counter":64032,"quantity":-5000}"#,
            ),
            (
                "EstimateMarketOrder market=63488:64032 total=12.3",
                r#"{"method":"EstimateMarketOrder","base":63488,"counter":64032,"total":1230}"#,
            ),
            (
                "PlaceOrder market=XBT:GBP quantity=1 price=250.01 persist=fill_or_kill post_only=true tonce=7",
                r#"{"method":"PlaceOrder","tonce":7,"base":63488,"counter":64032,"quantity":10000,"price":25001,"persist":"fill_or_kill","post_only":true}"#,
            ),
            ("ModifyOrder id=5 quantity_delta=raw:-10", r#"{"method":"ModifyOrder","id":5,"quantity_delta":-10}"#),
            ("ModifyOrder id=5 price=2.5 market=XBT:GBP", r#"{"method":"ModifyOrder","id":5,"price":250}"#),
            ("CancelOrder tonce=-3", r#"{"method":"CancelOrder","tonce":-3}"#),
            ("CancelAllOrders", r#"{"method":"CancelAllOrders"}"#),
        ] {
            assert_eq!(typed(line, Some(&catalog)).as_deref(), Ok(json), "{line}");
        }
    }

    #[test]
    fn what_is_typed_wrong_says_what_would_be_right() {
        let catalog = catalog();
        for (line, message) in [
            ("GetBalance", "unknown method `GetBalance`, did you mean `GetBalances`"),
            ("GetBalances asset=XBT", "`GetBalances` takes no arguments"),
            ("WatchOrders markt=XBT:GBP", "markt: unknown to `WatchOrders`, did you mean `market`"),
            ("WatchOrders", "`WatchOrders` needs market=BASE:COUNTER"),
            ("WatchOrders market=XBT", "give either market=BASE:COUNTER, or both base= and counter="),
            ("WatchOrders base=XBT", "give either market=BASE:COUNTER, or both base= and counter="),
            ("WatchOrders market=XTB:GBP", "market: unknown asset `XTB`, did you mean `XBT`"),
            ("WatchOrders market=XBT:GBP watch=yes", "watch: expected `true` or `false`, found `yes`"),
            ("GetTradeVolume", "`GetTradeVolume` needs asset="),
            ("CancelOrder id=1 id=2", "id: given twice"),
            ("CancelOrder id=x", "id: expected an integer, found `x`"),
            (
                "PlaceOrder market=XBT:GBP quantity=0.00001",
                "quantity: `0.00001` has more than 4 decimal places, or is too large",
            ),
            (
                "PlaceOrder market=XBT:GBP price=1,5",
                "price: expected a decimal such as `-0.5`, or raw:INTEGER, found `1,5`",
            ),
            ("PlaceOrder market=XBT:GBP price=raw:1.5", "price: expected an integer after `raw:`"),
            ("PlaceOrder market=ODD:GBP quantity=1", "quantity: the scale is not known; give raw:INTEGER"),
            (
                "PlaceOrder market=XBT:GBP persist=maybe",
                "persist: expected `true`, `false` or `fill_or_kill`, found `maybe`",
            ),
            (
                "ModifyOrder id=1 price=5",
                "price: a decimal needs its scale; give market=BASE:COUNTER too, or raw:INTEGER",
            ),
        ] {
            assert_eq!(typed(line, Some(&catalog)).unwrap_err(), message, "{line}");
        }
    }

    #[test]
    fn codes_and_raw_integers_need_no_catalog_and_all_else_does() {
        assert!(typed("PlaceOrder market=63488:64032 quantity=raw:10000 price=raw:5", None).is_ok());
        assert!(typed("CancelOrder id=5", None).is_ok());
        for line in ["WatchOrders market=XBT:GBP", "PlaceOrder market=1:2 quantity=1", "GetTradeVolume asset=XBT"] {
            assert!(typed(line, None).unwrap_err().contains("need the list of assets and markets"), "{line}");
        }
    }

    #[test]
    fn every_method_of_the_protocol_but_the_login_can_be_typed() {
        let mut methods: Vec<_> = METHODS.map(|(name, _)| name).into();
        methods.push("Authenticate");
        methods.sort_unstable();
        let mut all = Command::METHODS;
        all.sort_unstable();
        assert_eq!(methods, all);
    }
}
