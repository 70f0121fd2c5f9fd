//! `feedtape backup`.

use std::path::PathBuf;

use crate::exit::{Exit, Failure};
use crate::store;

/// Copy a database to a new file, as it is at one instant; safe while it is being recorded
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape backup coinflex.db coinflex-2020-01-31.db")]
pub(super) struct Args {
    /// The database
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// The copy, a file that does not exist yet
    #[arg(value_name = "DEST")]
    copy: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    store::backup(&args.database, &args.copy)?;
    Ok(Exit::Good)
}
