//! `feedtape frames`.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::output::{self, Printer, shown_bytes};
use super::time;
use crate::exit::{Exit, Failure};
use crate::journal::RecordKind;
use crate::model::{SessionId, Timestamp};
use crate::replay::capture::{Direction, Message};
use crate::store::{Frame, Frames, Selection, StoreError, Value};

/// Print the journal: every frame as it came, and what else the sessions were given
///
/// The format `import` is what `feedtape import` reads: one message a line, arrival time, direction, text. It has the
/// messages of one session, without what else is in the journal.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape frames coinflex.db --session 1
  feedtape frames coinflex.db --from 2020-01-31T12:00:00Z --to 2020-01-31T12:01:00Z --kind received
  feedtape frames coinflex.db --session 1 --format import > session.capture
  feedtape import session.capture --into copy.db")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Of this session only
    #[arg(long, value_name = "NUMBER")]
    session: Option<i64>,
    /// Arrived at this time or later
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Timestamp>,
    /// Arrived before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<Timestamp>,
    /// Of these kinds only, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kind: Vec<RecordKind>,
    /// How to print them
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line each, for people
    Text,
    /// An object a line
    Json,
    /// The capture format, byte for byte
    Import,
}

fn kind(text: &str) -> Result<RecordKind, String> {
    RecordKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = RecordKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("known are {}", known.join(", "))
    })
}

/// Why printing stopped.
enum End {
    Store(StoreError),
    Output(io::Error),
    SecondSession(SessionId, SessionId),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let selection =
        Selection { session: args.session.map(SessionId), from: args.from, to: args.to, kinds: args.kind.clone() };
    let mut frames = Frames::open(&args.database)?;
    let out = BufWriter::new(io::stdout().lock());
    let printed = match args.format {
        Format::Text => text(&mut frames, &selection, out),
        Format::Json => json(&mut frames, &selection, out),
        Format::Import => import(&mut frames, &selection, out),
    };
    match printed {
        Ok(()) => Ok(Exit::Good),
        Err(End::Output(error)) => super::written(Err(error)),
        Err(End::Store(error)) => Err(error.into()),
        Err(End::SecondSession(first, second)) => Err(Exit::Usage.because(format!(
            "a capture is of one session, and there are messages of {first} and {second}, choose with --session"
        ))),
    }
}

fn text(frames: &mut Frames, selection: &Selection, mut out: impl Write) -> Result<(), End> {
    frames.read(selection, |Frame { session, seq, record, .. }| {
        let (at, kind, body) = (record.at.wall, record.kind.as_str(), shown_bytes(record.body));
        writeln!(out, "{at} {session}/{seq} {kind} {body}").map_err(End::from)
    })?;
    Ok(out.flush()?)
}

fn json(frames: &mut Frames, selection: &Selection, out: impl Write) -> Result<(), End> {
    let columns = ["frame", "session", "seq", "kind", "received_at", "received_utc", "mono", "text", "bytes"];
    let mut printer = Printer::start(output::Format::Jsonl, &columns, out)?;
    frames.read(selection, |Frame { number, session, seq, record }| {
        let is_text = str::from_utf8(record.body).is_ok();
        let utc = record.at.wall.to_string();
        let row = [
            Value::Integer(number),
            Value::Integer(session.0),
            Value::Integer(seq.0 as i64),
            Value::Text(record.kind.as_str().as_bytes()),
            Value::Integer(record.at.wall.0),
            Value::Text(utc.as_bytes()),
            Value::Integer(record.at.mono),
            if is_text { Value::Text(record.body) } else { Value::Null },
            if is_text { Value::Null } else { Value::Blob(record.body) },
        ];
        printer.row(&row).map(drop).map_err(End::from)
    })?;
    Ok(printer.finish()?)
}

fn import(frames: &mut Frames, selection: &Selection, mut out: impl Write) -> Result<(), End> {
    let mut only = None;
    let is_seen = io::stdout().is_terminal();
    frames.read(selection, |Frame { session, record, .. }| {
        let Some(direction) = Direction::of(record.kind) else { return Ok(()) };
        let first = *only.get_or_insert(session);
        if first != session {
            return Err(End::SecondSession(first, session));
        }
        let at = Some(record.at.wall).filter(|at| at.0 != 0);
        let message = Message { at, direction, body: Cow::Borrowed(record.body) };
        if !is_seen {
            return message.write(&mut out).map_err(End::from);
        }
        let mut line = Vec::new();
        message.write(&mut line)?;
        writeln!(out, "{}", shown_bytes(line.trim_ascii_end())).map_err(End::from)
    })?;
    Ok(out.flush()?)
}
