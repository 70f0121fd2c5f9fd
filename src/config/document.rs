//! A TOML file while it is read: every value knows where it stands, and every mistake is collected.
//!
//! Tables are read by asking for keys; those that nobody asked for are mistakes. No message has a line of the file in
//! it (as the parser's own `Display` would), and none about an account table has anything of what is written there.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use crate::near::{listed, near_match, or_else_known};

/// Texts quoted in a message are cut after this many characters.
const QUOTE_CHARS_MAX: usize = 64;

/// A file, and the mistakes found in it.
pub(super) struct Document<'d> {
    file: Arc<Path>,
    text: &'d str,
    errors: RefCell<Vec<ConfigError>>,
}

impl<'d> Document<'d> {
    pub(super) fn new(file: &Path, text: &'d str) -> Self {
        Self { file: file.into(), text, errors: RefCell::default() }
    }

    /// The file's values. Broken syntax is reported and leaves none.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'d>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let start = error.span().map_or(0, |span| span.start);
            self.report(self.place(start, String::new()).error(format!("not valid TOML: {}", error.message())));
        }
        errors.is_empty().then_some(table)
    }

    pub(super) fn report(&self, error: ConfigError) {
        self.errors.borrow_mut().push(error);
    }

    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.errors.into_inner()
    }

    /// The folder that relative paths are relative to.
    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    fn place(&self, offset: usize, key: String) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place { file: self.file.clone(), position: Some((line, column)), key }
    }
}

/// A table, read by asking for its keys.
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    start: usize,
    key: String,
    secret: bool,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The file's own table.
    pub(super) fn root(document: &'d Document<'d>, table: &'d Spanned<DeTable<'d>>) -> Self {
        Self { document, table: table.get_ref(), start: 0, key: String::new(), secret: false, asked: Vec::new() }
    }

    /// The same table, of which nothing is quoted from here on.
    pub(super) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> Place {
        self.document.place(self.start, self.key.clone())
    }

    /// Where a key is, or ought to be.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let start = self.table.get_key_value(key).map_or(self.start, |(name, _)| name.span().start);
        self.document.place(start, join(&self.key, key))
    }

    /// Reports a mistake about one of its keys.
    pub(super) fn fail(&self, key: &str, message: impl Into<String>) {
        self.document.report(self.place_of(key).error(message));
    }

    /// A key's value, if it is there.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Field<'d>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let value = self.table.get(key)?;
        Some(Field { document: self.document, value, key: join(&self.key, key), secret: self.secret })
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A key that may be left out. `None` also if its value is wrong, which is reported.
    pub(super) fn optional<T>(&mut self, key: &'static str, read: impl FnOnce(&Field<'d>) -> Option<T>) -> Option<T> {
        self.get(key).and_then(|field| read(&field))
    }

    /// A key with a default. `None` only if its value is wrong, which is reported.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Field<'d>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).map_or(Some(default), |field| read(&field))
    }

    /// A key that must be there; `remedy` says what to write.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        remedy: &str,
        read: impl FnOnce(&Field<'d>) -> Option<T>,
    ) -> Option<T> {
        let field = self.get(key);
        if field.is_none() {
            self.fail(key, format!("missing; {remedy}"));
        }
        field.and_then(|field| read(&field))
    }

    /// The tables of `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'d>> {
        let fields = self.optional(key, |field| field.list()).unwrap_or_default();
        fields.iter().filter_map(Field::section).collect()
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for name in self.table.keys().filter(|name| !self.asked.contains(&name.get_ref().as_ref())) {
            let known = self.asked.iter().copied();
            let (key, message) = if self.secret {
                (self.key.clone(), format!("unknown key here; known are {}", listed(known)))
            } else {
                let or_else = or_else_known(name.get_ref(), known);
                (join(&self.key, &quotable(name.get_ref())), format!("unknown key{or_else}"))
            };
            self.document.report(self.document.place(name.span().start, key).error(message));
        }
    }
}

/// A value.
pub(super) struct Field<'d> {
    document: &'d Document<'d>,
    value: &'d Spanned<DeValue<'d>>,
    key: String,
    secret: bool,
}

impl<'d> Field<'d> {
    pub(super) fn place(&self) -> Place {
        self.document.place(self.value.span().start, self.key.clone())
    }

    /// Reports a mistake about it.
    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Option<T> {
        self.document.report(self.place().error(message));
        None
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fail(format!("expected {what}, found {found}"))
    }

    /// What was found, where it may be quoted.
    pub(super) fn quote(&self, text: &str) -> String {
        if self.secret { "something else".to_owned() } else { format!("`{}`", quotable(text)) }
    }

    pub(super) fn text(&self, what: &str) -> Option<&'d str> {
        match self.value.get_ref() {
            DeValue::String(text) if text.is_empty() => self.fail(format!("expected {what}, found an empty text")),
            DeValue::String(text) => Some(text),
            _ => self.expected(what),
        }
    }

    /// The text, if it is one: nothing is reported.
    pub(super) fn literal(&self) -> Option<&'d str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.expected("true or false"),
        }
    }

    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(integer) = self.value.get_ref() else { return self.expected("an integer") };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => self.fail(format!(
                "expected an integer from {} to {}, found {}",
                range.start(),
                range.end(),
                self.quote(integer.as_str())
            )),
        }
    }

    /// A decimal number as exact text, written as a number or as a text.
    pub(super) fn decimal(&self) -> Option<&'d str> {
        let text = match self.value.get_ref() {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => return self.expected("a decimal number such as `-0.5`"),
        };
        let (whole, fraction) = text
            .strip_prefix('-')
            .unwrap_or(text)
            .split_once('.')
            .unwrap_or_else(|| (text.strip_prefix('-').unwrap_or(text), "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits(whole) && digits(fraction) {
            Some(text)
        } else {
            self.fail(format!("expected a decimal number such as `-0.5`, found {}", self.quote(text)))
        }
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text("a duration such as `10s`")?;
        match humantime::parse_duration(text) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => self.fail(format!(
                "expected a duration from {} to {}, found {}",
                humantime::format_duration(*range.start()),
                humantime::format_duration(*range.end()),
                self.quote(text)
            )),
            Err(_) => self.fail(format!("expected a duration such as `10s` or `250ms`, found {}", self.quote(text))),
        }
    }

    /// A number of bytes: an integer, or a text with a unit (`16MiB`).
    pub(super) fn bytes(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let found = match self.value.get_ref() {
            DeValue::Integer(integer) => integer.as_str(),
            DeValue::String(text) => text.as_ref(),
            _ => return self.expected("a size such as `16MiB`"),
        };
        match parse_bytes(found) {
            Some(value) if range.contains(&value) => Some(value),
            Some(_) => self.fail(format!(
                "expected a size from {} to {} bytes, found {}",
                range.start(),
                range.end(),
                self.quote(found)
            )),
            None => self.fail(format!("expected a size such as `16MiB` or `500kB`, found {}", self.quote(found))),
        }
    }

    /// A word: a text, or an integer as it is written.
    pub(super) fn word(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => Some(integer.as_str().to_owned()),
            _ => self.text("a word or an integer").map(str::to_owned),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(&format!("one of {}", listed(choices.iter().map(|(word, _)| *word))))?;
        self.choice_of(text, choices)
    }

    /// What one of a few words, found here, stands for.
    pub(super) fn choice_of<T: Copy>(&self, text: &str, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Some(*value),
            None => match near_match(text, words()) {
                Some(near) => self.fail(format!("unknown {}, did you mean `{near}`", self.quote(text))),
                None => self.fail(format!("expected one of {}, found {}", listed(words()), self.quote(text))),
            },
        }
    }

    /// A value of a type that describes itself.
    pub(super) fn described<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        let Some(value) = plain(self.value.get_ref()) else {
            return self.fail("a date or a decimal number has no place here; write texts and integers");
        };
        match T::deserialize(value) {
            Ok(value) => Some(value),
            Err(error) => self.fail(error.message().trim_end().to_owned()),
        }
    }

    /// A path, relative to the file's folder.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.text("the path of a file").map(|text| self.document.folder().join(text))
    }

    pub(super) fn section(&self) -> Option<Section<'d>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(Section {
                document: self.document,
                table,
                start: self.value.span().start,
                key: self.key.clone(),
                secret: self.secret,
                asked: Vec::new(),
            }),
            _ => self.expected("a table"),
        }
    }

    pub(super) fn list(&self) -> Option<Vec<Field<'d>>> {
        match self.value.get_ref() {
            DeValue::Array(values) => Some(
                values
                    .iter()
                    .enumerate()
                    .map(|(n, value)| Field { value, key: format!("{}[{n}]", self.key), ..*self })
                    .collect(),
            ),
            _ => self.expected("a list"),
        }
    }
}

/// A value without its places; no dates, and no decimals, which no float shall touch.
fn plain(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(integer) => toml::Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok()?),
        DeValue::Boolean(value) => toml::Value::Boolean(*value),
        DeValue::Array(values) => {
            toml::Value::Array(values.iter().map(|value| plain(value.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Some((key.to_string(), plain(value.get_ref())?))
            };
            toml::Value::Table(table.iter().map(entry).collect::<Option<_>>()?)
        }
        DeValue::Float(_) | DeValue::Datetime(_) => return None,
    })
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A text that can stand in a message: no control characters, not endless.
fn quotable(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTE_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
