//! `feedtape query`.

use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use super::output::{Format, Printer};
use crate::exit::{Exit, Failure};
use crate::store::{Query, QueryError};

/// Ask a recording in SQL, also while it is being recorded; nothing a query says can change it
///
/// Beside the tables and views there is the journal: the view `frames` (frame, session, seq, kind, received_at,
/// received_utc, mono, text, bytes), and for rows that name their frame the functions frame_text(frame),
/// frame_bytes, frame_kind, frame_session, frame_seq, frame_received_at and frame_mono.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape query coinflex.db \"SELECT * FROM trades WHERE market = 'XBT:USDT' ORDER BY time DESC LIMIT 10\"
  feedtape query coinflex.db \"SELECT * FROM candles WHERE market = 'XBT:USDT'\" --format csv > candles.csv
  feedtape query coinflex.db \"SELECT time_utc, price, frame_text(frame) FROM trades LIMIT 1\" --format jsonl
  feedtape query coinflex.db \"SELECT * FROM frames WHERE session = 1 AND seq < 10\"
  feedtape query coinflex.db \"SELECT name, sql FROM sqlite_schema\"    # what there is")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// One statement that reads
    #[arg(allow_hyphen_values = true)]
    sql: String,
    /// How to print the rows
    #[arg(long, default_value = "table")]
    format: Format,
    /// Give up after this time
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut query = Query::open(&args.database, args.timeout)?;
    let mut answer = query.prepare(&args.sql)?;
    let out = BufWriter::new(io::stdout().lock());
    let mut printer = match Printer::start(args.format, &answer.columns(), out) {
        Ok(printer) => printer,
        Err(error) => return super::written(Err(error)),
    };
    let mut printed = Ok(());
    answer.rows(|values| {
        printer.row(values).unwrap_or_else(|error| {
            printed = Err(error);
            ControlFlow::Break(())
        })
    })?;
    super::written(printed.and_then(|()| printer.finish()))
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(error) => error.into(),
            // The statement is an argument, so what is wrong with it is wrong usage.
            _ => Exit::Usage.because(error),
        }
    }
}
