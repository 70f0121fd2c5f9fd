//! The line format of captures: one message a line, so that anybody can write one with a text editor.
//!
//! ```text
//! 1580472000000000000 < {"nonce":"azRzAi5rm1ry/l0drnz1vw==","notice":"Welcome"}
//! 1580472000000350000 > {"method":"WatchOrders","tag":1,"base":63488,"counter":65283,"watch":true}
//! - < {"error_code":0,"orders":[],"tag":1}
//! - <\ {\n  "notice": "Welcome"\n}
//! - <# \x00\x01\xff
//! ```
//!
//! A line is a time, a mark, and the message, with one space between them.
//!
//! * The time is the arrival in ns since the Unix epoch, or `-` where it is unknown.
//! * The mark says which way the message went, `<` received and `>` sent, and what follows: nothing more, the text as
//!   it is; `\`, the text with escapes; `#`, a binary message with escapes (received only).
//! * The escapes are `\\` for a backslash, `\n` for a line feed, `\r` for a carriage return, and `\x` with two
//!   hexadecimal digits for any byte. A text is written with them only if it has a line feed, a carriage return or
//!   bytes that are not UTF-8; so every message survives byte for byte, and most are written as they are.
//!
//! Blank lines and lines that begin with `#` are skipped.

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Write};

use thiserror::Error;

use crate::journal::RecordKind;
use crate::model::Timestamp;

/// Longest line read: a message of the largest size that connections take, every byte of it escaped, and its time.
pub const LINE_BYTES_MAX: usize = 4 * (64 << 20) + 64;

/// Which way a message went, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A text message was received.
    Received,
    /// A text message was sent.
    Sent,
    /// A binary message was received.
    ReceivedBinary,
}

impl Direction {
    /// The direction of that kind of journal record; `None` if it is no message.
    #[must_use]
    pub fn of(kind: RecordKind) -> Option<Self> {
        match kind {
            RecordKind::Received => Some(Self::Received),
            RecordKind::Sent => Some(Self::Sent),
            RecordKind::ReceivedBinary => Some(Self::ReceivedBinary),
            _ => None,
        }
    }

    /// The mark before the message.
    fn mark(self, escaped: bool) -> &'static str {
        match (self, escaped) {
            (Self::Received, false) => "<",
            (Self::Received, true) => "<\\",
            (Self::Sent, false) => ">",
            (Self::Sent, true) => ">\\",
            (Self::ReceivedBinary, _) => "<#",
        }
    }

    /// What a mark says: the direction, and whether the message is escaped.
    fn of_mark(mark: &[u8]) -> Option<(Self, bool)> {
        match mark {
            b"<" => Some((Self::Received, false)),
            b"<\\" => Some((Self::Received, true)),
            b">" => Some((Self::Sent, false)),
            b">\\" => Some((Self::Sent, true)),
            b"<#" => Some((Self::ReceivedBinary, true)),
            _ => None,
        }
    }
}

/// One message of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// When it arrived or was sent; `None` if unknown.
    pub at: Option<Timestamp>,
    /// Which way it went.
    pub direction: Direction,
    /// Its bytes, exactly.
    pub body: Cow<'a, [u8]>,
}

impl Message<'_> {
    /// Writes the message as one line.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self.at {
            Some(at) => write!(out, "{}", at.0)?,
            None => out.write_all(b"-")?,
        }
        let body = &self.body[..];
        let escaped = self.direction == Direction::ReceivedBinary
            || body.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
            || str::from_utf8(body).is_err();
        write!(out, " {} ", self.direction.mark(escaped))?;
        if escaped {
            write_escaped(body, out)?;
        } else {
            out.write_all(body)?;
        }
        out.write_all(b"\n")
    }
}

/// Text stays readable; everything else is escaped byte by byte.
fn write_escaped(body: &[u8], out: &mut impl Write) -> io::Result<()> {
    for chunk in body.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.write_all(b"\\\\")?,
                '\n' => out.write_all(b"\\n")?,
                '\r' => out.write_all(b"\\r")?,
                '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", u32::from(character))?,
                _ => write!(out, "{character}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// Undoes escapes: `\xNN`, and a backslash with a letter that `named` knows. `None` if there is another.
pub(super) fn unescape(text: &[u8], named: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            body.push(byte);
            continue;
        }
        body.push(match rest.next()? {
            b'x' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            letter => named(letter)?,
        });
    }
    Some(body)
}

/// What a line of ours escapes by name.
fn of_line(letter: u8) -> Option<u8> {
    match letter {
        b'\\' => Some(b'\\'),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        _ => None,
    }
}

/// A capture that cannot be read.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// Reading failed.
    #[error("line {line}: {source}")]
    Read {
        /// The line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The line is longer than [`LINE_BYTES_MAX`].
    #[error("line {line}: more than {LINE_BYTES_MAX} bytes, which no message has")]
    TooLong {
        /// The line, from 1.
        line: u64,
    },
    /// The line does not begin with a time.
    #[error("line {line}: `{found}` is no time, write ns since the epoch, or - where it is unknown")]
    Time {
        /// The line, from 1.
        line: u64,
        /// What is there instead.
        found: String,
    },
    /// There is no mark after the time.
    #[error("line {line}: `{found}` is no direction, write < for received or > for sent")]
    Mark {
        /// The line, from 1.
        line: u64,
        /// What is there instead.
        found: String,
    },
    /// The line is no record of a format that others write.
    #[error("line {line}: `{found}` is no record of this format; name another with --format")]
    Foreign {
        /// The line, from 1.
        line: u64,
        /// What it begins with.
        found: String,
    },
    /// A backslash of an escaped message begins no escape.
    #[error("line {line}: only \\\\, \\n, \\r and \\x with two hexadecimal digits are escapes")]
    Escape {
        /// The line, from 1.
        line: u64,
    },
}

/// Reads a capture, message by message, in one buffer.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or the line is no message.
    pub fn read(&mut self) -> Result<Option<Message<'_>>, CaptureError> {
        while self.next_line()? {
            if !self.line.trim_ascii().is_empty() && self.line[0] != b'#' {
                return parse(&self.line, self.number).map(Some);
            }
        }
        Ok(None)
    }

    /// The next line and its number, whatever it says; `None` at the end.
    pub(super) fn line(&mut self) -> Result<Option<(&[u8], u64)>, CaptureError> {
        Ok(if self.next_line()? { Some(self.current()) } else { None })
    }

    /// The line that was read last, and its number.
    pub(super) fn current(&self) -> (&[u8], u64) {
        (&self.line, self.number)
    }

    /// Gets the next line, without its end (a line feed, or both).
    fn next_line(&mut self) -> Result<bool, CaptureError> {
        self.number += 1;
        self.line.clear();
        let mut input = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        let read = input.read_until(b'\n', &mut self.line);
        read.map_err(|source| CaptureError::Read { line: self.number, source })?;
        if self.line.is_empty() {
            return Ok(false);
        }
        if self.line.len() > LINE_BYTES_MAX {
            return Err(CaptureError::TooLong { line: self.number });
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
        }
        if self.line.ends_with(b"\r") {
            self.line.pop();
        }
        Ok(true)
    }
}

pub(super) fn parse(text: &[u8], line: u64) -> Result<Message<'_>, CaptureError> {
    let (time, rest) = word(text);
    let at = match time {
        b"-" => None,
        _ => Some(nanoseconds(time).ok_or_else(|| CaptureError::Time { line, found: excerpt(time) })?),
    };
    let (mark, body) = word(rest);
    let (direction, escaped) =
        Direction::of_mark(mark).ok_or_else(|| CaptureError::Mark { line, found: excerpt(mark) })?;
    let body = if escaped {
        Cow::Owned(unescape(body, of_line).ok_or(CaptureError::Escape { line })?)
    } else {
        Cow::Borrowed(body)
    };
    Ok(Message { at, direction, body })
}

/// What comes before the first space, and what after it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

/// No sign: clocks of arrival are after 1970.
pub(super) fn nanoseconds(digits: &[u8]) -> Option<Timestamp> {
    let digits = str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().map(Timestamp)
}

/// The beginning of what was found instead, fit for a terminal.
pub(super) fn excerpt(found: &[u8]) -> String {
    String::from_utf8_lossy(found).chars().take(40).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(at: Option<i64>, direction: Direction, body: &[u8]) -> String {
        let mut out = Vec::new();
        let message = Message { at: at.map(Timestamp), direction, body: Cow::Borrowed(body) };
        message.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read_all(capture: &[u8]) -> Result<Vec<Message<'static>>, CaptureError> {
        let mut reader = Reader::new(capture);
        let mut messages = Vec::new();
        while let Some(Message { at, direction, body }) = reader.read()? {
            messages.push(Message { at, direction, body: Cow::Owned(body.into_owned()) });
        }
        Ok(messages)
    }

    #[test]
    fn most_messages_are_written_as_they_are() {
        let text = br#"{"error_msg":"a \"b\" \\ c","tab":"	"}"#;
        assert_eq!(
            line(Some(5), Direction::Received, text),
            "5 < {\"error_msg\":\"a \\\"b\\\" \\\\ c\",\"tab\":\"\t\"}\n"
        );
        assert_eq!(line(None, Direction::Sent, "\u{a3}".as_bytes()), "- > \u{a3}\n");
        assert_eq!(line(Some(0), Direction::Received, b""), "0 < \n");
    }

    #[test]
    fn what_would_not_fit_a_line_of_text_is_escaped() {
        assert_eq!(line(None, Direction::Received, b"{\n \"a\": \"\\n\"\r\n}"), "- <\\ {\\n \"a\": \"\\\\n\"\\r\\n}\n");
        assert_eq!(line(None, Direction::Sent, b"a\xff\xc3\xa9"), "- >\\ a\\xff\u{e9}\n");
        assert_eq!(line(None, Direction::ReceivedBinary, b"\0a"), "- <# \\x00a\n");
    }

    #[test]
    fn blank_lines_and_comments_are_skipped_and_either_line_end_will_do() {
        let messages = read_all(b"# by hand\r\n\n1 < a\r\n   \n- > \n2 <").unwrap();
        let expected =
            [(Some(1), Direction::Received, "a"), (None, Direction::Sent, ""), (Some(2), Direction::Received, "")];
        let expected = expected.map(|(at, direction, body)| Message {
            at: at.map(Timestamp),
            direction,
            body: Cow::Borrowed(body.as_bytes()),
        });
        assert_eq!(messages, expected);
    }

    #[test]
    fn mistakes_name_the_line_and_the_remedy() {
        for (capture, expected) in [
            ("1 < a\nx < b", "line 2: `x` is no time, write ns since the epoch, or - where it is unknown"),
            ("-1 < b", "line 1: `-1` is no time, write ns since the epoch, or - where it is unknown"),
            (
                "9223372036854775808 < b",
                "line 1: `9223372036854775808` is no time, write ns since the epoch, or - where it is unknown",
            ),
            ("1 <> b", "line 1: `<>` is no direction, write < for received or > for sent"),
            ("1 \x1b[2J", "line 1: `\\u{1b}[2J` is no direction, write < for received or > for sent"),
            ("1 <\\ \\t", "line 1: only \\\\, \\n, \\r and \\x with two hexadecimal digits are escapes"),
            ("1 <# \\x4", "line 1: only \\\\, \\n, \\r and \\x with two hexadecimal digits are escapes"),
        ] {
            assert_eq!(read_all(capture.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_message_survives_byte_for_byte(
            messages in proptest::collection::vec(
                (
                    proptest::option::of(0i64..),
                    prop_oneof![Just(Direction::Received), Just(Direction::Sent), Just(Direction::ReceivedBinary)],
                    prop_oneof![
                        proptest::collection::vec(any::<u8>(), 0..40),
                        "[ \\\\nrx\r\n\t\u{0}a-f0-9\u{80}-\u{ff}]{0,40}".prop_map(String::into_bytes),
                    ],
                ),
                0..8,
            )
        ) {
            let mut capture = Vec::new();
            let messages: Vec<_> = messages
                .into_iter()
                .map(|(at, direction, body)| Message { at: at.map(Timestamp), direction, body: Cow::Owned(body) })
                .collect();
            for message in &messages {
                message.write(&mut capture).unwrap();
            }
            prop_assert!(str::from_utf8(&capture).is_ok());
            prop_assert_eq!(read_all(&capture).unwrap(), messages);
        }

        #[test]
        fn any_bytes_are_safe_to_read(capture: Vec<u8>) {
            let _ = read_all(&capture);
        }
    }
}
