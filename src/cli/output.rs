//! Rows on standard output: as a table for people, or as CSV, JSON, JSON lines or Markdown for programs and pages.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::store::Value;

/// A table is arranged as a whole, so it is held in memory. Whoever wants more rows than this does not read them.
const TABLE_ROWS_MAX: usize = 10_000;

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// RFC 4180, with a header; NULL is empty, an empty text is ""
    Csv,
    /// One array of objects
    Json,
    /// One object a line
    Jsonl,
    /// A table for a page
    Markdown,
}

/// Prints rows as they come.
pub(super) struct Printer<W> {
    out: W,
    format: Format,
    columns: Vec<String>,
    table: Table,
    rows: usize,
    line: String,
    /// Whether what is printed reaches a terminal as it is.
    is_seen: bool,
}

impl<W: Write> Printer<W> {
    /// Starts with the names of the columns.
    pub(super) fn start(format: Format, columns: &[&str], out: W) -> io::Result<Self> {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(columns.iter().map(|name| shown(name).into_owned()));
        let is_seen = io::stdout().is_terminal();
        if is_seen {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        let columns = if matches!(format, Format::Json | Format::Jsonl) { keys(columns) } else { owned(columns) };
        let mut printer = Self { out, format, columns, table, rows: 0, line: String::new(), is_seen };
        printer.header()?;
        Ok(printer)
    }

    fn header(&mut self) -> io::Result<()> {
        match self.format {
            Format::Table | Format::Jsonl => Ok(()),
            Format::Json => self.out.write_all(b"["),
            Format::Csv => {
                let names: Vec<_> = self.columns.iter().map(|name| quoted(name)).collect();
                let names = names.join(",");
                writeln!(self.out, "{}", if self.is_seen { shown(&names) } else { names.into() })
            }
            Format::Markdown => {
                let names: Vec<_> = self.columns.iter().map(|name| in_markdown(name)).collect();
                writeln!(self.out, "| {} |\n|{}", names.join(" | "), " --- |".repeat(names.len()))
            }
        }
    }

    /// Prints a row. Breaks where no more rows are wanted.
    pub(super) fn row(&mut self, values: &[Value<'_>]) -> io::Result<ControlFlow<()>> {
        if self.format == Format::Table {
            if self.rows == TABLE_ROWS_MAX {
                self.rows += 1;
                return Ok(ControlFlow::Break(()));
            }
            self.table.add_row(values.iter().map(in_table));
        } else {
            self.line.clear();
            match self.format {
                Format::Table => {}
                Format::Csv => {
                    self.line.extend(separated(",", values.iter().map(in_csv)));
                    if self.is_seen {
                        self.line = shown(&self.line).into_owned();
                    }
                }
                Format::Markdown => {
                    self.line.push_str("| ");
                    self.line.extend(separated(" | ", values.iter().map(|value| in_markdown(&text(value)).into())));
                    self.line.push_str(" |");
                }
                Format::Json | Format::Jsonl => object(&self.columns, values, &mut self.line),
            }
            if self.format == Format::Json {
                self.out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
                self.out.write_all(self.line.as_bytes())?;
            } else {
                self.line.push('\n');
                self.out.write_all(self.line.as_bytes())?;
            }
        }
        self.rows += 1;
        Ok(ControlFlow::Continue(()))
    }

    /// Prints what is still to be printed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match self.format {
            Format::Csv | Format::Jsonl | Format::Markdown => {}
            Format::Json => self.out.write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?,
            Format::Table => {
                writeln!(self.out, "{}", self.table.trim_fmt())?;
                if self.rows > TABLE_ROWS_MAX {
                    let hint = "there are more rows; add LIMIT, or print them all with --format csv";
                    writeln!(self.out, "The first {TABLE_ROWS_MAX} rows; {hint}.")?;
                }
            }
        }
        self.out.flush()
    }
}

fn owned(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|name| (*name).to_owned()).collect()
}

/// The names as keys of an object: a name that occurs again gets a number.
fn keys(columns: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for name in columns {
        let mut key = (*name).to_owned();
        let mut n = 1;
        while keys.contains(&key) {
            n += 1;
            key = format!("{name}_{n}");
        }
        keys.push(key);
    }
    keys
}

/// The items with a separator between them.
fn separated<'a>(
    separator: &'static str,
    items: impl Iterator<Item = Cow<'a, str>>,
) -> impl Iterator<Item = Cow<'a, str>> {
    items.enumerate().flat_map(move |(n, item)| [Cow::Borrowed(if n == 0 { "" } else { separator }), item])
}

/// A value as text; NULL is empty, a BLOB a literal of SQL.
fn text<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Integer(integer) => integer.to_string().into(),
        Value::Real(real) => format!("{real:?}").into(),
        Value::Text(text) => String::from_utf8_lossy(text),
        Value::Blob(bytes) => {
            let mut literal = String::with_capacity(bytes.len() * 2 + 3);
            literal.push_str("x'");
            for byte in *bytes {
                // Writing to a String does not fail.
                let _ = write!(literal, "{byte:02x}");
            }
            literal.push('\'');
            literal.into()
        }
    }
}

fn in_table(value: &Value<'_>) -> Cell {
    let cell = Cell::new(shown(&text(value)));
    if matches!(value, Value::Integer(_) | Value::Real(_)) { cell.set_alignment(CellAlignment::Right) } else { cell }
}

fn in_csv<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match value {
        Value::Text([]) => Cow::Borrowed("\"\""),
        Value::Text(_) => match text(value) {
            Cow::Borrowed(text) => quoted(text),
            Cow::Owned(text) => quoted(&text).into_owned().into(),
        },
        _ => text(value),
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        Cow::Borrowed(text)
    }
}

fn in_markdown(text: &str) -> String {
    shown(text).replace('\\', "\\\\").replace('|', "\\|")
}

fn object(keys: &[String], values: &[Value<'_>], out: &mut String) {
    out.push('{');
    for (n, (key, value)) in keys.iter().zip(values).enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(&json_string(key));
        out.push(':');
        match value {
            Value::Null => out.push_str("null"),
            Value::Integer(_) => out.push_str(&text(value)),
            // JSON has no word for infinity, but numbers that nobody can hold.
            Value::Real(real) if real.is_infinite() => out.push_str(if *real > 0.0 { "1e999" } else { "-1e999" }),
            Value::Real(_) => out.push_str(&text(value)),
            Value::Text(_) | Value::Blob(_) => out.push_str(&json_string(&text(value))),
        }
    }
    out.push('}');
}

/// A text of JSON, in which what could steer a terminal is escaped.
fn json_string(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    match harmless_json(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(escaped) => escaped,
    }
}

/// The same JSON, on a line, in which what could steer a terminal is escaped.
pub(super) fn harmless_json(json: &str) -> Cow<'_, str> {
    if !json.contains(steers) {
        return Cow::Borrowed(json);
    }
    let escaped = |mut safe: String, character: char| {
        // All of these are of the basic plane.
        let _ = if steers(character) {
            write!(safe, "\\u{:04x}", u32::from(character))
        } else {
            write!(safe, "{character}")
        };
        safe
    };
    json.chars().fold(String::new(), escaped).into()
}

/// Text from the wire for a terminal or a page: what could steer either is shown as an escape.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            '\0'..='\x7f' if character.is_control() => {
                let _ = write!(safe, "\\x{:02x}", u32::from(character));
            }
            _ if steers(character) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
            _ => safe.push(character),
        }
    }
    safe.into()
}

/// Bytes from the wire, likewise.
pub(super) fn shown_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        safe.push_str(&shown(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(safe, "\\x{byte:02x}");
        }
    }
    safe
}

/// Control characters, and those that change the direction of text.
pub(super) fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(format: Format, columns: &[&str], rows: &[&[Value<'_>]]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::start(format, columns, &mut out).unwrap();
        for row in rows {
            assert!(printer.row(row).unwrap().is_continue());
        }
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    const ROWS: &[&[Value<'_>]] = &[
        &[Value::Integer(i64::MAX), Value::Text(b"a|\"b\",\x1b[2J\n"), Value::Null],
        &[Value::Real(1.0), Value::Text(b""), Value::Blob(b"\0\xff")],
    ];

    #[test]
    fn a_table_is_harmless_on_a_terminal() {
        let table = print(Format::Table, &["a", "b\x07", "c"], ROWS);
        assert_eq!(
            table,
            "\
┌─────────────────────┬─────────────────┬─────────┐
│ a                   ┆ b\\x07           ┆ c       │
╞═════════════════════╪═════════════════╪═════════╡
│ 9223372036854775807 ┆ a|\"b\",\\x1b[2J\\n ┆         │
│                 1.0 ┆                 ┆ x'00ff' │
└─────────────────────┴─────────────────┴─────────┘
"
        );
        assert_eq!(shown("\u{9b}2J\u{202e}\u{85}é\t"), "\\u{9b}2J\\u{202e}\\u{85}é\\t");
        assert_eq!(shown_bytes(b"a\xff\x1b\xc3\xa9"), "a\\xff\\x1bé");
    }

    #[test]
    fn csv_tells_null_from_empty_and_quotes_what_must_be() {
        assert_eq!(
            print(Format::Csv, &["a", "b,", "c"], ROWS),
            "a,\"b,\",c\n9223372036854775807,\"a|\"\"b\"\",\x1b[2J\n\",\n1.0,\"\",x'00ff'\n"
        );
    }

    #[test]
    fn json_keeps_integers_and_every_column() {
        let expected = [
            r#"{"a":9223372036854775807,"a_2":"a|\"b\",\u001b[2J\n","a_2_2":null}"#,
            r#"{"a":1.0,"a_2":"","a_2_2":"x'00ff'"}"#,
        ];
        let columns = ["a", "a", "a_2"];
        assert_eq!(print(Format::Jsonl, &columns, ROWS), format!("{}\n{}\n", expected[0], expected[1]));
        assert_eq!(print(Format::Json, &columns, ROWS), format!("[\n{},\n{}\n]\n", expected[0], expected[1]));
        assert_eq!(print(Format::Json, &columns, &[]), "[]\n");
        let steering: &[Value<'_>] = &[Value::Text("\u{9b}2J\u{202e}\u{7f}é".as_bytes())];
        assert_eq!(print(Format::Jsonl, &["a"], &[steering]), "{\"a\":\"\\u009b2J\\u202e\\u007fé\"}\n");
        let infinite: &[Value<'_>] = &[Value::Real(f64::NEG_INFINITY)];
        assert_eq!(print(Format::Jsonl, &["a"], &[infinite]), "{\"a\":-1e999}\n");
    }

    #[test]
    fn markdown_escapes_what_would_end_a_cell() {
        assert_eq!(
            print(Format::Markdown, &["a", "b|", "c"], ROWS),
            "| a | b\\| | c |\n| --- | --- | --- |\n| 9223372036854775807 | a\\|\"b\",\\\\x1b[2J\\\\n |  |\n\
             | 1.0 |  | x'00ff' |\n"
        );
    }

    #[test]
    fn a_table_ends_where_nobody_reads_on_and_says_so() {
        let mut out = Vec::new();
        let mut printer = Printer::start(Format::Table, &["a"], &mut out).unwrap();
        for _ in 0..TABLE_ROWS_MAX {
            assert!(printer.row(&[Value::Integer(1)]).unwrap().is_continue());
        }
        assert!(printer.row(&[Value::Integer(1)]).unwrap().is_break());
        printer.finish().unwrap();
        assert!(
            String::from_utf8(out)
                .unwrap()
                .ends_with("there are more rows; add LIMIT, or print them all with --format csv.\n")
        );
    }
}
