//! `feedtape venues`.

use std::io::{self, BufWriter};
use std::ops::ControlFlow;

use super::output::{Format, Printer};
use crate::exit::{Exit, Failure};
use crate::model::TimeUnit;
use crate::near::or_else_known;
use crate::store::Value;
use crate::venue::generic::{self, Generic};
use crate::venue::{Ack, Channel, Profile, VENUES, Venue};

/// Print what each venue offers: channels, what they record, and what their completeness is judged by
#[derive(clap::Args)]
#[command(after_long_help = "\
`verdict` is the most that can be said of a stream while nothing speaks against it: proved (a counter or chain without
a hole), checked (checksums held, which do not cover everything), consistent (no contradiction; a loss may go unseen),
unverifiable. `snapshot` says where the state comes from that updates change.

Examples:
  feedtape venues
  feedtape venues kraken --format jsonl")]
pub(super) struct Args {
    /// Only this one
    #[arg(value_name = "VENUE")]
    venue: Option<String>,
    /// How to print the rows
    #[arg(long, default_value = "table")]
    format: Format,
}

const COLUMNS: [&str; 11] = [
    "venue",
    "channel",
    "records",
    "login",
    "endpoint",
    "options",
    "integrity",
    "verdict",
    "snapshot",
    "time",
    "acknowledged",
];

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let known = || VENUES.iter().map(|venue| venue.name());
    if let Some(name) = args.venue.as_deref().filter(|name| !known().any(|venue| venue == *name)) {
        return Err(Exit::Usage.because(format!("unknown venue `{name}`{}", or_else_known(name, known()))));
    }
    let wanted = |venue: &&&dyn Venue| args.venue.as_deref().is_none_or(|name| name == venue.name());
    let print = || {
        let mut printer = Printer::start(args.format, &COLUMNS, BufWriter::new(io::stdout().lock()))?;
        for venue in VENUES.iter().filter(wanted) {
            let profile = venue.profile();
            let described = if venue.name() == Generic.name() { generic::describable() } else { Vec::new() };
            for channel in profile.channels.iter().chain(&described) {
                let row = row(venue.name(), profile, channel);
                let values = row.iter().map(|text| match text.as_str() {
                    "" => Value::Null,
                    text => Value::Text(text.as_bytes()),
                });
                let values = values.collect::<Vec<_>>();
                if let ControlFlow::Break(()) = printer.row(&values)? {
                    return printer.finish();
                }
            }
        }
        printer.finish()
    };
    super::written(print())
}

fn row(venue: &str, profile: &Profile, channel: &Channel) -> [String; COLUMNS.len()] {
    let options = channel.options.iter().map(|option| format!("{}={}", option.name, option.values.join("|")));
    let time = match channel.time {
        None => "",
        Some(TimeUnit::Seconds) => "s",
        Some(TimeUnit::Millis) => "ms",
        Some(TimeUnit::Micros) => "us",
        Some(TimeUnit::Nanos) => "ns",
    };
    let acknowledged = match profile.ack {
        Ack::EchoId => "by number",
        Ack::EchoArgument => "by what was asked",
        Ack::StateEcho => "by all subscriptions",
        Ack::StatusMap => "by a status for each",
        Ack::ResultList => "by a list of those agreed to",
        Ack::None => "",
    };
    [
        venue.to_owned(),
        channel.method.to_string(),
        channel.records.to_owned(),
        if channel.needs_login { "yes" } else { "no" }.to_owned(),
        channel.endpoints.join(", "),
        options.collect::<Vec<_>>().join(" "),
        channel.integrity.to_string(),
        channel.integrity.scheme.verdict().to_string(),
        channel.snapshot.as_str().to_owned(),
        time.to_owned(),
        acknowledged.to_owned(),
    ]
}
