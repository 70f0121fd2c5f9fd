//! A frame while a protocol reads it: what it says, what becomes rows, and what is wrong with it.

use std::sync::Arc;

use crate::model::{
    Event, Fee, Id, Level, MarketRef, Number, Patch, Price, Quantity, Seq, Side, TimeUnit, Timestamp, TradeSide,
    UnknownReason,
};

use super::markets::Markets;
use super::{Fields, Kind, Position, Raw, Said, Topic};

/// Reads one frame, or one REST answer.
pub(in crate::venue) struct Reading<'r> {
    /// Its place in the journal.
    pub seq: Seq,
    markets: &'r mut Markets,
    events: &'r mut Vec<Event>,
    said: Vec<Said>,
    problems: Vec<(UnknownReason, String)>,
    is_damaged: bool,
}

impl<'r> Reading<'r> {
    pub(super) fn new(seq: Seq, markets: &'r mut Markets, events: &'r mut Vec<Event>) -> Self {
        Self { seq, markets, events, said: Vec::new(), problems: Vec::new(), is_damaged: false }
    }

    /// What it says, and what is wrong with it.
    pub(super) fn finish(self) -> (Vec<Said>, Vec<(UnknownReason, String)>) {
        (self.said, self.problems)
    }

    /// A market by its name, declared where it is met for the first time.
    pub(in crate::venue) fn market(&mut self, name: &str) -> MarketRef {
        self.markets.meet(name, self.events)
    }

    /// Puts an event.
    pub(in crate::venue) fn put(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Says something.
    pub(in crate::venue) fn say(&mut self, said: Said) {
        self.said.push(said);
    }

    /// Says that data of a stream came. Damage noted since the last such word is this stream's.
    pub(in crate::venue) fn data(&mut self, topic: Topic, kind: Kind, position: Position, time: Option<Timestamp>) {
        let is_damaged = std::mem::take(&mut self.is_damaged);
        self.said.push(Said::Data { topic, kind, position, time, is_damaged });
    }

    /// Notes that something was not understood and that nothing is lost by it.
    pub(in crate::venue) fn odd(&mut self, reason: UnknownReason, what: &str) {
        self.problems.push((reason, what.to_owned()));
    }

    /// Notes that something is missing or wrong, so that what is put is not all there was.
    pub(in crate::venue) fn damage(&mut self, reason: UnknownReason, what: &str) {
        self.is_damaged = true;
        self.odd(reason, what);
    }

    /// Notes a frame that nothing can be made of.
    pub(in crate::venue) fn illegible(&mut self, reason: UnknownReason, what: &str) {
        self.odd(reason, what);
        self.said.push(Said::Illegible);
    }

    /// Notes the fields of a message that nobody asked for.
    pub(in crate::venue) fn leftovers(&mut self, message: &str, fields: &Fields<'_>) {
        for field in fields.unread() {
            self.problems.push((UnknownReason::UnknownField, format!("{message}.{field}")));
        }
    }

    /// The whole frame as an object.
    pub(in crate::venue) fn object<'t>(&mut self, text: &'t str) -> Option<Fields<'t>> {
        match Raw::parse(text) {
            Ok(raw) => match raw.object() {
                Some(fields) => return Some(fields),
                None => self.odd(UnknownReason::UnknownShape, ""),
            },
            Err(error) => {
                let place = format!("line {} column {}", error.line(), error.column());
                self.illegible(UnknownReason::InvalidJson, &place);
            }
        }
        None
    }

    /// An element of a list, which must be an object. One that is not is damage.
    pub(in crate::venue) fn item<'t>(&mut self, raw: Raw<'t>, name: &str) -> Option<Fields<'t>> {
        let fields = raw.object();
        if fields.is_none() {
            self.damage(UnknownReason::WrongType, name);
        }
        fields
    }

    /// A field that must be there.
    pub(in crate::venue) fn need<T>(&mut self, fields: &Fields<'_>, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let reason =
                if fields.get(name).is_some() { UnknownReason::WrongType } else { UnknownReason::MissingField };
            self.damage(reason, name);
        }
        value
    }

    /// A price, from the text of its number. Missing or unreadable, it is damage.
    pub(in crate::venue) fn price(&mut self, market: MarketRef, name: &str, text: Option<&str>) -> Option<Price> {
        let price = text.and_then(|text| self.markets.price(market, text));
        self.number(name, text, price)
    }

    /// A quantity of the base asset, likewise.
    pub(in crate::venue) fn quantity(&mut self, market: MarketRef, name: &str, text: Option<&str>) -> Option<Quantity> {
        let quantity = text.and_then(|text| self.markets.quantity(market, text));
        self.number(name, text, quantity)
    }

    /// A price that may be absent, or, where there is none, null or an empty text.
    pub(in crate::venue) fn price_field(&mut self, market: MarketRef, fields: &Fields<'_>, name: &str) -> Patch<Price> {
        self.field(fields, name, |reading, text| reading.price(market, name, text))
    }

    /// A quantity of the base asset, likewise.
    pub(in crate::venue) fn quantity_field(
        &mut self,
        market: MarketRef,
        fields: &Fields<'_>,
        name: &str,
    ) -> Patch<Quantity> {
        self.field(fields, name, |reading, text| reading.quantity(market, name, text))
    }

    fn field<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, Option<&str>) -> Option<T>,
    ) -> Patch<T> {
        match fields.get(name) {
            None => Patch::Absent,
            Some(raw) if raw.is_null() || raw.text() == "\"\"" => Patch::Null,
            Some(raw) => read(self, raw.number()).map_or(Patch::Absent, Patch::Value),
        }
    }

    /// An amount of the counter asset, where there is one.
    pub(in crate::venue) fn total(&mut self, market: MarketRef, text: Option<&str>) -> Option<Quantity> {
        self.markets.total(market, text?)
    }

    /// An amount of an asset, with its decimal places and its name.
    pub(in crate::venue) fn amount(&mut self, asset: &str, text: &str) -> Option<(u8, Quantity, Arc<str>)> {
        let amount = self.markets.amount(asset, text);
        let (places, amount) = self.number("amount", Some(text), amount)?;
        Some((places, amount, asset.into()))
    }

    /// Amounts of an asset, all with the same decimal places, and its name. `None` if there are none.
    pub(in crate::venue) fn amounts<const N: usize>(
        &mut self,
        asset: &str,
        texts: [Option<&str>; N],
    ) -> Option<(u8, [Option<Quantity>; N], Arc<str>)> {
        // The places of an asset that no list has grow with what is read of it.
        for text in texts.into_iter().flatten() {
            self.markets.amount(asset, text);
        }
        let (mut places, mut amounts) = (None, [const { None }; N]);
        for (amount, text) in amounts.iter_mut().zip(texts) {
            let Some(text) = text else { continue };
            let (of_all, value, _) = self.amount(asset, text)?;
            (places, *amount) = (Some(of_all), Some(value));
        }
        Some((places?, amounts, asset.into()))
    }

    /// Adds a fee to a side of a trade: in the base asset, the counter asset, or another one.
    pub(in crate::venue) fn fee(&mut self, side: &mut TradeSide, market: MarketRef, asset: &str, amount: Option<&str>) {
        let listed = self.markets.get(market);
        if asset == listed.base {
            side.base_fee = self.quantity(market, "fee", amount);
        } else if asset == listed.counter {
            side.counter_fee = self.total(market, amount);
        } else if let Some((places, amount, asset)) = amount.and_then(|amount| self.amount(asset, amount)) {
            side.other_fees.push(Fee { asset, places, amount });
        }
    }

    /// What is left of an order: what was ordered less what was traded, negative to sell. `None` if that is not said, or
    /// beyond 64 bits, where the frame has both.
    pub(in crate::venue) fn left(
        &mut self,
        market: MarketRef,
        ordered: Option<&str>,
        traded: Option<&str>,
        is_bid: bool,
    ) -> Option<Quantity> {
        let ordered = self.quantity(market, "ordered", Some(ordered?))?;
        let traded = traded.and_then(|text| self.quantity(market, "traded", Some(text)));
        let left = match (ordered.0, traded.map(|traded| traded.0)) {
            (Number::Scaled(ordered), Some(Number::Scaled(traded))) => Number::Scaled(ordered.checked_sub(traded)?),
            (ordered, None | Some(Number::Scaled(0))) => ordered,
            _ => return None,
        };
        Some(Quantity(match left {
            Number::Scaled(left) if !is_bid => Number::Scaled(-left),
            Number::Text(left) if !is_bid => Number::Text(Box::new(format!("-{left}"))),
            left => left,
        }))
    }

    fn number<T>(&mut self, name: &str, text: Option<&str>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let reason = if text.is_some() { UnknownReason::NumberOutOfRange } else { UnknownReason::MissingField };
            self.damage(reason, name);
        }
        value
    }

    /// Price levels of one side: arrays of price and quantity, and perhaps of more. One that is missing is damage.
    pub(in crate::venue) fn levels(
        &mut self,
        market: MarketRef,
        side: Side,
        fields: &Fields<'_>,
        name: &str,
        levels: &mut Vec<Level>,
    ) {
        let array = fields.get(name).and_then(Raw::array);
        let Some(array) = self.need(fields, name, array) else { return };
        for raw in array {
            let pair = raw.array().unwrap_or_default();
            let text = |n: usize| pair.get(n).and_then(|raw: &Raw<'_>| raw.number());
            let price = self.price(market, "price", text(0));
            levels.push(Level { side, price, quantity: self.quantity(market, "quantity", text(1)) });
        }
    }

    /// A time that is an integer, or a string of one, of this unit. Missing or unreadable, it is damage.
    pub(in crate::venue) fn instant(&mut self, fields: &Fields<'_>, name: &str, unit: TimeUnit) -> Option<Timestamp> {
        let time = fields.integer(name).and_then(|count| count.checked_mul(unit.nanos())).map(Timestamp);
        self.need(fields, name, time)
    }

    /// A time from RFC 3339.
    pub(in crate::venue) fn time(&mut self, name: &str, text: Option<&str>) -> Option<Timestamp> {
        let time = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let time = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()).map(Timestamp);
        if time.is_none() && text.is_some() {
            self.odd(UnknownReason::WrongType, name);
        }
        time
    }
}

/// An identifier as sent: an integer where it is one that fits 64 bits, else its text.
pub(in crate::venue) fn id(raw: Raw<'_>) -> Option<Id> {
    if raw.is_null() {
        return None;
    }
    let text = raw.plain();
    // Written back, it must be what was sent: no sign, no leading zero is lost.
    match text.parse::<i64>() {
        Ok(value) if value.to_string() == *text => Some(Id::Int(value)),
        _ => Some(Id::Text(Box::new(text.into_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_an_order_is_negative_to_sell_and_unsaid_beyond_64_bits() {
        let (mut markets, mut events) = (Markets::default(), Vec::new());
        let mut reading = Reading::new(Seq(0), &mut markets, &mut events);
        let market = reading.market("A-B");
        let mut left = |ordered, traded, is_bid| reading.left(market, ordered, traded, is_bid).map(|left| left.0);
        assert_eq!(left(Some("5"), Some("2"), true), Some(Number::Scaled(3)));
        assert_eq!(left(Some("5"), Some("2"), false), Some(Number::Scaled(-3)));
        assert_eq!(left(Some("5"), None, false), Some(Number::Scaled(-5)));
        assert_eq!(left(None, Some("2"), true), None);
        let huge = "99999999999999999999";
        let text = |text: &str| Some(Number::Text(Box::new(text.to_owned())));
        assert_eq!(left(Some(huge), Some("0"), true), text(huge));
        assert_eq!(left(Some(huge), None, false), text("-99999999999999999999"));
        assert_eq!(left(Some(huge), Some("2"), true), None);
    }

    #[test]
    fn a_price_is_absent_null_or_a_value_and_an_empty_text_is_null() {
        let (mut markets, mut events) = (Markets::default(), Vec::new());
        let mut reading = Reading::new(Seq(0), &mut markets, &mut events);
        let market = reading.market("A-B");
        let fields = Raw::parse(r#"{"null":null,"empty":"","is":"7"}"#).unwrap().object().unwrap();
        let mut price = |name| reading.price_field(market, &fields, name);
        assert_eq!([price("absent"), price("null"), price("empty")], [Patch::Absent, Patch::Null, Patch::Null]);
        assert_eq!(price("is"), Patch::Value(Price(Number::Scaled(7))));
        assert!(reading.finish().1.is_empty());
    }
}
