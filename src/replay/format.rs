//! The formats that others write captures in, beside our own ([`super::capture`]): each a record a line.
//!
//! * Plain lines of JSON: a received frame each, without times.
//! * cryptofeed's raw capture: `T: FRAME` received, `URL <- T: FRAME` sent, `URL <-> T` connected, `URL -> T: BODY` a
//!   REST answer (perhaps with ` header: {…}` behind it); T in seconds since 1970 with decimals. Binary frames are
//!   written as Python does (`b'\x1f\x8b'`). A last line `configuration: {…}` says what was recorded.
//! * hftbacktest's collector: arrival in ns, a space, the frame; for Binance also the REST answers, bare.

use std::borrow::Cow;
use std::io::BufRead;

use crate::model::Timestamp;

use super::capture::{self, CaptureError, Direction, Message, Reader};

/// A format of captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// feedtape's own: a time, a mark, the message
    Own,
    /// A received frame of JSON a line, without times
    Lines,
    /// The raw capture of cryptofeed
    Cryptofeed,
    /// The collector of hftbacktest
    Hftbacktest,
}

/// What a record of a capture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A message of a connection.
    Message(Message<'a>),
    /// A connection was opened.
    Connected {
        /// When.
        at: Option<Timestamp>,
    },
    /// A REST answer came.
    Rest {
        /// When.
        at: Option<Timestamp>,
        /// What was asked for: path and query; empty where the format does not say.
        path: String,
        /// The answer.
        body: Cow<'a, [u8]>,
    },
}

/// Reads a capture of any format.
#[derive(Debug)]
pub struct Capture<R> {
    reader: Reader<R>,
    format: Option<Format>,
}

impl<R: BufRead> Capture<R> {
    /// Reads from `input`; without a format, its first line says which it is.
    pub fn new(input: R, format: Option<Format>) -> Self {
        Self { reader: Reader::new(input), format }
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or the line is no record of the format.
    pub fn read(&mut self) -> Result<Option<Entry<'_>>, CaptureError> {
        loop {
            let Some((line, _)) = self.reader.line()? else { return Ok(None) };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let format = *self.format.get_or_insert_with(|| Format::of(line));
            let is_skipped = match format {
                Format::Own => line[0] == b'#',
                Format::Cryptofeed => line.starts_with(b"configuration: "),
                Format::Lines | Format::Hftbacktest => false,
            };
            if !is_skipped {
                break;
            }
        }
        let (line, number) = self.reader.current();
        let received =
            |at, body: &'_ [u8]| Message { at, direction: Direction::Received, body: Cow::Owned(body.to_vec()) };
        match self.format {
            Some(Format::Lines) => Ok(Some(Entry::Message(received(None, line)))),
            Some(Format::Cryptofeed) => cryptofeed(line).map(Some).ok_or_else(|| excerpted(line, number)),
            Some(Format::Hftbacktest) => {
                let (time, body) = capture::word(line);
                let at = capture::nanoseconds(time).ok_or_else(|| excerpted(line, number))?;
                // The wrapper of a stream's frame names the stream; a REST answer is bare.
                if body.starts_with(b"{\"lastUpdateId\"") {
                    return Ok(Some(Entry::Rest { at: Some(at), path: String::new(), body: Cow::Borrowed(body) }));
                }
                Ok(Some(Entry::Message(received(Some(at), body))))
            }
            Some(Format::Own) | None => capture::parse(line, number).map(|message| Some(Entry::Message(message))),
        }
    }
}

fn excerpted(line: &[u8], number: u64) -> CaptureError {
    CaptureError::Foreign { line: number, found: capture::excerpt(line) }
}

impl Format {
    /// The format of a capture that begins with this line.
    fn of(line: &[u8]) -> Self {
        let is_time = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let (first, rest) = capture::word(line);
        match line[0] {
            b'{' | b'[' => Self::Lines,
            b'w' | b'h' if line.starts_with(b"ws") || line.starts_with(b"http") => Self::Cryptofeed,
            b'0'..=b'9' if first.ends_with(b":") => Self::Cryptofeed,
            _ if is_time(first) && matches!(rest.first(), Some(b'{' | b'[')) => Self::Hftbacktest,
            _ => Self::Own,
        }
    }
}

/// A record of cryptofeed's raw capture.
fn cryptofeed(line: &[u8]) -> Option<Entry<'_>> {
    let text = str::from_utf8(line).ok()?;
    if line[0].is_ascii_digit() {
        let (time, frame) = text.split_once(": ")?;
        return Some(Entry::Message(message(seconds(time)?, Direction::Received, frame)?));
    }
    let (url, rest) = text.split_once(' ')?;
    if let Some(time) = rest.strip_prefix("<-> ") {
        return Some(Entry::Connected { at: Some(seconds(time.trim_end())?) });
    }
    if let Some(rest) = rest.strip_prefix("<- ") {
        let (time, frame) = rest.split_once(": ")?;
        return Some(Entry::Message(message(seconds(time)?, Direction::Sent, frame)?));
    }
    let (time, body) = rest.strip_prefix("-> ")?.split_once(": ")?;
    let body = body.rfind(" header: {").map_or(body, |tail| &body[..tail]);
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    Some(Entry::Rest { at: Some(seconds(time)?), path: format!("/{path}"), body: Cow::Borrowed(body.as_bytes()) })
}

fn message(at: Timestamp, direction: Direction, frame: &str) -> Option<Message<'_>> {
    let at = Some(at);
    match frame.strip_prefix("b'").and_then(|rest| rest.strip_suffix('\'')) {
        None => Some(Message { at, direction, body: Cow::Borrowed(frame.as_bytes()) }),
        Some(literal) => {
            let direction = if direction == Direction::Sent { direction } else { Direction::ReceivedBinary };
            Some(Message { at, direction, body: Cow::Owned(capture::unescape(literal.as_bytes(), of_python)?) })
        }
    }
}

/// Seconds since 1970 with at most nine decimals, exactly.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<9}").parse().ok().map(Timestamp)
}

/// What a Python literal of bytes escapes by name.
fn of_python(letter: u8) -> Option<u8> {
    match letter {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'\\' | b'\'' | b'"' => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(capture: &str) -> Vec<Entry<'static>> {
        let mut capture = Capture::new(capture.as_bytes(), None);
        let mut entries = Vec::new();
        while let Some(entry) = capture.read().unwrap() {
            entries.push(match entry {
                Entry::Message(Message { at, direction, body }) => {
                    Entry::Message(Message { at, direction, body: Cow::Owned(body.into_owned()) })
                }
                Entry::Connected { at } => Entry::Connected { at },
                Entry::Rest { at, path, body } => Entry::Rest { at, path, body: Cow::Owned(body.into_owned()) },
            });
        }
        entries
    }

    fn said(at: Option<i64>, direction: Direction, body: &'static [u8]) -> Entry<'static> {
        Entry::Message(Message { at: at.map(Timestamp), direction, body: Cow::Borrowed(body) })
    }

    #[test]
    fn a_first_line_tells_the_format() {
        let received = Direction::Received;
        assert_eq!(entries("{\"a\":1}\n\n[2]\n"), [said(None, received, b"{\"a\":1}"), said(None, received, b"[2]")]);
        assert_eq!(
            entries("# by hand\n5 < {}\n- > x\n"),
            [said(Some(5), received, b"{}"), said(None, Direction::Sent, b"x")]
        );
        assert_eq!(
            entries("1676419203000000001 {\"stream\":\"a\"}\n1676419203000000002 {\"lastUpdateId\":7}\n"),
            [
                said(Some(1_676_419_203_000_000_001), received, b"{\"stream\":\"a\"}"),
                Entry::Rest {
                    at: Some(Timestamp(1_676_419_203_000_000_002)),
                    path: String::new(),
                    body: Cow::Borrowed(b"{\"lastUpdateId\":7}")
                }
            ]
        );
    }

    #[test]
    fn the_raw_capture_of_cryptofeed_is_read_to_the_microsecond() {
        let capture = "wss://ws.x.com/v2 <-> 1610000000.5\nwss://ws.x.com/v2 <- 1610000000.612345: {\"op\":\"s\"}\n\
             \n1610000001.25: {\"a\":\"b: c\"}\n1610000002: b'\\x1f\\x8bA\\''\n\
             https://api.x.com/v1/depth?symbol=AB -> 1610000003.1: {\"bids\":[]} header: {'a': 1}\n\
             configuration: {\"l2_book\":[\"AB\"]}\n";
        assert_eq!(
            entries(capture),
            [
                Entry::Connected { at: Some(Timestamp(1_610_000_000_500_000_000)) },
                said(Some(1_610_000_000_612_345_000), Direction::Sent, b"{\"op\":\"s\"}"),
                said(Some(1_610_000_001_250_000_000), Direction::Received, b"{\"a\":\"b: c\"}"),
                said(Some(1_610_000_002_000_000_000), Direction::ReceivedBinary, b"\x1f\x8bA'"),
                Entry::Rest {
                    at: Some(Timestamp(1_610_000_003_100_000_000)),
                    path: "/v1/depth?symbol=AB".to_owned(),
                    body: Cow::Borrowed(b"{\"bids\":[]}")
                },
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let error = |text: &str, format| Capture::new(text.as_bytes(), Some(format)).read().unwrap_err().to_string();
        assert_eq!(
            error("ftp://x 1: a", Format::Cryptofeed),
            "line 1: `ftp://x 1: a` is no record of this format; name another with --format"
        );
        assert!(error("x {}", Format::Hftbacktest).starts_with("line 1: `x {}` is no record"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_safe_to_read(bytes: Vec<u8>, format in 0..4usize) {
            let format = [Format::Own, Format::Lines, Format::Cryptofeed, Format::Hftbacktest][format];
            let mut capture = Capture::new(&bytes[..], Some(format));
            while let Ok(Some(_)) = capture.read() {}
        }
    }
}
