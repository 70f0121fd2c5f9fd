//! `feedtape verify`.

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::bar::Bar;
use super::output::shown;
use crate::exit::{Exit, Failure};
use crate::replay::{Stage, verify};
use crate::store::{Aspect, Report};

/// Check a recording against itself, and end with 1 if anything is found
///
/// The file as SQLite sees it; the journal, of which every record must be there and readable; every row of every
/// table, which must be what the journal makes, and all of it; what is said of streams, one thing at any time; and
/// contradictions in what the venue sent. It may be being recorded: what was recorded until now is checked, and the
/// recorder's WAL grows meanwhile.
///
/// What the journal makes lies where SQLite has its temporary files (SQLITE_TMPDIR and TMPDIR can say where), and
/// takes about as much room as the recording.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape verify coinflex.db
  feedtape verify coinflex.db --quick
  feedtape verify coinflex.db --format json | jq '.findings[].place'")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Do not compare the rows with what the journal makes
    #[arg(long)]
    quick: bool,
    /// How to print what was found
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object
    Json,
}

/// The report as an object.
#[derive(Serialize)]
struct Described<'a> {
    database: String,
    is_clean: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let bars = [OnceCell::new(), OnceCell::new(), OnceCell::new()];
    let report = verify(&args.database, args.quick, |stage, done, of| {
        let (n, doing) = match stage {
            Stage::Reading => (0, "reading the journal"),
            Stage::Deriving => (1, "deriving the tables"),
            Stage::Comparing => (2, "comparing the tables"),
        };
        bars[n].get_or_init(|| Bar::new(doing)).show(done, of);
    })?;
    drop(bars);
    let printed = match args.format {
        Format::Text => text(args, &report),
        Format::Json => {
            let database = args.database.display().to_string();
            let described = Described { database, is_clean: report.is_clean(), report: &report };
            let json = serde_json::to_string(&described).map_err(|error| Exit::Internal.because(error))?;
            json + "\n"
        }
    };
    super::written(io::stdout().write_all(printed.as_bytes()))?;
    Ok(if report.is_clean() { Exit::Good } else { Exit::Negative })
}

fn text(args: &Args, report: &Report) -> String {
    let Report { runs, sessions, streams, blocks, records, .. } = report;
    let mut text = format!(
        "{}: {runs} runs, {sessions} sessions, {streams} streams, {records} records in {blocks} blocks\n",
        args.database.display()
    );
    for aspect in Aspect::ALL {
        let _ = writeln!(text, "{:<16}{}", aspect.as_str(), verdict(args, report, aspect));
    }
    for aspect in Aspect::ALL.into_iter().filter(|aspect| report.count(*aspect) > 0) {
        let _ = writeln!(text, "\n{}", aspect.as_str());
        let told = report.findings.iter().filter(|finding| finding.aspect == aspect);
        for finding in told.clone() {
            let _ = writeln!(text, "  {}: {}", shown(&finding.place), shown(&finding.what));
        }
        let more = report.count(aspect) - told.count() as u64;
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
    }
    text
}

/// What is said of an aspect in its line.
fn verdict(args: &Args, report: &Report, aspect: Aspect) -> String {
    let found = match report.count(aspect) {
        0 => "good".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    match (aspect, &report.tables) {
        (Aspect::Rows, None) if args.quick => "not compared with what the journal makes".to_owned(),
        (Aspect::Rows, None) => "not compared, since the journal is damaged".to_owned(),
        (Aspect::Rows, Some(tables)) => {
            let rows: u64 = tables.iter().map(|table| table.rows).sum();
            format!("{found}, {rows} in {} tables compared with what the journal makes", tables.len())
        }
        (Aspect::Contradictions, _) if report.changed_unseen > 0 => {
            format!("{found}; {} times something had changed unseen during a gap", report.changed_unseen)
        }
        _ => found,
    }
}
