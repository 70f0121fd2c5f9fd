//! `feedtape rebuild`.

use std::io::{self, Write};
use std::path::PathBuf;

use super::bar::Bar;
use crate::exit::{Exit, Failure};
use crate::replay::{RebuildError, Rebuilt, rebuild};

/// Derive every table again from the journal, into a new file
///
/// What an older feedtape did not understand becomes rows where this one does. The recording stays as it is; it may be
/// of an older schema, and it may be being recorded: then the new file has what was recorded until now. A journal that
/// is damaged is refused; `feedtape verify` says where.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape rebuild coinflex.db --into coinflex-rebuilt.db")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// The new database, a file that does not exist yet
    #[arg(long, value_name = "NEW")]
    into: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let bar = Bar::new("rebuilding");
    let rebuilt = rebuild(&args.database, &args.into, |done, of| bar.show(done, of));
    drop(bar);
    let Rebuilt { records, sessions, events } = rebuilt.map_err(|error| match error {
        RebuildError::Store(error) => error.into(),
        error => error.exit().because(format!("{}: {error}", args.database.display())),
    })?;
    let report = format!("{}: {records} records of {sessions} sessions, {events} events\n", args.into.display());
    super::written(io::stdout().write_all(report.as_bytes()))
}
