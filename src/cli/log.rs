//! Logs: `tracing` to standard error, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::EnvFilter;

/// What to log, and how.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Log this and what is worse
    ///
    /// Without it, the environment's RUST_LOG decides, such as `info,feedtape::connection=debug`; without that, `info`.
    #[arg(long, global = true, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    log_level: Option<String>,
    /// Write logs as text or as JSON, one object a line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Args {
    /// From here on logs go to standard error.
    pub(super) fn start(&self) {
        let filter = match &self.log_level {
            Some(level) => EnvFilter::new(level),
            None => EnvFilter::builder().with_default_directive(Level::INFO.into()).from_env_lossy(),
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
