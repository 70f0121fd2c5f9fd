//! `feedtape import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use crate::clock::Clock;
use crate::config::{Config, Durability};
use crate::exchange::listing::Listing;
use crate::exit::{Exit, Failure};
use crate::model::{Catalog, SessionId, Timestamp};
use crate::replay::format::Format;
use crate::replay::{ImportError, Imported, Origin, import};
use crate::store::{Draft, Reader, RunInfo, RunKind, Settings, Store, StoreError};
use crate::venue::{self, Venue};

/// Import captured frames through the code that a live connection uses
#[derive(clap::Args)]
#[command(after_long_help = "\
A capture has one frame a line: its arrival in ns since 1970 or `-`, a mark (`<` received, `>` sent), the text.
Replies are understood by the commands they answer, so a capture should have those too. `feedtape frames
--format import` writes captures. Also read are plain lines of JSON (arrival times are then unknown), the raw captures
of cryptofeed and those of hftbacktest's collector; the first line tells which it is.
A name that ends in .zst or .gz is decompressed; `-` is standard input.

Examples:
  feedtape import capture.txt --into old.db --listing coinfloor
  feedtape import book.jsonl.gz --into kraken.db --venue kraken
  feedtape frames a.db --format import | feedtape import - --into b.db --source again")]
pub(super) struct Args {
    /// Captures; each becomes a session
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The database; a new one appears when all is imported
    #[arg(long, value_name = "DB")]
    into: PathBuf,
    /// The source that the rows belong to
    #[arg(long, value_name = "NAME", default_value = "import")]
    source: String,
    /// The protocol of the frames
    #[arg(long, value_name = "VENUE", default_value = "coinflex", value_parser = read_venue)]
    venue: &'static dyn Venue,
    /// How the captures are written, if their first line does not tell
    #[arg(long)]
    format: Option<Format>,
    /// Codes, names and scales: a list that feedtape knows
    #[arg(long, conflicts_with = "config")]
    listing: Option<KnownListing>,
    /// Codes, names and scales: those of a configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Year of the futures that the coinflex listing has
    #[arg(long, default_value_t = 2020)]
    year: i16,
}

/// A list of assets and markets that feedtape knows.
#[derive(Clone, Copy, ValueEnum)]
enum KnownListing {
    /// CoinFLEX
    Coinflex,
    /// Coinfloor, whose GBP and EUR have two decimal places
    Coinfloor,
}

fn read_venue(name: &str) -> Result<&'static dyn Venue, String> {
    venue::by_name(name).ok_or_else(|| {
        let known: Vec<_> = venue::VENUES.iter().map(|venue| venue.name()).collect();
        format!("unknown venue; known are {}", known.join(", "))
    })
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let captures = args.files.iter().map(|file| open(file)).collect::<Result<Vec<_>, _>>()?;
    let catalog = catalog(args)?.map(Arc::new);
    let mut target = Target::open(&args.into)?;
    if let Target::Existing(_) = target {
        Reader::open(&args.into)?.check_venue(&args.source, args.venue.name())?;
    }
    let store = target.store();
    let clock = Clock::start();
    let names: Vec<_> = args.files.iter().map(|file| file.display().to_string()).collect();
    let info = RunInfo { kind: RunKind::Import, config: names.join(" "), commit_interval: Duration::ZERO };
    let begun = store.begin_run(clock.now(), &info)?;
    let mut report = String::new();
    let mut end = Ok(Exit::Good);
    let mut session = begun.first_session;
    for (capture, name) in captures.into_iter().zip(&names) {
        let (catalog, format) = (catalog.clone(), args.format);
        let origin = Origin { source: &args.source, venue: args.venue, catalog, name, format };
        match import(store, session, &origin, capture) {
            Ok(Imported { received, sent, answers, sessions, events }) => {
                session = SessionId(session.0 + sessions.max(1));
                let answers = if answers > 0 { format!(", {answers} REST answers") } else { String::new() };
                report
                    .push_str(&format!("{name}: {received} frames received, {sent} sent{answers}, {events} events\n"));
            }
            Err(ImportError::Capture(error)) => {
                end = Err(Exit::Data.because(format!("{name}: {error}; what came before it is imported")));
                break;
            }
            Err(ImportError::Sink(error)) => return Err(Exit::InputOutput.because(error)),
        }
    }
    store.end_run(clock.now())?;
    store.derive_books(i64::MAX)?;
    target.finish()?;
    super::written(io::stdout().write_all(report.as_bytes()))?;
    end
}

/// Where captures go.
enum Target {
    /// A database that there is.
    Existing(Box<Store>),
    /// A new one, which is there when it is whole.
    New(Box<Draft>),
}

impl Target {
    fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Ok(Self::New(Box::new(Draft::create(path)?)));
        }
        let settings = Settings { path: path.to_owned(), durability: Durability::PowerLoss, min_free_space: 0 };
        Ok(Self::Existing(Box::new(Store::open(settings)?)))
    }

    fn store(&mut self) -> &mut Store {
        match self {
            Self::Existing(store) => store,
            Self::New(draft) => draft.store(),
        }
    }

    fn finish(self) -> Result<(), StoreError> {
        match self {
            Self::Existing(store) => store.close_file(),
            Self::New(draft) => draft.finish(),
        }
    }
}

/// Opens a capture; what its name ends in says how it is compressed.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let told = |error: io::Error| {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NoInput } else { Exit::InputOutput };
        exit.because(format!("{}: {error}", path.display()))
    };
    let file = File::open(path).map_err(told)?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        let decoder = zstd::Decoder::new(file).map_err(told)?;
        return Ok(Box::new(BufReader::new(decoder)));
    }
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Ok(Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(file))));
    }
    Ok(Box::new(BufReader::new(file)))
}

/// The catalog that the frames' numbers are read by.
fn catalog(args: &Args) -> Result<Option<Catalog>, Failure> {
    let valid_from = Timestamp(0);
    if let Some(listing) = args.listing {
        let listing = match listing {
            KnownListing::Coinflex => Listing::coinflex(args.year)
                .ok_or_else(|| Exit::Usage.because(format!("--year {}: no such year", args.year)))?,
            KnownListing::Coinfloor => Listing::coinfloor(),
        };
        return Ok(Some(listing.catalog(valid_from)));
    }
    let Some(file) = &args.config else { return Ok(None) };
    let config = Config::load(std::slice::from_ref(file))?;
    let named = config.sources.iter().find(|source| source.name == args.source);
    let source = named.or(config.sources.first().filter(|_| config.sources.len() == 1)).ok_or_else(|| {
        Exit::Configuration.because(format!(
            "{} has no source `{}`; name one with --source",
            file.display(),
            args.source
        ))
    })?;
    Ok(source.listed(valid_from))
}
