//! `feedtape check`.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::{Config, ConfigErrors};
use crate::exit::{Exit, Failure};

/// Check configuration files, and the secrets they name, without recording anything
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape check examples/demo.toml
  feedtape check --online coinflex.toml    # also loads the markets and tries the login")]
pub(super) struct Args {
    /// Configuration files that are to be recorded together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.files)?;
    let logins = config.sources.iter().filter_map(|source| source.login.as_ref());
    let refused = logins.filter_map(|login| login.credentials().err());
    ConfigErrors::check(refused.flat_map(|errors| errors.errors().to_vec()).collect())?;
    let mut report = format!("records into {}\n", config.database.display());
    for source in &config.sources {
        let login = if source.logs_in() { "with a login" } else { "public data only" };
        let (subscribe, poll) = (source.subscribe.len(), source.poll.len());
        report.push_str(&format!("{}: good ({subscribe} subscribe, {poll} poll, {login})\n", source.name));
    }
    super::written(io::stdout().write_all(report.as_bytes()))
}
