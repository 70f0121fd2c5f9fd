//! `feedtape book`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::output::{Format, Printer, shown};
use super::time;
use crate::exit::{Exit, Failure};
use crate::model::{Coverage, Timestamp, Verdict};
use crate::near::{listed, or_else_known};
use crate::store::{BookLevel, BookName, BookState, Interval, Reader, Value};

/// Print the order book of a market at a time by price level, with cumulative sizes
///
/// It ends with 1 if the book is not known at that time, and says why: in a gap there is no book. Times are those of
/// arrival. Where a venue tells only the best orders of a side (CoinFLEX 1,000), those beyond are known as far as
/// something has happened to them.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape book coinflex.db XBT:USDT
  feedtape book coinflex.db XBT:USDT --at 2020-01-31T12:00:00Z --depth 20
  feedtape book coinflex.db XBT:USDT --format csv")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// The market
    #[arg(value_name = "MARKET")]
    market: String,
    /// As it was at this time [default: the newest]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<Timestamp>,
    /// Price levels of each side
    #[arg(long, value_name = "LEVELS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    depth: u32,
    /// Of this source; needed if several have the market
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How to print it
    #[arg(long, default_value = "table")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let reader = Reader::open_at_this_instant(&args.database)?.0;
    let book = find(&reader.books()?, args)?;
    let at = match args.at {
        Some(at) => at,
        None => reader.newest_book(&book)?,
    };
    let (verdict, until) = match reader.book_state(&book, at)? {
        BookState::Known { verdict, until } => (verdict, until),
        BookState::Unknown { interval } => {
            let intervals = reader.book_intervals(&book)?;
            return Err(Exit::Negative.because(unknown(&book, at, interval.as_ref(), &intervals)));
        }
    };
    let levels = reader.book_levels(&book, at, args.depth)?;
    let out = BufWriter::new(io::stdout().lock());
    super::written(match args.format {
        Format::Table => table(&book, at, verdict, until, &levels, out),
        format => rows(&book, at, verdict, until, &levels, format, out),
    })
}

fn find(books: &[BookName], args: &Args) -> Result<BookName, Failure> {
    let sources: Vec<&BookName> = books
        .iter()
        .filter(|book| book.market == args.market && args.source.as_ref().is_none_or(|source| *source == book.source))
        .collect();
    match sources[..] {
        [book] => Ok(book.clone()),
        [] => {
            let markets: Vec<&str> = books.iter().map(|book| book.market.as_str()).collect();
            let hint = match (books.is_empty(), &args.source) {
                (true, _) => "; it has no book at all".to_owned(),
                (false, Some(_)) if markets.contains(&args.market.as_str()) => or_else_known(
                    args.source.as_deref().unwrap_or_default(),
                    books.iter().map(|book| book.source.as_str()),
                ),
                (false, _) => or_else_known(&args.market, markets),
            };
            let of = args.source.as_ref().map_or_else(String::new, |source| format!(" of source `{source}`"));
            Err(Exit::Negative.because(format!("there is no book of `{}`{of} in it{hint}", args.market)))
        }
        _ => {
            let sources = listed(sources.iter().map(|book| book.source.as_str()));
            Err(Exit::Usage
                .because(format!("several sources have `{}`, choose one with --source: {sources}", args.market)))
        }
    }
}

/// Why there is no book, and where there is one.
fn unknown(book: &BookName, at: Timestamp, interval: Option<&Interval>, intervals: &[Interval]) -> String {
    let BookName { source, market } = book;
    let mut text = match interval {
        Some(Interval { from, to, state, evidence, .. }) => {
            let cause = match state {
                Coverage::Gap(cause) => cause.as_str(),
                Coverage::Covered(verdict) => verdict.as_str(),
            };
            let evidence = evidence.as_ref().map_or_else(String::new, |evidence| format!(", {evidence}"));
            format!("the book of {market} ({source}) is not known at {at}: gap from {from} to {to} ({cause}{evidence})")
        }
        None => format!("nothing is said of the book of {market} ({source}) at {at}"),
    };
    let is_covered = |interval: &&Interval| matches!(interval.state, Coverage::Covered(_));
    let before = intervals.iter().filter(is_covered).rfind(|interval| interval.to <= at);
    let after = intervals.iter().filter(is_covered).find(|interval| interval.from > at);
    if let Some(before) = before {
        text.push_str(&format!("\nit is known until before {}", before.to));
    }
    if let Some(after) = after {
        text.push_str(&format!("\nit is known from {} on", after.from));
    }
    text
}

fn table(
    book: &BookName,
    at: Timestamp,
    verdict: Verdict,
    until: Option<Timestamp>,
    levels: &[BookLevel],
    mut out: impl Write,
) -> io::Result<()> {
    let BookName { source, market } = book;
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let doubt = if verdict == Verdict::Unverifiable { " (in doubt, see `feedtape coverage`)" } else { "" };
    writeln!(out, "{} ({}) at {at}: {verdict}{until}{doubt}", shown(market), shown(source))?;
    let mut printer = Printer::start(Format::Table, &["side", "price", "quantity", "cumulative", "orders"], out)?;
    // As a ladder: the best prices of both sides meet in the middle.
    let (asks, bids): (Vec<_>, Vec<_>) = levels.iter().partition(|level| !level.is_bid);
    for level in asks.iter().rev().chain(&bids) {
        let _ = printer.row(&[
            text(Some(side(level))),
            text(level.price.as_deref()),
            text(level.quantity.as_deref()),
            text(level.cumulative.as_deref()),
            Value::Integer(level.orders),
        ])?;
    }
    printer.finish()
}

fn rows(
    book: &BookName,
    at: Timestamp,
    verdict: Verdict,
    until: Option<Timestamp>,
    levels: &[BookLevel],
    format: Format,
    out: impl Write,
) -> io::Result<()> {
    let columns = [
        "source",
        "market",
        "at",
        "at_utc",
        "verdict",
        "verified_until",
        "verified_until_utc",
        "side",
        "level",
        "price",
        "quantity",
        "orders",
        "cumulative",
    ];
    let mut printer = Printer::start(format, &columns, out)?;
    let (at_utc, until_utc) = (at.to_string(), until.map(|until| until.to_string()));
    for level in levels {
        let _ = printer.row(&[
            text(Some(&book.source)),
            text(Some(&book.market)),
            Value::Integer(at.0),
            text(Some(&at_utc)),
            text(Some(verdict.as_str())),
            until.map_or(Value::Null, |until| Value::Integer(until.0)),
            text(until_utc.as_deref()),
            text(Some(side(level))),
            Value::Integer(level.level),
            text(level.price.as_deref()),
            text(level.quantity.as_deref()),
            Value::Integer(level.orders),
            text(level.cumulative.as_deref()),
        ])?;
    }
    printer.finish()
}

fn side(level: &BookLevel) -> &'static str {
    if level.is_bid { "buy" } else { "sell" }
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Null, |text| Value::Text(text.as_bytes()))
}
