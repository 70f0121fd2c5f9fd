//! Frames against conditions, and texts against templates.

use std::borrow::Cow;

use crate::venue::feed::Raw;

use super::spec::{Conditions, Expected};

/// A frame: its text, and its value where it is JSON.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) text: &'a str,
    pub(super) value: Option<Raw<'a>>,
}

/// What stands for a market in texts.
const MARKET: &str = "{market}";

/// The value at a pointer (RFC 6901).
pub(super) fn at<'a>(value: Raw<'a>, pointer: &str) -> Option<Raw<'a>> {
    let mut value = value;
    for step in pointer.split('/').skip(1) {
        value = match value.array() {
            Some(list) => *list.get(step.parse::<usize>().ok()?)?,
            None => value.object()?.get(&step.replace("~1", "/").replace("~0", "~"))?,
        };
    }
    Some(value)
}

/// Whether conditions hold of a frame; the market that they name in it, if they do.
pub(super) fn holds(conditions: &Conditions, frame: Frame<'_>) -> Option<Option<String>> {
    let mut market = None;
    for (pointer, expected) in conditions {
        let found = match (pointer.as_str(), frame.value) {
            ("", _) => Cow::Borrowed(frame.text),
            (pointer, Some(value)) => at(value, pointer)?.plain(),
            (_, None) => return None,
        };
        match expected {
            Expected::Boolean(expected) if found == expected.to_string() => {}
            Expected::Integer(expected) if found == expected.to_string() => {}
            Expected::Text(expected) if expected == "*" || *expected == found => {}
            Expected::Text(expected) => market = Some(hole(expected, &found)?.to_owned()),
            Expected::Boolean(_) | Expected::Integer(_) => return None,
        }
    }
    Some(market)
}

/// What stands in the place of `{market}`.
fn hole<'t>(template: &str, text: &'t str) -> Option<&'t str> {
    let (before, after) = template.split_once(MARKET)?;
    text.strip_prefix(before)?.strip_suffix(after).filter(|market| !market.is_empty())
}

/// The market that a topic is about; `Some(None)` if it is about none.
pub(super) fn topic_market(template: &str, topic: &str) -> Option<Option<String>> {
    if template == topic { Some(None) } else { hole(template, topic).map(|market| Some(market.to_owned())) }
}

/// A template with its places filled.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The values in the places of a template, by which a text was made: those of `{market}` and `{id}`.
pub(super) fn unfill(template: &str, text: &str) -> Option<(Option<String>, Option<i64>)> {
    let (mut market, mut id, mut rest, mut template) = (None, None, text, template);
    loop {
        let next = ["{market}", "{id}", "{now_ms}"].into_iter().filter_map(|name| Some((template.find(name)?, name)));
        let Some((place, name)) = next.min() else {
            return (rest == template).then_some((market, id));
        };
        rest = rest.strip_prefix(&template[..place])?;
        template = &template[place + name.len()..];
        // The value goes on until what comes behind it in the template.
        let stop = template.find('{').filter(|stop| *stop > 0).unwrap_or(template.len());
        let end = if stop == 0 { rest.len() } else { rest.find(&template[..stop])? };
        let (value, behind) = rest.split_at(end);
        rest = behind;
        match name {
            "{market}" => market = Some(value.to_owned()),
            "{id}" => id = Some(value.parse().ok()?),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_template_gives_its_values_back() {
        let template = r#"{"op":"s","id":"{id}","args":["book.50.{market}"]}"#;
        let text = fill(template, &[("id", "7"), ("market", "BTC-USD")]);
        assert_eq!(text, r#"{"op":"s","id":"7","args":["book.50.BTC-USD"]}"#);
        assert_eq!(unfill(template, &text), Some((Some("BTC-USD".to_owned()), Some(7))));
        assert_eq!(unfill(template, r#"{"op":"u","id":"7","args":["book.50.BTC-USD"]}"#), None);
        assert_eq!(unfill("ping", "ping"), Some((None, None)));
    }

    #[test]
    fn conditions_hold_where_all_of_them_do_and_name_the_market() {
        let text = r#"{"topic":"book.50.BTC","a":{"n":[1,{"x":true}]}}"#;
        let frame = Frame { text, value: Raw::parse(text).ok() };
        let conditions = |list: &[(&str, Expected)]| {
            list.iter().map(|(pointer, expected)| ((*pointer).to_owned(), expected.clone())).collect::<Conditions>()
        };
        let topic = Expected::Text("book.50.{market}".to_owned());
        let all =
            conditions(&[("/topic", topic), ("/a/n/0", Expected::Integer(1)), ("/a/n/1/x", Expected::Boolean(true))]);
        assert_eq!(holds(&all, frame), Some(Some("BTC".to_owned())));
        assert_eq!(holds(&conditions(&[("/a/b", Expected::Text("*".to_owned()))]), frame), None);
        let pong = Frame { text: "pong", value: None };
        assert_eq!(holds(&conditions(&[("", Expected::Text("pong".to_owned()))]), pong), Some(None));
    }
}
