//! Logs: `tracing` to standard error, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// What to log, and how.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Log this and what is worse
    ///
    /// Without it, the environment's RUST_LOG decides, such as `warn,feedtape::connection=debug`; without that, `info`.
    #[arg(long, global = true, help_heading = "Logs", value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    log_level: Option<String>,
    /// Write logs as text or as JSON, one object a line
    #[arg(long, global = true, help_heading = "Logs", value_name = "FORMAT", default_value = "text")]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Our own logs at a level; of the libraries only what is wrong.
fn ours_at(level: &str) -> String {
    format!("{},feedtape={level}", if level == "error" { level } else { "warn" })
}

impl Args {
    /// From here on logs go to standard error.
    pub(super) fn start(&self) {
        let filter = match &self.log_level {
            Some(level) => EnvFilter::new(ours_at(level)),
            None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(ours_at("info"))),
        };
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        match self.log_format {
            Format::Text => builder.with_target(false).init(),
            Format::Json => builder.json().flatten_event(true).init(),
        }
    }
}
