//! Logs: `tracing` to standard error, as text or JSON.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Stderr, Write};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::output::harmless_json;
use super::standard::Standard;

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
    /// From here on logs go to standard error. Nothing waits for whoever reads it, and nothing ends when it cannot be
    /// written.
    pub(super) fn start(&self) {
        let filter = match &self.log_level {
            Some(level) => EnvFilter::new(ours_at(level)),
            None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(ours_at("info"))),
        };
        let log = Log { format: self.log_format, written: Mutex::new(Written { to: Standard::error(), left_out: 0 }) };
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(log)
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal());
        match self.log_format {
            Format::Text => builder.with_target(false).init(),
            Format::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// Standard error, of which lines are left out while nobody reads it.
struct Log {
    format: Format,
    written: Mutex<Written>,
}

struct Written {
    to: Standard<Stderr>,
    left_out: u64,
}

impl Log {
    fn line(&self, line: &[u8]) -> io::Result<()> {
        let Written { to, left_out } = &mut *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *left_out > 0 && to.take(self.gap(*left_out).as_bytes())? {
            *left_out = 0;
        }
        let line = match self.format {
            // Texts are written with escapes.
            Format::Text => Cow::Borrowed(line),
            Format::Json => {
                let json = String::from_utf8_lossy(line.trim_ascii_end());
                Cow::Owned(format!("{}\n", harmless_json(&json)).into_bytes())
            }
        };
        if *left_out > 0 || !to.take(&line)? {
            *left_out += 1;
        }
        Ok(())
    }

    /// Says that so many lines are missing.
    fn gap(&self, lines: u64) -> String {
        match self.format {
            Format::Text => format!(" WARN nobody read the log, lines were left out lines={lines}\n"),
            Format::Json => {
                let message = "nobody read the log, lines were left out";
                format!("{{\"level\":\"WARN\",\"message\":\"{message}\",\"lines\":{lines}}}\n")
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Log {
    /// Is given one line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
